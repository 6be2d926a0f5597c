"""Group commit: the writes that arrive during a commit share the next transaction."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from framegate.domain.errors import FramegateError, NotWritable, Unavailable
from framegate.store.engine import is_conflict, is_outage, outage_reason, unavailable
from framegate.telemetry.outage import OutageLog

_log = logging.getLogger(__name__)


class Write(Protocol):
    """A write. The writes of one class in a group are applied together."""

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence[Any], /) -> Sequence[Any]:
        """Apply the writes; return for each its result, or the `FramegateError` with which it alone fails."""
        ...


@dataclass(slots=True)
class _PendingWrite:
    write: Write
    result: "asyncio.Future[Any]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupCommitWriter:
    """The one writer of a store: accepts writes from many tasks and commits them in groups of at most `group_max`."""

    def __init__(self, engine: AsyncEngine, *, group_max: int, outage: OutageLog) -> None:
        self._engine = engine
        self._outage = outage
        self._group_max = group_max
        self._pending: list[_PendingWrite] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="framegate-writer")

    async def stop(self) -> None:
        """Commit the pending writes, then end."""
        task, self._task = self._task, None
        if task is not None:
            self._wake.set()
            await task

    async def apply(self, write: Write) -> Any:  # noqa: ANN401 - each write has its own result
        """Apply a write; return its result once it is durable. Raises the write's own error, or `Unavailable`."""
        if self._task is None:
            raise Unavailable("The store is closed.")
        pending = _PendingWrite(write)
        pending.result.add_done_callback(_retrieve)  # its caller may have gone
        self._pending.append(pending)
        self._wake.set()
        # A cancelled caller does not revoke its write, which may be durable already.
        return await asyncio.shield(pending.result)

    async def _run(self) -> None:
        while self._pending or self._task is not None:
            await self._wake.wait()
            await asyncio.sleep(0)  # the other ready tasks of this loop iteration join the group
            group, self._pending = self._pending[: self._group_max], self._pending[self._group_max :]
            if not self._pending and self._task is not None:
                self._wake.clear()
            if group:
                await self._commit(group)

    async def _commit(self, group: list[_PendingWrite]) -> None:
        try:
            async with self._engine.begin() as connection:
                results: list[Any] = await _apply(connection, group)
            self._outage.worked(use="write")
        except Exception as error:  # noqa: BLE001 - top level of the writer's task: every caller gets an answer
            outage = is_outage(error)
            # If one write fails with an error, apply each alone, so that only that one fails. Not after an outage: the
            # group may be durable all the same.
            if len(group) > 1 and not outage:
                for pending in group:
                    await self._commit([pending])
                return
            if outage:
                self._outage.failed(outage_reason(error), use="write")
                results = [unavailable(error, "written") for _ in group]
            elif is_conflict(error):
                results = [unavailable(error, "written")]
            else:
                _log.exception("Write failed: %s", type(group[0].write).__name__)
                results = [NotWritable()]
        for pending, result in zip(group, results, strict=True):
            if pending.result.done():
                continue
            if isinstance(result, FramegateError):
                pending.result.set_exception(result)
            else:
                pending.result.set_result(result)


def _retrieve(result: "asyncio.Future[Any]") -> None:
    if not result.cancelled():
        result.exception()


async def _apply(connection: AsyncConnection, group: list[_PendingWrite]) -> list[Any]:
    """Apply the writes class by class: dependent writes never share a group, since their callers await each."""
    results: dict[int, Any] = {}
    by_class: dict[type[Write], list[int]] = {}
    for index, pending in enumerate(group):
        by_class.setdefault(type(pending.write), []).append(index)
    for write_class, indices in by_class.items():
        class_results = await write_class.apply(connection, [group[index].write for index in indices])
        results.update(zip(indices, class_results, strict=True))
    return [results[index] for index in range(len(group))]
