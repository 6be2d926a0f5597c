"""The whole application in this process; renders are stubs unless a test asks for `real_gateway`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from framegate.domain.machine import REAL_MACHINE
from support.stub_renderer import StubExecutor

BASE = "http://127.0.0.1:8787"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open gateway."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), render_workers=1)
    app = build_app(settings, REAL_MACHINE, executor=StubExecutor(REAL_MACHINE))
    with TestClient(app, base_url=f"{BASE}/api/v1") as client:
        yield client


@pytest.fixture(scope="module")
def rendering_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open gateway that renders, for tests whose subject is the picture."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("rendering"), render_workers=1)
    with TestClient(build_app(settings), base_url=f"{BASE}/api/v1") as client:
        yield client


@pytest.fixture
def open_gateway(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Open a gateway with other settings; with `renders`, it renders."""
    with ExitStack() as stack:

        def start(*, renders: bool = False, **settings: object) -> TestClient:
            given = Settings.model_validate({"data_dir": tmp_path / "data", "render_workers": 1, **settings})
            app = build_app(given, REAL_MACHINE, executor=None if renders else StubExecutor(REAL_MACHINE))
            return stack.enter_context(TestClient(app, base_url=f"{BASE}/api/v1"))

        yield start


@pytest.fixture(scope="module")
def photo(gateway: TestClient, photos: tuple[Path, ...]) -> str:
    """URL of a photo that was uploaded to the open gateway."""
    return _uploaded(gateway, photos[0])


@pytest.fixture(scope="module")
def rendering_photo(rendering_gateway: TestClient, photos: tuple[Path, ...]) -> str:
    """URL of a photo that was uploaded to the gateway that renders."""
    return _uploaded(rendering_gateway, photos[0])


def _uploaded(gateway: TestClient, photo: Path) -> str:
    headers = {"content-type": "application/octet-stream"}
    return gateway.post("/assets", content=photo.read_bytes(), headers=headers).json()["url"]
