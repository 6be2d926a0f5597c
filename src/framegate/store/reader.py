"""Reads of a store, as rows by column name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncEngine

from framegate.store.engine import FAILURES, is_outage, outage_reason, unavailable
from framegate.telemetry.outage import OutageLog


class Reader:
    """Runs queries outside the writer's transactions. Raises `Unavailable`."""

    def __init__(self, engine: AsyncEngine, *, outage: OutageLog) -> None:
        self._engine = engine
        self._outage = outage

    async def first(self, query: Executable) -> Any:  # noqa: ANN401 - a row of any columns
        rows = await self.all(query)
        return rows[0] if rows else None

    async def all(self, query: Executable) -> Sequence[Any]:
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).mappings().all()
        except FAILURES as error:
            if is_outage(error):
                self._outage.failed(outage_reason(error), use="read")
            raise unavailable(error, "read") from error
        self._outage.worked(use="read")
        return rows
