"""Pacing of a move from the words around it: amount, speed and easing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from framegate.animatic.plan.shots import Easing, Move
from framegate.animatic.prompt import vocabulary as words

DEFAULT_AMOUNT = 0.65
AMOUNT_MIN, AMOUNT_MAX = 0.15, 3.0
CHARS_BEFORE_MAX, CHARS_AFTER_MAX = 40, 60
DEGREES_MAX = 60.0  # a still picture shows one side
DEGREES_PER_AMOUNT: dict[str, float] = {
    "orbit": 30,
    "arc": 30,
    "pan": 20,
    "tilt": 20,
    "roll": 8,
}  # approximate angle at amount 1

_MODIFIERS = words.AMOUNTS.keys() | words.SPEEDS.keys() | words.EASINGS.keys() | words.INTENSIFIERS
# Words after these describe the scene; only adverbs up to the next verb still modify the move.
_SCENE = re.compile(
    r"\b(?:on|of|over|across|past|along|toward|towards|as|to|around|through|into|from|while|where|who)\b"
)
_VERB = re.compile(r"\b(?:as|while|where|who|which|that)\b")
_WIDE, _CLOSE = r"(?:wide|long|full|medium)\b", r"close\b(?: ups?)?"
_UNTIL = r"[\w ,]{0,40}\b(?:to|into|end(?:s|ing)? (?:up )?(?:on|in|with|at|as))\b[\w ]{0,16}\b"
FROM_WIDE_TO_CLOSE = rf"\b(?:{_WIDE}{_UNTIL}{_CLOSE}|{_CLOSE}{_UNTIL}{_WIDE})"
WIDE_TO_CLOSE_FACTOR = 1.8
_WIDE_TO_CLOSE = re.compile(FROM_WIDE_TO_CLOSE)
_DEGREES = re.compile(r"(\d{1,3}) ?(?:degrees?\b|°)")


@dataclass(frozen=True)
class Pacing:
    """Pacing of a move: the modifier words and their effect; `easing` is None if they do not set it."""

    amount: float = 1.0
    easing: Easing | None = None
    words: tuple[str, ...] = ()


DEFAULT = Pacing(DEFAULT_AMOUNT, None, ("gentle",))


def read_pacing(text: str, move_spans: Sequence[tuple[int, int]], moves: Sequence[Move]) -> Pacing:
    """The pacing of the moves at these places in a part of the prompt."""
    modifiers = tuple(dict.fromkeys(_find_modifiers(text, move_spans)))
    amount = 1.0
    for before, word in pairwise(("", *modifiers)):
        factor = words.AMOUNTS.get(word, words.SPEEDS.get(word, 1.0))
        amount *= factor**1.5 if before in words.INTENSIFIERS else factor
    if _WIDE_TO_CLOSE.search(text):
        amount *= WIDE_TO_CLOSE_FACTOR
    degrees = _DEGREES.search(text)
    if degrees:
        amount = min(float(degrees[1]), DEGREES_MAX) / next(
            (DEGREES_PER_AMOUNT[kind] for kind in DEGREES_PER_AMOUNT if moves[0].startswith(kind)), 30
        )
    easing = next((words.EASINGS[word] for word in modifiers if word in words.EASINGS), None)
    return Pacing(round(min(max(amount, AMOUNT_MIN), AMOUNT_MAX), 3), easing, modifiers)


def _find_modifiers(text: str, move_spans: Sequence[tuple[int, int]]) -> list[str]:
    """The modifiers next to a move, its adverbs, and those in parts without other words."""
    modifiers: list[str] = []
    at = 0
    for part in text.split(","):
        spans = [(start - at, end - at) for start, end in move_spans if at <= start < at + len(part) + 1]
        at += len(part) + 1
        if not spans:
            tokens = re.findall(r"[a-z']+", part)
            has_only_modifiers = tokens and all(token in _MODIFIERS or token in words.FILLERS for token in tokens)
            modifiers += [token for token in tokens if token in _MODIFIERS] if has_only_modifiers else []
            continue
        first, last = spans[0][0], spans[-1][1]
        start = max(first - CHARS_BEFORE_MAX, 0)
        text_after = part[last : last + CHARS_AFTER_MAX]
        scene, verb = _SCENE.search(text_after), _VERB.search(text_after)
        modifiers += _modifiers_in(part[start:last])
        modifiers += _modifiers_in(text_after[: scene.start()] if scene else text_after)
        if scene:
            adverbs = text_after[scene.start() : verb.start() if verb else None]
            modifiers += [word for word in _modifiers_in(adverbs) if word.endswith("ly")]
    return modifiers


def _modifiers_in(text: str) -> list[str]:
    return [token for token in re.findall(r"[a-z']+", text) if token in _MODIFIERS]
