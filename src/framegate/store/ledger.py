"""The ledger in the store: entries are written with the jobs' own moves, and judged there against the budgets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, bindparam, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import BudgetPeriod
from framegate.domain.errors import BudgetExceeded, Conflict, FramegateError, NotFound
from framegate.domain.ledger import Budget, Entry, EntryState, LedgerChange
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.reader import Reader
from framegate.store.tables import keys, ledger

By = Literal["key", "model", "provider", "day"]
FIRST, LAST = "0000-01-01", "9999-12-31"
COLUMNS = {"key": ledger.c.key_id, "model": ledger.c.model, "provider": ledger.c.provider, "day": ledger.c.day}


class BudgetReservations:
    """What is left of the budgets that some entries are held against; nobody else reserves there meanwhile."""

    def __init__(
        self, budgets: dict[str, Budget], counted: dict[tuple[str, str], int], given_up: dict[str, Entry]
    ) -> None:
        self._budgets = budgets
        self._counted = counted
        self._given_up = given_up

    @classmethod
    async def of(cls, connection: AsyncConnection, owing: Sequence[LedgerChange]) -> "BudgetReservations":
        """Lock the keys until the transaction ends, then see what counts."""
        ids = sorted({one.entry.key_id for one in owing if one.entry.key_id})
        if not ids:
            return cls({}, {}, {})
        columns = (keys.c.id, keys.c.budget_micro_usd, keys.c.budget_period)
        query = select(*columns).where(keys.c.id.in_(ids), keys.c.budget_micro_usd.is_not(None))
        rows = await connection.execute(query.order_by(keys.c.id).with_for_update())
        budgets = {row.id: Budget(micro_usd=row[1], period=BudgetPeriod(row[2])) for row in rows}
        spans = {
            (key_id, budgets[key_id].span(one.entry.day))
            for one in owing
            if (key_id := one.entry.key_id or "") in budgets
        }
        counted = {span: await _counted(connection, *span) for span in sorted(spans)}
        held = [one.replaces_job_id for one in owing if one.replaces_job_id] if budgets else []
        found = (await entries_of(connection, held)).items()
        open_ = (EntryState.RESERVED, EntryState.HELD)  # what was settled since stays, and goes on counting
        return cls(budgets, counted, {job_id: entry for job_id, entry in found if entry.state in open_})

    def reserve(self, owing: LedgerChange) -> BudgetExceeded | None:
        """Reserve, or say why not."""
        entry, before = owing.entry, self._given_up.get(owing.replaces_job_id or "")
        key_id = entry.key_id or ""
        if key_id not in self._budgets:
            return None
        budget = self._budgets[key_id]
        span = (key_id, budget.span(entry.day))
        counted = self._counted[span]
        if before is not None and (before.key_id, budget.span(before.day)) == span:
            counted -= before.counted_micro_usd
            if entry.reserved_micro_usd is not None and entry.counted_micro_usd <= before.counted_micro_usd:
                budget = replace(budget, micro_usd=max(budget.micro_usd, counted + before.counted_micro_usd))
        refused = budget.check(entry, counted_micro_usd=counted, allow_unpriced=owing.allow_unpriced)
        if refused is None:
            self._counted[span] = counted + entry.counted_micro_usd
            self._given_up.pop(owing.replaces_job_id or "", None)
        return refused


async def _counted(connection: AsyncConnection, key_id: str, span: str) -> int:
    return int((await connection.execute(_counting(key_id, span))).scalar_one())


def _counting(key_id: str, span: str) -> Select[int]:
    query = select(func.coalesce(func.sum(_COUNTED), 0).label("counted")).where(ledger.c.key_id == key_id)
    if span:  # days in a range, not by their beginning: SQLite finds those in the index
        query = query.where(ledger.c.day.between(span + FIRST[len(span) :], span + LAST[len(span) :]))
    return query


_COUNTED: ColumnElement[int] = case(
    (ledger.c.state == EntryState.SETTLED.value, func.coalesce(ledger.c.settled_micro_usd, 0)),
    (ledger.c.state == EntryState.VOID.value, 0),
    else_=func.coalesce(ledger.c.reserved_micro_usd, 0),
)


async def insert_entry(connection: AsyncConnection, owing: Sequence[LedgerChange]) -> None:
    """Make the entries of new jobs."""
    if owing:
        await connection.execute(insert(ledger), [_row(one.entry) for one in owing])


async def release_reservation(connection: AsyncConnection, owing: Sequence[LedgerChange]) -> None:
    """Make void the held entries of unsure jobs whose place these take."""
    same = (ledger.c.job_id == bindparam("b_job"), ledger.c.owner == bindparam("b_owner"))
    statement = update(ledger).where(*same, ledger.c.state == EntryState.HELD.value)
    rows = [{"b_job": one.replaces_job_id, "b_owner": one.entry.owner} for one in owing]
    if rows:
        await connection.execute(statement.values(state=EntryState.VOID.value), rows)


_CHANGING = (
    "model",
    "provider",
    "account",
    "reserved_micro_usd",
    "settled_micro_usd",
    "provider_reported",
    "state",
    "ended_at",
)
_CHANGE = (
    update(ledger)
    .where(ledger.c.job_id == bindparam("b_job"), ledger.c.state == EntryState.RESERVED.value)
    .values({name: bindparam(name) for name in _CHANGING})
)


async def change(connection: AsyncConnection, owing: Sequence[LedgerChange]) -> None:
    """Bring entries up to their jobs. One that is settled, void or held stays so: it no longer matches."""
    rows = [_row(one.entry) for one in owing]
    if rows:
        changed = [{"b_job": row["job_id"], **{name: row[name] for name in _CHANGING}} for row in rows]
        await connection.execute(_CHANGE, changed)


async def entries_of(connection: AsyncConnection, job_ids: Iterable[str]) -> dict[str, Entry]:
    """The entries of some jobs."""
    wanted = list(job_ids)
    if not wanted:
        return {}
    rows = (await connection.execute(select(ledger).where(ledger.c.job_id.in_(wanted)))).mappings()
    return {row["job_id"]: _load(row) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the jobs of one group came to, in millionths of a US dollar. `name` is None for jobs without a key."""

    name: str | None
    jobs: int
    settled_micro_usd: int
    unreported_micro_usd: int  # of what is settled: estimates, where the provider did not say
    reserved_micro_usd: int
    held_micro_usd: int
    unpriced_jobs: int  # for which nobody told a price, then or since; they count as nothing
    void_jobs: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Settle a held entry at what a person found that it cost; at nothing, make it void."""

    job_id: str
    micro_usd: int

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Resolve"], /) -> list[FramegateError | None]:
        return [await write._resolve(connection) for write in writes]  # noqa: SLF001 - its own

    async def _resolve(self, connection: AsyncConnection) -> FramegateError | None:
        found = {"state": EntryState.SETTLED.value, "settled_micro_usd": self.micro_usd}
        values = found if self.micro_usd else {"state": EntryState.VOID.value}
        held = (ledger.c.job_id == self.job_id, ledger.c.state == EntryState.HELD.value)
        done = await connection.execute(update(ledger).where(*held).values(values))
        if done.rowcount:
            return None
        entry = (await entries_of(connection, [self.job_id])).get(self.job_id)
        if entry is None:
            return NotFound(f"The ledger has no entry of a job {self.job_id[:64]!r}.")
        return Conflict(f"The job's money is {entry.state}, not held: there is nothing to find out.", code="not_held")


class LedgerQueries:
    """What the ledger tells, and what people tell it."""

    def __init__(self, writer: GroupCommitWriter, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def resolve(self, job_id: str, micro_usd: int) -> None:
        """Say what a held job cost; 0 for nothing. Raises `NotFound`, and `Conflict` where nothing is held."""
        await self._writer.apply(Resolve(job_id, micro_usd))

    async def would_exceed(self, owing: LedgerChange) -> BudgetExceeded | None:
        """Why a key's budget does not reach for a job, as things stand. Nothing is reserved."""
        entry = owing.entry
        columns = (keys.c.budget_micro_usd, keys.c.budget_period)
        row = await self._reader.first(select(*columns).where(keys.c.id == (entry.key_id or "")))
        if row is None or row["budget_micro_usd"] is None:
            return None
        budget = Budget(micro_usd=row["budget_micro_usd"], period=BudgetPeriod(row["budget_period"]))
        counted = await self._reader.first(_counting(entry.key_id or "", budget.span(entry.day)))
        return budget.check(entry, counted_micro_usd=int(counted["counted"]), allow_unpriced=owing.allow_unpriced)

    async def entry(self, job_id: str) -> Entry | None:
        """The entry of a job."""
        row = await self._reader.first(select(ledger).where(ledger.c.job_id == job_id))
        return _load(row) if row else None

    async def spent(
        self, by: By, *, owner: str | None = None, since: str | None = None, until: str | None = None
    ) -> tuple[Spent, ...]:
        """What was spent, by key, model, provider or day; both days are counted in. `owner` None: everybody's."""
        name = COLUMNS[by]
        query = select(name.label("name"), *_SUMS).group_by(name).order_by(name)
        for condition in (
            None if owner is None else ledger.c.owner == owner,
            None if since is None else ledger.c.day >= since,
            None if until is None else ledger.c.day <= until,
        ):
            query = query if condition is None else query.where(condition)
        return tuple(_spent(row) for row in await self._reader.all(query))


def _sum(amount: ColumnElement[Any] | int, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    whole = func.coalesce(amount, 0)
    picked: ColumnElement[Any] = whole
    for condition in conditions:
        picked = case((condition, picked), else_=0)
    return func.coalesce(func.sum(picked), 0)


def _in(state: EntryState) -> ColumnElement[bool]:
    return ledger.c.state == state.value


_PRICED = func.coalesce(ledger.c.settled_micro_usd, ledger.c.reserved_micro_usd)
_SUMS = (
    func.count().label("jobs"),
    _sum(ledger.c.settled_micro_usd, _in(EntryState.SETTLED)).label("settled_micro_usd"),
    _sum(ledger.c.settled_micro_usd, _in(EntryState.SETTLED), ledger.c.provider_reported.is_(False)).label(
        "unreported_micro_usd"
    ),
    _sum(ledger.c.reserved_micro_usd, _in(EntryState.RESERVED)).label("reserved_micro_usd"),
    _sum(ledger.c.reserved_micro_usd, _in(EntryState.HELD)).label("held_micro_usd"),
    _sum(1, _PRICED.is_(None), ledger.c.state != EntryState.VOID.value).label("unpriced_jobs"),
    _sum(1, _in(EntryState.VOID)).label("void_jobs"),
)


def _spent(row: Any) -> Spent:  # noqa: ANN401 - a row
    amounts: dict[str, Any] = {name: int(row[name]) for name in row if name != "name"}  # PostgreSQL sums to decimals
    return Spent(name=row["name"], **amounts)


def _row(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    return row | {"state": entry.state.value}


def _load(row: Any) -> Entry:  # noqa: ANN401 - a row
    columns: dict[str, Any] = {**row, "state": EntryState(row["state"])}
    return Entry(**columns)
