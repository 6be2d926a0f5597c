"""`python -m bench inbound [--clients 5000]`: what clients can cost a gateway by bodies and connections alone.

Bodies of 31.5 MB that are no upload, in every dialect: CPU time of the event loop's thread, and growth of the peak
memory. Then many clients at once that send half a header, or that follow one job by an event stream, a long poll or a
websocket: how long `/healthz` takes meanwhile, asked over a new connection each time.

Targets: a body costs at most 50 ms and 20 MB; `/healthz` answers within 100 ms at the 99th percentile.
"""

import argparse
import asyncio
import json
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bench.side_by_side.gateways import Gateway, framegate
from bench.side_by_side.service import serving

BODY_BYTES = 31_500_000
CPU_MS_MAX = 50.0
MEMORY_MB_MAX = 20.0
HEALTH_MS_MAX = 100.0
PROBES = 300
PROBE_SECONDS = 0.05  # between two probes
CONNECT_AT_ONCE = 200
SETTLE_SECONDS_MAX = 60.0
SETTLED_SECONDS, SETTLED_MS = 4, 250.0  # so many seconds with less CPU time each
PATHS = {
    "native": "/api/v1/videos",
    "phaseo": "/phaseo/v1/videos",
    "pictory": "/pictory/v1/aistudio/videos",
    "fal": "/fal/queue/fal-ai/veo3.1/reference-to-video",
}


def _bodies() -> Iterator[tuple[str, bytes]]:
    yield "an array of numbers as prompt", b'{"prompt":[' + b"1," * (BODY_BYTES // 2) + b"1]}"
    yield "unknown keys", b"{" + b",".join(b'"k%d":1' % number for number in range(2_000_000)) + b"}"
    yield "a key of 31 MB", b'{"' + b"k" * BODY_BYTES + b'":1}'
    yield "3,900 unknown keys", b"{" + b",".join(b'"k%d":1' % number for number in range(3900)) + b"}"


def _loop_ms(pid: int) -> float:
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e6


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def _send(host: str, port: int, path: str, body: bytes) -> str:
    """Send a whole request even if the answer comes early; return the status and size of the answer."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((host, port)) as client:
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        answer = client.recv(2**16)
        head, _, content = answer.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(content) < size:
            content += client.recv(2**16)
    return f"{answer[9:12].decode()} of {len(content):,} bytes"


def _measure_bodies(gateway: Gateway, host: str, port: int) -> bool:
    is_missed = False
    for path in PATHS.values():
        _send(host, port, path, b'{"unknown": 1}')
    for name, body in _bodies():
        for dialect, path in PATHS.items():
            Path(f"/proc/{gateway.pid}/clear_refs").write_text("5")
            cpu, peak = _loop_ms(gateway.pid), _peak_mb(gateway.pid)
            answer = _send(host, port, path, body)
            cost, growth = _loop_ms(gateway.pid) - cpu, _peak_mb(gateway.pid) - peak
            print(f"{name:30} {dialect:8} {cost:6.1f} ms {growth:6.1f} MB  {answer}", flush=True)
            is_missed |= cost > CPU_MS_MAX or growth > MEMORY_MB_MAX
    return is_missed


def _probe(host: str, port: int) -> list[float]:
    """Return the milliseconds that `/healthz` took, each time over a new connection."""
    taken: list[float] = []
    for _ in range(PROBES):
        began = time.perf_counter()
        with socket.create_connection((host, port)) as client:
            client.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            assert client.recv(2**16).startswith(b"HTTP/1.1 200")
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(PROBE_SECONDS)
    return taken


async def _settled(gateway: Gateway) -> None:
    """Wait until the gateway has answered what clients sent when they connected."""
    until, quiet = time.perf_counter() + SETTLE_SECONDS_MAX, 0
    while time.perf_counter() < until and quiet < SETTLED_SECONDS:
        cpu = _loop_ms(gateway.pid)
        await asyncio.sleep(1)
        quiet = quiet + 1 if _loop_ms(gateway.pid) - cpu < SETTLED_MS else 0


async def _measure_clients(gateway: Gateway, name: str, request: str, count: int, host: str, port: int) -> bool:
    gate, clients = asyncio.Semaphore(CONNECT_AT_ONCE), list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()

    async def connect() -> None:
        async with gate:
            client = await asyncio.open_connection(host, port)
            client[1].write(request.encode())
            clients.append(client)

    cpu = _loop_ms(gateway.pid)
    await asyncio.gather(*(connect() for _ in range(count)))
    await _settled(gateway)
    connecting, cpu = _loop_ms(gateway.pid) - cpu, _loop_ms(gateway.pid)
    began = time.perf_counter()
    taken = await asyncio.to_thread(_probe, host, port)
    load = (_loop_ms(gateway.pid) - cpu) / (time.perf_counter() - began) / 10
    is_open = sum(not reader.at_eof() for reader, _ in clients)
    for _, writer in clients:
        writer.close()
    p99 = statistics.quantiles(taken, n=100)[98]
    print(
        f"{count} x {name:12} median {statistics.median(taken):5.1f} ms, p99 {p99:.1f}, "
        f"worst {max(taken):.1f}; "
        f"load of the loop {load:4.1f} %, connecting {connecting / count:.2f} ms each, still open {is_open}",
        flush=True,
    )
    return p99 > HEALTH_MS_MAX


async def measure(count: int) -> bool:
    """Print the measurements; return whether a target is missed."""
    with tempfile.TemporaryDirectory() as scratch:
        async with serving() as service, framegate(Path(scratch), service.url) as gateway:
            address = urlsplit(str(gateway.http.base_url))
            host, port = address.hostname or "", address.port or 0
            is_missed = await asyncio.to_thread(_measure_bodies, gateway, host, port)
            job = (await gateway.create(gateway.body("unending"))).raise_for_status().json()
            await asyncio.sleep(2)
            end = f"Host: {host}:{port}\r\n"
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            upgrade = f"Connection: Upgrade\r\nUpgrade: websocket\r\n{key}"
            path = f"/api/v1/videos/{job['id']}"
            for name, request in {
                "half header": f"GET {path} HTTP/1.1\r\n{end}",
                "event stream": f"GET {path}/events HTTP/1.1\r\n{end}\r\n",
                "long poll": f"GET {path}?wait=60 HTTP/1.1\r\n{end}\r\n",
                "websocket": f"GET /phaseo/v1/async/video/{job['id']}/ws HTTP/1.1\r\n{end}{upgrade}\r\n",
            }.items():
                is_missed |= await _measure_clients(gateway, name, request, count, host, port)
            print(
                json.dumps(
                    {"log": (Path(scratch) / "log").read_text()[-300:]} if (Path(scratch) / "log").exists() else {}
                )
            )
    return is_missed


def main() -> int:
    """Measure, print, and return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench inbound")
    parser.add_argument("--clients", type=int, default=5000)
    count = parser.parse_args().clients
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(asyncio.run(measure(count)))
