"""From a prompt to a plan: which picture, which move, how far, from when to when. Pure and without pixels."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from framegate.animatic.errors import TooManyPictures
from framegate.animatic.plan import timing
from framegate.animatic.plan.shots import Easing, Join, Move, Plan, Role, Shot
from framegate.animatic.plan.timing import Time
from framegate.animatic.prompt import atmosphere, mood, pacing, parser, placement, unsupported
from framegate.animatic.prompt import vocabulary as words
from framegate.animatic.prompt.mood import Pace
from framegate.animatic.prompt.parser import Reading, Step
from framegate.animatic.prompt.references import Picture
from framegate.animatic.prompt.scene import Angle, Framing
from framegate.animatic.prompt.text import normal, unspoken
from framegate.animatic.prompt.vocabulary import Break

SHOT_SECONDS_LEAST = 0.25
DISSOLVE_SECONDS_MOST = 0.6
DISSOLVE_SHARE_MOST = 0.3  # of the shorter shot's length
# From the first frame to the last, the join is the story.
MORPH_SECONDS_MOST = 1.5
MORPH_SHARE_MOST = 0.6
_EXACT = {Role.FIRST_FRAME: Move.PULL_OUT, Role.SOURCE: Move.PULL_OUT, Role.LAST_FRAME: Move.PUSH_IN}


@dataclass(frozen=True)
class _Entry:
    """One shot to be: a step over one picture."""

    picture: int
    step: Step


def direct(
    prompt: str | None,
    *,
    reference_count: int,
    has_first: bool = False,
    has_last: bool = False,
    has_source: bool = False,
    seconds: float,
    names: Sequence[str | None] = (),
    audio: bool = False,
) -> Plan:
    """What a prompt is read as: shots, look, sound, and notes on what is not made. The same request, the same plan.

    Raises TooManyPictures when a shot would be shorter than SHOT_SECONDS_LEAST.
    """
    text = unspoken(normal(prompt or ""))
    pictures = _pictures(reference_count, names, has_first=has_first, has_last=has_last, has_source=has_source)
    read = parser.read(text, pictures, seconds)
    entries = _entries(pictures, read)
    least = SHOT_SECONDS_LEAST * len(entries)
    if seconds < least:
        raise TooManyPictures(
            f"{len(entries)} shots do not fit into {seconds:g} s: each needs {SHOT_SECONDS_LEAST:g} s, "
            f"so ask for fewer pictures or moves, or for at least {least:g} s",
            most=int(seconds / SHOT_SECONDS_LEAST),
        )
    notes = [*read.notes, *unsupported.notes(text)]
    laid = timing.lay([entry.step.time for entry in entries], seconds, SHOT_SECONDS_LEAST)
    lengths = list(laid.lengths)
    if laid.rest:
        lengths.append(laid.rest)
        entries.append(_Entry(entries[-1].picture, _hold(entries[-1].step)))
    if laid.changed:
        notes.append(f"the times that the prompt gives do not fill the clip's {seconds:g} s: shots were fitted to it")
    pace = mood.pace(text)
    shots = [_shot(pictures, entries, at, read, pace, mood.handheld(text)) for at in range(len(entries))]
    notes += dict.fromkeys(shot.note for shot in shots if shot.asked and shot.note)
    shots = _timed(shots, lengths, seconds, _joins(text, pictures, entries, pace))
    heard = atmosphere.heard(text) if audio else ()
    notes += atmosphere.unmade(text, heard) if audio else ()
    return Plan(
        shots=shots,
        look=atmosphere.look(text),
        heard=heard,
        notes=tuple(notes),
        compose=placement.asked(prompt, reference_count, names),
    )


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


def _pictures(
    reference_count: int, names: Sequence[str | None], *, has_first: bool, has_last: bool, has_source: bool
) -> list[Picture]:
    pictures = [Picture(Role.SOURCE)] if has_source else []
    pictures += [Picture(Role.FIRST_FRAME)] if has_first else []
    named = [*names, *[None] * reference_count]
    pictures += [Picture(Role.REFERENCE, index, named[index]) for index in range(reference_count)]
    pictures += [Picture(Role.LAST_FRAME)] if has_last else []
    return pictures or [Picture(Role.TITLE)]


def _entries(pictures: Sequence[Picture], read: Reading) -> list[_Entry]:
    """Each step over the pictures it names; the rest over the other pictures in order, then over the one before.

    The pictures keep their order, unless the words say in which they come: then those not named come last. A first
    frame opens and a last frame closes whatever is said.
    """
    placed = _placed(pictures, read)
    bare = [at for at in range(len(pictures)) if all(entry.picture != at for entry in placed)]
    over = [step for step in read.steps if not step.pictures]
    fallback = replace(over[-1], time=Time(), after=Break.SENTENCE) if over else _default(read)
    starts = placed[:1] if placed and placed[0].step.pictures else []
    by_words = any(entry.step.after in (Break.START, Break.LABEL) for entry in starts) or any(
        after.step.ordered and after.picture < before.picture for before, after in pairwise(placed)
    )
    if not by_words:
        placed.sort(key=lambda entry: entry.picture)
    reached = next((entry.picture for entry in placed if not entry.step.pictures), len(pictures))
    for at in bare:
        later = (number for number, entry in enumerate(placed) if entry.picture > at and not by_words)
        place = next(later, len(placed))
        placed.insert(place, _Entry(at, fallback if at > reached else _default(read)))
    return sorted(placed, key=lambda entry: _edge(pictures[entry.picture].role))


def _placed(pictures: Sequence[Picture], read: Reading) -> list[_Entry]:
    steps = read.steps
    if Move.PUSH_IN in read.denied:
        steps = tuple(replace(step, moves=(Move.LOCKED_OFF,), asked=True) if not step.asked else step for step in steps)
    named = {picture for step in steps for picture in step.pictures}
    free = [at for at in range(len(pictures)) if at not in named]
    placed: list[_Entry] = []
    last = -1
    for step in steps:
        if step.pictures:
            placed += [_Entry(at, step) for at in step.pictures]
            last = step.pictures[-1]
            continue
        last = next((at for at in free if at > last), free[0] if free else last)
        free = [at for at in free if at != last]
        placed += _delayed(_Entry(last, step), placed)
    return placed


def _delayed(entry: _Entry, before: list[_Entry]) -> Iterator[_Entry]:
    """A step that waits: the one before it lasts so long, or a hold if there is none."""
    delay = entry.step.time.delay or entry.step.time.begins
    if not before and delay:
        opening = Step() if entry.step.hold else _hold(entry.step)
        yield _Entry(entry.picture, replace(opening, time=Time(lasts=delay)))
    elif entry.step.time.delay and before[-1].step.time.lasts is None:
        before[-1] = replace(before[-1], step=replace(before[-1].step, time=Time(lasts=entry.step.time.delay)))
    yield entry


def _hold(step: Step) -> Step:
    return replace(
        step,
        moves=(Move.LOCKED_OFF,),
        manner=pacing.Manner(),
        asked=True,
        time=Time(),
        after=Break.SENTENCE,
        hold=True,
    )


def _default(read: Reading) -> Step:
    if Move.PUSH_IN in read.denied:
        return Step(moves=(Move.LOCKED_OFF,), manner=pacing.Manner(), asked=True)
    return Step()


def _edge(role: Role) -> int:
    return {Role.SOURCE: -2, Role.FIRST_FRAME: -1, Role.LAST_FRAME: 1}.get(role, 0)


def _shot(
    pictures: Sequence[Picture], entries: Sequence[_Entry], at: int, read: Reading, pace: Pace, sway: float | None
) -> Shot:
    """The shot of an entry, its time still open."""
    entry = entries[at]
    picture, step = pictures[entry.picture], entry.step
    first = at == 0 or entries[at - 1].picture != entry.picture
    last = at + 1 == len(entries) or entries[at + 1].picture != entry.picture
    exact = last if picture.role is Role.LAST_FRAME else first
    moves, note = _possible(picture.role, step) if exact else (step.moves, "")
    locked = moves == (Move.LOCKED_OFF,)
    own = step.handheld if step.handheld is not None else sway
    framing = step.framing or read.framing or Framing.AS_IS
    angle = step.angle or read.angle or Angle.LEVEL
    handheld = own if own is not None else 0.0 if locked else pace.handheld
    amount = min(max(step.manner.amount * pace.amount, pacing.AMOUNT_LEAST), pacing.AMOUNT_MOST)
    return Shot(
        role=picture.role,
        index=picture.index,
        moves=moves,
        amount=round(amount, 3),
        easing=step.manner.easing or pace.easing or Easing.SMOOTH,
        start=0.0,
        end=0.0,
        join=Join.OPENS,
        asked=step.asked,
        words=_say(picture, moves, step, framing, angle, handheld),
        note=note,
        handheld=handheld,
        framing=framing,
        angle=angle,
    )


def _possible(role: Role, step: Step) -> tuple[tuple[Move, ...], str]:
    """A frame that must be met exactly fills the output: from it nothing can pull out, into it nothing can push."""
    impossible = _EXACT.get(role)
    if impossible not in step.moves:
        return step.moves, ""
    if not step.asked:
        return (Move.PULL_OUT,), "settles on the last frame"
    left = tuple(move for move in step.moves if move is not impossible)
    what = {Role.SOURCE: "source video's last frame"}.get(role, role.replace("_", " "))
    place = "end" if role is Role.LAST_FRAME else "start"
    return left or (Move.LOCKED_OFF,), f"no {impossible}: the {what} is shown whole and exactly at the {place}"


def _say(picture: Picture, moves: tuple[Move, ...], step: Step, framing: Framing, angle: Angle, handheld: float) -> str:
    if picture.role is Role.REFERENCE:
        what = f"reference {picture.index + 1}" + (f" (@{picture.name})" if picture.name else "")
    else:
        named = {Role.TITLE: "a title card", Role.SOURCE: "the source's last frame"}
        what = named.get(picture.role, f"the {picture.role.replace('_', ' ')}")
    locked = moves == (Move.LOCKED_OFF,)
    move = "hold" if locked and step.hold else " with ".join(moves)
    said = [*(() if locked else step.manner.words), f"{move} on {what}"]
    shown = [str(value) for value in (framing, angle) if value not in (Framing.AS_IS, Angle.LEVEL)]
    return ", ".join([*shown, *(["handheld"] if handheld else []), " ".join(said)])


def _joins(text: str, pictures: Sequence[Picture], entries: Sequence[_Entry], pace: Pace) -> list[Join]:
    """How each shot follows the one before: moves over one picture go on, unless the words cut to another framing."""
    soft = re.search(words.ALL_DISSOLVES, text) is not None and not re.search(words.ALL_CUTS, text)
    cuts = re.search(words.ALL_CUTS, text) is not None or (bool(pace.cuts) and not soft)
    arriving = [at for at, picture in enumerate(pictures) if picture.role is Role.LAST_FRAME]
    joins = [Join.OPENS]
    for before, entry in pairwise(entries):
        step = entry.step
        reframed = step.framing not in (None, before.step.framing) or (step.after is Break.CUT)
        if entry.picture == before.picture and not (reframed and entry.picture not in arriving):
            joins.append(Join.GOES_ON)
        else:
            cut = cuts or step.after is Break.CUT or entry.picture == before.picture
            joins.append(Join.CUTS if cut else Join.DISSOLVES)
    return joins


def _timed(shots: Sequence[Shot], lengths: Sequence[float], seconds: float, joins: Sequence[Join]) -> tuple[Shot, ...]:
    """The shots in their times; half of each dissolve lies on either side of where they meet."""
    pair = [shot.role for shot in shots] == [Role.FIRST_FRAME, Role.LAST_FRAME]
    most, share = (MORPH_SECONDS_MOST, MORPH_SHARE_MOST) if pair else (DISSOLVE_SECONDS_MOST, DISSOLVE_SHARE_MOST)
    shared = [
        min(most, share * min(before, after)) if join is Join.DISSOLVES else 0.0
        for before, after, join in zip([0.0, *lengths], lengths, joins, strict=False)
    ]
    timed: list[Shot] = []
    at = 0.0
    for shot, length, join, opening, closing in zip(shots, lengths, joins, shared, [*shared[1:], 0.0], strict=True):
        start, end = round(at - opening / 2, 6), round(at + length + closing / 2, 6)
        timed.append(replace(shot, start=start, end=end, join=join))
        at += length
    timed[-1] = replace(timed[-1], end=seconds)
    return tuple(timed)
