"""The store: jobs, events, assets and secrets in one database, with its outbox, keys and ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Select, func, insert, select, union
from sqlalchemy.exc import IntegrityError

from framegate.domain import Blob, Delivery, Event, Job, State
from framegate.domain.errors import IdempotencyConflict, Unavailable
from framegate.domain.ledger import EntryState, LedgerChange
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.store import asset_writes, claim_writes, job_writes, serialization
from framegate.store.api_keys import ApiKeyStore
from framegate.store.claim_writes import ClaimedJob
from framegate.store.engine import FAILURES, SchemaUnknown, make_engines, migrate_to_current
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.ledger import LedgerQueries
from framegate.store.notifier import JobNotifier
from framegate.store.outbox import Outbox
from framegate.store.reader import Reader
from framegate.store.tables import assets, blob_references, events, jobs, ledger, orders, secrets
from framegate.telemetry.outage import OutageLog

IDS_PER_QUERY = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `next` is the cursor of the next page, None on the last."""

    jobs: tuple[Job, ...]
    next: str | None


class Store:
    """Durable jobs. Every change is committed before its call returns.

    `url` is an SQLAlchemy URL of SQLite or PostgreSQL; `group_max` is the maximum number of writes per commit.
    """

    def __init__(self, url: str, *, machine: Machine = REAL_MACHINE, group_max: int = 512) -> None:
        self._machine = machine
        self.notifier = JobNotifier()
        self._write_engine, self._read_engine = make_engines(url)
        self._outage = OutageLog("Database", machine.monotonic)
        self._writer = GroupCommitWriter(self._write_engine, group_max=group_max, outage=self._outage)
        self._reader = Reader(self._read_engine, outage=self._outage)
        self.outbox = Outbox(self._writer, self._reader)
        self.keys = ApiKeyStore(self._writer, self._reader)
        self.ledger = LedgerQueries(self._writer, self._reader)

    async def __aenter__(self) -> Self:
        try:
            await migrate_to_current(self._write_engine)
        except SchemaUnknown:
            await self._write_engine.dispose()
            raise
        except FAILURES as error:
            await self._write_engine.dispose()
            raise Unavailable(f"The database cannot be opened: {getattr(error, 'orig', error)}.") from error
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
        """Accept a job, or return the earlier one with its idempotency key or unacknowledged create.

        Raises `IdempotencyConflict` if the key was used with another body, and `BudgetExceeded`.
        """
        write = job_writes.Insert(job, idempotency_key, body_hash, deliveries, unacknowledged, ledger_change)
        stored: Job = await self._writer.apply(write)
        self._notify(stored.id, deliveries)
        return stored

    async def acknowledge(self, job_ids: Sequence[str]) -> None:
        """Record that the clients of these jobs have the response to their create."""
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
        """Replace a job by its next version, with its order, webhooks and ledger entry: all of it or nothing.

        Raises `Stale` if the job has changed or the claim is lost, and `BudgetExceeded`.
        """
        write = job_writes.ApplyTransition(job, due_at, fence, release, order, deliveries, ledger_change)
        stored: Job = await self._writer.apply(write)
        self._notify(stored.id, deliveries)
        return stored

    async def claim(self, worker: str, *, now: float, until: float, limit: int) -> list[ClaimedJob]:
        """Claim up to `limit` due jobs until `until`."""
        if await self._reader.first(_due(now).limit(1)) is None:
            return []
        return await self._writer.apply(claim_writes.Claim(worker, now, until, limit))

    async def release(self, claim: ClaimedJob, *, due_at: float) -> None:
        """Release a claimed job until it is due again."""
        await self._writer.apply(claim_writes.Release(claim.job, claim.fence, due_at))

    async def make_due(self, job_id: str, *, now: float) -> None:
        """Make a waiting job due at once."""
        await self._writer.apply(claim_writes.MakeDue(job_id, now))
        self.notifier.interrupt(job_id)
        self.notifier.work_available.set()

    async def make_all_due(self, *, now: float) -> None:
        """Make every waiting job due at once."""
        await self._writer.apply(claim_writes.MakeAllDue(now))
        self.notifier.work_available.set()

    async def extend(self, worker: str, job_ids: Iterable[str], *, until: float) -> None:
        """Extend the leases of a worker's jobs."""
        await self._writer.apply(claim_writes.ExtendLeases(worker, until, tuple(job_ids)))

    async def release_all(self, worker: str | None = None) -> None:
        """Release all jobs of a worker; of every worker, for the sole owner of a store at its start."""
        await self._writer.apply(claim_writes.ReleaseAll(worker))

    async def delete(self, job_id: str) -> None:
        """Delete a job with its events, orders, webhooks and blob references."""
        await self._writer.apply(job_writes.Delete(job_id))
        self.notifier.changed(job_id)

    # -- jobs: read

    async def get(self, job_id: str) -> Job | None:
        row = await self._reader.first(select(jobs.c.request, jobs.c.state_json).where(jobs.c.id == job_id))
        return serialization.load_job(row["request"], row["state_json"]) if row else None

    async def get_by_key(self, owner: str, idempotency_key: str, *, body_hash: str) -> Job | None:
        """Return the job that was created with an idempotency key. Raises `IdempotencyConflict` for another body."""
        columns = select(jobs.c.body_hash, jobs.c.request, jobs.c.state_json)
        row = await self._reader.first(columns.where(jobs.c.owner == owner, jobs.c.idempotency_key == idempotency_key))
        if row is None:
            return None
        if row["body_hash"] != body_hash:
            raise IdempotencyConflict
        return serialization.load_job(row["request"], row["state_json"])

    async def get_with_fence(self, job_id: str) -> ClaimedJob | None:
        """Return a job with the fence of its last claim."""
        row = await self._reader.first(
            select(jobs.c.fence, jobs.c.request, jobs.c.state_json).where(jobs.c.id == job_id)
        )
        return ClaimedJob(serialization.load_job(row["request"], row["state_json"]), row["fence"]) if row else None

    async def list(
        self,
        *,
        owner: str | None,
        limit: int,
        held: bool = False,
        after: str | None = None,
        states: Sequence[State] = (),
        model: str | None = None,
        oldest_first: bool = False,
    ) -> Page:
        """Return a page of a tenant's jobs (of all tenants' for None) after the job `after`, newest first by default.

        With `held` only jobs whose ledger entry is held.
        """
        query = select(jobs.c.id, jobs.c.request, jobs.c.state_json)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        if held:
            query = query.where(jobs.c.id.in_(select(ledger.c.job_id).where(ledger.c.state == EntryState.HELD.value)))
        if after is not None:
            query = query.where(jobs.c.id > after if oldest_first else jobs.c.id < after)
        if states:
            query = query.where(jobs.c.state.in_([state.value for state in states]))
        if model is not None:
            query = query.where(jobs.c.model == model)
        rows = await self._reader.all(query.order_by(jobs.c.id if oldest_first else jobs.c.id.desc()).limit(limit + 1))
        page = tuple(serialization.load_job(row["request"], row["state_json"]) for row in rows[:limit])
        return Page(page, page[-1].id if len(rows) > limit else None)

    async def versions(self, job_ids: Sequence[str]) -> dict[str, int]:
        """Return the versions of those of the jobs that exist."""
        versions: dict[str, int] = {}
        for start in range(0, len(job_ids), IDS_PER_QUERY):
            query = select(jobs.c.id, jobs.c.version).where(jobs.c.id.in_(job_ids[start : start + IDS_PER_QUERY]))
            versions |= {row["id"]: row["version"] for row in await self._reader.all(query)}
        return versions

    async def events(self, job_id: str, *, after: int = 0) -> tuple[Event, ...]:
        """Return a job's events after a sequence number, in order."""
        query = select(events).where(events.c.job_id == job_id, events.c.seq > after).order_by(events.c.seq)
        return tuple(serialization.load_event(row) for row in await self._reader.all(query))

    async def orders(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """Return every order of a job, in order."""
        rows = await self._reader.all(select(orders).where(orders.c.job_id == job_id).order_by(orders.c.attempt))
        return tuple(dict(row) for row in rows)

    async def check_writable(self) -> None:
        """Begin and commit a transaction that changes nothing. Raises `Unavailable`."""
        await self._writer.apply(claim_writes.MakeDue("", 0.0))

    async def count_active(self) -> int:
        """Return the number of jobs that have not ended."""
        row = await self._reader.first(select(func.count().label("n")).select_from(jobs).where(jobs.c.is_open))
        return row["n"] if row else 0

    async def count_queued_before(self, job_id: str | None) -> int:
        """Return the number of older jobs without an order; of all jobs without one if none is named."""
        waiting = (State.QUEUED.value, State.PREPARING.value)
        query = select(func.count().label("n")).where(jobs.c.is_open, jobs.c.state.in_(waiting))
        row = await self._reader.first(query if job_id is None else query.where(jobs.c.id < job_id))
        return row["n"] if row else 0

    async def next_due(self) -> float | None:
        """When the next unclaimed job is due."""
        query = select(func.min(jobs.c.due_at).label("due_at")).where(jobs.c.is_open, jobs.c.worker.is_(None))
        row = await self._reader.first(query)
        return row["due_at"] if row else None

    async def cancelled(self, worker: str, *, now: float) -> tuple[str, ...]:
        """Return those of a worker's jobs that are to be cancelled."""
        cancelled = (jobs.c.is_open, jobs.c.due_at <= now, jobs.c.worker == worker, jobs.c.cancel_requested)
        return tuple(row["id"] for row in await self._reader.all(select(jobs.c.id).where(*cancelled)))

    async def is_referenced(self, sha256: str) -> bool:
        """Whether a job or an asset references a blob."""
        in_jobs = select(blob_references.c.sha256).where(blob_references.c.sha256 == sha256)
        in_assets = select(assets.c.sha256).where(assets.c.sha256 == sha256)
        return await self._reader.first(union(in_jobs, in_assets).limit(1)) is not None

    async def referenced_hashes(self) -> frozenset[str]:
        """Return the hashes of all blobs that a job or an asset references."""
        rows = await self._reader.all(union(select(blob_references.c.sha256), select(assets.c.sha256)))
        return frozenset(row["sha256"] for row in rows)

    # -- assets and secrets

    async def keep_asset(self, owner: str, blob: Blob, *, now: float) -> None:
        """Record a file that a tenant uploaded."""
        await self._writer.apply(asset_writes.KeepAsset(owner, blob, now))

    async def asset(self, owner: str, sha256: str) -> Blob | None:
        """Return a tenant's uploaded file."""
        query = select(assets.c.media_type, assets.c.size_bytes)
        row = await self._reader.first(query.where(assets.c.owner == owner, assets.c.sha256 == sha256))
        return Blob(sha256=sha256, **row) if row else None

    async def secret(self, name: str) -> bytes:
        """Return a secret of this gateway by name: 32 random bytes, created at first use."""
        query = select(secrets.c.value).where(secrets.c.name == name)
        row = await self._reader.first(query)
        if row is None:
            try:
                async with self._write_engine.begin() as connection:
                    await connection.execute(insert(secrets).values(name=name, value=self._machine.random_bytes(32)))
            except IntegrityError:
                pass  # another process has created it
            except FAILURES as error:
                raise Unavailable(f"The database could not be written ({type(error).__name__}).") from error
            row = await self._reader.first(query)
        if row is None:
            raise Unavailable("The database does not return what was written to it.")
        return row["value"]

    # -- inside

    def _notify(self, job_id: str, deliveries: tuple[Delivery, ...]) -> None:
        self.notifier.changed(job_id)
        if deliveries:
            self.notifier.delivery_available.set()


def _due(now: float) -> Select[str]:
    is_free = jobs.c.lease_until.is_(None) | (jobs.c.lease_until < now)
    return select(jobs.c.id).where(jobs.c.is_open, jobs.c.due_at <= now, is_free)
