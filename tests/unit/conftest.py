"""A store, settings, and real photos."""

from pathlib import Path

import pytest

from framegate.config.settings import Settings
from framegate.storage.blobs import BlobStore
from support.paths import PHOTOS


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def photo_dir() -> Path:
    return PHOTOS


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")
