"""Virtual machine for tests: time jumps to the next timer, blocking calls run on the event loop, entropy is seeded.

A test that waits an hour takes milliseconds, and its time does not depend on how busy the computer is. Sockets are
real. While one is connected, time jumps only after the network was silent for `patience_seconds` of real time.
"""

import asyncio
import random
import selectors
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio.to_thread
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi
from sqlalchemy.engine.interfaces import AdaptedConnection
from sqlalchemy.util import await_only

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
        return VirtualLoop(self)

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

    def connect(self, dbapi: Any, *given: Any, **options: Any) -> "InlineConnection":
        """Return a connection to SQLite; every one of its calls goes through `around_sql`."""
        return InlineConnection(dbapi, sqlite3.connect(*given, **options), self)

    async def around_sql(self, sql: str, call: Callable[[], T]) -> T:
        """Make a call of the database driver."""
        await asyncio.sleep(0)
        return call()

    async def around_thread(self, call: Callable[[], T]) -> T:
        """Make a call for which a real machine uses a thread."""
        await asyncio.sleep(0)
        return call()


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, machine: VirtualMachine, selector: "JumpingSelector | None" = None) -> None:
        super().__init__(selector or JumpingSelector(machine))
        self.machine = machine

    def time(self) -> float:
        return self.machine.seconds

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):  # noqa: A002 - asyncio's names
        return socket.getaddrinfo(host, port, family, type, proto, flags)


class JumpingSelector(selectors.DefaultSelector):
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


class InlineConnection(AdaptedConnection):
    """SQLite connection on the loop: SQLAlchemy's asyncio engine without a thread, and without the driver's futures."""

    __slots__ = ("_machine", "_sqlite", "dbapi")

    def __init__(self, dbapi: Any, connection: sqlite3.Connection, machine: VirtualMachine) -> None:
        self.dbapi, self._sqlite, self._machine = dbapi, connection, machine

    @property
    def isolation_level(self) -> str | None:
        return self._sqlite.isolation_level

    @isolation_level.setter
    def isolation_level(self, value: str | None) -> None:
        self._sqlite.isolation_level = value  # pyright: ignore[reportAttributeAccessIssue]

    def cursor(self) -> "InlineCursor":
        return InlineCursor(self._sqlite.cursor(), self._machine)

    def create_function(self, *arguments: Any, **options: Any) -> None:
        self._sqlite.create_function(*arguments, **options)

    def commit(self) -> None:
        await_only(self._machine.around_sql("COMMIT", self._sqlite.commit))

    def rollback(self) -> None:
        self._sqlite.rollback()

    def close(self) -> None:
        self._sqlite.close()

    terminate = close


class InlineCursor:
    """Cursor of an `InlineConnection`: each statement is one hop of the loop."""

    __slots__ = ("_cursor", "_machine")

    def __init__(self, cursor: sqlite3.Cursor, machine: VirtualMachine) -> None:
        self._cursor, self._machine = cursor, machine

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        return await_only(self._machine.around_sql(sql, lambda: self._cursor.execute(sql, parameters)))

    def executemany(self, sql: str, rows: Any) -> Any:
        return await_only(self._machine.around_sql(sql, lambda: self._cursor.executemany(sql, rows)))

    async def _async_soft_close(self) -> None:
        """Keep the cursor: its rows are read without waiting."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@contextmanager
def blocking_calls_on_the_loop() -> Iterator[None]:
    """Have a virtual loop itself make the calls for which a real one uses threads."""
    real_connect, real_run_sync = AsyncAdapt_aiosqlite_dbapi.connect, anyio.to_thread.run_sync

    def connect(self: Any, *given: Any, **options: Any) -> Any:
        loop = _virtual_loop()
        return real_connect(self, *given, **options) if loop is None else loop.machine.connect(self, *given, **options)

    async def run_sync(function: Callable[..., T], *arguments: object, **options: Any) -> T:
        loop = _virtual_loop()
        if loop is None:
            return await real_run_sync(function, *arguments, **options)
        return await loop.machine.around_thread(lambda: function(*arguments))

    AsyncAdapt_aiosqlite_dbapi.connect, anyio.to_thread.run_sync = connect, run_sync
    try:
        yield
    finally:
        AsyncAdapt_aiosqlite_dbapi.connect, anyio.to_thread.run_sync = real_connect, real_run_sync


def _virtual_loop() -> "VirtualLoop | None":
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop if isinstance(loop, VirtualLoop) else None
