"""Machine of the simulation: one event loop on virtual time, on which processes of the gateway live and are killed.

Every call of the database, hop to a thread and outgoing request is a seam: a process may be killed just before or just
after it. A killed process runs no further line, not even a `finally`, while providers and clients live on.
"""

import asyncio
import hashlib
import random
import socket
import sqlite3
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

from simulation.profiles import Profile
from support.virtual_machine import Deadlock, InlineConnection, JumpingSelector, VirtualLoop, VirtualMachine

T = TypeVar("T")
SWITCHED_ON_AT = datetime(2026, 1, 1, 20, tzinfo=UTC).timestamp()  # budgets of a day see a midnight
SECONDS_MAX = 400_000.0  # virtual: no seed takes as long
TURNS_MAX = 50_000  # of the loop without a moment of time: a task that spins

PROCESS: ContextVar["Process | None"] = ContextVar("process", default=None)
_killed: list[object] = []  # tasks of killed processes: a collected one would run its `finally`


class Stuck(Exception):
    """The simulation does not end: a loop spins, or time runs out."""


class Process:
    """One process of the gateway: everything that runs in its context."""

    def __init__(self, number: int, fuse: int | None) -> None:
        self.number = number
        self.fuse = fuse  # the seam at which it is killed
        self.seams = 0
        self.is_alive = True
        self.died = asyncio.Event()
        self.connections: list[sqlite3.Connection] = []
        self.locks: list[Any] = []

    def call(self, callback: Callable[..., object], *arguments: object) -> None:
        """Run a callback of the loop, unless the process is dead."""
        if self.is_alive:
            callback(*arguments)


class SimulatedMachine(VirtualMachine):
    """The machine, and the trace of everything that happens on it."""

    def __init__(self, seed: str, profile: Profile) -> None:
        super().__init__(seed=0)
        self._random = random.Random(f"{seed}/gateway")
        self._faults = random.Random(f"{seed}/machine")
        self._switched_on_at = SWITCHED_ON_AT - self.seconds
        self.profile = profile
        self.transport: Callable[[Process | None], Any]
        self.on_commit: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None  # a process was killed, or has ended
        self.processes = 0
        self.calm = False  # no further fault
        self.database_down_until = 0.0
        self.lines: list[str] = []
        self._hash = hashlib.sha256()

    # -- trace

    def trace(self, text: str) -> None:
        """Record what happened; two runs of a seed have the same trace."""
        process = PROCESS.get()
        line = f"{self.seconds:12.4f} {f'p{process.number}' if process else '--'} {text}"
        self.lines.append(line)
        self._hash.update(line.encode() + b"\n")

    @property
    def trace_hash(self) -> str:
        return self._hash.hexdigest()

    # -- time

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return _Loop(self)

    def true_now(self) -> float:
        """The wall clock of everybody else."""
        return self._switched_on_at + self.seconds

    # -- processes

    def new_process(self, fuse: int | None) -> Process:
        self.processes += 1
        return Process(self.processes, fuse)

    def kill(self, process: Process) -> None:
        """End a process as SIGKILL does."""
        if not process.is_alive:
            return
        self.trace(f"killed after {process.seams} seams")
        self.release(process)
        self.on_end()
        process.died.set()

    def release(self, process: Process) -> None:
        """Give back what the system gives back when a process ends."""
        process.is_alive = False
        _killed.extend(asyncio.all_tasks())
        for connection in process.connections:
            try:
                connection.rollback()  # before the close: a cursor that was read in part would keep the write lock
                connection.close()
            except sqlite3.ProgrammingError:
                pass  # it is closed
        for lock in process.locks:
            lock.release()

    async def seam(self) -> None:
        """A place at which the process may be killed."""
        process = PROCESS.get()
        if process is None:
            return
        process.seams += 1
        if process.seams == process.fuse:
            self.kill(process)
        if not process.is_alive:
            _killed.append(forever := asyncio.get_running_loop().create_future())
            await forever

    # -- what a gateway does with it

    def http_transport(self, make: Callable[[], T]) -> T:
        return self.transport(PROCESS.get())

    def connect(self, dbapi: Any, *given: Any, **options: Any) -> InlineConnection:
        connection = sqlite3.connect(*given, **options)
        if process := PROCESS.get():
            process.connections.append(connection)
        return InlineConnection(dbapi, connection, self)

    async def around_sql(self, sql: str, call: Callable[[], T]) -> T:
        await self.seam()
        is_write = sql in ("COMMIT", "BEGIN IMMEDIATE")
        if is_write:
            await self._delay_write()
            if self.seconds < self.database_down_until:
                raise sqlite3.OperationalError("disk I/O error")
            if not self.calm and self._faults.random() < self.profile.failed_commits / 2:
                self.trace(f"failed {sql}")
                raise sqlite3.OperationalError("database is locked")
        result = call()
        if sql == "COMMIT":
            self.on_commit()
        await self.seam()
        return result

    async def _delay_write(self) -> None:
        if not self.calm and self._faults.random() < self.profile.slow_commits:
            await asyncio.sleep(self._faults.choice((0.02, 0.3, 2.0, 8.0)))
        else:
            await asyncio.sleep(0)

    async def around_thread(self, call: Callable[[], T]) -> T:
        await self.seam()
        await asyncio.sleep(self._faults.choice((0.0, 0.0, 0.001, 0.02)))
        result = call()
        await self.seam()
        return result


class _Loop(VirtualLoop):
    """Drops the callbacks of dead processes; every name has a public address."""

    machine: SimulatedMachine

    def __init__(self, machine: SimulatedMachine) -> None:
        super().__init__(machine, _Selector(machine))

    def call_soon(self, callback, *args, context=None):
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(process.call, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        return super().call_at(when, process.call, callback, *args, context=context)

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):  # noqa: A002 - asyncio's names
        return socket.getaddrinfo("203.0.113.7", port, family, type, proto, flags)


class _Selector(JumpingSelector):
    """Nothing but a timer can wake the loop."""

    def __init__(self, machine: SimulatedMachine) -> None:
        super().__init__(machine)
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        if timeout <= 0:
            self._turns += 1
            if self._turns > TURNS_MAX:
                raise Stuck(f"A task spins at second {self._machine.seconds:.3f}.")
            return []
        self._turns = 0
        self._machine.seconds += timeout
        if self._machine.seconds > SECONDS_MAX:
            raise Stuck(f"Not quiet after {SECONDS_MAX:.0f} seconds.")
        return []
