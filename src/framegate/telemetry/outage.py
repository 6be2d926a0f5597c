"""One log line when something goes away, and one when it is back, however many calls fail meanwhile."""

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


class OutageLog:
    """Whether something that the gateway needs is there, for each `use` of it, such as reads and writes.

    `clock` returns seconds of a monotonic clock.
    """

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._since = 0.0
        self._failing: set[str] = set()
        self._failures = 0

    def failed(self, reason: str, *, use: str = "") -> None:
        """Record a call that failed."""
        self._failures += 1
        if not self._failing:
            self._since = self._clock()
            _log.error("%s unavailable; work waits and continues by itself. %s", self._what, reason)
        self._failing.add(use)

    def worked(self, *, use: str = "") -> None:
        """Record a call that worked."""
        if use not in self._failing:
            return
        self._failing.discard(use)
        if not self._failing:
            seconds = self._clock() - self._since
            _log.warning("%s available again after %.0f s; failed calls: %d.", self._what, seconds, self._failures)
            self._failures = 0
