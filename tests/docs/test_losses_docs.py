"""docs/losses.md and these tests tell of the same."""

import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
POINT = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"^def (test_\d\d_\w+)", re.MULTILINE)
POINTS = {int(number): text for number, text in POINT.findall(PAGE)}
WRITTEN = {name for file in HERE.glob("test_*.py") for name in TEST.findall(file.read_text(encoding="utf-8"))}


def test_every_point_is_there_and_names_its_tests_or_says_that_it_is_not_built():
    assert list(POINTS) == list(range(1, 26))
    for number, text in POINTS.items():
        named = re.findall(r"`test_(\d\d)_\w+`", text)
        assert {int(one) for one in named} == ({number} if named else set())
        assert bool(named) != ("Not yet" in text)


def test_the_page_names_every_test_and_no_other():
    assert set(re.findall(r"`(test_\d\d_\w+)`", PAGE)) == WRITTEN


def test_every_other_place_that_the_page_names_is_there():
    places = re.findall(r"`(tests/[\w/.]+)`", PAGE)
    benches = re.findall(r"`python -m bench (\w+)`", PAGE)

    assert len(places) > 20
    assert [place for place in places if not (ROOT / place).exists()] == []
    assert [name for name in benches if not list((ROOT / "bench").glob(f"{name}*"))] == []
