"""The prompt: its length, and whether the references that it mentions exist.

References of one kind are numbered in the order given, frames included and masks excluded: "the third image" needs
three images, whatever their roles. `@Image1` and a model's own tokens are numbered in the same way.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice

from framegate.catalogue.prompts.mentions import NAME, Mention, numbered, parse_mentions, token, without_escapes
from framegate.catalogue.rules.context import CheckContext, counted, listed, pointer_to, quoted
from framegate.domain import Kind, Problem, Role

UNMATCHED_MAX = 16  # mentions without a reference that are reported for one prompt


def problems(context: CheckContext) -> Iterator[Problem]:
    """The problems of a request's prompts and of the names of its references."""
    yield from _length(context)
    yield from _negative(context)
    yield from _names(context)
    yield from islice(_unmatched(context, context.request.prompt or ""), UNMATCHED_MAX)


def _length(context: CheckContext) -> Iterator[Problem]:
    prompt = without_escapes(context.request.prompt or "")
    limits, subject = context.limits.prompt, context.subject
    if not prompt.strip():
        has_picture = any(reference.kind is not Kind.AUDIO for reference in context.request.references)
        if limits.required or not has_picture:
            text = f"{subject} requires one" if limits.required else "required without an image or a video"
            yield _problem("prompt_required", f"{text}. Describe the video.")
        return
    bounds = (
        ("characters", len(prompt), limits.min_chars, limits.max_chars),
        ("UTF-8 bytes", len(prompt.encode("utf-8", "surrogatepass")), None, limits.max_bytes),
    )
    for unit, length, least, most in bounds:
        if most is not None and length > most:
            text = f"{subject} accepts at most {most} {unit}, and this prompt has {length}. Remove {length - most}."
            yield _problem("prompt_too_long", text, allowed={"max": most, "unit": unit})
        elif least is not None and length < least:
            text = f"{subject} requires at least {least} {unit}, and this prompt has {length}. Add {least - length}."
            yield _problem("prompt_too_short", text, allowed={"min": least, "unit": unit})


def _negative(context: CheckContext) -> Iterator[Problem]:
    negative, limits, subject = context.request.negative_prompt, context.limits, context.subject
    if negative is None:
        return
    most, length = limits.negative_prompt_max_chars, len(negative)
    excluded = context.has(*limits.no_negative_prompt_with)
    if limits.negative_prompt is False or excluded:
        hint = "Omit it, and describe in the prompt what should appear."
        condition = f" with a {limits.no_negative_prompt_with[0]}" if excluded else ""
        text = f"{subject} does not support a negative prompt{condition}. {hint}"
        yield _problem("negative_prompt_unsupported", text, name="negative_prompt")
    elif most is not None and length > most:
        text = f"{subject} accepts at most {most} characters, and this one has {length}. Remove {length - most}."
        allowed = {"max": most, "unit": "characters"}
        yield _problem("negative_prompt_too_long", text, name="negative_prompt", allowed=allowed)


def _names(context: CheckContext) -> Iterator[Problem]:
    names: set[str] = set()
    for index, reference in enumerate(context.request.references):
        name = reference.name
        if name is None:
            continue
        pointer = f"{pointer_to(context.request, index)}/name"
        if not NAME.fullmatch(name):
            text = f"{quoted(name)} is not a valid name. Use a letter, then up to 63 letters, digits, _ or -."
            yield Problem(code="reference_name_invalid", pointer=pointer, message=f"name: {text}")
        elif name in names:
            text = f"{quoted(name)} is the name of more than one reference. Names must be unique."
            yield Problem(code="reference_name_duplicate", pointer=pointer, message=f"name: {text}")
        names.add(name)


def _unmatched(context: CheckContext, prompt: str) -> Iterator[Problem]:
    """The mentions that match no reference."""
    mentioned = parse_mentions(prompt)
    names = [reference.name for reference in context.request.references if reference.name]
    mentions: list[Mention] = []
    for name in mentioned.names:
        if _matches(name, names):
            continue
        if mention := numbered(name):
            mentions.append(mention)
        else:
            yield _unknown_name(name, names)
    mentions += (mention for mention in mentioned.numbers if mention.is_certain or _count(context, mention.kind))
    mentions += _tokens(context, prompt)
    reported: set[tuple[int, Kind | None]] = set()
    for mention in mentions:
        count = _count(context, mention.kind)
        if not 1 <= mention.number <= count and (mention.number, mention.kind) not in reported:
            reported.add((mention.number, mention.kind))
            yield _unknown_number(mention, count)


def _matches(mention: str, names: list[str]) -> bool:
    """Whether a reference has the name, alone or before a hyphen: `@hero-like` mentions `hero`."""
    parts = mention.split("-")
    return any("-".join(parts[:length]) in names for length in range(len(parts), 0, -1))


def _tokens(context: CheckContext, prompt: str) -> Iterator[Mention]:
    templates = context.limits.prompt_tokens
    for kind, template in templates.items():
        # One token for two kinds numbers the references of both in one sequence.
        token_kind = kind if list(templates.values()).count(template) == 1 else None
        if match_rule := token(template):
            pattern, first = match_rule
            for match in pattern.finditer(prompt):
                yield Mention(match[0], int(match[1]) + 1 - first, token_kind)


def _count(context: CheckContext, kind: Kind | None) -> int:
    """The number of references of a kind that a prompt can mention."""
    references = (reference for reference in context.request.references if reference.role is not Role.MASK)
    return sum(kind in (None, reference.kind) for reference in references)


def _unknown_name(name: str, names: list[str]) -> Problem:
    names = list(dict.fromkeys(names))
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    handles = listed([f"@{candidate}" for candidate in names], last="and")
    existing = f"The {'names are' if len(names) > 1 else 'name is'} {handles}." if names else "No reference has a name."
    hint = f" Did you mean @{near[0]}?" if near else ""
    return _problem(
        "reference_name_unknown",
        f"@{name} does not match a reference. {existing}{hint} For a plain @, write \\@{name}.",
        allowed=names,
        nearest=near[0] if near else None,
    )


def _unknown_number(mention: Mention, count: int) -> Problem:
    noun = mention.kind or "reference"
    total = counted(count, noun) if count else f"no {noun}"
    escape = f" For a plain @, write \\{mention.phrase}." if mention.phrase.startswith("@") else ""
    return _problem(
        "reference_ordinal_unknown",
        f"{quoted(mention.phrase)} does not match a reference: this request has {total}.{escape}",
        allowed={"min": 1, "max": count} if count else None,
        nearest=min(max(mention.number, 1), count) or None,
    )


def _problem(code: str, text: str, *, name: str = "prompt", allowed: object = None, nearest: object = None) -> Problem:
    return Problem(code=code, pointer=f"/{name}", message=f"{name}: {text}", allowed=allowed, nearest=nearest)
