"""The clients, sync and async: one-line methods over the same operations."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self, Unpack

from framegate.client import operations
from framegate.client.models import Asset, CheckResult, JobView, ModelRecord
from framegate.client.requests import ReferenceSource, VideoRequest
from framegate.client.streaming import EventFollower
from framegate.client.transport import AsyncDriver, Driver
from framegate.domain import Event

OnEvent = Callable[[Event], object]


class Job(JobView):
    """A job as of the last response, with its operations."""

    def __init__(self, raw: Mapping[str, Any], driver: Driver) -> None:
        super().__init__(raw)
        self.driver = driver

    @property
    def video(self) -> "Video":
        """The first finished video."""
        return Video(self, 0)

    def refresh(self) -> Self:
        """Get the current state of the job."""
        self.raw = self.driver.run(operations.get(self.id))
        return self

    def wait(self, timeout: float | None = None, on_event: OnEvent | None = None) -> Self:
        """Wait until the video is ready. Raises `JobFailed`, `JobCancelled`, `JobExpired` or `WaitTimeout`."""
        self.raw = self.driver.run(operations.wait(self.id, timeout, on_event, 0))
        return self

    def cancel(self) -> Self:
        """Cancel the job. Raises `Conflict` if it has already ended."""
        self.raw = self.driver.run(operations.cancel(self.id))
        return self

    def save(self, path: str | PathLike[str], index: int = 0) -> Path:
        """Download a finished video. The file is verified, and written completely or not at all."""
        return self.driver.run(operations.save(self, path, index))


class AsyncJob(JobView):
    """A job as of the last response, with its operations."""

    def __init__(self, raw: Mapping[str, Any], driver: AsyncDriver) -> None:
        super().__init__(raw)
        self.driver = driver

    @property
    def video(self) -> "AsyncVideo":
        """The first finished video."""
        return AsyncVideo(self, 0)

    async def refresh(self) -> Self:
        """Get the current state of the job."""
        self.raw = await self.driver.run(operations.get(self.id))
        return self

    async def wait(self, timeout: float | None = None, on_event: OnEvent | None = None) -> Self:  # noqa: ASYNC109 - the same signature as the sync one
        """Wait until the video is ready. Raises `JobFailed`, `JobCancelled`, `JobExpired` or `WaitTimeout`."""
        self.raw = await self.driver.run(operations.wait(self.id, timeout, on_event, 0))
        return self

    async def cancel(self) -> Self:
        """Cancel the job. Raises `Conflict` if it has already ended."""
        self.raw = await self.driver.run(operations.cancel(self.id))
        return self

    async def save(self, path: str | PathLike[str], index: int = 0) -> Path:
        """Download a finished video. The file is verified, and written completely or not at all."""
        return await self.driver.run(operations.save(self, path, index))


class Video:
    """One finished video of a job."""

    def __init__(self, job: Job, index: int) -> None:
        self._job = job
        self.index = index

    def save(self, path: str | PathLike[str]) -> Path:
        """Download it. The file is verified, and written completely or not at all."""
        return self._job.save(path, self.index)

    def save_poster(self, path: str | PathLike[str]) -> Path:
        """Save one frame as a JPEG."""
        return self._job.driver.run(operations.save(self._job, path, self.index, "poster.jpg"))

    def save_contact_sheet(self, path: str | PathLike[str]) -> Path:
        """Save frames of the whole video on one sheet, as a JPEG."""
        return self._job.driver.run(operations.save(self._job, path, self.index, "contact-sheet.jpg"))


class AsyncVideo:
    """One finished video of a job."""

    def __init__(self, job: AsyncJob, index: int) -> None:
        self._job = job
        self.index = index

    async def save(self, path: str | PathLike[str]) -> Path:
        """Download it. The file is verified, and written completely or not at all."""
        return await self._job.save(path, self.index)

    async def save_poster(self, path: str | PathLike[str]) -> Path:
        """Save one frame as a JPEG."""
        return await self._job.driver.run(operations.save(self._job, path, self.index, "poster.jpg"))

    async def save_contact_sheet(self, path: str | PathLike[str]) -> Path:
        """Save frames of the whole video on one sheet, as a JPEG."""
        return await self._job.driver.run(operations.save(self._job, path, self.index, "contact-sheet.jpg"))


class Videos:
    """The jobs of a gateway."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def create(self, *, idempotency_key: str | None = None, **request: Unpack[VideoRequest]) -> Job:
        """Create a job and return immediately. Raises `InvalidRequest` with every problem."""
        return Job(self._driver.run(operations.create(request, idempotency_key)), self._driver)

    def check(self, **request: Unpack[VideoRequest]) -> CheckResult:
        """Validate a request without submitting it."""
        return self._driver.run(operations.check(request))

    def get(self, job_id: str) -> Job:
        """Get a job."""
        return Job(self._driver.run(operations.get(job_id)), self._driver)

    def list(self, *, limit: int | None = None, status: Sequence[str] = (), model: str | None = None) -> Iterator[Job]:
        """List the jobs, newest first."""
        return self._driver.iterate(operations.pages(limit, status, model, lambda raw: Job(raw, self._driver)))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job. Raises `Conflict` if it has already ended."""
        return Job(self._driver.run(operations.cancel(job_id)), self._driver)

    def bill(self, job_id: str) -> Mapping[str, Any]:
        """Get the ledger entry of a job: reserved, settled, void or held, in millionths of a US dollar."""
        return self._driver.run(operations.bill(job_id))

    def retry(self, job_id: str, *, void_first: bool = False) -> Job:
        """Resubmit a job whose submission outcome is unknown, as a new job. It may cost twice.

        `void_first` releases the reservation that the original job holds. Raises `Conflict` if the outcome is known.
        """
        return Job(self._driver.run(operations.retry(job_id, void_first=void_first)), self._driver)

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its files."""
        self._driver.run(operations.delete(job_id))

    def events(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Follow the events of a job until it ends. After a lost connection the stream continues where it stopped."""
        return self._driver.iterate(operations.follow(EventFollower(job_id, after=after)))

    def report(self, job_id: str) -> Mapping[str, Any]:
        """Get the quality report of a finished job."""
        return self._driver.run(operations.report(job_id))

    def webhooks(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Get the webhooks of a job with their delivery attempts."""
        return self._driver.run(operations.webhooks(job_id))

    def replay_webhook(self, job_id: str, webhook_id: str) -> Mapping[str, Any]:
        """Send a webhook again, with the same id."""
        return self._driver.run(operations.replay_webhook(job_id, webhook_id))


class AsyncVideos:
    """The jobs of a gateway."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def create(self, *, idempotency_key: str | None = None, **request: Unpack[VideoRequest]) -> AsyncJob:
        """Create a job and return immediately. Raises `InvalidRequest` with every problem."""
        return AsyncJob(await self._driver.run(operations.create(request, idempotency_key)), self._driver)

    async def check(self, **request: Unpack[VideoRequest]) -> CheckResult:
        """Validate a request without submitting it."""
        return await self._driver.run(operations.check(request))

    async def get(self, job_id: str) -> AsyncJob:
        """Get a job."""
        return AsyncJob(await self._driver.run(operations.get(job_id)), self._driver)

    def list(
        self, *, limit: int | None = None, status: Sequence[str] = (), model: str | None = None
    ) -> AsyncIterator[AsyncJob]:
        """List the jobs, newest first."""
        return self._driver.iterate(operations.pages(limit, status, model, lambda raw: AsyncJob(raw, self._driver)))

    async def cancel(self, job_id: str) -> AsyncJob:
        """Cancel a job. Raises `Conflict` if it has already ended."""
        return AsyncJob(await self._driver.run(operations.cancel(job_id)), self._driver)

    async def bill(self, job_id: str) -> Mapping[str, Any]:
        """Get the ledger entry of a job: reserved, settled, void or held, in millionths of a US dollar."""
        return await self._driver.run(operations.bill(job_id))

    async def retry(self, job_id: str, *, void_first: bool = False) -> AsyncJob:
        """Resubmit a job whose submission outcome is unknown, as a new job. It may cost twice.

        `void_first` releases the reservation that the original job holds. Raises `Conflict` if the outcome is known.
        """
        return AsyncJob(await self._driver.run(operations.retry(job_id, void_first=void_first)), self._driver)

    async def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its files."""
        await self._driver.run(operations.delete(job_id))

    def events(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Follow the events of a job until it ends. After a lost connection the stream continues where it stopped."""
        return self._driver.iterate(operations.follow(EventFollower(job_id, after=after)))

    async def report(self, job_id: str) -> Mapping[str, Any]:
        """Get the quality report of a finished job."""
        return await self._driver.run(operations.report(job_id))

    async def webhooks(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Get the webhooks of a job with their delivery attempts."""
        return await self._driver.run(operations.webhooks(job_id))

    async def replay_webhook(self, job_id: str, webhook_id: str) -> Mapping[str, Any]:
        """Send a webhook again, with the same id."""
        return await self._driver.run(operations.replay_webhook(job_id, webhook_id))


class Models:
    """The models of a gateway."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def list(self) -> "list[ModelRecord]":
        """List the models with their limits and prices."""
        return self._driver.run(operations.list_models())


class AsyncModels:
    """The models of a gateway."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def list(self) -> "list[ModelRecord]":
        """List the models with their limits and prices."""
        return await self._driver.run(operations.list_models())


class Assets:
    """Stored files that requests can refer to."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def upload(self, source: ReferenceSource) -> Asset:
        """Upload a local file. Its `url` can be used as a reference in later requests."""
        return self._driver.run(operations.upload(source))


class AsyncAssets:
    """Stored files that requests can refer to."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def upload(self, source: ReferenceSource) -> Asset:
        """Upload a local file. Its `url` can be used as a reference in later requests."""
        return await self._driver.run(operations.upload(source))


class Framegate(Driver):
    """A client of a gateway. Address and key default to `FRAMEGATE_URL` and `FRAMEGATE_API_KEY`."""

    @property
    def videos(self) -> Videos:
        """The jobs of a gateway."""
        return Videos(self)

    @property
    def models(self) -> Models:
        """The models of a gateway."""
        return Models(self)

    @property
    def assets(self) -> Assets:
        """Stored files that requests can refer to."""
        return Assets(self)

    def gateway(self) -> Mapping[str, Any]:
        """Get facts about the gateway: `version`, and whether it is a `sandbox`."""
        return self.run(operations.gateway())

    def spend(self, *, by: str = "model", since: str | None = None, until: str | None = None) -> Mapping[str, Any]:
        """Get the spending by key, model, provider or day. `since` and `until` are UTC days such as 2026-11-01."""
        return self.run(operations.spend(by, since, until))


class AsyncFramegate(AsyncDriver):
    """A client of a gateway. Address and key default to `FRAMEGATE_URL` and `FRAMEGATE_API_KEY`."""

    @property
    def videos(self) -> AsyncVideos:
        """The jobs of a gateway."""
        return AsyncVideos(self)

    @property
    def models(self) -> AsyncModels:
        """The models of a gateway."""
        return AsyncModels(self)

    @property
    def assets(self) -> AsyncAssets:
        """Stored files that requests can refer to."""
        return AsyncAssets(self)

    async def gateway(self) -> Mapping[str, Any]:
        """Get facts about the gateway: `version`, and whether it is a `sandbox`."""
        return await self.run(operations.gateway())

    async def spend(
        self, *, by: str = "model", since: str | None = None, until: str | None = None
    ) -> Mapping[str, Any]:
        """Get the spending by key, model, provider or day. `since` and `until` are UTC days such as 2026-11-01."""
        return await self.run(operations.spend(by, since, until))
