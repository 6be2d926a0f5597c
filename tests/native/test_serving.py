"""The served gate: how it starts, and how it stops with clients hanging on."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from framegate.app import serve
from framegate.settings import Settings, SettingsInvalid
from serving import ServedGate

STOP_SECONDS = 8


def test_an_open_gate_does_not_listen_where_others_can_reach_it(tmp_path: Path):
    for host in ("0.0.0.0", "192.0.2.1", "gate.lan"):
        with pytest.raises(SettingsInvalid, match="key"):
            serve(Settings(data_dir=tmp_path, host=host, port=0))


def test_a_stop_ends_live_streams_and_long_polls_at_once(
    serve_gate: Callable[..., ServedGate], photos: tuple[Path, ...]
):
    gate = serve_gate()
    headers = {"authorization": f"Bearer {gate.key}"}
    with httpx2.Client(base_url=gate.api, headers=headers, timeout=60, trust_env=False) as client:
        asset = client.post("/assets", content=photos[0].read_bytes(), headers={"content-type": "image/png"}).json()[
            "url"
        ]
        reference = {"type": "image_url", "image_url": {"url": asset}}
        body = {"model": "framegate/animatic", "prompt": "x", "duration": 60, "input_references": [reference]}
        job = client.post("/videos", json=body).json()
        polled: list[int] = []
        poll = threading.Thread(
            target=lambda: polled.append(client.get(job["polling_url"], params={"wait": 60}).status_code)
        )
        poll.start()
        with client.stream("GET", job["events_url"]) as stream:
            pieces = stream.iter_bytes()
            next(pieces)
            began = time.monotonic()
            gate.process.send_signal(signal.SIGTERM)
            rest = b"".join(pieces)
        poll.join(STOP_SECONDS)
    gate.process.wait(STOP_SECONDS)

    assert time.monotonic() - began < STOP_SECONDS
    assert polled == [200]
    assert b"event: done" not in rest
    assert gate.process.returncode in (0, -signal.SIGTERM)


def test_a_job_goes_on_after_a_restart(serve_gate: Callable[..., ServedGate], photos: tuple[Path, ...]):
    gate = serve_gate()
    headers = {"authorization": f"Bearer {gate.key}"}
    with httpx2.Client(headers=headers, timeout=70, trust_env=False) as client:
        asset = client.post(f"{gate.api}/assets", content=photos[0].read_bytes(), headers={"content-type": "image/png"})
        reference = {"type": "image_url", "image_url": {"url": asset.json()["url"]}}
        body = {"model": "framegate/animatic", "prompt": "x", "duration": 4, "input_references": [reference]}
        job = client.post(f"{gate.api}/videos", json=body).json()
        gate.process.kill()
        gate.process.wait(STOP_SECONDS)
        again = serve_gate()
        done = client.get(f"{again.api}/videos/{job['id']}", params={"wait": 60}).json()
        content = client.get(done["unsigned_urls"][0])

    assert done["status"] == "completed"
    assert len(content.content) == done["outputs"][0]["bytes"]
