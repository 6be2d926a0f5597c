"""What the animatic engine would make of a request, read before anything is rendered."""

from framegate.domain import Kind, Preflight, Problem, Reference, Request, Role, Target

STYLE = "style"  # the type of a reference whose colours are wanted, and not what it shows


def of(request: Request, target: Target) -> Preflight:
    """The shots of the clip and what the prompt asks in vain; a problem where they do not fit into its length."""
    from framegate.animatic import TooManyPictures, direct  # noqa: PLC0415 - its patterns are compiled on first use

    images = [one for one in request.references if one.kind is Kind.IMAGE]
    guides = _guides(images)
    roles = {one.role for one in images}
    try:
        plan = direct(
            request.prompt,
            reference_count=len(guides),
            has_first=Role.FIRST_FRAME in roles,
            has_last=Role.LAST_FRAME in roles,
            has_source=target.source_seconds is not None,
            seconds=float(target.duration),
            names=[one.name for one in guides],
            audio=target.audio,
        )
    except TooManyPictures as error:
        frames = len(roles & {Role.FIRST_FRAME, Role.LAST_FRAME})
        return Preflight(problems=(_too_many(error.shots_max, str(error), len(guides) + frames),))
    warnings = [Problem(code="prompt_not_made", pointer="/prompt", message=f"prompt: {note}.") for note in plan.notes]
    return Preflight(warnings=tuple(warnings), shots=tuple(plan.as_json()["shots"]))


def _guides(images: list[Reference]) -> list[Reference]:
    """The references that are shown: all but the first that only lends its colours."""
    guides = [one for one in images if one.role is Role.REFERENCE]
    style = next((one for one in guides if one.reference_type == STYLE), None)
    return [one for one in guides if one is not style]


def _too_many(most: int, why: str, pictures: int) -> Problem:
    if pictures <= most:
        return Problem(code="too_many_shots", pointer="/prompt", message=f"prompt: {why}.", nearest=most)
    return Problem(
        code="too_many_references",
        pointer="/input_references",
        message=f"references: {why}.",
        allowed={"min": 0, "max": most},
        nearest=most,
    )
