"""CONTRIBUTING.md is true: its paths exist, and its examples work as they are printed."""

import json
import re
import tomllib
from functools import partial
from pathlib import Path
from types import ModuleType

import anyio
import pytest

from framegate import catalogue
from framegate.domain import Done, Running
from framegate.providers.base import Provider
from support.ordering import make_order
from support.replaying import Tape, replaying

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def example(language: str, number: int = 0) -> str:
    """A code block of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[number]


def test_every_path_exists():
    paths = set(re.findall(r"`((?:src|tests|docs|scripts)/[\w./-]+)`", TEXT)) | set(
        re.findall(r"\]\(([\w./-]+)\)", TEXT)
    )
    to_write = {"src/framegate/providers/toy.py", "tests/contract/providers/golden/toy/NAME.json"}

    assert len(paths) > 20
    assert [path for path in sorted(paths - to_write) if not (ROOT / path).exists()] == []


def test_the_tree_is_that_of_the_source():
    tree = example("text")
    folders = {path.name for path in (ROOT / "src/framegate").iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert set(re.findall(r"^  (\w+)/ ", tree.split("tests/")[0], re.MULTILINE)) == folders


def test_the_layers_are_those_of_the_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [
        line for line in next(one for one in contracts if one["type"] == "layers")["layers"] if line != "__main__"
    ]
    printed = re.search(r"`(cli > [^`]+)`", TEXT)

    assert printed is not None
    assert printed[1].split(" > ") == [line.removesuffix(" | web") for line in layers]


def test_the_catalog_entry_is_read_and_offered(tmp_path: Path):
    (tmp_path / "acme.toml").write_text(example("toml"), encoding="utf-8")

    model = catalogue.with_entries(catalogue.builtin(), tmp_path).get("acme/clip-1")

    assert model is not None
    assert model.limits.durations == (4, 8)
    assert [offer.provider for offer in model.offers] == ["openrouter"]


@pytest.mark.parametrize(
    ("state", "update"),
    [({"state": "drawing"}, Running(stage="running")), ({"state": "done", "url": "https://files.test/clip.mp4"}, Done)],
)
def test_the_provider_places_an_order_and_looks_at_it(state: dict[str, str], update: object, tmp_path: Path):
    anyio.run(partial(_order_and_poll, state, update, tmp_path))


async def _order_and_poll(state: dict[str, str], update: object, folder: Path) -> None:
    module = ModuleType("toy")
    exec(compile(example("python"), "CONTRIBUTING.md", "exec"), module.__dict__)
    tape = Tape([{"status": 200, "body": {"id": "clip-7"}}, {"status": 200, "body": json.dumps(state)}])
    with replaying(tape) as here:
        toy: Provider = module.Toy("studio", "key-of-the-account", here)
        handle = await toy.submit(make_order(folder, prompt="a kite", model_id="clip-1", references=[{}]))
        seen = await toy.poll(handle)
        await toy.close()

    assert tape.requests[0]["body"] == {
        "model": "clip-1",
        "text": "a kite",
        "seconds": 8,
        "pictures": ["https://pictures.test/0"],
    }
    assert seen == update or type(seen) is update
