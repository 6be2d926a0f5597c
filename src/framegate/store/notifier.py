"""In-process notification of job changes, and interruption of the worker."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Self

import anyio


class JobNotifier:
    """Wakes those who watch a job, and interrupts the worker that drives it."""

    def __init__(self) -> None:
        self.work_available = asyncio.Event()
        self.delivery_available = asyncio.Event()  # a webhook is due
        self._watchers: dict[str, set[Watch]] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}  # of the jobs that the worker drives
        self._interrupted: set[str] = set()

    def changed(self, job_id: str) -> None:
        """Report that a job has changed."""
        self.work_available.set()
        for watch in self._watchers.get(job_id, ()):
            watch.wake()

    def watched(self) -> tuple[str, ...]:
        """Return the ids of the jobs that are watched."""
        return tuple(self._watchers)

    def compare(self, job_ids: Sequence[str], versions: Mapping[str, int]) -> None:
        """Wake those who have read another version of a job; a job without a version is deleted."""
        for job_id in job_ids:
            for watch in self._watchers.get(job_id, ()):
                if watch.version != versions.get(job_id):
                    watch.wake()

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

    def __init__(self, watchers: "dict[str, set[Watch]]", job_id: str) -> None:
        self.version: int | None = None  # of the job as its watcher last read it
        self._watchers = watchers
        self._job_id = job_id
        self._event = asyncio.Event()

    def __enter__(self) -> Self:
        self._watchers.setdefault(self._job_id, set()).add(self)
        return self

    def __exit__(self, *_: object) -> None:
        watches = self._watchers.get(self._job_id, set())
        watches.discard(self)
        if not watches:
            self._watchers.pop(self._job_id, None)

    def wake(self) -> None:
        """End the present call of `change`, or the next one."""
        self._event.set()

    def pop(self) -> bool:
        """Whether there was a change since the last call of this or `change`."""
        is_changed = self._event.is_set()
        self._event.clear()
        return is_changed

    async def change(self, *, within: float | None = None) -> bool:
        """Wait for a change, at most `within` seconds; return whether there was one since the last call."""
        try:
            async with asyncio.timeout(within):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
