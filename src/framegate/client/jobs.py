"""A job and its finished videos, sync and async."""

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Self

from framegate.client import operations
from framegate.client.models import JobView
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
