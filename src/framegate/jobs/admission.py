"""Queue limit (backpressure): the maximum number of open jobs."""

from framegate.domain.errors import Busy
from framegate.domain.machine import Clock
from framegate.store import Store

COUNT_SECONDS = 1.0  # maximum age of the count


class QueueLimit:
    """Limit on open jobs. The count is read from the store every second and incremented locally."""

    def __init__(self, store: Store, clock: Clock, *, jobs_max: int) -> None:
        self._store = store
        self._clock = clock
        self._jobs_max = jobs_max
        self._jobs = 0
        self._counted_at = -COUNT_SECONDS - 1

    async def check(self) -> None:
        """Raise `Busy` if the limit is reached."""
        now = self._clock.monotonic()
        if now - self._counted_at > COUNT_SECONDS:
            self._jobs, self._counted_at = await self._store.count_active(), now
        if self._jobs >= self._jobs_max:
            raise Busy(f"Too many open jobs: {self._jobs}. No job was created; try again later.")

    def admit(self) -> None:
        """Count one more job."""
        self._jobs += 1
