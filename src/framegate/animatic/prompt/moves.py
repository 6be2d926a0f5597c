"""Camera moves that a prompt names, and those that it excludes."""

import re
from bisect import bisect_right, insort
from dataclasses import dataclass

from framegate.animatic.plan.shots import Move
from framegate.animatic.prompt import vocabulary as words

NEGATION_CHARS_MAX = 40  # distance from "not" or "without" to the move

_PHRASES = [(re.compile(rf"\b(?:{pattern})"), move) for pattern, move in words.PHRASES]
_HOLD = re.compile(rf"\b(?:{words.HOLD})")
_NEGATION = re.compile(words.NEGATION)
_OR = re.compile(r"(?:,? (?:or|nor) |, )(?:any )?(?:camera )?")
_OR_FOLLOWS = re.compile(r",? (?:or|nor) ")
_EXCLUDABLE = [(re.compile(rf"\b(?:{pattern})"), moves) for pattern, moves in words.EXCLUDABLE]


@dataclass(frozen=True)
class MoveMention:
    """A move named in the text; a hold is a stop between other moves, unlike a locked-off shot."""

    start: int
    end: int
    move: Move
    is_hold: bool = False
    is_continuation: bool = False  # "… and right": has the pacing of the previous move


def find_moves(text: str) -> tuple[list[MoveMention], frozenset[Move]]:
    """The requested moves in order, and the excluded ones."""
    occupied = bytearray(len(text))
    mentions: list[MoveMention] = []
    for pattern, move in ((_HOLD, None), *_PHRASES):
        for match in pattern.finditer(text):
            start, end = match.span()
            if start < end and occupied.find(1, start, end) < 0:
                occupied[start:end] = bytes([1]) * (end - start)
                mentions.append(MoveMention(start, end, move or Move.LOCKED_OFF, is_hold=move is None))
    by_name = [
        (match.start(), match.end(), moves) for pattern, moves in _EXCLUDABLE for match in pattern.finditer(text)
    ]
    negated = [(start, end, moves) for start, end, moves in by_name if _is_negated(text, start)]
    ends = sorted({end for _, end, _ in negated})
    requested: list[MoveMention] = []
    excluded = {move for *_, moves in negated for move in moves}
    for mention in sorted(mentions, key=lambda mention: mention.start):
        before = bisect_right(ends, mention.start)
        if _is_negated(text, mention.start) or (before and _continues_negation(text, ends[before - 1], mention)):
            insort(ends, mention.end)
            excluded.add(mention.move)
        else:
            requested.append(mention)
    return requested, frozenset(excluded)


def _continues_negation(text: str, end: int, mention: MoveMention) -> bool:
    """Whether a move continues a list of excluded moves: "no zoom, pan left or tilt up"."""
    link = text[end : min(mention.start, end + NEGATION_CHARS_MAX)]
    return _OR.fullmatch(link) is not None and ("or " in link or _OR_FOLLOWS.match(text, mention.end) is not None)


def _is_negated(text: str, at: int) -> bool:
    return _NEGATION.search(text[max(at - NEGATION_CHARS_MAX, 0) : at]) is not None
