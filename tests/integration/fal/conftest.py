"""The whole application in this process, as a sandbox, spoken to in fal's dialect."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from support.fal_client import uploaded

BASE = "http://127.0.0.1:8787"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open sandbox that may fetch from this machine."""
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(data_dir=folder, render_workers=1, sandbox=True, allow_private_addresses=True)
    with TestClient(build_app(settings), base_url=f"{BASE}/fal") as client:
        yield client


@pytest.fixture
def open_gate(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Open a gate with settings of one's own."""
    with ExitStack() as stack:

        def start(**settings: object) -> TestClient:
            given = {"data_dir": tmp_path / "data", "render_workers": 1, "sandbox": True, **settings}
            app = build_app(Settings.model_validate(given))
            return stack.enter_context(TestClient(app, base_url=f"{BASE}/fal", raise_server_exceptions=False))

        yield start


@pytest.fixture(scope="module")
def picture(gate: TestClient, photos: tuple[Path, ...]) -> str:
    """A photo that the open gate keeps, at its public address."""
    return uploaded(gate, photos[0])
