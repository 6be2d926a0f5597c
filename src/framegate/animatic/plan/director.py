"""Director: from a prompt to the plan of a video, its shots with pictures, moves and times. Pure functions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from framegate.animatic.errors import TooManyPictures
from framegate.animatic.plan import timing
from framegate.animatic.plan.shots import Easing, Join, Move, Plan, Role, Shot
from framegate.animatic.plan.timing import DISSOLVE_SECONDS_MAX, DISSOLVE_SHARE_MAX, ShotTime
from framegate.animatic.prompt import atmosphere, mood, pacing, parser, placement, unsupported
from framegate.animatic.prompt import vocabulary as words
from framegate.animatic.prompt.mood import Mood
from framegate.animatic.prompt.parser import ParsedPrompt, Step
from framegate.animatic.prompt.references import Picture
from framegate.animatic.prompt.scene import Angle, Framing
from framegate.animatic.prompt.text import normalize, remove_quoted_speech
from framegate.animatic.prompt.vocabulary import ClauseBreak

SHOT_SECONDS_MIN = 0.25

# A video from a first to a last frame consists mostly of its transition.
MORPH_SECONDS_MAX = 1.5
MORPH_SHARE_MAX = 0.6
_IMPOSSIBLE_MOVES = {Role.FIRST_FRAME: Move.PULL_OUT, Role.SOURCE: Move.PULL_OUT, Role.LAST_FRAME: Move.PUSH_IN}


@dataclass(frozen=True)
class _PlannedStep:
    """A shot to plan: one step over one picture."""

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
    """Plan a video from its prompt: shots, look, sound, and notes on unsupported requests. Deterministic.

    Raises TooManyPictures if a shot would be shorter than SHOT_SECONDS_MIN.
    """
    text = remove_quoted_speech(normalize(prompt or ""))
    pictures = _list_pictures(reference_count, names, has_first=has_first, has_last=has_last, has_source=has_source)
    parsed = parser.parse(text, pictures, seconds)
    entries = _plan_entries(pictures, parsed)
    seconds_min = SHOT_SECONDS_MIN * len(entries)
    if seconds < seconds_min:
        raise TooManyPictures(
            f"{len(entries)} shots do not fit into {seconds:g} s: each needs {SHOT_SECONDS_MIN:g} s, "
            f"so use fewer pictures or moves, or a duration of at least {seconds_min:g} s",
            shots_max=int(seconds / SHOT_SECONDS_MIN),
        )
    notes = [*parsed.notes, *unsupported.describe_unsupported(text)]
    layout = timing.lay_out([entry.step.time for entry in entries], seconds, SHOT_SECONDS_MIN)
    lengths = list(layout.lengths)
    if layout.remaining_seconds:
        lengths.append(layout.remaining_seconds)
        entries.append(_PlannedStep(entries[-1].picture, _hold_step(entries[-1].step)))
    if layout.is_adjusted:
        notes.append(
            f"the shot times in the prompt do not add up to {seconds:g} s: the shots were adjusted to the duration"
        )
    clip_mood = mood.find_mood(text)
    shots = [
        _plan_shot(pictures, entries, number, parsed, clip_mood, mood.find_handheld(text))
        for number in range(len(entries))
    ]
    notes += dict.fromkeys(shot.note for shot in shots if shot.asked and shot.note)
    shots = _set_times(shots, lengths, seconds, _plan_joins(text, pictures, entries, clip_mood))
    sound_layers = atmosphere.read_sounds(text) if audio else ()
    notes += atmosphere.describe_unsupported_sound(text, sound_layers) if audio else ()
    return Plan(
        shots=shots,
        look=atmosphere.read_look(text),
        sound_layers=sound_layers,
        notes=tuple(notes),
        placement=placement.find_placement(prompt, reference_count, names),
    )


def plan_shots(
    prompt: str | None,
    *,
    reference_count: int,
    has_first: bool = False,
    has_last: bool = False,
    seconds: float,
    names: Sequence[str | None] = (),
) -> tuple[Shot, ...]:
    """Plan only the shots of a video; see `direct`."""
    return direct(
        prompt,
        reference_count=reference_count,
        has_first=has_first,
        has_last=has_last,
        seconds=seconds,
        names=names,
    ).shots


def _list_pictures(
    reference_count: int, names: Sequence[str | None], *, has_first: bool, has_last: bool, has_source: bool
) -> list[Picture]:
    pictures = [Picture(Role.SOURCE)] if has_source else []
    pictures += [Picture(Role.FIRST_FRAME)] if has_first else []
    padded_names = [*names, *[None] * reference_count]
    pictures += [Picture(Role.REFERENCE, index, padded_names[index]) for index in range(reference_count)]
    pictures += [Picture(Role.LAST_FRAME)] if has_last else []
    return pictures or [Picture(Role.TITLE)]


def _plan_entries(pictures: Sequence[Picture], parsed: ParsedPrompt) -> list[_PlannedStep]:
    """Assign steps to pictures: named pictures first, the other steps to the other pictures in order.

    Pictures keep their order, unless the prompt sets it: then pictures that it does not name come last. A first frame
    is always first and a last frame always last.
    """
    entries = _assign_steps(pictures, parsed)
    unused = [at for at in range(len(pictures)) if all(entry.picture != at for entry in entries)]
    unplaced = [step for step in parsed.steps if not step.pictures]
    fallback = (
        replace(unplaced[-1], time=ShotTime(), break_before=ClauseBreak.SENTENCE) if unplaced else _default_step(parsed)
    )
    opening = entries[:1] if entries and entries[0].step.pictures else []
    words_set_order = any(
        entry.step.break_before in (ClauseBreak.START, ClauseBreak.LABEL) for entry in opening
    ) or any(after.step.is_sequential and after.picture < before.picture for before, after in pairwise(entries))
    if not words_set_order:
        entries.sort(key=lambda entry: entry.picture)
    first_free = next((entry.picture for entry in entries if not entry.step.pictures), len(pictures))
    for at in unused:
        later_entries = (number for number, entry in enumerate(entries) if entry.picture > at and not words_set_order)
        place = next(later_entries, len(entries))
        entries.insert(place, _PlannedStep(at, fallback if at > first_free else _default_step(parsed)))
    return sorted(entries, key=lambda entry: _position(pictures[entry.picture].role))


def _assign_steps(pictures: Sequence[Picture], parsed: ParsedPrompt) -> list[_PlannedStep]:
    steps = parsed.steps
    if Move.PUSH_IN in parsed.excluded_moves:
        steps = tuple(
            replace(step, moves=(Move.LOCKED_OFF,), is_explicit=True) if not step.is_explicit else step
            for step in steps
        )
    named = {picture for step in steps for picture in step.pictures}
    free = [at for at in range(len(pictures)) if at not in named]
    entries: list[_PlannedStep] = []
    last = -1
    for step in steps:
        if step.pictures:
            entries += [_PlannedStep(at, step) for at in step.pictures]
            last = step.pictures[-1]
            continue
        last = next((at for at in free if at > last), free[0] if free else last)
        free = [at for at in free if at != last]
        entries += _with_delay(_PlannedStep(last, step), entries)
    return entries


def _with_delay(entry: _PlannedStep, entries: list[_PlannedStep]) -> Iterator[_PlannedStep]:
    """The entry; its delay becomes the duration of the previous entry, or of a hold before it."""
    delay = entry.step.time.delay or entry.step.time.start
    if not entries and delay:
        opening = Step() if entry.step.is_hold else _hold_step(entry.step)
        yield _PlannedStep(entry.picture, replace(opening, time=ShotTime(duration=delay)))
    elif entry.step.time.delay and entries[-1].step.time.duration is None:
        entries[-1] = replace(
            entries[-1], step=replace(entries[-1].step, time=ShotTime(duration=entry.step.time.delay))
        )
    yield entry


def _hold_step(step: Step) -> Step:
    return replace(
        step,
        moves=(Move.LOCKED_OFF,),
        pacing=pacing.Pacing(),
        is_explicit=True,
        time=ShotTime(),
        break_before=ClauseBreak.SENTENCE,
        is_hold=True,
    )


def _default_step(parsed: ParsedPrompt) -> Step:
    if Move.PUSH_IN in parsed.excluded_moves:
        return Step(moves=(Move.LOCKED_OFF,), pacing=pacing.Pacing(), is_explicit=True)
    return Step()


def _position(role: Role) -> int:
    return {Role.SOURCE: -2, Role.FIRST_FRAME: -1, Role.LAST_FRAME: 1}.get(role, 0)


def _plan_shot(
    pictures: Sequence[Picture],
    entries: Sequence[_PlannedStep],
    number: int,
    parsed: ParsedPrompt,
    clip_mood: Mood,
    clip_handheld: float | None,
) -> Shot:
    """The shot of an entry, without its times."""
    entry = entries[number]
    picture, step = pictures[entry.picture], entry.step
    is_first = number == 0 or entries[number - 1].picture != entry.picture
    is_last = number + 1 == len(entries) or entries[number + 1].picture != entry.picture
    is_exact = is_last if picture.role is Role.LAST_FRAME else is_first
    moves, note = _possible_moves(picture.role, step) if is_exact else (step.moves, "")
    is_locked = moves == (Move.LOCKED_OFF,)
    requested_handheld = step.handheld if step.handheld is not None else clip_handheld
    framing = step.framing or parsed.framing or Framing.AS_IS
    angle = step.angle or parsed.angle or Angle.LEVEL
    handheld = requested_handheld if requested_handheld is not None else 0.0 if is_locked else clip_mood.handheld
    amount = min(max(step.pacing.amount * clip_mood.amount, pacing.AMOUNT_MIN), pacing.AMOUNT_MAX)
    return Shot(
        role=picture.role,
        index=picture.index,
        moves=moves,
        amount=round(amount, 3),
        easing=step.pacing.easing or clip_mood.easing or Easing.SMOOTH,
        start=0.0,
        end=0.0,
        join=Join.OPENS,
        asked=step.is_explicit,
        words=_describe(picture, moves, step, framing, angle, handheld),
        note=note,
        handheld=handheld,
        framing=framing,
        angle=angle,
    )


def _possible_moves(role: Role, step: Step) -> tuple[tuple[Move, ...], str]:
    """The moves without the impossible one: an exact frame fills the output, so no pull-out from it or push into it."""
    impossible = _IMPOSSIBLE_MOVES.get(role)
    if impossible not in step.moves:
        return step.moves, ""
    if not step.is_explicit:
        return (Move.PULL_OUT,), "ends exactly on the last frame"
    remaining = tuple(move for move in step.moves if move is not impossible)
    picture_name = {Role.SOURCE: "source video's last frame"}.get(role, role.replace("_", " "))
    edge = "end" if role is Role.LAST_FRAME else "start"
    note = f"no {impossible}: the shot must {edge} exactly on the {picture_name}"
    return remaining or (Move.LOCKED_OFF,), note


def _describe(
    picture: Picture, moves: tuple[Move, ...], step: Step, framing: Framing, angle: Angle, handheld: float
) -> str:
    if picture.role is Role.REFERENCE:
        picture_name = f"reference {picture.index + 1}" + (f" (@{picture.name})" if picture.name else "")
    else:
        names = {Role.TITLE: "a title card", Role.SOURCE: "the source's last frame"}
        picture_name = names.get(picture.role, f"the {picture.role.replace('_', ' ')}")
    is_locked = moves == (Move.LOCKED_OFF,)
    move = "hold" if is_locked and step.is_hold else " with ".join(moves)
    words = [*(() if is_locked else step.pacing.words), f"{move} on {picture_name}"]
    view_words = [str(value) for value in (framing, angle) if value not in (Framing.AS_IS, Angle.LEVEL)]
    return ", ".join([*view_words, *(["handheld"] if handheld else []), " ".join(words)])


def _plan_joins(text: str, pictures: Sequence[Picture], entries: Sequence[_PlannedStep], clip_mood: Mood) -> list[Join]:
    """How each shot follows the previous one: moves over one picture continue unless the prompt cuts."""
    is_soft = re.search(words.ALL_DISSOLVES, text) is not None and not re.search(words.ALL_CUTS, text)
    cuts = re.search(words.ALL_CUTS, text) is not None or (bool(clip_mood.cuts) and not is_soft)
    last_frames = [at for at, picture in enumerate(pictures) if picture.role is Role.LAST_FRAME]
    joins = [Join.OPENS]
    for before, entry in pairwise(entries):
        step = entry.step
        reframed = step.framing not in (None, before.step.framing) or (step.break_before is ClauseBreak.CUT)
        if entry.picture == before.picture and not (reframed and entry.picture not in last_frames):
            joins.append(Join.CONTINUES)
        else:
            cut = cuts or step.break_before is ClauseBreak.CUT or entry.picture == before.picture
            joins.append(Join.CUTS if cut else Join.DISSOLVES)
    return joins


def _set_times(
    shots: Sequence[Shot], lengths: Sequence[float], seconds: float, joins: Sequence[Join]
) -> tuple[Shot, ...]:
    """Set the times of the shots; each dissolve is centered on the boundary of its two shots."""
    is_morph = [shot.role for shot in shots] == [Role.FIRST_FRAME, Role.LAST_FRAME]
    seconds_max, share_max = (
        (MORPH_SECONDS_MAX, MORPH_SHARE_MAX) if is_morph else (DISSOLVE_SECONDS_MAX, DISSOLVE_SHARE_MAX)
    )
    overlaps = [
        min(seconds_max, share_max * min(before, after)) if join is Join.DISSOLVES else 0.0
        for before, after, join in zip([0.0, *lengths], lengths, joins, strict=False)
    ]
    timed: list[Shot] = []
    at = 0.0
    for shot, length, join, overlap_before, overlap_after in zip(
        shots, lengths, joins, overlaps, [*overlaps[1:], 0.0], strict=True
    ):
        start, end = round(at - overlap_before / 2, 6), round(at + length + overlap_after / 2, 6)
        timed.append(replace(shot, start=start, end=end, join=join))
        at += length
    timed[-1] = replace(timed[-1], end=seconds)
    return tuple(timed)
