"""Decoder pool: long-lived child processes, each with one call at a time."""

import asyncio
import contextlib
import logging
import pickle
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from framegate.config.environment import environment
from framegate.domain.errors import ReferenceUnusable, UnsupportedMediaType
from framegate.domain.machine import Clock
from framegate.media.decoder.base import (
    INSPECT,
    Budget,
    DecoderFault,
    DecoderUnavailable,
    FileLimitExceeded,
    Lane,
)
from framegate.media.decoder.queue import FairQueue, PixelBudget
from framegate.media.decoder.wire import ANSWER_BYTES_MAX, LENGTH_BYTES, Answer, Call, frame, load_answer
from framegate.media.unreadable import Unreadable

T = TypeVar("T")

START_SECONDS_MAX = 60.0
WALL_SECONDS_MIN = 30.0
WALL_PER_CPU_SECOND = 5.0  # a busy machine gives a process less than all of a core
PIXELS_IN_FLIGHT_MAX = 100_000_000
STALLED_SECONDS = 120.0  # without an end of any call while others wait
NICENESS = {Lane.INSPECT: 0, Lane.CHECK: 5}
PASSED_ON = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
PASSED_ON_PREFIXES = ("COV_", "COVERAGE_", "PYTHONDEVMODE", "PYTHONWARNINGS")
THREAD_VARIABLES = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

_log = logging.getLogger(__name__)


class DecoderPool:
    """A few decoder processes for each lane, started when they are first needed."""

    def __init__(self, sizes: Mapping[Lane, int], *, memory_bytes_max: int, clock: Clock) -> None:
        self._memory_bytes_max = memory_bytes_max
        self._clock = clock
        self._queues = {lane: FairQueue(size) for lane, size in sizes.items()}
        self._pixels = PixelBudget(PIXELS_IN_FLIGHT_MAX)
        self._idle: dict[Lane, list[_Process]] = {lane: [] for lane in sizes}
        self._busy: set[_Process] = set()
        self._reaped: set[asyncio.Task[int]] = set()
        self._moved_at = dict.fromkeys(sizes, 0.0)  # when a call of the lane ended, or began to wait in an empty queue
        self._warming: dict[Lane, asyncio.Task[None]] = {}
        self._is_closed = False

    def warm(self, lane: Lane) -> None:
        """Start one process of a lane ahead of its first call."""
        self._warming[lane] = asyncio.create_task(self._start_ahead(lane), name="framegate-decoder-warm")

    async def run(self, function: Callable[..., T], *args: object, budget: Budget = INSPECT) -> T:
        """Call a function in a decoder process; see `Decoder.run`."""
        message = pickle.dumps(Call(function, args, budget.cpu_seconds), protocol=5)
        queue = self._queues[budget.lane]
        if not len(queue):
            self._moved_at[budget.lane] = self._clock.monotonic()
        async with self._pixels.reserve(budget.pixels), queue.place(budget.share):
            process = await self._process(budget.lane)
            try:
                answer = await self._call(process, message, budget)
            finally:
                self._moved_at[budget.lane] = self._clock.monotonic()
                self._put_back(process, budget.lane)
        return _value(answer, self._memory_bytes_max)

    def stalled(self) -> str | None:
        """Return a sentence if calls wait and none has ended for two minutes."""
        for lane, queue in self._queues.items():
            seconds = self._clock.monotonic() - self._moved_at[lane]
            if len(queue) and seconds > STALLED_SECONDS:
                return f"{len(queue)} file checks wait ({lane}), and none has ended for {seconds:.0f} s."
        return None

    async def close(self) -> None:
        """Kill every process."""
        self._is_closed = True
        for warming in self._warming.values():
            warming.cancel()
        await asyncio.gather(*self._warming.values(), return_exceptions=True)
        for process in [*self._busy, *(process for idle in self._idle.values() for process in idle)]:
            self._kill(process)
        await asyncio.gather(*self._reaped, return_exceptions=True)

    async def _start_ahead(self, lane: Lane) -> None:
        with contextlib.suppress(DecoderUnavailable):
            self._idle[lane].append(await self._start(lane))

    async def _process(self, lane: Lane) -> "_Process":
        if lane in self._warming and not self._idle[lane]:
            await asyncio.wait([self._warming.pop(lane)])
        while self._idle[lane]:
            process = self._idle[lane].pop()
            if process.alive:
                self._busy.add(process)
                return process
        process = await self._start(lane)
        self._busy.add(process)
        return process

    async def _start(self, lane: Lane) -> "_Process":
        process = await _Process.spawn(self._memory_bytes_max, NICENESS[lane])
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                is_ready = await process.receive() == b"ready"
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            is_ready = False
        except asyncio.CancelledError:
            self._kill(process)
            raise
        if not is_ready:
            self._kill(process)
            raise DecoderUnavailable
        return process

    async def _call(self, process: "_Process", message: bytes, budget: Budget) -> Answer:
        """Make the call. A process that does not answer is left dead. Raises as `run` does."""
        wall_seconds = max(WALL_SECONDS_MIN, budget.cpu_seconds * WALL_PER_CPU_SECOND)
        try:
            async with asyncio.timeout(wall_seconds):
                process.send(message)
                reply = await process.receive()
                answer = load_answer(reply[1:])
        except TimeoutError as error:
            raise _too_slow(wall_seconds) from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._death(process, budget) from error
        except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError, LookupError) as error:
            raise DecoderFault(f"The answer of a decoder process cannot be read: {error}") from error
        process.is_reusable = reply[:1] == b"K" and answer.kind != "memory"
        return answer

    async def _death(self, process: "_Process", budget: Budget) -> Exception:
        """Return the error of a call whose process died."""
        status = await process.wait()
        if self._is_closed:
            return DecoderUnavailable("The gateway is stopping.")
        if status == -signal.SIGXCPU:
            return _too_slow(budget.cpu_seconds)
        if status == -signal.SIGKILL:  # by the system, for lack of memory
            return _too_much(self._memory_bytes_max)
        _log.warning("Decoder process ended with status %s during a call; it is replaced.", status)
        return DecoderFault(f"A decoder process ended with status {status}.")

    def _put_back(self, process: "_Process", lane: Lane) -> None:
        self._busy.discard(process)
        if process.is_reusable and process.alive:
            process.is_reusable = False  # until its next call has ended well
            self._idle[lane].append(process)
        else:
            self._kill(process)

    def _kill(self, process: "_Process") -> None:
        process.kill()
        task = asyncio.create_task(process.wait(), name="framegate-decoder-reap")
        self._reaped.add(task)
        task.add_done_callback(self._reaped.discard)


class _Process:
    """One child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.is_reusable = False

    @classmethod
    async def spawn(cls, memory_bytes_max: int, niceness: int) -> "_Process":
        """Start a child process, without the credentials of this one. Raises `DecoderUnavailable`."""
        given = environment()
        passed_on = {name: value for name, value in given.items() if _is_passed_on(name)}
        command = [sys.executable, "-m", "framegate.media.decoder", str(memory_bytes_max), str(niceness)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**passed_on, **THREAD_VARIABLES},
                start_new_session=True,  # the gateway handles ctrl-C
            )
        except OSError as error:
            _log.warning("Decoder process not started: %s", error)
            raise DecoderUnavailable from error
        return cls(process)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def send(self, message: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, see `spawn`
        self._process.stdin.write(frame(message))

    async def receive(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, see `spawn`
        size = int.from_bytes(await self._process.stdout.readexactly(LENGTH_BYTES), "big")
        if size > ANSWER_BYTES_MAX:
            raise ValueError("the answer is too large")
        return await self._process.stdout.readexactly(size)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> int:
        return await self._process.wait()


def _is_passed_on(name: str) -> bool:
    return name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)


def _too_slow(seconds: float) -> FileLimitExceeded:
    return FileLimitExceeded(f"Decoding the file takes more than {seconds:g} seconds, the maximum.", resource="time")


def _too_much(bytes_max: int) -> FileLimitExceeded:
    message = f"Decoding the file takes more than {bytes_max // 2**20:,} MiB of memory, the maximum."
    return FileLimitExceeded(message, resource="memory")


def _value(answer: Answer, memory_bytes_max: int) -> Any:  # noqa: ANN401 - what the function returns
    match answer.kind, answer.value:
        case "result", value:
            return value
        case "refused", (str() as code, str() as message):
            raise ReferenceUnusable(code, message)
        case "unsupported", str() as message:
            raise UnsupportedMediaType(message)
        case "unreadable", (str() as code, str() as message):
            raise Unreadable(code, message)
        case "os", (number, text):
            raise OSError(number, text)
        case "memory", _:
            raise _too_much(memory_bytes_max)
        case _:
            raise DecoderFault(f"A decoder process failed: {answer.value}")
