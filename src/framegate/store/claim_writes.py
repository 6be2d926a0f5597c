"""Claims and leases of jobs. Each class writes many of its kind in a few statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BindParameter, and_, bindparam, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import Job, State
from framegate.store import serialization
from framegate.store.tables import jobs


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that a worker claimed; `fence` distinguishes the claim from every earlier one."""

    job: Job
    fence: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim the due jobs without a valid lease, cancellations first, until `until`."""

    worker: str
    now: float
    until: float
    limit: int

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Claim"], /) -> list[list[ClaimedJob]]:
        return [await write._claim(connection) for write in writes]  # noqa: SLF001 - its own

    async def _claim(self, connection: AsyncConnection) -> list[ClaimedJob]:
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
    """Release a claimed job until it is due again; at once if it was changed meanwhile, for example cancelled."""

    job: Job
    fence: int
    due_at: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Release"], /) -> list[None]:
        is_unchanged = jobs.c.version == bindparam("b_version")
        due_at: BindParameter[float] = bindparam("b_due")
        statement = (
            update(jobs)
            .where(and_(jobs.c.id == bindparam("b_job"), jobs.c.fence == bindparam("b_fence")))
            .values(worker=None, lease_until=None, due_at=case((is_unchanged, due_at), else_=jobs.c.due_at))
        )
        rows = [
            {"b_job": write.job.id, "b_version": write.job.version, "b_fence": write.fence, "b_due": write.due_at}
            for write in writes
        ]
        await connection.execute(statement, rows)
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class MakeDue:
    """Make an unclaimed job due."""

    job_id: str
    now: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["MakeDue"], /) -> list[None]:
        for write in writes:
            waits = and_(jobs.c.id == write.job_id, jobs.c.is_open, jobs.c.worker.is_(None), jobs.c.due_at > write.now)
            await connection.execute(update(jobs).where(waits).values(due_at=write.now))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class MakeAllDue:
    """Make every unclaimed job due."""

    now: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["MakeAllDue"], /) -> list[None]:
        for write in writes:
            waits = and_(jobs.c.is_open, jobs.c.worker.is_(None), jobs.c.due_at > write.now)
            await connection.execute(update(jobs).where(waits).values(due_at=write.now))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class ExtendLeases:
    """Extend the leases of a worker's jobs."""

    worker: str
    until: float
    job_ids: tuple[str, ...]

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["ExtendLeases"], /) -> list[None]:
        for write in writes:
            claimed = and_(jobs.c.is_open, jobs.c.worker == write.worker, jobs.c.id.in_(write.job_ids))
            await connection.execute(update(jobs).where(claimed).values(lease_until=write.until))
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class ReleaseAll:
    """Release all jobs of a worker; of every worker if none is named."""

    worker: str | None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["ReleaseAll"], /) -> list[None]:
        # A job with an open order is due at once, so that the next worker counts it before it submits others.
        is_ordered = jobs.c.state.in_([State.SUBMITTING, State.RUNNING])
        values = {"worker": None, "lease_until": None, "due_at": case((is_ordered, 0.0), else_=jobs.c.due_at)}
        for write in writes:
            claimed = jobs.c.worker.is_not(None) if write.worker is None else jobs.c.worker == write.worker
            await connection.execute(update(jobs).where(jobs.c.is_open, claimed).values(values))
        return [None] * len(writes)
