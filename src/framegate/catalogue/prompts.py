"""The prompt: how long it is, and whether what it calls by name or number is there.

References of one kind are counted in the order given, frames among them and masks left out: "the third image" needs
three pictures, whatever each is for. `@Image1` and a model's own tokens are counted the same way.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from framegate.catalogue.case import Case, counted, listed, pointer_to, shown
from framegate.types import Kind, Problem, Reference, Role

NAME = re.compile(r"[^\W\d][\w-]{0,63}")

# Not in an e-mail address, a path, or before a domain's dot.
_MENTION = re.compile(r"(?<![\w@./+-])@([^\W\d][\w-]{0,63}+)(?!\.[a-z]{2})")
_GENERIC = re.compile(r"(image|picture|video|audio|element|character|subject|reference)[_-]?(\d{1,2})", re.IGNORECASE)

_WORDS: list[str] = [
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
]
_ORDINAL = rf"(?:{'|'.join(_WORDS)}|\d{{1,2}}(?:st|nd|rd|th))"
_GIVEN = r"(?:reference|input|source|attached|uploaded|provided|supplied)"
_NOUN = rf"(?:(?P<given>{_GIVEN})\s+)?(?P<noun>image|picture|photo(?:graph)?|video|clip|audio|reference)"
_OTHERWISE = r"(?!\s+(?:frames?|books?|windows?|galler(?:y|ies)|on|hanging|to|different|various)\b)"
_BY_ORDINAL = re.compile(
    rf"\b(?P<list>{_ORDINAL}(?:(?:\s*,\s*|,?\s+(?:and|or)\s+)(?:the\s+)?{_ORDINAL})*)\s+{_NOUN}s?\b{_OTHERWISE}",
    re.IGNORECASE,
)
_BY_NUMBER = re.compile(
    rf"\b{_NOUN}(?:s\s+(?P<list>\d{{1,2}}(?:\s*(?:,|and|or|&|-|to)\s*\d{{1,2}})+)|\s*\#?\s?(?P<one>\d{{1,2}}))"
    rf"\b(?![.:]\d|\s*%|\s*(?:px|pixels?|fps|seconds?|times)\b){_OTHERWISE}",
    re.IGNORECASE,
)
_INDEFINITE = re.compile(r"\b(?:an?|another|every|each|no|one)\s+$", re.IGNORECASE)
_KIND_OF = {"video": Kind.VIDEO, "clip": Kind.VIDEO, "audio": Kind.AUDIO}
_WEAK = ("picture", "photo", "photograph", "video", "clip", "audio")  # these may well be things in the scene


def judge(case: Case) -> Iterator[Problem]:
    """The problems of a request's prompts and of the names that its references bear."""
    yield from _length(case)
    yield from _negative(case)
    yield from _names(case)
    prompt = case.request.prompt or ""
    if "@" in prompt:
        yield from _mentions(case, prompt)
    yield from _ordinals(case, prompt)


def _length(case: Case) -> Iterator[Problem]:
    prompt, limits = case.request.prompt or "", case.limits.prompt
    if not prompt.strip():
        seen = any(reference.kind is not Kind.AUDIO for reference in case.request.references)
        if limits.required or not seen:
            text = f"{case.who} needs one" if limits.required else "without an image or a video a prompt is needed"
            yield _problem("prompt_required", f"{text}. Say in words what the video shows.")
        return
    bounds = (
        ("characters", len(prompt), limits.min_chars, limits.max_chars),
        ("UTF-8 bytes", len(prompt.encode("utf-8", "surrogatepass")), None, limits.max_bytes),
    )
    for unit, length, least, most in bounds:
        if most is not None and length > most:
            text = f"{case.who} takes at most {most} {unit}, and this one has {length}. Cut {length - most}."
            yield _problem("prompt_too_long", text, allowed={"max": most, "unit": unit})
        elif least is not None and length < least:
            text = f"{case.who} needs at least {least} {unit}, and this one has {length}. Say more."
            yield _problem("prompt_too_short", text, allowed={"min": least, "unit": unit})


def _negative(case: Case) -> Iterator[Problem]:
    negative, limits = case.request.negative_prompt, case.limits
    if negative is None:
        return
    most = limits.negative_prompt_max_chars
    if limits.negative_prompt is False:
        text = f"{case.who} takes none. Leave it out, and say in the prompt what should be there instead."
        yield _problem("negative_prompt_unsupported", text, name="negative_prompt")
    elif most is not None and len(negative) > most:
        text = f"{case.who} takes at most {most} characters, and this one has {len(negative)}."
        allowed = {"max": most, "unit": "characters"}
        yield _problem("negative_prompt_too_long", text, name="negative_prompt", allowed=allowed)


def _names(case: Case) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, reference in enumerate(case.request.references):
        name = reference.name
        if name is None:
            continue
        pointer = f"{pointer_to(case.request, index)}/name"
        if not NAME.fullmatch(name):
            text = f"{shown(name)} cannot be called by a prompt. Use a letter, then up to 63 letters, digits, _ or -."
            yield Problem(code="reference_name_invalid", pointer=pointer, message=f"name: {text}")
        elif name in seen:
            text = f"{shown(name)} is borne by more than one reference. Give each its own name."
            yield Problem(code="reference_name_duplicate", pointer=pointer, message=f"name: {text}")
        seen.add(name)


def _mentions(case: Case, prompt: str) -> Iterator[Problem]:
    names = [reference.name for reference in case.request.references if reference.name]
    for mention in dict.fromkeys(match[1].rstrip("-") for match in _MENTION.finditer(prompt)):
        generic = _GENERIC.fullmatch(mention)
        if _borne(mention, names):
            continue
        if generic:
            kind = {"image": Kind.IMAGE, "picture": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.AUDIO}
            yield from _in_range(case, f"@{mention}", int(generic[2]), kind.get(generic[1].lower()))
            continue
        near = get_close_matches(mention, names, n=1, cutoff=0.4)
        told = f"The names are {listed([f'@{name}' for name in names], last='and')}." if names else "None has a name."
        meant = f" Did you mean @{near[0]}?" if near else ""
        yield _problem(
            "reference_name_unknown",
            f"@{mention} is the name of no reference. {told}{meant}",
            allowed=names,
            nearest=near[0] if near else None,
        )


def _borne(mention: str, names: list[str]) -> bool:
    """Whether a reference bears the name, alone or before a hyphen: `@hero-like` calls `hero`."""
    parts = mention.split("-")
    return any("-".join(parts[:length]) in names for length in range(len(parts), 0, -1))


def _ordinals(case: Case, prompt: str) -> Iterator[Problem]:
    told: set[tuple[int, Kind | None]] = set()
    for phrase, number, kind in _called(case, prompt):
        if (number, kind) not in told:
            told.add((number, kind))
            yield from _in_range(case, phrase, number, kind)


def _called(case: Case, prompt: str) -> Iterator[tuple[str, int, Kind | None]]:
    """What a prompt calls by number: its words, the number, and the kind of reference that is meant (None: any)."""
    for match in _BY_ORDINAL.finditer(prompt):
        if _meant(case, match) and not _INDEFINITE.search(prompt[max(0, match.start() - 9) : match.start()]):
            for word in re.findall(_ORDINAL, match["list"], re.IGNORECASE):
                yield match[0], _number(word), _kind(match)
    for match in _BY_NUMBER.finditer(prompt):
        # `@Image4` was judged among the mentions.
        if _meant(case, match) and not prompt[: match.start()].endswith("@"):
            for digits in re.findall(r"\d+", match["one"] or match["list"]):
                yield match[0], int(digits), _kind(match)
    for kind, pattern, base in _tokens(case.limits.prompt_tokens):
        for match in pattern.finditer(prompt):
            yield match[0], int(match[1]) + 1 - base, kind


def _meant(case: Case, match: re.Match[str]) -> bool:
    """Whether the words surely speak of a reference, not of a photo on the wall or a second clip."""
    if match["given"] or match["noun"].lower() not in _WEAK:
        return True
    return bool(_standing(case, _kind(match)))


def _kind(match: re.Match[str]) -> Kind | None:
    noun = match["noun"].lower()
    return None if noun == "reference" else _KIND_OF.get(noun, Kind.IMAGE)


def _number(word: str) -> int:
    digits = re.match(r"\d+", word)
    return int(digits[0]) if digits else _WORDS.index(word.lower()) + 1


def _tokens(templates: Mapping[Kind, str]) -> Iterator[tuple[Kind, re.Pattern[str], int]]:
    """The model's own tokens that are neither `@…` nor plain words, such as `character1`."""
    for kind, template in templates.items():
        if template.startswith(("@", "Image", "Video", "Audio")):
            continue
        before, slot, after = re.split(r"(\{n0?\})", template)
        pattern = rf"(?<!\w){re.escape(before)}(\d{{1,2}}){re.escape(after)}(?!\w)"
        yield kind, re.compile(pattern, re.IGNORECASE), int(slot == "{n}")


def _standing(case: Case, kind: Kind | None) -> list[Reference]:
    references = (reference for reference in case.request.references if reference.role is not Role.MASK)
    return [reference for reference in references if kind in (None, reference.kind)]


def _in_range(case: Case, phrase: str, number: int, kind: Kind | None) -> Iterator[Problem]:
    there = len(_standing(case, kind))
    if not 1 <= number <= there:
        has = f"has {counted(there, kind or 'reference')}" if there else f"has no {kind or 'reference'}"
        text = f"{shown(phrase)} points at no reference: this request {has}."
        allowed = {"min": 1, "max": there} if there else None
        yield _problem("reference_ordinal_unknown", text, allowed=allowed, nearest=min(max(number, 1), there) or None)


def _problem(code: str, text: str, *, name: str = "prompt", allowed: object = None, nearest: object = None) -> Problem:
    return Problem(code=code, pointer=f"/{name}", message=f"{name}: {text}", allowed=allowed, nearest=nearest)
