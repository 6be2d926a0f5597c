"""fal's queue: submit, status, status stream, result, cancel."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.responses import StreamingResponse

from framegate.api.context import base_url, context_of
from framegate.api.dialects.fal.auth import CallerDependency, Owner
from framegate.api.dialects.fal.errors import failure_of
from framegate.api.dialects.fal.jobs import found_job, queue_is_short, sent, status_of
from framegate.api.dialects.fal.jobs import submit as submit_job
from framegate.api.dialects.fal.responses import (
    BILLABLE_UNITS,
    IN_PROGRESS,
    REQUEST_ID,
    addresses,
    billable_seconds,
    endpoint_of,
    log_lines,
    result_answer,
    status_word,
)
from framegate.api.http.sse import data_frame, event_stream
from framegate.domain import Event, Job
from framegate.domain.errors import Conflict, NotFound

router = APIRouter(tags=["queue"])
Logs = Literal["0", "1", "true", "false", "True", "False"] | None
HERE = "/queue/{app:path}/requests/{request_id}"


@router.get(HERE + "/status/stream", response_class=StreamingResponse)
async def status_stream(request: Request, owner: Owner, app: str, request_id: str, logs: Logs = None) -> Response:
    """The status as server-sent events, at once and with every change; each brings only new log lines."""
    job = await found_job(request, owner, app, request_id)
    frames = _frames(request, job, owner, logs=_wanted(logs))
    answer = event_stream(frames, context_of(request).closing, ping="ping", retry=False)
    answer.headers[REQUEST_ID] = job.id
    return answer


@router.get(HERE + "/status")
async def status(request: Request, owner: Owner, app: str, request_id: str, logs: Logs = None) -> JSONResponse:
    """IN_QUEUE and IN_PROGRESS (202), then COMPLETED (200), whatever the end: the result tells."""
    try:
        job = await found_job(request, owner, app, request_id)
    except NotFound as error:
        return _not_found(error)
    lines = await _lines(request, job, owner) if _wanted(logs) else None
    body = await status_of(request, job, logs=lines)
    return sent(body, job, status=200 if job.state.is_final else 202)


@router.put(HERE + "/cancel")
async def cancel(request: Request, owner: Owner, app: str, request_id: str) -> JSONResponse:
    """Stop a request: 200 once it is stopped, 202 while it is being stopped, 400 when it was over before."""
    try:
        job = await found_job(request, owner, app, request_id)
        job = await context_of(request).jobs.cancel(job.id, owner=owner)
    except NotFound as error:
        return _not_found(error)
    except Conflict as error:
        said = {"status": "ALREADY_COMPLETED", "detail": error.message, "message": error.message}
        return JSONResponse(said, status_code=400, headers={REQUEST_ID: request_id})
    if job.state.is_final:
        return sent({"status": "OK"}, job)
    return sent({"status": "CANCELLATION_REQUESTED"}, job, status=202)


@router.get(HERE + "/response", include_in_schema=False)
@router.get(HERE)
async def result(request: Request, owner: Owner, app: str, request_id: str) -> JSONResponse:
    """What was made; 400 while it is being made; the error itself where nothing was."""
    job = await found_job(request, owner, app, request_id)
    if not job.state.is_final:
        said = {"detail": IN_PROGRESS, **addresses(job, base_url(request)), "message": IN_PROGRESS}
        return sent(said, job, status=400)
    return outcome(request, job)


@router.post("/queue/{endpoint_id:path}")
async def submit(
    request: Request,
    caller: CallerDependency,
    endpoint_id: str,
    *,
    fal_webhook: str | None = None,
    fal_max_queue_length: Annotated[int | None, Query(ge=0, le=10**9)] = None,
) -> JSONResponse:
    """Put a request in the queue; `fal_webhook` is told at the end."""
    await queue_is_short(request, fal_max_queue_length)
    job = await submit_job(request, caller, endpoint_id, webhook=fal_webhook)
    body = await status_of(request, job)
    return sent(body | {"gateway_request_id": job.id}, job)


def outcome(request: Request, job: Job) -> JSONResponse:
    """The result of a job that is over: its output, or the error that ended it."""
    jobs = context_of(request).jobs
    endpoint = endpoint_of(job, jobs.catalogue)
    failure = failure_of(job, endpoint)
    if failure is not None:
        return sent(failure.body, job, status=failure.status, headers=dict(failure.headers))
    body = result_answer(job, base=base_url(request), secret=jobs.secret, endpoint=endpoint)
    return sent(body, job, headers={BILLABLE_UNITS: billable_seconds(job)})


async def _frames(request: Request, job: Job, owner: str, *, logs: bool) -> AsyncGenerator[bytes]:
    jobs, told, word = context_of(request).jobs, 0, ""
    found = cast("AsyncGenerator[Event]", jobs.events(job.id, owner=owner))
    with suppress(NotFound):  # deleted meanwhile: nothing more to tell
        async with aclosing(found):
            async for _ in found:
                job = await jobs.get(job.id, owner=owner)
                lines = await _lines(request, job, owner) if logs else []
                seen, word = word, status_word(job)
                if word == seen and (word == "IN_QUEUE" or len(lines) <= told):
                    continue
                yield data_frame(await status_of(request, job, logs=lines[told:] if logs else None))
                told = told if word == "IN_QUEUE" else len(lines)  # a queued request tells no lines yet
                if job.state.is_final:
                    return


async def _lines(request: Request, job: Job, owner: str) -> list[dict[str, Any]]:
    return log_lines(job, await context_of(request).jobs.history(job.id, owner=owner))


def _wanted(logs: str | None) -> bool:
    return (logs or "").lower() in ("1", "true")


def _not_found(error: NotFound) -> JSONResponse:
    said = {"status": "NOT_FOUND", "detail": error.message, "message": error.message}
    return JSONResponse(said, status_code=404)
