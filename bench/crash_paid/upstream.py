"""A service of OpenRouter's shape that goes wrong in every way, and counts what it took; in a process of its own.

`python -m bench.crash_paid.upstream --seed 1` prints its addresses as a line of JSON and serves until its standard
input ends. A second origin, "foreign", stands for everybody else: what comes there is kept whole, and no key may be in
it. What goes wrong with an order depends on the seed and on the mark in its prompt alone.

Shape: openrouter.ai/docs, API reference, Videos.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import re
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

KEY = "sk-or-crash-0123456789abcdef"  # what the account has; nobody else may see it
MARK = re.compile(r"take (\S+)")
CONTENT = re.compile(r"/api/v1/videos/(job-\w+)/content")
LOOK = re.compile(r"/api/v1/videos/(job-\w+)")
FILES = 8
FRAMES = 12  # shorter than is asked for, which a report tells of and no job fails for: checks are to be quick
RETRY_AFTER_SECONDS = 1
LATE_SECONDS_MAX = 0.6

# What becomes of an order: how often of a hundred, and whether it was taken.
FATES: dict[str, tuple[int, bool]] = {
    "taken": (38, True),
    "taken late": (8, True),  # slow to look at it
    "answered late": (10, True),
    "taken, then cut": (7, True),
    "taken, then 500": (7, True),
    "taken, then 503 of something between": (4, True),
    "taken, then garbage": (4, True),
    "taken, then half an answer": (4, True),
    "taken, then sent elsewhere": (4, True),
    "429": (5, False),
    "503 before anybody was asked": (3, False),
    "400": (3, False),
    "moved elsewhere": (3, False),
}
LOOKS = {
    "told": 80,
    "cut": 3,
    "500": 3,
    "429": 2,
    "503": 2,
    "garbage": 2,
    "half an answer": 2,
    "late": 3,
    "sent elsewhere": 3,
}
FETCHES = {"whole": 76, "cut": 8, "500": 6, "sent elsewhere": 5, "late": 5}
ENDS = {"completed": 88, "failed": 7, "cancelled": 2, "expired": 3}


GARBAGE = b"\x00\xffwhat"
PLAIN: dict[str, tuple[int, object]] = {
    "taken, then 500": (500, {"error": {"code": 500, "message": "Internal Server Error"}}),
    "taken, then 503 of something between": (503, b"<html>Service Unavailable</html>"),
    "taken, then garbage": (200, GARBAGE),
    "503 before anybody was asked": (503, {"error": {"code": 503, "message": "There is no available provider."}}),
    "400": (400, {"error": {"code": 400, "message": "The prompt was flagged."}}),
}


class Asked(NamedTuple):
    """One request, read to its end."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Came:
    """One order as it came; `job` where it was taken."""

    mark: str
    key: str
    fate: str
    job: str | None
    end: str


@dataclass
class Book:
    """All that came, as it is handed out."""

    orders: list[Came] = field(default_factory=list[Came])
    foreign: list[str] = field(default_factory=list[str])  # whole heads
    keyless: int = 0  # requests at our own origin without our key


class Service:
    """The service and the foreign origin, in one process."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.book = Book()
        self.url = self.foreign = ""
        self._well = False
        self._jobs: dict[str, Came] = {}
        self._times: defaultdict[str, int] = defaultdict(int)
        self._files = [film(number) for number in range(FILES)]
        self._waiting: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    # -- connections

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request to the service, and the end of the connection."""
        # It is cancelled at the end of all, where somebody waits for what no longer happens.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            asked, _ = await read(reader)
            if asked.path.startswith("/control/"):
                await self._control(asked, writer)
            elif asked.headers.get("authorization") != f"Bearer {KEY}":
                self.book.keyless += 1
                await say(writer, 401, error(401, "No key."))
            elif asked.method == "POST" and asked.path == "/api/v1/videos":
                await self._order(asked, writer)
            elif found := CONTENT.match(asked.path):
                await self._content(self._jobs.get(found[1]), writer)
            elif (found := LOOK.fullmatch(asked.path)) and asked.method == "GET":
                await self._look(self._jobs.get(found[1]), writer)
            else:
                await say(writer, 404, error(404, "Not found."))
        await shut(writer)

    async def serve_foreign(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request to somebody else: kept whole, and answered with a film."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked, head = await read(reader)
            self.book.foreign.append(head)
            number = int(asked.path.rpartition("/")[2].partition(".")[0]) if asked.path.startswith("/files/") else 0
            await say(writer, 200, self._files[number % FILES], "video/mp4")
        await shut(writer)

    async def _control(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        """For the one who counts.

        `/control/book`; `/control/next/KIND`, answered when that next happens; `/control/heal`, from where on looks and
        downloads go well.
        """
        if asked.path == "/control/book":
            shown = asdict(self.book) | {"sha256": [hashlib.sha256(one).hexdigest() for one in self._files]}
            await say(writer, 200, shown)
            return
        if asked.path == "/control/heal":
            self._well = True
        else:
            await self._waiting[asked.path.rpartition("/")[2]].wait()
        await say(writer, 200, {})

    def _happens(self, kind: str) -> None:
        if event := self._waiting.pop(kind, None):
            event.set()

    # -- what a client asks

    async def _order(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        body = json.loads(asked.body)
        found = MARK.search(body["prompt"])
        mark = found[1] if found else body["prompt"]
        dice = self._dice("order", mark)
        fate = dice.choices(list(FATES), [often for often, _ in FATES.values()])[0]
        end = dice.choices(list(ENDS), list(ENDS.values()))[0]
        came = Came(mark, asked.headers.get("idempotency-key", ""), fate, None, end)
        self._happens("ordered")
        if fate == "taken late":
            await asyncio.sleep(dice.uniform(0, LATE_SECONDS_MAX))
        if FATES[fate][1]:
            came.job = f"job-{len(self.book.orders)}x{hashlib.sha256(mark.encode()).hexdigest()[:8]}"
            self._jobs[came.job] = came
        self.book.orders.append(came)
        if fate == "answered late":
            await asyncio.sleep(dice.uniform(0, LATE_SECONDS_MAX))
        await self._answer_order(came, writer)
        self._happens("answered")

    async def _answer_order(self, came: Came, writer: asyncio.StreamWriter) -> None:
        told = {"id": came.job, "polling_url": f"/api/v1/videos/{came.job}", "status": "pending"}
        if came.fate == "taken, then cut":
            writer.transport.abort()
        elif came.fate == "taken, then half an answer":
            await say(writer, 202, told, share=0.5)
        elif came.fate == "taken, then sent elsewhere":
            await say(writer, 303, b"", location=f"{self.foreign}/api/v1/videos/{came.job}")
        elif came.fate == "moved elsewhere":
            await say(writer, 307, b"", location=f"{self.foreign}/api/v1/videos")
        elif came.fate == "429":
            await say(writer, 429, error(429, "Slow down."), retry_after=str(RETRY_AFTER_SECONDS))
        else:
            await say(writer, *PLAIN.get(came.fate, (202, told)))

    async def _look(self, came: Came | None, writer: asyncio.StreamWriter) -> None:
        if came is None or came.job is None:
            await say(writer, 404, error(404, "Job not found."))
            return
        self._happens("looked")
        dice = self._dice("look", came.job)
        if dice.random() < 0.2 and not self._well:
            shown: dict[str, Any] = {"id": came.job, "status": dice.choice(["pending", "in_progress", "rendering"])}
        else:
            shown = {"id": came.job, "status": came.end, **self._ending(came)}
        match "told" if self._well else dice.choices(list(LOOKS), list(LOOKS.values()))[0]:
            case "cut":
                writer.transport.abort()
            case "500" | "429" | "503" as status:
                await say(writer, int(status), error(int(status), "Not now."))
            case "garbage":
                await say(writer, 200, GARBAGE)
            case "half an answer":
                await say(writer, 200, shown, share=0.5)
            case "sent elsewhere":
                await say(writer, dice.choice([302, 307]), b"", location=f"{self.foreign}/api/v1/videos/{came.job}")
            case "late":
                await asyncio.sleep(LATE_SECONDS_MAX)
                await say(writer, 200, shown)
            case _:
                await say(writer, 200, shown)

    def _ending(self, came: Came) -> dict[str, Any]:
        """How a job ended; one file in four lies at the foreign origin, where no key is asked for."""
        if came.end != "completed":
            return {"error": f"It was {came.end}."}
        number = file_of(came.mark)
        address = f"{self.url}/api/v1/videos/{came.job}/content?index=0"
        if self._dice("place", came.mark, count=False).random() < 0.25:
            address = f"{self.foreign}/files/{number}.mp4"
        return {"unsigned_urls": [address], "usage": {"cost": 1.6}}

    async def _content(self, came: Came | None, writer: asyncio.StreamWriter) -> None:
        if came is None or came.job is None:
            await say(writer, 404, error(404, "Job not found."))
            return
        self._happens("fetched")
        dice, data = self._dice("fetch", came.job), self._files[file_of(came.mark)]
        match "whole" if self._well else dice.choices(list(FETCHES), list(FETCHES.values()))[0]:
            case "cut":
                await say(writer, 200, data, "video/mp4", share=dice.random())
            case "500":
                await say(writer, 500, error(500, "Not now."))
            case "sent elsewhere":
                await say(writer, 302, b"", location=f"{self.foreign}/files/{file_of(came.mark)}.mp4")
            case "late":
                await asyncio.sleep(LATE_SECONDS_MAX)
                await say(writer, 200, data, "video/mp4")
            case _:
                await say(writer, 200, data, "video/mp4")

    def _dice(self, kind: str, name: str, *, count: bool = True) -> random.Random:
        """Dice for the next time that this is asked of this name."""
        self._times[f"{kind} {name}"] += count
        return random.Random(f"{self.seed} {kind} {name} {self._times[f'{kind} {name}']}")


def file_of(mark: str) -> int:
    """Which of the files an order gets."""
    return hashlib.sha256(mark.encode()).digest()[0] % FILES


def film(number: int) -> bytes:
    """A small clip that plays to its end, unlike the others; its index lies first, so that it is kept as it is."""
    base = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8).repeat(6, 0).repeat(8, 1)
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        with av.open(file.name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast", "threads": "1"})
            stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
            for at in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(base, at, axis=1)), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return Path(file.name).read_bytes()


def error(code: int, message: str) -> dict[str, Any]:
    """A refusal in OpenRouter's shape."""
    return {"error": {"code": code, "message": message}}


async def read(reader: asyncio.StreamReader) -> tuple[Asked, str]:
    """One request, whole, and its head as it came."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, target.partition("?")[0], headers, body), head


async def say(
    writer: asyncio.StreamWriter,
    status: int,
    body: object,
    kind: str = "application/json",
    *,
    share: float = 1.0,
    **headers: str,
) -> None:
    """An answer, or the first `share` of one."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} x", f"content-type: {kind}", f"content-length: {len(data)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + data[: int(len(data) * share)])
    await writer.drain()


async def shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def run(seed: int) -> None:
    """Serve until standard input ends."""
    service = Service(seed)
    own = await asyncio.start_server(service.serve, "127.0.0.1", 0, limit=2**20)
    foreign = await asyncio.start_server(service.serve_foreign, "127.0.0.1", 0, limit=2**20)
    service.url, service.foreign = (f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}" for one in (own, foreign))
    print(json.dumps({"url": service.url, "foreign": service.foreign}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.crash_paid.upstream")
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(run(parser.parse_args().seed))
