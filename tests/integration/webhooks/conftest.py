"""A store, a deliverer on a clock that runs a hundred times as fast, and receivers that are real."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from framegate.api.dialects import native
from framegate.api.http.signed_urls import UrlSigner
from framegate.config.settings import Settings
from framegate.domain import DeliveryState, Job, Request, State, Target
from framegate.jobs.webhooks.dialect import WebhookDialect, WebhookDialects
from framegate.jobs.webhooks.dispatcher import WebhookDispatcher
from framegate.net.fetcher import Fetcher
from framegate.store import Store
from framegate.store.engine import sqlite_url
from framegate.store.job_writes import next_version

SPEED = 100
MASTER = b"m" * 32


@pytest.fixture
def anyio_backend():
    return "asyncio"


class FastClock:
    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> float:
        return 1_800_000_000 + (time.monotonic() - self._began) * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


def every_move(before: Job | None, after: Job) -> list[str]:
    return [f"job.{after.state.value}"]


CHATTY = WebhookDialect(
    dialect="chatty",
    events=every_move,
    body=lambda happening: {"event": happening.id, "type": happening.type},
    headers=lambda sending: {},
    per_attempt_body=lambda body, attempt, attempts_max: {**body, "attempt": f"{attempt}/{attempts_max}"},
    schedule_seconds=(5.0, 10.0),
    timeout_seconds=50.0,
)


class World:
    """One data folder; each `open` is a process of its own."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.clock = FastClock()
        self.hooks = WebhookDialects([native.hook(UrlSigner(secret=b"l" * 32, seconds=3600)), CHATTY], master=MASTER)
        self.private_allowed = True
        self.store: Store

    @asynccontextmanager
    async def open(self, *, deliver: bool = True) -> AsyncIterator["World"]:
        settings = Settings(data_dir=self.folder, allow_private_addresses=self.private_allowed)
        async with Store(sqlite_url(self.folder)) as store, Fetcher(settings) as net:
            self.store = store
            deliverer = WebhookDispatcher(store, net, self.hooks, clock=self.clock)
            if deliver:
                await deliverer.start()
            try:
                yield self
            finally:
                await deliverer.stop()

    async def create(self, url: str, *, number: int = 1, dialect: str = "chatty") -> Job:
        job = Job(
            id=f"0190a000-0000-7000-8000-{number:012x}",
            owner="acme",
            dialect=dialect,
            request=Request(model="framegate/animatic", prompt="a cat", callback_url=url),
            model="framegate/animatic",
            target=Target(width=640, height=360, fps=24, duration=4, audio=False, seed=None),
            created_at=self.clock.now(),
            updated_at=self.clock.now(),
            deadline_at=self.clock.now() + 3600,
            base_url="https://gate.example/api/v1",
        )
        return await self.store.insert(job, deliveries=self.hooks.deliveries(None, job))

    async def move(self, job: Job, state: State, **changes) -> Job:
        after = next_version(job, self.clock.now(), state=state, stage=state.value, **changes)
        return await self.store.apply(after, due_at=0, deliveries=self.hooks.deliveries(job, after))

    async def settled(self, job: Job, *, count: int):
        """The job's deliveries, once there are so many and none of them is waiting."""
        async with asyncio.timeout(30):
            while True:
                found = await self.store.outbox.of_job(job.id)
                if len(found) == count and all(one.state is not DeliveryState.WAITING for one in found):
                    return found
                await asyncio.sleep(0.02)

    async def tried(self, job: Job, *, tries: int):
        """The job's first delivery, once it was tried so often."""
        async with asyncio.timeout(30):
            while True:
                first = (await self.store.outbox.of_job(job.id))[0]
                if len(first.log) >= tries:
                    return first
                await asyncio.sleep(0.01)

    def hook_with(self, **changes) -> None:
        self.hooks = WebhookDialects([replace(CHATTY, **changes)], master=MASTER)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)
