"""Requests in OpenRouter's format, and the orders that Phaseo receives for them."""

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

from support.served_gateway import ServedGateway, served_here

SECONDS_MAX = 30
KEY = "sk-of-phaseo"


class FakePhaseo(BaseHTTPRequestHandler):
    """Phaseo as far as orders go: it accepts every order, finishes none, and lists no models."""

    protocol_version = "HTTP/1.1"
    orders: "queue.Queue[tuple[str, dict[str, Any]]]"

    def log_message(self, *_: object, **__: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/videos"
        self.orders.put((self.headers["authorization"], json.loads(body)))
        self._answer(202, {"id": "G-1", "object": "video", "status": "queued"})

    def do_GET(self) -> None:
        is_job = self.path == "/v1/videos/G-1"
        self._answer(200 if is_job else 501, {"id": "G-1", "status": "processing"} if is_job else {"error": "off"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def phaseo_url() -> Iterator[str]:
    """Its base URL; the orders are in `FakePhaseo.orders`."""
    FakePhaseo.orders = queue.Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakePhaseo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def gateway(phaseo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """A gateway with a public URL, an account at Phaseo and one at OpenRouter."""
    folder = tmp_path_factory.mktemp("gateway")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    accounts = [
        {"provider": "openrouter", "api_key": "k", "base_url": "http://127.0.0.1:9/v1"},
        {"provider": "phaseo", "api_key": KEY, "base_url": phaseo_url},
    ]
    settings = {"accounts": accounts, "port": port, "public_url": f"http://127.0.0.1:{port}"}
    with served_here(folder / "data", key="sk-test", **settings) as gateway:
        yield gateway


def picture(photo: Path) -> dict[str, Any]:
    """A photo as a data URL in OpenRouter's format."""
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(photo.read_bytes()).decode()}"},
    }


def order_at_phaseo(gateway: ServedGateway, **fields: Any) -> dict[str, Any]:
    """The first order that Phaseo receives for a client's request."""
    body = {"model": "google/veo-3.1", "prompt": "a walk at dusk", "provider": {"only": ["phaseo"]}, **fields}
    with gateway.client() as api:
        answer = api.post("/videos", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.json()["provider"] == "phaseo"
        key, order = FakePhaseo.orders.get(timeout=SECONDS_MAX)
        api.post(f"/videos/{answer.json()['id']}/cancel")
    assert key == f"Bearer {KEY}"
    return order


def test_every_reference_has_its_role_and_a_signed_url(gateway: ServedGateway, photos: tuple[Path, ...]):
    order = order_at_phaseo(gateway, input_references=[picture(photo) for photo in photos[:2]], duration=8, seed=3)
    links = [entry.pop("image_url")["url"] for entry in order["input_references"]]
    assert order == {
        "model": "google/veo-3.1-preview",
        "prompt": "a walk at dusk",
        "duration": 8,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "input_references": [{"type": "image_url", "role": "reference"}] * 2,
        "seed": 3,
    }
    assert all(link.startswith(f"{gateway.url}/") for link in links)
    fetched = [httpx2.get(link).headers["content-type"] for link in links]  # without a key, like Phaseo
    assert all(kind.startswith("image/") for kind in fetched)


def test_both_frames_have_their_roles(gateway: ServedGateway, photos: tuple[Path, ...]):
    frames = [
        {**picture(photo), "frame_type": role}
        for photo, role in zip(photos, ("first_frame", "last_frame"), strict=False)
    ]
    order = order_at_phaseo(
        gateway,
        frame_images=frames,
        size="1920x1080",
        provider={"only": ["phaseo"], "options": {"phaseo": {"enhance_prompt": False}}},
    )
    assert [entry["role"] for entry in order["input_references"]] == ["first_frame", "last_frame"]
    assert {name: order[name] for name in order.keys() - {"input_references"}} == {
        "model": "google/veo-3.1-preview",
        "prompt": "a walk at dusk",
        "duration": 8,
        "resolution": "1080p",
        "aspect_ratio": "16:9",
        "enhance_prompt": False,
    }


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"duration": 4, "resolution": "1080p"}, "duration_unsupported"),
        ({"generate_audio": False}, "audio_required"),
        ({"model": "google/veo-3.1-lite-preview", "resolution": "4K"}, "resolution_unsupported"),
        ({"model": "minimax/minimax-h3"}, "provider_unsupported"),  # until its list has it,
    ],
)
def test_what_phaseo_would_reject_is_rejected_before_the_order(
    gateway: ServedGateway, fields: dict[str, Any], code: str
):
    body = {"model": "google/veo-3.1-preview", "prompt": "a cat", "provider": {"only": ["phaseo"]}, **fields}
    with gateway.client() as api:
        answer = api.post("/videos", json=body)
    assert answer.status_code == 400
    assert [problem["code"] for problem in answer.json()["error"]["metadata"]["problems"]] == [code]
    assert FakePhaseo.orders.empty()
