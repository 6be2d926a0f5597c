"""From a prompt's text to steps: what the camera is told to do, one after another, and over which pictures."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from framegate.animatic.plan import timing
from framegate.animatic.plan.shots import Move
from framegate.animatic.plan.timing import Time
from framegate.animatic.prompt import mood, pacing
from framegate.animatic.prompt import vocabulary as words
from framegate.animatic.prompt.moves import Hit, spot
from framegate.animatic.prompt.pacing import Manner
from framegate.animatic.prompt.references import Picture, calls
from framegate.animatic.prompt.scene import Angle, Framing
from framegate.animatic.prompt.vocabulary import Break

LIST_LEAST = 3  # so many moves with nothing but commas between them are made in turn


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one part of the prompt asks of the camera. `pictures` are those it names, in its order."""

    moves: tuple[Move, ...] = (Move.PUSH_IN,)
    manner: Manner = pacing.UNASKED
    asked: bool = False
    hold: bool = False
    pictures: tuple[int, ...] = ()
    time: Time = Time()  # noqa: RUF009  # frozen
    framing: Framing | None = None
    angle: Angle | None = None
    handheld: float | None = None
    after: Break = Break.SENTENCE

    @property
    def ordered(self) -> bool:
        """Whether the words say that it comes when it stands there."""
        return self.after is not Break.SENTENCE


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A prompt's steps, and what it says besides: of no step, or that it will not have."""

    steps: tuple[Step, ...] = ()
    denied: frozenset[Move] = frozenset()
    framing: Framing | None = None
    angle: Angle | None = None
    notes: tuple[str, ...] = ()


@dataclass
class _Clause:
    """A stretch of the text with all that stands in it."""

    after: Break
    start: int
    end: int
    label: Time | None = None
    leads: bool = False  # to another shot: "…, then"
    hits: list[Hit] = field(default_factory=list[Hit])
    times: list[tuple[int, int, Time]] = field(default_factory=list[tuple[int, int, Time]])
    calls: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])  # where, and which picture

    def part(self, start: int, end: int) -> "_Clause":
        def within(places: Sequence[int]) -> slice:
            return slice(bisect_left(places, start), bisect_left(places, end))

        return _Clause(
            self.after,
            start,
            end,
            self.label,
            self.leads,
            self.hits[within([hit.start for hit in self.hits])],
            self.times[within([time[0] for time in self.times])],
            self.calls[within([call[0] for call in self.calls])],
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
_SPANS = re.compile(pacing.FROM_WIDE_TO_CLOSE)
_PARTS = re.compile(r", | and | while | & ")
_ONWARD = re.compile(rf" ?{words.ONWARD_WORDS}")
_AND_ONWARD = re.compile(rf"(?:,| and|, and) {words.ONWARD_WORDS}")


def read(text: str, pictures: Sequence[Picture], seconds: float) -> Reading:
    """The steps of a clip of so many seconds, from text made `normal`."""
    hits, denied = spot(text)
    clauses = _clauses(text, hits, timing.times(text, seconds), calls(text, pictures))
    steps: list[Step] = []
    notes: list[str] = []
    bare: list[str] = []
    for clause in clauses:
        before = steps[-1].moves if steps and steps[-1].asked else ()
        found = list(_steps(clause, text, before))
        if not found:
            bare.append(text[clause.start : clause.end])
        for step in found:
            _add(steps, _agreed(step, notes))
    said = " ; ".join(bare)
    return Reading(
        steps=tuple(steps),
        denied=denied,
        framing=mood.framing(said),
        angle=mood.angle(said),
        notes=tuple(dict.fromkeys(notes)),
    )


def _clauses(
    text: str, hits: Sequence[Hit], times: Sequence[tuple[int, int, Time]], called: Sequence[tuple[int, int]]
) -> list[_Clause]:
    clauses: list[_Clause] = []
    start, after, label = 0, Break.SENTENCE, None
    queues = list(reversed(hits)), list(reversed(times)), list(reversed(called))
    for match in _BREAKS.finditer(text):
        if match.end() and any(hit.start < match.start() < hit.end for hit in queues[0][-1:]):
            continue  # "before" or "to" inside of a move's own words
        clause = _Clause(after, start, match.start(), label, leads=bool(match["then"] or match["cut"]))
        _deal(clause, *queues)
        if clause.end > clause.start or label:
            clauses.append(clause)
            after, label = Break.SENTENCE, None
        start = match.end()
        if match["label"]:
            after, label = Break.LABEL, _label(match)
        elif match["cut"] or match["then"]:
            after = Break.CUT if match["cut"] else Break.THEN
    return clauses


def _deal(clause: _Clause, hits: list[Hit], times: list[tuple[int, int, Time]], called: list[tuple[int, int]]) -> None:
    """Give a clause what stands in it; what stands in the break before it is passed over."""
    while hits and hits[-1].start < clause.end:
        hit = hits.pop()
        clause.hits += [hit] if hit.start >= clause.start else []
    while times and times[-1][0] < clause.end:
        time = times.pop()
        clause.times += [time] if time[0] >= clause.start else []
    while called and called[-1][0] < clause.end:
        call = called.pop()
        clause.calls += [call] if call[0] >= clause.start else []


def _label(match: re.Match[str]) -> Time:
    since, until = match["since"] or match["from"], match["until"] or match["till"]
    inside = match["inside"]
    if inside:
        span = re.fullmatch(timing.RANGE, inside.strip())
        if span is None:
            return next((time for _, _, time in timing.times(inside, 1.0)), Time())
        since, until = span["since"], span["until"]
    if not since:
        return Time()
    begins, ends = timing.clock(since), timing.clock(until)
    return Time(begins=begins, lasts=ends - begins) if ends > begins else Time(begins=begins)


def _steps(clause: _Clause, text: str, before: tuple[Move, ...]) -> Iterator[Step]:
    """The steps of one clause; `before` are the moves that "then left" goes on from."""
    if not clause.hits:
        yield from _unmoved(clause, text, before)
        return
    groups = _groups(clause, text)
    pictures: tuple[int, ...] = ()
    made = Manner()
    for number, (part, hits) in enumerate(groups):
        pictures = tuple(dict.fromkeys(picture for _, picture in part.calls)) or pictures
        said = text[part.start : part.end]
        moves = tuple(dict.fromkeys(hit.move for hit in hits))
        starts = _START.search(said) is not None
        if not hits[0].onward:
            made = pacing.read(said, [(hit.start - part.start, hit.end - part.start) for hit in hits], moves)
        yield Step(
            moves=moves,
            manner=made,
            asked=True,
            hold=any(hit.hold for hit in hits),
            pictures=pictures,
            time=_time(part, first=number == 0),
            framing=mood.framing(_SPANS.sub("", said)),
            angle=mood.angle(said),
            handheld=mood.handheld(said),
            after=_after(clause, starts=starts) if number == 0 else Break.THEN,
        )


def _groups(clause: _Clause, text: str) -> list[tuple[_Clause, list[Hit]]]:
    """The clause cut where a move comes after the one before it, not at once with it."""
    hits = [*_with_onward(clause, text)]
    links = [text[a.end : b.start] for a, b in pairwise(hits)]
    in_turn = len(hits) >= LIST_LEAST and all(
        _listed(text, link, hit) for link, hit in zip(links, hits[1:], strict=True)
    )
    edges = [clause.start, *(a.end + _edge(link) for a, link in zip(hits, links, strict=False)), clause.end]
    groups: list[tuple[int, list[Hit]]] = []
    for hit, start, end in zip(hits, edges, edges[1:], strict=False):
        here = clause.part(start, end)
        if groups and not (in_turn or _comes_after(hit, here, groups[-1][1], clause.part(groups[-1][0], start))):
            groups[-1][1].append(hit)
        else:
            groups.append((start, [hit]))
    ends = [*(start for start, _ in groups[1:]), clause.end]
    return [(clause.part(start, end), own) for (start, own), end in zip(groups, ends, strict=True)]


def _listed(text: str, link: str, hit: Hit) -> bool:
    """Whether a move stands in a list: "…, tilt up", not "…, tilting up" or "with a tilt up"."""
    _, comma, behind = link.rpartition(",")
    together = re.search(r"\b(?:while|as|with|plus|also)\b", behind) or re.match(r"\w+ing\b", text[hit.start : hit.end])
    return bool(comma) and not together


def _with_onward(clause: _Clause, text: str) -> Iterator[Hit]:
    """The clause's moves, and those that "pan left and right" or "zoom in, out" go on with."""
    nexts = [*(hit.start for hit in clause.hits[1:]), clause.end]
    for hit, limit in zip(clause.hits, nexts, strict=True):
        yield hit
        match = _AND_ONWARD.match(text, hit.end, limit)
        if match and (onward := words.ONWARD.get(hit.move, {}).get(match["onward"])):
            yield Hit(match.start("onward"), match.end(), onward, onward=True)


def _edge(link: str) -> int:
    """Where in the words between two moves the second one's part begins."""
    return max((match.start() for match in _PARTS.finditer(link)), default=len(link))


def _comes_after(hit: Hit, here: _Clause, group: Sequence[Hit], there: _Clause) -> bool:
    if hit.hold != any(before.hold for before in group):
        return True
    opposite = words.OPPOSITE.get(hit.move)
    if any(before.move is opposite for before in group):
        return True
    ours, theirs = {picture for _, picture in here.calls}, {picture for _, picture in there.calls}
    if ours and theirs and ours != theirs:
        return True
    waits = any(time.delay is not None or time.begins is not None for *_, time in here.times)
    return waits or bool(here.times and there.times)


def _unmoved(clause: _Clause, text: str, before: tuple[Move, ...]) -> Iterator[Step]:
    """Steps that name no move: a picture and its time, a label, a framing in its turn, or "then left"."""
    said = text[clause.start : clause.end]
    onward = _ONWARD.match(said) if clause.after is Break.THEN and before else None
    moves = words.ONWARD.get(before[0], {}) if before else {}
    if onward and onward["onward"] in moves:
        move = moves[onward["onward"]]
        yield Step(
            moves=(move,), manner=pacing.read(said, [(0, onward.end())], (move,)), asked=True, after=clause.after
        )
        return
    starts = _START.search(said) is not None
    for part in _timed_parts(clause, text):
        words_of = text[part.start : part.end]
        framing = mood.framing(words_of)
        turn = clause.after is not Break.SENTENCE or clause.leads or starts
        time = _time(part, first=part.start == clause.start)
        called = bool(part.calls) and (turn or time != Time())
        if called or clause.label is not None or (turn and framing):
            yield Step(
                pictures=tuple(dict.fromkeys(picture for _, picture in part.calls)),
                time=time,
                framing=framing,
                angle=mood.angle(words_of),
                after=_after(clause, starts=starts or clause.leads),
            )


def _after(clause: _Clause, *, starts: bool) -> Break:
    """What parts the clause from the one before; its own words may say that it comes first."""
    return Break.START if starts and clause.after is Break.SENTENCE else clause.after


def _timed_parts(clause: _Clause, text: str) -> list[_Clause]:
    """The clause in parts, where several have a picture and a time of their own."""
    if len(clause.times) < 2 or len(clause.calls) < 2:
        return [clause]
    edges = [clause.start, *(match.start() for match in _PARTS.finditer(text, clause.start, clause.end)), clause.end]
    parts = [clause.part(start, end) for start, end in pairwise(edges)]
    return [part for part in parts if part.calls and part.times] or [clause]


def _time(part: _Clause, *, first: bool) -> Time:
    """What the part says of its time; its label's where it says nothing."""
    given = [time for *_, time in part.times]
    label = part.label if first and part.label else Time()
    return Time(
        lasts=next((time.lasts for time in given if time.lasts is not None), label.lasts),
        begins=next((time.begins for time in given if time.begins is not None), label.begins),
        delay=next((time.delay for time in given if time.delay is not None), None),
    )


def _agreed(step: Step, notes: list[str]) -> Step:
    """The step with moves that can be made at once: a locked-off camera gives way to a move that is asked besides."""
    moving = tuple(move for move in step.moves if move is not Move.LOCKED_OFF)
    if not moving or len(moving) == len(step.moves):
        return step
    notes.append(f"a locked-off camera and a {moving[0]} are asked for at once: the camera moves")
    return replace(step, moves=moving)


def _opens_on(last: Step, step: Step) -> bool:
    """Whether a step is the move away from a framing: "start on a close-up, then pull back"."""
    framed = last.after is Break.START and not (last.asked or last.pictures) and last.time == Time()
    return framed and step.asked and not step.hold and not step.pictures and step.framing is None


def _add(steps: list[Step], step: Step) -> None:
    """Put a step behind the others, unless it only says more of the one before."""
    last = steps[-1] if steps else None
    if last is not None and _opens_on(last, step):
        steps[-1] = replace(step, framing=last.framing, angle=step.angle or last.angle, after=last.after)
    elif last is None or step.ordered or (step.pictures and step.pictures != last.pictures) or step.time != Time():
        steps.append(step)
    elif not last.asked and step.asked:
        steps[-1] = replace(
            step,
            pictures=last.pictures,
            time=last.time,
            framing=step.framing or last.framing,
            angle=step.angle or last.angle,
            after=last.after,
        )
    elif step.moves != last.moves or step.hold:
        steps.append(step)
    elif not last.manner.words:
        steps[-1] = replace(last, manner=step.manner)
