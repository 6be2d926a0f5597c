"""References: accepted roles and kinds, their numbers, and which may go together."""

from collections.abc import Iterator

from framegate.catalogue.model import Total
from framegate.catalogue.rules.context import CheckContext, counted, listed, pointer_to
from framegate.domain import Kind, Problem, Role

FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)
LIST_POINTER = "/input_references"  # where there are too few references, there is no single one to point to


def problems(context: CheckContext) -> Iterator[Problem]:
    """The problems of a request's references, except those of their names."""
    yield from _kinds(context)
    yield from _counts(context)
    for total in context.limits.totals:
        yield from _total(context, total)
    yield from _combinations(context)


def _kinds(context: CheckContext) -> Iterator[Problem]:
    accepted = context.limits.references
    for index, reference in enumerate(context.request.references):
        kinds = accepted.get(reference.role)
        pointer = pointer_to(context.request, index)
        if kinds is None:
            roles = [role.value for role in accepted]
            hint = f"It accepts {listed(roles, last='and')}." if roles else "It accepts no references."
            yield Problem(
                code="role_unsupported",
                pointer=f"{pointer}/role",
                message=f"role: {context.subject} does not accept the role {reference.role}. {hint}",
                allowed=roles,
            )
        elif reference.kind not in kinds:
            text = f"{context.subject} accepts {listed(map(_plural, kinds))} as {reference.role}"
            yield Problem(
                code="kind_unsupported",
                pointer=f"{pointer}/kind",
                message=f"references: {text}, not {_plural(reference.kind)}.",
                allowed=[kind.value for kind in kinds],
            )


def _counts(context: CheckContext) -> Iterator[Problem]:
    for role, kinds in context.limits.references.items():
        for kind, count in kinds.items():
            total = Total(of=((role, kind),), min=count.min, max=count.max)
            yield from _bounds(context, total, _noun(role, kind))


def _plural(kind: Kind) -> str:
    return "audio" if kind is Kind.AUDIO else f"{kind}s"


def _total(context: CheckContext, total: Total) -> Iterator[Problem]:
    kinds = {kind for _, kind in total.of}
    noun = kinds.pop().value if len(kinds) == 1 else "reference"
    noun = _noun(*total.of[0]) if len(total.of) == 1 else noun
    if total.when is None:
        yield from _bounds(context, total, noun)
    elif context.count(total.when):
        yield from _bounds(context, total, noun, f" together with a {_noun(*total.when)}")


def _noun(role: Role, kind: Kind) -> str:
    return kind.value if role is Role.REFERENCE else f"{role} {kind}"


def _bounds(context: CheckContext, total: Total, noun: str, condition: str = "") -> Iterator[Problem]:
    number = context.count(*total.of)
    if total.max is not None and number > total.max:
        limit = "none" if total.max == 0 else f"at most {counted(total.max, noun)}"
        text = f"{context.subject} accepts {limit}{condition}, and this request has {number}."
        references = context.request.references
        indexes = [index for index, reference in enumerate(references) if (reference.role, reference.kind) in total.of]
        yield Problem(
            code="too_many_references",
            pointer=pointer_to(context.request, indexes[total.max]),
            message=f"references: {text} Remove {number - total.max}.",
            allowed={"min": total.min, "max": total.max},
            nearest=total.max,
        )
    elif number < total.min:
        text = f"{context.subject} requires at least {counted(total.min, noun)}{condition}"
        yield Problem(
            code="too_few_references",
            pointer=LIST_POINTER,
            message=f"references: {text}, and this request has {number or 'none'}. Add {total.min - number}.",
            allowed={"min": total.min, "max": total.max},
            nearest=total.min,
        )


def _combinations(context: CheckContext) -> Iterator[Problem]:
    limits, references, subject = context.limits, context.request.references, context.subject
    if limits.references_exclude_frames and context.has(Role.REFERENCE) and context.has(*FRAMES):
        frame = next(index for index, reference in enumerate(references) if reference.role in FRAMES)
        text = f"{subject} accepts frames (first_frame, last_frame) or references, not both in one request."
        yield Problem(
            code="references_exclude_frames",
            pointer=pointer_to(context.request, frame),
            message=f"references: {text} Remove the frames or the references.",
        )
    if limits.last_frame_needs_first and context.has(Role.LAST_FRAME) and not context.has(Role.FIRST_FRAME):
        last = next(index for index, reference in enumerate(references) if reference.role is Role.LAST_FRAME)
        text = f"{subject} accepts a last_frame only together with a first_frame. Add a first_frame."
        yield Problem(
            code="last_frame_needs_first", pointer=pointer_to(context.request, last), message=f"references: {text}"
        )
    kinds = {reference.kind for reference in references}
    if limits.audio_needs_picture and kinds == {Kind.AUDIO}:
        text = f"{subject} accepts audio only together with an image or a video. Add one."
        yield Problem(
            code="audio_reference_alone", pointer=pointer_to(context.request, 0), message=f"references: {text}"
        )
