"""In-process notification of job changes, and interruption of the worker."""

import asyncio
from typing import Self

import anyio


class JobNotifier:
    """Wakes those who watch a job, and interrupts the worker that drives it."""

    def __init__(self) -> None:
        self.work_available = asyncio.Event()
        self.delivery_available = asyncio.Event()  # a webhook is due
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}  # of the jobs that the worker drives
        self._interrupted: set[str] = set()

    def changed(self, job_id: str) -> None:
        """Report that a job has changed."""
        self.work_available.set()
        for event in self._watchers.get(job_id, ()):
            event.set()

    def watch(self, job_id: str) -> "Watch":
        """Return a watch on one job; it sees every change after this call."""
        return Watch(self._watchers, job_id)

    def track(self, job_id: str) -> None:
        """Start to track a job that the worker drives: interruptions are recorded from this call on."""
        self._scopes.setdefault(job_id, anyio.CancelScope())

    def untrack(self, job_id: str) -> None:
        """Stop tracking a job."""
        self._scopes.pop(job_id, None)
        self._interrupted.discard(job_id)

    def interrupt(self, job_id: str) -> None:
        """Cancel what the worker waits for in a job, so that it reads the job again."""
        scope = self._scopes.get(job_id)
        if scope is not None:
            self._interrupted.add(job_id)
            scope.cancel()

    def pop_interrupt(self, job_id: str) -> bool:
        """Whether a job was interrupted since the last call, also if the worker was not waiting."""
        is_interrupted = job_id in self._interrupted
        self._interrupted.discard(job_id)
        return is_interrupted

    def cancellable(self, job_id: str) -> anyio.CancelScope:
        """Return a scope that `interrupt` cancels; it is cancelled at once if the job was interrupted before."""
        scope = self._scopes[job_id] = anyio.CancelScope()
        if job_id in self._interrupted:
            scope.cancel()
        return scope


class Watch:
    """A watch on one job, as a context manager."""

    def __init__(self, watchers: dict[str, set[asyncio.Event]], job_id: str) -> None:
        self._watchers = watchers
        self._job_id = job_id
        self._event = asyncio.Event()

    def __enter__(self) -> Self:
        self._watchers.setdefault(self._job_id, set()).add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        events = self._watchers.get(self._job_id, set())
        events.discard(self._event)
        if not events:
            self._watchers.pop(self._job_id, None)

    async def change(self, *, within: float) -> bool:
        """Wait for a change, at most `within` seconds; return whether there was one since the last call."""
        try:
            async with asyncio.timeout(within):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
