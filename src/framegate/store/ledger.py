"""Ledger of a store: entries are written with the changes of their jobs, and checked there against the budgets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, bindparam, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import BudgetPeriod
from framegate.domain.errors import BudgetExceeded, Conflict, FramegateError, NotFound
from framegate.domain.ledger import Budget, Entry, EntryState, LedgerChange
from framegate.store import serialization
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.reader import Reader
from framegate.store.tables import keys, ledger

By = Literal["key", "model", "provider", "day"]
FIRST_DAY, LAST_DAY = "0000-01-01", "9999-12-31"
GROUP_COLUMNS = {"key": ledger.c.key_id, "model": ledger.c.model, "provider": ledger.c.provider, "day": ledger.c.day}
ID_CHARS_MAX = 64  # in a message

_Span = tuple[str, str]  # a key, and the days that share its budget


class BudgetReservations:
    """Remaining budgets of the affected keys, with their rows locked for this transaction."""

    def __init__(self, budgets: dict[str, Budget], counted: dict[_Span, int], replaced: dict[str, Entry]) -> None:
        self._budgets = budgets
        self._counted = counted
        self._replaced = replaced

    @classmethod
    async def lock(cls, connection: AsyncConnection, changes: Sequence[LedgerChange]) -> "BudgetReservations":
        """Lock the keys until the end of the transaction, then sum up what counts against their budgets."""
        ids = sorted({change.entry.key_id for change in changes if change.entry.key_id})
        if not ids:
            return cls({}, {}, {})
        columns = (keys.c.id, keys.c.budget_micro_usd, keys.c.budget_period)
        query = select(*columns).where(keys.c.id.in_(ids), keys.c.budget_micro_usd.is_not(None))
        rows = await connection.execute(query.order_by(keys.c.id).with_for_update())
        budgets = {row.id: Budget(micro_usd=row[1], period=BudgetPeriod(row[2])) for row in rows}
        spans = {
            (key_id, budgets[key_id].span(change.entry.day))
            for change in changes
            if (key_id := change.entry.key_id or "") in budgets
        }
        counted = {span: await _counted(connection, *span) for span in sorted(spans)}
        replaced_ids = [change.replaces_job_id for change in changes if change.replaces_job_id] if budgets else []
        entries = (await entries_of(connection, replaced_ids)).items()
        unsettled = (EntryState.RESERVED, EntryState.HELD)  # an entry settled meanwhile continues to count
        return cls(budgets, counted, {job_id: entry for job_id, entry in entries if entry.state in unsettled})

    def reserve(self, change: LedgerChange) -> BudgetExceeded | None:
        """Reserve the estimate of a job; return the error if the budget does not cover it."""
        entry, replaced = change.entry, self._replaced.get(change.replaces_job_id or "")
        key_id = entry.key_id or ""
        if key_id not in self._budgets:
            return None
        budget = self._budgets[key_id]
        span = (key_id, budget.span(entry.day))
        counted = self._counted[span]
        if replaced is not None and (replaced.key_id, budget.span(replaced.day)) == span:
            counted -= replaced.counted_micro_usd
            if entry.reserved_micro_usd is not None and entry.counted_micro_usd <= replaced.counted_micro_usd:
                budget = replace(budget, micro_usd=max(budget.micro_usd, counted + replaced.counted_micro_usd))
        exceeded = budget.check(entry, counted_micro_usd=counted, allow_unpriced=change.allow_unpriced)
        if exceeded is None:
            self._counted[span] = counted + entry.counted_micro_usd
            self._replaced.pop(change.replaces_job_id or "", None)
        return exceeded


async def _counted(connection: AsyncConnection, key_id: str, span: str) -> int:
    return int((await connection.execute(_sum_of_span(key_id, span))).scalar_one())


def _sum_of_span(key_id: str, span: str) -> Select[int]:
    query = select(func.coalesce(func.sum(_COUNTED), 0).label("counted")).where(ledger.c.key_id == key_id)
    if span:  # a range of days, not a prefix: SQLite uses the index for it
        first, last = span + FIRST_DAY[len(span) :], span + LAST_DAY[len(span) :]
        query = query.where(ledger.c.day.between(first, last))
    return query


_COUNTED: ColumnElement[int] = case(
    (ledger.c.state == EntryState.SETTLED.value, func.coalesce(ledger.c.settled_micro_usd, 0)),
    (ledger.c.state == EntryState.VOID.value, 0),
    else_=func.coalesce(ledger.c.reserved_micro_usd, 0),
)


async def insert_entries(connection: AsyncConnection, changes: Sequence[LedgerChange]) -> None:
    """Write the entries of new jobs."""
    if changes:
        await connection.execute(insert(ledger), [serialization.entry_columns(change.entry) for change in changes])


async def release_reservations(connection: AsyncConnection, changes: Sequence[LedgerChange]) -> None:
    """Void the held entries of the unsure jobs that new jobs replace."""
    same = (ledger.c.job_id == bindparam("b_job"), ledger.c.owner == bindparam("b_owner"))
    statement = update(ledger).where(*same, ledger.c.state == EntryState.HELD.value)
    rows = [{"b_job": change.replaces_job_id, "b_owner": change.entry.owner} for change in changes]
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
_UPDATE = (
    update(ledger)
    .where(ledger.c.job_id == bindparam("b_job"), ledger.c.state == EntryState.RESERVED.value)
    .values({name: bindparam(name) for name in _CHANGING})
)


async def update_entries(connection: AsyncConnection, changes: Sequence[LedgerChange]) -> None:
    """Update reserved entries after a change of their jobs; settled, void and held entries stay as they are."""
    rows = [serialization.entry_columns(change.entry) for change in changes]
    if rows:
        values = [{"b_job": row["job_id"], **{name: row[name] for name in _CHANGING}} for row in rows]
        await connection.execute(_UPDATE, values)


async def entries_of(connection: AsyncConnection, job_ids: Iterable[str]) -> dict[str, Entry]:
    """Return the entries of jobs, by job id."""
    ids = list(job_ids)
    if not ids:
        return {}
    rows = (await connection.execute(select(ledger).where(ledger.c.job_id.in_(ids)))).mappings()
    return {row["job_id"]: serialization.load_entry(row) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Cost of one group of jobs, in millionths of a US dollar. `name` is None for jobs without a key."""

    name: str | None
    jobs: int
    settled_micro_usd: int
    unreported_micro_usd: int  # part of the settled amount: estimates, for orders whose provider reported no cost
    reserved_micro_usd: int
    held_micro_usd: int
    unpriced_jobs: int  # without a known price; they count as 0
    void_jobs: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Settle a held entry at the cost that a person found out; void it if that is 0."""

    job_id: str
    micro_usd: int

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["Resolve"], /) -> list[FramegateError | None]:
        return [await write._resolve(connection) for write in writes]  # noqa: SLF001 - its own

    async def _resolve(self, connection: AsyncConnection) -> FramegateError | None:
        settled = {"state": EntryState.SETTLED.value, "settled_micro_usd": self.micro_usd}
        values = settled if self.micro_usd else {"state": EntryState.VOID.value}
        is_held = (ledger.c.job_id == self.job_id, ledger.c.state == EntryState.HELD.value)
        updated = await connection.execute(update(ledger).where(*is_held).values(values))
        if updated.rowcount:
            return None
        entry = (await entries_of(connection, [self.job_id])).get(self.job_id)
        if entry is None:
            return NotFound(f"No ledger entry for job {self.job_id[:ID_CHARS_MAX]!r}.")
        message = f"The ledger entry of this job is {entry.state}, not held; only a held one can be settled by hand."
        return Conflict(message, code="not_held")


class LedgerQueries:
    """Queries on the ledger, and the settlement of held entries."""

    def __init__(self, writer: GroupCommitWriter, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def resolve(self, job_id: str, micro_usd: int) -> None:
        """Set the final cost of a held job; 0 voids it. Raises `NotFound`, and `Conflict` if the job is not held."""
        await self._writer.apply(Resolve(job_id, micro_usd))

    async def would_exceed(self, change: LedgerChange) -> BudgetExceeded | None:
        """Return the error if a key's budget does not cover a job at present. Reserves nothing."""
        entry = change.entry
        columns = (keys.c.budget_micro_usd, keys.c.budget_period)
        row = await self._reader.first(select(*columns).where(keys.c.id == (entry.key_id or "")))
        if row is None or row["budget_micro_usd"] is None:
            return None
        budget = Budget(micro_usd=row["budget_micro_usd"], period=BudgetPeriod(row["budget_period"]))
        total = await self._reader.first(_sum_of_span(entry.key_id or "", budget.span(entry.day)))
        return budget.check(entry, counted_micro_usd=int(total["counted"]), allow_unpriced=change.allow_unpriced)

    async def entry(self, job_id: str) -> Entry | None:
        """Return the entry of a job."""
        row = await self._reader.first(select(ledger).where(ledger.c.job_id == job_id))
        return serialization.load_entry(row) if row else None

    async def entries(self, job_ids: Sequence[str]) -> dict[str, Entry]:
        """Return the entries of jobs, by job id."""
        rows = await self._reader.all(select(ledger).where(ledger.c.job_id.in_(job_ids))) if job_ids else ()
        return {row["job_id"]: serialization.load_entry(row) for row in rows}

    async def spent(
        self, by: By, *, owner: str | None = None, since: str | None = None, until: str | None = None
    ) -> tuple[Spent, ...]:
        """Return the cost by key, model, provider or day, both days inclusive; of all tenants if `owner` is None."""
        name = GROUP_COLUMNS[by]
        query = select(name.label("name"), *_SUMS).group_by(name).order_by(name)
        for condition in (
            None if owner is None else ledger.c.owner == owner,
            None if since is None else ledger.c.day >= since,
            None if until is None else ledger.c.day <= until,
        ):
            query = query if condition is None else query.where(condition)
        return tuple(_spent(row) for row in await self._reader.all(query))


def _sum(amount: ColumnElement[Any] | int, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    term: ColumnElement[Any] = func.coalesce(amount, 0)
    for condition in conditions:
        term = case((condition, term), else_=0)
    return func.coalesce(func.sum(term), 0)


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
    amounts: dict[str, Any] = {name: int(row[name]) for name in row if name != "name"}  # PostgreSQL returns decimals
    return Spent(name=row["name"], **amounts)
