"""Minimum rate of a download: a server that sends next to nothing must not hold a connection for long."""

from framegate.domain.machine import Clock

BYTES_PER_SECOND_MIN = 2048
WINDOW_SECONDS = 20.0


class TooSlow(Exception):
    """The download is slower than the minimum rate; another attempt may be faster."""


class MinimumRate:
    """The rate of one download, over windows of 20 seconds; a server that sends nothing ends by its read timeout."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._bytes = 0

    def count(self, size: int) -> None:
        """Count received bytes. Raises `TooSlow` at the end of a window in which too few arrived."""
        self._bytes += size
        seconds = self._clock.monotonic() - self._began
        if seconds < WINDOW_SECONDS:
            return
        if self._bytes < BYTES_PER_SECOND_MIN * seconds:
            raise TooSlow
        self._began, self._bytes = self._clock.monotonic(), 0
