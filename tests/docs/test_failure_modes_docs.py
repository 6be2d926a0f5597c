"""Failure modes: the page and the tests in `tests/e2e/promises` cover the same entries."""

import re

import pytest

from support.pages import page
from support.paths import ROOT, TESTS

PAGE = page("operations/failure-modes.md")
ENTRIES = {
    int(number): text for number, text in re.findall(r"^### (\d+)\. (.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
FILES = sorted((TESTS / "e2e" / "promises").glob("test_*.py"))
TESTED = {
    file.name: {int(number) for number in re.findall(r"^def test_(\d\d)_", file.read_text("utf-8"), re.MULTILINE)}
    for file in FILES
}


def test_there_are_25_entries():
    assert list(ENTRIES) == list(range(1, 26))


@pytest.mark.parametrize("number", ENTRIES)
def test_an_entry_names_its_tests_or_says_that_it_is_not_built(number: int):
    named = set(re.findall(r"`tests/e2e/promises/(test_\w+\.py)`", ENTRIES[number]))
    written = {name for name, numbers in TESTED.items() if number in numbers}

    assert named == written
    assert (f"`test_{number:02}_*`" in ENTRIES[number]) == bool(written)
    assert ("Not yet" in ENTRIES[number]) != bool(written)


def test_every_path_and_benchmark_on_the_page_exists():
    paths = re.findall(r"`(tests/[\w/.]+)`", PAGE)
    benches = re.findall(r"`python -m bench (\w+)`", PAGE)

    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [name for name in benches if not list((ROOT / "bench").glob(f"{name}*"))] == []
