from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framegate.engine import Spec

PHOTOS = Path(__file__).parents[1] / "photos"


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
    plain = Spec(width=320, height=180, fps=12, frames=12, output=str(tmp_path / "clip.mp4"))

    def make(**values: Any) -> Spec:  # any field of a spec
        return replace(plain, **values)

    return make
