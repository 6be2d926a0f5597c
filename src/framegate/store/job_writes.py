"""What can be written. Each class does many of its kind in a few statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BindParameter, and_, bindparam, case, delete, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import Blob, Delivery, Job, State
from framegate.domain.errors import FramegateError, IdempotencyConflict, NotFound, Stale
from framegate.domain.ledger import LedgerChange
from framegate.store import ledger, serialization
from framegate.store.ledger import BudgetReservations
from framegate.store.outbox import insert_delivery
from framegate.store.tables import assets, events, jobs, orders


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that a worker holds; `fence` tells its claim from every earlier one."""

    job: Job
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnacknowledgedCreate:
    """What was asked, until its client has the answer.

    An identical create since `since` (Unix seconds) whose answer never left is this one, but for those in `claimed_by_others`:
    other clients wait for their answers.
    """

    fingerprint: str
    since: float
    claimed_by_others: frozenset[str] = frozenset()

    def among(self, orphans: Mapping[str, Sequence[Job]], owner: str) -> Job | None:
        """The job that this create belongs to."""
        mine = (job for job in orphans.get(self.fingerprint, ()) if job.owner == owner and job.created_at >= self.since)
        return next((job for job in mine if job.id not in self.claimed_by_others), None)


@dataclass(frozen=True, slots=True)
class Insert:
    """Accept a job; find the earlier one instead that its idempotency key or its unanswered create belongs to."""

    job: Job
    idempotency_key: str | None
    body_hash: str
    deliveries: tuple[Delivery, ...] = ()
    unacknowledged: UnacknowledgedCreate | None = None
    ledger_change: LedgerChange | None = None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Insert"], /) -> list[Job | FramegateError]:
        keys = [(write.job.owner, write.idempotency_key) for write in writes if write.idempotency_key]
        known: dict[tuple[str, str | None], tuple[Job, str]] = {}
        if keys:
            query = select(jobs.c.owner, jobs.c.idempotency_key, jobs.c.body_hash, jobs.c.request, jobs.c.state_json)
            rows = await connection.execute(query.where(tuple_(jobs.c.owner, jobs.c.idempotency_key).in_(keys)))
            known = {
                (row.owner, row.idempotency_key): (serialization.load_job(row.request, row.state_json), row.body_hash)
                for row in rows
            }
        orphans = await _orphans(connection, writes)
        purses = await BudgetReservations.of(
            connection, [write.ledger_change for write in writes if write.ledger_change]
        )
        answers: list[Job | FramegateError] = []
        fresh: list[Insert] = []
        for write in writes:
            key = (write.job.owner, write.idempotency_key)
            earlier = known.get(key) if write.idempotency_key else None
            orphan = write.unacknowledged.among(orphans, write.job.owner) if write.unacknowledged else None
            if orphan is not None:
                answers.append(orphan)
            elif earlier is None and write.ledger_change and (refused := purses.reserve(write.ledger_change)):
                answers.append(refused)
            elif earlier is None:
                fresh.append(write)
                known[key] = (write.job, write.body_hash)
                answers.append(write.job)
            else:
                answers.append(earlier[0] if earlier[1] == write.body_hash else IdempotencyConflict())
        if fresh:
            await connection.execute(insert(jobs), [write._row() for write in fresh])  # noqa: SLF001 - its own
            await connection.execute(insert(events), [serialization.event_columns(write.job) for write in fresh])
            await insert_delivery(connection, [delivery for write in fresh for delivery in write.deliveries])
            await ledger.insert_entry(connection, [write.ledger_change for write in fresh if write.ledger_change])
        kept = [write.ledger_change for write, answer in zip(writes, answers, strict=True) if isinstance(answer, Job)]
        await ledger.release_reservation(connection, [one for one in kept if one and one.replaces_job_id])
        return answers

    def _row(self) -> dict[str, Any]:
        return {
            "id": self.job.id,
            "owner": self.job.owner,
            "model": self.job.model,
            "worker": None,
            "fence": 0,
            "lease_until": None,
            "idempotency_key": self.idempotency_key,
            "body_hash": self.body_hash,
            "unacked_fingerprint": self.unacknowledged.fingerprint if self.unacknowledged else None,
            "request": serialization.dump_request(self.job.request),
            **serialization.job_columns(self.job, due_at=self.job.created_at),
        }


async def _orphans(connection: AsyncConnection, writes: Sequence[Insert]) -> dict[str, list[Job]]:
    """By fingerprint, the jobs of identical creates whose answers never left."""
    asked = {write.unacknowledged.fingerprint for write in writes if write.unacknowledged}
    if not asked:
        return {}
    query = select(jobs.c.unacked_fingerprint, jobs.c.request, jobs.c.state_json).where(
        jobs.c.unacked_fingerprint.in_(asked)
    )
    found: dict[str, list[Job]] = {}
    for row in await connection.execute(query.order_by(jobs.c.id)):
        found.setdefault(row.unacked_fingerprint, []).append(serialization.load_job(row.request, row.state_json))
    return found


@dataclass(frozen=True, slots=True)
class AcknowledgeCreates:
    """The clients of these jobs have their answer."""

    job_ids: tuple[str, ...]

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["AcknowledgeCreates"], /) -> list[None]:
        ids = [job_id for write in writes for job_id in write.job_ids]
        await connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(unacked_fingerprint=None))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class OrderState:
    """How the newest order of a job stands."""

    state: str
    key: str
    at: float


_UPDATE = (
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"))
    .values(
        {name: bindparam(name) for name in ("state", "is_open", "version", "due_at", "cancel_requested", "state_json")}
    )
)
_UPDATE_AND_RELEASE = _UPDATE.values(worker=None, lease_until=None)


@dataclass(frozen=True, slots=True)
class ApplyTransition:
    """Replace a job, if it has not moved on since and, with a fence, if the claim still stands.

    Where the move reserves more, the key's budget must reach for it. `job` is the job after the move; its version is
    one more than that of the job it replaces.
    """

    job: Job
    due_at: float
    fence: int | None = None
    release: bool = False
    order: OrderState | None = None
    deliveries: tuple[Delivery, ...] = ()
    ledger_change: LedgerChange | None = None

    @classmethod
    async def apply(
        cls, connection: AsyncConnection, writes: Sequence["ApplyTransition"], /
    ) -> list[Job | FramegateError]:
        ids = [write.job.id for write in writes]
        query = select(jobs.c.id, jobs.c.version, jobs.c.fence).where(jobs.c.id.in_(ids)).with_for_update()
        stands = {row.id: (row.version, row.fence) for row in await connection.execute(query)}
        purses = await BudgetReservations.of(
            connection,
            [write.ledger_change for write in writes if write.ledger_change and write.ledger_change.replaces_job_id],
        )
        answers: list[Job | FramegateError] = []
        good: list[ApplyTransition] = []
        for write in writes:
            version, fence = stands.get(write.job.id, (0, 0))
            if version != write.job.version - 1 or write.fence not in (None, fence):
                answers.append(Stale() if version else NotFound("There is no such job."))
                continue
            if (
                write.ledger_change
                and write.ledger_change.replaces_job_id
                and (refused := purses.reserve(write.ledger_change))
            ):
                answers.append(refused)
                continue
            stands[write.job.id] = (write.job.version, fence)
            good.append(write)
            answers.append(write.job)
        for statement, release in ((_UPDATE, False), (_UPDATE_AND_RELEASE, True)):
            rows = [
                {"job_id": write.job.id, **serialization.job_columns(write.job, due_at=write.due_at)}
                for write in good
                if write.release is release
            ]
            if rows:
                await connection.execute(statement, rows)
        if good:
            await connection.execute(insert(events), [serialization.event_columns(write.job) for write in good])
        await _write_orders(connection, [write for write in good if write.order])
        await insert_delivery(connection, [delivery for write in good for delivery in write.deliveries])
        await ledger.change(connection, [write.ledger_change for write in good if write.ledger_change])
        return answers


async def _write_orders(connection: AsyncConnection, moves: Sequence[ApplyTransition]) -> None:
    sending = [move for move in moves if move.order and move.order.state == "sending"]
    ended = [move for move in moves if move.order and move.order.state != "sending"]
    if sending:
        rows = [
            {
                "job_id": move.job.id,
                "attempt": move.job.attempts,
                "fence": move.fence,
                "provider": move.job.provider,
                "account": move.job.account,
                "key": move.order.key,
                "state": move.order.state,
                "at": move.order.at,
            }
            for move in sending
            if move.order
        ]
        await connection.execute(insert(orders), rows)
    if ended:
        statement = (
            update(orders)
            .where(orders.c.job_id == bindparam("b_job"), orders.c.attempt == bindparam("b_attempt"))
            .values(state=bindparam("b_state"))
        )
        rows = [
            {"b_job": move.job.id, "b_attempt": move.job.attempts, "b_state": move.order.state}
            for move in ended
            if move.order
        ]
        await connection.execute(statement, rows)


@dataclass(frozen=True, slots=True)
class Claim:
    """Take the jobs that are due and that nobody holds, cancellations first; nobody else gets them before `until`."""

    worker: str
    now: float
    until: float
    limit: int

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Claim"], /) -> list[list[ClaimedJob]]:
        return [await claim._take(connection) for claim in writes]  # noqa: SLF001 - its own

    async def _take(self, connection: AsyncConnection) -> list[ClaimedJob]:
        query = (
            select(jobs.c.id, jobs.c.fence, jobs.c.request, jobs.c.state_json)
            .where(jobs.c.is_open, jobs.c.due_at <= self.now)
            .where(or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < self.now))
            .order_by(jobs.c.cancel_requested.desc(), jobs.c.due_at)
            .limit(self.limit)
            .with_for_update(skip_locked=True)
        )
        rows = (await connection.execute(query)).all()
        if rows:
            statement = (
                update(jobs)
                .where(jobs.c.id.in_([row.id for row in rows]))
                .values(worker=self.worker, fence=jobs.c.fence + 1, lease_until=self.until)
            )
            await connection.execute(statement)
        return [ClaimedJob(serialization.load_job(row.request, row.state_json), row.fence + 1) for row in rows]


@dataclass(frozen=True, slots=True)
class Release:
    """Let a held job go until it is due again; at once if it was changed meanwhile, by a cancellation say."""

    job: Job
    fence: int
    due_at: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Release"], /) -> list[None]:
        unchanged = jobs.c.version == bindparam("b_version")
        due_at: BindParameter[float] = bindparam("b_due")
        statement = (
            update(jobs)
            .where(and_(jobs.c.id == bindparam("b_job"), jobs.c.fence == bindparam("b_fence")))
            .values(worker=None, lease_until=None, due_at=case((unchanged, due_at), else_=jobs.c.due_at))
        )
        rows = [
            {"b_job": write.job.id, "b_version": write.job.version, "b_fence": write.fence, "b_due": write.due_at}
            for write in writes
        ]
        await connection.execute(statement, rows)
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class MakeDue:
    """Make a job due that nobody holds."""

    job_id: str
    now: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["MakeDue"], /) -> list[None]:
        for write in writes:
            waits = and_(jobs.c.id == write.job_id, jobs.c.is_open, jobs.c.worker.is_(None), jobs.c.due_at > write.now)
            await connection.execute(update(jobs).where(waits).values(due_at=write.now))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class Extend:
    """Keep these jobs of a worker until a later time; with no time, let them go."""

    worker: str | None  # None: every worker
    until: float | None
    job_ids: tuple[str, ...] | None = None  # None: all that it holds

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Extend"], /) -> list[None]:
        for write in writes:
            statement = update(jobs).where(jobs.c.is_open, jobs.c.worker.is_not(None))
            if write.worker is not None:
                statement = statement.where(jobs.c.worker == write.worker)
            if write.job_ids is not None:
                statement = statement.where(jobs.c.id.in_(write.job_ids))
            values: dict[str, Any] = {"lease_until": write.until}
            if write.until is None:
                # A job with an open order is due at once, so that the next worker counts it before it submits others.
                is_ordered = jobs.c.state.in_([State.SUBMITTING, State.RUNNING])
                values |= {"worker": None, "due_at": case((is_ordered, 0.0), else_=jobs.c.due_at)}
            await connection.execute(statement.values(values))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget a job that has ended, with its events, orders and webhooks."""

    job_id: str

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Delete"], /) -> list[None]:
        await connection.execute(delete(jobs).where(jobs.c.id.in_([write.job_id for write in writes])))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class KeepAsset:
    """Remember that an owner uploaded a file."""

    owner: str
    blob: Blob
    now: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["KeepAsset"], /) -> list[None]:
        for write in writes:
            same = and_(assets.c.owner == write.owner, assets.c.sha256 == write.blob.sha256)
            if (await connection.execute(select(assets.c.sha256).where(same))).first() is None:
                row = {
                    "media_type": write.blob.media_type,
                    "size_bytes": write.blob.size_bytes,
                    "created_at": write.now,
                }
                await connection.execute(insert(assets).values(owner=write.owner, sha256=write.blob.sha256, **row))
        return [None] * len(writes)


def next_version(job: Job, at: float, **changes: Any) -> Job:  # noqa: ANN401 - a job's own fields
    """The job after a move: changed, one version on."""
    return replace(job, **changes, version=job.version + 1, updated_at=at)
