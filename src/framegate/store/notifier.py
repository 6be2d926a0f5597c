"""Who waits for a change of a job is woken here, within this process."""

import asyncio
from typing import Self

import anyio


class JobNotifier:
    """Wakes those who follow a job, and interrupts the one who moves it."""

    def __init__(self) -> None:
        self.work_available = asyncio.Event()
        self.delivery_available = asyncio.Event()  # a webhook is to be sent
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._moving: dict[str, anyio.CancelScope] = {}
        self._interrupted: set[str] = set()

    def changed(self, job_id: str) -> None:
        """Tell everybody that a job has changed."""
        self.work_available.set()
        for event in self._followers.get(job_id, ()):
            event.set()

    def watch(self, job_id: str) -> "Watch":
        """Follow one job: what changes after this call is not missed."""
        return Watch(self._followers, job_id)

    def track(self, job_id: str) -> None:
        """The runner has this job now: from here on an interruption of it is not missed."""
        self._moving.setdefault(job_id, anyio.CancelScope())

    def interrupt(self, job_id: str) -> None:
        """Break off whatever the runner now waits for on behalf of a job, so that it looks at the job anew."""
        scope = self._moving.get(job_id)
        if scope is not None:
            self._interrupted.add(job_id)
            scope.cancel()

    def pop_interrupt(self, job_id: str) -> bool:
        """Whether a job was interrupted since this was asked last, be it that nothing was waited for just then."""
        was = job_id in self._interrupted
        self._interrupted.discard(job_id)
        return was

    def cancellable(self, job_id: str) -> anyio.CancelScope:
        """A scope for a wait that `interrupt` may break off, or has broken off before it began."""
        scope = self._moving[job_id] = anyio.CancelScope()
        if job_id in self._interrupted:
            scope.cancel()
        return scope

    def untrack(self, job_id: str) -> None:
        """Nobody moves the job any more."""
        self._moving.pop(job_id, None)
        self._interrupted.discard(job_id)


class Watch:
    """One follower of one job; a context manager."""

    def __init__(self, followers: dict[str, set[asyncio.Event]], job_id: str) -> None:
        self._followers = followers
        self._job_id = job_id
        self._event = asyncio.Event()

    def __enter__(self) -> Self:
        self._followers.setdefault(self._job_id, set()).add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        others = self._followers.get(self._job_id, set())
        others.discard(self._event)
        if not others:
            self._followers.pop(self._job_id, None)

    async def change(self, *, within: float) -> bool:
        """Wait for a change for so many seconds; say whether there was one since the last call."""
        try:
            async with asyncio.timeout(within):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
