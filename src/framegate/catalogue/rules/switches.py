"""Options that a model supports or does not: audio, a seed, continuing an earlier job."""

from collections.abc import Iterator

from framegate.catalogue.rules.context import CheckContext
from framegate.domain import Problem


def problems(context: CheckContext) -> Iterator[Problem]:
    """The problems of a request's options."""
    request, limits, subject = context.request, context.limits, context.subject
    if request.generate_audio and limits.audio == "never":
        yield _problem("audio_unsupported", "generate_audio", f"{subject} generates no audio. Omit it.", False)
    if request.generate_audio is False and limits.audio == "always":
        text = f"{subject} always generates audio; it cannot be switched off. Omit it."
        yield _problem("audio_required", "generate_audio", text, True)
    if request.seed is not None and limits.seed is False:
        yield _problem("seed_unsupported", "seed", f"{subject} does not support a seed. Omit it.", None)
    elif request.seed is not None and context.has(*limits.no_seed_with):
        text = f"{subject} does not support a seed with a {limits.no_seed_with[0]}. Omit it."
        yield _problem("seed_unsupported", "seed", text, None)
    if request.previous_job_id is not None and not limits.previous_job:
        text = f"{subject} cannot continue an earlier job. Omit it, or send frames of that job's video as references."
        yield _problem("previous_job_unsupported", "previous_job_id", text, None)


def _problem(code: str, name: str, text: str, nearest: bool | None) -> Problem:
    allowed = [] if nearest is None else [nearest]
    return Problem(code=code, pointer=f"/{name}", message=f"{name}: {text}", allowed=allowed, nearest=nearest)
