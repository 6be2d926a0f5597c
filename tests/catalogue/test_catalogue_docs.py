"""The documentation names every code, and its example of a row loads."""

import re
from pathlib import Path

from framegate.catalogue import PROBLEMS, WARNINGS, load

DOC = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text("utf-8")


def test_every_code_is_documented_and_no_other():
    documented = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", DOC, re.MULTILINE))

    assert documented == {**PROBLEMS, **WARNINGS}


def test_the_example_row_loads():
    (example,) = re.findall(r"```toml\n(.+?)```", DOC, re.DOTALL)

    (model,) = load(example)

    assert model.offers[0].limits.durations == (5, 10)
