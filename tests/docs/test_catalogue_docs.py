"""The documentation names every code, and its example of a row loads."""

import re

from framegate.catalogue import PROBLEMS, WARNINGS, loading
from support.paths import DOCS

DOC = (DOCS / "catalogue.md").read_text("utf-8")


def test_every_code_is_documented_and_no_other():
    documented = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", DOC, re.MULTILINE))

    assert documented == {**PROBLEMS, **WARNINGS}


def test_the_example_row_loads():
    (example,) = re.findall(r"```toml\n(.+?)```", DOC, re.DOTALL)

    (model,) = loading(example)

    assert model.offers[0].limits.durations == (5, 10)
