"""An order that comes back to its own gateway never becomes a second job, whichever way it took."""

import base64
import io
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from support.served_gateway import ServedGateway, served_here

KEY = "sk-loop"
ACCOUNTS = {"openrouter": "/api/v1", "phaseo": "/phaseo/v1", "fal": "/fal", "pictory": "/pictory"}
MODELS = {
    "pictory": {"model": "pixverse/pixverse-5.5", "duration": 5},
    "phaseo": {"model": "google/veo-3.1-lite", "duration": 4, "resolution": "720p"},
}
ANY_MODEL = {"model": "x-ai/grok-imagine-video", "duration": 1, "resolution": "480p"}
SECONDS_MAX = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def accounts_at(port: int, key: str = KEY) -> list[dict[str, Any]]:
    base = f"http://127.0.0.1:{port}"
    return [{"provider": name, "api_key": key, "base_url": base + path} for name, path in ACCOUNTS.items()]


def ended_job(api: httpx2.Client, provider: str) -> dict[str, Any]:
    """One job for one provider, at its end."""
    body = {**MODELS.get(provider, ANY_MODEL), "prompt": "a slow push-in", "provider": {"only": [provider]}}
    if provider == "fal":  # which makes this model from references alone
        file = io.BytesIO()
        Image.new("RGB", (320, 320), (20, 90, 160)).save(file, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        body["input_references"] = [{"type": "image_url", "image_url": {"url": url}}]
    answer = api.post("/videos", json=body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    end = time.monotonic() + SECONDS_MAX
    while job["status"] in ("pending", "in_progress") and time.monotonic() < end:
        job = api.get(f"/videos/{job['id']}", params={"wait": 10}).json()
    return job


@pytest.fixture(scope="module", params=[KEY, "sk-another"], ids=["the same key", "another key"])
def looped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """A gateway whose accounts all lead back to it."""
    port = free_port()
    folder = tmp_path_factory.mktemp("looped") / "data"
    with served_here(folder, key=KEY, port=port, accounts=accounts_at(port, request.param)) as gateway:
        yield gateway


@pytest.mark.parametrize("provider", ACCOUNTS)
def test_an_order_that_comes_back_makes_no_job_and_says_why(looped: ServedGateway, provider: str):
    with looped.client() as api:
        before = len(api.get("/videos").json()["data"])
        job = ended_job(api, provider)
        after = len(api.get("/videos").json()["data"])

    assert (job["status"], after - before) == ("failed", 1)
    assert "leads back to this gateway" in job["error"]


def test_an_order_that_comes_back_over_a_second_gateway_makes_one_job_at_each(tmp_path: Path):
    ports = free_port(), free_port()
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(
                served_here(tmp_path / name, key=KEY, port=own, accounts=accounts_at(other), public_url=None)
            )
            for name, own, other in (("one", *ports), ("two", *reversed(ports)))
        ]
        apis = [stack.enter_context(gateway.client()) for gateway in gateways]
        job = ended_job(apis[0], "openrouter")
        counts = [len(api.get("/videos").json()["data"]) for api in apis]

    assert (job["status"], counts) == ("failed", [1, 1])
