"""What fal's clients are told of a job: its status, its log lines, its result."""

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from framegate.api.dialects.fal.endpoints import Endpoint, app_of, find
from framegate.api.dialects.fal.errors import failure_of
from framegate.catalogue import Catalogue
from framegate.domain import Event, Job, Output, State

REQUEST_ID = "x-fal-request-id"
BILLABLE_UNITS = "x-fal-billable-units"
IN_PROGRESS = "Request is still in progress"  # clients compare this text
WAITING = (State.QUEUED, State.PREPARING)


def status_word(job: Job) -> str:
    """One of the three words that there are; whatever the end, it is COMPLETED, and the result tells."""
    if job.state.is_final:
        return "COMPLETED"
    return "IN_QUEUE" if job.state in WAITING else "IN_PROGRESS"


def endpoint_of(job: Job, catalogue: Catalogue) -> Endpoint | None:
    """The endpoint that a job was asked of, or what would stand for its model."""
    return find(job.request.model, catalogue) or find(job.model, catalogue)


def apps_of(job: Job, catalogue: Catalogue) -> set[str]:
    """What may stand before `/requests/` in a job's addresses: the app of any of the model's names."""
    model = catalogue.get(job.model)
    names = {job.request.model, job.model, *(model.names if model else ())}
    apps = {app_of(name) for name in names}
    return apps | {app_of(f"fal-ai/{name}") for name in names}


def addresses(job: Job, base: str) -> dict[str, str]:
    """The four addresses of a request; `base` is the dialect's own absolute address."""
    here = f"{base}/queue/{app_of(job.request.model)}/requests/{job.id}"
    return {
        "request_id": job.id,
        "response_url": here,
        "status_url": f"{here}/status",
        "cancel_url": f"{here}/cancel",
    }


def status_answer(
    job: Job, *, base: str, position: int, logs: Sequence[Mapping[str, Any]] | None, endpoint: Endpoint | None
) -> dict[str, Any]:
    """A job's status. `position` is how many stand before it; `logs` is None where they were not asked for."""
    word = status_word(job)
    said: dict[str, Any] = {"status": word, **addresses(job, base), "logs": None, "metrics": {}}
    if word == "IN_QUEUE":
        return said | {"queue_position": position}
    said["logs"] = None if logs is None else list(logs)
    if word == "IN_PROGRESS":
        return said
    if job.started_at is not None and job.finished_at is not None:
        said["metrics"] = {"inference_time": round(job.finished_at - job.started_at, 3)}
    failure = failure_of(job, endpoint)
    if failure and job.fault:
        said |= {"error": job.fault.message, "error_type": failure.error_type}
    return said


def log_lines(job: Job, events: Sequence[Event]) -> list[dict[str, Any]]:
    """What has happened, one line for each event and for whatever the job has to say besides; it only ever grows."""
    return list(_lines(job, events))


def _lines(job: Job, events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    fitted = False
    for event in events:
        done = "" if event.progress is None else f" {event.progress:.0%}"
        if event.state in (State.FAILED, State.EXPIRED, State.CANCELLED) and job.fault:
            yield _line(event, job.fault.message, "ERROR")
        else:
            yield _line(event, f"{event.stage}{done}", "INFO")
        if event.seq == 1:
            yield from (_line(event, warning.message, "WARN") for warning in job.warnings)
        if not fitted and (event.stage == "waiting" or event.state is State.SUBMITTING):
            fitted = True
            for made in job.adjustments:
                text = f"Reference {made.reference} was {made.what}: {made.before} to {made.after}. {made.reason}"
                yield _line(event, text, "WARN")


def _line(event: Event, message: str, level: str) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(event.at, dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return {"timestamp": at, "message": message, "level": level, "source": "USER", "labels": {}}


def result_answer(job: Job, *, base: str, secret: bytes, endpoint: Endpoint | None) -> dict[str, Any]:
    """The output of a job that has made its video, as the endpoint puts it."""
    said: dict[str, Any] = {"video": _file(job, job.outputs[0], base, secret)}
    wanted = endpoint.outputs if endpoint else ()
    if "seed" in wanted and job.target.seed is not None:
        said["seed"] = job.target.seed
    if "actual_prompt" in wanted and job.request.prompt is not None:
        said["actual_prompt"] = job.request.prompt
    return said


def _file(job: Job, output: Output, base: str, secret: bytes) -> dict[str, Any]:
    name = f"{file_token(job.id, output.index, secret)}.mp4"
    return {
        "url": f"{base}/cdn/files/{job.id}/{output.index}/{name}",
        "content_type": output.blob.media_type,
        "file_name": name,
        "file_size": output.blob.size_bytes,
        "width": output.width,
        "height": output.height,
        "fps": round(output.fps, 3),
        "duration": round(output.duration, 3),
        "num_frames": output.frames,
    }


def file_token(job_id: str, index: int, secret: bytes) -> str:
    """What makes a file's address one that nobody can guess: 128 bits of HMAC-SHA256."""
    return hmac.new(secret, f"fal file\n{job_id}\n{index}".encode(), hashlib.sha256).hexdigest()[:32]


def billable_seconds(job: Job) -> str:
    """What the job is billed by: the seconds of video that were made."""
    return f"{sum(output.duration for output in job.outputs):g}"
