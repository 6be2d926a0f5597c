"""The clients, sync and async: one-line methods over the same operations."""

import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Unpack

from framegate.client import operations
from framegate.client.admin import Admin, AsyncAdmin
from framegate.client.jobs import AsyncJob, Job
from framegate.client.models import Asset, CheckResult, ModelRecord
from framegate.client.requests import ReferenceSource, VideoRequest
from framegate.client.streaming import EventFollower
from framegate.client.transport import AsyncDriver, Driver
from framegate.domain import Event


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

    def list(
        self, *, limit: int | None = None, status: Sequence[str] = (), model: str | None = None, held: bool = False
    ) -> Iterator[Job]:
        """List the jobs, newest first; with `held` only those whose cost is held."""
        filters = {"model": model, "held": "true" if held else None}
        return self._driver.iterate(operations.pages(limit, status, filters, lambda raw: Job(raw, self._driver)))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job. Raises `Conflict` if it has already ended."""
        return Job(self._driver.run(operations.cancel(job_id)), self._driver)

    def bill(self, job_id: str) -> Mapping[str, Any]:
        """Get the ledger entry of a job: reserved, settled, void or held, in millionths of a US dollar."""
        return self._driver.run(operations.bill(job_id))

    def rerun(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Make the video of a job that has ended again, as a new job with the same request. It costs again.

        Raises `Conflict` for a job that has not ended, or whose submission outcome is unknown.
        """
        return Job(self._driver.run(operations.rerun(job_id, idempotency_key)), self._driver)

    def resubmit(self, job_id: str, *, void_first: bool = False) -> Job:
        """Resubmit a job whose submission outcome is unknown, as a new job. It may cost twice.

        `void_first` releases the reservation that the original job holds. Raises `Conflict` if the outcome is known.
        """
        return Job(self._driver.run(operations.resubmit(job_id, void_first=void_first)), self._driver)

    def retry(self, job_id: str, *, void_first: bool = False) -> Job:
        """Former name of `resubmit`."""
        warnings.warn("videos.retry is now videos.resubmit", DeprecationWarning, stacklevel=2)
        return self.resubmit(job_id, void_first=void_first)

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its files."""
        self._driver.run(operations.delete(job_id))

    def events(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Follow the events of a job until it ends. After a lost connection the stream continues where it stopped."""
        return self._driver.iterate(operations.follow(EventFollower(job_id, after=after)))

    def report(self, job_id: str) -> Mapping[str, Any]:
        """Get the quality report of a finished job."""
        return self._driver.run(operations.report(job_id))

    def references(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Get the references of a job, each with its role, kind, name and URL."""
        return self._driver.run(operations.references(job_id))

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
        self, *, limit: int | None = None, status: Sequence[str] = (), model: str | None = None, held: bool = False
    ) -> AsyncIterator[AsyncJob]:
        """List the jobs, newest first; with `held` only those whose cost is held."""
        filters = {"model": model, "held": "true" if held else None}
        return self._driver.iterate(operations.pages(limit, status, filters, lambda raw: AsyncJob(raw, self._driver)))

    async def cancel(self, job_id: str) -> AsyncJob:
        """Cancel a job. Raises `Conflict` if it has already ended."""
        return AsyncJob(await self._driver.run(operations.cancel(job_id)), self._driver)

    async def bill(self, job_id: str) -> Mapping[str, Any]:
        """Get the ledger entry of a job: reserved, settled, void or held, in millionths of a US dollar."""
        return await self._driver.run(operations.bill(job_id))

    async def rerun(self, job_id: str, *, idempotency_key: str | None = None) -> AsyncJob:
        """Make the video of a job that has ended again, as a new job with the same request. It costs again.

        Raises `Conflict` for a job that has not ended, or whose submission outcome is unknown.
        """
        return AsyncJob(await self._driver.run(operations.rerun(job_id, idempotency_key)), self._driver)

    async def resubmit(self, job_id: str, *, void_first: bool = False) -> AsyncJob:
        """Resubmit a job whose submission outcome is unknown, as a new job. It may cost twice.

        `void_first` releases the reservation that the original job holds. Raises `Conflict` if the outcome is known.
        """
        return AsyncJob(await self._driver.run(operations.resubmit(job_id, void_first=void_first)), self._driver)

    async def retry(self, job_id: str, *, void_first: bool = False) -> AsyncJob:
        """Former name of `resubmit`."""
        warnings.warn("videos.retry is now videos.resubmit", DeprecationWarning, stacklevel=2)
        return await self.resubmit(job_id, void_first=void_first)

    async def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its files."""
        await self._driver.run(operations.delete(job_id))

    def events(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Follow the events of a job until it ends. After a lost connection the stream continues where it stopped."""
        return self._driver.iterate(operations.follow(EventFollower(job_id, after=after)))

    async def report(self, job_id: str) -> Mapping[str, Any]:
        """Get the quality report of a finished job."""
        return await self._driver.run(operations.report(job_id))

    async def references(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Get the references of a job, each with its role, kind, name and URL."""
        return await self._driver.run(operations.references(job_id))

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
    """A client of a gateway. Address and key default to `FRAMEGATE_URL` and `FRAMEGATE_API_KEY`.

    `timeout` is the time in seconds that the gateway may be silent during a request, 120 by default; a job may take
    longer. Raises `AddressInvalid` and `KeyInvalid`.
    """

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

    @property
    def admin(self) -> Admin:
        """The jobs, keys and money of all owners."""
        return Admin(self)

    def gateway(self) -> Mapping[str, Any]:
        """Get facts about the gateway: `version`, and whether it is a `sandbox`."""
        return self.run(operations.gateway())

    def spend(self, *, by: str = "model", since: str | None = None, until: str | None = None) -> Mapping[str, Any]:
        """Get the spending by key, model, provider or day. `since` and `until` are UTC days such as 2026-11-01."""
        return self.run(operations.spend(by, since, until))


class AsyncFramegate(AsyncDriver):
    """A client of a gateway. Address and key default to `FRAMEGATE_URL` and `FRAMEGATE_API_KEY`.

    `timeout` is the time in seconds that the gateway may be silent during a request, 120 by default; a job may take
    longer. Raises `AddressInvalid` and `KeyInvalid`.
    """

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

    @property
    def admin(self) -> AsyncAdmin:
        """The jobs, keys and money of all owners."""
        return AsyncAdmin(self)

    async def gateway(self) -> Mapping[str, Any]:
        """Get facts about the gateway: `version`, and whether it is a `sandbox`."""
        return await self.run(operations.gateway())

    async def spend(
        self, *, by: str = "model", since: str | None = None, until: str | None = None
    ) -> Mapping[str, Any]:
        """Get the spending by key, model, provider or day. `since` and `until` are UTC days such as 2026-11-01."""
        return await self.run(operations.spend(by, since, until))
