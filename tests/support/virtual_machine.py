"""Virtual machine for tests: time jumps to the next timer, blocking calls run on the event loop, entropy is seeded.

A test that waits an hour takes milliseconds, and its time does not depend on how busy the computer is. Sockets are
real. While one is connected, time jumps only after the network was silent for `patience_seconds` of real time.
"""

import asyncio
import random
import selectors
import socket
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

import aiosqlite.core
import anyio.to_thread

from framegate.domain.machine import Machine

T = TypeVar("T")
PATIENCE_SECONDS = 0.02
STUCK_SECONDS = 20.0  # of real time without a timer or an event


class Deadlock(Exception):
    """Every task waits, and neither a timer nor the network wakes one."""


class VirtualMachine(Machine):
    """One machine per test: its clock, its random numbers and its event loop."""

    def __init__(self, *, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._ids = 0
        self._set_forward = 0.0
        self.seconds = 1000.0  # since the machine was switched on
        self._switched_on_at = float(int(time.time())) - self.seconds  # today: file times are those of the computer
        self.patience_seconds = PATIENCE_SECONDS

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop on this machine's time."""
        return _VirtualLoop(self)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on this machine's time."""
        with blocking_calls_on_the_loop(), asyncio.Runner(loop_factory=self.new_event_loop) as runner:
            return runner.run(main)

    def now(self) -> float:
        return self._switched_on_at + self.seconds + self._set_forward

    def monotonic(self) -> float:
        return self.seconds

    def set_clock_forward(self, seconds: float) -> None:
        """Change the wall clock, as when a machine wakes from sleep; negative seconds set it back."""
        self._set_forward += seconds

    def uuid7(self) -> str:
        self._ids += 1
        milliseconds, counter = int(self.now() * 1000), self._ids % 2**12
        bits = milliseconds << 80 | 7 << 76 | counter << 64 | 2 << 62 | self._random.getrandbits(62)
        return str(uuid.UUID(int=bits))

    def random_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, machine: VirtualMachine) -> None:
        super().__init__(_JumpingSelector(machine))
        self._machine = machine

    def time(self) -> float:
        return self._machine.seconds

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):  # noqa: A002 - asyncio's names
        return socket.getaddrinfo(host, port, family, type, proto, flags)


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the clock by as much as it is asked to wait."""

    def __init__(self, machine: VirtualMachine) -> None:
        super().__init__()
        self._machine = machine

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # only a thread, a child process or the network can wake the loop
            if ready := super().select(STUCK_SECONDS):
                return ready
            raise Deadlock
        is_connected = any(_is_connection(key.fd) for key in self.get_map().values())
        if is_connected and (ready := super().select(self._machine.patience_seconds)):
            return ready
        self._machine.seconds += timeout
        return []


def _is_connection(descriptor: int) -> bool:
    """Whether this is a connection to another process: not the loop's own pipe, nor a socket that listens."""
    try:
        one = socket.socket(fileno=descriptor)
    except OSError:
        return True  # a pipe of a child process
    try:
        is_network = one.family in (socket.AF_INET, socket.AF_INET6)
        return is_network and not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    finally:
        one.detach()


class _LoopQueue:
    """In place of the queue of an SQLite connection's thread: the loop makes the calls, in the same order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def put_nowait(self, call: tuple["asyncio.Future[Any] | None", Callable[[], Any]]) -> None:
        if self._loop.is_closed():
            call[1]()
        else:
            self._loop.call_soon(self._make, *call)

    def _make(self, future: "asyncio.Future[Any] | None", function: Callable[[], Any]) -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - as the thread does
            if future is not None and not future.done():
                future.set_exception(error)
        else:
            if future is not None and not future.done():
                future.set_result(result)


@contextmanager
def blocking_calls_on_the_loop() -> Iterator[None]:
    """Have a virtual loop itself make the calls for which a real one uses threads."""
    connection, real_init = aiosqlite.core.Connection, aiosqlite.core.Connection.__init__
    real_run_sync = anyio.to_thread.run_sync

    def init(self, *given, **options):
        real_init(self, *given, **options)
        if (loop := _virtual_loop()) is not None:
            self._tx, self._thread = _LoopQueue(loop), SimpleNamespace(start=lambda: None, daemon=True)

    async def run_sync(function: Callable[..., T], *arguments: object, **options: Any) -> T:
        if _virtual_loop() is None:
            return await real_run_sync(function, *arguments, **options)
        await asyncio.sleep(0)
        return function(*arguments)

    connection.__init__, anyio.to_thread.run_sync = init, run_sync
    try:
        yield
    finally:
        connection.__init__, anyio.to_thread.run_sync = real_init, real_run_sync


def _virtual_loop() -> asyncio.AbstractEventLoop | None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop if isinstance(loop, _VirtualLoop) else None
