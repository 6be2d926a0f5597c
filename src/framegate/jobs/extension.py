"""Going on from an earlier job: its video becomes the source of the new one."""

from dataclasses import replace

from framegate.domain import Job, Kind, Problem, Reference, Request, Role, State
from framegate.domain.errors import InvalidRequest


def extend_request(request: Request, before: Job, *, model: str, kept: bool) -> Request:
    """The request with the first video of the job before as its source; `kept` says whether its file is still there.

    Of the same model, it takes over size and frame rate where the request names none, so that the two go together.
    Raises `InvalidRequest` for a job without a video to go on from.
    """
    if before.state is not State.COMPLETED:
        hint = (
            "Choose one that is completed."
            if before.state.is_final
            else "Wait until it is completed, then send this again."
        )
        raise _unfit("previous_job_not_completed", f"the job is {before.state.status.value}. {hint}")
    if not kept:
        raise _unfit("previous_job_gone", "the job's file is no longer kept. Send the video as a reference instead.")
    source = Reference(
        url=f"asset://{before.outputs[0].blob.sha256}", kind=Kind.VIDEO, role=Role.SOURCE, pointer="/previous_job_id"
    )
    going_on = replace(request, references=(*request.references, source))
    if before.model != model:
        return going_on
    target = before.target
    if not (request.size or request.resolution or request.aspect_ratio):
        going_on = replace(going_on, resolution=target.resolution, aspect_ratio=target.aspect_ratio)
    return replace(going_on, fps=request.fps or target.fps)


def _unfit(code: str, why: str) -> InvalidRequest:
    return InvalidRequest([Problem(code=code, pointer="/previous_job_id", message=f"previous_job_id: {why}")])
