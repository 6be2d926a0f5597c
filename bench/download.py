"""What a 50 MB download costs the server in memory, eight at once, and how soon the first byte comes."""

import asyncio
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from framegate.domain import Job, Output, Request, State, Target
from framegate.storage.blobs import BlobStore
from framegate.store import Store
from framegate.store.engine import sqlite_url

SIZE_BYTES = 50 * 10**6
AT_ONCE = 8
ROUNDS = 3
REQUESTS = 40
GROWTH_MB_MAX = 16.0
FIRST_BYTE_MS_MAX = 50.0
JOB_ID = "00000000-0000-7000-8000-000000000000"
SERVE = """
import socket, sys
from pathlib import Path
from framegate.app.server import run
from framegate.config.settings import Settings
listener = socket.create_server(("127.0.0.1", 0))
run(Settings(data_dir=Path(sys.argv[1])), listener, on_ready=lambda url: print(url, flush=True), log_level="warning")
"""


def main() -> int:
    """Measure, print, and return 1 when a promise is missed."""
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(_fill(Path(scratch)))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEGATE_")}
        command = (sys.executable, "-c", SERVE, scratch)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as server:
            assert server.stdout is not None
            try:
                return _measure(server.stdout.readline().strip(), server.pid)
            finally:
                server.send_signal(signal.SIGTERM)


async def _fill(folder: Path) -> None:
    """A data folder with one finished job, whose video has 50 MB."""
    blob = await BlobStore(folder / "blobs").add_bytes(random.Random(1).randbytes(SIZE_BYTES), "video/mp4")
    output = Output(index=0, blob=blob, width=640, height=360, fps=24, frames=24, duration=1, audio=False)
    now = time.time()
    job = Job(
        id=JOB_ID,
        owner="default",
        dialect="native",
        request=Request(model="framegate/animatic"),
        model="framegate/animatic",
        target=Target(width=640, height=360, fps=24, duration=1, audio=False, seed=None),
        created_at=now,
        updated_at=now,
        deadline_at=now + 3600,
        state=State.COMPLETED,
        stage="completed",
        outputs=(output,),
    )
    async with Store(sqlite_url(folder)) as store:
        await store.insert(job)


def _measure(url: str, pid: int) -> int:
    job = json.loads(_get(url, f"/api/v1/videos/{JOB_ID}")[2])
    target = urlsplit(job["unsigned_urls"][0])
    path = f"{target.path}?{target.query}"
    alone = [_get(url, path, last=0)[0] for _ in range(REQUESTS)]
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here
    before = _memory_mb(pid, "VmRSS")
    together, megabytes, seconds = _together(url, path)
    growth = _memory_mb(pid, "VmHWM") - before
    first_alone, first_together = statistics.median(alone), statistics.median(together)
    print(
        f"memory of the server: {before:.1f} MB before, {growth:+.1f} MB at its peak with {AT_ONCE} downloads of 50 MB"
    )
    print(f"that is {growth / GROWTH_MB_MAX:.2f} of the {GROWTH_MB_MAX:g} MB that are allowed")
    print(f"first byte, alone: {first_alone:.1f} ms at the median of {REQUESTS} (at most {FIRST_BYTE_MS_MAX:g})")
    print(f"first byte, {AT_ONCE} at once: {first_together:.1f} ms at the median (at most {FIRST_BYTE_MS_MAX:g})")
    print(f"all together: {megabytes / seconds:.0f} MB/s")
    return int(growth >= GROWTH_MB_MAX or max(first_alone, first_together) > FIRST_BYTE_MS_MAX)


def _together(url: str, path: str) -> tuple[list[float], float, float]:
    """First bytes in ms, megabytes and seconds of some rounds of eight downloads that begin together."""
    found: list[tuple[float, int, bytes]] = []
    began = time.perf_counter()
    for _ in range(ROUNDS):
        threads = [threading.Thread(target=lambda: found.append(_get(url, path))) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seconds = time.perf_counter() - began
    if [size for _, size, _ in found] != [SIZE_BYTES] * AT_ONCE * ROUNDS:
        raise SystemExit("a download was not whole")
    return [first for first, _, _ in found], sum(size for _, size, _ in found) / 1e6, seconds


def _get(url: str, path: str, *, last: int | None = None) -> tuple[float, int, bytes]:
    """Milliseconds to the first byte of the body, the body's size, and the end of it."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=120)
    began = time.perf_counter()
    try:
        connection.request("GET", path, headers={} if last is None else {"Range": f"bytes=0-{last}"})
        answer = connection.getresponse()
        piece = answer.read(1)
        first = (time.perf_counter() - began) * 1000
        size, body = len(piece), piece
        while piece := answer.read(256 * 1024):
            size += len(piece)
            body = piece if size > 10**6 else body + piece
    finally:
        connection.close()
    return first, size, body


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000
    raise SystemExit(f"this system does not tell {name}")


if __name__ == "__main__":
    raise SystemExit(main())
