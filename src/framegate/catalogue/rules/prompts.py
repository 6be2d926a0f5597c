"""The prompt: how long it is, and whether what it calls by name or number is there.

References of one kind are counted in the order given, frames among them and masks left out: "the third image" needs
three pictures, whatever each is for. `@Image1` and a model's own tokens are counted the same way.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice

from framegate.catalogue.prompts.mentions import NAME, Call, numbered, read, token
from framegate.catalogue.rules.context import CheckContext, counted, listed, pointer_to, shown
from framegate.domain import Kind, Problem, Role

ASTRAY_MAX = 16  # names and numbers that are told of one prompt; nobody reads on after that


def problems(context: CheckContext) -> Iterator[Problem]:
    """The problems of a request's prompts and of the names that its references bear."""
    yield from _length(context)
    yield from _negative(context)
    yield from _names(context)
    yield from islice(_astray(context, context.request.prompt or ""), ASTRAY_MAX)


def _length(context: CheckContext) -> Iterator[Problem]:
    prompt, limits = context.request.prompt or "", context.limits.prompt
    if not prompt.strip():
        seen = any(reference.kind is not Kind.AUDIO for reference in context.request.references)
        if limits.required or not seen:
            text = (
                f"{context.subject} needs one" if limits.required else "without an image or a video a prompt is needed"
            )
            yield _problem("prompt_required", f"{text}. Say in words what the video shows.")
        return
    bounds = (
        ("characters", len(prompt), limits.min_chars, limits.max_chars),
        ("UTF-8 bytes", len(prompt.encode("utf-8", "surrogatepass")), None, limits.max_bytes),
    )
    for unit, length, least, most in bounds:
        if most is not None and length > most:
            text = f"{context.subject} takes at most {most} {unit}, and this one has {length}. Cut {length - most}."
            yield _problem("prompt_too_long", text, allowed={"max": most, "unit": unit})
        elif least is not None and length < least:
            text = f"{context.subject} needs at least {least} {unit}, and this one has {length}. Say more."
            yield _problem("prompt_too_short", text, allowed={"min": least, "unit": unit})


def _negative(context: CheckContext) -> Iterator[Problem]:
    negative, limits = context.request.negative_prompt, context.limits
    if negative is None:
        return
    most = limits.negative_prompt_max_chars
    if limits.negative_prompt is False:
        text = f"{context.subject} takes none. Leave it out, and say in the prompt what should be there instead."
        yield _problem("negative_prompt_unsupported", text, name="negative_prompt")
    elif most is not None and len(negative) > most:
        text = f"{context.subject} takes at most {most} characters, and this one has {len(negative)}."
        allowed = {"max": most, "unit": "characters"}
        yield _problem("negative_prompt_too_long", text, name="negative_prompt", allowed=allowed)


def _names(context: CheckContext) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, reference in enumerate(context.request.references):
        name = reference.name
        if name is None:
            continue
        pointer = f"{pointer_to(context.request, index)}/name"
        if not NAME.fullmatch(name):
            text = f"{shown(name)} cannot be called by a prompt. Use a letter, then up to 63 letters, digits, _ or -."
            yield Problem(code="reference_name_invalid", pointer=pointer, message=f"name: {text}")
        elif name in seen:
            text = f"{shown(name)} is borne by more than one reference. Give each its own name."
            yield Problem(code="reference_name_duplicate", pointer=pointer, message=f"name: {text}")
        seen.add(name)


def _astray(context: CheckContext, prompt: str) -> Iterator[Problem]:
    """What the prompt calls that is not there."""
    mentions = read(prompt)
    names = [reference.name for reference in context.request.references if reference.name]
    calls: list[Call] = []
    for name in mentions.names:
        call = numbered(name)
        if _borne(name, names):
            continue
        if call:
            calls.append(call)
        else:
            yield _unknown_name(name, names)
    calls += (call for call in mentions.calls if call.sure or _standing(context, call.kind))
    calls += _tokens(context, prompt)
    told: set[tuple[int, Kind | None]] = set()
    for call in calls:
        there = _standing(context, call.kind)
        if not 1 <= call.number <= there and (call.number, call.kind) not in told:
            told.add((call.number, call.kind))
            yield _unknown_number(call, there)


def _borne(mention: str, names: list[str]) -> bool:
    """Whether a reference bears the name, alone or before a hyphen: `@hero-like` calls `hero`."""
    parts = mention.split("-")
    return any("-".join(parts[:length]) in names for length in range(len(parts), 0, -1))


def _tokens(context: CheckContext, prompt: str) -> Iterator[Call]:
    templates = context.limits.prompt_tokens
    for kind, template in templates.items():
        # One token for two kinds counts on from the one to the other.
        counted_kind = kind if list(templates.values()).count(template) == 1 else None
        if known := token(template):
            pattern, first = known
            yield from (Call(match[0], int(match[1]) + 1 - first, counted_kind) for match in pattern.finditer(prompt))


def _standing(context: CheckContext, kind: Kind | None) -> int:
    """How many references of a kind a prompt may call."""
    references = (reference for reference in context.request.references if reference.role is not Role.MASK)
    return sum(kind in (None, reference.kind) for reference in references)


def _unknown_name(name: str, names: list[str]) -> Problem:
    names = list(dict.fromkeys(names))
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    called = listed([f"@{name}" for name in names], last="and")
    told = f"The {'names are' if len(names) > 1 else 'name is'} {called}." if names else "None has a name."
    meant = f" Did you mean @{near[0]}?" if near else ""
    return _problem(
        "reference_name_unknown",
        f"@{name} is the name of no reference. {told}{meant}",
        allowed=names,
        nearest=near[0] if near else None,
    )


def _unknown_number(call: Call, there: int) -> Problem:
    has = f"has {counted(there, call.kind or 'reference')}" if there else f"has no {call.kind or 'reference'}"
    return _problem(
        "reference_ordinal_unknown",
        f"{shown(call.phrase)} points at no reference: this request {has}.",
        allowed={"min": 1, "max": there} if there else None,
        nearest=min(max(call.number, 1), there) or None,
    )


def _problem(code: str, text: str, *, name: str = "prompt", allowed: object = None, nearest: object = None) -> Problem:
    return Problem(code=code, pointer=f"/{name}", message=f"{name}: {text}", allowed=allowed, nearest=nearest)
