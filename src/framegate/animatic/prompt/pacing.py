"""How a move is made, from the words around it: how far, how fast, how evenly."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from framegate.animatic.plan.shots import Easing, Move
from framegate.animatic.prompt import vocabulary as words

GENTLE = 0.65
AMOUNT_LEAST, AMOUNT_MOST = 0.15, 3.0
BEFORE_CHARACTERS, AFTER_CHARACTERS = 40, 60
DEGREES_MOST = 60.0  # a still shows one side
DEGREES: dict[str, float] = {"orbit": 30, "arc": 30, "pan": 20, "tilt": 20, "roll": 8}  # about what amount 1 comes to

_KNOWN = words.AMOUNTS.keys() | words.SPEEDS.keys() | words.EASINGS.keys() | words.INTENSIFIERS
# From here on the words speak of the scene; adverbs still speak of the move, until a new verb may come.
_SCENE = re.compile(
    r"\b(?:on|of|over|across|past|along|toward|towards|as|to|around|through|into|from|while|where|who)\b"
)
_VERB = re.compile(r"\b(?:as|while|where|who|which|that)\b")
_WIDE, _CLOSE = r"(?:wide|long|full|medium)\b", r"close\b(?: ups?)?"
_UNTIL = r"[\w ,]{0,40}\b(?:to|into|end(?:s|ing)? (?:up )?(?:on|in|with|at|as))\b[\w ]{0,16}\b"
FROM_WIDE_TO_CLOSE = rf"\b(?:{_WIDE}{_UNTIL}{_CLOSE}|{_CLOSE}{_UNTIL}{_WIDE})"
FAR = 1.8
_FAR = re.compile(FROM_WIDE_TO_CLOSE)
_DEGREES = re.compile(r"(\d{1,3}) ?(?:degrees?\b|°)")


@dataclass(frozen=True)
class Manner:
    """Words, and what they come to: `easing` is None where they do not say."""

    amount: float = 1.0
    easing: Easing | None = None
    words: tuple[str, ...] = ()


UNASKED = Manner(GENTLE, None, ("gentle",))


def read(text: str, moves_at: Sequence[tuple[int, int]], moves: Sequence[Move]) -> Manner:
    """The manner of moves that stand at these places of a part of the prompt."""
    found = tuple(dict.fromkeys(_modifiers(text, moves_at)))
    amount = 1.0
    for before, word in pairwise(("", *found)):
        factor = words.AMOUNTS.get(word, words.SPEEDS.get(word, 1.0))
        amount *= factor**1.5 if before in words.INTENSIFIERS else factor
    if _FAR.search(text):
        amount *= FAR
    degrees = _DEGREES.search(text)
    if degrees:
        amount = min(float(degrees[1]), DEGREES_MOST) / next(
            (DEGREES[kind] for kind in DEGREES if moves[0].startswith(kind)), 30
        )
    easing = next((words.EASINGS[word] for word in found if word in words.EASINGS), None)
    return Manner(round(min(max(amount, AMOUNT_LEAST), AMOUNT_MOST), 3), easing, found)


def _modifiers(text: str, moves_at: Sequence[tuple[int, int]]) -> list[str]:
    """The modifiers beside a move in its own part, its adverbs, and parts of modifiers alone."""
    found: list[str] = []
    at = 0
    for part in text.split(","):
        own = [(start - at, end - at) for start, end in moves_at if at <= start < at + len(part) + 1]
        at += len(part) + 1
        if not own:
            tokens = re.findall(r"[a-z']+", part)
            alone = tokens and all(token in _KNOWN or token in words.FILLERS for token in tokens)
            found += [token for token in tokens if token in _KNOWN] if alone else []
            continue
        first, last = own[0][0], own[-1][1]
        start = max(first - BEFORE_CHARACTERS, 0)
        behind = part[last : last + AFTER_CHARACTERS]
        scene, verb = _SCENE.search(behind), _VERB.search(behind)
        found += _known(part[start:last])
        found += _known(behind[: scene.start()] if scene else behind)
        if scene:
            adverbs = behind[scene.start() : verb.start() if verb else None]
            found += [word for word in _known(adverbs) if word.endswith("ly")]
    return found


def _known(text: str) -> list[str]:
    return [token for token in re.findall(r"[a-z']+", text) if token in _KNOWN]
