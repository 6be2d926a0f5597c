"""Limits: each documented default is the default of the setting or constant that its row names."""

import importlib
import re
from decimal import Decimal

import pytest

from framegate.config.settings import Settings
from support.pages import page

ROW = re.compile(r"^\| [^|]+ \| `([\w.]+)(?::(\w+))?` \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
PAGE = page("reference/limits.md")
ROWS = ROW.findall(PAGE)


def test_every_row_of_the_tables_names_a_setting_or_a_constant():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Limit ")]

    assert len(rows) == len(ROWS) > 30


@pytest.mark.parametrize(("place", "constant", "default"), ROWS, ids=lambda value: value[:60])
def test_a_documented_limit_has_the_documented_default(place: str, constant: str, default: str):
    if constant:
        value = getattr(importlib.import_module(f"framegate.{place}"), constant)
    else:
        value = Settings.model_fields[place].get_default(call_default_factory=True, validated_data={})

    number = re.match(r"[\d,.]*\d", default)
    assert number is not None
    assert Decimal(number[0].replace(",", "")) == value
