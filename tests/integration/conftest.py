"""The whole application, in this process, with a data folder of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings

BASE = "http://127.0.0.1:8787"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open gate."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), render_workers=1)
    with TestClient(build_app(settings), base_url=f"{BASE}/api/v1") as client:
        yield client


@pytest.fixture
def open_gate(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Open a gate with settings of one's own."""
    with ExitStack() as stack:

        def start(**settings: object) -> TestClient:
            given = Settings.model_validate({"data_dir": tmp_path / "data", "render_workers": 1, **settings})
            return stack.enter_context(TestClient(build_app(given), base_url=f"{BASE}/api/v1"))

        yield start


@pytest.fixture(scope="module")
def photo(gate: TestClient, photos: tuple[Path, ...]) -> str:
    """A photo that the open gate keeps, as a reference's address."""
    answer = gate.post("/assets", content=photos[0].read_bytes(), headers={"content-type": "application/octet-stream"})
    return answer.json()["url"]
