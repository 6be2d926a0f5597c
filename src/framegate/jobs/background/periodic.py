"""Periodic background tasks, and a wait that an event can end early."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from framegate.domain.errors import FramegateError
from framegate.domain.machine import Clock

_log = logging.getLogger(__name__)


class PeriodicTask:
    """Calls a coroutine function every `seconds`, from `first_seconds` after the start; a failed run is logged.

    `FramegateError` and `OSError` fail a run; any other error is a bug and ends the task.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], Awaitable[object]],
        *,
        seconds: float,
        clock: Clock,
        first_seconds: float = 0.0,
    ) -> None:
        self._name = name
        self._run = run
        self._seconds = seconds
        self._first_seconds = first_seconds
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task."""
        self._task = asyncio.create_task(self._loop(), name=f"framegate-{self._name}")

    async def stop(self) -> None:
        """Stop the task, also in the middle of a run."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_running(self) -> bool:
        """Whether the task was started and has not ended."""
        return self._task is not None and not self._task.done()

    async def _loop(self) -> None:
        if self._first_seconds:
            await self._clock.sleep(self._first_seconds)
        while True:
            try:
                await self._run()
            except (FramegateError, OSError) as error:
                _log.warning("Background task %s failed and will be retried: %s", self._name, error)
            await self._clock.sleep(self._seconds)


async def wait_for_event(event: asyncio.Event, seconds: float, *, clock: Clock) -> None:
    """Wait until the event is set, at most `seconds`."""
    tasks = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep(seconds))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
