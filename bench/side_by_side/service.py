"""A service that keeps all that it is sent. It speaks as OpenRouter does under /api/v1, and as OpenAI did under /v1.

What it does with an order depends on the words `case NAME` in its prompt.

Shapes: openrouter.ai/docs (API reference, Videos), and `openai.types.Video` of the PyPI package `openai` 3.52.0.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.crash_paid.upstream import Asked, error, film, read, say, shut

KEYS = {"a": "sk-account-a-0123456789", "b": "sk-account-b-0123456789"}
HOLD_SECONDS = 600.0  # longer than any client waits
BIG_BYTES = 50_000_000
CASE = re.compile(rb"case ([\w-]+)")
VIDEO = re.compile(r"/(?:api/)?v1/videos/([\w-]+)(/content)?")


@dataclass(slots=True)
class Job:
    """An order that was taken, and the account that it belongs to."""

    id: str
    case: str
    key: str


@dataclass(slots=True)
class Service:
    """The service, and its memory."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    small: bytes = field(default_factory=lambda: film(0))
    big: bytes = b""

    def __post_init__(self) -> None:
        self.big = self.small + struct.pack(">I4s", BIG_BYTES, b"free") + bytes(BIG_BYTES - 8)

    def orders(self, case: str) -> list[Asked]:
        """The orders that came for a case, whatever became of them."""
        return [one for one in self.asked if one.method == "POST" and case_of(one) == case]

    def taken(self, case: str) -> int:
        """How many were taken: what is paid for."""
        return sum(job.case == case for job in self.jobs.values())

    def looks(self, case: str) -> tuple[int, int]:
        """How many looks at a case's jobs came, and how many of them by an account that had not ordered it."""
        all_looks = wrong = 0
        for one in self.asked:
            found = VIDEO.fullmatch(one.path)
            job = self.jobs.get(found[1]) if found and one.method == "GET" else None
            if job is not None and job.case == case:
                all_looks += 1
                wrong += key_of(one) != job.key
        return all_looks, wrong

    def elsewhere(self) -> list[str]:
        """The hosts that a gateway has asked to be let through to: this service is the only way out that it has."""
        return [one.path for one in self.asked if one.method == "CONNECT"]

    def naming(self, word: str) -> int:
        """How many requests had that word in their path."""
        return sum(word in one.path for one in self.asked)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, and the end of the connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked, _ = await read(reader)
            self.asked.append(asked)
            found = VIDEO.fullmatch(asked.path)
            if asked.method == "POST" and asked.path.endswith("/v1/videos"):
                await self._order(asked, writer)
            elif found and (job := self.jobs.get(found[1])):
                await self._show(asked, job, writer, content=bool(found[2]))
            else:
                await say(writer, 404, error(404, "Not found."))
        await shut(writer)

    async def _order(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        case, key = case_of(asked), key_of(asked)
        if case == "second-account" and key == KEYS["a"] and asked.path.startswith("/api/"):
            await say(writer, 400, error(400, "This account may not."))
            return
        digest = hashlib.sha256(f"{case} {len(self.asked)}".encode()).hexdigest()[:16]
        job = self.jobs[f"video_{digest}"] = Job(f"video_{digest}", case, key)
        if case == "accept-then-500":
            await say(writer, 500, error(500, "Internal Server Error"))
        elif case == "no-answer":
            await asyncio.sleep(HOLD_SECONDS)
        else:
            await say(writer, 202 if asked.path.startswith("/api/") else 200, self._shown(asked, job, "queued"))

    async def _show(self, asked: Asked, job: Job, writer: asyncio.StreamWriter, *, content: bool) -> None:
        if content:
            await say(writer, 200, self.big if job.case == "download" else self.small, "video/mp4")
        else:
            await say(writer, 200, self._shown(asked, job, "queued" if job.case == "unending" else "completed"))

    def _shown(self, asked: Asked, job: Job, status: str) -> dict[str, Any]:
        if asked.path.startswith("/api/"):
            urls = {"unsigned_urls": [f"{self.url}/api/v1/videos/{job.id}/content"]} if status == "completed" else {}
            return {"id": job.id, "status": "pending" if status == "queued" else status, **urls}
        seen = {"id": job.id, "object": "video", "model": "sora-2", "status": status, "seconds": "4"}
        return {**seen, "size": "1280x720", "created_at": int(time.time()), "progress": 100}


def case_of(asked: Asked) -> str:
    """The case that an order's prompt names, in a body of JSON or of a form."""
    found = CASE.search(asked.body)
    return found[1].decode() if found else ""


def key_of(asked: Asked) -> str:
    """The key that a request came with."""
    return asked.headers.get("authorization", "").removeprefix("Bearer ")


def pictures_in(asked: Asked, pictures: list[bytes], urls: list[str]) -> int:
    """How many of the pictures an order holds as such: a file that is one, or a reference in JSON by its address."""
    if asked.headers.get("content-type", "").startswith("application/json"):
        items = json.loads(asked.body).get("input_references") or []
        there = [item["image_url"]["url"] for item in items if isinstance(item, dict)]
        return sum(url in there for url in urls)
    return sum(b"\r\n\r\n" + picture + b"\r\n--" in asked.body for picture in pictures)


@asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    """A service on a free port."""
    service = Service()
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(service.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, limit=2**20)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
