"""Allowances of a prompt: what it asks for that would otherwise be a fault, such as cuts or a flicker."""

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
class Allowances:
    """What the request allows: for each fault, the words of the prompt that ask for it, or an empty text."""

    has_request: bool = True  # False if neither a target, a prompt nor references are given
    still: str = ""
    cuts: str = ""
    flicker: str = ""
    dark: str = ""
    flat: str = ""
    shake: str = ""
    noise: str = ""
    image_count: int = 0  # images that can each become a shot; every image after the first allows one cut


def read_prompt(prompt: str | None, *, image_count: int, has_request: bool) -> Allowances:
    """Find the allowances of a prompt by its words alone; `image_count` counts the references and frames given."""
    text = re.sub(r"\s+", " ", (prompt or "").lower())
    return Allowances(
        has_request=has_request,
        image_count=image_count,
        still=_match(STILL, text),
        cuts="" if _match(ONE_TAKE, text) else _match(CUTS, text),
        flicker=_match(FLICKER, text),
        dark=_match(DARK, text),
        flat=_match(FLAT, text),
        shake=_match(SHAKE, text),
        noise=_match(NOISE, text),
    )


def _match(pattern: str, text: str) -> str:
    match = re.search(rf"\b(?:{pattern})\b", text)
    return match[0] if match else ""
