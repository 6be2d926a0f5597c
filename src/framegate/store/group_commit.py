"""Group commit: whatever was asked for while the last transaction was committed goes into the next one."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from framegate.domain.errors import FramegateError, Unavailable

_log = logging.getLogger(__name__)


class Write(Protocol):
    """Something to be written. Writes of one class that stand together in a group are done at once."""

    @classmethod
    async def apply(cls, connection: AsyncConnection, writes: Sequence[Any], /) -> Sequence[Any]:
        """Do the writes; return for each its result, or the `FramegateError` that it alone ends with."""
        ...


@dataclass(slots=True)
class _Asked:
    write: Write
    answer: "asyncio.Future[Any]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupCommitWriter:
    """The one writer of a store: takes writes from many tasks and commits them in groups of at most `group_max`."""

    def __init__(self, engine: AsyncEngine, *, group_max: int) -> None:
        self._engine = engine
        self._group_max = group_max
        self._asked: list[_Asked] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="framegate-writer")

    async def stop(self) -> None:
        """Commit what was asked for, then end."""
        task, self._task = self._task, None
        if task is not None:
            self._wake.set()
            await task

    async def apply(self, write: Write) -> Any:  # noqa: ANN401 - each write has its own result
        """Have it written; return once it is durable. Raises the write's own error, or `Unavailable`."""
        if self._task is None:
            raise Unavailable("The store is closed.")
        asked = _Asked(write)
        self._asked.append(asked)
        self._wake.set()
        # A caller that gives up does not take its write back: it may be durable already.
        return await asyncio.shield(asked.answer)

    async def _run(self) -> None:
        while self._asked or self._task is not None:
            await self._wake.wait()
            await asyncio.sleep(0)  # let whoever is ready in this round of the loop join the group
            group, self._asked = self._asked[: self._group_max], self._asked[self._group_max :]
            if not self._asked and self._task is not None:
                self._wake.clear()
            if group:
                await self._commit(group)

    async def _commit(self, group: list[_Asked]) -> None:
        try:
            async with self._engine.begin() as connection:
                answers: list[Any] = await _apply(connection, group)
        except Exception as error:  # noqa: BLE001 - the top of the writer's task: nobody may wait for ever
            # One row cannot be written: find it by writing each alone, so that it fails alone.
            if len(group) > 1:
                for asked in group:
                    await self._commit([asked])
                return
            _log.exception("A write failed: %s", type(group[0].write).__name__)
            answers = [Unavailable(f"The store could not write ({type(error).__name__}).")]
        for asked, answer in zip(group, answers, strict=True):
            if asked.answer.done():
                continue
            if isinstance(answer, FramegateError):
                asked.answer.set_exception(answer)
            else:
                asked.answer.set_result(answer)


async def _apply(connection: AsyncConnection, group: list[_Asked]) -> list[Any]:
    """Writes of one class at once, in the order in which the classes came; one job's writes never share a group."""
    answers: dict[int, Any] = {}
    kinds: dict[type[Write], list[int]] = {}
    for index, asked in enumerate(group):
        kinds.setdefault(type(asked.write), []).append(index)
    for kind, indices in kinds.items():
        results = await kind.apply(connection, [group[index].write for index in indices])
        answers.update(zip(indices, results, strict=True))
    return [answers[index] for index in range(len(group))]
