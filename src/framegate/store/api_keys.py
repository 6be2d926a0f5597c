"""API keys of a store, with the hashes of their texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from framegate.domain import BudgetPeriod, Key
from framegate.domain.errors import FramegateError, NotFound
from framegate.store import serialization
from framegate.store.group_commit import GroupCommitWriter
from framegate.store.reader import Reader
from framegate.store.tables import keys

ID_CHARS_MAX = 64  # in a message


@dataclass(frozen=True, slots=True)
class AddKey:
    """Add a key."""

    key: Key

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["AddKey"], /) -> list[None]:
        await connection.execute(insert(keys), [serialization.key_columns(write.key) for write in writes])
        return [None] * len(writes)


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """Record that a key was revoked, or used."""

    key_id: str
    revoked_at: float | None = None
    last_used_at: float | None = None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["ChangeKey"], /) -> list[FramegateError | None]:
        return [await write._change(connection) for write in writes]  # noqa: SLF001 - its own

    async def _change(self, connection: AsyncConnection) -> FramegateError | None:
        columns = {"revoked_at": self.revoked_at, "last_used_at": self.last_used_at}
        values = {name: value for name, value in columns.items() if value is not None}
        updated = await connection.execute(update(keys).where(keys.c.id == self.key_id).values(values))
        return None if updated.rowcount else _key_not_found(self.key_id)


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Set or remove the budget of a key."""

    key_id: str
    micro_usd: int | None
    period: BudgetPeriod | None

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence["SetBudget"], /) -> list[FramegateError | None]:
        results: list[FramegateError | None] = []
        for write in writes:
            values = {"budget_micro_usd": write.micro_usd, "budget_period": write.period and write.period.value}
            updated = await connection.execute(update(keys).where(keys.c.id == write.key_id).values(values))
            results.append(None if updated.rowcount else _key_not_found(write.key_id))
        return results


def _key_not_found(key_id: str) -> NotFound:
    return NotFound(f"Key not found: {key_id[:ID_CHARS_MAX]!r}.")


class ApiKeyStore:
    """The API keys of a store. Rows are never deleted: a revoked key stays on record."""

    def __init__(self, writer: GroupCommitWriter, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def add(self, key: Key) -> None:
        """Add a key."""
        await self._writer.apply(AddKey(key))

    async def get(self, key_id: str) -> Key | None:
        row = await self._reader.first(select(keys).where(keys.c.id == key_id))
        return serialization.load_key(row) if row else None

    async def list(self) -> tuple[Key, ...]:
        """Return every key, oldest first."""
        query = select(keys).order_by(keys.c.created_at, keys.c.id)
        return tuple(serialization.load_key(row) for row in await self._reader.all(query))

    async def any(self) -> bool:
        """Whether a key was ever created, also if it has been revoked or has expired."""
        return await self._reader.first(select(keys.c.id).limit(1)) is not None

    async def revoke(self, key_id: str, *, now: float) -> Key:
        """Revoke a key permanently; one that is revoked keeps its time. Raises `NotFound`."""
        key = await self.get(key_id)
        if key is None:
            raise _key_not_found(key_id)
        if key.revoked_at is not None:
            return key
        await self._writer.apply(ChangeKey(key_id, revoked_at=now))
        return replace(key, revoked_at=now)

    async def set_budget(self, key_id: str, micro_usd: int | None, period: BudgetPeriod | None) -> Key:
        """Set the budget of a key; None for no limit. Raises `NotFound`."""
        await self._writer.apply(SetBudget(key_id, micro_usd, period))
        key = await self.get(key_id)
        assert key is not None  # noqa: S101 - keys are never deleted
        return key

    async def used(self, key_id: str, *, now: float) -> None:
        """Record that a key was used."""
        await self._writer.apply(ChangeKey(key_id, last_used_at=now))
