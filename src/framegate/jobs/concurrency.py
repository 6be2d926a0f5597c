"""Places at providers that make only so many videos at once, given in the order of asking; to low priority last."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

WAITERS_MAX = 200  # who waits for one provider; it gets shorter faster than others come back

Waiter = tuple[str, "asyncio.Future[None]", bool]  # who waits, what wakes it, and whether with low priority


@dataclass(slots=True)
class _Places:
    limit: int | None = None
    taken: set[str] = field(default_factory=set[str])
    waiting: deque[Waiter] = field(default_factory=deque[Waiter])


class ConcurrencyLimiter:
    """Who has a place at which provider."""

    def __init__(self) -> None:
        self._places: dict[str, _Places] = {}
        self._where: dict[str, str] = {}

    def restore(self, job_id: str, provider: str, limit: int | None = None) -> None:
        """Give a place at once: to a job whose order already stands. `limit`: how many there are, if that is known."""
        places = self._places.setdefault(provider, _Places())
        places.limit = places.limit if limit is None else limit
        places.taken.add(job_id)
        self._where[job_id] = provider

    async def acquire(self, job_id: str, provider: str, limit: int | None, *, low: bool = False) -> None:
        """Wait for one of `limit` places; None means as many as come. `low`: behind all others that wait."""
        places = self._places.setdefault(provider, _Places())
        places.limit = limit
        if limit is not None and (len(places.taken) >= limit or places.waiting):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            before = sum(not waits_low for _, _, waits_low in places.waiting)
            places.waiting.insert(len(places.waiting) if low else before, (job_id, turn, low))
            try:
                await turn
            except asyncio.CancelledError:
                self._give_up(places, job_id, turn)
                raise
        self.restore(job_id, provider)

    def is_saturated(self, provider: str, limit: int | None) -> bool:
        """Whether the line there is so long that another had better come back later."""
        places = self._places.get(provider)
        return limit is not None and places is not None and len(places.waiting) >= max(WAITERS_MAX, limit)

    def is_limited(self, job_id: str) -> bool:
        """Whether a job has one of so many places."""
        provider = self._where.get(job_id)
        return provider is not None and self._places[provider].limit is not None

    def release(self, job_id: str) -> None:
        """Give the place back, if there is one; the next in line has it, unless there are too many already.

        There may be after a restart: jobs whose orders stand come in whatever the limit says.
        """
        provider = self._where.pop(job_id, None)
        if provider is None:
            return
        places = self._places[provider]
        places.taken.discard(job_id)
        self._call_next(provider, places)

    def _call_next(self, provider: str, places: _Places) -> None:
        while places.waiting and (places.limit is None or len(places.taken) < places.limit):
            job_id, turn, _ = places.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.restore(job_id, provider)  # kept for it until it wakes

    def _give_up(self, places: _Places, job_id: str, turn: "asyncio.Future[None]") -> None:
        if turn.done() and not turn.cancelled():
            self.release(job_id)  # its turn had come: on to the next
        else:
            places.waiting = deque(entry for entry in places.waiting if entry[1] is not turn)
