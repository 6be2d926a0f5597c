"""Where a prompt sets one picture into another, "place @hero in the second image", and the plan without its shot."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from framegate.animatic.plan.shots import Compose, Join, Plan, Role, Shot
from framegate.animatic.prompt.text import normal
from framegate.animatic.prompt.vocabulary import ORDINALS

DISSOLVE_SECONDS_MOST, DISSOLVE_SHARE_MOST = 0.6, 0.3

_NOUN = r"(?:image|picture|photo(?:graph)?|reference|element|still)"
_PUT = r"(?:plac(?:e|es|ing|ed)|set(?:s|ting)?|put(?:s|ting)?|insert(?:s|ing|ed)?|composit(?:e|es|ing|ed))"
_OF = r"(?:the )?(?:\w+ (?:of|from|in) )?"
_INTO = r"(?: \w+){0,2}? (?:in|into|inside|on|onto|in front of|against|within)"
_SCENE = r"(?: the)?(?: (?:scene|background|setting|world|place)(?: (?:of|from|in))?)?"


def asked(prompt: str | None, reference_count: int, names: Sequence[str | None]) -> Compose | None:
    """The subject and the scene, if the words set one reference into another."""
    text = normal(prompt or "")
    called = list(_called(reference_count, names))
    for subject, one in enumerate(called):
        for scene, other in enumerate(called):
            put = rf"\b{_PUT} {_OF}{one}{_INTO}{_SCENE} {other}"
            stands = rf"(?:^|[\s,(])(?=@){one} (?:in|inside|into|within){_SCENE} {other}"
            if subject != scene and (re.search(put, text) or re.search(stands, text)):
                return Compose(subject=subject, scene=scene)
    return None


def placed(plan: Plan, compose: Compose) -> Plan:
    """The plan with the subject in its scene instead of in shots of its own; the others share its time."""
    kept = [shot for shot in plan.shots if shot.role is not Role.REFERENCE or shot.index != compose.subject]
    if not kept:
        return plan
    seconds = plan.shots[-1].end
    joins = [Join.OPENS, *(shot.join for shot in kept[1:])]
    shared = [
        min(DISSOLVE_SECONDS_MOST, DISSOLVE_SHARE_MOST * shot.seconds) if join is Join.DISSOLVES else 0.0
        for shot, join in zip(kept, joins, strict=True)
    ]
    stretch = (seconds + sum(shared)) / sum(shot.seconds for shot in kept)
    shots: list[Shot] = []
    at = 0.0
    for shot, join, overlap in zip(kept, joins, shared, strict=True):
        start = at - overlap
        at = start + shot.seconds * stretch
        shots.append(replace(shot, start=round(start, 6), end=round(at, 6), join=join))
    shots[-1] = replace(shots[-1], end=seconds)
    return replace(plan, shots=tuple(shots), compose=compose)


def _called(reference_count: int, names: Sequence[str | None]) -> Iterator[str]:
    """Patterns for each reference as prompts call it."""
    for index in range(reference_count):
        ways = [rf"@?{_NOUN} ?#?{index + 1}\b"]
        if index < len(ORDINALS):
            ways.append(rf"(?:the )?{ORDINALS[index]} {_NOUN}\b")
        name = names[index] if index < len(names) else None
        if name:
            ways.append(rf"@{re.escape(normal(name))}(?!\w)")
        yield rf"(?:{'|'.join(ways)})"
