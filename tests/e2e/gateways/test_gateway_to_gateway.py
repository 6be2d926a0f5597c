"""A gateway that orders from another gateway, over HTTP: from create to a decoded video."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx2
import pytest

from support.served_gateway import ServedGateway, served_here

SECONDS_MAX = 120
KEY = "sk-upstream"
# The path under which the other gateway speaks as each service, and what is ordered there.
FACES: dict[str, tuple[str, dict[str, Any]]] = {
    "openrouter": ("/api/v1", {"model": "x-ai/grok-imagine-video", "duration": 1, "resolution": "480p"}),
    "phaseo": ("/phaseo/v1", {"model": "x-ai/grok-imagine-video", "duration": 1, "resolution": "480p"}),
    "fal": ("/fal", {"model": "x-ai/grok-imagine-video", "duration": 1, "resolution": "480p"}),
    "pictory": ("/pictory", {"model": "pixverse/pixverse-5.5", "duration": 5}),
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """The gateway that stands for the services: every model, nothing spent."""
    folder = tmp_path_factory.mktemp("upstream")
    # Its references come from the gateway that orders, which lies on this machine too.
    settings: dict[str, Any] = {"sandbox": True, "allow_private_addresses": True}
    with served_here(folder / "data", key=KEY, **settings) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(sandbox: ServedGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """A gateway with an account at every service, each of which is the other gateway."""
    folder = tmp_path_factory.mktemp("gateway")
    with served_here(folder / "data", key="sk-test", **ordering_from(sandbox.url)) as gateway:
        yield gateway


def ordering_from(url: str, key: str = KEY) -> dict[str, Any]:
    """The settings of a gateway with its accounts there, that can be reached by a provider."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    accounts = [
        {"provider": name, "name": "theirs", "api_key": key, "base_url": url + path}
        for name, (path, _) in FACES.items()
    ]
    return {"accounts": accounts, "port": port, "public_url": f"http://127.0.0.1:{port}"}


def ended(api: httpx2.Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job at its end."""
    end = time.monotonic() + SECONDS_MAX
    while job["status"] in ("pending", "in_progress") and time.monotonic() < end:
        job = api.get(f"/videos/{job['id']}", params={"wait": 30}).json()
    return job


def created(api: httpx2.Client, photo: Path, name: str) -> dict[str, Any]:
    """A job with a photo, for one service."""
    headers = {"content-type": "application/octet-stream"}
    url = api.post("/assets", content=photo.read_bytes(), headers=headers).json()["url"]
    reference = {"type": "image_url", "image_url": {"url": url}, "name": "hero"}
    wanted = {**FACES[name][1], "provider": {"only": [name]}, "prompt": "push in on @hero, slowly"}
    answer = api.post("/videos", json={**wanted, "input_references": [reference]})
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def jobs(gateway: ServedGateway, photos: tuple[Path, ...]) -> Iterator[Callable[[str], dict[str, Any]]]:
    """One job at each service, all begun together; called with a service's name it gives the job at its end."""
    with gateway.client() as api:
        begun = {name: created(api, photos[0], name) for name in FACES}
        yield lambda name: ended(api, begun[name])


@pytest.mark.parametrize("name", FACES)
def test_a_video_comes_through(
    name: str, jobs: Callable[[str], dict[str, Any]], gateway: ServedGateway, tmp_path: Path
):
    job = jobs(name)
    assert job["status"] == "completed", job
    assert job["provider"] == name
    file = tmp_path / "out.mp4"
    with gateway.client() as api:
        file.write_bytes(api.get(f"/videos/{job['id']}/content").content)
    with av.open(str(file)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        assert (container.streams.video[0].width, frames) == (job["outputs"][0]["width"], 24 * job["duration"])


@pytest.mark.parametrize("name", FACES)
def test_what_the_service_was_told_is_what_the_client_asked_for(
    name: str, jobs: Callable[[str], dict[str, Any]], sandbox: ServedGateway
):
    job = jobs(name)
    with sandbox.client() as api:
        theirs = [one for one in api.get("/videos").json()["data"] if one["model"] == job["model"]]
    assert [one["size"] for one in theirs] == [job["size"]] * len(theirs)
    assert [one["duration"] for one in theirs] == [job["duration"]] * len(theirs)
    assert all("hero" not in one["prompt"] for one in theirs)
