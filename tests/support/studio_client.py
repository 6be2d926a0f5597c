"""A gateway that orders from the studio, set up as an operator would, and its clients."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from framegate.config.loading import load
from framegate.domain import BudgetPeriod
from framegate.domain.keys import new_key
from framegate.store import Store
from framegate.store.engine import sqlite_url
from support.served_gateway import ServedGateway, served

# Polls come ten seconds after one another, which is too long for tests.
FREQUENT_POLLS = """
from framegate.providers import http, registry
kinds = [http.HttpProvider]
for kind in kinds:
    kinds += kind.__subclasses__()
    kind.poll_seconds = 0.1
"""
OWNERS = {"acme": None, "other": None, "agent": 300_000}  # each with one key, and what its jobs may cost
MODEL = {"model": "x-ai/grok-imagine-video", "duration": 1, "resolution": "480p"}


class Client:
    """A client of the gateway, with one key."""

    def __init__(self, api: str, key: str) -> None:
        headers = {"authorization": f"Bearer {key}"}
        self.http = httpx2.Client(base_url=api, headers=headers, timeout=70, trust_env=False)

    def create(self, prompt: str, **wanted: Any) -> httpx2.Response:
        headers = wanted.pop("headers", {})
        return self.http.post("/videos", json={**MODEL, "prompt": prompt, **wanted}, headers=headers)

    def placed(self, prompt: str, **wanted: Any) -> str:
        answer = self.create(prompt, **wanted)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def job(self, job_id: str, wait: int = 0) -> dict[str, Any]:
        answer = self.http.get(f"/videos/{job_id}", params={"wait": wait})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def made(self, prompt: str, **wanted: Any) -> dict[str, Any]:
        """The job at its end."""
        return self.job(self.placed(prompt, **wanted), wait=60)

    def bill(self, job: dict[str, Any]) -> dict[str, Any]:
        return self.http.get(f"/videos/{job['id']}/bill").json()

    def content(self, job: dict[str, Any]) -> httpx2.Response:
        return self.http.get(f"/videos/{job['id']}/content")

    def upload(self, data: bytes) -> str:
        headers = {"content-type": "application/octet-stream"}
        return self.http.post("/assets", content=data, headers=headers).json()["url"]

    def check(self, prompt: str, **wanted: Any) -> dict[str, Any]:
        return self.http.post("/videos/check", json={**MODEL, "prompt": prompt, **wanted}).json()

    def problems(self, prompt: str, **wanted: Any) -> dict[str, dict[str, Any]]:
        """What is wrong with a request that is refused, by code."""
        answer = self.create(prompt, **wanted)
        assert answer.status_code == 400, answer.text
        return {one["code"]: one for one in answer.json()["error"]["metadata"]["problems"]}

    def tried(self, job: dict[str, Any]) -> dict[str, Any]:
        """The first try to send a job's webhook, once it is noted."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            (webhook,) = self.http.get(f"/videos/{job['id']}/webhooks").json()["data"]
            if webhook["attempts"]:
                return webhook["attempts"][0]
        pytest.fail("it was never tried")


def image(url: str, **more: str) -> dict[str, Any]:
    """A picture in a request."""
    return {"type": "image_url", "image_url": {"url": url}, **more}


@contextmanager
def client_of(gateway: ServedGateway, key: str) -> Iterator[Client]:
    client = Client(gateway.api, key)
    with client.http:
        yield client


@contextmanager
def ordering(folder: Path, toml: str, **settings: Any) -> Iterator[ServedGateway]:
    """A served gateway that is set up by a framegate.toml, and is quick to look at its orders."""
    (folder / "framegate.toml").write_text(toml, encoding="utf-8")
    read = load({}, file=folder / "framegate.toml").model_dump(mode="json", exclude_unset=True)
    with served(
        folder / "data", folder / "log", key="sk-test", prelude=FREQUENT_POLLS, renders=False, **{**read, **settings}
    ) as gateway:
        yield gateway


def keys_of(data_dir: Path) -> dict[str, str]:
    """Make a key for each owner, as `framegate keys create` does."""

    async def make() -> dict[str, str]:
        texts: dict[str, str] = {}
        async with Store(sqlite_url(data_dir)) as store:
            for owner, budget in OWNERS.items():
                period = None if budget is None else BudgetPeriod.TOTAL
                made = new_key(now=time.time(), owner=owner, budget_micro_usd=budget, budget_period=period)
                texts[owner] = made[0]
                await store.keys.add(made[1])
        return texts

    data_dir.mkdir()
    return asyncio.run(make())
