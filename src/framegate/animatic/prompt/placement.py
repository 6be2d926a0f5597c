"""Placement of one picture in another: "place @hero in the second image"."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from framegate.animatic.plan.shots import Join, Placement, Plan, Role, Shot
from framegate.animatic.plan.timing import DISSOLVE_SECONDS_MAX, DISSOLVE_SHARE_MAX
from framegate.animatic.prompt.text import normalize
from framegate.animatic.prompt.vocabulary import ORDINALS

_NOUN = r"(?:image|picture|photo(?:graph)?|reference|element|still)"
_PLACE = r"(?:plac(?:e|es|ing|ed)|set(?:s|ting)?|put(?:s|ting)?|insert(?:s|ing|ed)?|composit(?:e|es|ing|ed))"
_SUBJECT_OF = r"(?:the )?(?:\w+ (?:of|from|in) )?"
_INTO = r"(?: \w+){0,2}? (?:in|into|inside|on|onto|in front of|against|within)"
_SCENE = r"(?: the)?(?: (?:scene|background|setting|world|place)(?: (?:of|from|in))?)?"


def find_placement(prompt: str | None, reference_count: int, names: Sequence[str | None]) -> Placement | None:
    """The subject and the scene, if the prompt places one reference in another."""
    text = normalize(prompt or "")
    patterns = list(_reference_patterns(reference_count, names))
    for subject, subject_pattern in enumerate(patterns):
        for scene, scene_pattern in enumerate(patterns):
            verb_phrase = rf"\b{_PLACE} {_SUBJECT_OF}{subject_pattern}{_INTO}{_SCENE} {scene_pattern}"
            name_phrase = rf"(?:^|[\s,(])(?=@){subject_pattern} (?:in|inside|into|within){_SCENE} {scene_pattern}"
            if subject != scene and (re.search(verb_phrase, text) or re.search(name_phrase, text)):
                return Placement(subject=subject, scene=scene)
    return None


def apply_placement(plan: Plan, placement: Placement) -> Plan:
    """The plan without the subject's own shots; their time is distributed over the other shots."""
    remaining = [shot for shot in plan.shots if shot.role is not Role.REFERENCE or shot.index != placement.subject]
    if not remaining:
        return plan
    seconds = plan.shots[-1].end
    joins = [Join.OPENS, *(shot.join for shot in remaining[1:])]
    overlaps = [
        min(DISSOLVE_SECONDS_MAX, DISSOLVE_SHARE_MAX * shot.seconds) if join is Join.DISSOLVES else 0.0
        for shot, join in zip(remaining, joins, strict=True)
    ]
    stretch = (seconds + sum(overlaps)) / sum(shot.seconds for shot in remaining)
    shots: list[Shot] = []
    at = 0.0
    for shot, join, overlap in zip(remaining, joins, overlaps, strict=True):
        start = at - overlap
        at = start + shot.seconds * stretch
        shots.append(replace(shot, start=round(start, 6), end=round(at, 6), join=join))
    shots[-1] = replace(shots[-1], end=seconds)
    return replace(plan, shots=tuple(shots), placement=placement)


def _reference_patterns(reference_count: int, names: Sequence[str | None]) -> Iterator[str]:
    """One pattern for each reference, with all the ways to refer to it."""
    for index in range(reference_count):
        choices = [rf"@?{_NOUN} ?#?{index + 1}\b"]
        if index < len(ORDINALS):
            choices.append(rf"(?:the )?{ORDINALS[index]} {_NOUN}\b")
        name = names[index] if index < len(names) else None
        if name:
            choices.append(rf"@{re.escape(normalize(name))}(?!\w)")
        yield rf"(?:{'|'.join(choices)})"
