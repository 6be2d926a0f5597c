"""From a prompt to a shot list: which picture, which move, how far, from when to when. Pure and without pixels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from framegate.engine import vocabulary as words
from framegate.engine.errors import TooManyPictures
from framegate.engine.shots import Easing, Join, Move, Plan, Role, Shot

SHOT_SECONDS_LEAST = 0.25
DISSOLVE_SECONDS_MOST = 0.6
DISSOLVE_SHARE_MOST = 0.3  # of one shot's length
# From the first frame to the last, the join is the story.
MORPH_SECONDS_MOST = 1.5
MORPH_SHARE_MOST = 0.6
GENTLE = 0.65
DENIAL_CHARACTERS_MOST = 40  # how far before a move a "not" or "without" may stand


@dataclass(frozen=True)
class _Directive:
    """What one clause of the prompt asks of the camera."""

    moves: tuple[Move, ...] = (Move.PUSH_IN,)
    amount: float = GENTLE
    easing: Easing = Easing.SMOOTH
    manner: tuple[str, ...] = ("gentle",)
    asked: bool = False


@dataclass
class _Slot:
    """A picture of the request with the directives that fell to it."""

    role: Role
    index: int
    directives: list[_Directive] = field(default_factory=list["_Directive"])


def direct(
    prompt: str | None,
    *,
    reference_count: int,
    has_first: bool = False,
    has_last: bool = False,
    has_source: bool = False,
    seconds: float,
    names: Sequence[str | None] = (),
    audio: bool = False,  # noqa: ARG001  # the sound bed is read next
) -> Plan:
    """What a prompt is read as: shots, look, sound, and notes on what is not made. The same request, the same plan.

    Raises TooManyPictures when a shot would be shorter than SHOT_SECONDS_LEAST.
    """
    text = _normal(prompt or "")
    slots = _slots(reference_count, has_first=has_first, has_last=has_last, has_source=has_source)
    _assign(text, slots, names)
    shots = [shot for slot in slots for shot in _shots_of(slot, names)]
    if seconds < SHOT_SECONDS_LEAST * len(shots):
        raise TooManyPictures(
            f"{len(shots)} shots do not fit into {seconds:g} s: each needs {SHOT_SECONDS_LEAST:g} s, "
            f"so ask for fewer pictures or moves, or for at least {SHOT_SECONDS_LEAST * len(shots):g} s"
        )
    notes: list[str] = []
    missing = [name for pattern, name in words.NOT_MADE if re.search(rf"\b(?:{pattern})", text)]
    if missing:
        notes.append(f"not made by this engine: {', '.join(missing)}")
        shots[0] = replace(shots[0], note=_also(shots[0].note, notes[0]))
    return Plan(shots=_timed(shots, seconds, cuts=re.search(words.CUTS, text) is not None), notes=tuple(notes))


def plan(
    prompt: str | None,
    *,
    reference_count: int,
    has_first: bool = False,
    has_last: bool = False,
    seconds: float,
    names: Sequence[str | None] = (),
) -> tuple[Shot, ...]:
    """The shots of `direct` alone."""
    return direct(
        prompt,
        reference_count=reference_count,
        has_first=has_first,
        has_last=has_last,
        seconds=seconds,
        names=names,
    ).shots


def _normal(prompt: str) -> str:
    text = re.sub(r"slow[- ]motion|slow[- ]mo\b|time[- ]lapse", "", prompt.lower().replace("\u2019", "'"))
    return re.sub(r"[ \t]+", " ", re.sub(r"[-_\u2013\u2014]", " ", text))


def _slots(reference_count: int, *, has_first: bool, has_last: bool, has_source: bool) -> list[_Slot]:
    slots = [_Slot(Role.REFERENCE, index) for index in range(reference_count)]
    if has_first:
        slots.insert(0, _Slot(Role.FIRST_FRAME, 0))
    if has_source:
        slots.insert(0, _Slot(Role.SOURCE, 0))
    if has_last:
        slots.append(_Slot(Role.LAST_FRAME, 0))
    return slots or [_Slot(Role.TITLE, 0)]


def _assign(text: str, slots: list[_Slot], names: Sequence[str | None]) -> None:
    """Give each clause's moves to the pictures it names; the rest in order, the last one to whatever is left over."""
    unclaimed: list[_Directive] = []
    for clause in re.split(words.SEQUENCE, text):
        directive = _read(clause)
        if directive is None:
            continue
        meant = [slot for slot in slots if _mentions(clause, slot, names)]
        for slot in meant:
            slot.directives.append(directive)
        if not meant:
            unclaimed.append(directive)
    bare = [slot for slot in slots if not slot.directives]
    if not unclaimed:
        return
    for slot, directive in zip(bare, unclaimed, strict=False):
        slot.directives.append(directive)
    for slot in bare[len(unclaimed) :]:
        slot.directives.append(unclaimed[-1])
    for directive in unclaimed[len(bare) :]:
        slots[-1].directives.append(directive)


def _mentions(clause: str, slot: _Slot, names: Sequence[str | None]) -> bool:
    if slot.role is Role.FIRST_FRAME:
        return re.search(r"\b(?:first|start|opening) frame\b", clause) is not None
    if slot.role is Role.LAST_FRAME:
        return re.search(r"\b(?:last|end|final|closing) frame\b", clause) is not None
    if slot.role is Role.TITLE:
        return False
    number = slot.index + 1
    patterns = [rf"@?\b(?:image|picture|photo|reference|shot|element) ?{number}\b"]
    if number <= len(words.ORDINALS):
        patterns.append(rf"\b{words.ORDINALS[slot.index]} (?:image|picture|photo|reference|shot)\b")
    name = names[slot.index] if slot.index < len(names) else None
    if name:
        patterns.append(rf"@{re.escape(_normal(name))}(?!\w)")
    return any(re.search(pattern, clause) for pattern in patterns)


def _read(clause: str) -> _Directive | None:
    found: list[tuple[int, int, Move]] = []
    for pattern, move in words.PHRASES:
        for match in re.finditer(rf"\b(?:{pattern})", clause):
            span = match.span()
            denied = re.search(words.NEGATIONS, clause[max(span[0] - DENIAL_CHARACTERS_MOST, 0) : span[0]]) is not None
            if not denied and all(span[1] <= start or end <= span[0] for start, end, _ in found):
                found.append((*span, move))
    if not found:
        return None
    moves = _agreeing(tuple(dict.fromkeys(move for *_, move in sorted(found))))
    manner = _manner(clause, found)
    return _Directive(moves, _amount(manner), _easing(manner), tuple(manner), asked=True)


def _agreeing(moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """Moves that can be made at once: the first of each pair of opposites, and nothing besides locked-off."""
    if Move.LOCKED_OFF in moves:
        return (Move.LOCKED_OFF,)
    return tuple(move for at, move in enumerate(moves) if words.OPPOSITE[move] not in moves[:at])


def _manner(clause: str, found: list[tuple[int, int, Move]]) -> list[str]:
    """The modifiers of the moves: those in a move's own part of the clause, and in parts of modifiers alone."""
    known = words.AMOUNTS.keys() | words.SPEEDS.keys() | words.EASINGS.keys() | words.INTENSIFIERS
    manner: list[str] = []
    at = 0
    for part in clause.split(","):
        tokens = re.findall(r"[a-z']+", part)
        own = any(at <= start < at + len(part) + 1 for start, *_ in found)
        if own or (tokens and all(token in known | words.FILLERS for token in tokens)):
            manner += [token for token in tokens if token in known]
        at += len(part) + 1
    return manner


def _amount(manner: Sequence[str]) -> float:
    amount = 1.0
    for before, word in pairwise(["", *manner]):
        factor = words.AMOUNTS.get(word, words.SPEEDS.get(word, 1.0))
        amount *= factor**1.5 if before in words.INTENSIFIERS else factor
    return round(amount, 3)


def _easing(manner: Sequence[str]) -> Easing:
    return next((words.EASINGS[word] for word in manner if word in words.EASINGS), Easing.SMOOTH)


def _shots_of(slot: _Slot, names: Sequence[str | None]) -> list[Shot]:
    shots: list[Shot] = []
    directives = slot.directives or [_Directive()]
    edge = {Role.FIRST_FRAME: directives[0], Role.LAST_FRAME: directives[-1]}.get(slot.role)
    for directive in directives:
        moves, note = _possible(slot, directive) if directive is edge else (directive.moves, "")
        name = names[slot.index] if slot.role is Role.REFERENCE and slot.index < len(names) else None
        shots.append(
            Shot(
                role=slot.role,
                index=slot.index,
                moves=moves,
                amount=directive.amount,
                easing=directive.easing,
                start=0.0,
                end=0.0,
                join=Join.GOES_ON if shots else Join.DISSOLVES,
                asked=directive.asked,
                words=_say(slot, moves, directive.manner, name),
                note=note,
            )
        )
    return shots


def _possible(slot: _Slot, directive: _Directive) -> tuple[tuple[Move, ...], str]:
    """A frame that must be met exactly fills the output: from it nothing can pull out, into it nothing can push."""
    impossible = {Role.FIRST_FRAME: Move.PULL_OUT, Role.LAST_FRAME: Move.PUSH_IN}.get(slot.role)
    if impossible not in directive.moves:
        return directive.moves, ""
    if not directive.asked:
        return (Move.PULL_OUT,), "settles on the last frame"
    left = tuple(move for move in directive.moves if move is not impossible)
    place = "start" if slot.role is Role.FIRST_FRAME else "end"
    note = f"no {impossible}: the {slot.role.replace('_', ' ')} is shown whole and exactly at the {place}"
    return left or (Move.LOCKED_OFF,), note


def _say(slot: _Slot, moves: tuple[Move, ...], manner: tuple[str, ...], name: str | None) -> str:
    if slot.role is Role.REFERENCE:
        picture = f"reference {slot.index + 1}" + (f" (@{name})" if name else "")
    else:
        picture = {Role.TITLE: "a title card"}.get(slot.role, f"the {slot.role.replace('_', ' ')}")
    how = "" if moves == (Move.LOCKED_OFF,) else " ".join(manner) + " " if manner else ""
    return f"{how}{' with '.join(moves)} on {picture}"


def _timed(shots: list[Shot], seconds: float, *, cuts: bool) -> tuple[Shot, ...]:
    """Shots of equal length over the whole clip, each dissolve lying in both of its shots."""
    pair = [shot.role for shot in shots] == [Role.FIRST_FRAME, Role.LAST_FRAME]
    most = MORPH_SECONDS_MOST if pair else DISSOLVE_SECONDS_MOST
    share = MORPH_SHARE_MOST if pair else DISSOLVE_SHARE_MOST
    overlap = 0.0 if cuts else min(most, share * seconds / len(shots))
    joins = [Join.OPENS, *(_join(shot, cuts=cuts) for shot in shots[1:])]
    overlaps = [overlap if join is Join.DISSOLVES else 0.0 for join in joins]
    length = (seconds + sum(overlaps)) / len(shots)
    timed: list[Shot] = []
    start = 0.0
    for shot, join, shared in zip(shots, joins, overlaps, strict=True):
        start -= shared
        timed.append(replace(shot, start=round(start, 6), end=round(start + length, 6), join=join))
        start += length
    timed[-1] = replace(timed[-1], end=seconds)
    return tuple(timed)


def _join(shot: Shot, *, cuts: bool) -> Join:
    if shot.join is Join.GOES_ON:
        return Join.GOES_ON
    return Join.CUTS if cuts else Join.DISSOLVES


def _also(note: str, more: str) -> str:
    return f"{note}; {more}" if note else more
