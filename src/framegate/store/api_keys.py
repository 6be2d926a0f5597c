"""The keys of a store, by their hashes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import BudgetPeriod, Key, Scope
from framegate.domain.errors import FramegateError, NotFound
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.reader import Reader
from framegate.store.tables import keys


@dataclass(frozen=True, slots=True)
class AddKey:
    """Keep a new key."""

    key: Key

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["AddKey"], /) -> list[None]:
        rows = [{name: getattr(write.key, name) for name in Key.__dataclass_fields__} for write in writes]
        await connection.execute(insert(keys), [row | {"scopes": " ".join(row["scopes"])} for row in rows])
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """Note that a key was revoked, or used."""

    key_id: str
    revoked_at: float | None = None
    last_used_at: float | None = None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["ChangeKey"], /) -> list[FramegateError | None]:
        return [await write._change(connection) for write in writes]  # noqa: SLF001 - its own

    async def _change(self, connection: AsyncConnection) -> FramegateError | None:
        values = {"revoked_at": self.revoked_at, "last_used_at": self.last_used_at}
        given = {name: value for name, value in values.items() if value is not None}
        done = await connection.execute(update(keys).where(keys.c.id == self.key_id).values(given))
        return None if done.rowcount else _no_key(self.key_id)


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Give a key another budget, or none."""

    key_id: str
    micro_usd: int | None
    period: BudgetPeriod | None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["SetBudget"], /) -> list[FramegateError | None]:
        answers: list[FramegateError | None] = []
        for write in writes:
            values = {"budget_micro_usd": write.micro_usd, "budget_period": write.period and write.period.value}
            done = await connection.execute(update(keys).where(keys.c.id == write.key_id).values(values))
            answers.append(None if done.rowcount else _no_key(write.key_id))
        return answers


def _no_key(key_id: str) -> NotFound:
    return NotFound(f"There is no key {key_id[:64]!r}.")


class ApiKeyStore:
    """The keys of a store. Rows are never deleted: a key that was revoked stays known as that."""

    def __init__(self, writer: GroupCommitWriter, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def add(self, key: Key) -> None:
        """Keep a new key."""
        await self._writer.apply(AddKey(key))

    async def get(self, key_id: str) -> Key | None:
        row = await self._reader.first(select(keys).where(keys.c.id == key_id))
        return _load(row) if row else None

    async def list(self) -> tuple[Key, ...]:
        """Every key, the oldest first."""
        return tuple(_load(row) for row in await self._reader.all(select(keys).order_by(keys.c.created_at, keys.c.id)))

    async def any(self) -> bool:
        """Whether a key was ever made, be it revoked or expired since."""
        return await self._reader.first(select(keys.c.id).limit(1)) is not None

    async def revoke(self, key_id: str, *, now: float) -> Key:
        """End a key's life; one that was revoked before stays so since then. Raises `NotFound`."""
        key = await self.get(key_id)
        if key is None:
            raise _no_key(key_id)
        if key.revoked_at is not None:
            return key
        await self._writer.apply(ChangeKey(key_id, revoked_at=now))
        return replace(key, revoked_at=now)

    async def set_budget(self, key_id: str, micro_usd: int | None, period: BudgetPeriod | None) -> Key:
        """Say what a key may spend from now on; None for no limit. Raises `NotFound`."""
        await self._writer.apply(SetBudget(key_id, micro_usd, period))
        key = await self.get(key_id)
        assert key is not None  # noqa: S101 - keys are never deleted
        return key

    async def used(self, key_id: str, *, now: float) -> None:
        """Note that a key was used."""
        await self._writer.apply(ChangeKey(key_id, last_used_at=now))


def _load(row: Any) -> Key:  # noqa: ANN401 - a row
    columns: dict[str, Any] = dict(row)
    columns.update(scopes=tuple(Scope(word) for word in row["scopes"].split()))
    if row["budget_period"] is not None:
        columns.update(budget_period=BudgetPeriod(row["budget_period"]))
    return Key(**columns)
