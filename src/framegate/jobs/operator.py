"""Operator view: the jobs, keys and spending of all tenants."""

from collections.abc import Sequence
from dataclasses import dataclass

from framegate.domain import BudgetPeriod, Job, Key, Scope, Status
from framegate.domain.errors import NotFound
from framegate.domain.keys import check_budget, new_key
from framegate.domain.ledger import Entry
from framegate.domain.machine import Machine
from framegate.jobs.lookup import get_job
from framegate.jobs.service import JobService
from framegate.store import Store
from framegate.store.ledger import By, Spent


@dataclass(frozen=True, slots=True)
class BilledJob:
    """A job with its ledger entry; None for a job older than the ledger."""

    job: Job
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class BilledPage:
    """One page of a list; `next` is the cursor of the next page, None on the last."""

    jobs: tuple[BilledJob, ...]
    next: str | None


class Operator:
    """Operator view of the jobs, keys and spending of every tenant. Callers need the scope `admin`."""

    def __init__(self, jobs: JobService, store: Store, machine: Machine) -> None:
        self._jobs = jobs
        self._store = store
        self._machine = machine

    async def list(
        self,
        *,
        owner: str | None = None,
        held: bool = False,
        limit: int = 50,
        after: str | None = None,
        status: Sequence[Status] = (),
        model: str | None = None,
    ) -> BilledPage:
        """Return one page of jobs, newest first: of all owners or one, with `held` those whose cost is not known."""
        page = await self._jobs.list(owner=owner, held=held, limit=limit, after=after, status=status, model=model)
        entries = await self._store.ledger.entries([job.id for job in page.jobs])
        return BilledPage(tuple(BilledJob(job, entries.get(job.id)) for job in page.jobs), page.next)

    async def get(self, job_id: str) -> BilledJob:
        """Return a job of any owner. Raises `NotFound`."""
        job = await get_job(self._store, job_id)
        return BilledJob(job, await self._store.ledger.entry(job.id))

    async def settle(self, job_id: str, micro_usd: int) -> Entry:
        """Set the final cost of a held job; 0 voids it. Raises `NotFound`, and `Conflict` if the job is not held."""
        await self._store.ledger.resolve(job_id, micro_usd)
        entry = await self._store.ledger.entry(job_id)
        if entry is None:
            raise NotFound("The ledger has no entry for this job.")
        return entry

    async def spent(
        self, by: By, *, owner: str | None, since: str | None = None, until: str | None = None
    ) -> tuple[Spent, ...]:
        """Return what the jobs of all owners or one cost, by UTC day of acceptance, both days inclusive."""
        return await self._store.ledger.spent(by, owner=owner, since=since, until=until)

    async def keys(self) -> tuple[Key, ...]:
        """Return every key, oldest first."""
        return await self._store.keys.list()

    async def create_key(
        self,
        *,
        owner: str,
        name: str,
        scopes: Sequence[Scope],
        lifetime_seconds: int | None,
        requests_per_minute: int | None,
        budget_micro_usd: int | None,
        budget_period: BudgetPeriod | None,
    ) -> tuple[str, Key]:
        """Store a new key and return its text, which is shown once, and the key. Raises `InvalidRequest`."""
        now = self._machine.now()
        text, key = new_key(
            now=now,
            owner=owner,
            name=name,
            scopes=tuple(scopes),
            expires_at=None if lifetime_seconds is None else now + lifetime_seconds,
            requests_per_minute=requests_per_minute,
            budget_micro_usd=budget_micro_usd,
            budget_period=budget_period,
        )
        await self._store.keys.add(key)
        return text, key

    async def set_budget(self, key_id: str, micro_usd: int | None, period: BudgetPeriod | None) -> Key:
        """Set or remove the budget of a key. Raises `NotFound` and `InvalidRequest`."""
        check_budget(micro_usd, period)
        return await self._store.keys.set_budget(
            key_id, micro_usd, None if micro_usd is None else period or BudgetPeriod.TOTAL
        )

    async def revoke(self, key_id: str) -> Key:
        """Revoke a key permanently. Raises `NotFound`."""
        return await self._store.keys.revoke(key_id, now=self._machine.now())
