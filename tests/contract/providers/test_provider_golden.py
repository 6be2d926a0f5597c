"""Golden cases of providers: every byte that an adapter sends, and what it makes of each response."""

import json
from functools import partial
from pathlib import Path

import anyio
import pytest

from framegate.providers.registry import ADAPTERS
from support.provider_golden import FOLDER, cases, played


@pytest.mark.parametrize("path", cases(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_requests_and_results_are_those_of_the_golden_file(path: Path, tmp_path: Path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert anyio.run(partial(played, case, path.parent.name, tmp_path)) == case["steps"]


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_provider_has_golden_files(name: str):
    assert list((FOLDER / name).glob("*.json")), f"no golden file in {FOLDER / name}"
