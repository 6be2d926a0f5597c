"""Clock of the jobs: durations that a change of the wall clock neither shortens nor extends.

Jobs record Unix times, which their readers and a later process need. While a process lives it sees each step of its
wall clock (NTP, an operator, a machine that wakes from sleep), and `elapsed` leaves these steps out.
"""

import math

from framegate.domain.machine import Clock

STEP_SECONDS_MIN = 1.0  # a smaller deviation is a clock that is adjusted slowly
STEPS_MAX = 64  # older steps are forgotten


class JobClock:
    """A clock that knows how its wall clock was changed since the start of the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # The time line, newest part last: since when (monotonic) the wall clock is ahead of the monotonic one by what.
        self._parts = [(-math.inf, clock.now() - clock.monotonic())]

    def now(self) -> float:
        """Wall clock, in Unix seconds."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Monotonic clock, in seconds from an arbitrary start."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)

    def observe(self) -> float:
        """Return by how many seconds the wall clock was changed since the last call; negative if it was set back."""
        monotonic = self._clock.monotonic()
        ahead = self._clock.now() - monotonic
        step = ahead - self._parts[-1][1]
        if abs(step) < STEP_SECONDS_MIN:
            return 0.0
        first, *later = [*self._parts[-STEPS_MAX:], (monotonic, ahead)]
        self._parts = [(-math.inf, first[1]), *later]
        return step

    def recorded_since(self, seconds: float) -> float:
        """The earliest Unix time that this clock told in the last `seconds`."""
        self.observe()
        begin = self._clock.monotonic() - seconds
        ends = [*(part_begin for part_begin, _ in self._parts[1:]), math.inf]
        parts = [(part, end) for part, end in zip(self._parts, ends, strict=True) if end > begin]
        return min(max(begin, part_begin) + ahead for (part_begin, ahead), _ in parts)

    def elapsed(self, since: float) -> float:
        """Seconds since a Unix time that a job recorded; 0 for a time in the future.

        If a step back makes the time ambiguous, the later one counts: a job waits too long rather than too short.
        """
        self.observe()
        monotonic = self._clock.monotonic()
        ends = [*(begin for begin, _ in self._parts[1:]), monotonic]
        parts = [(begin, since - ahead, end) for (begin, ahead), end in zip(self._parts, ends, strict=True)][::-1]
        seconds = [monotonic - at for begin, at, end in parts if begin <= at <= end]
        if not seconds and since <= self._clock.now():  # a step forward skipped this time: the step counts
            seconds = [monotonic - end for _, at, end in parts if at > end]
        return seconds[0] if seconds else 0.0
