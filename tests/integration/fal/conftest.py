"""A sandbox in this process that speaks the fal-compatible API. Its renders are copies, so that tests are fast."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.fal_client import upload
from support.holding_gateway import opened
from support.opened import parts_of


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
