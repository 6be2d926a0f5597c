"""The store: jobs, events, assets and secrets over one database; webhooks and keys beside them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Select, func, insert, select
from sqlalchemy.exc import IntegrityError

from framegate.domain import Blob, Delivery, Event, Job, State
from framegate.domain.errors import Unavailable
from framegate.domain.ledger import LedgerChange
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.store import job_writes, serialization
from framegate.store.api_keys import ApiKeyStore
from framegate.store.engine import FAILURES, bring_up_to_date, make_engines
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.job_writes import ClaimedJob
from framegate.store.ledger import LedgerQueries
from framegate.store.notifier import JobNotifier
from framegate.store.outbox import Outbox
from framegate.store.reader import Reader
from framegate.store.tables import assets, events, jobs, orders, secrets

HASH = re.compile(r"[0-9a-f]{64}")
MENTIONS_PER_PAGE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a list, in its order; `next` is where the rest begins, None at the end."""

    jobs: tuple[Job, ...]
    next: str | None


class Store:
    """Durable jobs. Every change is committed before its call returns.

    `url` is SQLAlchemy's, of SQLite or PostgreSQL; `group_max` is how many writes share one commit at most.
    """

    def __init__(self, url: str, *, machine: Machine = REAL_MACHINE, group_max: int = 512) -> None:
        self._machine = machine
        self.notifier = JobNotifier()
        self._write_engine, self._read_engine = make_engines(url)
        self._writer = GroupCommitWriter(self._write_engine, group_max=group_max)
        self._reader = Reader(self._read_engine)
        self.outbox = Outbox(self._writer, self._reader)
        self.keys = ApiKeyStore(self._writer, self._reader)
        self.ledger = LedgerQueries(self._writer, self._reader)

    async def __aenter__(self) -> Self:
        try:
            await bring_up_to_date(self._write_engine)
        except FAILURES as error:
            await self._write_engine.dispose()
            raise Unavailable(f"The store cannot be opened: {getattr(error, 'orig', error)}.") from error
        self._writer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.stop()
        await self._write_engine.dispose()
        await self._read_engine.dispose()

    # -- jobs: written

    async def insert(
        self,
        job: Job,
        *,
        idempotency_key: str | None = None,
        body_hash: str = "",
        deliveries: tuple[Delivery, ...] = (),
        unacknowledged: job_writes.UnacknowledgedCreate | None = None,
        ledger_change: LedgerChange | None = None,
    ) -> Job:
        """Accept a job; the earlier one if its idempotency key was used before for the same body.

        The earlier one too if the same was asked before, and its answer never left. Raises `IdempotencyConflict`
        where a key's body is another, and `BudgetExceeded` where the budget does not reach for what is owed.
        """
        insert = job_writes.Insert(job, idempotency_key, body_hash, deliveries, unacknowledged, ledger_change)
        kept: Job = await self._writer.apply(insert)
        self._notify(kept.id, deliveries)
        return kept

    async def acknowledge(self, job_ids: Sequence[str]) -> None:
        """The clients of these jobs have their answer."""
        await self._writer.apply(job_writes.AcknowledgeCreates(tuple(job_ids)))

    async def apply(
        self,
        job: Job,
        *,
        due_at: float,
        fence: int | None = None,
        release: bool = False,
        order: job_writes.OrderState | None = None,
        deliveries: tuple[Delivery, ...] = (),
        ledger_change: LedgerChange | None = None,
    ) -> Job:
        """Put `job` in the place of its last version, its webhooks and what it owes with it, or nothing of it.

        Raises `Stale` if it has moved on or the claim is lost, and `BudgetExceeded` where it would reserve too much.
        """
        kept: Job = await self._writer.apply(
            job_writes.ApplyTransition(job, due_at, fence, release, order, deliveries, ledger_change)
        )
        self._notify(kept.id, deliveries)
        return kept

    async def claim(self, worker: str, *, now: float, until: float, limit: int) -> list[ClaimedJob]:
        """Take up to `limit` due jobs that nobody holds; nobody else gets them before `until`."""
        if await self._reader.first(_due(now).limit(1)) is None:
            return []
        return await self._writer.apply(job_writes.Claim(worker, now, until, limit))

    async def release(self, held: ClaimedJob, *, due_at: float) -> None:
        """Let a held job go until it is due again."""
        await self._writer.apply(job_writes.Release(held.job, held.fence, due_at))

    async def make_due(self, job_id: str, *, now: float) -> None:
        """Have a job moved on at once, where it only waits."""
        await self._writer.apply(job_writes.MakeDue(job_id, now))
        self.notifier.interrupt(job_id)
        self.notifier.work_available.set()

    async def extend(self, worker: str, job_ids: Iterable[str], *, until: float) -> None:
        """Keep these jobs, of those that a worker holds, until a later time."""
        await self._writer.apply(job_writes.Extend(worker, until, tuple(job_ids)))

    async def release_all(self, worker: str | None = None) -> None:
        """Let go of all that a worker holds; of all that anybody holds, for the sole owner of a store at its start."""
        await self._writer.apply(job_writes.Extend(worker, None))

    async def delete(self, job_id: str) -> None:
        """Forget a job, its events, its orders and its webhooks."""
        await self._writer.apply(job_writes.Delete(job_id))
        self.notifier.changed(job_id)

    # -- jobs: read

    async def get(self, job_id: str) -> Job | None:
        row = await self._reader.first(select(jobs.c.request, jobs.c.state_json).where(jobs.c.id == job_id))
        return serialization.load_job(row["request"], row["state_json"]) if row else None

    async def get_with_fence(self, job_id: str) -> ClaimedJob | None:
        """A job with the fence of its last claim."""
        row = await self._reader.first(
            select(jobs.c.fence, jobs.c.request, jobs.c.state_json).where(jobs.c.id == job_id)
        )
        return ClaimedJob(serialization.load_job(row["request"], row["state_json"]), row["fence"]) if row else None

    async def list(
        self,
        *,
        owner: str,
        limit: int,
        after: str | None = None,
        states: Sequence[State] = (),
        model: str | None = None,
        oldest_first: bool = False,
    ) -> Page:
        """An owner's jobs, newest first unless said otherwise, from behind the job `after` on."""
        query = select(jobs.c.id, jobs.c.request, jobs.c.state_json).where(jobs.c.owner == owner)
        if after is not None:
            query = query.where(jobs.c.id > after if oldest_first else jobs.c.id < after)
        if states:
            query = query.where(jobs.c.state.in_([state.value for state in states]))
        if model is not None:
            query = query.where(jobs.c.model == model)
        rows = await self._reader.all(query.order_by(jobs.c.id if oldest_first else jobs.c.id.desc()).limit(limit + 1))
        more = len(rows) > limit
        found = tuple(serialization.load_job(row["request"], row["state_json"]) for row in rows[:limit])
        return Page(found, found[-1].id if more else None)

    async def events(self, job_id: str, *, after: int = 0) -> tuple[Event, ...]:
        """A job's events behind a sequence number, in order."""
        query = select(events).where(events.c.job_id == job_id, events.c.seq > after).order_by(events.c.seq)
        return tuple(serialization.load_event(row) for row in await self._reader.all(query))

    async def orders(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """Every order that was begun for a job, in order."""
        rows = await self._reader.all(select(orders).where(orders.c.job_id == job_id).order_by(orders.c.attempt))
        return tuple(dict(row) for row in rows)

    async def count_active(self) -> int:
        """How many jobs have not ended."""
        row = await self._reader.first(select(func.count().label("n")).select_from(jobs).where(jobs.c.is_open))
        return row["n"] if row else 0

    async def count_queued_before(self, job_id: str | None) -> int:
        """How many older jobs have no order yet; where none is named, how many jobs in all."""
        waiting = (State.QUEUED.value, State.PREPARING.value)
        query = select(func.count().label("n")).where(jobs.c.is_open, jobs.c.state.in_(waiting))
        row = await self._reader.first(query if job_id is None else query.where(jobs.c.id < job_id))
        return row["n"] if row else 0

    async def next_due(self) -> float | None:
        """When the next job that nobody holds is due."""
        query = select(func.min(jobs.c.due_at).label("due_at")).where(jobs.c.is_open, jobs.c.worker.is_(None))
        row = await self._reader.first(query)
        return row["due_at"] if row else None

    async def cancelled(self, worker: str, *, now: float) -> tuple[str, ...]:
        """The jobs among those that a worker holds which are to be cancelled."""
        mine = (jobs.c.is_open, jobs.c.due_at <= now, jobs.c.worker == worker, jobs.c.cancel_requested)
        return tuple(row["id"] for row in await self._reader.all(select(jobs.c.id).where(*mine)))

    async def is_referenced(self, sha256: str) -> bool:
        """Whether any job or asset still needs a file."""
        in_jobs = select(jobs.c.id).where(jobs.c.state_json.contains(sha256) | jobs.c.request.contains(sha256)).limit(1)
        in_assets = select(assets.c.sha256).where(assets.c.sha256 == sha256).limit(1)
        return await self._reader.first(in_jobs) is not None or await self._reader.first(in_assets) is not None

    async def referenced_hashes(self) -> frozenset[str]:
        """The hashes of all files that any job or asset needs."""
        found: set[str] = {row["sha256"] for row in await self._reader.all(select(assets.c.sha256).distinct())}
        after = ""
        while True:
            query = select(jobs.c.id, jobs.c.request, jobs.c.state_json).where(jobs.c.id > after).order_by(jobs.c.id)
            rows = await self._reader.all(query.limit(MENTIONS_PER_PAGE))
            for row in rows:
                found.update(HASH.findall(row["request"]), HASH.findall(row["state_json"]))
            if len(rows) < MENTIONS_PER_PAGE:
                return frozenset(found)
            after = rows[-1]["id"]

    # -- assets and secrets

    async def keep_asset(self, owner: str, blob: Blob, *, now: float) -> None:
        """Remember that an owner uploaded a file."""
        await self._writer.apply(job_writes.KeepAsset(owner, blob, now))

    async def asset(self, owner: str, sha256: str) -> Blob | None:
        """An owner's uploaded file."""
        query = select(assets.c.media_type, assets.c.size_bytes)
        row = await self._reader.first(query.where(assets.c.owner == owner, assets.c.sha256 == sha256))
        return Blob(sha256=sha256, **row) if row else None

    async def secret(self, name: str) -> bytes:
        """A secret of this gate by its name, made at first use: 32 random bytes."""
        query = select(secrets.c.value).where(secrets.c.name == name)
        row = await self._reader.first(query)
        if row is None:
            try:
                async with self._write_engine.begin() as connection:
                    await connection.execute(insert(secrets).values(name=name, value=self._machine.random_bytes(32)))
            except IntegrityError:
                pass  # another process was first: its secret is the one
            except FAILURES as error:
                raise Unavailable(f"The store could not write ({type(error).__name__}).") from error
            row = await self._reader.first(query)
        if row is None:
            raise Unavailable("The store does not keep what is written to it.")
        return row["value"]

    # -- inside

    def _notify(self, job_id: str, deliveries: tuple[Delivery, ...]) -> None:
        self.notifier.changed(job_id)
        if deliveries:
            self.notifier.delivery_available.set()


def _due(now: float) -> Select[str]:
    held = jobs.c.lease_until.is_(None) | (jobs.c.lease_until < now)
    return select(jobs.c.id).where(jobs.c.is_open, jobs.c.due_at <= now, held)
