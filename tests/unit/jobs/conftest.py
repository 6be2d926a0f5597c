"""A gate whose provider follows a script, over a real store, on a clock that runs a hundred times as fast."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from framegate import catalogue
from framegate.config.settings import Settings
from framegate.domain import Done, ProviderFile, Request, Running
from framegate.domain.errors import OutcomeUnknown
from framegate.jobs.account_health import AccountHealth
from framegate.jobs.references import ReferencePreparer
from framegate.jobs.routing import Router
from framegate.jobs.service import JobService
from framegate.jobs.state_machine.finalize import Finalizer
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.worker import Worker
from framegate.net.fetcher import Fetcher
from framegate.providers.base import Provider, ProviderRegistry
from framegate.storage.blobs import BlobStore
from framegate.store import Store
from framegate.store.engine import sqlite_url

SPEED = 100


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def lost_soon(monkeypatch):
    """An order that its provider does not know is soon given up; a busy machine is not taken for a frozen one."""
    monkeypatch.setattr("framegate.jobs.state_machine.machine.LOST_SECONDS", 1.0)
    monkeypatch.setattr("framegate.jobs.state_machine.machine.SENDING_SECONDS", 500.0)


class FastClock:
    """A hundred seconds pass in one."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> float:
        return 1_800_000_000 + (time.monotonic() - self._began) * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Scripted(Provider):
    """Answers from two lists, one of submits and one of looks; an exception in a list is raised.

    An entry that is a callable is called. The last look of a list is repeated.
    """

    name = "animatic"  # the one that the catalogue's free model is offered by
    poll_seconds = 0.5

    def __init__(self, film: Path, *, submits=(), looks=(), repeatable=False, concurrency=None, account="") -> None:
        self.film = film
        self.submits, self.looks = list(submits), list(looks)
        self.resubmittable, self.concurrency, self.account = repeatable, concurrency, account
        self.orders: list[str] = []
        self.finds: list = []  # what looking for a doubtful order finds; empty: there is no way
        self.cancelled: list[dict] = []
        self.now_in, self.most_in = set(), 0

    async def submit(self, order):
        self.orders.append(order.job_id)
        answer = self.submits.pop(0) if self.submits else None
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            await answer(order)
        self.now_in.add(order.job_id)
        self.most_in = max(self.most_in, len(self.now_in))
        return {"id": order.job_id}

    async def poll(self, handle):
        answer = (self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]) if self.looks else self.done(handle)
        if isinstance(answer, Exception):
            raise answer
        if answer == "done":
            answer = self.done(handle)
        if not isinstance(answer, Running):
            self.now_in.discard(handle["id"])
        return answer

    async def reconcile(self, order):
        if not self.finds:
            raise OutcomeUnknown
        answer = self.finds.pop(0) if len(self.finds) > 1 else self.finds[0]
        if isinstance(answer, Exception):
            raise answer
        return {"id": order.job_id} if answer else None

    async def cancel(self, handle):
        self.cancelled.append(handle)
        self.now_in.discard(handle["id"])
        return True

    def done(self, handle):
        copy = self.film.with_name(f"{handle['id']}.mp4")
        shutil.copy(self.film, copy)
        return Done(outputs=(ProviderFile(path=str(copy)),), cost_micro_usd=120_000)


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """One second of 64x64 at 8 frames per second."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=8, options={"threads": "1"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number * 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class World:
    """A gate's parts on one data folder; `restart` is a crash and a new process."""

    def __init__(self, folder: Path, *providers: Scripted, **settings) -> None:
        folder.mkdir(exist_ok=True)
        self.settings = Settings(data_dir=folder, **settings)
        self.provider = providers[0]
        self.providers = list(providers)
        self.clock = FastClock()
        self.jobs: JobService
        self.store: Store
        self.runner: Worker

    @asynccontextmanager
    async def open(self, *, run: bool = True) -> AsyncIterator["World"]:
        book = catalogue.builtin()
        offers = ProviderRegistry(self.providers)
        async with Store(sqlite_url(self.settings.data_dir)) as store, Fetcher(self.settings) as net:
            blobs = BlobStore(self.settings.data_dir / "blobs")
            standing = AccountHealth(self.clock)
            router = Router(book, offers, paused=standing.is_paused)
            common = {"settings": self.settings, "router": router, "clock": self.clock}
            self.store = store
            self.jobs = JobService(store=store, secret=b"s" * 32, blobs=blobs, net=net, **common)
            moves = JobStateMachine(
                providers=offers,
                account_health=standing,
                preparer=ReferencePreparer(self.settings, blobs, net, store.asset),
                finalizer=Finalizer(self.settings, blobs, net, self.clock),
                **common,
            )
            self.runner = Worker(store, moves, clock=self.clock)
            if run:
                await self.runner.start()
            try:
                yield self
            finally:
                await self.runner.stop()

    async def create(self, prompt="a cat", **fields):
        request = Request(model="framegate/animatic", prompt=prompt, **fields)
        return await self.jobs.create(request, owner="default", dialect="native")

    async def end(self, job):
        async with asyncio.timeout(20):
            while not (job := await self.jobs.get(job.id, owner="default")).state.is_final:
                await self.jobs.wait(job.id, owner="default", seconds=60)
        return job

    async def until(self, job, state):
        async with asyncio.timeout(20):
            async for event in self.jobs.events(job.id, owner="default"):
                if event.state is state:
                    return

    async def orders(self, job):
        return [order["state"] for order in await self.store.orders(job.id)]


@pytest.fixture
def world(tmp_path, film):
    """Make a gate whose provider follows a script."""

    def make(**script) -> World:
        settings = {name: script.pop(name) for name in ("job_deadline_seconds", "open_jobs_max") if name in script}
        work = tmp_path / "film"
        work.mkdir(exist_ok=True)
        copy = Path(shutil.copy(film, work / "film.mp4"))
        more = [Scripted(copy, **other) for other in script.pop("others", ())]
        return World(tmp_path / "data", Scripted(copy, **script), *more, **settings)

    return make
