"""Jobs: create, check, look, follow, list, cancel, delete."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any, cast

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.responses import StreamingResponse

from framegate.api.context import ApiContext, CallerDependency, Owner, base_url, context_of, request_context_of
from framegate.api.dialects.native.errors import ERRORS, operation_id, validated
from framegate.api.dialects.native.requests import VideoRequest, to_request
from framegate.api.dialects.native.responses import (
    Answer,
    CheckAnswer,
    JobList,
    VideoJob,
    check_answer,
    event_answer,
    job_answer,
)
from framegate.api.dialects.native.webhooks import DIALECT
from framegate.api.http.body import fingerprint, read_json
from framegate.api.http.query import KNOWN_ALONE
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.sse import event_stream, frame, until_closing
from framegate.domain import Event, Job, Problem, Status
from framegate.domain import Request as Wanted
from framegate.domain.errors import InvalidRequest, NotFound, NotReady

WAIT_SECONDS_MAX = 60
KEY_CHARS_MAX = 255

router = APIRouter(tags=["videos"], responses=ERRORS, generate_unique_id_function=operation_id)
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/VideoRequest"}}},
    }
}
Number = Annotated[int, Query(ge=1, le=100)]
Wait = Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX, allow_inf_nan=False)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.post("/videos", status_code=202, responses={202: {"model": VideoJob}}, openapi_extra=BODY)
async def create(
    request: Request, caller: CallerDependency, *, idempotency_key: Annotated[str | None, Header()] = None
) -> Response:
    """Place a job. The same `Idempotency-Key` with the same body gives the same job; with another body it is a 409."""
    gate = context_of(request)
    body, wanted = await _wanted(request)
    job = await gate.jobs.create(
        wanted,
        caller=caller,
        dialect=DIALECT,
        context=request_context_of(request),
        idempotency_key=_checked_key(idempotency_key),
        body_hash=fingerprint(body) if idempotency_key else "",
        base_url=base_url(request),
    )
    return _sent(shown(request, job), status=202)


@router.post("/videos/check", responses={200: {"model": CheckAnswer}}, openapi_extra=BODY)
async def check(request: Request, caller: CallerDependency) -> Response:
    """What would be said of a job: every broken rule, the estimate, other models. References are fetched and judged."""
    gate = context_of(request)
    _, wanted = await _wanted(request)
    verdict = await gate.jobs.check(wanted, caller=caller)
    model = gate.jobs.catalogue.get(verdict.model)
    offers = [offer.provider for offer in model.offers] if model else []
    return _sent(check_answer(verdict, offers=offers))


@router.get("/videos", responses={200: {"model": JobList}}, dependencies=[KNOWN_ALONE])
async def list_jobs(
    request: Request,
    owner: Owner,
    *,
    limit: Number = 50,
    after: Cursor = None,
    status: Annotated[list[Status] | None, Query()] = None,
    model: Annotated[str | None, Query(min_length=1, max_length=256, pattern=r"^[^\x00]+$")] = None,
) -> Response:
    """Jobs, newest first. `next` of one page is `after` of the following one."""
    gate = context_of(request)
    page = await gate.jobs.list(owner=owner, limit=limit, after=after, status=status or (), model=model)
    data = [shown(request, job) for job in page.jobs]
    return _sent(JobList(data=data, has_more=page.next is not None, next=page.next))


@router.get("/videos/{job_id}", responses={200: {"model": VideoJob}})
async def get(request: Request, owner: Owner, job_id: str, wait: Wait = 0) -> Response:
    """A job as it stands; with `wait` as it stands at its end, or after so many seconds."""
    gate = context_of(request)
    job = await gate.jobs.get(job_id, owner=owner)
    if wait and not job.state.is_final:
        waited = await until_closing(gate.jobs.wait(job_id, owner=owner, seconds=wait), gate.closing)
        job = waited or await gate.jobs.get(job_id, owner=owner)
    return _sent(shown(request, job))


@router.delete("/videos/{job_id}", status_code=204, response_class=Response)
async def delete(request: Request, owner: Owner, job_id: str) -> Response:
    """Remove a job that is over, and its files."""
    await context_of(request).jobs.delete(job_id, owner=owner)
    return Response(status_code=204)


@router.post("/videos/{job_id}/cancel", responses={200: {"model": VideoJob}})
async def cancel(request: Request, owner: Owner, job_id: str) -> Response:
    """Stop a job; 409 when it is over already."""
    return _sent(shown(request, await context_of(request).jobs.cancel(job_id, owner=owner)))


@router.get("/videos/{job_id}/report", dependencies=[KNOWN_ALONE])
async def report(request: Request, owner: Owner, job_id: str) -> Response:
    """The quality report of a finished job; 409 while it is not over."""
    job = await context_of(request).jobs.get(job_id, owner=owner)
    if job.report is not None:
        return JSONResponse(job.report)
    if not job.state.is_final:
        raise NotReady("The report is made when the video is.")
    raise NotFound(f"The job ended as {job.state.status} without a video, so there is no report.")


@router.get(
    "/videos/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
    dependencies=[KNOWN_ALONE],
)
async def events(
    request: Request,
    owner: Owner,
    job_id: str,
    *,
    after: Annotated[int, Query(ge=0, le=2**31)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Server-sent events: what has happened since `Last-Event-ID` (or `after`), then live, until the job is over."""
    gate = context_of(request)
    await gate.jobs.get(job_id, owner=owner)
    if last_event_id:
        if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 10):
            raise _bad_header("Last-Event-ID", "must be the number of the last event that was received")
        after = int(last_event_id)
    return event_stream(_frames(gate, job_id, owner, after, base_url(request)), gate.closing)


async def _frames(gate: ApiContext, job_id: str, owner: str, after: int, base: str) -> AsyncGenerator[bytes]:
    links, status = links_of(gate), None
    found = cast("AsyncGenerator[Event]", gate.jobs.events(job_id, owner=owner, after=after))
    with suppress(NotFound):  # deleted meanwhile: nothing more to tell
        async with aclosing(found):
            async for event in found:
                job = await gate.jobs.get(job_id, owner=owner) if event.state.is_final else None
                name = "done" if job else "progress" if event.status is status else "status"
                status = event.status
                yield frame(name, event_answer(event, job, base=base, links=links).sent(), number=event.seq)


def shown(request: Request, job: Job) -> VideoJob:
    """The job as this client sees it."""
    return job_answer(job, base=base_url(request), links=links_of(context_of(request)))


def links_of(gate: ApiContext) -> UrlSigner:
    """Who signs the links of this gate."""
    return UrlSigner(secret=gate.jobs.secret, seconds=gate.settings.signed_url_ttl_seconds)


async def _wanted(request: Request) -> tuple[object, Wanted]:
    settings = context_of(request).settings
    body = await read_json(request, bytes_max=settings.body_bytes_max)
    session_id = request.headers.get("x-session-id", "")[:256]
    return body, to_request(validated(VideoRequest, body), settings, session_id=session_id or None)


def _checked_key(key: str | None) -> str | None:
    if key is None:
        return None
    if not key.strip() or len(key) > KEY_CHARS_MAX or not (key.isascii() and key.isprintable()):
        raise _bad_header("Idempotency-Key", f"must be 1 to {KEY_CHARS_MAX} printable ASCII characters")
    return key


def _bad_header(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_header", pointer="", message=f"The header `{name}` {rule}.")])


def _sent(answer: Answer, *, status: int = 200) -> Response:
    return JSONResponse(answer.sent(), status_code=status)
