"""FIFO concurrency limiter per account; low-priority jobs wait behind all others."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

WAITERS_MAX = 200  # per account; the queue drains faster than the other jobs come back


@dataclass(frozen=True, slots=True)
class _Waiter:
    job_id: str
    granted: "asyncio.Future[None]"
    is_low_priority: bool


@dataclass(slots=True)
class _Account:
    limit: int | None = None
    job_ids: set[str] = field(default_factory=set[str])  # jobs that have a slot
    waiters: deque[_Waiter] = field(default_factory=deque[_Waiter])

    @property
    def has_free_slot(self) -> bool:
        return self.limit is None or len(self.job_ids) < self.limit


class ConcurrencyLimiter:
    """The slots of all accounts, in memory of this process."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._account_of: dict[str, str] = {}  # by job

    def restore(self, job_id: str, account: str, limit: int | None = None) -> None:
        """Give a slot to a job whose order is open, whatever the limit. `limit` is the account's, if it is known."""
        slots = self._accounts.setdefault(account, _Account())
        slots.limit = slots.limit if limit is None else limit
        slots.job_ids.add(job_id)
        self._account_of[job_id] = account

    async def acquire(self, job_id: str, account: str, limit: int | None, *, low_priority: bool = False) -> None:
        """Wait for one of the account's `limit` slots; None is no limit."""
        slots = self._accounts.setdefault(account, _Account())
        slots.limit = limit
        if limit is not None and (not slots.has_free_slot or slots.waiters):
            waiter = _Waiter(job_id, asyncio.get_running_loop().create_future(), low_priority)
            first_low = sum(not other.is_low_priority for other in slots.waiters)
            slots.waiters.insert(len(slots.waiters) if low_priority else first_low, waiter)
            try:
                await waiter.granted
            except asyncio.CancelledError:
                self._abandon(slots, waiter)
                raise
        self.restore(job_id, account)

    def is_saturated(self, account: str, limit: int | None) -> bool:
        """Whether so many jobs wait for a slot that another should come back later."""
        slots = self._accounts.get(account)
        return limit is not None and slots is not None and len(slots.waiters) >= max(WAITERS_MAX, limit)

    def is_limited(self, job_id: str) -> bool:
        """Whether a job has a slot at an account with a limit."""
        account = self._account_of.get(job_id)
        return account is not None and self._accounts[account].limit is not None

    def release(self, job_id: str) -> None:
        """Release the job's slot, if it has one; the next waiter gets it.

        After a restart, more jobs may have a slot than the limit allows; then no waiter gets it.
        """
        account = self._account_of.pop(job_id, None)
        if account is None:
            return
        slots = self._accounts[account]
        slots.job_ids.discard(job_id)
        while slots.waiters and slots.has_free_slot:
            waiter = slots.waiters.popleft()
            if not waiter.granted.done():
                waiter.granted.set_result(None)
                self.restore(waiter.job_id, account)  # reserved until it wakes

    def _abandon(self, slots: _Account, waiter: _Waiter) -> None:
        if waiter.granted.done() and not waiter.granted.cancelled():
            self.release(waiter.job_id)  # it had been granted a slot
        else:
            slots.waiters = deque(other for other in slots.waiters if other is not waiter)
