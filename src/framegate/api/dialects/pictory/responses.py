"""What Pictory's users are told of a job. Pure functions of the job and of where it is shown."""

from collections.abc import Sequence
from typing import Any

from framegate.api.dialects.pictory.requests import STUDIO
from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Job, Problem, State, Status

DIALECT = "pictory"


def created(job: Job) -> dict[str, Any]:
    """The answer to a create."""
    return {"success": True, "data": {"jobId": job.id, **_warnings(job)}}


def show(job: Job, *, base: str, links: UrlSigner) -> dict[str, Any]:
    """A job as its user sees it, and as its webhook tells it."""
    success = job.state.status not in (Status.FAILED, Status.CANCELLED, Status.EXPIRED)
    return {"job_id": job.id, "success": success, "data": {**_data(job, base, links), **_warnings(job)}}


def _data(job: Job, base: str, links: UrlSigner) -> dict[str, Any]:
    if not job.state.is_final:
        return {"status": "in-progress"}
    if job.state is not State.COMPLETED:
        return {"status": "failed", "error_code": _error_code(job), "error_message": _error_message(job)}
    output = job.outputs[0]

    def address(file: str, what: str) -> str:
        return f"{base}/v1/files/{job.id}/{file}?{links.query(job.id, f'{what}/{output.index}')}"

    told: dict[str, Any] = {
        "status": "completed",
        "url": address("video.mp4", "content"),
        "duration": f"{output.duration:.3f}".rstrip("0").rstrip(".") + "s",
        "width": output.width,
        "height": output.height,
    }
    if output.poster:
        told["thumbnailImageUrl"] = address("thumbnail.jpg", "poster")
    told["lastFrameImageUrl"] = address("last-frame.png", "last-frame")
    if output.contact_sheet:
        told["previewImageUrl"] = address("preview.jpg", "contact-sheet")
    studio = STUDIO.get(job.model)
    if studio is not None:
        told["aiCreditsUsed"] = round(studio.credits_per_second * job.target.duration, 3)
    return told


def _error_code(job: Job) -> str:
    """Pictory's own words for its jobs' failures are told nowhere, but for their form."""
    if job.state is State.FAILED and job.fault is not None:
        return job.fault.code.upper()
    return f"JOB_{job.state.value.upper()}"


def _error_message(job: Job) -> str:
    return job.fault.message if job.fault else f"The job is {job.state.value}."


def _warnings(job: Job) -> dict[str, Any]:
    """What the user should know: fields without effect, and what the check warned of. Pictory tells neither."""
    ignored: dict[str, str] = job.request.dialect_state.get("ignored", {})
    told = [{"field": name, "message": message} for name, message in ignored.items()]
    told += [
        {"field": _field(warning.pointer), "message": warning.message}
        for warning in job.warnings
        if warning.code != "price_unknown"  # Pictory counts in credits, which are told
    ]
    return {"warnings": told} if told else {}


OURS = {"aspect_ratio": "aspectRatio", "input_references": "referenceImageUrls"}


def _field(pointer: str) -> str:
    """A place in our own body as the field of Pictory's that it stands for."""
    first, *rest = pointer.removeprefix("/").split("/")
    return ".".join([OURS.get(first, first), *rest])


def fields(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """What is wrong, field by field."""
    return [{"name": _field(problem.pointer), "errors": problem.message} for problem in problems]
