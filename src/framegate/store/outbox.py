"""Transactional outbox: webhooks are written with the change of their job, claimed in order, and logged by attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import Attempt, Delivery, DeliveryState
from framegate.domain.errors import FramegateError, NotFound, Stale
from framegate.store import serialization
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.reader import Reader
from framegate.store.serialization import DELIVERY_FIELDS
from framegate.store.tables import deliveries, delivery_attempts

ID_CHARS_MAX = 64  # in a message
_COLUMNS = tuple(deliveries.c[name] for name in DELIVERY_FIELDS)


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that a dispatcher claimed; `fence` distinguishes the claim from every earlier one."""

    delivery: Delivery
    fence: int
    host: str


async def insert_deliveries(connection: AsyncConnection, created: Sequence[Delivery]) -> None:
    """Write deliveries in the transaction of the changes that caused them."""
    if created:
        await connection.execute(insert(deliveries), [serialization.delivery_columns(delivery) for delivery in created])


_earlier = deliveries.alias("earlier")
# A delivery waits for the earlier ones of its job to the same URL.
_IS_NEXT = ~exists().where(
    _earlier.c.job_id == deliveries.c.job_id,
    _earlier.c.url == deliveries.c.url,
    _earlier.c.state == DeliveryState.WAITING.value,
    tuple_(_earlier.c.seq, _earlier.c.id) < tuple_(deliveries.c.seq, deliveries.c.id),
)


def _due(query: Select[Any], now: float, busy_hosts: Sequence[str]) -> Select[Any]:
    is_free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until < now)
    due = query.where(deliveries.c.state == DeliveryState.WAITING.value, deliveries.c.due_at <= now, is_free)
    return due.where(_IS_NEXT, deliveries.c.host.not_in(busy_hosts)) if busy_hosts else due.where(_IS_NEXT)


@dataclass(frozen=True, slots=True)
class ClaimDeliveries:
    """Claim the deliveries that are due and next in order, until `until`."""

    worker: str
    now: float
    until: float
    limit: int
    busy_hosts: tuple[str, ...]

    @classmethod
    async def apply(
        cls, connection: AsyncConnection, writes: Sequence["ClaimDeliveries"], /
    ) -> list[list[ClaimedDelivery]]:
        return [await write._claim(connection) for write in writes]  # noqa: SLF001 - its own

    async def _claim(self, connection: AsyncConnection) -> list[ClaimedDelivery]:
        query = _due(select(*_COLUMNS, deliveries.c.fence, deliveries.c.host), self.now, self.busy_hosts)
        query = query.order_by(deliveries.c.due_at).limit(self.limit).with_for_update(skip_locked=True, of=deliveries)
        rows = (await connection.execute(query)).mappings().all()
        if rows:
            statement = (
                update(deliveries)
                .where(deliveries.c.id.in_([row["id"] for row in rows]))
                .values(worker=self.worker, fence=deliveries.c.fence + 1, lease_until=self.until)
            )
            await connection.execute(statement)
        return [ClaimedDelivery(serialization.load_delivery(row), row["fence"] + 1, row["host"]) for row in rows]


@dataclass(frozen=True, slots=True)
class RecordAttempt:
    """Record an attempt and the new state of its delivery; `Stale` if another process has claimed it."""

    delivery_id: str
    fence: int
    attempt: Attempt
    state: DeliveryState
    due_at: float

    @classmethod
    async def apply(
        cls, connection: AsyncConnection, writes: Sequence["RecordAttempt"], /
    ) -> list[FramegateError | None]:
        return [await write._record(connection) for write in writes]  # noqa: SLF001 - its own

    async def _record(self, connection: AsyncConnection) -> FramegateError | None:
        statement = (
            update(deliveries)
            .where(deliveries.c.id == self.delivery_id, deliveries.c.fence == self.fence)
            .values(
                state=self.state.value,
                attempts=self.attempt.number,
                due_at=self.due_at,
                worker=None,
                lease_until=None,
            )
        )
        if (await connection.execute(statement)).rowcount == 0:
            return Stale()
        columns = serialization.attempt_columns(self.delivery_id, self.attempt)
        await connection.execute(insert(delivery_attempts).values(columns))
        return None


@dataclass(frozen=True, slots=True)
class Replay:
    """Make a delivery due, with its whole schedule again if it has ended; one in progress continues."""

    job_id: str
    delivery_id: str
    now: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Replay"], /) -> list[FramegateError | None]:
        results: list[FramegateError | None] = []
        for write in writes:
            same = and_(deliveries.c.id == write.delivery_id, deliveries.c.job_id == write.job_id)
            has_ended = deliveries.c.state != DeliveryState.WAITING.value
            values: dict[str, Any] = {"state": DeliveryState.WAITING.value, "attempts_at_replay": deliveries.c.attempts}
            await connection.execute(update(deliveries).where(same, has_ended).values(values))
            updated = await connection.execute(update(deliveries).where(same).values(due_at=write.now))
            error = NotFound(f"Webhook not found: {write.delivery_id[:ID_CHARS_MAX]!r}.")
            results.append(None if updated.rowcount else error)
        return results


@dataclass(frozen=True, slots=True)
class ReleaseDeliveries:
    """Release all deliveries of a dispatcher; of every dispatcher if none is named."""

    worker: str | None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["ReleaseDeliveries"], /) -> list[None]:
        for write in writes:
            statement = update(deliveries).where(deliveries.c.worker.is_not(None))
            if write.worker is not None:
                statement = statement.where(deliveries.c.worker == write.worker)
            await connection.execute(statement.values(worker=None, lease_until=None))
        return [None] * len(writes)


class Outbox:
    """The webhooks of a store. Every change is committed before its call returns."""

    def __init__(self, writer: GroupCommitWriter, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def claim(
        self, worker: str, *, now: float, until: float, limit: int, busy_hosts: Sequence[str] = ()
    ) -> list[ClaimedDelivery]:
        """Claim up to `limit` due deliveries until `until`, none of them to a busy host."""
        if await self._reader.first(_due(select(deliveries.c.id), now, busy_hosts).limit(1)) is None:
            return []
        return await self._writer.apply(ClaimDeliveries(worker, now, until, limit, tuple(busy_hosts)))

    async def record(self, claim: ClaimedDelivery, attempt: Attempt, *, state: DeliveryState, due_at: float) -> None:
        """Record an attempt. Raises `Stale` if another process has claimed the delivery."""
        await self._writer.apply(RecordAttempt(claim.delivery.id, claim.fence, attempt, state, due_at))

    async def replay(self, job_id: str, delivery_id: str, *, now: float) -> None:
        """Send a webhook again. Raises `NotFound`."""
        await self._writer.apply(Replay(job_id, delivery_id, now))

    async def release_all(self, worker: str | None = None) -> None:
        """Release all deliveries of a dispatcher; of every dispatcher, for the sole owner of a store."""
        await self._writer.apply(ReleaseDeliveries(worker))

    async def of_job(self, job_id: str) -> tuple[Delivery, ...]:
        """Return a job's deliveries in order, each with its attempts."""
        query = select(*_COLUMNS).where(deliveries.c.job_id == job_id).order_by(deliveries.c.seq, deliveries.c.id)
        rows = await self._reader.all(query)
        logs: dict[str, list[Attempt]] = {row["id"]: [] for row in rows}
        attempts = select(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(logs))
        for row in await self._reader.all(attempts.order_by(delivery_attempts.c.number)) if logs else ():
            logs[row["delivery_id"]].append(serialization.load_attempt(row))
        return tuple(serialization.load_delivery(row, logs[row["id"]]) for row in rows)

    async def next_due(self) -> float | None:
        """When the next unclaimed delivery is due."""
        waiting = and_(deliveries.c.state == DeliveryState.WAITING.value, deliveries.c.worker.is_(None))
        query = select(func.min(deliveries.c.due_at).label("due_at")).where(waiting, _IS_NEXT)
        row = await self._reader.first(query)
        return row["due_at"] if row else None
