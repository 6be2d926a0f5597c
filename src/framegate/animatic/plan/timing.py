"""Time expressions in a prompt, and the layout of shots over a video."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

NUMBERS = {
    word: float(number)
    for number, word in enumerate(
        [
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
        ],
        start=1,
    )
} | {"twenty": 20.0, "thirty": 30.0, "a": 1.0, "half a": 0.5, "a couple of": 2.0, "a few": 3.0}
_DIGITS = r"\d{1,3}(?:\.\d{1,3})?"
_NUMBER = (
    rf"(?:(?P<digits>{_DIGITS})|(?P<word>half a|a couple of|a few|{'|'.join(n for n in NUMBERS if ' ' not in n)}))"
)
_UNIT = r"(?: and a half)? ?(?P<unit>seconds?|secs?|s)\b"
# Durations of the whole video, of each shot, or of other things.
_NOT_A_SHOT = (
    r"(?! (?:\w{1,12} ){0,2}?(?:video|clip|film|movie|ad|advert|commercial|spot|loop|teaser|trailer|reel|animation"
    r"|sequence|exposure|ago|timer|rule|delay)\b| (?:each|apiece|per)\b)"
)
LENGTH = re.compile(
    rf"(?<![\w.:])(?P<before>(?:after|at|from|every|each|per|last|final|the|in the) )?{_NUMBER}{_UNIT}{_NOT_A_SHOT}"
)
LAST = re.compile(rf"\bthe (?:last|final) (?:{_NUMBER} ?(?:seconds?|secs?|s)|(?P<one>second))\b")
FIRST_SECOND = re.compile(r"\bthe first second\b")
BEAT = re.compile(r"\b(?:for )?a (?:beat|moment)\b")
BEAT_SECONDS = 1.0
DISSOLVE_SECONDS_MAX = 0.6
DISSOLVE_SHARE_MAX = 0.3  # of the shorter shot's length
PART = re.compile(
    r"\bthe (?P<which>first|opening|second|other|last|final|middle) (?P<part>half|third"
    r"|quarter)\b(?! of the (?:picture|image|frame))"
)
PARTS = {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4}
HALFWAY = re.compile(r"\bhalf ?way(?: through| in)?\b|\bmid ?way(?: through)?\b")
_CLOCK = r"(?:\d{1,2}:\d{2}(?:\.\d{1,3})?|\d{1,3}(?:\.\d{1,3})? ?(?:s|secs?|seconds?)?)"
RANGE = (
    rf"(?:from )?(?P<since>{_CLOCK}) ?(?:to|until) ?(?P<until>\d{{1,2}}:\d{{2}}(?:\.\d{{1,3}})?"
    r"|\d{1,3}(?:\.\d{1,3})? ?(?:s|secs?|seconds?))\b"
)


@dataclass(frozen=True)
class ShotTime:
    """Time of a shot as the prompt gives it, in seconds; None where it does not."""

    duration: float | None = None
    start: float | None = None
    delay: float | None = None  # from the start of the previous shot


def parse_clock(text: str) -> float:
    """Parse "0:03", "3s" or "3.5" into seconds."""
    minutes, _, seconds = text.rpartition(":")
    digits = re.match(_DIGITS, seconds)
    return (float(minutes) * 60 if minutes else 0.0) + (float(digits[0]) if digits else 0.0)


def find_times(text: str, clip_seconds: float) -> list[tuple[int, int, ShotTime]]:
    """Every time expression, with its start and end in the text."""
    times: list[tuple[int, int, ShotTime]] = []
    for match in LENGTH.finditer(text):
        time = _time(match, text)
        if time is not None:
            times.append((*match.span(), time))
    times += [(*match.span(), ShotTime(duration=BEAT_SECONDS)) for match in BEAT.finditer(text)]
    times += [(*match.span(), ShotTime(duration=1.0)) for match in FIRST_SECOND.finditer(text)]
    for match in LAST.finditer(text):
        length = float(match["digits"]) if match["digits"] else NUMBERS.get(match["word"], 1.0)
        times.append((*match.span(), ShotTime(start=max(clip_seconds - length, 0.0))))
    for match in PART.finditer(text):
        length = PARTS[match["part"]] * clip_seconds
        late = match["which"] in ("last", "final") or (match["which"], match["part"]) in (
            ("second", "half"),
            ("other", "half"),
        )
        times.append((*match.span(), ShotTime(start=clip_seconds - length) if late else ShotTime(duration=length)))
    times += [(*match.span(), ShotTime(start=clip_seconds / 2)) for match in HALFWAY.finditer(text)]
    return sorted(times, key=lambda hit: hit[0])


def _time(match: re.Match[str], text: str) -> ShotTime | None:
    before = (match["before"] or "").strip()
    if before in ("every", "each", "per", "last", "final"):
        return None
    seconds = float(match["digits"]) if match["digits"] else NUMBERS[match["word"]]
    if match["word"] == "a" and match["unit"] != "second":  # "a s" is not a time
        return None
    if "and a half" in match[0]:
        seconds += 0.5
    after = text[match.end() : match.end() + 12]
    if before == "after" or re.match(r" (?:later|in\b(?!to)(?! the))", after):
        return ShotTime(delay=seconds)
    if before in ("at", "from") or (before == "the" and re.match(r" mark", after)):
        return ShotTime(start=seconds)
    return ShotTime(duration=seconds) if seconds > 0 else None


@dataclass(frozen=True)
class Layout:
    """The lengths of shots in seconds; the last picture is held for `remaining_seconds`."""

    lengths: tuple[float, ...]
    remaining_seconds: float = 0.0
    is_adjusted: bool = False  # whether requested times had to be changed


def lay_out(times: Sequence[ShotTime], seconds: float, shot_seconds_min: float) -> Layout:
    """Distribute the duration over the shots: requested durations first, the others get equal parts."""
    lengths: list[float] = []
    is_adjusted = False
    remaining_seconds = 0.0
    for first, last, since, until in _runs([time.start for time in times], seconds, shot_seconds_min):
        closing = last == len(times)
        part, part_adjusted, part_remaining = _distribute(
            [time.duration for time in times[first:last]], until - since, shot_seconds_min, may_hold=closing
        )
        lengths += part
        is_adjusted = is_adjusted or part_adjusted
        remaining_seconds = part_remaining
    starts = [time.start for time in times]
    at = 0.0
    for requested_start, length in zip(starts, lengths, strict=True):
        is_adjusted = is_adjusted or (requested_start is not None and abs(requested_start - at) > 0.05)
        at += length
    return Layout(tuple(lengths), remaining_seconds, is_adjusted)


def _runs(
    starts: Sequence[float | None], seconds: float, shot_seconds_min: float
) -> list[tuple[int, int, float, float]]:
    """Runs of shots between the requested start times, without those that leave too little time for the other shots."""
    knots = [(0, 0.0)]
    for at, moment in enumerate(starts):
        before_at, before = knots[-1]
        fits = moment is not None and moment - before >= shot_seconds_min * (at - before_at)
        if moment is not None and at and fits and seconds - moment >= shot_seconds_min * (len(starts) - at):
            knots.append((at, moment))
    knots.append((len(starts), seconds))
    return [(a, b, since, until) for (a, since), (b, until) in itertools.pairwise(knots)]


def _distribute(
    durations: Sequence[float | None], seconds: float, shot_seconds_min: float, *, may_hold: bool
) -> tuple[list[float], bool, float]:
    fixed = [max(length, shot_seconds_min) for length in durations if length is not None]
    is_adjusted = any(length is not None and length < shot_seconds_min - 1e-9 for length in durations)
    open_count = len(durations) - len(fixed)
    open_seconds = seconds - sum(fixed)
    if open_count and open_seconds >= shot_seconds_min * open_count - 1e-9:
        return (
            [open_seconds / open_count if length is None else max(length, shot_seconds_min) for length in durations],
            is_adjusted,
            0.0,
        )
    if not open_count and may_hold and open_seconds >= shot_seconds_min:
        return fixed, is_adjusted, open_seconds
    average = sum(fixed) / len(fixed) if fixed else 1.0
    requested = [average if length is None else max(length, shot_seconds_min) for length in durations]
    return _scale(requested, seconds, shot_seconds_min), is_adjusted or abs(open_seconds) > 0.05, 0.0


def _scale(lengths: Sequence[float], seconds: float, shot_seconds_min: float) -> list[float]:
    """Lengths in proportion to these, none below the minimum."""
    at_min: set[int] = set()
    while True:
        seconds_above_min = seconds - shot_seconds_min * len(at_min)
        total = sum(length for at, length in enumerate(lengths) if at not in at_min)
        scale = seconds_above_min / total if total else 0.0
        too_short = {at for at, length in enumerate(lengths) if at not in at_min and length * scale < shot_seconds_min}
        if not too_short or len(too_short) + len(at_min) == len(lengths):
            return (
                [seconds / len(lengths)] * len(lengths)
                if len(too_short) + len(at_min) == len(lengths)
                else [shot_seconds_min if at in at_min else length * scale for at, length in enumerate(lengths)]
            )
        at_min |= too_short
