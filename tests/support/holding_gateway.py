"""A sandbox in this process whose long renders run until they are cancelled."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from framegate.domain import Lost, Running, Update
from framegate.domain.machine import Machine
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
