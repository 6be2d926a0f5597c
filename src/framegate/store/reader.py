"""Reads of a store, as rows by column name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncEngine

from framegate.domain.errors import Unavailable
from framegate.store.engine import FAILURES


class Reader:
    """Runs queries outside the writer's transactions. Raises `Unavailable`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def first(self, query: Executable) -> Any:  # noqa: ANN401 - a row of any columns
        rows = await self.all(query)
        return rows[0] if rows else None

    async def all(self, query: Executable) -> Sequence[Any]:
        try:
            async with self._engine.connect() as connection:
                return (await connection.execute(query)).mappings().all()
        except FAILURES as error:
            raise Unavailable(f"The database could not be read: {getattr(error, 'orig', error)}") from error
