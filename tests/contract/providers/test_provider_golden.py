"""Every byte that an adapter sends, and what it makes of each answer."""

import json
from functools import partial
from pathlib import Path

import anyio
import pytest

from framegate.providers.registry import ADAPTERS
from support.provider_golden import FOLDER, cases, played


@pytest.mark.parametrize("path", cases(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path, tmp_path: Path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert anyio.run(partial(played, case, path.parent.name, tmp_path)) == case["steps"]


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_provider_has_golden_files(name: str):
    assert list((FOLDER / name).glob("*.json")), f"tests/golden/providers/{name} holds no case"
