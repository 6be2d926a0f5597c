"""Adapters against a gateway with their service's API, and a gateway whose service fails."""

import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest
import uuid_utils

from framegate.config.accounts import Account
from framegate.domain import Done, Failed, Lost, Running, Update
from framegate.domain.errors import OutcomeUnknown, Refused
from framegate.providers.base import Provider
from framegate.providers.registry import build_provider
from support.ordering import make_order
from support.served_gateway import ServedGateway, served_here
from support.showing import measured

KEY = "sk-upstream"
SECONDS_MAX = 60
DIALECTS = {
    "openrouter": ("/api/v1", "x-ai/grok-imagine-video"),
    "phaseo": ("/phaseo/v1", "x-ai/grok-imagine-video"),
    "fal": ("/fal", "xai/grok-imagine-video/reference-to-video"),
    "pictory": ("/pictory", "pixverse5.5"),
}
SMALL = {"width": 854, "height": 480, "resolution": "480p", "duration": 1}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """The gateway that replaces every service."""
    folder = tmp_path_factory.mktemp("upstream")
    with served_here(folder / "data", key=KEY, sandbox=True) as gateway:
        yield gateway


@pytest.fixture
async def adapter(sandbox: ServedGateway, anyio_backend: str) -> AsyncIterator[Callable[..., Provider]]:
    """Build the adapter of a service with the sandbox as its base URL."""
    providers: list[Provider] = []

    def make(name: str, key: str = KEY) -> Provider:
        providers.append(build_provider(Account(provider=name, api_key=key, base_url=sandbox.url + DIALECTS[name][0])))
        return providers[-1]

    yield make
    for provider in providers:
        await provider.close()


def order_at(name: str, folder: Path, **fields: Any):
    target = {"duration": 5, "resolution": None} if name == "pictory" else SMALL
    references = [{"url": "asset://0", "size": [640, 480]}] if name == "fal" else []
    job_id = str(uuid_utils.uuid7())
    defaults = {"prompt": "a slow push in", "model_id": DIALECTS[name][1], "references": references, "job_id": job_id}
    return make_order(
        folder, key=f"key-of-{job_id}", **{**defaults, **fields, "target": {**target, **fields.get("target", {})}}
    )


async def poll_to_end(provider: Provider, handle: Any) -> tuple[list[Running], Update]:
    waits: list[Running] = []
    with anyio.fail_after(SECONDS_MAX):
        while isinstance(update := await provider.poll(handle), Running):
            waits.append(update)
            await anyio.sleep(0.1)
    return waits, update


@pytest.mark.anyio
@pytest.mark.parametrize("name", DIALECTS)
async def test_an_order_becomes_a_video(name: str, adapter: Callable[..., Provider], tmp_path: Path):
    provider = adapter(name)
    waits, end = await poll_to_end(provider, await provider.submit(order_at(name, tmp_path)))
    assert isinstance(end, Done), end
    assert {wait.stage for wait in waits} - {None, "running"} <= {"queued"}
    assert [output.behind_key for output in end.outputs] == [True]
    await provider.download(end.outputs[0], tmp_path / "out.mp4", bytes_max=10**8)
    width, _, frames = measured(tmp_path / "out.mp4")
    assert (width, frames) == ((1280, 120) if name == "pictory" else (854, 24))


@pytest.mark.anyio
@pytest.mark.parametrize("name", DIALECTS)
async def test_an_invalid_key_is_rejected_and_not_repeated(name: str, adapter: Callable[..., Provider], tmp_path: Path):
    provider = adapter(name, key="sk-wrong-key")
    with pytest.raises(Refused) as error:
        await provider.submit(order_at(name, tmp_path))
    assert "sk-wrong-key" not in error.value.message


@pytest.mark.anyio
@pytest.mark.parametrize("name", DIALECTS)
async def test_a_rejection_contains_the_services_message(name: str, adapter: Callable[..., Provider], tmp_path: Path):
    provider = adapter(name)
    with pytest.raises(Refused) as error:
        await provider.submit(order_at(name, tmp_path, target={"aspect_ratio": "5:1"}))
    assert "5:1" in error.value.message


@pytest.mark.anyio
@pytest.mark.parametrize("name", DIALECTS)
async def test_a_job_unknown_to_the_service_is_lost(name: str, adapter: Callable[..., Provider]):
    provider = adapter(name)
    handle = {"id": str(uuid_utils.uuid7()), "app": "xai/grok-imagine-video", "at": 0.0}
    assert isinstance(await provider.poll(handle), Lost)


@pytest.mark.anyio
async def test_another_framegate_finds_an_order_by_its_key(adapter: Callable[..., Provider], tmp_path: Path):
    provider = adapter("openrouter")
    accepted = order_at("openrouter", tmp_path, target={"seed": 4})
    handle = await provider.submit(accepted)
    reconciled = await provider.reconcile(accepted)
    assert reconciled is not None
    assert reconciled["id"] == handle["id"]


@pytest.mark.anyio
async def test_phaseos_job_list_proves_that_an_order_was_not_accepted(adapter: Callable[..., Provider], tmp_path: Path):
    provider = adapter("phaseo")
    later = str(uuid_utils.UUID(int=(int(time.time() * 1000) + 10**7) << 80 | 7 << 76 | 2 << 62))
    assert await provider.reconcile(order_at("phaseo", tmp_path, job_id=later)) is None
    accepted = order_at("phaseo", tmp_path)
    await provider.submit(accepted)
    with pytest.raises(OutcomeUnknown):
        await provider.reconcile(accepted)


@pytest.mark.anyio
async def test_a_request_at_fal_can_be_cancelled(adapter: Callable[..., Provider], tmp_path: Path):
    provider = adapter("fal")
    handle = await provider.submit(order_at("fal", tmp_path, target={"duration": 15, "resolution": "720p"}))
    assert await provider.cancel(handle)
    _, end = await poll_to_end(provider, handle)
    assert isinstance(end, Failed)
    assert end.fault.code == "provider_cancelled"


# -- a gateway whose service fails


class FakeOpenRouter(BaseHTTPRequestHandler):
    """OpenRouter's API; the prompt of an order determines its outcome, and is the id of its job."""

    protocol_version = "HTTP/1.1"
    orders: list[tuple[str, str]]

    def log_message(self, *_: object, **__: object) -> None:
        pass

    def send(self, status: int, body: object, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        prompt = json.loads(self.rfile.read(int(self.headers["content-length"])))["prompt"]
        again = any(prompt == earlier for earlier, _ in self.orders)
        self.orders.append((prompt, self.headers["idempotency-key"]))
        match prompt:
            case "cut":
                self.close_connection = True
            case "broken":
                self.send(500, {"error": {"code": 500, "message": "after accepting"}})
            case "refused":
                self.send(402, {"error": {"code": 402, "message": "Insufficient credits"}})
            case "busy" if not again:
                self.send(429, {"error": {"code": 429, "message": "Slow down"}}, retry_after="1")
            case _:
                self.send(202, {"id": prompt, "polling_url": "/", "status": "pending"})

    def do_GET(self) -> None:
        prompt = self.path.rpartition("/")[2]
        if prompt in ("failed", "expired", "cancelled"):
            self.send(200, {"id": prompt, "status": prompt, "error": "The prompt was flagged."})
        elif prompt == "forgotten":
            self.send(200, {"id": prompt, "status": "completed", "unsigned_urls": [f"{self.path}/content"]})
        else:
            self.send(200, {"id": prompt, "status": "failed", "error": f"{prompt} ended"})


OUTCOMES = {
    "cut": ("submit_unsure", 1),
    "broken": ("submit_unsure", 1),
    "refused": ("provider_refused", 1),
    "busy": ("provider_failed", 2),
    "failed": ("provider_failed", 1),
    "expired": ("provider_expired", 1),
    "cancelled": ("provider_cancelled", 1),
}


@pytest.fixture(scope="module")
def end_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[dict[str, Any], list[str]]]]:
    """One job per outcome, all created together; call it with an outcome for the finished job and its orders' keys."""
    orders: list[tuple[str, str]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (FakeOpenRouter,), {"orders": orders}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    account = {"provider": "openrouter", "api_key": KEY, "base_url": f"http://127.0.0.1:{server.server_port}/api/v1"}
    folder = tmp_path_factory.mktemp("gateway")
    with (
        served_here(folder / "data", key="sk-test", accounts=[account]) as gateway,
        gateway.client() as api,
    ):
        model = {"model": "x-ai/grok-imagine-video", "duration": 1}
        begun = {prompt: api.post("/videos", json={**model, "prompt": prompt}).json()["id"] for prompt in OUTCOMES}

        def end(prompt: str) -> tuple[dict[str, Any], list[str]]:
            job: dict[str, Any] = {"status": "pending"}
            late = time.monotonic() + SECONDS_MAX
            while job["status"] in ("pending", "in_progress") and time.monotonic() < late:
                job = api.get(f"/videos/{begun[prompt]}", params={"wait": 20}).json()
            return job, [key for sent_prompt, key in orders if sent_prompt == prompt]

        yield end
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("prompt", OUTCOMES)
def test_a_failing_service_never_receives_an_order_twice(
    prompt: str, end_of: Callable[[str], tuple[dict[str, Any], list[str]]]
):
    job, keys = end_of(prompt)
    code, times = OUTCOMES[prompt]
    assert (job["status"], job["error_code"]) == ("failed", code), job
    assert len(keys) == times, "only an order that certainly was not accepted is sent again"
    assert len(set(keys)) == 1, "with the same key"
