"""Webhooks on their way: claimed in order, every try recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Select, and_, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import Attempt, Delivery, DeliveryState
from framegate.domain.errors import FramegateError, NotFound, Stale
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.reader import Reader
from framegate.store.tables import deliveries, delivery_attempts

HOST_CHARS_MAX = 255
_COLUMNS = tuple(deliveries.c[name] for name in Delivery.__dataclass_fields__ if name != "log")


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that a worker holds; `fence` tells its claim from every earlier one."""

    delivery: Delivery
    fence: int
    host: str


async def insert_delivery(connection: AsyncConnection, made: Sequence[Delivery]) -> None:
    """Write deliveries within the transaction that writes the moves which made them."""
    if made:
        await connection.execute(insert(deliveries), [_row(delivery) for delivery in made])


def _row(delivery: Delivery) -> dict[str, Any]:
    row = {column.name: getattr(delivery, column.name) for column in _COLUMNS}
    return row | {
        "state": delivery.state.value,
        "host": host_of(delivery.url),
        "fence": 0,
        "worker": None,
        "lease_until": None,
    }


def host_of(url: str) -> str:
    """The host of an address, to tell those of one receiver from those of another; empty for what is no address."""
    try:
        return (urlsplit(url).hostname or "")[:HOST_CHARS_MAX]
    except ValueError:
        return ""


def _load(row: Any, log: Sequence[Attempt] = ()) -> Delivery:  # noqa: ANN401 - a row
    columns: dict[str, Any] = {column.name: row[column.name] for column in _COLUMNS}
    columns.update(state=DeliveryState(row["state"]), log=tuple(log))
    return Delivery(**columns)


_earlier = deliveries.alias("earlier")
# An event waits until the earlier ones of its job to the same address are over.
_FIRST_IN_LINE = ~exists().where(
    _earlier.c.job_id == deliveries.c.job_id,
    _earlier.c.url == deliveries.c.url,
    _earlier.c.state == DeliveryState.WAITING.value,
    tuple_(_earlier.c.seq, _earlier.c.id) < tuple_(deliveries.c.seq, deliveries.c.id),
)


def _due(query: Select[Any], now: float, busy_hosts: Sequence[str]) -> Select[Any]:
    free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until < now)
    due = query.where(deliveries.c.state == DeliveryState.WAITING.value, deliveries.c.due_at <= now, free)
    return due.where(_FIRST_IN_LINE, deliveries.c.host.not_in(busy_hosts)) if busy_hosts else due.where(_FIRST_IN_LINE)


@dataclass(frozen=True, slots=True)
class ClaimDeliveries:
    """Take what is due and first in its line; nobody else gets it before `until`."""

    worker: str
    now: float
    until: float
    limit: int
    busy_hosts: tuple[str, ...]

    @classmethod
    async def apply(
        cls, connection: AsyncConnection, writes: Sequence["ClaimDeliveries"], /
    ) -> list[list[ClaimedDelivery]]:
        return [await claim._take(connection) for claim in writes]  # noqa: SLF001 - its own

    async def _take(self, connection: AsyncConnection) -> list[ClaimedDelivery]:
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
        return [ClaimedDelivery(_load(row), row["fence"] + 1, row["host"]) for row in rows]


@dataclass(frozen=True, slots=True)
class RecordAttempt:
    """Write down a try and where the delivery now stands. Answers `Stale` where another has taken it over."""

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
        row = {name: getattr(self.attempt, name) for name in Attempt.__dataclass_fields__}
        await connection.execute(insert(delivery_attempts).values(delivery_id=self.delivery_id, **row))
        return None


@dataclass(frozen=True, slots=True)
class Replay:
    """Have a delivery made again, at once and with its whole schedule before it; one under way goes on as it is."""

    job_id: str
    delivery_id: str
    now: float

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Replay"], /) -> list[FramegateError | None]:
        answers: list[FramegateError | None] = []
        for write in writes:
            meant = and_(deliveries.c.id == write.delivery_id, deliveries.c.job_id == write.job_id)
            over = deliveries.c.state != DeliveryState.WAITING.value
            values: dict[str, Any] = {"state": DeliveryState.WAITING.value, "attempts_at_replay": deliveries.c.attempts}
            await connection.execute(update(deliveries).where(meant, over).values(values))
            found = await connection.execute(update(deliveries).where(meant).values(due_at=write.now))
            answers.append(None if found.rowcount else NotFound(f"The job has no webhook {write.delivery_id[:64]!r}."))
        return answers


@dataclass(frozen=True, slots=True)
class ReleaseDeliveries:
    """Let go of the deliveries that a worker holds; of all, with no worker named."""

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
        """Take up to `limit` due deliveries, none to a busy host; nobody else gets them before `until`."""
        if await self._reader.first(_due(select(deliveries.c.id), now, busy_hosts).limit(1)) is None:
            return []
        return await self._writer.apply(ClaimDeliveries(worker, now, until, limit, tuple(busy_hosts)))

    async def record(self, held: ClaimedDelivery, attempt: Attempt, *, state: DeliveryState, due_at: float) -> None:
        """Write down a try. Raises `Stale` where another has taken the delivery over."""
        await self._writer.apply(RecordAttempt(held.delivery.id, held.fence, attempt, state, due_at))

    async def replay(self, job_id: str, delivery_id: str, *, now: float) -> None:
        """Have a delivery made again. Raises `NotFound`."""
        await self._writer.apply(Replay(job_id, delivery_id, now))

    async def release_all(self, worker: str | None = None) -> None:
        """Let go of all that a worker holds; of all that anybody holds, for the sole owner of a store."""
        await self._writer.apply(ReleaseDeliveries(worker))

    async def of_job(self, job_id: str) -> tuple[Delivery, ...]:
        """A job's deliveries in order, each with its tries."""
        query = select(*_COLUMNS).where(deliveries.c.job_id == job_id).order_by(deliveries.c.seq, deliveries.c.id)
        rows = await self._reader.all(query)
        logs: dict[str, list[Attempt]] = {row["id"]: [] for row in rows}
        tries = select(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(logs))
        for row in await self._reader.all(tries.order_by(delivery_attempts.c.number)) if logs else ():
            columns = dict(row)
            logs[columns.pop("delivery_id")].append(Attempt(**columns))
        return tuple(_load(row, logs[row["id"]]) for row in rows)

    async def next_due(self) -> float | None:
        """When the next delivery that nobody holds is due."""
        waiting = and_(deliveries.c.state == DeliveryState.WAITING.value, deliveries.c.worker.is_(None))
        query = select(func.min(deliveries.c.due_at).label("due_at")).where(waiting, _FIRST_IN_LINE)
        row = await self._reader.first(query)
        return row["due_at"] if row else None
