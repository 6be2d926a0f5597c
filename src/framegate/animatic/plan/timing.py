"""Seconds in words, and shots laid out over a clip."""

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
# The length of the whole, of each, or of something that is no time at all.
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
class Time:
    """What a clause says of its shot's time, in seconds: how long it lasts, and when in the clip it begins."""

    lasts: float | None = None
    begins: float | None = None
    delay: float | None = None  # how long after the shot before began


def clock(text: str) -> float:
    """The seconds of "0:03", "3s" or "3.5"."""
    minutes, _, seconds = text.rpartition(":")
    digits = re.match(_DIGITS, seconds)
    return (float(minutes) * 60 if minutes else 0.0) + (float(digits[0]) if digits else 0.0)


def times(text: str, clip_seconds: float) -> list[tuple[int, int, Time]]:
    """Every time that the words name, and where they stand."""
    found: list[tuple[int, int, Time]] = []
    for match in LENGTH.finditer(text):
        time = _time(match, text)
        if time is not None:
            found.append((*match.span(), time))
    found += [(*match.span(), Time(lasts=BEAT_SECONDS)) for match in BEAT.finditer(text)]
    found += [(*match.span(), Time(lasts=1.0)) for match in FIRST_SECOND.finditer(text)]
    for match in LAST.finditer(text):
        length = float(match["digits"]) if match["digits"] else NUMBERS.get(match["word"], 1.0)
        found.append((*match.span(), Time(begins=max(clip_seconds - length, 0.0))))
    for match in PART.finditer(text):
        length = PARTS[match["part"]] * clip_seconds
        late = match["which"] in ("last", "final") or (match["which"], match["part"]) in (
            ("second", "half"),
            ("other", "half"),
        )
        found.append((*match.span(), Time(begins=clip_seconds - length) if late else Time(lasts=length)))
    found += [(*match.span(), Time(begins=clip_seconds / 2)) for match in HALFWAY.finditer(text)]
    return sorted(found, key=lambda hit: hit[0])


def _time(match: re.Match[str], text: str) -> Time | None:
    before = (match["before"] or "").strip()
    if before in ("every", "each", "per", "last", "final"):
        return None
    seconds = float(match["digits"]) if match["digits"] else NUMBERS[match["word"]]
    if match["word"] == "a" and match["unit"] != "second":  # "a s" is no time
        return None
    if "and a half" in match[0]:
        seconds += 0.5
    after = text[match.end() : match.end() + 12]
    if before == "after" or re.match(r" (?:later|in\b(?!to)(?! the))", after):
        return Time(delay=seconds)
    if before in ("at", "from") or (before == "the" and re.match(r" mark", after)):
        return Time(begins=seconds)
    return Time(lasts=seconds) if seconds > 0 else None


@dataclass(frozen=True)
class Laid:
    """The lengths of shots in seconds; they fill the clip but for `rest`, which the last picture is held for."""

    lengths: tuple[float, ...]
    rest: float = 0.0
    changed: bool = False  # whether asked lengths had to give way


def lay(asked: Sequence[Time], seconds: float, least: float) -> Laid:
    """Share out a clip: asked lengths as they are while they fit, the others alike. Needs `least` for each shot."""
    lengths: list[float] = []
    changed = False
    rest = 0.0
    for first, last, since, until in _spans([time.begins for time in asked], seconds, least):
        closing = last == len(asked)
        part, gave, over = _share([time.lasts for time in asked[first:last]], until - since, least, rest=closing)
        lengths += part
        changed = changed or gave
        rest = over
    begun = [time.begins for time in asked]
    at = 0.0
    for wanted, length in zip(begun, lengths, strict=True):
        changed = changed or (wanted is not None and abs(wanted - at) > 0.05)
        at += length
    return Laid(tuple(lengths), rest, changed)


def _spans(begins: Sequence[float | None], seconds: float, least: float) -> list[tuple[int, int, float, float]]:
    """Runs of shots between the moments that are asked for, leaving out moments that leave no room."""
    knots = [(0, 0.0)]
    for at, moment in enumerate(begins):
        before_at, before = knots[-1]
        fits = moment is not None and moment - before >= least * (at - before_at)
        if moment is not None and at and fits and seconds - moment >= least * (len(begins) - at):
            knots.append((at, moment))
    knots.append((len(begins), seconds))
    return [(a, b, since, until) for (a, since), (b, until) in itertools.pairwise(knots)]


def _share(
    asked: Sequence[float | None], seconds: float, least: float, *, rest: bool
) -> tuple[list[float], bool, float]:
    fixed = [max(length, least) for length in asked if length is not None]
    changed = any(length is not None and length < least - 1e-9 for length in asked)
    free = len(asked) - len(fixed)
    left = seconds - sum(fixed)
    if free and left >= least * free - 1e-9:
        return [left / free if length is None else max(length, least) for length in asked], changed, 0.0
    if not free and rest and left >= least:
        return fixed, changed, left
    fair = sum(fixed) / len(fixed) if fixed else 1.0
    wanted = [fair if length is None else max(length, least) for length in asked]
    return _scaled(wanted, seconds, least), changed or abs(left) > 0.05, 0.0


def _scaled(wanted: Sequence[float], seconds: float, least: float) -> list[float]:
    """Lengths in proportion to those wanted, none below `least`."""
    floor: set[int] = set()
    while True:
        spare = seconds - least * len(floor)
        total = sum(length for at, length in enumerate(wanted) if at not in floor)
        scale = spare / total if total else 0.0
        short = {at for at, length in enumerate(wanted) if at not in floor and length * scale < least}
        if not short or len(short) + len(floor) == len(wanted):
            return (
                [seconds / len(wanted)] * len(wanted)
                if len(short) + len(floor) == len(wanted)
                else [least if at in floor else length * scale for at, length in enumerate(wanted)]
            )
        floor |= short
