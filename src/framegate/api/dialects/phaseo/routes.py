"""Routes of videos: create, list, get, cancel, delete, download."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import (
    CallerDependency,
    Owner,
    base_url,
    context_of,
    owner_of,
    readable_output,
    request_context_of,
    url_signer_of,
)
from framegate.api.dialects.phaseo.downloads import download_url, link_of, verify_download
from framegate.api.dialects.phaseo.errors import ERRORS, FAILED
from framegate.api.dialects.phaseo.requests import BASE64_FIELDS, UNION_TAGS, DownloadRequest, VideoRequest, to_request
from framegate.api.dialects.phaseo.responses import DIALECT, show
from framegate.api.http.body import fingerprint, read_json
from framegate.api.http.file_response import send_file
from framegate.api.http.idempotency import IdempotencyKey
from framegate.api.http.openapi import json_body
from framegate.api.http.signed_urls import FileLink, UrlSigner
from framegate.api.http.validation import validated
from framegate.domain import Job, Problem, State, Status
from framegate.domain.errors import InvalidRequest, NotFound

PAGE_JOBS_MAX = 100
SMALL_BODY_BYTES_MAX = 4096
QUOTED_CHARS_MAX = 64
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

FILE_PATH = re.compile(r"/videos/([0-9a-f-]{36})/content$")

router = APIRouter(prefix="/videos", tags=["videos"], responses=ERRORS)
Index = Annotated[int | None, Query(ge=0, le=99, description="Which of the job's videos.")]


@router.post("", status_code=202, openapi_extra=json_body(VideoRequest))
async def create(request: Request, caller: CallerDependency, *, idempotency_key: IdempotencyKey) -> Response:
    """Create a job. The same `Idempotency-Key` with the same body returns the same job."""
    context = context_of(request)
    body = await read_json(request, bytes_max=context.settings.body_bytes_max, base64_fields=BASE64_FIELDS)
    video_request = validated(VideoRequest, body, tags=UNION_TAGS)
    job = await context.jobs.create(
        to_request(video_request, catalogue=context.jobs.catalogue, settings=context.settings),
        caller=caller,
        dialect=DIALECT,
        context=request_context_of(request),
        idempotency_key=idempotency_key,
        body_hash=fingerprint(body) if idempotency_key else "",
        base_url=base_url(request),
    )
    return _response(_job_body(request, job), status=202)


@router.get("")
async def list_videos(
    request: Request,
    owner: Owner,
    *,
    limit: Annotated[int, Query(ge=1, le=PAGE_JOBS_MAX)] = 50,
    status: Annotated[list[str] | None, Query(max_length=32)] = None,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "desc",
    after: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> Response:
    """List jobs, newest first; `last_id` of a page is `after` of the next. `status` is repeatable, or a list."""
    page = await context_of(request).jobs.list(
        owner=owner, limit=limit, after=after, status=_statuses(status or []), oldest_first=order == "asc"
    )
    data = [_job_body(request, job) for job in page.jobs]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return _response({"object": "list", "data": data, **ends, "has_more": page.next is not None})


def _statuses(values: list[str]) -> list[Status]:
    words = [word.strip().lower() for value in values for word in value.split(",") if word.strip()]
    unknown = next((word for word in words if word not in STATUSES), None)
    if unknown is not None:
        message = f"`status`: unknown value {unknown[:QUOTED_CHARS_MAX]!r}. Valid values: {', '.join(STATUSES)}."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer="/status", message=message)])
    return list(dict.fromkeys(STATUSES[word] for word in words))


@router.get("/{video_id}")
async def retrieve(request: Request, owner: Owner, video_id: str) -> Response:
    """Get a job, with its billing and every delivery attempt of its webhooks."""
    context = context_of(request)
    job = await context.jobs.get(video_id, owner=owner)
    deliveries = await context.jobs.webhooks(video_id, owner=owner) if job.request.callback_url else None
    entry = None
    with suppress(NotFound):  # the job is older than the ledger
        entry = await context.jobs.bill(video_id, owner=owner)
    signer = url_signer_of(request)
    return _response(show(job, base=base_url(request), signer=signer, entry=entry, deliveries=deliveries))


@router.post("/{video_id}/cancel")
async def cancel(request: Request, owner: Owner, video_id: str) -> Response:
    """Cancel a job."""
    return _response(_job_body(request, await context_of(request).jobs.cancel(video_id, owner=owner)))


@router.delete("/{video_id}")
async def delete(request: Request, owner: Owner, video_id: str) -> Response:
    """Delete a job that has ended, and its files."""
    await context_of(request).jobs.delete(video_id, owner=owner)
    return _response({"id": video_id, "object": "video.deleted", "deleted": True})


@router.post("/{video_id}/download_url", openapi_extra=json_body(DownloadRequest))
async def make_download_url(request: Request, owner: Owner, video_id: str) -> Response:
    """Get a URL of the video that needs no key, for 60 to 3,600 seconds (default 900)."""
    context = context_of(request)
    is_empty = request.headers.get("content-length", "") in ("", "0") and "transfer-encoding" not in request.headers
    body: object = {} if is_empty else await read_json(request, bytes_max=SMALL_BODY_BYTES_MAX)
    download = validated(DownloadRequest, body)
    job = await context.jobs.get(video_id, owner=owner)
    if job.state is not State.COMPLETED:
        raise InvalidRequest([_not_completed(job)])
    output = await context.jobs.output(video_id, owner=owner, index=download.index or 0)
    signed = download_url(
        job,
        f"{base_url(request)}/videos/{job.id}",
        url_signer_of(request),
        index=output.index,
        seconds=download.ttl_seconds,
        disposition=download.disposition or "attachment",
    )
    return _response(signed)


def _not_completed(job: Job) -> Problem:
    reason = f" {job.fault.message}" if job.fault else ""
    message = f"Only a completed video has a download URL; this job is {job.state.status.value}.{reason}"
    return Problem(code="video_download_requires_completed_status", pointer="", message=message)


@router.head("/{video_id}/content", include_in_schema=False)
@router.get("/{video_id}/content", response_class=Response, responses=FAILED)
async def content(request: Request, video_id: str, index: Index = None) -> Response:
    """Download the video, by key or by signed URL. Supports `Range`, `If-Range` and `If-None-Match`."""
    context, query = context_of(request), request.query_params
    claims = verify_download(context.url_signer, query)
    link = link_of(claims, video_id, index or 0)
    output = await readable_output(request, link, owner_of)
    disposition = claims["disposition"] if claims is not None and link.credential is not None else None
    name = f"{video_id}.{output.blob.extension}"
    response = await send_file(request, context.jobs.blobs.path(output.blob.sha256), output.blob, name=name)
    _set_disposition(response, disposition, name)
    return response


def _set_disposition(response: Response, disposition: str | None, name: str) -> None:
    """Set Phaseo's headers: never cached, and a file name only for a signed URL."""
    response.headers["Cache-Control"] = "private, no-store"
    del response.headers["Content-Disposition"]
    if disposition is not None:
        response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'


def _job_body(request: Request, job: Job) -> dict[str, Any]:
    return show(job, base=base_url(request), signer=url_signer_of(request))


def _response(body: Mapping[str, Any], *, status: int = 200) -> Response:
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"})


def file_link(path: str, query: Mapping[str, str], signer: UrlSigner) -> FileLink | None:
    """Return the file that a signed URL of this API names; None for another URL."""
    match = FILE_PATH.search(path)
    claims = verify_download(signer, query) if match else None
    return link_of(claims, match[1], 0) if match and claims else None
