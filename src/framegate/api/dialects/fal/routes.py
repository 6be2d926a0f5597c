"""fal's queue (submit, status, status stream, result, cancel) and its direct call, whole or as a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.responses import StreamingResponse

from framegate.api.context import base_url, check_access, context_of, ended_access, url_signer_of
from framegate.api.dialects.fal.auth import CallerDependency, Owner
from framegate.api.dialects.fal.errors import error_body, failure_of, show
from framegate.api.dialects.fal.jobs import (
    check_queue_length,
    create_job,
    get_job,
    job_response,
    queue_url_of,
    status_of,
)
from framegate.api.dialects.fal.responses import (
    BILLABLE_UNITS,
    IN_PROGRESS,
    REQUEST_ID,
    billable_seconds,
    endpoint_of,
    log_lines,
    request_urls,
    result_body,
    status_word,
)
from framegate.api.http.sse import event_stream, format_event, refusal_event, until_closing
from framegate.domain import Event, Job
from framegate.domain.errors import Conflict, NotFound
from framegate.jobs.service import WAIT_SECONDS_MAX

queue_router = APIRouter(tags=["queue"])
run_router = APIRouter(tags=["run"])
Logs = Literal["0", "1", "true", "false", "True", "False"] | None
REQUEST_PATH = "/queue/{app:path}/requests/{request_id}"


# -- queue


@queue_router.get(REQUEST_PATH + "/status/stream", response_class=StreamingResponse)
async def status_stream(request: Request, owner: Owner, app: str, request_id: str, logs: Logs = None) -> Response:
    """Follow the status by server-sent events: at once and with every change, each with only the new log lines."""
    job = await get_job(request, owner, app, request_id)
    return _stream(request, job, _status_frames(request, job, owner, logs=_with_logs(logs)))


@queue_router.get(REQUEST_PATH + "/status")
async def status(request: Request, owner: Owner, app: str, request_id: str, logs: Logs = None) -> JSONResponse:
    """Get the status: IN_QUEUE or IN_PROGRESS (202), then COMPLETED (200), whether or not the request succeeded."""
    try:
        job = await get_job(request, owner, app, request_id)
    except NotFound as error:
        return _not_found(error)
    lines = await _log_lines(request, job, owner) if _with_logs(logs) else None
    body = await status_of(request, job, logs=lines)
    return job_response(body, job, status=200 if job.state.is_final else 202)


@queue_router.put(REQUEST_PATH + "/cancel")
async def cancel(request: Request, owner: Owner, app: str, request_id: str) -> JSONResponse:
    """Cancel a request: 200 once it is cancelled, 202 while it is being cancelled, 400 if it had already ended."""
    try:
        job = await get_job(request, owner, app, request_id)
        job = await context_of(request).jobs.cancel(job.id, owner=owner)
    except NotFound as error:
        return _not_found(error)
    except Conflict as error:
        body = {"status": "ALREADY_COMPLETED", **error_body(error.message, 400)}
        return JSONResponse(body, status_code=400, headers={REQUEST_ID: request_id})
    if job.state.is_final:
        return job_response({"status": "OK"}, job)
    return job_response({"status": "CANCELLATION_REQUESTED"}, job, status=202)


@queue_router.get(REQUEST_PATH + "/response", include_in_schema=False)
@queue_router.get(REQUEST_PATH)
async def result(request: Request, owner: Owner, app: str, request_id: str) -> JSONResponse:
    """Get the result: the output, 400 while the request is in progress, or the error of a failed request."""
    job = await get_job(request, owner, app, request_id)
    if not job.state.is_final:
        body = {"detail": IN_PROGRESS, **request_urls(job, queue_url_of(request)), "message": IN_PROGRESS}
        return job_response(body, job, status=400)
    return _result(request, job)


@queue_router.post("/queue/{endpoint_id:path}")
async def submit(
    request: Request,
    caller: CallerDependency,
    endpoint_id: str,
    *,
    fal_webhook: str | None = None,
    fal_max_queue_length: Annotated[int | None, Query(ge=0, le=10**9)] = None,
) -> JSONResponse:
    """Put a request in the queue. `fal_webhook` is called when it has ended."""
    await check_queue_length(request, fal_max_queue_length)
    job = await create_job(request, caller, endpoint_id, webhook=fal_webhook)
    body = await status_of(request, job)
    return job_response(body | {"gateway_request_id": job.id}, job)


# -- direct call


@run_router.post("/run/{endpoint_id:path}/stream", response_class=StreamingResponse)
async def stream(request: Request, caller: CallerDependency, endpoint_id: str) -> Response:
    """Make a video and follow it by server-sent events: status changes with new log lines, then the result."""
    job = await create_job(request, caller, endpoint_id)
    return _stream(request, job, _run_frames(request, job, caller.owner))


@run_router.post("/run/{endpoint_id:path}")
async def run(request: Request, caller: CallerDependency, endpoint_id: str) -> JSONResponse:
    """Make a video and wait for it. If the connection breaks, the result is found under the request id."""
    context = context_of(request)
    job = await create_job(request, caller, endpoint_id)
    while not job.state.is_final:
        waiting = context.jobs.wait(job.id, owner=caller.owner, seconds=WAIT_SECONDS_MAX)
        changed = await until_closing(waiting, context.closing)
        if changed is None:
            return _shutting_down(job)
        await check_access(request)
        job = changed
    return _result(request, job)


def _shutting_down(job: Job) -> JSONResponse:
    """Return 500: after 503 a client would repeat the request, although the job continues."""
    message = (
        f"The gateway is shutting down. The request {job.id} continues after the restart: get its result from the "
        "queue."
    )
    body = error_body(message, 500) | {"error_type": "internal_error"}
    return job_response(body, job, status=500)


# -- both


def _result(request: Request, job: Job) -> JSONResponse:
    """Return the output of an ended job, or its error."""
    endpoint = endpoint_of(job, context_of(request).jobs.catalogue)
    failure = failure_of(job, endpoint)
    if failure is not None:
        return job_response(failure.body, job, status=failure.status, headers=dict(failure.headers))
    return job_response(_output(request, job), job, headers={BILLABLE_UNITS: billable_seconds(job)})


def _output(request: Request, job: Job) -> dict[str, Any]:
    jobs = context_of(request).jobs
    endpoint = endpoint_of(job, jobs.catalogue)
    return result_body(job, base=base_url(request), signer=url_signer_of(request), endpoint=endpoint)


def _stream(request: Request, job: Job, frames: AsyncGenerator[bytes]) -> StreamingResponse:

    async def refusal() -> bytes | None:
        error = await ended_access(request)
        return refusal_event(show(error, {})) if error else None

    closing = context_of(request).closing
    response = event_stream(frames, closing, refusal=refusal, ping="ping", retry=False)
    response.headers[REQUEST_ID] = job.id
    return response


async def _status_frames(request: Request, job: Job, owner: str, *, logs: bool) -> AsyncGenerator[bytes]:
    jobs, sent_lines, word = context_of(request).jobs, 0, ""
    events = cast("AsyncGenerator[Event]", jobs.events(job.id, owner=owner))
    with suppress(NotFound):  # the job was deleted
        async with aclosing(events):
            async for _ in events:
                job = await jobs.get(job.id, owner=owner)
                lines = await _log_lines(request, job, owner) if logs else []
                previous_word, word = word, status_word(job)
                if word == previous_word and (word == "IN_QUEUE" or len(lines) <= sent_lines):
                    continue
                yield format_event(None, await status_of(request, job, logs=lines[sent_lines:] if logs else None))
                sent_lines = sent_lines if word == "IN_QUEUE" else len(lines)  # IN_QUEUE has no lines
                if job.state.is_final:
                    return


async def _run_frames(request: Request, job: Job, owner: str) -> AsyncGenerator[bytes]:
    jobs, sent_lines = context_of(request).jobs, 0
    events = cast("AsyncGenerator[Event]", jobs.events(job.id, owner=owner))
    with suppress(NotFound):  # the job was deleted
        async with aclosing(events):
            async for _ in events:
                job = await jobs.get(job.id, owner=owner)
                if job.state.is_final:
                    break
                lines = await _log_lines(request, job, owner)
                body = await status_of(request, job, logs=lines[sent_lines:])
                if status_word(job) != "IN_QUEUE" and len(lines) > sent_lines:
                    sent_lines = len(lines)
                    yield format_event(None, body)
    failure = failure_of(job, endpoint_of(job, jobs.catalogue))
    if failure is not None:
        yield format_event(None, {**failure.body, "error_type": failure.error_type})
    elif job.state.is_final:
        yield format_event(None, _output(request, job))


async def _log_lines(request: Request, job: Job, owner: str) -> list[dict[str, Any]]:
    return log_lines(job, await context_of(request).jobs.history(job.id, owner=owner))


def _with_logs(logs: str | None) -> bool:
    return (logs or "").lower() in ("1", "true")


def _not_found(error: NotFound) -> JSONResponse:
    return JSONResponse({"status": "NOT_FOUND", **error_body(error.message, 404)}, status_code=404)
