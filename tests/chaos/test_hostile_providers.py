"""Jobs of providers with hostile answers end, their bills are explained, and no key and no traceback gets out."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from framegate.domain import Job
from framegate.domain.ledger import Entry, EntryState
from framegate.domain.money import JOB_COST_USD_MAX, MICRO_USD
from support.hostile_provider import CLIENT_HOST, KEYS, HostileMachine, HostileNetwork, accounts
from support.soak import amount
from support.stub_renderer import StubExecutor, write_small_video

JOBS = amount(24, 20_000)
JOBS_PER_GATEWAY = amount(12, 100)
DEADLINE_SECONDS = 400.0
NAMES = ("openrouter", "phaseo", "pictory", "fal")
MODEL = "google/veo-3.1"
# Codes of jobs whose order the provider certainly did not accept, or reported as ended without a video.
FREE_ENDS = {
    "provider_refused", "provider_failed", "provider_cancelled", "provider_expired", "content_refused",
    "order_not_sent", "expired", "cancelled",
}  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_jobs_of_hostile_providers_end_and_are_billed(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("framegate.jobs.account_health.FAILURES_MAX", 10**9)  # the breaker would hide the answers
    video = write_small_video(tmp_path / "video.mp4").read_bytes()
    ends: dict[str, int] = {}
    for batch in range(JOBS // 2 // JOBS_PER_GATEWAY):
        network = HostileNetwork(int(share * 100) * 10_000 + batch, video, share=share)
        gateway = Gateway(HostileMachine(network), tmp_path / str(batch))
        with caplog.at_level(logging.INFO):
            gateway.machine.run(gateway.live())
        text = "\n".join([caplog.text, *gateway.answers, *map(repr, network.webhooks)])
        caplog.clear()
        assert not [text[max(0, text.index(key) - 500) :][:600] for key in KEYS.values() if key in text], (
            f"batch {batch}"
        )
        assert "Traceback" not in text, f"batch {batch}: {text[text.index('Traceback') - 500 :][:4000]}"
        assert "internal error" not in text.lower(), f"batch {batch}"
        for name, count in gateway.ends.items():
            ends[name] = ends.get(name, 0) + count
    assert ends.get("completed", 0) > 0, ends


class Gateway:
    """One gateway, from its first job to the end of its last."""

    def __init__(self, machine: HostileMachine, folder: Path) -> None:
        self.machine, self.folder = machine, folder
        self.answers: list[str] = []
        self.ends: dict[str, int] = {}

    async def live(self) -> None:
        """Create the jobs, wait for their ends, and look at them in every API."""
        async with self._client() as (client, parts):
            ids: list[str] = []
            for number in range(JOBS_PER_GATEWAY):
                name = NAMES[number % len(NAMES)]
                answer = await client.post("/api/v1/videos", json=_request(name, number))
                assert answer.status_code == 202, answer.text
                ids.append(answer.json()["id"])
            await self._wait(client)
            for job_id in ids:
                job = await parts.store.get(job_id)
                entry = await parts.store.ledger.entry(job_id)
                check_bill(job, entry)
                await self._look(client, job_id)
                end = "completed" if job.fault is None else job.fault.code
                self.ends[end] = self.ends.get(end, 0) + 1
        assert max(self.machine.network.ordered.values(), default=0) <= ORDERS_MAX, "an order is placed once"

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[tuple[httpx2.AsyncClient, Any]]:
        settings = Settings.model_validate(
            {
                "data_dir": self.folder,
                "accounts": accounts(),
                "job_deadline_seconds": DEADLINE_SECONDS,
            }
        )
        app = build_app(settings, self.machine, executor=StubExecutor(self.machine))
        async with app.router.lifespan_context(app) as state:

            async def with_state(scope: Any, receive: Any, send: Any) -> None:
                await app({**scope, "state": dict(state or {})}, receive, send)

            transport = httpx2.ASGITransport(app=with_state)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                yield client, app.state.parts

    async def _wait(self, client: httpx2.AsyncClient) -> None:
        """Wait until every job has ended; the list must be answered all the time."""
        for _ in range(100):
            statuses = {job["id"]: job["status"] for job in await self._list(client)}
            if not {"pending", "in_progress"} & set(statuses.values()):
                return
            await self.machine.sleep(120.0)
        raise AssertionError("a job does not end")

    async def _list(self, client: httpx2.AsyncClient) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": ""}
        while page.get("next") is not None:
            query = {"limit": 50, **({"after": page["next"]} if page["next"] else {})}
            page = json.loads(await self._get(client, "/api/v1/videos", **query))
            jobs += page["data"]
        return jobs

    async def _look(self, client: httpx2.AsyncClient, job_id: str) -> None:
        for path in (
            f"/api/v1/videos/{job_id}",
            f"/api/v1/videos/{job_id}/events",
            f"/api/v1/videos/{job_id}/bill",
            f"/phaseo/v1/videos/{job_id}",
            f"/pictory/v1/jobs/{job_id}",
            f"/fal/queue/fal-ai/veo3.1/requests/{job_id}/status",
        ):
            await self._get(client, path)

    async def _get(self, client: httpx2.AsyncClient, path: str, **query: Any) -> str:
        answer = await client.get(path, params=query)
        assert answer.status_code < 500, (path, answer.text)
        self.answers.append(answer.text)
        return answer.text


def _request(name: str, number: int) -> dict[str, Any]:
    return {
        "model": MODEL,
        "prompt": f"job number {number}.",
        "provider": {"only": [name]},
        "callback_url": f"https://{CLIENT_HOST}/hook",
    }


ORDERS_MAX = 4  # of one job, of which all but the last certainly failed


def check_bill(job: Job, entry: Entry | None) -> None:
    """Check that the ledger entry follows from what the provider said."""
    assert job.state.is_final
    assert entry is not None
    fault = job.fault
    match entry.state:
        case EntryState.SETTLED:
            assert fault is None or job.provider_files, fault
            if entry.settled_micro_usd is None:
                assert entry.reserved_micro_usd is None, "without a reported cost, the estimate is settled"
            else:
                assert 0 <= entry.settled_micro_usd <= JOB_COST_USD_MAX * MICRO_USD
        case EntryState.HELD:
            assert fault is not None
            assert fault.unsure or fault.may_charge
        case EntryState.VOID:
            assert fault is not None
            assert fault.code in FREE_ENDS, fault
            assert not fault.unsure
            assert not fault.may_charge
        case _:
            raise AssertionError(entry)
