"""Prompt vocabulary: each documented phrase is read as the page says."""

import re

import pytest

from framegate.animatic import Easing, Move, direct
from framegate.animatic.prompt.mood import NEUTRAL, find_mood
from support.pages import blocks, page

DOC = page("reference/prompt-vocabulary.md")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", DOC, re.MULTILINE)
MOVES = {name: words for name, words in ROWS if name in list(Move)}
MOODS = [(name, effect) for name, effect in ROWS if name.startswith("`")]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_move_is_documented():
    assert list(MOVES) == list(Move)


@pytest.mark.parametrize(("move", "phrase"), [(move, phrase) for move in MOVES for phrase in quoted(MOVES[move])])
def test_a_documented_phrase_is_read_as_its_move(move: str, phrase: str):
    (shot,) = direct(phrase, reference_count=1, seconds=4).shots

    assert shot.asked
    assert shot.moves == (Move(move),)


@pytest.mark.parametrize(("word", "effect"), [(word, effect) for words, effect in MOODS for word in quoted(words)])
def test_a_documented_mood_does_what_the_page_says(word: str, effect: str):
    found = find_mood(word)

    assert found != NEUTRAL
    assert (found.amount > 1) == ("further" in effect or "far and fast" in effect)
    assert found.cuts is (True if "cuts" in effect else False if "dissolves" in effect else None)
    assert (found.handheld > 0) == ("sway" in effect)
    assert (found.easing is Easing.GENTLE) == ("floating" in effect)


def test_the_example_is_what_the_command_prints():
    command, *shown = blocks(DOC, "console")[0].splitlines()
    prompt = re.findall(r'-p "(.+)"', command)[0]
    shots = direct(prompt, reference_count=2, seconds=8, names=(None, "kitchen")).shots

    for shot, line in zip(shots, [line for line in shown if " to " in line], strict=True):
        assert f"{shot.start:5.2f} to {shot.end:5.2f} s  {shot.words}" in line


@pytest.mark.parametrize("order", re.findall(r'"([^"]+)"', DOC.split("## Not supported")[1])[:6])
def test_an_order_that_cannot_be_followed_is_answered_by_a_note(order: str):
    assert direct(order, reference_count=1, seconds=4).notes
