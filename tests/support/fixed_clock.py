"""A clock that stands still."""

from dataclasses import dataclass


@dataclass
class FixedClock:
    """Returns the same time for as long as `at` is not changed."""

    at: float = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
