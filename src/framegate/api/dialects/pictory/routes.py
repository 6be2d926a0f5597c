"""Routes of AI Studio: create, get and list jobs; download their files."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import base_url, callers, context_of, key_in, request_context_of
from framegate.api.dialects.pictory.requests import TokenRequest, VideoRequest, parse
from framegate.api.dialects.pictory.responses import DIALECT, show, show_created
from framegate.api.http.body import fingerprint, read_json
from framegate.api.http.errors import NO_SUCH_PATH
from framegate.api.http.file_response import send_file
from framegate.api.http.idempotency import IdempotencyKey
from framegate.api.http.openapi import json_body
from framegate.api.http.validation import validated
from framegate.domain import Blob, Caller, Output, Scope
from framegate.domain.errors import NotFound, Unauthorized
from framegate.media.thumbnails import last_frame_png

router = APIRouter()
caller_of = callers(partial(key_in, scheme=""))
CallerDependency = Annotated[Caller, Depends(caller_of)]
TOKEN_SECONDS = 3600  # as Pictory documents; the key itself does not expire
SMALL_BODY_BYTES_MAX = 4096


FILES = {
    "video.mp4": "content",
    "thumbnail.jpg": "poster",
    "preview.jpg": "contact-sheet",
    "last-frame.png": "last-frame",
}


@router.post("/v1/aistudio/videos", openapi_extra=json_body(VideoRequest))
async def create(request: Request, caller: CallerDependency, *, idempotency_key: IdempotencyKey) -> Response:
    """Create a job. The same `Idempotency-Key` with the same body returns the same job; with another body, 409."""
    context = context_of(request)
    body = await read_json(request, bytes_max=context.settings.body_bytes_max)
    job = await context.jobs.create(
        parse(body, catalogue=context.jobs.catalogue, settings=context.settings),
        caller=caller,
        dialect=DIALECT,
        context=request_context_of(request),
        idempotency_key=idempotency_key,
        body_hash=fingerprint(body) if idempotency_key else "",
        base_url=base_url(request),
    )
    return JSONResponse(show_created(job))


@router.post("/v1/oauth2/token", openapi_extra=json_body(TokenRequest))
async def make_token(request: Request) -> Response:
    """Return the client secret, which is the API key, as the token. Pictory's older scripts ask for one first."""
    token_request = validated(TokenRequest, await read_json(request, bytes_max=SMALL_BODY_BYTES_MAX))
    await context_of(request).keys.authenticate(token_request.client_secret, Scope.READ)
    body = {"access_token": token_request.client_secret, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.get("/v1/jobs/{job_id}")
async def get_job(request: Request, caller: CallerDependency, job_id: str) -> Response:
    """Get a job."""
    context = context_of(request)
    job = await context.jobs.get(job_id, owner=caller.owner)
    return JSONResponse(show(job, base=base_url(request), signer=context.url_signer))


@router.get("/v1/jobs")
async def list_jobs(
    request: Request,
    caller: CallerDependency,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> Response:
    """List jobs, newest first. `next` of a page is `after` of the next page."""
    context = context_of(request)
    page = await context.jobs.list(owner=caller.owner, limit=limit, after=after)
    jobs = [show(job, base=base_url(request), signer=context.url_signer) for job in page.jobs]
    return JSONResponse({"success": True, "data": jobs} | ({"next": page.next} if page.next else {}))


@router.head("/v1/files/{job_id}/{name}", include_in_schema=False)
@router.get("/v1/files/{job_id}/{name}", response_class=Response)
async def get_file(request: Request, job_id: str, name: str) -> Response:
    """Download a file of a finished job by the signed URL in the job; needs no key."""
    context, query = context_of(request), request.query_params
    file = FILES.get(name)
    if file is None:
        raise NotFound(f"File not found: {name[:64]}", code=NO_SUCH_PATH)
    expires, signature = query.get("expires"), query.get("signature")
    if not context.url_signer.permits(job_id, f"{file}/0", expires=expires, signature=signature):
        raise Unauthorized("Invalid or expired URL. Get the job again for a new one.", code="link")
    output = await context.jobs.linked_output(job_id)
    if file == "last-frame":
        path = context.jobs.blobs.path(output.blob.sha256)
        return Response(await context.machine.run_in_thread(last_frame_png, path), media_type="image/png")
    blob = _blob(output, file)
    return await send_file(request, context.jobs.blobs.path(blob.sha256), blob, name=f"{job_id}-{name}")


def _blob(output: Output, file: str) -> Blob:
    blob = {"content": output.blob, "poster": output.poster, "contact-sheet": output.contact_sheet}[file]
    if blob is None:
        raise NotFound(f"This video has no {file}.", code=NO_SUCH_PATH)
    return blob
