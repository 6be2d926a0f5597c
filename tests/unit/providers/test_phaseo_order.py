"""A client of OpenRouter's shape, and the order that Phaseo is given for it."""

import base64
import json
import queue
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.served_gateway import ServedGate, served

SECONDS_MAX = 30
KEY = "sk-of-phaseo"


class Preview(BaseHTTPRequestHandler):
    """Phaseo, as far as an order goes: it takes every one, makes none, and lists no models."""

    protocol_version = "HTTP/1.1"
    orders: "queue.Queue[tuple[str, dict[str, Any]]]"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/videos"
        self.orders.put((self.headers["authorization"], json.loads(body)))
        self._answer(202, {"id": "G-1", "object": "video", "status": "queued"})

    def do_GET(self) -> None:
        known = self.path == "/v1/videos/G-1"
        self._answer(200 if known else 501, {"id": "G-1", "status": "processing"} if known else {"error": "off"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def phaseo() -> Iterator[str]:
    """Its base URL; what it is ordered stands in `Preview.orders`."""
    Preview.orders = queue.Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Preview)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def gate(phaseo: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """A gate that Phaseo can reach, with an account there and one elsewhere."""
    folder = tmp_path_factory.mktemp("gate")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    accounts = [
        {"provider": "openrouter", "api_key": "k", "base_url": "http://127.0.0.1:9/v1"},
        {"provider": "phaseo", "api_key": KEY, "base_url": phaseo},
    ]
    settings = {"accounts": accounts, "port": port, "public_url": f"http://127.0.0.1:{port}"}
    with served(folder / "data", folder / "log", key="sk-test", **settings) as gate:
        yield gate


def picture(photo: Path) -> dict[str, Any]:
    """A photo, as OpenRouter's clients send one from a file."""
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(photo.read_bytes()).decode()}"},
    }


def ordered(gate: ServedGate, **asked: Any) -> dict[str, Any]:
    """What Phaseo is ordered, first, when a client asks this of the gate."""
    body = {"model": "google/veo-3.1", "prompt": "a walk at dusk", "provider": {"only": ["phaseo"]}, **asked}
    with gate.client() as api:
        answer = api.post("/videos", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.json()["provider"] == "phaseo"
        key, order = Preview.orders.get(timeout=SECONDS_MAX)
        api.post(f"/videos/{answer.json()['id']}/cancel")
    assert key == f"Bearer {KEY}"
    return order


def test_every_reference_has_its_role_and_a_signed_url(gate: ServedGate, photos: tuple[Path, ...]):
    order = ordered(gate, input_references=[picture(photo) for photo in photos[:2]], duration=8, seed=3)
    links = [one.pop("image_url")["url"] for one in order["input_references"]]
    assert order == {
        "model": "google/veo-3.1-preview",
        "prompt": "a walk at dusk",
        "duration": 8,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "input_references": [{"type": "image_url", "role": "reference"}] * 2,
        "seed": 3,
    }
    assert all(link.startswith(f"{gate.url}/") for link in links)
    fetched = [httpx2.get(link).headers["content-type"] for link in links]  # without a key, as Phaseo fetches them
    assert all(kind.startswith("image/") for kind in fetched)


def test_both_frames_have_their_roles(gate: ServedGate, photos: tuple[Path, ...]):
    frames = [
        {**picture(photo), "frame_type": role}
        for photo, role in zip(photos, ("first_frame", "last_frame"), strict=False)
    ]
    order = ordered(
        gate,
        frame_images=frames,
        size="1920x1080",
        provider={"only": ["phaseo"], "options": {"phaseo": {"enhance_prompt": False}}},
    )
    assert [one["role"] for one in order["input_references"]] == ["first_frame", "last_frame"]
    assert {name: order[name] for name in order.keys() - {"input_references"}} == {
        "model": "google/veo-3.1-preview",
        "prompt": "a walk at dusk",
        "duration": 8,
        "resolution": "1080p",
        "aspect_ratio": "16:9",
        "enhance_prompt": False,
    }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"duration": 4, "resolution": "1080p"}, "duration_unsupported"),
        ({"generate_audio": False}, "audio_required"),
        ({"model": "google/veo-3.1-lite-preview", "resolution": "4K"}, "resolution_unsupported"),
        ({"model": "minimax/minimax-h3", "prompt": "x" * 7001}, "prompt_too_long"),
    ],
)
def test_what_phaseo_would_reject_is_rejected_before_the_order(gate: ServedGate, asked: dict[str, Any], code: str):
    body = {"model": "google/veo-3.1-preview", "prompt": "a cat", "provider": {"only": ["phaseo"]}, **asked}
    with gate.client() as api:
        answer = api.post("/videos", json=body)
    assert answer.status_code == 400
    assert [problem["code"] for problem in answer.json()["error"]["metadata"]["problems"]] == [code]
    assert Preview.orders.empty()
