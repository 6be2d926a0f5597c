"""Fixtures of several parts."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hypothesis
import pytest
from starlette.testclient import TestClient

from support.paths import PHOTOS
from support.served_gateway import ServedGate, served
from support.virtual_machine import VirtualMachine, blocking_calls_on_the_loop

hypothesis.settings.register_profile(
    "default", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("soak", parent=hypothesis.settings.get_profile("default"), max_examples=500, derandomize=False)
hypothesis.settings.load_profile("soak" if os.environ.get("FRAMEGATE_SOAK") else "default")


@pytest.fixture
def machine() -> Iterator[VirtualMachine]:
    """A machine whose time is virtual; a test's loop runs on it where `anyio_backend` says so."""
    with blocking_calls_on_the_loop():
        yield VirtualMachine()


@pytest.fixture(scope="session")
def served_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """One real gate for many tests: with the key `sk-test`, and our own renderer."""
    folder = tmp_path_factory.mktemp("gate")
    with served(folder / "data", folder / "log", key="sk-test") as gate:
        yield gate


@pytest.fixture
def serve_gate(tmp_path: Path) -> Iterator[Callable[..., ServedGate]]:
    """Start a gate with settings of one's own; it is stopped after the test."""
    with ExitStack() as stack:

        def start(*, key: str = "sk-test", data_dir: Path | None = None, **settings: object) -> ServedGate:
            log = tmp_path / f"log-{len(list(tmp_path.glob('log-*')))}"
            return stack.enter_context(served(data_dir or tmp_path / "data", log, key=key, **settings))

        yield start


@pytest.fixture(scope="session")
def photos() -> tuple[Path, ...]:
    """Real photographs."""
    return tuple(sorted(PHOTOS.glob("*.[jp][pn]g")))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open sandbox in this process; references may come from this machine."""
    from framegate.app.asgi import build_app
    from framegate.config.settings import Settings

    data_dir = tmp_path_factory.mktemp("sandbox")
    settings = Settings(data_dir=data_dir, render_workers=1, sandbox=True, allow_private_addresses=True)
    with TestClient(build_app(settings), base_url="http://127.0.0.1:8787") as client:
        yield client


@pytest.fixture(scope="session")
def sandbox_photo(sandbox: TestClient, photos: tuple[Path, ...]) -> str:
    """A photo that the sandbox keeps, as a reference's address."""
    headers = {"content-type": "application/octet-stream"}
    return sandbox.post("/api/v1/assets", content=photos[0].read_bytes(), headers=headers).json()["url"]


@pytest.fixture(scope="session")
def web_page() -> Iterator[str]:
    """The address of a page where a picture was meant: a job that is referred to it fails before its order."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Not a picture</title>")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/picture.jpg"
        server.shutdown()
        thread.join()
