"""Catalog entries and validation: every code is documented, and the example entry loads."""

from framegate.catalogue import PROBLEMS, WARNINGS, load
from support.pages import blocks, page, rows


def test_every_validation_code_is_documented_with_its_meaning_and_no_other():
    documented = {row[0].strip("`"): row[1] for row in rows(page("reference/validation-codes.md"))[1:]}
    documented.pop("code", None)

    assert documented == {**PROBLEMS, **WARNINGS}


def test_the_example_entry_loads():
    (entry,) = blocks(page("reference/catalogue.md"), "toml")

    (model,) = load(entry)

    assert model.offers[0].limits.durations == (5, 10)
