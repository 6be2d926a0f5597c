"""The gateway under test: a process that is started, stopped, killed and started again over one data folder."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from framegate.app.parts import Parts, build_parts
from framegate.config.settings import Settings
from framegate.domain.errors import FramegateError
from framegate.media import calls
from framegate.media.decoder import INSPECT, Budget
from framegate.store import FolderLock
from simulation.machine import PROCESS, Process, SimulatedMachine
from simulation.video import is_video_of_an_order
from support.stub_renderer import StubRenderer

T = TypeVar("T")
_verifications: dict[tuple[object, ...], object] = {}


class Died(Exception):
    """The process died before it answered."""


class SimulatedExecutor:
    """File checks: real ones, once for each target; the files of all orders are alike."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine
        self.renderer = StubRenderer()

    def warm(self) -> None:
        """There is no process to start."""

    async def close(self) -> None:
        """There is no process to end."""

    def stalled(self) -> str | None:
        """Nothing waits for a process."""

    async def run(self, function: Callable[..., T], *arguments: Any, budget: Budget = INSPECT) -> T:
        return await self._machine.around_thread(lambda: self._run(function, arguments))

    def _run(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if function is not calls.verify_output or not is_video_of_an_order(arguments[0].read_bytes()):
            return function(*arguments)
        _, target, references, *_ = arguments
        key = (target, len(references))
        if key not in _verifications:
            _verifications[key] = function(*arguments)
        return cast("T", _verifications[key])


class SimulatedLock(FolderLock):
    """The lock of the data folder, which the system releases when the process dies."""

    def acquire(self) -> None:
        super().acquire()
        if process := PROCESS.get():
            process.locks.append(self)


class Gateway:
    """The process that runs, if one does."""

    def __init__(self, machine: SimulatedMachine, folder: Path, settings: dict[str, Any]) -> None:
        self.machine = machine
        self.settings = Settings.model_validate({"data_dir": folder, **settings})
        self.process: Process | None = None
        self.parts: Parts | None = None
        self.is_up = asyncio.Event()
        self.stop_errors: list[str] = []
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, fuse: int | None = None) -> bool:
        """Start a process; return whether it came up."""
        self.process = process = self.machine.new_process(fuse)
        self._stop = asyncio.Event()
        ready = asyncio.Event()
        self.machine.trace(f"start of p{process.number}")
        self._task = self._spawn(process, self._run(process, self._stop, ready))
        await _first(ready.wait(), process.died.wait())
        return process.is_alive

    def _spawn(self, process: Process, coroutine: Any) -> "asyncio.Task[Any]":
        context = contextvars.copy_context()
        context.run(PROCESS.set, process)
        return asyncio.get_running_loop().create_task(coroutine, context=context)

    async def _run(self, process: Process, stop: asyncio.Event, ready: asyncio.Event) -> None:
        try:
            async with build_parts(self.settings, self.machine, executor=SimulatedExecutor(self.machine)) as parts:
                self.parts = parts
                self.is_up.set()
                ready.set()
                await stop.wait()
                self.is_up.clear()
        except FramegateError as error:  # it exits with a message
            self.machine.trace(f"exit: {error.message}")
            if stop.is_set():
                self.stop_errors.append(f"{type(error).__name__}: {error.message}")
        self._ended(process)

    def _ended(self, process: Process) -> None:
        self.is_up.clear()
        self.machine.trace("ended")
        self.machine.release(process)
        self.machine.on_end()
        process.died.set()

    async def stop(self) -> None:
        """Stop the process in order, and wait for its end."""
        process = self.process
        if process is None or not process.is_alive or self._task is None:
            return
        self.machine.trace("orderly stop")
        self._stop.set()
        await _first(asyncio.wait({self._task}), process.died.wait())
        if self._task.done() and not self._task.cancelled() and (error := self._task.exception()):
            self.stop_errors.append(repr(error))
            self._ended(process)

    def kill(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.machine.kill(self.process)

    def begin(self, handler: Callable[[Parts], Awaitable[T]]) -> "Request[T]":
        """Begin a request of a client."""
        if self.process is None or self.parts is None or not self.process.is_alive or not self.is_up.is_set():
            raise Died
        task = self._spawn(self.process, handler(self.parts))
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # its client may have gone
        return Request(self.process, task)

    async def ask(self, handler: Callable[[Parts], Awaitable[T]]) -> T:
        """Make a request and wait for its response, whichever process gives it. Raises what the gateway raises."""
        while True:
            await self.is_up.wait()
            try:
                return await self.begin(handler).result()
            except Died:
                await asyncio.sleep(1.0)


class Request:
    """A request that a process handles."""

    def __init__(self, process: Process, task: "asyncio.Task[Any]") -> None:
        self._process, self.task = process, task

    def __class_getitem__(cls, _: object) -> type["Request"]:
        return cls

    async def result(self, *, within: float | None = None, or_at: asyncio.Event | None = None) -> Any:
        """Return what the handler returns; None once `or_at` is set.

        Raises `Died`, and `TimeoutError` while the handler goes on.
        """
        waits = [asyncio.wait({self.task}), self._process.died.wait(), *([or_at.wait()] if or_at else [])]
        async with asyncio.timeout(within):
            await _first(*waits)
        if self.task.done():
            return self.task.result()
        if or_at is not None and or_at.is_set():
            return None
        raise Died


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
