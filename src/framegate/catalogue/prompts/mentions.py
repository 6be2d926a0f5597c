"""What a prompt calls by name or by number: `@hero`, `@Image2`, "the third image", "images 1 and 2".

Every pattern is bounded, so that reading takes time in proportion to the prompt, whoever wrote it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from framegate.domain import Kind

NAME = re.compile(r"[^\W\d][\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class Call:
    """A reference called by its number: in what words, of which kind (None: any), and how surely it is one.

    `sure` is False for "the second photo", which may well hang on a wall in the scene.
    """

    phrase: str
    number: int
    kind: Kind | None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Mentions:
    """All that a prompt calls: each name once, in order, and each number."""

    names: tuple[str, ...]
    calls: tuple[Call, ...]


# Not in an e-mail address, a path, or before a domain's dot.
_MENTION = re.compile(r"(?<![\w@./+-])@([^\W\d][\w-]{0,63}+)(?!\.[a-z]{2})")
_NUMBERED = re.compile(r"(image|picture|video|audio|element|character|subject|reference)[_-]?(\d{1,2})", re.IGNORECASE)

_WORDS: list[str] = [
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
]
_ORDINAL = rf"(?:{'|'.join(_WORDS)}|\d{{1,2}}(?:st|[nr]d|th))"
_GIVEN = r"(?:reference|input|source|attached|uploaded|provided|supplied)"
_NOUN = rf"(?:(?P<given>{_GIVEN}) )?(?P<noun>image|picture|photo(?:graph)?|video|clip|audio|reference)"
_OTHERWISE = r"(?! (?:frames?|books?|windows?|galler(?:y|ies)|on|hanging|to|different|various)\b)"
_BY_ORDINAL = re.compile(
    rf"\b(?P<list>{_ORDINAL}(?:(?: ?, ?|,? (?:and|or) )(?:the )?{_ORDINAL}){{0,3}}) {_NOUN}s?\b{_OTHERWISE}",
    re.IGNORECASE,
)
_BY_NUMBER = re.compile(
    rf"(?<!@)\b{_NOUN}(?:s (?P<list>\d{{1,2}}(?: ?(?:,|and|or|&|-|to) ?\d{{1,2}}){{1,15}})| ?\#? ?(?P<one>\d{{1,2}}))"
    rf"\b(?![.:]\d| ?%| ?(?:px|pixels?|fps|seconds?|times)\b){_OTHERWISE}",
    re.IGNORECASE,
)
_INDEFINITE = re.compile(r"\b(?:an?|another|every|each|no|one) $", re.IGNORECASE)
_KIND_OF = {"video": Kind.VIDEO, "clip": Kind.VIDEO, "audio": Kind.AUDIO}
_IMAGES = ("image", "picture", "photo", "photograph")
_SURE = ("image", "reference")


@lru_cache(maxsize=32)
def read(prompt: str) -> Mentions:
    """What the prompt calls. Kept for a while, since one request is held against many models."""
    text = " ".join(prompt.split())
    mentioned = dict.fromkeys(match[1].rstrip("-") for match in _MENTION.finditer(text)) if "@" in text else {}
    return Mentions(tuple(mentioned), tuple(dict.fromkeys((*_by_ordinal(text), *_by_number(text)))))


def numbered(name: str) -> Call | None:
    """`Image2` as a call by number, where no reference bears that very name."""
    match = _NUMBERED.fullmatch(name)
    return Call(f"@{name}", int(match[2]), _kind(match[1])) if match else None


@lru_cache(maxsize=64)
def token(template: str) -> tuple[re.Pattern[str], int] | None:
    """The pattern of a model's own token such as `character{n}`, and its first number.

    `None` for tokens that are read in every prompt (`@Image1`, `Image 1`) or that are names.
    """
    if template.startswith(("@", "Image", "Video", "Audio")):
        return None
    before, slot, after = re.split(r"(\{n0?\})", template)
    pattern = rf"(?<!\w){re.escape(before)}(\d{{1,2}}){re.escape(after)}(?!\w)"
    return re.compile(pattern, re.IGNORECASE), 1 if slot == "{n}" else 0


def _by_ordinal(text: str) -> Iterator[Call]:
    for match in _BY_ORDINAL.finditer(text):
        if not _INDEFINITE.search(text[max(0, match.start() - 9) : match.start()]):
            for word in re.findall(_ORDINAL, match["list"], re.IGNORECASE):
                yield Call(match[0], _number(word), _kind(match["noun"]), _sure(match))


def _by_number(text: str) -> Iterator[Call]:
    for match in _BY_NUMBER.finditer(text):
        for digits in re.findall(r"\d+", match["one"] or match["list"]):
            yield Call(match[0], int(digits), _kind(match["noun"]), _sure(match))


def _sure(match: re.Match[str]) -> bool:
    return bool(match["given"]) or match["noun"].lower() in _SURE


def _kind(noun: str) -> Kind | None:
    return Kind.IMAGE if noun.lower() in _IMAGES else _KIND_OF.get(noun.lower())


def _number(word: str) -> int:
    digits = re.match(r"\d+", word)
    return int(digits[0]) if digits else _WORDS.index(word.lower()) + 1
