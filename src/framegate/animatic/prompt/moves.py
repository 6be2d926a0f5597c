"""Where a prompt names a camera move, and which moves it denies."""

import re
from bisect import bisect_right, insort
from dataclasses import dataclass

from framegate.animatic.plan.shots import Move
from framegate.animatic.prompt import vocabulary as words

DENIAL_CHARACTERS_MOST = 40  # how far before a move a "not" or "without" may stand

_PHRASES = [(re.compile(rf"\b(?:{pattern})"), move) for pattern, move in words.PHRASES]
_HOLD = re.compile(rf"\b(?:{words.HOLD})")
_NEGATION = re.compile(words.NEGATION)
_OR = re.compile(r"(?:,? (?:or|nor) |, )(?:any )?(?:camera )?")
_OR_FOLLOWS = re.compile(r",? (?:or|nor) ")
_BY_NAME = [(re.compile(rf"\b(?:{pattern})"), moves) for pattern, moves in words.DENIED_BY_NAME]


@dataclass(frozen=True)
class Hit:
    """A move named in the text; a hold is a stop between other moves, not a way of shooting."""

    start: int
    end: int
    move: Move
    hold: bool = False
    onward: bool = False  # "… and right": made like the move before it


def spot(text: str) -> tuple[list[Hit], frozenset[Move]]:
    """The moves that are asked for in their order, and those that are denied."""
    taken = bytearray(len(text))
    found: list[Hit] = []
    for pattern, move in ((_HOLD, None), *_PHRASES):
        for match in pattern.finditer(text):
            start, end = match.span()
            if start < end and taken.find(1, start, end) < 0:
                taken[start:end] = bytes([1]) * (end - start)
                found.append(Hit(start, end, move or Move.LOCKED_OFF, hold=move is None))
    named = [(match.start(), match.end(), moves) for pattern, moves in _BY_NAME for match in pattern.finditer(text)]
    denials = [(start, end, moves) for start, end, moves in named if _no(text, start)]
    ends = sorted({end for _, end, _ in denials})
    asked: list[Hit] = []
    denied = {move for *_, moves in denials for move in moves}
    for hit in sorted(found, key=lambda hit: hit.start):
        before = bisect_right(ends, hit.start)
        if _no(text, hit.start) or (before and _goes_on(text, ends[before - 1], hit)):
            insort(ends, hit.end)
            denied.add(hit.move)
        else:
            asked.append(hit)
    return asked, frozenset(denied)


def _goes_on(text: str, end: int, hit: Hit) -> bool:
    """Whether a move stands in a list with one that is denied before it: "no zoom, pan left or tilt up"."""
    link = text[end : min(hit.start, end + DENIAL_CHARACTERS_MOST)]
    return _OR.fullmatch(link) is not None and ("or " in link or _OR_FOLLOWS.match(text, hit.end) is not None)


def _no(text: str, at: int) -> bool:
    return _NEGATION.search(text[max(at - DENIAL_CHARACTERS_MOST, 0) : at]) is not None
