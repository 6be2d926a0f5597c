"""Writes of jobs. Each class writes many of its kind in a few statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import Delivery, Job
from framegate.domain.errors import DuplicateCreate, FramegateError, IdempotencyConflict, NotFound, Stale
from framegate.domain.ledger import LedgerChange
from framegate.store import ledger, serialization
from framegate.store.asset_writes import insert_blob_references, update_blob_references
from framegate.store.ledger import BudgetReservations
from framegate.store.outbox import insert_deliveries
from framegate.store.tables import events, jobs, orders

REPEATS_MAX = 100  # recent jobs with an identical request that a create looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class UnacknowledgedCreate:
    """Fingerprint of a create until its client has the response.

    It returns the job of an earlier unacknowledged create with the same fingerprint, made at `since` (Unix seconds) or
    later, except those in `claimed_by_others`, whose clients still wait for the response.
    """

    fingerprint: str
    since: float
    claimed_by_others: frozenset[str] = frozenset()
    across: "AcrossGateways | None" = None  # where other processes use the store

    def find(self, orphans: Mapping[str, Sequence[Job]], owner: str) -> Job | None:
        """Return the earlier job, from the unacknowledged jobs by fingerprint."""
        for job in orphans.get(self.fingerprint, ()):
            if job.owner == owner and job.created_at >= self.since and job.id not in self.claimed_by_others:
                return job
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossGateways:
    """How a create sees the creates of other gateways, whose clients it cannot ask.

    A job of an identical create since `since` (Unix seconds) raises `DuplicateCreate`, until the caller has put its id
    in `adopted` (the create returns this job) or `distinct` (another client's).
    """

    since: float
    adopted: frozenset[str] = frozenset()
    distinct: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Insert:
    """Accept a job, or return the earlier one with its idempotency key or unacknowledged create."""

    job: Job
    idempotency_key: str | None
    body_hash: str
    deliveries: tuple[Delivery, ...] = ()
    unacknowledged: UnacknowledgedCreate | None = None
    ledger_change: LedgerChange | None = None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Insert"], /) -> list[Job | FramegateError]:
        await _lock_fingerprints(connection, writes)
        by_key = await _jobs_by_key(connection, writes)
        orphans = await _orphans(connection, writes)
        changes = [write.ledger_change for write in writes if write.ledger_change]
        reservations = await BudgetReservations.lock(connection, changes)
        results: list[Job | FramegateError] = []
        new: list[Insert] = []
        for write in writes:
            key = (write.job.owner, write.idempotency_key)
            earlier = by_key.get(key) if write.idempotency_key else None
            orphan = write.unacknowledged.find(orphans, write.job.owner) if write.unacknowledged else None
            if write.unacknowledged and write.unacknowledged.across:
                orphan = await _across_gateways(connection, write, orphan)
            if orphan is not None:
                results.append(orphan)
            elif earlier is not None:
                results.append(earlier[0] if earlier[1] == write.body_hash else IdempotencyConflict())
            elif write.ledger_change and (exceeded := reservations.reserve(write.ledger_change)):
                results.append(exceeded)
            else:
                new.append(write)
                by_key[key] = (write.job, write.body_hash)
                results.append(write.job)
        if new:
            await _insert(connection, new)
        succeeded = [write.ledger_change for write, job in zip(writes, results, strict=True) if isinstance(job, Job)]
        releases = [change for change in succeeded if change and change.replaces_job_id]
        await ledger.release_reservations(connection, releases)
        return results


async def _lock_fingerprints(connection: AsyncConnection, writes: Sequence[Insert]) -> None:
    """Have identical creates of several gateways wait for one another. On SQLite the transaction has done so."""
    if connection.dialect.name != "postgresql":
        return
    fingerprints = {write.unacknowledged.fingerprint for write in writes if write.unacknowledged}
    for fingerprint in sorted(fingerprints):
        await connection.execute(select(func.pg_advisory_xact_lock(int(fingerprint[:15], 16))))


async def _across_gateways(
    connection: AsyncConnection, write: Insert, orphan: Job | None
) -> Job | DuplicateCreate | None:
    """Return the job that a create returns instead of its own, or the error of one that must be looked into first."""
    create = write.unacknowledged
    if create is None or create.across is None:
        return orphan
    across = create.across
    if orphan is not None:
        is_decided = orphan.id in across.adopted
        return orphan if is_decided else DuplicateCreate([orphan.id], is_acknowledged=False)
    first_id = f"{int(across.since * 1000):012x}"  # of UUIDv7s since then
    query = (
        select(jobs.c.id, jobs.c.request, jobs.c.state_json)
        .where(jobs.c.owner == write.job.owner, jobs.c.id >= f"{first_id[:8]}-{first_id[8:]}")
        .where(jobs.c.request == serialization.dump_request(write.job.request))
        .order_by(jobs.c.id.desc())
        .limit(REPEATS_MAX)
    )
    rows = {row.id: row for row in await connection.execute(query)}
    for job_id in across.adopted & rows.keys():
        return serialization.load_job(rows[job_id].request, rows[job_id].state_json)
    undecided = rows.keys() - across.distinct - create.claimed_by_others
    return DuplicateCreate(sorted(undecided), is_acknowledged=True) if undecided else None


async def _jobs_by_key(
    connection: AsyncConnection, writes: Sequence[Insert]
) -> dict[tuple[str, str | None], tuple[Job, str]]:
    """Return the jobs that were created with the same idempotency keys, with the hashes of their bodies."""
    keys = [(write.job.owner, write.idempotency_key) for write in writes if write.idempotency_key]
    if not keys:
        return {}
    query = select(jobs.c.owner, jobs.c.idempotency_key, jobs.c.body_hash, jobs.c.request, jobs.c.state_json)
    rows = await connection.execute(query.where(tuple_(jobs.c.owner, jobs.c.idempotency_key).in_(keys)))
    return {
        (row.owner, row.idempotency_key): (serialization.load_job(row.request, row.state_json), row.body_hash)
        for row in rows
    }


async def _orphans(connection: AsyncConnection, writes: Sequence[Insert]) -> dict[str, list[Job]]:
    """Return the jobs of unacknowledged creates, by fingerprint."""
    fingerprints = {write.unacknowledged.fingerprint for write in writes if write.unacknowledged}
    if not fingerprints:
        return {}
    columns = (jobs.c.unacked_fingerprint, jobs.c.request, jobs.c.state_json)
    query = select(*columns).where(jobs.c.unacked_fingerprint.in_(fingerprints)).order_by(jobs.c.id)
    orphans: dict[str, list[Job]] = {}
    for row in await connection.execute(query):
        job = serialization.load_job(row.request, row.state_json)
        orphans.setdefault(row.unacked_fingerprint, []).append(job)
    return orphans


async def _insert(connection: AsyncConnection, writes: Sequence[Insert]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": write.job.id,
            "owner": write.job.owner,
            "model": write.job.model,
            "worker": None,
            "fence": 0,
            "lease_until": None,
            "idempotency_key": write.idempotency_key,
            "body_hash": write.body_hash,
            "unacked_fingerprint": write.unacknowledged.fingerprint if write.unacknowledged else None,
            "request": serialization.dump_request(write.job.request),
            **serialization.job_columns(write.job, due_at=write.job.created_at),
        }
        for write in writes
    ]
    await connection.execute(insert(jobs), rows)
    await connection.execute(insert(events), [serialization.event_columns(write.job) for write in writes])
    hashes = {row["id"]: serialization.blob_hashes(row["request"], row["state_json"]) for row in rows}
    await insert_blob_references(connection, hashes)
    await insert_deliveries(connection, [delivery for write in writes for delivery in write.deliveries])
    await ledger.insert_entries(connection, [write.ledger_change for write in writes if write.ledger_change])


@dataclass(frozen=True, slots=True)
class AcknowledgeCreates:
    """Record that the clients of these jobs have the response to their create."""

    job_ids: tuple[str, ...]

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["AcknowledgeCreates"], /) -> list[None]:
        ids = [job_id for write in writes for job_id in write.job_ids]
        await connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(unacked_fingerprint=None))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class OrderState:
    """State of a job's newest order."""

    state: str
    key: str
    at: float


_CHANGING = ("state", "is_open", "version", "due_at", "cancel_requested", "state_json")
_UPDATE = update(jobs).where(jobs.c.id == bindparam("job_id")).values({name: bindparam(name) for name in _CHANGING})
_UPDATE_AND_RELEASE = _UPDATE.values(worker=None, lease_until=None)


@dataclass(frozen=True, slots=True)
class ApplyTransition:
    """Replace a job by its next version, if it has not changed since and, with a `fence`, if the claim holds.

    If the transition reserves more money, the key's budget must cover it. `job` is the job after the transition.
    """

    job: Job
    due_at: float
    fence: int | None = None
    release: bool = False
    order: OrderState | None = None
    deliveries: tuple[Delivery, ...] = ()
    ledger_change: LedgerChange | None = None

    @property
    def reservation(self) -> LedgerChange | None:
        """The ledger change, if it reserves anew."""
        return self.ledger_change if self.ledger_change and self.ledger_change.replaces_job_id else None

    @classmethod
    async def apply(
        cls, connection: AsyncConnection, writes: Sequence["ApplyTransition"], /
    ) -> list[Job | FramegateError]:
        ids = [write.job.id for write in writes]
        query = select(jobs.c.id, jobs.c.version, jobs.c.fence).where(jobs.c.id.in_(ids)).with_for_update()
        current = {row.id: (row.version, row.fence) for row in await connection.execute(query)}
        changes = [write.reservation for write in writes if write.reservation]
        reservations = await BudgetReservations.lock(connection, changes)
        results: list[Job | FramegateError] = []
        valid: list[ApplyTransition] = []
        for write in writes:
            version, fence = current.get(write.job.id, (0, 0))
            if version != write.job.version - 1 or write.fence not in (None, fence):
                results.append(Stale() if version else NotFound("Job not found."))
            elif write.reservation and (exceeded := reservations.reserve(write.reservation)):
                results.append(exceeded)
            else:
                current[write.job.id] = (write.job.version, fence)
                valid.append(write)
                results.append(write.job)
        if valid:
            await _update(connection, valid)
        return results


async def _update(connection: AsyncConnection, writes: Sequence[ApplyTransition]) -> None:
    rows = [{"job_id": write.job.id, **serialization.job_columns(write.job, due_at=write.due_at)} for write in writes]
    for statement, release in ((_UPDATE, False), (_UPDATE_AND_RELEASE, True)):
        if chosen := [row for row, write in zip(rows, writes, strict=True) if write.release is release]:
            await connection.execute(statement, chosen)
    await connection.execute(insert(events), [serialization.event_columns(write.job) for write in writes])
    hashes = {
        write.job.id: serialization.blob_hashes(serialization.dump_request(write.job.request), row["state_json"])
        for row, write in zip(rows, writes, strict=True)
    }
    await update_blob_references(connection, hashes)
    await _write_orders(connection, writes)
    await insert_deliveries(connection, [delivery for write in writes for delivery in write.deliveries])
    await ledger.update_entries(connection, [write.ledger_change for write in writes if write.ledger_change])


async def _write_orders(connection: AsyncConnection, writes: Sequence[ApplyTransition]) -> None:
    begun: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for write in writes:
        job, order = write.job, write.order
        if order is None:
            continue
        if order.state != "sending":
            changed.append({"b_job": job.id, "b_attempt": job.attempts, "b_state": order.state})
            continue
        begun.append(
            {
                "job_id": job.id,
                "attempt": job.attempts,
                "fence": write.fence,
                "provider": job.provider,
                "account": job.account,
                "key": order.key,
                "state": order.state,
                "at": order.at,
            }
        )
    if begun:
        await connection.execute(insert(orders), begun)
    if changed:
        same = (orders.c.job_id == bindparam("b_job"), orders.c.attempt == bindparam("b_attempt"))
        await connection.execute(update(orders).where(*same).values(state=bindparam("b_state")), changed)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a job that has ended, with its events, orders, webhooks and blob references."""

    job_id: str

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Delete"], /) -> list[None]:
        await connection.execute(delete(jobs).where(jobs.c.id.in_([write.job_id for write in writes])))
        return [None] * len(writes)


def next_version(job: Job, at: float, **changes: Any) -> Job:  # noqa: ANN401 - a job's own fields
    """Return the job after a transition: changed, and one version on."""
    return replace(job, **changes, version=job.version + 1, updated_at=at)
