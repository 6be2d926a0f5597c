"""The served gateway: how it starts, and how it stops with clients hanging on."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from support.served_gateway import ServedGateway

STOP_SECONDS = 8


def wanted(client: httpx2.Client, photo: Path, *, seconds: int) -> dict[str, Any]:
    kept = client.post("/assets", content=photo.read_bytes(), headers={"content-type": "image/png"}).json()
    reference = {"type": "image_url", "image_url": {"url": kept["url"]}}
    return {"model": "framegate/animatic", "prompt": "x", "duration": seconds, "input_references": [reference]}


def test_a_stop_ends_live_streams_and_long_polls_at_once(
    spawn_gateway: Callable[..., ServedGateway], photos: tuple[Path, ...]
):
    gateway = spawn_gateway()
    polled: list[int] = []
    with gateway.client() as client:
        job = client.post("/videos", json=wanted(client, photos[0], seconds=60)).json()

        def poll() -> None:
            polled.append(client.get(job["polling_url"], params={"wait": 60}).status_code)

        polling = threading.Thread(target=poll)
        polling.start()
        with client.stream("GET", job["events_url"]) as stream:
            pieces = stream.iter_bytes()
            next(pieces)
            began = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            rest = b"".join(pieces)
        polling.join(STOP_SECONDS)
    gateway.process.wait(STOP_SECONDS)

    assert time.monotonic() - began < STOP_SECONDS
    assert polled == [200]
    assert b"event: done" not in rest
    assert gateway.process.returncode in (0, -signal.SIGTERM)


def test_a_job_goes_on_after_the_gateway_was_killed(
    spawn_gateway: Callable[..., ServedGateway], photos: tuple[Path, ...]
):
    gateway = spawn_gateway()
    with gateway.client() as client:
        job = client.post("/videos", json=wanted(client, photos[0], seconds=4)).json()
    gateway.process.kill()
    gateway.process.wait(STOP_SECONDS)
    with spawn_gateway().client() as client:
        done = client.get(f"/videos/{job['id']}", params={"wait": 60}).json()
        content = client.get(done["unsigned_urls"][0]).content

    assert done["status"] == "completed"
    assert len(content) == done["outputs"][0]["bytes"]
