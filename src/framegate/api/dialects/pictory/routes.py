"""AI Studio's videos and their jobs, at Pictory's paths."""

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import ApiContext, base_url, callers, context_of, key_in, request_context_of
from framegate.api.dialects.pictory.requests import TokenRequest, parse
from framegate.api.dialects.pictory.responses import DIALECT, created, show
from framegate.api.http.body import read_json
from framegate.api.http.file_response import send_file
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.validation import validated
from framegate.domain import Blob, Caller, Output, Scope
from framegate.domain.errors import NotFound, Unauthorized
from framegate.media.thumbnails import last_frame_png

router = APIRouter()
caller_of = callers(partial(key_in, scheme=""))
CallerDependency = Annotated[Caller, Depends(caller_of)]
TOKEN_SECONDS = 3600  # as Pictory says; the key goes on working


def _body(shape: str) -> dict[str, Any]:
    """How a body that is read by hand is described."""
    schema = {"$ref": f"#/components/schemas/{shape}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


BODY, TOKEN_BODY = _body("VideoRequest"), _body("TokenRequest")
FILES = {
    "video.mp4": "content",
    "thumbnail.jpg": "poster",
    "preview.jpg": "contact-sheet",
    "last-frame.png": "last-frame",
}


@router.post("/v1/aistudio/videos", openapi_extra=BODY)
async def create(request: Request, caller: CallerDependency) -> Response:
    """Place a job."""
    gate = context_of(request)
    body = await read_json(request, bytes_max=gate.settings.body_bytes_max)
    wanted = parse(body, catalogue=gate.jobs.catalogue, settings=gate.settings)
    job = await gate.jobs.create(
        wanted, caller=caller, dialect=DIALECT, context=request_context_of(request), base_url=base_url(request)
    )
    return JSONResponse(created(job))


@router.post("/v1/oauth2/token", openapi_extra=TOKEN_BODY)
async def make_token(request: Request) -> Response:
    """What Pictory's older scripts ask for first: the client secret, which is the key here, comes back as the token."""
    gate = context_of(request)
    wanted = validated(TokenRequest, await read_json(request, bytes_max=4096))
    await gate.keys.authenticate(wanted.client_secret, Scope.READ)
    told = {"access_token": wanted.client_secret, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


@router.get("/v1/jobs/{job_id}")
async def get_job(request: Request, caller: CallerDependency, job_id: str) -> Response:
    """A job as it stands."""
    gate = context_of(request)
    job = await gate.jobs.get(job_id, owner=caller.owner)
    return JSONResponse(show(job, base=base_url(request), links=links_of(gate)))


@router.get("/v1/jobs")
async def list_jobs(
    request: Request,
    caller: CallerDependency,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> Response:
    """Jobs, newest first. `next` of one page is `after` of the following one."""
    gate = context_of(request)
    page = await gate.jobs.list(owner=caller.owner, limit=limit, after=after)
    jobs = [show(job, base=base_url(request), links=links_of(gate)) for job in page.jobs]
    return JSONResponse({"success": True, "data": jobs} | ({"next": page.next} if page.next else {}))


@router.head("/v1/files/{job_id}/{name}", include_in_schema=False)
@router.get("/v1/files/{job_id}/{name}", response_class=Response)
async def get_file(request: Request, job_id: str, name: str) -> Response:
    """A file of a finished job, by the address that the job gives; it needs no key."""
    gate, query = context_of(request), request.query_params
    what = FILES.get(name)
    if what is None:
        raise NotFound(f"There is no file {name[:64]!r} here.", code="no_such_path")
    expires, signature = query.get("expires"), query.get("signature")
    if not links_of(gate).permits(job_id, f"{what}/0", expires=expires, signature=signature):
        raise Unauthorized("This address has expired or is not as it was given out. Ask for the job anew.", code="link")
    output = await gate.jobs.linked_output(job_id)
    if what == "last-frame":
        path = gate.jobs.blobs.path(output.blob.sha256)
        return Response(await asyncio.to_thread(last_frame_png, path), media_type="image/png")
    blob = _blob(output, what)
    return await send_file(request, gate.jobs.blobs.path(blob.sha256), blob, name=f"{job_id}-{name}")


def _blob(output: Output, what: str) -> Blob:
    blob = {"content": output.blob, "poster": output.poster, "contact-sheet": output.contact_sheet}[what]
    if blob is None:
        raise NotFound(f"There is no {what} of this video.", code="no_such_path")
    return blob


def links_of(gate: ApiContext) -> UrlSigner:
    """Who signs the addresses of this gate."""
    return UrlSigner(secret=gate.jobs.secret, seconds=gate.settings.signed_url_ttl_seconds)
