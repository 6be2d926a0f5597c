"""Where a prompt names a camera move, and which moves it denies."""

import re
from dataclasses import dataclass

from framegate.engine import vocabulary as words
from framegate.engine.shots import Move

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
    asked: list[Hit] = []
    denied: list[Hit] = []
    for hit in sorted(found, key=lambda hit: hit.start):
        (denied if _is_denied(text, hit, denied[-1] if denied else None) else asked).append(hit)
    by_name = {
        move for pattern, moves in _BY_NAME for at in pattern.finditer(text) if _no(text, at.start()) for move in moves
    }
    return asked, frozenset({hit.move for hit in denied} | by_name)


def _is_denied(text: str, hit: Hit, before: Hit | None) -> bool:
    if _no(text, hit.start):
        return True
    if before is None or not 0 < hit.start - before.end <= DENIAL_CHARACTERS_MOST:
        return False
    link = text[before.end : hit.start]
    return _OR.fullmatch(link) is not None and ("or " in link or _OR_FOLLOWS.match(text, hit.end) is not None)


def _no(text: str, at: int) -> bool:
    return _NEGATION.search(text[max(at - DENIAL_CHARACTERS_MOST, 0) : at]) is not None
