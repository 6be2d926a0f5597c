"""A sandbox in this process that speaks the fal-compatible API. Its renders are copies, so that tests are fast."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from framegate.domain import Lost, Running, Update
from framegate.domain.machine import Machine
from support.fal_client import upload
from support.opened import parts_of
from support.stub_renderer import StubExecutor, StubRenderer

ORIGIN = "http://127.0.0.1:8787"
ENDLESS_SECONDS = 15  # a render of this length or more runs until it is cancelled


class HoldingRenderer(StubRenderer):
    """Renders short videos at once, and long ones until they are cancelled."""

    async def start(self, render_id: str, spec: dict[str, Any]) -> None:
        if spec["frames"] < ENDLESS_SECONDS * spec["fps"]:
            await super().start(render_id, spec)
        else:
            self.specs[render_id] = spec

    def poll(self, render_id: str) -> Update:
        update = super().poll(render_id)
        return Running(progress=0.1) if isinstance(update, Lost) and render_id in self.specs else update

    async def forget(self, render_id: str) -> None:
        self.specs.pop(render_id, None)
        await super().forget(render_id)


@contextmanager
def opened(folder: Path, **settings: object) -> Iterator[TestClient]:
    """Run a sandbox with holding renders."""
    machine = Machine()
    executor = StubExecutor(machine)
    executor.renderer = HoldingRenderer()
    app = build_app(
        Settings.model_validate({"data_dir": folder / "data", "sandbox": True, **settings}), machine, executor=executor
    )
    with TestClient(app, base_url=f"{ORIGIN}/fal", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open sandbox that may fetch from this machine."""
    with opened(tmp_path_factory.mktemp("fal"), allow_private_addresses=True) as client:
        yield client


@pytest.fixture
def open_gateway(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Open a sandbox with other settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(opened(tmp_path, **settings))


@pytest.fixture(scope="session")
def photo_url(gateway: TestClient, photos: tuple[Path, ...]) -> str:
    """URL of a photo that was uploaded to the open sandbox."""
    return upload(gateway, photos[0])


@pytest.fixture
def set_clock_forward(monkeypatch: pytest.MonkeyPatch) -> Callable[[TestClient, float], None]:
    """Set the wall clock of a sandbox forward, until the test ends."""

    def set_forward(gateway: TestClient, seconds: float) -> None:
        machine = parts_of(gateway).machine
        now = machine.now
        monkeypatch.setattr(machine, "now", lambda: now() + seconds)

    return set_forward
