"""Decoder process: makes one call after another. It ends with the gateway, even during a call."""

import os
import pickle
import queue
import resource
import sys
import threading
import time
import traceback
from typing import BinaryIO

from framegate.domain.errors import ReferenceUnusable, UnsupportedMediaType
from framegate.media.decoder.wire import LENGTH_BYTES, Answer, Call, frame
from framegate.media.unreadable import Unreadable

OPEN_FILES_MAX = 64
RECYCLED_RSS_BYTES = 256 * 2**20  # a process that holds more after a call is replaced


def _read_calls(stream: BinaryIO, calls: "queue.Queue[Call]") -> None:
    """Queue the calls; exit when the gateway is gone."""
    while len(length := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
        calls.put(pickle.loads(stream.read(int.from_bytes(length, "big"))))  # noqa: S301 - written by the gateway
    os._exit(0)


def _limit_memory(bytes_max: int) -> None:
    """Limit the private memory to `bytes_max` more than now; only Linux counts it this way."""
    if not sys.platform.startswith("linux"):
        return
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        data_pages = int(file.read().split()[5])
    limit = data_pages * resource.getpagesize() + bytes_max
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES_MAX, OPEN_FILES_MAX))


def _limit_cpu(seconds: float) -> None:
    """Have the system kill this process when it has used so many more seconds of CPU time."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1, hard))


def _answer(call: Call) -> Answer:
    try:
        return Answer("result", call.function(*call.args))
    except Exception as error:  # noqa: BLE001 - top level: what a hostile file can raise has no end
        return _failure(error)


def _failure(error: Exception) -> Answer:
    match error:
        case ReferenceUnusable():
            return Answer("refused", (error.code, error.message))
        case UnsupportedMediaType():
            return Answer("unsupported", error.message)
        case Unreadable():
            return Answer("unreadable", (error.code, str(error)))
        case _ if isinstance(error, MemoryError) or "nsufficient memory" in str(error):  # OpenCV has its own
            return Answer("memory", None)
        case OSError():
            return Answer("os", (error.errno, error.strerror or str(error)))
        case _:
            return Answer("fault", "".join(traceback.format_exception(error, limit=-8)))


def _resident_bytes() -> int:
    if not sys.platform.startswith("linux"):
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Serve the calls on standard input. Arguments: the memory limit in bytes, and the niceness."""
    memory_bytes_max, niceness = map(int, sys.argv[1:])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print goes to standard error
    calls: queue.Queue[Call] = queue.Queue()
    threading.Thread(target=_read_calls, args=(sys.stdin.buffer, calls), daemon=True).start()
    os.nice(niceness)
    from framegate.media import calls as _  # noqa: PLC0415, F401 - the names that calls are made by
    from framegate.media.decoder import libraries  # noqa: PLC0415

    libraries.load()
    _limit_files()
    _limit_memory(memory_bytes_max)
    answers.write(frame(b"ready"))
    answers.flush()
    while True:
        call = calls.get()
        _limit_cpu(call.cpu_seconds)
        answer = pickle.dumps(_answer(call), protocol=5)
        is_last = _resident_bytes() > RECYCLED_RSS_BYTES
        answers.write(frame((b"L" if is_last else b"K") + answer))
        answers.flush()


if __name__ == "__main__":
    main()
