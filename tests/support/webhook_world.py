"""Webhook deliveries without jobs that run: a store, a dispatcher on a virtual machine, and a dialect for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

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
from support.virtual_machine import VirtualMachine

MASTER = b"m" * 32
PATIENCE_SECONDS = 3000.0  # virtual


def every_move(before: Job | None, after: Job) -> list[str]:
    return [f"job.{after.state.value}"]


CHATTY = WebhookDialect(
    dialect="chatty",
    events=every_move,
    body=lambda event: {"event": event.id, "type": event.type},
    headers=lambda attempt: {},
    per_attempt_body=lambda body, attempt, attempts_max: {**body, "attempt": f"{attempt}/{attempts_max}"},
    schedule_seconds=(5.0, 10.0),
    timeout_seconds=50.0,
)


class WebhookWorld:
    """A store and a dispatcher on one data folder; each `open` is a process of its own. Receivers are real."""

    def __init__(self, machine: VirtualMachine, folder: Path) -> None:
        self.folder = folder
        self.clock = machine
        signer = UrlSigner(secret=b"l" * 32, seconds=3600, clock=machine)
        self.webhook_dialects = WebhookDialects(
            [native.webhook_dialect(signer), CHATTY], machine=machine, master=MASTER
        )
        self.private_allowed = True
        self.store: Store

    @asynccontextmanager
    async def open(self, *, deliver: bool = True) -> AsyncIterator["WebhookWorld"]:
        settings = Settings(data_dir=self.folder, allow_private_addresses=self.private_allowed)
        async with (
            Store(sqlite_url(self.folder), machine=self.clock) as store,
            Fetcher(settings, machine=self.clock) as net,
        ):
            self.store = store
            dispatcher = WebhookDispatcher(store, net, self.webhook_dialects, machine=self.clock)
            if deliver:
                await dispatcher.start()
            try:
                yield self
            finally:
                await dispatcher.stop()

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
        return await self.store.insert(job, deliveries=self.webhook_dialects.deliveries(None, job))

    async def move(self, job: Job, state: State, **changes) -> Job:
        after = next_version(job, self.clock.now(), state=state, stage=state.value, **changes)
        return await self.store.apply(after, due_at=0, deliveries=self.webhook_dialects.deliveries(job, after))

    async def settled(self, job: Job, *, count: int):
        """The job's deliveries, once there are so many and none of them is waiting."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = await self.store.outbox.of_job(job.id)
                if len(found) == count and all(one.state is not DeliveryState.WAITING for one in found):
                    return found
                await asyncio.sleep(1)

    async def tried(self, job: Job, *, tries: int):
        """The job's first delivery, once it was tried so often."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                first = (await self.store.outbox.of_job(job.id))[0]
                if len(first.log) >= tries:
                    return first
                await asyncio.sleep(0.1)

    def hook_with(self, **changes) -> None:
        self.webhook_dialects = WebhookDialects([replace(CHATTY, **changes)], machine=self.clock, master=MASTER)
