"""A store, settings, and real photos."""

from pathlib import Path

import pytest

from framegate.media.blobs import BlobStore
from framegate.settings import Settings


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def photos() -> Path:
    return Path(__file__).parent.parent / "photos"


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")
