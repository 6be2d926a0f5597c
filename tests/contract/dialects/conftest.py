"""Gateways of the golden cases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An open gateway that renders."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), render_workers=1)
    with TestClient(build_app(settings), base_url="http://127.0.0.1:8787/api/v1") as client:
        yield client


@pytest.fixture(scope="module")
def photo(gateway: TestClient, photos: tuple[Path, ...]) -> str:
    """URL of a photo that was uploaded to the gateway."""
    headers = {"content-type": "application/octet-stream"}
    return gateway.post("/assets", content=photos[0].read_bytes(), headers=headers).json()["url"]
