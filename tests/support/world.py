"""A gateway whose providers follow scripts, over a real store, on a virtual machine."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from framegate.app.parts import Parts, build_parts
from framegate.config.settings import Settings
from framegate.domain import Done, Handle, Job, Order, ProviderFile, Request, Running, State
from framegate.domain.errors import OutcomeUnknown
from framegate.domain.keys import OPERATOR, Caller
from framegate.jobs.service import JobService
from framegate.jobs.worker import Worker
from framegate.providers.base import Provider
from framegate.store import Store
from support.stub_renderer import StubExecutor
from support.virtual_machine import VirtualMachine

PATIENCE_SECONDS = 30_000.0  # virtual: longer than any job of these tests takes


class ScriptedProvider(Provider):
    """Answers from two lists, one of submits and one of polls; an exception in a list is raised.

    An entry that is a callable is called. The last poll of a list is repeated.
    """

    name = "animatic"  # the provider of the catalogue's free model
    poll_seconds = 0.5

    def __init__(self, film: Path, *, submits=(), looks=(), repeatable=False, concurrency=None, account="") -> None:
        self.film = film
        self.submits: list[Any] = list(submits)
        self.looks: list[Any] = list(looks)
        self.resubmittable, self.concurrency, self.account = repeatable, concurrency, account
        self.orders: list[str] = []
        self.finds: list[Any] = []  # results of reconciliation; empty: the provider cannot reconcile
        self.cancelled: list[Handle] = []
        self.running: set[str] = set()
        self.running_max = 0

    async def submit(self, order):
        self.orders.append(order.job_id)
        answer = self.submits.pop(0) if self.submits else None
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            await cast("Callable[[Order], Awaitable[None]]", answer)(order)
        self.running.add(order.job_id)
        self.running_max = max(self.running_max, len(self.running))
        return {"id": order.job_id}

    async def poll(self, handle):
        answer = (self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]) if self.looks else self.done(handle)
        if isinstance(answer, Exception):
            raise answer
        if answer == "done":
            answer = self.done(handle)
        if not isinstance(answer, Running):
            self.running.discard(handle["id"])
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
        self.running.discard(handle["id"])
        return True

    def done(self, handle):
        copy = self.film.with_name(f"{handle['id']}.mp4")
        shutil.copy(self.film, copy)
        return Done(outputs=(ProviderFile(path=str(copy)),), cost_micro_usd=120_000)


class World:
    """A gateway's parts on one data folder; each `open` is a process of its own."""

    def __init__(self, machine: VirtualMachine, folder: Path, *providers: Provider, **settings: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.settings = Settings.model_validate({"data_dir": folder, **settings})
        self.providers = list(providers)
        self.clock = machine
        self.caller: Caller = OPERATOR
        self.parts: Parts

    @property
    def provider(self) -> Any:
        """The first provider."""
        return self.providers[0]

    @property
    def jobs(self) -> JobService:
        return self.parts.jobs

    @property
    def store(self) -> Store:
        return self.parts.store

    @property
    def worker(self) -> Worker:
        return self.parts.worker

    @asynccontextmanager
    async def open(self, *, run: bool = True) -> AsyncIterator["World"]:
        """Start the gateway; without `run` its worker waits for a call of `start`."""
        async with AsyncExitStack() as stack:
            executor = StubExecutor(self.clock)
            with patch.object(Worker, "start", Worker.start if run else _start_later):
                self.parts = await stack.enter_async_context(
                    build_parts(self.settings, self.clock, providers=self.providers, executor=executor)
                )
            yield self

    async def create(self, prompt: str = "a cat", **fields: Any) -> Job:
        """Create a job of the free model."""
        request = Request(model="framegate/animatic", prompt=prompt, **fields)
        return await self.jobs.create(request, caller=self.caller, dialect="native")

    async def end(self, job: Job) -> Job:
        """Wait for the job's end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (job := await self.jobs.get(job.id, owner="default")).state.is_final:
                await self.jobs.wait(job.id, owner="default", seconds=60)
        return job

    async def until(self, job: Job, state: State) -> None:
        """Wait until the job has been in a state."""
        await self._event(job, lambda event: event.state is state)

    async def until_stage(self, job: Job, start: str) -> None:
        """Wait until the job has been in a stage that starts so."""
        await self._event(job, lambda event: event.stage.startswith(start))

    async def _event(self, job: Job, matches) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for event in self.jobs.events(job.id, owner="default"):
                if matches(event):
                    return
        raise AssertionError(f"The job ended without it: {await self.jobs.history(job.id, owner='default')}")

    async def orders(self, job: Job) -> list[str]:
        """Return the states of the job's orders."""
        return [order["state"] for order in await self.store.orders(job.id)]


async def _start_later(_worker: Worker) -> None:
    """Leave the worker stopped."""
