"""How many jobs may be unfinished at once."""

from framegate.domain.clock import Clock
from framegate.domain.errors import Busy
from framegate.store import Store

COUNT_SECONDS = 1.0  # how old a count of the unfinished jobs may be


class QueueLimit:
    """The room for further jobs: looked up in the store now and then, counted here in between."""

    def __init__(self, store: Store, clock: Clock, *, jobs_max: int) -> None:
        self._store = store
        self._clock = clock
        self._jobs_max = jobs_max
        self._jobs = 0
        self._at = -1e9

    async def check(self) -> None:
        """Raise `Busy` where there is no room for one more."""
        now = self._clock.now()
        if not 0 <= now - self._at <= COUNT_SECONDS:  # a clock may be put back
            self._jobs, self._at = await self._store.count_active(), now
        if self._jobs >= self._jobs_max:
            raise Busy(f"{self._jobs} jobs are unfinished, and no more are taken. Nothing was made; try again later.")

    def take(self) -> None:
        """One more is there."""
        self._jobs += 1
