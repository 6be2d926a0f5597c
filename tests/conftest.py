"""Fixtures of several parts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from framegate.domain.machine import REAL_MACHINE
from support.paths import PHOTOS, TESTS
from support.served_gateway import SHORT_RENDERS, ServedGateway, served, served_here
from support.soak import SOAK
from support.stub_renderer import StubExecutor, run_folder
from support.virtual_machine import VirtualMachine, blocking_calls_on_the_loop

hypothesis.settings.register_profile(
    "default",
    deadline=None,  # a busy machine is no failure
    derandomize=True,
    max_examples=25,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.register_profile(
    "soak", hypothesis.settings.get_profile("default"), derandomize=False, max_examples=500
)
hypothesis.settings.load_profile("soak" if SOAK else "default")

run_folder()  # before the workers start: they share it

# Tests that share a served gateway run one after another in one worker; other tests are grouped by file. The longest
# folders come first.
SHARED = {
    "e2e/clients": "served",
    "e2e/sdk": "served",
    "integration/native/test_asset_urls.py": "served",
    "e2e/promises": "promises",
}
ORDER = ("e2e", "simulation", "chaos", "contract", "docs", "integration", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(TESTS)
        group = next((name for folder, name in SHARED.items() if path.is_relative_to(folder)), str(path))
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _rank(item.path.relative_to(TESTS).parts[0]))
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        first.setdefault(_group(item), index)
    items.sort(key=lambda item: first[_group(item)])


_SHARED_BY_GROUP = ExitStack()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop the gateways of a group behind its last test: their unfinished jobs would be polled until the run ends."""
    if nextitem is None or _group(nextitem) != _group(item):
        _SHARED_BY_GROUP.close()


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return marker.args[0] if marker else ""


@pytest.fixture(scope="session")
def until_group_ends() -> ExitStack:
    """What is entered here ends behind the last test of the group."""
    return _SHARED_BY_GROUP


def _rank(folder: str) -> int:
    return ORDER.index(folder) if folder in ORDER else len(ORDER)


@pytest.fixture
def machine() -> Iterator[VirtualMachine]:
    """A machine whose time is virtual; a test's loop runs on it where `anyio_backend` says so."""
    with blocking_calls_on_the_loop():
        yield VirtualMachine()


@pytest.fixture(scope="session")
def served_gateway(tmp_path_factory: pytest.TempPathFactory, until_group_ends: ExitStack) -> ServedGateway:
    """One gateway for many tests, with the key `sk-test`; see `ShortRenderExecutor` for what it renders."""
    folder = tmp_path_factory.mktemp("gateway")
    gateway = served(folder / "data", folder / "log", key="sk-test", prelude=SHORT_RENDERS)
    return until_group_ends.enter_context(gateway)


@pytest.fixture
def serve_gateway(tmp_path: Path) -> Iterator[Callable[..., ServedGateway]]:
    """Serve a gateway with other settings in this process; it is stopped after the test."""
    with ExitStack() as stack:

        def start(
            *, key: str = "sk-test", data_dir: Path | None = None, renders: bool = True, **settings: Any
        ) -> ServedGateway:
            return stack.enter_context(served_here(data_dir or tmp_path / "data", key=key, renders=renders, **settings))

        yield start


@pytest.fixture
def spawn_gateway(tmp_path: Path) -> Iterator[Callable[..., ServedGateway]]:
    """Serve a gateway with other settings in a process of its own; it is stopped after the test."""
    with ExitStack() as stack:

        def start(*, key: str = "sk-test", data_dir: Path | None = None, **settings: Any) -> ServedGateway:
            log = tmp_path / f"log-{len(list(tmp_path.glob('log-*')))}"
            return stack.enter_context(served(data_dir or tmp_path / "data", log, key=key, **settings))

        yield start


@pytest.fixture(scope="session")
def photos() -> tuple[Path, ...]:
    """Real photographs."""
    return tuple(sorted(PHOTOS.glob("*.[jp][pn]g")))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open sandbox in this process, with stub renders; references may come from this machine."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("sandbox"), sandbox=True, allow_private_addresses=True)
    app = build_app(settings, REAL_MACHINE, executor=StubExecutor(REAL_MACHINE))
    with TestClient(app, base_url="http://127.0.0.1:8787") as client:
        yield client


@pytest.fixture(scope="session")
def sandbox_photo(sandbox: TestClient, photos: tuple[Path, ...]) -> str:
    """URL of a photo that was uploaded to the sandbox."""
    headers = {"content-type": "application/octet-stream"}
    return sandbox.post("/api/v1/assets", content=photos[0].read_bytes(), headers=headers).json()["url"]


@pytest.fixture(scope="session")
def web_page() -> Iterator[str]:
    """URL of a web page: a job that names it as a reference fails before its order."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Not a picture</title>")

        def log_message(self, *_, **__):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/picture.jpg"
        server.shutdown()
        thread.join()
