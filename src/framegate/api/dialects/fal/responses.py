"""Responses about a job in fal's form: its status, log lines and result."""

import datetime as dt
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from framegate.api.dialects.fal.endpoints import Endpoint, app_of, find
from framegate.api.dialects.fal.errors import failure_of
from framegate.api.http.signed_urls import FileLink, UrlSigner
from framegate.api.http.signing import Signer
from framegate.catalogue import Catalogue
from framegate.domain import Event, Job, Output, State

REQUEST_ID = "x-fal-request-id"
BILLABLE_UNITS = "x-fal-billable-units"
IN_PROGRESS = "Request is still in progress"  # clients compare this text
QUEUED_STATES = (State.QUEUED, State.PREPARING)
OUTPUT_PATH = re.compile(
    r"/files/([0-9a-f-]{36})/(\d{1,2})/(?:([a-z0-9-]{1,64})_)?([0-9a-f]{32})\.[a-z0-9]{2,4}$", re.ASCII
)
FILE_PURPOSE = "fal file"
FILE_TOKEN_CHARS = 32  # 128 bits
PROGRESS_STEP_PERCENT = 10
NUMBER = re.compile(r"\d+")


def status_word(job: Job) -> str:
    """Return one of fal's three status words. Every ended job is COMPLETED; its result may be an error."""
    if job.state.is_final:
        return "COMPLETED"
    return "IN_QUEUE" if job.state in QUEUED_STATES else "IN_PROGRESS"


def endpoint_of(job: Job, catalogue: Catalogue) -> Endpoint | None:
    """Return the endpoint that a job was submitted to, else the endpoint of its model."""
    return find(job.request.model, catalogue) or find(job.model, catalogue)


def apps_of(job: Job, catalogue: Catalogue) -> set[str]:
    """Return what may precede `/requests/` in the URLs of a job: the app of each of its model's names."""
    model = catalogue.get(job.model)
    names = {job.request.model, job.model, *(model.names if model else ())}
    apps = {app_of(name) for name in names}
    return apps | {app_of(f"fal-ai/{name}") for name in names}


def request_urls(job: Job, queue_url: str) -> dict[str, str]:
    """Return the id and the three URLs of a request; `queue_url` is that of the queue as the client reaches it."""
    url = f"{queue_url}/{app_of(job.request.model)}/requests/{job.id}"
    return {
        "request_id": job.id,
        "response_url": url,
        "status_url": f"{url}/status",
        "cancel_url": f"{url}/cancel",
    }


def status_body(
    job: Job, *, queue_url: str, position: int, logs: Sequence[Mapping[str, Any]] | None, endpoint: Endpoint | None
) -> dict[str, Any]:
    """Return a job's status. `position` is its place in the queue; `logs` is None if they were not requested."""
    word = status_word(job)
    body: dict[str, Any] = {"status": word, **request_urls(job, queue_url), "logs": None, "metrics": {}}
    if word == "IN_QUEUE":
        return body | {"queue_position": position}
    body["logs"] = None if logs is None else list(logs)
    if word == "IN_PROGRESS":
        return body
    if job.started_at is not None and job.finished_at is not None:
        body["metrics"] = {"inference_time": round(job.finished_at - job.started_at, 3)}
    failure = failure_of(job, endpoint)
    if failure and job.fault:
        body |= {"error": job.fault.message, "error_type": failure.error_type}
    return body


def log_lines(job: Job, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return a line per stage, at most one per `PROGRESS_STEP_PERCENT` of it, and the job's warnings and adjustments.

    Later calls only append lines. fal's clients keep every line of every poll, so a long job must have few.
    """
    return list(_lines(job, events))


def _lines(job: Job, events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    has_adjustments = False
    for event, is_step in _with_steps(events):
        if event.state in (State.FAILED, State.EXPIRED, State.CANCELLED) and job.fault:
            yield _line(event, job.fault.message, "ERROR")
        elif is_step:
            percent = "" if event.progress is None else f" {event.progress:.0%}"
            yield _line(event, f"{event.stage}{percent}", "INFO")
        if event.seq == 1:
            yield from (_line(event, warning.message, "WARN") for warning in job.warnings)
        if not has_adjustments and (event.stage == "waiting" or event.state is State.SUBMITTING):
            has_adjustments = True
            for change in job.adjustments:
                size = f"{change.before} to {change.after}"
                yield _line(event, f"Reference {change.reference} was {change.what}: {size}. {change.reason}", "WARN")


def _with_steps(events: Sequence[Event]) -> Iterator[tuple[Event, bool]]:
    """Yield the events, and whether each is the first of its stage or of its step of progress within the stage.

    Numbers are no part of a stage: "queued, 3 ahead" and "queued, 2 ahead" are one.
    """
    seen: set[tuple[str, int | None]] = set()
    for event in events:
        step = None if event.progress is None else int(event.progress * 100) // PROGRESS_STEP_PERCENT
        key = (NUMBER.sub("", event.stage), step)
        yield event, key not in seen
        seen.add(key)


def _line(event: Event, message: str, level: str) -> dict[str, Any]:
    timestamp = dt.datetime.fromtimestamp(event.at, dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return {"timestamp": timestamp, "message": message, "level": level, "source": "USER", "labels": {}}


def result_body(job: Job, *, base: str, signer: UrlSigner, endpoint: Endpoint | None) -> dict[str, Any]:
    """Return the output of a completed job, in the form of its endpoint."""
    body: dict[str, Any] = {"video": _file(job, job.outputs[0], base, signer)}
    fields = endpoint.outputs if endpoint else ()
    if "seed" in fields and job.target.seed is not None:
        body["seed"] = job.target.seed
    if "actual_prompt" in fields and job.request.prompt is not None:
        body["actual_prompt"] = job.request.prompt
    return body


def _file(job: Job, output: Output, base: str, signer: UrlSigner) -> dict[str, Any]:
    name = file_name(signer, job.id, output.index, output.blob.extension)
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


def file_name(signer: UrlSigner, job_id: str, index: int, extension: str = "mp4") -> str:
    """Return the file name in a video's public URL, which is secret: it grants access until its key ends."""
    key = f"{signer.credential}_" if signer.credential else ""
    return f"{key}{_file_token(signer, signer.credential, job_id, index)}.{extension}"


def file_link(path: str, query: Mapping[str, str], signer: UrlSigner) -> FileLink | None:  # noqa: ARG001 - signed in its path
    """Return the video that a URL of this API names; None for another URL."""
    match = OUTPUT_PATH.search(path)
    if match is None:
        return None
    job_id, index, credential, token = match[1], int(match[2]), match[3] or "", match[4]
    is_signed = hmac.compare_digest(token, _file_token(signer, credential, job_id, index))
    return FileLink(job_id=job_id, file="content", index=index, credential=credential if is_signed else None)


def _file_token(signer: UrlSigner, credential: str, job_id: str, index: int) -> str:
    fields = (job_id, index, credential) if credential else (job_id, index)
    return Signer(signer.secret).sign(FILE_PURPOSE, *fields)[:FILE_TOKEN_CHARS]


def billable_seconds(job: Job) -> str:
    """Return the billable units of a job: the seconds of its videos."""
    return f"{sum(output.duration for output in job.outputs):g}"
