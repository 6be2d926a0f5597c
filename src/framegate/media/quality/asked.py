"""What a prompt asks for that would otherwise look like a fault: a still camera, cuts, a flicker, a fade to black."""

import re
from dataclasses import dataclass

STILL = (
    r"lock(?:ed)?[- ]?off|locked|static|still|motionless|stationary|frozen|freeze|fixed|tripod|no (?:camera )?motion"
)
CUTS = r"cut|cuts|cutting|then|next|after that|afterwards|followed by|montage|shots|scenes|sequence|storyboard|jump"
ONE_TAKE = (
    r"no cuts?|without (?:any )?cuts?|(?:one|single)[- ](?:continuous )?(?:take|shot)|one continuous|unbroken|oner"
)
FLICKER = r"flicker\w*|strob\w*|flash\w*|lightning|thunder\w*|blink\w*|disco|fireworks?|glitch\w*|explo\w+|gunfire|neon"
DARK = (
    r"(?:fade\w*|dissolve\w*|cuts?|out|up) (?:in |out )?(?:to|from|into) black|fade[- ](?:in|out)|black ?out"
    r"|black screen"
)
FLAT = (
    r"(?:fade\w*|dissolve\w*|cuts?) (?:in |out )?(?:to|from|into) (?:white|grey|gray)|blank"
    r"|solid colou?r|white ?out|fog"
)
SHAKE = r"hand ?-?held|shak\w+|jerk\w*|jitter\w*|stop[- ]motion|earthquake|glitch\w*|chaotic|frantic|fast[- ]forward"
NOISE = r"nois[ey]\w*|grain\w*|tv static|snow\w*|rain\w*|glitch\w*|vhs|sandstorm|blizzard|confetti|sparks|embers|dust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the request allows. The words of the prompt that allow it, or an empty text where none does."""

    known: bool = True  # False where no request is known at all
    still: str = ""
    cuts: str = ""
    flicker: str = ""
    dark: str = ""
    flat: str = ""
    shake: str = ""
    noise: str = ""
    pictures: int = 0  # of which shots may be made; each one more allows one cut more


def read(prompt: str | None, *, pictures: int, known: bool) -> Asked:
    """What the prompt allows, by its words alone; `pictures` counts the references and frames given."""
    text = re.sub(r"\s+", " ", (prompt or "").lower())
    return Asked(
        known=known,
        pictures=pictures,
        still=_word(STILL, text),
        cuts="" if _word(ONE_TAKE, text) else _word(CUTS, text),
        flicker=_word(FLICKER, text),
        dark=_word(DARK, text),
        flat=_word(FLAT, text),
        shake=_word(SHAKE, text),
        noise=_word(NOISE, text),
    )


def _word(pattern: str, text: str) -> str:
    found = re.search(rf"\b(?:{pattern})\b", text)
    return found[0] if found else ""
