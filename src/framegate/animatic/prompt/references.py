"""Pictures that a prompt refers to: "@kitchen", "the second photo", "images 1 and 2", "the last frame"."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from framegate.animatic.plan.shots import Role
from framegate.animatic.prompt.text import normalize
from framegate.animatic.prompt.vocabulary import ORDINALS

_NOUN = r"(?:image|picture|photo(?:graph)?|reference|element|shot|still)"
_NUMBERED = re.compile(rf"@?\b{_NOUN}s? ?#?(?P<number>\d{{1,2}})(?P<more>(?:(?:, | and | & )\d{{1,2}}\b){{0,15}})\b")
_ORDINAL = re.compile(
    rf"\b(?P<list>(?:{'|'.join(ORDINALS)}|last|final)(?:(?:, | and )(?:the )?(?:{'|'.join(ORDINALS)}|last"
    rf"|final)){{0,5}}) {_NOUN}s?\b"
)
# "…, then the second": the noun can be left out at the end of a part.
_BARE = re.compile(rf"\bthe (?P<list>{'|'.join(ORDINALS)}|last)(?: one)?(?= ?(?:[,.;!?\n]|$|and\b|then\b))")
_ALL = re.compile(rf"\b(?:both|all|each|every)(?: of)?(?: the| of the)?(?: \w{{1,10}})? {_NOUN}s?\b")
_FIRST = re.compile(r"\b(?:first|start|starting|opening) frame\b")
_LAST = re.compile(r"\b(?:last|end|ending|final|closing) frame\b")


@dataclass(frozen=True)
class Picture:
    """A picture of the request; pictures are listed in the default order of their shots."""

    role: Role
    index: int = 0
    name: str | None = None


def find_references(text: str, pictures: Sequence[Picture]) -> list[tuple[int, int]]:
    """Each reference to a picture as its position in the text and the picture's index."""
    references = [*_find_frames(text, pictures), *_find_numbers(text, pictures), *_find_names(text, pictures)]
    return sorted(set(references))


def _find_frames(text: str, pictures: Sequence[Picture]) -> Iterator[tuple[int, int]]:
    for pattern, role in ((_FIRST, Role.FIRST_FRAME), (_LAST, Role.LAST_FRAME)):
        for at, picture in enumerate(pictures):
            if picture.role is role:
                yield from ((match.start(), at) for match in pattern.finditer(text))


def _find_numbers(text: str, pictures: Sequence[Picture]) -> Iterator[tuple[int, int]]:
    reference_pictures = [at for at, picture in enumerate(pictures) if picture.role is Role.REFERENCE]
    if not reference_pictures:
        return
    for match in _NUMBERED.finditer(text):
        for digits in re.findall(r"\d+", match["number"] + match["more"]):
            if 1 <= int(digits) <= len(reference_pictures):
                yield match.start(), reference_pictures[int(digits) - 1]
    for match in (*_ORDINAL.finditer(text), *_BARE.finditer(text)):
        for word in re.findall(r"[a-z]+", match["list"]):
            number = (
                ORDINALS.index(word)
                if word in ORDINALS
                else len(reference_pictures) - 1
                if word in ("last", "final")
                else -1
            )
            if 0 <= number < len(reference_pictures):
                yield match.start(), reference_pictures[number]
    for match in _ALL.finditer(text):
        yield from ((match.start(), at) for at in reference_pictures)


def _find_names(text: str, pictures: Sequence[Picture]) -> Iterator[tuple[int, int]]:
    names = {normalize(picture.name): at for at, picture in enumerate(pictures) if picture.name}
    if not names or "@" not in text:
        return
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile(rf"@({'|'.join(map(re.escape, longest_first))})(?!\w)")
    yield from ((match.start(), names[match[1]]) for match in pattern.finditer(text))
