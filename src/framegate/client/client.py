"""The gate as a client sees it, sync and async: one-line methods over the same flows."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self, Unpack

from framegate.client import operations
from framegate.client.models import Asset, CheckResult, JobView, Record
from framegate.client.requests import Source, VideoRequest
from framegate.client.streaming import Following
from framegate.client.transport import AsyncDriver, Driver
from framegate.domain import Event

OnEvent = Callable[[Event], object]


class Job(JobView):
    """A job, as it was when last looked at, and what can be done with it."""

    def __init__(self, raw: Mapping[str, Any], gate: Driver) -> None:
        super().__init__(raw)
        self.gate = gate

    @property
    def video(self) -> "Video":
        """The first finished video."""
        return Video(self, 0)

    def refresh(self) -> Self:
        """Look again."""
        self.raw = self.gate.run(operations.get(self.id))
        return self

    def wait(self, timeout: float | None = None, on_event: OnEvent | None = None) -> Self:
        """Return once the video is there. Raises `JobFailed`, `JobCancelled`, `JobExpired` or `WaitTimeout`."""
        self.raw = self.gate.run(operations.wait(self.id, timeout, on_event, 0))
        return self

    def cancel(self) -> Self:
        """Stop the job; raises `Conflict` when it is over already."""
        self.raw = self.gate.run(operations.cancel(self.id))
        return self

    def save(self, path: str | PathLike[str], index: int = 0) -> Path:
        """Download a finished video; the file is whole and right, or not there."""
        return self.gate.run(operations.save(self, path, index))


class AsyncJob(JobView):
    """A job, as it was when last looked at, and what can be done with it."""

    def __init__(self, raw: Mapping[str, Any], gate: AsyncDriver) -> None:
        super().__init__(raw)
        self.gate = gate

    @property
    def video(self) -> "AsyncVideo":
        """The first finished video."""
        return AsyncVideo(self, 0)

    async def refresh(self) -> Self:
        """Look again."""
        self.raw = await self.gate.run(operations.get(self.id))
        return self

    async def wait(self, timeout: float | None = None, on_event: OnEvent | None = None) -> Self:  # noqa: ASYNC109 - the same signature as the sync one
        """Return once the video is there. Raises `JobFailed`, `JobCancelled`, `JobExpired` or `WaitTimeout`."""
        self.raw = await self.gate.run(operations.wait(self.id, timeout, on_event, 0))
        return self

    async def cancel(self) -> Self:
        """Stop the job; raises `Conflict` when it is over already."""
        self.raw = await self.gate.run(operations.cancel(self.id))
        return self

    async def save(self, path: str | PathLike[str], index: int = 0) -> Path:
        """Download a finished video; the file is whole and right, or not there."""
        return await self.gate.run(operations.save(self, path, index))


class Video:
    """One finished video of a job."""

    def __init__(self, job: Job, index: int) -> None:
        self._job = job
        self.index = index

    def save(self, path: str | PathLike[str]) -> Path:
        """Download it; the file is whole and right, or not there."""
        return self._job.save(path, self.index)

    def save_poster(self, path: str | PathLike[str]) -> Path:
        """Save one frame of it, as a JPEG."""
        return self._job.gate.run(operations.save(self._job, path, self.index, "poster.jpg"))

    def save_contact_sheet(self, path: str | PathLike[str]) -> Path:
        """Save frames from the whole of it on one sheet, as a JPEG."""
        return self._job.gate.run(operations.save(self._job, path, self.index, "contact-sheet.jpg"))


class AsyncVideo:
    """One finished video of a job."""

    def __init__(self, job: AsyncJob, index: int) -> None:
        self._job = job
        self.index = index

    async def save(self, path: str | PathLike[str]) -> Path:
        """Download it; the file is whole and right, or not there."""
        return await self._job.save(path, self.index)

    async def save_poster(self, path: str | PathLike[str]) -> Path:
        """Save one frame of it, as a JPEG."""
        return await self._job.gate.run(operations.save(self._job, path, self.index, "poster.jpg"))

    async def save_contact_sheet(self, path: str | PathLike[str]) -> Path:
        """Save frames from the whole of it on one sheet, as a JPEG."""
        return await self._job.gate.run(operations.save(self._job, path, self.index, "contact-sheet.jpg"))


class Videos:
    """Jobs that make videos."""

    def __init__(self, gate: Driver) -> None:
        self._gate = gate

    def create(self, *, idempotency_key: str | None = None, **request: Unpack[VideoRequest]) -> Job:
        """Ask for a video and return at once. Raises `InvalidRequest` with every problem."""
        return Job(self._gate.run(operations.create(request, idempotency_key)), self._gate)

    def check(self, **request: Unpack[VideoRequest]) -> CheckResult:
        """Say what would come of the request; nothing is placed, nothing is spent."""
        return self._gate.run(operations.check(request))

    def get(self, job_id: str) -> Job:
        """Find a job."""
        return Job(self._gate.run(operations.get(job_id)), self._gate)

    def list(self, *, limit: int | None = None, status: Sequence[str] = (), model: str | None = None) -> Iterator[Job]:
        """Go through the jobs, newest first."""
        return self._gate.iterate(operations.pages(limit, status, model, lambda raw: Job(raw, self._gate)))

    def cancel(self, job_id: str) -> Job:
        """Stop a job; raises `Conflict` when it is over already."""
        return Job(self._gate.run(operations.cancel(job_id)), self._gate)

    def bill(self, job_id: str) -> Mapping[str, Any]:
        """Read how the money of a job stands: reserved, settled, void or held; in millionths of a US dollar."""
        return self._gate.run(operations.bill(job_id))

    def retry(self, job_id: str, *, void_first: bool = False) -> Job:
        """Order again what may have been ordered already, as a new job. It may cost twice.

        `void_first` gives up the reservation that the unsure job holds. Raises `Conflict` where its fate is known.
        """
        return Job(self._gate.run(operations.retry(job_id, void_first=void_first)), self._gate)

    def delete(self, job_id: str) -> None:
        """Remove a job that is over, and its files."""
        self._gate.run(operations.delete(job_id))

    def events(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Follow a job, change by change, to its end; a broken connection is taken up where it broke."""
        return self._gate.iterate(operations.follow(Following(job_id, after=after)))

    def report(self, job_id: str) -> Mapping[str, Any]:
        """Read the quality report of a finished job."""
        return self._gate.run(operations.report(job_id))

    def webhooks(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Read what a job had to tell its `callback_url`, and every try to do so."""
        return self._gate.run(operations.webhooks(job_id))

    def replay_webhook(self, job_id: str, webhook_id: str) -> Mapping[str, Any]:
        """Have a webhook sent again, under the same id."""
        return self._gate.run(operations.replay_webhook(job_id, webhook_id))


class AsyncVideos:
    """Jobs that make videos."""

    def __init__(self, gate: AsyncDriver) -> None:
        self._gate = gate

    async def create(self, *, idempotency_key: str | None = None, **request: Unpack[VideoRequest]) -> AsyncJob:
        """Ask for a video and return at once. Raises `InvalidRequest` with every problem."""
        return AsyncJob(await self._gate.run(operations.create(request, idempotency_key)), self._gate)

    async def check(self, **request: Unpack[VideoRequest]) -> CheckResult:
        """Say what would come of the request; nothing is placed, nothing is spent."""
        return await self._gate.run(operations.check(request))

    async def get(self, job_id: str) -> AsyncJob:
        """Find a job."""
        return AsyncJob(await self._gate.run(operations.get(job_id)), self._gate)

    def list(
        self, *, limit: int | None = None, status: Sequence[str] = (), model: str | None = None
    ) -> AsyncIterator[AsyncJob]:
        """Go through the jobs, newest first."""
        return self._gate.iterate(operations.pages(limit, status, model, lambda raw: AsyncJob(raw, self._gate)))

    async def cancel(self, job_id: str) -> AsyncJob:
        """Stop a job; raises `Conflict` when it is over already."""
        return AsyncJob(await self._gate.run(operations.cancel(job_id)), self._gate)

    async def bill(self, job_id: str) -> Mapping[str, Any]:
        """Read how the money of a job stands: reserved, settled, void or held; in millionths of a US dollar."""
        return await self._gate.run(operations.bill(job_id))

    async def retry(self, job_id: str, *, void_first: bool = False) -> AsyncJob:
        """Order again what may have been ordered already, as a new job. It may cost twice.

        `void_first` gives up the reservation that the unsure job holds. Raises `Conflict` where its fate is known.
        """
        return AsyncJob(await self._gate.run(operations.retry(job_id, void_first=void_first)), self._gate)

    async def delete(self, job_id: str) -> None:
        """Remove a job that is over, and its files."""
        await self._gate.run(operations.delete(job_id))

    def events(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Follow a job, change by change, to its end; a broken connection is taken up where it broke."""
        return self._gate.iterate(operations.follow(Following(job_id, after=after)))

    async def report(self, job_id: str) -> Mapping[str, Any]:
        """Read the quality report of a finished job."""
        return await self._gate.run(operations.report(job_id))

    async def webhooks(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Read what a job had to tell its `callback_url`, and every try to do so."""
        return await self._gate.run(operations.webhooks(job_id))

    async def replay_webhook(self, job_id: str, webhook_id: str) -> Mapping[str, Any]:
        """Have a webhook sent again, under the same id."""
        return await self._gate.run(operations.replay_webhook(job_id, webhook_id))


class Models:
    """The models behind the gate."""

    def __init__(self, gate: Driver) -> None:
        self._gate = gate

    def list(self) -> "list[Record]":
        """Read them all, with their limits and prices."""
        return self._gate.run(operations.list_models())


class AsyncModels:
    """The models behind the gate."""

    def __init__(self, gate: AsyncDriver) -> None:
        self._gate = gate

    async def list(self) -> "list[Record]":
        """Read them all, with their limits and prices."""
        return await self._gate.run(operations.list_models())


class Assets:
    """Files that the gate keeps for references."""

    def __init__(self, gate: Driver) -> None:
        self._gate = gate

    def upload(self, source: Source) -> Asset:
        """Store a local file; its `url` works as a reference in any later request."""
        return self._gate.run(operations.upload(source))


class AsyncAssets:
    """Files that the gate keeps for references."""

    def __init__(self, gate: AsyncDriver) -> None:
        self._gate = gate

    async def upload(self, source: Source) -> Asset:
        """Store a local file; its `url` works as a reference in any later request."""
        return await self._gate.run(operations.upload(source))


class Framegate(Driver):
    """A gate, by its address and key: `FRAMEGATE_URL` and `FRAMEGATE_API_KEY` where none is given."""

    @property
    def videos(self) -> Videos:
        """Jobs that make videos."""
        return Videos(self)

    @property
    def models(self) -> Models:
        """The models behind the gate."""
        return Models(self)

    @property
    def assets(self) -> Assets:
        """Files that the gate keeps for references."""
        return Assets(self)

    def spend(self, *, by: str = "model", since: str | None = None, until: str | None = None) -> Mapping[str, Any]:
        """Read what was spent, by key, model, provider or day; days are those of UTC, such as 2026-11-01."""
        return self.run(operations.spend(by, since, until))


class AsyncFramegate(AsyncDriver):
    """A gate, by its address and key: `FRAMEGATE_URL` and `FRAMEGATE_API_KEY` where none is given."""

    @property
    def videos(self) -> AsyncVideos:
        """Jobs that make videos."""
        return AsyncVideos(self)

    @property
    def models(self) -> AsyncModels:
        """The models behind the gate."""
        return AsyncModels(self)

    @property
    def assets(self) -> AsyncAssets:
        """Files that the gate keeps for references."""
        return AsyncAssets(self)

    async def spend(
        self, *, by: str = "model", since: str | None = None, until: str | None = None
    ) -> Mapping[str, Any]:
        """Read what was spent, by key, model, provider or day; days are those of UTC, such as 2026-11-01."""
        return await self.run(operations.spend(by, since, until))
