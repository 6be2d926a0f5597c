"""Render pool: warm child processes, each with one render at a time; they end with the gateway."""

import asyncio
import contextlib
import json
import logging
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from framegate.domain import Done, Failed, Fault, Lost, ProviderFile, Running, Update

_log = logging.getLogger(__name__)

LINE_BYTES_MAX = 2**20
RENDERS_REMEMBERED_MAX = 1_000


@dataclass(slots=True)
class Render:
    """One render: its specification and its progress or result."""

    id: str
    spec: dict[str, Any]
    update: Update = field(default_factory=Running)
    worker: "RenderWorker | None" = None


class RenderWorker:
    """One child process and its current render."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.render: Render | None = None
        self.killed = False

    @classmethod
    async def spawn(cls) -> "RenderWorker":
        """Start a child process; it loads its libraries at once."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "framegate.animatic",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # the gateway handles ctrl-C
        )
        return cls(process)

    def assign(self, render: Render) -> None:
        """Start a render."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe, see `spawn`
        render.worker, self.render = self, render
        self.process.stdin.write(json.dumps({"id": render.id, "spec": render.spec}).encode() + b"\n")

    async def follow(self) -> bool:
        """Follow the current render to its end; return False if the process ended first."""
        assert self.process.stdout is not None  # noqa: S101 - a pipe, see `spawn`
        while self.render is not None:
            line = await self.process.stdout.readline()
            if not line:
                self.render.update = Lost()
                self.render = None
                return False
            self._handle(json.loads(line), self.render)
        return True

    def _handle(self, message: dict[str, Any], render: Render) -> None:
        if message["id"] != render.id:
            return
        match message["event"]:
            case "progress":
                render.update = Running(progress=message["progress"], stage=message["stage"])
            case "done":
                rendered = message["rendered"]
                notes = tuple(rendered.get("notes", ()))
                render.update = Done(outputs=(ProviderFile(path=rendered["path"]),), cost_micro_usd=0, notes=notes)
                self.render = None
            case _:
                code = str(message.get("code", "render_failed"))
                reason = f"The renderer failed: {message.get('message')}."
                render.update = Failed(fault=Fault(code=f"render_{code}", message=reason))
                self.render = None

    def kill(self) -> None:
        """Kill the process."""
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class RenderPool:
    """At most `size` renders at once, each in its own process; the others wait in order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._renders: dict[str, Render] = {}
        self._waiting: deque[Render] = deque()
        self._idle: list[RenderWorker] = []
        self._busy: dict[RenderWorker, asyncio.Task[None]] = {}
        self._starting = 0  # renders that left the queue and wait for their process to start
        self._spare: asyncio.Task[None] | None = None

    def warm(self) -> None:
        """Start one process ahead of the first render."""
        if not self._idle and not self._busy and self._spare is None:
            self._spare = asyncio.create_task(self._spawn_spare(), name="framegate-pool-warm")

    async def _spawn_spare(self) -> None:
        self._idle.append(await RenderWorker.spawn())

    async def start(self, render_id: str, spec: dict[str, Any]) -> None:
        """Queue a render. An earlier one with the same id is dropped first: both would write the same file."""
        await self.forget(render_id)
        render = Render(render_id, spec)
        self._renders[render_id] = render
        while len(self._renders) > RENDERS_REMEMBERED_MAX:
            self._renders.pop(next(iter(self._renders)))
        self._waiting.append(render)
        await self._start_waiting()

    def poll(self, render_id: str) -> Update:
        """Return the progress or result of a render; `Lost` for an unknown one."""
        render = self._renders.get(render_id)
        return Lost() if render is None else render.update

    async def forget(self, render_id: str) -> None:
        """Drop a render, and kill its process if it is running."""
        render = self._renders.pop(render_id, None)
        if render is None:
            return
        if render in self._waiting:
            self._waiting.remove(render)
        elif render.worker is not None and render.worker.render is render:
            render.worker.kill()
            await render.worker.process.wait()

    async def close(self) -> None:
        """Kill every process."""
        self._waiting.clear()
        if self._spare is not None:
            await asyncio.gather(self._spare, return_exceptions=True)
        workers = [*self._idle, *self._busy]
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        for worker in workers:
            worker.kill()
        await asyncio.gather(*tasks, *(worker.process.wait() for worker in workers), return_exceptions=True)
        self._idle.clear()
        self._busy.clear()

    async def _start_waiting(self) -> None:
        if self._spare is not None:
            spare, self._spare = self._spare, None
            await spare
        while self._waiting and len(self._busy) + self._starting < self.size:
            render = self._waiting.popleft()
            try:
                worker = await self._free_worker()
            except OSError as error:  # out of processes or memory: as if the process had ended
                _log.warning("Render process not started: %s", error)
                render.update = Lost()
                continue
            if self._renders.get(render.id) is not render:  # dropped while its process started
                self._idle.append(worker)
                continue
            worker.assign(render)
            self._busy[worker] = asyncio.create_task(self._follow(worker), name=f"framegate-render-{render.id}")

    async def _free_worker(self) -> RenderWorker:
        """Return an idle process, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:
                return worker
        self._starting += 1
        try:
            return await RenderWorker.spawn()
        finally:
            self._starting -= 1

    async def _follow(self, worker: RenderWorker) -> None:
        try:
            alive = await worker.follow()
        finally:
            self._busy.pop(worker, None)
        if alive:
            self._idle.append(worker)
        elif not worker.killed:
            worker.kill()
            code = await worker.process.wait()
            _log.warning("Render process ended with status %s; its render will be retried.", code)
        await self._start_waiting()
