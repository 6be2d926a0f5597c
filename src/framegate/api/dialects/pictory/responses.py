"""Responses about a job in Pictory's form: pure functions of the job and of the base URL of its client."""

from collections.abc import Sequence
from typing import Any

from framegate.api.dialects.pictory.requests import STUDIO
from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Job, Problem, State, Status

DIALECT = "pictory"
FIELD_NAMES = {"aspect_ratio": "aspectRatio", "input_references": "referenceImageUrls"}  # by the core's name


def show_created(job: Job) -> dict[str, Any]:
    """Return the response to a create."""
    return {"success": True, "data": {"jobId": job.id, **_warnings(job)}}


def show(job: Job, *, base: str, signer: UrlSigner) -> dict[str, Any]:
    """Return a job in Pictory's form, also for its webhook; `base` is the absolute base URL of the API."""
    success = job.state.status not in (Status.FAILED, Status.CANCELLED, Status.EXPIRED)
    return {"job_id": job.id, "success": success, "data": {**_data(job, base, signer), **_warnings(job)}}


def _data(job: Job, base: str, signer: UrlSigner) -> dict[str, Any]:
    if not job.state.is_final:
        return {"status": "in-progress"}
    if job.state is not State.COMPLETED:
        return {"status": "failed", "error_code": _error_code(job), "error_message": _error_message(job)}
    output = job.outputs[0]

    def url(name: str, file: str) -> str:
        return f"{base}/v1/files/{job.id}/{name}?{signer.query(job.id, f'{file}/{output.index}')}"

    data: dict[str, Any] = {
        "status": "completed",
        "url": url(f"video.{output.blob.extension}", "content"),
        "duration": f"{output.duration:.3f}".rstrip("0").rstrip(".") + "s",
        "width": output.width,
        "height": output.height,
    }
    if output.poster:
        data["thumbnailImageUrl"] = url("thumbnail.jpg", "poster")
    data["lastFrameImageUrl"] = url("last-frame.png", "last-frame")
    if output.contact_sheet:
        data["previewImageUrl"] = url("preview.jpg", "contact-sheet")
    studio = STUDIO.get(job.model)
    if studio is not None:
        data["aiCreditsUsed"] = round(studio.credits_per_second * job.target.duration, 3)
    return data


def _error_code(job: Job) -> str:
    """Return our code in the form of Pictory's, which documents no codes for failed jobs."""
    if job.state is State.FAILED and job.fault is not None:
        return job.fault.code.upper()
    return f"JOB_{job.state.value.upper()}"


def _error_message(job: Job) -> str:
    return job.fault.message if job.fault else f"The job is {job.state.value}."


def _warnings(job: Job) -> dict[str, Any]:
    """Return the ignored fields and the warnings of the check. Pictory itself reports neither."""
    ignored: dict[str, str] = job.request.dialect_state.get("ignored", {})
    warnings = [{"field": name, "message": message} for name, message in ignored.items()]
    warnings += [
        {"field": _field(warning.pointer), "message": warning.message}
        for warning in job.warnings
        if warning.code != "price_unknown"  # Pictory counts credits, which the response has
    ]
    return {"warnings": warnings} if warnings else {}


def _field(pointer: str) -> str:
    """Return Pictory's field for a pointer into a request."""
    name, *path = pointer.removeprefix("/").split("/")
    return ".".join([FIELD_NAMES.get(name, name), *path])


def fields(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Return problems in Pictory's form."""
    return [{"name": _field(problem.pointer), "errors": problem.message} for problem in problems]
