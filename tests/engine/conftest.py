from pathlib import Path
from typing import Any

import pytest

from framegate.engine import Spec

PHOTOS = Path(__file__).parent / "photos"


@pytest.fixture
def astronaut():
    return str(PHOTOS / "astronaut.png")


@pytest.fixture
def cat():
    return str(PHOTOS / "cat.png")


@pytest.fixture
def rocket():
    return str(PHOTOS / "rocket.jpg")


@pytest.fixture
def spec(tmp_path: Path):
    """Make a small spec quickly: whatever a test does not say is short and small."""

    def make(**values: Any):
        plain: dict[str, Any] = {
            "width": 320,
            "height": 180,
            "fps": 12,
            "frames": 12,
            "output": str(tmp_path / "clip.mp4"),
        }
        return Spec(**(plain | values))

    return make
