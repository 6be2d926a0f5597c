r"""Mentions of references in a prompt, by name or by number: `@hero`, `@Image2`, "the third image", "images 1 and 2".

A backslash before an at sign makes it plain text: `\@hero` mentions nothing, and the model reads `@hero`.

Every pattern is bounded, so that parsing takes time in proportion to the length of the prompt.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from framegate.domain import Kind

NAME = re.compile(r"[^\W\d][\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention by number: its words, and the number and kind (None: any) of the reference.

    `is_certain` is False for words like "the second photo", which may well be a photo in the scene.
    """

    phrase: str
    number: int
    kind: Kind | None
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Mentions:
    """All mentions of a prompt: each name once, in order, and each number."""

    names: tuple[str, ...]
    numbers: tuple[Mention, ...]


# Not in an e-mail address, a path, after a backslash, or before the dot of a domain.
_NAMED = re.compile(r"(?<![\w@./+\\-])@([^\W\d][\w-]{0,63}+)(?!\.[a-z]{2})")
_NUMBERED = re.compile(r"(image|picture|video|audio|element|character|subject|reference)[_-]?(\d{1,2})", re.IGNORECASE)

_ORDINALS: list[str] = [
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
]
_ORDINAL = rf"(?:{'|'.join(_ORDINALS)}|\d{{1,2}}(?:st|[nr]d|th))"
_ATTRIBUTE = r"(?:reference|input|source|attached|uploaded|provided|supplied)"
_NOUN = rf"(?:(?P<attribute>{_ATTRIBUTE}) )?(?P<noun>image|picture|photo(?:graph)?|video|clip|audio|reference)"
_NOT_A_REFERENCE = r"(?! (?:frames?|books?|windows?|galler(?:y|ies)|on|hanging|to|different|various)\b)"
_BY_ORDINAL = re.compile(
    rf"\b(?P<list>{_ORDINAL}(?:(?: ?, ?|,? (?:and|or) )(?:the )?{_ORDINAL}){{0,3}}) {_NOUN}s?\b{_NOT_A_REFERENCE}",
    re.IGNORECASE,
)
_BY_NUMBER = re.compile(
    rf"(?<!@)\b{_NOUN}"
    r"(?:s (?P<list>\d{1,2}(?: ?(?:,|and|or|&|-|to) ?\d{1,2}){1,15})| ?\#? ?(?P<single>\d{1,2}))"
    rf"\b(?![.:]\d| ?%| ?(?:px|pixels?|fps|seconds?|times)\b){_NOT_A_REFERENCE}",
    re.IGNORECASE,
)
_INDEFINITE = re.compile(r"\b(?:an?|another|every|each|no|one) $", re.IGNORECASE)
_KINDS = {"video": Kind.VIDEO, "clip": Kind.VIDEO, "audio": Kind.AUDIO}
_IMAGES = ("image", "picture", "photo", "photograph")
_CERTAIN_NOUNS = ("image", "reference")


def without_escapes(prompt: str) -> str:
    """The prompt with plain at signs as the model reads them."""
    return prompt.replace("\\@", "@")


@lru_cache(maxsize=32)
def parse_mentions(prompt: str) -> Mentions:
    """The mentions of a prompt. Cached, since one request is checked against many models."""
    text = " ".join(prompt.split())
    names = dict.fromkeys(match[1].rstrip("-") for match in _NAMED.finditer(text)) if "@" in text else {}
    return Mentions(tuple(names), tuple(dict.fromkeys((*_by_ordinal(text), *_by_number(text)))))


def numbered(name: str) -> Mention | None:
    """`Image2` as a mention by number, for a name that no reference has."""
    match = _NUMBERED.fullmatch(name)
    return Mention(f"@{name}", int(match[2]), _kind(match[1])) if match else None


@lru_cache(maxsize=64)
def token(template: str) -> tuple[re.Pattern[str], int] | None:
    """The pattern of a model's own token such as `character{n}`, and its first number.

    None for tokens that are recognised for every model (`@Image1`, `Image 1`) and for names.
    """
    if template.startswith(("@", "Image", "Video", "Audio")):
        return None
    before, slot, after = re.split(r"(\{n0?\})", template)
    pattern = rf"(?<!\w){re.escape(before)}(\d{{1,2}}){re.escape(after)}(?!\w)"
    return re.compile(pattern, re.IGNORECASE), 1 if slot == "{n}" else 0


def _by_ordinal(text: str) -> Iterator[Mention]:
    for match in _BY_ORDINAL.finditer(text):
        if not _INDEFINITE.search(text[max(0, match.start() - 9) : match.start()]):
            for word in re.findall(_ORDINAL, match["list"], re.IGNORECASE):
                yield Mention(match[0], _number(word), _kind(match["noun"]), _is_certain(match))


def _by_number(text: str) -> Iterator[Mention]:
    for match in _BY_NUMBER.finditer(text):
        for digits in re.findall(r"\d+", match["single"] or match["list"]):
            yield Mention(match[0], int(digits), _kind(match["noun"]), _is_certain(match))


def _is_certain(match: re.Match[str]) -> bool:
    return bool(match["attribute"]) or match["noun"].lower() in _CERTAIN_NOUNS


def _kind(noun: str) -> Kind | None:
    return Kind.IMAGE if noun.lower() in _IMAGES else _KINDS.get(noun.lower())


def _number(word: str) -> int:
    digits = re.match(r"\d+", word)
    return int(digits[0]) if digits else _ORDINALS.index(word.lower()) + 1
