"""Mood, framing, camera angle and handheld words, and how to find them in a prompt."""

import re
from dataclasses import dataclass

from framegate.animatic.plan.shots import Easing
from framegate.animatic.prompt.scene import Angle, Framing


@dataclass(frozen=True, kw_only=True)
class Mood:
    """Effect of a mood on a video: `amount` multiplies each move; `cuts` is None if the mood does not set it."""

    amount: float = 1.0
    easing: Easing | None = None
    cuts: bool | None = None
    handheld: float = 0.0


NEUTRAL = Mood()
MOODS: tuple[tuple[str, Mood], ...] = (
    (r"frantic|chaotic|hectic|frenetic|panicked|panicky", Mood(amount=1.7, cuts=True, handheld=0.8)),
    (r"found footage|guerrilla", Mood(cuts=True, handheld=0.8)),
    (
        r"energetic|high energy|upbeat|punchy|fast paced|adrenaline|action packed|dynamic|music video|hype|snappy",
        Mood(amount=1.4, cuts=True),
    ),
    (
        r"documentary|cin[eé]ma v[eé]rit[eé]|newsreel|reportage|fly on the wall",
        Mood(amount=0.8, cuts=True, handheld=0.3),
    ),
    (
        r"thriller|suspense(?:ful)?|tense|tension|horror|ominous|eerie|menacing",
        Mood(amount=0.75, easing=Easing.STEADY, cuts=True),
    ),
    (r"dream(?:y|like|scape)|ethereal|surreal|hypnotic|lullaby", Mood(amount=0.7, easing=Easing.GENTLE, cuts=False)),
    (r"epic|majestic|grand(?:iose)?\b|sweeping vista|heroic", Mood(amount=1.3, easing=Easing.GENTLE)),
    (
        r"romantic|nostalgi(?:c|a)|tender|wistful|melanchol(?:y|ic)|intimate",
        Mood(amount=0.8, easing=Easing.GENTLE, cuts=False),
    ),
    (
        (
            r"calm(?:ly|ing)?|seren(?:e|ity)|peaceful(?:ly)?|tranquil|meditative|contemplative|relaxed|relaxing"
            r"|quiet mood"
            r"|slow(?:er)? pace(?:d)?|slow motion|slow mo\b|unhurried pace"
        ),
        Mood(amount=0.7, easing=Easing.GENTLE, cuts=False),
    ),
)
FRAMINGS: tuple[tuple[str, Framing], ...] = (
    (
        (
            r"extreme close ?ups?|extreme close shot|ecu\b|macro(?: shot| close up| lens| detail)|big close ?up"
            r"|tight close ?up"
        ),
        Framing.EXTREME_CLOSE,
    ),
    (r"medium close ?ups?|mcu\b|bust shot|head and shoulders", Framing.CLOSE),
    (
        r"close ?ups?|closeups?|close shot|tight (?:shot|frame|framing|crop)|detail shot|portrait framing|tight on",
        Framing.CLOSE,
    ),
    (
        r"(?:medium|mid|waist|cowboy|three quarter|two|american) shot|medium (?:framing|frame)|waist up|medium wide",
        Framing.MEDIUM,
    ),
    (
        (
            r"(?:extreme |very |ultra )?(?:wide|long|full|establishing|master) (?:shot|view|frame|framing|angle)"
            r"|wide establishing"
            r"|full body shot|(?:start|begin|open)(?:s|ing)? wide|(?:then|ends?|finish(?:es)?) wide|wide(?=,|$)"
        ),
        Framing.WIDE,
    ),
)
ANGLES: tuple[tuple[str, Angle], ...] = (
    (r"dutch (?:angle|tilt|shot)|canted (?:angle|frame)|tilted (?:frame|horizon)|oblique angle", Angle.DUTCH),
    (r"low[ -]angle|worm'?s eye|from below|looking up at", Angle.LOW),
    (r"high[ -]angle|bird'?s eye|from above|top down|overhead (?:shot|view|angle)|looking down (?:on|at)", Angle.HIGH),
)
HANDHELD, HANDHELD_SLIGHT, HANDHELD_STRONG = 0.5, 0.25, 0.9
_SLIGHT = r"(?:subtle|slight|slightly|gentle|gently|light|soft|softly|barely|a bit|a little|minimal)"
_STRONG = r"(?:very|heavy|strong|strongly|violent|violently|wild|wildly|extreme|frantic|intense|shaky)"
_HANDHELD = (
    r"hand ?held|shak(?:y|ing) (?:hand ?held|cam(?:era)?|footage|shot)|camera (?:shakes?|sways?|wobbles?)"
    r"|sway(?:ing|s) camera"
)
_NEGATION = r"\b(?:no|not|never|without|avoid|zero|minimal)(?: any| a)? $"


def find_mood(text: str) -> Mood:
    """The first mood in the table that the text names."""
    return next((mood for pattern, mood in MOODS if _first_match(pattern, text)), NEUTRAL)


def find_framing(text: str) -> Framing | None:
    """The framing that the text names first."""
    matches = [(match.start(), framing) for pattern, framing in FRAMINGS if (match := _first_match(pattern, text))]
    return min(matches, key=lambda hit: hit[0])[1] if matches else None


def find_angle(text: str) -> Angle | None:
    """The camera angle that the text names."""
    return next((angle for pattern, angle in ANGLES if _first_match(pattern, text)), None)


def find_handheld(text: str) -> float | None:
    """Strength of the handheld sway, 0 to 1; 0 if the text excludes it, None if it does not mention it."""
    match = re.search(rf"\b(?:{_HANDHELD})", text)
    if match is None:
        return None
    before = text[max(match.start() - 24, 0) : match.start()]
    if re.search(_NEGATION, before):
        return 0.0
    around = before + match[0]
    if re.search(rf"\b{_SLIGHT} (?:\w{{1,12}} )?(?:{_HANDHELD})", around):
        return HANDHELD_SLIGHT
    return HANDHELD_STRONG if re.search(rf"\b{_STRONG}\b", around) else HANDHELD


def _first_match(pattern: str, text: str) -> re.Match[str] | None:
    for match in re.finditer(rf"\b(?:{pattern})", text):
        if re.search(_NEGATION, text[max(match.start() - 16, 0) : match.start()]) is None:
            return match
    return None
