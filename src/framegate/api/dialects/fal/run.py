"""fal's direct call: the request is made and waited for in one, whole or as a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.responses import StreamingResponse

from framegate.api.context import base_url, context_of
from framegate.api.dialects.fal.auth import CallerDependency
from framegate.api.dialects.fal.errors import failure_of
from framegate.api.dialects.fal.jobs import sent, status_of, submit
from framegate.api.dialects.fal.queue import outcome
from framegate.api.dialects.fal.responses import REQUEST_ID, endpoint_of, log_lines, result_answer, status_word
from framegate.api.http.sse import data_frame, event_stream, until_closing
from framegate.domain import Event, Job
from framegate.domain.errors import NotFound
from framegate.jobs.service import WAIT_SECONDS_MAX

router = APIRouter(tags=["run"])


@router.post("/run/{endpoint_id:path}/stream", response_class=StreamingResponse)
async def stream(request: Request, caller: CallerDependency, endpoint_id: str) -> Response:
    """The status with new log lines as it changes, then the output (or the error) as the last event."""
    job = await submit(request, caller, endpoint_id)
    answer = event_stream(_frames(request, job, caller.owner), context_of(request).closing, ping="ping", retry=False)
    answer.headers[REQUEST_ID] = job.id
    return answer


@router.post("/run/{endpoint_id:path}")
async def run(request: Request, caller: CallerDependency, endpoint_id: str) -> JSONResponse:
    """Make a video and wait for it. Who hangs up finds it under its request id all the same."""
    gate = context_of(request)
    job = await submit(request, caller, endpoint_id)
    while not job.state.is_final:
        waiting = gate.jobs.wait(job.id, owner=caller.owner, seconds=WAIT_SECONDS_MAX)
        waited = await until_closing(waiting, gate.closing)
        if waited is None:
            return _stopping(job)
        job = waited
    return outcome(request, job)


def _stopping(job: Job) -> JSONResponse:
    """500, for at 503 a client would ask again, and the job goes on."""
    message = f"The gate is stopping. The request {job.id} goes on when it is back: ask the queue for its result."
    said = {"detail": message, "error_type": "internal_error", "message": message}
    return sent(said, job, status=500)


async def _frames(request: Request, job: Job, owner: str) -> AsyncGenerator[bytes]:
    jobs, told = context_of(request).jobs, 0
    found = cast("AsyncGenerator[Event]", jobs.events(job.id, owner=owner))
    with suppress(NotFound):  # deleted meanwhile: nothing more to tell
        async with aclosing(found):
            async for _ in found:
                job = await jobs.get(job.id, owner=owner)
                if job.state.is_final:
                    break
                lines = log_lines(job, await jobs.history(job.id, owner=owner))
                body = await status_of(request, job, logs=lines[told:])
                if status_word(job) != "IN_QUEUE" and len(lines) > told:
                    told = len(lines)
                    yield data_frame(body)
    endpoint = endpoint_of(job, jobs.catalogue)
    failure = failure_of(job, endpoint)
    if failure is not None:
        yield data_frame({**failure.body, "error_type": failure.error_type})
    elif job.state.is_final:
        yield data_frame(result_answer(job, base=base_url(request), secret=jobs.secret, endpoint=endpoint))
