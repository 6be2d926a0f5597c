"""The operator's part of the clients, sync and async: the jobs, keys and money of all owners."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Unpack

from framegate.client import operations, requests
from framegate.client.jobs import AsyncJob, Job
from framegate.client.requests import KeyFields
from framegate.client.transport import AsyncDriver, Driver


class Admin:
    """The jobs, keys and money of all owners. Needs a key with the scope `admin`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def jobs(
        self,
        *,
        owner: str | None = None,
        held: bool = False,
        limit: int | None = None,
        status: Sequence[str] = (),
        model: str | None = None,
    ) -> Iterator[Job]:
        """List the jobs of all owners, or of one, newest first; `raw` has the `owner` and the `bill`."""
        filters = {"model": model, "held": "true" if held else None, "owner": owner}
        pages = operations.pages(limit, status, filters, lambda raw: Job(raw, self._driver), path="/admin/videos")
        return self._driver.iterate(pages)

    def job(self, job_id: str) -> Job:
        """Get a job of any owner; `raw` has the `owner` and the `bill`."""
        path = requests.video_path(job_id)
        return Job(self._driver.run(operations.admin_get(path)), self._driver)

    def settle(self, job_id: str, cost_micro_usd: int) -> Mapping[str, Any]:
        """Set the final cost of a held job, in millionths of a US dollar; 0 for nothing. Returns its ledger entry."""
        path, body = requests.video_path(job_id, "/settle"), {"cost_micro_usd": cost_micro_usd}
        return self._driver.run(operations.admin_post(path, body))

    def spend(
        self, *, by: str = "model", since: str | None = None, until: str | None = None, owner: str | None = None
    ) -> Mapping[str, Any]:
        """Get the spending of all owners, or of one."""
        return self._driver.run(operations.spend(by, since, until, path="/admin/spend", owner=owner))

    def keys(self) -> Sequence[Mapping[str, Any]]:
        """List the API keys, oldest first."""
        return (self._driver.run(operations.admin_get("/keys")))["data"]

    def create_key(self, **fields: Unpack[KeyFields]) -> Mapping[str, Any]:
        """Create an API key; its text is `key`, and is shown once."""
        return self._driver.run(operations.admin_post("/keys", fields, repeatable=False))

    def set_budget(
        self, key_id: str, budget_micro_usd: int | None, budget_period: str | None = None
    ) -> Mapping[str, Any]:
        """Set the budget of a key in millionths of a US dollar; None removes it."""
        body = {"budget_micro_usd": budget_micro_usd, "budget_period": budget_period}
        return self._driver.run(operations.admin_post(requests.key_path(key_id, "/budget"), body))

    def revoke_key(self, key_id: str) -> Mapping[str, Any]:
        """Revoke a key permanently."""
        return self._driver.run(operations.admin_post(requests.key_path(key_id, "/revoke")))


class AsyncAdmin:
    """The jobs, keys and money of all owners. Needs a key with the scope `admin`."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    def jobs(
        self,
        *,
        owner: str | None = None,
        held: bool = False,
        limit: int | None = None,
        status: Sequence[str] = (),
        model: str | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """List the jobs of all owners, or of one, newest first; `raw` has the `owner` and the `bill`."""
        filters = {"model": model, "held": "true" if held else None, "owner": owner}
        pages = operations.pages(limit, status, filters, lambda raw: AsyncJob(raw, self._driver), path="/admin/videos")
        return self._driver.iterate(pages)

    async def job(self, job_id: str) -> AsyncJob:
        """Get a job of any owner; `raw` has the `owner` and the `bill`."""
        path = requests.video_path(job_id)
        return AsyncJob(await self._driver.run(operations.admin_get(path)), self._driver)

    async def settle(self, job_id: str, cost_micro_usd: int) -> Mapping[str, Any]:
        """Set the final cost of a held job, in millionths of a US dollar; 0 for nothing. Returns its ledger entry."""
        path, body = requests.video_path(job_id, "/settle"), {"cost_micro_usd": cost_micro_usd}
        return await self._driver.run(operations.admin_post(path, body))

    async def spend(
        self, *, by: str = "model", since: str | None = None, until: str | None = None, owner: str | None = None
    ) -> Mapping[str, Any]:
        """Get the spending of all owners, or of one."""
        return await self._driver.run(operations.spend(by, since, until, path="/admin/spend", owner=owner))

    async def keys(self) -> Sequence[Mapping[str, Any]]:
        """List the API keys, oldest first."""
        return (await self._driver.run(operations.admin_get("/keys")))["data"]

    async def create_key(self, **fields: Unpack[KeyFields]) -> Mapping[str, Any]:
        """Create an API key; its text is `key`, and is shown once."""
        return await self._driver.run(operations.admin_post("/keys", fields, repeatable=False))

    async def set_budget(
        self, key_id: str, budget_micro_usd: int | None, budget_period: str | None = None
    ) -> Mapping[str, Any]:
        """Set the budget of a key in millionths of a US dollar; None removes it."""
        body = {"budget_micro_usd": budget_micro_usd, "budget_period": budget_period}
        return await self._driver.run(operations.admin_post(requests.key_path(key_id, "/budget"), body))

    async def revoke_key(self, key_id: str) -> Mapping[str, Any]:
        """Revoke a key permanently."""
        return await self._driver.run(operations.admin_post(requests.key_path(key_id, "/revoke")))
