"""Videos at Phaseo's paths: create, look, list, cancel, delete, fetch."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import (
    ApiContext,
    CallerDependency,
    Owner,
    base_url,
    context_of,
    owner_of,
    request_context_of,
)
from framegate.api.dialects.phaseo.parse import to_request
from framegate.api.dialects.phaseo.requests import TAGS, DownloadRequest, VideoRequest
from framegate.api.dialects.phaseo.responses import DIALECT, show
from framegate.api.dialects.phaseo.signed import claims_of, download_url
from framegate.api.http.body import fingerprint, read_json
from framegate.api.http.file_response import send_file
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.validation import validated
from framegate.domain import Job, Problem, State, Status
from framegate.domain.errors import InvalidRequest, NotFound

LIST_MAX = 100
KEY_CHARS_MAX = 255
STATUSES = {
    "queued": Status.PENDING,
    "pending": Status.PENDING,
    "processing": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
    "running": Status.IN_PROGRESS,
    "completed": Status.COMPLETED,
    "succeeded": Status.COMPLETED,
    "failed": Status.FAILED,
    "error": Status.FAILED,
    "cancelled": Status.CANCELLED,
    "canceled": Status.CANCELLED,
    "expired": Status.EXPIRED,
}

router = APIRouter(prefix="/videos", tags=["videos"])
Index = Annotated[int | None, Query(ge=0, le=99, description="Which of the job's videos.")]
Key = Annotated[str | None, Header(min_length=1, max_length=KEY_CHARS_MAX, pattern=r"^[!-~][ -~]*$")]


def body_of(shape: str) -> dict[str, Any]:
    """How a body that is read by hand is described."""
    schema = {"$ref": f"#/components/schemas/{shape}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post("", status_code=202, openapi_extra=body_of("VideoRequest"))
async def create(request: Request, caller: CallerDependency, *, idempotency_key: Key = None) -> Response:
    """Place a job. The same `Idempotency-Key` with the same body gives the same job."""
    gate = context_of(request)
    body = await read_json(request, bytes_max=gate.settings.body_bytes_max)
    shape = validated(VideoRequest, body, tags=TAGS)
    job = await gate.jobs.create(
        to_request(shape, catalogue=gate.jobs.catalogue, settings=gate.settings),
        caller=caller,
        dialect=DIALECT,
        context=request_context_of(request),
        idempotency_key=idempotency_key,
        body_hash=fingerprint(body) if idempotency_key else "",
        base_url=base_url(request),
    )
    return _sent(shown(request, job), status=202)


@router.get("")
async def list_videos(
    request: Request,
    owner: Owner,
    *,
    limit: Annotated[int, Query(ge=1, le=LIST_MAX)] = 50,
    status: Annotated[list[str] | None, Query(max_length=32)] = None,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "desc",
    after: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> Response:
    """Jobs, newest first; `last_id` of one page is `after` of the following one. `status` is repeatable, or a list."""
    gate = context_of(request)
    page = await gate.jobs.list(
        owner=owner, limit=limit, after=after, status=_statuses(status or []), oldest_first=order == "asc"
    )
    data = [shown(request, job) for job in page.jobs]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return _sent({"object": "list", "data": data, **ends, "has_more": page.next is not None})


def _statuses(given: list[str]) -> list[Status]:
    words = [word.strip().lower() for one in given for word in one.split(",") if word.strip()]
    unknown = next((word for word in words if word not in STATUSES), None)
    if unknown is not None:
        message = f"`status` knows no {unknown[:64]!r}. It takes {', '.join(STATUSES)}."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer="/status", message=message)])
    return list(dict.fromkeys(STATUSES[word] for word in words))


@router.get("/{video_id}")
async def retrieve(request: Request, owner: Owner, video_id: str) -> Response:
    """A job as it stands, with its bill and every try of its webhooks."""
    gate = context_of(request)
    job = await gate.jobs.get(video_id, owner=owner)
    deliveries = await gate.jobs.webhooks(video_id, owner=owner) if job.request.callback_url else None
    entry = None
    with suppress(NotFound):  # of a job from before there was a ledger
        entry = await gate.jobs.bill(video_id, owner=owner)
    return _sent(show(job, base=base_url(request), links=links_of(gate), entry=entry, deliveries=deliveries))


@router.post("/{video_id}/cancel")
async def cancel(request: Request, owner: Owner, video_id: str) -> Response:
    """Stop a job."""
    return _sent(shown(request, await context_of(request).jobs.cancel(video_id, owner=owner)))


@router.delete("/{video_id}")
async def delete(request: Request, owner: Owner, video_id: str) -> Response:
    """Remove a job that has ended, and its files."""
    await context_of(request).jobs.delete(video_id, owner=owner)
    return _sent({"id": video_id, "object": "video.deleted", "deleted": True})


@router.post("/{video_id}/download_url", openapi_extra=body_of("DownloadRequest"))
async def make_download_url(request: Request, owner: Owner, video_id: str) -> Response:
    """An address of the video that needs no key, for 60 to 3,600 seconds (900 if not said)."""
    gate = context_of(request)
    empty = request.headers.get("content-length", "") in ("", "0") and "transfer-encoding" not in request.headers
    wanted = validated(DownloadRequest, {} if empty else await read_json(request, bytes_max=4096))
    job = await gate.jobs.get(video_id, owner=owner)
    if job.state is not State.COMPLETED:
        raise InvalidRequest([_no_download(job)])
    output = await gate.jobs.output(video_id, owner=owner, index=wanted.index or 0)
    made = download_url(
        job,
        f"{base_url(request)}/videos/{job.id}",
        links_of(gate),
        index=output.index,
        seconds=wanted.ttl_seconds,
        disposition=wanted.disposition or "attachment",
    )
    return _sent(made)


def _no_download(job: Job) -> Problem:
    why = f" {job.fault.message}" if job.fault else ""
    message = f"Only a completed video has a download address, and this job is {job.state.status.value}.{why}"
    return Problem(code="video_download_requires_completed_status", pointer="", message=message)


@router.head("/{video_id}/content", include_in_schema=False)
@router.get("/{video_id}/content", response_class=Response)
async def content(request: Request, video_id: str, index: Index = None) -> Response:
    """The video, by key or by a signed address. Takes `Range`, `If-Range` and `If-None-Match`."""
    gate, query = context_of(request), request.query_params
    claims = claims_of(
        links_of(gate),
        token=query.get("download_token"),
        signature=query.get("download_sig"),
        expires_at=query.get("expires_at"),
    )
    disposition = None
    if claims is not None and claims["video_id"] == video_id:
        output = await gate.jobs.linked_output(video_id, index=claims["index"])
        disposition = claims["disposition"]
    else:
        owner = await owner_of(request)
        output = await gate.jobs.output(video_id, owner=owner, index=index or 0)
    path = gate.jobs.blobs.path(output.blob.sha256)
    answer = await send_file(request, path, output.blob, name=f"{video_id}.mp4")
    _say_disposition(answer, disposition, f"{video_id}.mp4")
    return answer


def _say_disposition(answer: Response, disposition: str | None, name: str) -> None:
    """As Phaseo's: kept by nobody, and named only where the address was signed."""
    answer.headers["Cache-Control"] = "private, no-store"
    del answer.headers["Content-Disposition"]
    if disposition is not None:
        answer.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'


def shown(request: Request, job: Job) -> dict[str, Any]:
    """The job as this client sees it."""
    return show(job, base=base_url(request), links=links_of(context_of(request)))


def links_of(gate: ApiContext) -> UrlSigner:
    """Who signs the addresses of this gate."""
    return UrlSigner(secret=gate.jobs.secret, seconds=gate.settings.signed_url_ttl_seconds)


def _sent(body: Mapping[str, Any], *, status: int = 200) -> Response:
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"})
