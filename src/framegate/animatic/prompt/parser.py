"""Parser: from the text of a prompt to steps, the camera's moves in sequence with their pictures."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from framegate.animatic.plan import timing
from framegate.animatic.plan.shots import Move
from framegate.animatic.plan.timing import ShotTime
from framegate.animatic.prompt import mood
from framegate.animatic.prompt import vocabulary as words
from framegate.animatic.prompt.moves import MoveMention, find_moves
from framegate.animatic.prompt.pacing import DEFAULT, FROM_WIDE_TO_CLOSE, Pacing, read_pacing
from framegate.animatic.prompt.references import Picture, find_references
from framegate.animatic.prompt.scene import Angle, Framing
from framegate.animatic.prompt.vocabulary import ClauseBreak

LISTED_MOVES_MIN = 3  # moves separated only by commas are sequential from this number on


@dataclass(frozen=True, kw_only=True)
class Step:
    """Camera instructions of one part of the prompt. `pictures` are those that it names, in its order."""

    moves: tuple[Move, ...] = (Move.PUSH_IN,)
    pacing: Pacing = DEFAULT
    is_explicit: bool = False
    is_hold: bool = False
    pictures: tuple[int, ...] = ()
    time: ShotTime = ShotTime()  # noqa: RUF009  # frozen
    framing: Framing | None = None
    angle: Angle | None = None
    handheld: float | None = None
    break_before: ClauseBreak = ClauseBreak.SENTENCE

    @property
    def is_sequential(self) -> bool:
        """Whether the prompt sets the step's place in the sequence."""
        return self.break_before is not ClauseBreak.SENTENCE


@dataclass(frozen=True, kw_only=True)
class ParsedPrompt:
    """The steps of a prompt, the moves that it excludes, and the framing of the whole video."""

    steps: tuple[Step, ...] = ()
    excluded_moves: frozenset[Move] = frozenset()
    framing: Framing | None = None
    angle: Angle | None = None
    notes: tuple[str, ...] = ()


@dataclass
class _Clause:
    """A section of the text with its moves, times and references to pictures."""

    break_before: ClauseBreak
    start: int
    end: int
    label_time: ShotTime | None = None
    leads_on: bool = False  # is followed by another shot: "…, then"
    mentions: list[MoveMention] = field(default_factory=list[MoveMention])
    times: list[tuple[int, int, ShotTime]] = field(default_factory=list[tuple[int, int, ShotTime]])
    references: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])  # position and picture

    def part(self, start: int, end: int) -> "_Clause":
        def within(places: Sequence[int]) -> slice:
            return slice(bisect_left(places, start), bisect_left(places, end))

        return _Clause(
            self.break_before,
            start,
            end,
            self.label_time,
            self.leads_on,
            self.mentions[within([mention.start for mention in self.mentions])],
            self.times[within([time[0] for time in self.times])],
            self.references[within([reference[0] for reference in self.references])],
        )


_NUMBER_WORD = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)"
_LABEL = (
    rf"[(\[] ?{timing.RANGE} ?[)\]] ?:?"
    rf"|(?<!for )(?<!over )(?<!last )\b{timing.RANGE.replace('since', 'from').replace('until>', 'till>')} ?[:,]?"
    rf"|\b(?:shot|scene|part|beat|clip"
    rf"|segment) ?#?{_NUMBER_WORD}(?: ?[(\[](?P<inside>[^()\[\]\n]{{1,24}})[)\]])? ?[:.)](?!\d)"
)
_BREAKS = re.compile(
    rf"(?P<label>{_LABEL})|(?P<cut>{words.CUT})|(?P<then>{words.THEN})"
    r"|(?P<stop>[;!?\n]+|(?<![\w(])\d{1,2}\) |\.(?!\d)|$)"
)
_START = re.compile(words.START)
_SPANS = re.compile(FROM_WIDE_TO_CLOSE)
_PARTS = re.compile(r", | and | while | & ")
_CONTINUATION = re.compile(rf" ?{words.CONTINUATION}")
_AND_CONTINUATION = re.compile(rf"(?:,| and|, and) {words.CONTINUATION}")


def parse(text: str, pictures: Sequence[Picture], seconds: float) -> ParsedPrompt:
    """Parse normalized text into the steps of a video of this duration."""
    mentions, excluded = find_moves(text)
    clauses = _split_clauses(text, mentions, timing.find_times(text, seconds), find_references(text, pictures))
    steps: list[Step] = []
    notes: list[str] = []
    unread_texts: list[str] = []
    for clause in clauses:
        previous_moves = steps[-1].moves if steps and steps[-1].is_explicit else ()
        clause_steps = list(_clause_steps(clause, text, previous_moves))
        if not clause_steps:
            unread_texts.append(text[clause.start : clause.end])
        for step in clause_steps:
            _append_step(steps, _without_locked_off(step, notes))
    unread_text = " ; ".join(unread_texts)
    return ParsedPrompt(
        steps=tuple(steps),
        excluded_moves=excluded,
        framing=mood.find_framing(unread_text),
        angle=mood.find_angle(unread_text),
        notes=tuple(dict.fromkeys(notes)),
    )


def _split_clauses(
    text: str,
    mentions: Sequence[MoveMention],
    times: Sequence[tuple[int, int, ShotTime]],
    references: Sequence[tuple[int, int]],
) -> list[_Clause]:
    clauses: list[_Clause] = []
    start, break_before, label_time = 0, ClauseBreak.SENTENCE, None
    queues = list(reversed(mentions)), list(reversed(times)), list(reversed(references))
    for match in _BREAKS.finditer(text):
        if match.end() and any(mention.start < match.start() < mention.end for mention in queues[0][-1:]):
            continue  # "before" or "to" inside the phrase of a move
        clause = _Clause(break_before, start, match.start(), label_time, leads_on=bool(match["then"] or match["cut"]))
        _fill_clause(clause, *queues)
        if clause.end > clause.start or label_time:
            clauses.append(clause)
            break_before, label_time = ClauseBreak.SENTENCE, None
        start = match.end()
        if match["label"]:
            break_before, label_time = ClauseBreak.LABEL, _label_time(match)
        elif match["cut"] or match["then"]:
            break_before = ClauseBreak.CUT if match["cut"] else ClauseBreak.THEN
    return clauses


def _fill_clause(
    clause: _Clause,
    mentions: list[MoveMention],
    times: list[tuple[int, int, ShotTime]],
    references: list[tuple[int, int]],
) -> None:
    """Fill a clause with the matches inside it, and drop those inside the break before it."""
    while mentions and mentions[-1].start < clause.end:
        mention = mentions.pop()
        clause.mentions += [mention] if mention.start >= clause.start else []
    while times and times[-1][0] < clause.end:
        time = times.pop()
        clause.times += [time] if time[0] >= clause.start else []
    while references and references[-1][0] < clause.end:
        reference = references.pop()
        clause.references += [reference] if reference[0] >= clause.start else []


def _label_time(match: re.Match[str]) -> ShotTime:
    since, until = match["since"] or match["from"], match["until"] or match["till"]
    inside = match["inside"]
    if inside:
        span = re.fullmatch(timing.RANGE, inside.strip())
        if span is None:
            return next((time for _, _, time in timing.find_times(inside, 1.0)), ShotTime())
        since, until = span["since"], span["until"]
    if not since:
        return ShotTime()
    start, end = timing.parse_clock(since), timing.parse_clock(until)
    return ShotTime(start=start, duration=end - start) if end > start else ShotTime(start=start)


def _clause_steps(clause: _Clause, text: str, previous_moves: tuple[Move, ...]) -> Iterator[Step]:
    """The steps of one clause; "then left" refers to `previous_moves`."""
    if not clause.mentions:
        yield from _steps_without_move(clause, text, previous_moves)
        return
    groups = _group_moves(clause, text)
    pictures: tuple[int, ...] = ()
    pacing = Pacing()
    for number, (part, mentions) in enumerate(groups):
        pictures = tuple(dict.fromkeys(picture for _, picture in part.references)) or pictures
        part_text = text[part.start : part.end]
        moves = tuple(dict.fromkeys(mention.move for mention in mentions))
        opens = _START.search(part_text) is not None
        if not mentions[0].is_continuation:
            pacing = read_pacing(
                part_text, [(mention.start - part.start, mention.end - part.start) for mention in mentions], moves
            )
        yield Step(
            moves=moves,
            pacing=pacing,
            is_explicit=True,
            is_hold=any(mention.is_hold for mention in mentions),
            pictures=pictures,
            time=_part_time(part, is_first=number == 0),
            framing=mood.find_framing(_SPANS.sub("", part_text)),
            angle=mood.find_angle(part_text),
            handheld=mood.find_handheld(part_text),
            break_before=_break_before(clause, starts=opens) if number == 0 else ClauseBreak.THEN,
        )


def _group_moves(clause: _Clause, text: str) -> list[tuple[_Clause, list[MoveMention]]]:
    """Split the clause where a move follows the previous one instead of being simultaneous."""
    mentions = [*_with_continuations(clause, text)]
    links = [text[a.end : b.start] for a, b in pairwise(mentions)]
    is_list = len(mentions) >= LISTED_MOVES_MIN and all(
        _is_list_item(text, link, mention) for link, mention in zip(links, mentions[1:], strict=True)
    )
    edges = [clause.start, *(a.end + _part_start(link) for a, link in zip(mentions, links, strict=False)), clause.end]
    groups: list[tuple[int, list[MoveMention]]] = []
    for mention, start, end in zip(mentions, edges, edges[1:], strict=False):
        part = clause.part(start, end)
        if groups and not (is_list or _is_sequential(mention, part, groups[-1][1], clause.part(groups[-1][0], start))):
            groups[-1][1].append(mention)
        else:
            groups.append((start, [mention]))
    ends = [*(start for start, _ in groups[1:]), clause.end]
    return [(clause.part(start, end), group) for (start, group), end in zip(groups, ends, strict=True)]


def _is_list_item(text: str, link: str, mention: MoveMention) -> bool:
    """Whether a move is an item of a list: "…, tilt up", not "…, tilting up" or "with a tilt up"."""
    _, comma, link_end = link.rpartition(",")
    simultaneous = re.search(r"\b(?:while|as|with|plus|also)\b", link_end) or re.match(
        r"\w+ing\b", text[mention.start : mention.end]
    )
    return bool(comma) and not simultaneous


def _with_continuations(clause: _Clause, text: str) -> Iterator[MoveMention]:
    """The moves of a clause, and the second ones of "pan left and right" or "zoom in, out"."""
    limits = [*(mention.start for mention in clause.mentions[1:]), clause.end]
    for mention, limit in zip(clause.mentions, limits, strict=True):
        yield mention
        match = _AND_CONTINUATION.match(text, mention.end, limit)
        if match and (move := words.CONTINUATIONS.get(mention.move, {}).get(match["direction"])):
            yield MoveMention(match.start("direction"), match.end(), move, is_continuation=True)


def _part_start(link: str) -> int:
    """Start of the second move's part in the words between two moves."""
    return max((match.start() for match in _PARTS.finditer(link)), default=len(link))


def _is_sequential(mention: MoveMention, part: _Clause, group: Sequence[MoveMention], group_part: _Clause) -> bool:
    if mention.is_hold != any(before.is_hold for before in group):
        return True
    opposite = words.OPPOSITE.get(mention.move)
    if any(before.move is opposite for before in group):
        return True
    pictures, group_pictures = (
        {picture for _, picture in part.references},
        {picture for _, picture in group_part.references},
    )
    if pictures and group_pictures and pictures != group_pictures:
        return True
    is_delayed = any(time.delay is not None or time.start is not None for *_, time in part.times)
    return is_delayed or bool(part.times and group_part.times)


def _steps_without_move(clause: _Clause, text: str, previous_moves: tuple[Move, ...]) -> Iterator[Step]:
    """Steps without a move phrase: a picture with a time, a label, a framing in sequence, or "then left"."""
    clause_text = text[clause.start : clause.end]
    continuation = (
        _CONTINUATION.match(clause_text) if clause.break_before is ClauseBreak.THEN and previous_moves else None
    )
    moves = words.CONTINUATIONS.get(previous_moves[0], {}) if previous_moves else {}
    if continuation and continuation["direction"] in moves:
        move = moves[continuation["direction"]]
        yield Step(
            moves=(move,),
            pacing=read_pacing(clause_text, [(0, continuation.end())], (move,)),
            is_explicit=True,
            break_before=clause.break_before,
        )
        return
    opens = _START.search(clause_text) is not None
    for part in _timed_parts(clause, text):
        part_text = text[part.start : part.end]
        framing = mood.find_framing(part_text)
        in_sequence = clause.break_before is not ClauseBreak.SENTENCE or clause.leads_on or opens
        time = _part_time(part, is_first=part.start == clause.start)
        names_picture = bool(part.references) and (in_sequence or time != ShotTime())
        if names_picture or clause.label_time is not None or (in_sequence and framing):
            yield Step(
                pictures=tuple(dict.fromkeys(picture for _, picture in part.references)),
                time=time,
                framing=framing,
                angle=mood.find_angle(part_text),
                break_before=_break_before(clause, starts=opens or clause.leads_on),
            )


def _break_before(clause: _Clause, *, starts: bool) -> ClauseBreak:
    """The break before the clause; "start with" in the clause overrides the end of a sentence."""
    return ClauseBreak.START if starts and clause.break_before is ClauseBreak.SENTENCE else clause.break_before


def _timed_parts(clause: _Clause, text: str) -> list[_Clause]:
    """The parts of the clause, if several have a picture and a time of their own."""
    if len(clause.times) < 2 or len(clause.references) < 2:
        return [clause]
    edges = [clause.start, *(match.start() for match in _PARTS.finditer(text, clause.start, clause.end)), clause.end]
    parts = [clause.part(start, end) for start, end in pairwise(edges)]
    return [part for part in parts if part.references and part.times] or [clause]


def _part_time(part: _Clause, *, is_first: bool) -> ShotTime:
    """The time in the part's words, else the time of its label."""
    times = [time for *_, time in part.times]
    label_time = part.label_time if is_first and part.label_time else ShotTime()
    return ShotTime(
        duration=next((time.duration for time in times if time.duration is not None), label_time.duration),
        start=next((time.start for time in times if time.start is not None), label_time.start),
        delay=next((time.delay for time in times if time.delay is not None), None),
    )


def _without_locked_off(step: Step, notes: list[str]) -> Step:
    """The step without locked-off, if it is combined with another move."""
    moving = tuple(move for move in step.moves if move is not Move.LOCKED_OFF)
    if not moving or len(moving) == len(step.moves):
        return step
    notes.append(f"the prompt asks for a locked-off camera and for {moving[0]} at the same time: the camera moves")
    return replace(step, moves=moving)


def _opens_on(last: Step, step: Step) -> bool:
    """Whether a step is the move away from a start framing: "start on a close-up, then pull back"."""
    framed = (
        last.break_before is ClauseBreak.START and not (last.is_explicit or last.pictures) and last.time == ShotTime()
    )
    return framed and step.is_explicit and not step.is_hold and not step.pictures and step.framing is None


def _append_step(steps: list[Step], step: Step) -> None:
    """Append a step, or merge it into the last one if it only adds details."""
    last = steps[-1] if steps else None
    if last is not None and _opens_on(last, step):
        steps[-1] = replace(step, framing=last.framing, angle=step.angle or last.angle, break_before=last.break_before)
    elif (
        last is None
        or step.is_sequential
        or (step.pictures and step.pictures != last.pictures)
        or step.time != ShotTime()
    ):
        steps.append(step)
    elif not last.is_explicit and step.is_explicit:
        steps[-1] = replace(
            step,
            pictures=last.pictures,
            time=last.time,
            framing=step.framing or last.framing,
            angle=step.angle or last.angle,
            break_before=last.break_before,
        )
    elif step.moves != last.moves or step.is_hold:
        steps.append(step)
    elif not last.pacing.words:
        steps[-1] = replace(last, pacing=step.pacing)
