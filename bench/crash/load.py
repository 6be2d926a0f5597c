"""The load: clients who post, repeat, cancel, follow and peek while the gateway is killed under them."""

import asyncio
import base64
import hashlib
import io
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import av
import httpx2
from av.error import FFmpegError
from PIL import Image

from bench.crash.gateway import Gateway

CLIENTS = 4
PEEKERS = 2
UNFINISHED_MAX = 8  # more are not posted: what was begun is to be hit by kills, and to end
FINAL = ("completed", "failed", "cancelled", "expired")
ANSWER_SECONDS_MAX = 30.0
Wanted = tuple[dict[str, Any], int]


@dataclass(slots=True, eq=False)
class Asked:
    """One job that a client wanted, and what it was told of it."""

    mark: str
    body: dict[str, Any]
    frames: int
    key: str | None
    id: str | None = None  # once it was answered 202
    told_cancelled: bool = False
    events: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    @property
    def ended(self) -> bool:
        """Whether a client has seen its end."""
        return bool(self.events) and self.events[-1][1] in FINAL


class Moments:
    """Wakes who waits for the next moment of a kind: `accepted`, or a state that a job has just reached."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}

    def hit(self, kind: str) -> None:
        if event := self._waiting.pop(kind, None):
            event.set()

    async def next(self, kind: str) -> None:
        await self._waiting.setdefault(kind, asyncio.Event()).wait()


@dataclass(slots=True)
class Load:
    """All the clients of one run. `broken` collects, in words, every promise that was seen broken.

    `wanted` makes what a client wants: a body, and how many frames its video must have.
    """

    gateway: Gateway
    seed: int
    broken: list[str]
    wanted: Callable[[random.Random, str], Wanted]
    unfinished_max: int = UNFINISHED_MAX
    moments: Moments = field(default_factory=Moments)
    asked: list[Asked] = field(default_factory=list[Asked])
    half_files: int = 0
    peeks: int = 0
    closing: bool = False
    _http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=ANSWER_SECONDS_MAX))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def start(self) -> None:
        for number in range(CLIENTS):
            self._spawn(self._client(number))
        for number in range(PEEKERS):
            self._spawn(self._peeker(number))

    def unfinished(self) -> list[Asked]:
        """The accepted jobs whose end nobody has seen yet."""
        return [asked for asked in self.asked if asked.id and not asked.ended]

    @property
    def idle(self) -> bool:
        """Whether every client has gone home."""
        return all(task.done() for task in self._tasks)

    def check_alive(self) -> None:
        """Raise what a client died of, if one did: that is a fault of this program."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    def _spawn(self, work: Any) -> None:
        self._tasks.add(asyncio.create_task(work))

    # -- those who post

    async def _client(self, number: int) -> None:
        rng = random.Random(f"{self.seed} client {number}")
        count = 0
        while not self.closing:
            if len(self.unfinished()) >= self.unfinished_max:
                await asyncio.sleep(0.05)
                continue
            burst = [self._wish(rng, f"{number}-{(count := count + 1)}") for _ in range(rng.choice((1, 1, 1, 3)))]
            await asyncio.gather(*(self._place(asked, random.Random(rng.random())) for asked in burst))
            await asyncio.sleep(rng.uniform(0, 0.2))

    def _wish(self, rng: random.Random, mark: str) -> Asked:
        body, frames = self.wanted(rng, mark)
        key = f"key-{self.seed}-{mark}" if rng.random() < 0.5 else None
        asked = Asked(mark=mark, body=body, frames=frames, key=key)
        self.asked.append(asked)
        return asked

    async def _place(self, asked: Asked, rng: random.Random) -> None:
        """Post a job. One with a key is posted until it is answered; one without is given up with its connection."""
        while asked.id is None:
            answer = await self._ask("POST", "/videos", json=asked.body, key=asked.key)
            if answer is not None and answer.status_code == 202:
                asked.id = str(answer.json()["id"])
                self.moments.hit("accepted")
                self._spawn(self._follow(asked))
            elif answer is not None:
                self.broken.append(f"job {asked.mark} was answered {answer.status_code}: {answer.text[:300]}")
                return
            elif asked.key is None:
                return
        if asked.key and rng.random() < 0.3:
            await self._repeat(asked)
        if rng.random() < 0.15:
            await asyncio.sleep(rng.uniform(0, 1))
            await self._cancel(asked)

    async def _repeat(self, asked: Asked) -> None:
        answer = await self._ask("POST", "/videos", json=asked.body, key=asked.key)
        if answer is not None and (answer.status_code != 202 or answer.json()["id"] != asked.id):
            self.broken.append(f"the key of job {asked.id} was answered {answer.status_code}: {answer.text[:300]}")

    async def _cancel(self, asked: Asked) -> None:
        while True:
            answer = await self._ask("POST", f"/videos/{asked.id}/cancel")
            if answer is None:
                continue
            if answer.status_code == 200:
                asked.told_cancelled = answer.json()["status"] == "cancelled"
            elif answer.status_code != 409:
                self.broken.append(f"cancelling {asked.id} was answered {answer.status_code}: {answer.text[:300]}")
            return

    async def _ask(self, method: str, path: str, *, key: str | None = None, **given: Any) -> httpx2.Response | None:
        """One request to the server that is up; None if the connection broke, so that nobody knows what came of it."""
        await self.gateway.up.wait()
        headers = {"Idempotency-Key": key} if key else {}
        try:
            return await self._http.request(method, f"{self.gateway.url}/api/v1{path}", headers=headers, **given)
        except httpx2.TransportError:
            await asyncio.sleep(0.02)
            return None

    # -- those who follow

    async def _follow(self, asked: Asked) -> None:
        """Read a job's events to the last one, resuming behind the last one read whenever the gateway comes back."""
        while not asked.ended:
            await self.gateway.up.wait()
            last = asked.events[-1][0] if asked.events else 0
            url = f"{self.gateway.url}/api/v1/videos/{asked.id}/events"
            try:
                async with self._http.stream("GET", url, headers={"Last-Event-ID": str(last)}) as answer:
                    if answer.status_code != 200:
                        self.broken.append(f"the events of accepted job {asked.id} were answered {answer.status_code}")
                        return
                    async for seq, state in _events(answer):
                        asked.events.append((seq, state))
                        self.moments.hit(state)
            except httpx2.TransportError:
                await asyncio.sleep(0.02)

    async def _peeker(self, number: int) -> None:
        """Ask for the videos of unfinished jobs: whatever comes must be whole."""
        rng = random.Random(f"{self.seed} peeker {number}")
        while not self.closing:
            await asyncio.sleep(rng.uniform(0, 0.1))
            waiting = self.unfinished()
            if not waiting:
                continue
            asked = rng.choice(waiting)
            answer = await self._ask("GET", f"/videos/{asked.id}/content")
            self.peeks += 1
            if answer is None or answer.status_code == 409:
                continue
            if answer.status_code != 200:
                self.broken.append(f"the video of unfinished {asked.id} was answered {answer.status_code}")
            elif fault := await asyncio.to_thread(file_fault, answer.content, answer.headers["etag"], asked.frames):
                self.half_files += 1
                self.broken.append(f"job {asked.id} was served a bad file: {fault}")


async def _events(answer: httpx2.Response) -> AsyncIterator[tuple[int, str]]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            event = json.loads(line.removeprefix("data: "))
            yield event["seq"], event["state"]


def file_fault(content: bytes, etag: str, frames: int) -> str | None:
    """What is wrong with a served MP4; None if it is whole, decodes to its last frame and is what its ETag says."""
    if etag != f'"{hashlib.sha256(content).hexdigest()}"':
        return f"its {len(content)} bytes are not those of its ETag {etag}"
    try:
        with av.open(io.BytesIO(content), "r") as container:
            decoded = sum(not frame.is_corrupt for frame in container.decode(video=0))
    except FFmpegError as error:
        return f"it does not decode: {error}"
    return None if decoded == frames else f"{decoded} of {frames} frames decode"


def render(rng: random.Random, mark: str) -> Wanted:
    """A video of our own making: most end within a moment; some are there to be hit in the middle of their render."""
    long = rng.random() < 0.2
    fps, seconds = (24, 4) if long else (8, 1)
    body = {
        "model": "framegate/animatic",
        "prompt": f"slow push-in, take {mark}",
        "duration": seconds,
        "fps": fps,
        "resolution": "480p" if long else "360p",
        "input_references": [{"type": "image_url", "image_url": {"url": picture(rng)}}],
        "metadata": {"mark": mark},
    }
    return body, fps * seconds


def picture(rng: random.Random) -> str:
    """A picture that no other job has, as a data URL."""
    colours = bytes(rng.randrange(256) for _ in range(6 * 4 * 3))
    image = Image.frombytes("RGB", (6, 4), colours).resize((480, 320), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
