"""Preview of an animatic: the shots and warnings of a request, before anything is rendered."""

from collections.abc import Sequence

from framegate.domain import Kind, Preflight, Problem, Reference, Request, Role, Target

STYLE = "style"  # reference type: only the colors of the picture are used


NO_PICTURES = (
    "references: there is no picture, so the video is a grey title card with the prompt. The animatic renderer moves a "
    "camera over pictures; send some, or choose a generative model."
)


def preflight_of(request: Request, target: Target) -> Preflight:
    """The shots of the clip and warnings for unsupported requests; a problem if the shots do not fit its length."""
    from framegate.animatic import TooManyPictures, direct  # noqa: PLC0415 - its patterns are compiled on first use

    images = [reference for reference in request.references if reference.kind is Kind.IMAGE]
    guides = [reference for reference in images if reference.role is Role.REFERENCE]
    if (style_index := style_reference(guides)) is not None:
        del guides[style_index]
    roles = {reference.role for reference in images}
    try:
        plan = direct(
            request.prompt,
            reference_count=len(guides),
            has_first=Role.FIRST_FRAME in roles,
            has_last=Role.LAST_FRAME in roles,
            has_source=target.source_seconds is not None,
            seconds=float(target.duration),
            names=[reference.name for reference in guides],
            audio=target.audio,
        )
    except TooManyPictures as error:
        frame_count = len(roles & {Role.FIRST_FRAME, Role.LAST_FRAME})
        return Preflight(problems=(_too_many(error.shots_max, str(error), len(guides) + frame_count),))
    warnings = [Problem(code="prompt_not_made", pointer="/prompt", message=f"prompt: {note}.") for note in plan.notes]
    has_frame = bool(roles & {Role.FIRST_FRAME, Role.LAST_FRAME})
    if not guides and not has_frame and target.source_seconds is None:
        warnings.insert(0, Problem(code="no_pictures", pointer="/input_references", message=NO_PICTURES))
    return Preflight(warnings=tuple(warnings), shots=tuple(plan.as_json()["shots"]))


def style_reference(guides: Sequence[Reference]) -> int | None:
    """The index of the reference that only lends its colors: the first of the type `style`."""
    return next((index for index, guide in enumerate(guides) if guide.reference_type == STYLE), None)


def _too_many(shots_max: int, reason: str, picture_count: int) -> Problem:
    if picture_count <= shots_max:
        return Problem(code="too_many_shots", pointer="/prompt", message=f"prompt: {reason}.", nearest=shots_max)
    return Problem(
        code="too_many_references",
        pointer="/input_references",
        message=f"references: {reason}.",
        allowed={"min": 0, "max": shots_max},
        nearest=shots_max,
    )
