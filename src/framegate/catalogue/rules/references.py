"""Which references a model takes, how many, and which go together."""

from collections.abc import Iterator

from framegate.catalogue.model import Total
from framegate.catalogue.rules.context import CheckContext, counted, listed, pointer_to
from framegate.domain import Kind, Problem, Role

FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)
HERE = "/input_references"  # where references are missing there is no one reference to point at


def problems(context: CheckContext) -> Iterator[Problem]:
    """The problems of a request's references, names apart."""
    yield from _kinds(context)
    yield from _counts(context)
    for total in context.limits.totals:
        yield from _total(context, total)
    yield from _together(context)


def _kinds(context: CheckContext) -> Iterator[Problem]:
    taken = context.limits.references
    for index, reference in enumerate(context.request.references):
        kinds = taken.get(reference.role)
        pointer = pointer_to(context.request, index)
        if kinds is None:
            roles = [role.value for role in taken]
            told = f"It takes {listed(roles, last='and')}." if roles else "It takes no references at all."
            yield Problem(
                code="role_unsupported",
                pointer=f"{pointer}/role",
                message=f"role: {context.subject} takes no {reference.role}. {told}",
                allowed=roles,
            )
        elif reference.kind not in kinds:
            names = [kind.value for kind in kinds]
            text = f"{context.subject} takes {listed(map(_several, kinds))} as {reference.role}, not {_several(reference.kind)}."
            yield Problem(
                code="kind_unsupported", pointer=f"{pointer}/kind", message=f"references: {text}", allowed=names
            )


def _counts(context: CheckContext) -> Iterator[Problem]:
    for role, kinds in context.limits.references.items():
        for kind, count in kinds.items():
            here = ((role, kind),)
            yield from _held(context, Total(of=here, min=count.min, max=count.max), _called(role, kind))


def _several(kind: Kind) -> str:
    return "audio" if kind is Kind.AUDIO else f"{kind}s"


def _total(context: CheckContext, total: Total) -> Iterator[Problem]:
    kinds = {kind for _, kind in total.of}
    noun = kinds.pop().value if len(kinds) == 1 else "reference"
    noun = _called(*total.of[0]) if len(total.of) == 1 else noun
    if total.when is None:
        yield from _held(context, total, noun)
    elif context.count(total.when):
        yield from _held(context, total, noun, f" when a {_called(*total.when)} is among them")


def _called(role: Role, kind: Kind) -> str:
    return kind.value if role is Role.REFERENCE else f"{role} {kind}"


def _held(context: CheckContext, total: Total, noun: str, why: str = "") -> Iterator[Problem]:
    number = context.count(*total.of)
    if total.max is not None and number > total.max:
        told = "takes none" if total.max == 0 else f"takes at most {counted(total.max, noun)}"
        text = f"{context.subject} {told}{why}, and this request has {number}. Take away {number - total.max}."
        standing = [n for n, ref in enumerate(context.request.references) if (ref.role, ref.kind) in total.of]
        yield Problem(
            code="too_many_references",
            pointer=pointer_to(context.request, standing[total.max]),
            message=f"references: {text}",
            allowed={"min": total.min, "max": total.max},
            nearest=total.max,
        )
    elif number < total.min:
        has = f"has {number}" if number else "has none"
        text = f"{context.subject} needs at least {counted(total.min, noun)}{why}, and this request {has}."
        yield Problem(
            code="too_few_references",
            pointer=HERE,
            message=f"references: {text} Add {total.min - number}.",
            allowed={"min": total.min, "max": total.max},
            nearest=total.min,
        )


def _together(context: CheckContext) -> Iterator[Problem]:
    limits, references = context.limits, context.request.references
    if limits.references_exclude_frames and context.has(Role.REFERENCE) and context.has(*FRAMES):
        frame = next(index for index, reference in enumerate(references) if reference.role in FRAMES)
        text = (
            f"{context.subject} takes either frames (first_frame, last_frame) or references, not both in one request."
        )
        yield Problem(
            code="references_exclude_frames",
            pointer=pointer_to(context.request, frame),
            message=f"references: {text} Take away the one or the other.",
        )
    if limits.last_frame_needs_first and context.has(Role.LAST_FRAME) and not context.has(Role.FIRST_FRAME):
        last = next(index for index, reference in enumerate(references) if reference.role is Role.LAST_FRAME)
        yield Problem(
            code="last_frame_needs_first",
            pointer=pointer_to(context.request, last),
            message=f"references: {context.subject} takes a last_frame only together with a first_frame. Add a first_frame.",
        )
    kinds = {reference.kind for reference in references}
    if limits.audio_needs_picture and kinds == {Kind.AUDIO}:
        yield Problem(
            code="audio_reference_alone",
            pointer=pointer_to(context.request, 0),
            message=f"references: {context.subject} takes audio only together with an image or a video. Add one.",
        )
