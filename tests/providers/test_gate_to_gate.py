"""A gate that orders from another gate, over HTTP: from create to a decoded video."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx2
import pytest

from serving import ServedGate, served

SECONDS_MAX = 60
FACES = {
    "openrouter": ("/api/v1", "x-ai/grok-imagine-video"),
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """The gate that stands for the service: every model, nothing spent."""
    folder = tmp_path_factory.mktemp("upstream")
    with served(folder / "data", folder / "log", key="sk-upstream", sandbox=True) as gate:
        yield gate


@pytest.fixture(params=sorted(FACES))
def gate(request: pytest.FixtureRequest, sandbox: ServedGate, serve_gate: Callable[..., ServedGate]) -> ServedGate:
    """A gate with one account, which is at the other gate; `model` is one that is offered there."""
    path, _ = FACES[request.param]
    account = {"provider": request.param, "api_key": sandbox.key, "base_url": sandbox.url + path}
    return serve_gate(accounts=[account])


def ended(api: httpx2.Client, job: dict[str, Any]) -> dict[str, Any]:
    end = time.monotonic() + SECONDS_MAX
    while job["status"] in ("pending", "in_progress") and time.monotonic() < end:
        job = api.get(f"/videos/{job['id']}", params={"wait": 30}).json()
    return job


def uploaded(api: httpx2.Client, photo: Path) -> dict[str, Any]:
    headers = {"content-type": "application/octet-stream"}
    url = api.post("/assets", content=photo.read_bytes(), headers=headers).json()["url"]
    return {"type": "image_url", "image_url": {"url": url}, "name": photo.stem.replace(".", "-")}


def test_a_video_comes_through(
    gate: ServedGate, request: pytest.FixtureRequest, photos: tuple[Path, ...], tmp_path: Path
):
    _, model = FACES[request.node.callspec.params["gate"]]
    with gate.client() as api:
        reference = uploaded(api, photos[0])
        wanted = {"model": model, "prompt": f"push in on @{reference['name']}", "duration": 1, "resolution": "480p"}
        job = api.post("/videos", json={**wanted, "input_references": [reference]})
        assert job.status_code == 202, job.text
        job = ended(api, job.json())
        assert job["status"] == "completed", job
        file = tmp_path / "out.mp4"
        file.write_bytes(api.get(f"/videos/{job['id']}/content").content)
    with av.open(str(file)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        assert (container.streams.video[0].width, frames) == (job["outputs"][0]["width"], 24)
