"""Routes of jobs: create, validate, get, follow, list, cancel, delete."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, cast

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.responses import StreamingResponse

from framegate.api.context import (
    ApiContext,
    CallerDependency,
    Owner,
    base_url,
    check_access,
    context_of,
    ended_access,
    request_context_of,
    url_signer_of,
)
from framegate.api.dialects.native.errors import ERRORS, operation_id, show
from framegate.api.dialects.native.requests import UNION_TAGS, VideoRequest, to_request
from framegate.api.dialects.native.responses import (
    Answer,
    CheckAnswer,
    JobList,
    ReferenceList,
    VideoJob,
    check_answer,
    event_answer,
    job_answer,
    reference_list,
)
from framegate.api.dialects.native.webhooks import DIALECT
from framegate.api.http.body import fingerprint, read_json
from framegate.api.http.idempotency import IdempotencyKey
from framegate.api.http.openapi import json_body
from framegate.api.http.query import KNOWN_QUERY_ONLY
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.sse import event_stream, format_event, refusal_event, until_closing
from framegate.api.http.validation import validated
from framegate.domain import Event, Job, Problem, Status
from framegate.domain import Request as VideoJobRequest
from framegate.domain.errors import InvalidRequest, NotFound, NotReady

WAIT_SECONDS_MAX = 60

router = APIRouter(tags=["videos"], responses=ERRORS, generate_unique_id_function=operation_id)
EXAMPLE = {
    "model": "framegate/animatic",
    "prompt": "a slow push-in at dusk",
    "duration": 4,
    "resolution": "720p",
    "aspect_ratio": "16:9",
}
BODY = json_body(VideoRequest, EXAMPLE)
Limit = Annotated[int, Query(ge=1, le=100)]
Wait = Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX, allow_inf_nan=False)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.post("/videos", status_code=202, responses={202: {"model": VideoJob}}, openapi_extra=BODY)
async def create(request: Request, caller: CallerDependency, *, idempotency_key: IdempotencyKey) -> Response:
    """Create a job. The same `Idempotency-Key` with the same body returns the same job; with another body, 409."""
    context = context_of(request)
    body, video_request = await _read_request(request)
    job = await context.jobs.create(
        video_request,
        caller=caller,
        dialect=DIALECT,
        context=request_context_of(request),
        idempotency_key=idempotency_key,
        body_hash=fingerprint(body) if idempotency_key else "",
        base_url=base_url(request),
    )
    return _response(job_response(request, job), status=202)


@router.post("/videos/check", responses={200: {"model": CheckAnswer}}, openapi_extra=BODY)
async def check(request: Request, caller: CallerDependency) -> Response:
    """Validate a request without creating a job: every broken rule, estimate, alternatives. Fetches the references."""
    context = context_of(request)
    _, video_request = await _read_request(request)
    verdict = await context.jobs.check(video_request, caller=caller)
    model = context.jobs.catalogue.get(verdict.model)
    offers = [offer.provider for offer in model.offers] if model else []
    return _response(check_answer(verdict, offers=offers))


@router.get("/videos", responses={200: {"model": JobList}}, dependencies=[KNOWN_QUERY_ONLY])
async def list_jobs(
    request: Request,
    owner: Owner,
    *,
    limit: Limit = 50,
    after: Cursor = None,
    status: Annotated[list[Status] | None, Query()] = None,
    model: Annotated[str | None, Query(min_length=1, max_length=256, pattern=r"^[^\x00]+$")] = None,
    held: bool = False,
) -> Response:
    """List jobs, newest first; with `held` those whose cost is held. `next` of a page is `after` of the next page."""
    context = context_of(request)
    page = await context.jobs.list(owner=owner, limit=limit, after=after, status=status or (), model=model, held=held)
    data = [job_response(request, job) for job in page.jobs]
    return _response(JobList(data=data, has_more=page.next is not None, next=page.next))


@router.get("/videos/{job_id}", responses={200: {"model": VideoJob}})
async def get(request: Request, owner: Owner, job_id: str, wait: Wait = 0) -> Response:
    """Get a job; with `wait`, once it has ended or after that many seconds."""
    context = context_of(request)
    job = await context.jobs.get(job_id, owner=owner)
    if wait and not job.state.is_final:
        ended_job = await until_closing(context.jobs.wait(job_id, owner=owner, seconds=wait), context.closing)
        await check_access(request)
        job = ended_job or await context.jobs.get(job_id, owner=owner)
    return _response(job_response(request, job))


@router.delete("/videos/{job_id}", status_code=204, response_class=Response)
async def delete(request: Request, owner: Owner, job_id: str) -> Response:
    """Delete a job that has ended, and its files."""
    await context_of(request).jobs.delete(job_id, owner=owner)
    return Response(status_code=204)


@router.post("/videos/{job_id}/cancel", responses={200: {"model": VideoJob}})
async def cancel(request: Request, owner: Owner, job_id: str) -> Response:
    """Cancel a job; 409 if it has ended."""
    return _response(job_response(request, await context_of(request).jobs.cancel(job_id, owner=owner)))


@router.post("/videos/{job_id}/rerun", status_code=202, responses={202: {"model": VideoJob}})
async def rerun(
    request: Request, caller: CallerDependency, job_id: str, *, idempotency_key: IdempotencyKey
) -> Response:
    """Make the video of a job that has ended again, as a new job with the same request. It costs again."""
    jobs = context_of(request).jobs
    job = await jobs.rerun(job_id, caller=caller, idempotency_key=idempotency_key)
    return _response(job_response(request, job), status=202)


@router.get("/videos/{job_id}/references", responses={200: {"model": ReferenceList}}, dependencies=[KNOWN_QUERY_ONLY])
async def references(request: Request, owner: Owner, job_id: str) -> Response:
    """List the references of a job: the frames, then the others, each with its role, kind, name and address."""
    job = await context_of(request).jobs.get(job_id, owner=owner)
    return _response(reference_list(job))


@router.get("/videos/{job_id}/report", dependencies=[KNOWN_QUERY_ONLY])
async def report(request: Request, owner: Owner, job_id: str) -> Response:
    """Get the quality report of a finished job; 409 before it has ended."""
    job = await context_of(request).jobs.get(job_id, owner=owner)
    if job.report is not None:
        return JSONResponse(job.report)
    if not job.state.is_final:
        raise NotReady("The report is not ready: the job has not ended.")
    raise NotFound(f"No report: the job ended as {job.state.status}, without a video.")


@router.get(
    "/videos/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
    dependencies=[KNOWN_QUERY_ONLY],
)
async def events(
    request: Request,
    owner: Owner,
    job_id: str,
    *,
    after: Annotated[int, Query(ge=0, le=2**31)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Follow a job by server-sent events: those after `Last-Event-ID` (or `after`), then live until the job ends."""
    context = context_of(request)
    await context.jobs.get(job_id, owner=owner)
    if last_event_id:
        if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 10):
            raise _bad_header("Last-Event-ID", "must be the number of the last received event")
        after = int(last_event_id)
    frames = _frames(context, job_id, owner, after, base_url(request), url_signer_of(request))

    async def refusal() -> bytes | None:
        error = await ended_access(request)
        return refusal_event(show(error, {})) if error else None

    return event_stream(frames, context.closing, refusal=refusal)


async def _frames(
    context: ApiContext, job_id: str, owner: str, after: int, base: str, signer: UrlSigner
) -> AsyncGenerator[bytes]:
    status = None
    events = cast("AsyncGenerator[Event]", context.jobs.events(job_id, owner=owner, after=after))
    with suppress(NotFound):  # the job was deleted
        async with aclosing(events):
            async for event in events:
                job = await context.jobs.get(job_id, owner=owner) if event.state.is_final else None
                name = "done" if job else "progress" if event.status is status else "status"
                status = event.status
                yield format_event(name, event_answer(event, job, base=base, signer=signer).sent(), number=event.seq)


def job_response(request: Request, job: Job) -> VideoJob:
    """Return the response for a job."""
    return job_answer(job, base=base_url(request), signer=url_signer_of(request))


async def _read_request(request: Request) -> tuple[object, VideoJobRequest]:
    settings = context_of(request).settings
    body = await read_json(request, bytes_max=settings.body_bytes_max)
    session_id = request.headers.get("x-session-id", "")[:256]
    return body, to_request(validated(VideoRequest, body, tags=UNION_TAGS), settings, session_id=session_id or None)


def _bad_header(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_header", pointer="", message=f"The header `{name}` {rule}.")])


def _response(answer: Answer, *, status: int = 200) -> Response:
    return JSONResponse(answer.sent(), status_code=status)
