"""One log line when something goes away, and one when it is back, however many calls fail meanwhile."""

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


class OutageLog:
    """Whether something that the gateway needs is there. `clock` returns seconds of a monotonic clock."""

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._since: float | None = None
        self._failures = 0

    @property
    def is_down(self) -> bool:
        """Whether the last call failed."""
        return self._since is not None

    def failed(self, reason: str) -> None:
        """Record a call that failed."""
        self._failures += 1
        if self._since is None:
            self._since = self._clock()
            _log.error("%s unavailable; work waits and goes on by itself. %s", self._what, reason)

    def worked(self) -> None:
        """Record a call that worked."""
        if self._since is not None:
            seconds = self._clock() - self._since
            _log.warning("%s available again after %.0f s; failed calls: %d.", self._what, seconds, self._failures)
            self._since, self._failures = None, 0
