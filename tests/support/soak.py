"""How much the tests of chance do: a little in `make test`, much in `make soak`."""

import os
from typing import TypeVar

import hypothesis

T = TypeVar("T")
SOAK = bool(os.environ.get("SOAK"))


def amount(usual: T, soak: T) -> T:
    """Return the number of examples or kills, or the cases."""
    return soak if SOAK else usual


def examples(usual: int, soak: int = 200) -> hypothesis.settings:
    """Return the settings of a test whose examples are expensive."""
    return hypothesis.settings(max_examples=amount(usual, soak))
