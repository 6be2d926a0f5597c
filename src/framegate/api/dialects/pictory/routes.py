"""Routes of AI Studio: create, get and list jobs; download their files."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from framegate.api.context import (
    authenticate,
    base_url,
    callers,
    context_of,
    key_in,
    readable_output,
    request_context_of,
    url_signer_of,
)
from framegate.api.dialects.pictory.errors import ERRORS
from framegate.api.dialects.pictory.requests import TokenRequest, VideoRequest, parse
from framegate.api.dialects.pictory.responses import DIALECT, show, show_created
from framegate.api.http.body import fingerprint, read_json
from framegate.api.http.errors import NO_SUCH_PATH
from framegate.api.http.file_response import send_file
from framegate.api.http.idempotency import IdempotencyKey
from framegate.api.http.openapi import json_body
from framegate.api.http.signed_urls import FileLink, UrlSigner, signed_link
from framegate.api.http.validation import validated
from framegate.domain import Blob, Caller, Output, Scope
from framegate.domain.errors import NotFound, Unauthorized
from framegate.domain.money import format_usd, from_micro_usd
from framegate.domain.orders import EXTENSIONS

router = APIRouter(responses=ERRORS)
caller_of = callers(partial(key_in, scheme=""))


async def owner_of(connection: HTTPConnection) -> str:
    """Return the tenant of the caller."""
    return (await caller_of(connection)).owner


CallerDependency = Annotated[Caller, Depends(caller_of)]
FILE_PATH = re.compile(r"/v1/files/([0-9a-f-]{36})/([a-z-]{1,16}\.[a-z0-9]{3})$")
TOKEN_SECONDS = 3600  # as Pictory documents; the key itself does not expire
SMALL_BODY_BYTES_MAX = 4096
AMOUNTS = ("settled", "reserved", "held")


FILES = {
    **{f"video.{extension}": "content" for extension in EXTENSIONS.values()},
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
    await authenticate(request, token_request.client_secret, Scope.READ)
    body = {"access_token": token_request.client_secret, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.get("/v1/jobs/{job_id}")
async def get_job(request: Request, caller: CallerDependency, job_id: str) -> Response:
    """Get a job."""
    context = context_of(request)
    job = await context.jobs.get(job_id, owner=caller.owner)
    return JSONResponse(show(job, base=base_url(request), signer=url_signer_of(request)))


@router.get("/v1/aistudio/videos")
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
    jobs = [show(job, base=base_url(request), signer=url_signer_of(request)) for job in page.jobs]
    return JSONResponse({"success": True, "data": jobs} | ({"next": page.next} if page.next else {}))


@router.get("/v1/quota")
@router.get("/v1/aicredits/usage")
async def get_usage(request: Request, caller: CallerDependency) -> Response:
    """Return what the caller's jobs cost, in US dollars: the gateway has no credits of its own and no quota in them."""
    groups = await context_of(request).jobs.spent("model", owner=caller.owner)
    amounts = {name: sum(getattr(group, f"{name}_micro_usd") for group in groups) for name in AMOUNTS}
    data: dict[str, object] = {"currency": "USD", "jobs": sum(group.jobs for group in groups)}
    data |= {name: format_usd(from_micro_usd(amount)) for name, amount in amounts.items()}
    return JSONResponse({"success": True, "data": data})


@router.head("/v1/files/{job_id}/{name}", include_in_schema=False)
@router.get("/v1/files/{job_id}/{name}", response_class=Response)
async def get_file(request: Request, job_id: str, name: str) -> Response:
    """Download a file of a finished job by the signed URL in the job; needs no key."""
    context, file = context_of(request), FILES.get(name)
    if file is None:
        raise NotFound(f"File not found: {name[:64]}", code=NO_SUCH_PATH)
    link = signed_link(context.url_signer, job_id, file, 0, request.query_params)
    if link.credential is None or not await context.keys.is_valid(link.credential):
        raise Unauthorized("Invalid or expired URL. Get the job again for a new one.", code="link")
    output = await readable_output(request, link, owner_of)
    if file == "last-frame":
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(await context.jobs.last_frame_png(output), headers=headers, media_type="image/png")
    blob = _blob(output, file)
    return await send_file(request, context.jobs.blobs.path(blob.sha256), blob, name=f"{job_id}-{name}")


def _blob(output: Output, file: str) -> Blob:
    blob = {"content": output.blob, "poster": output.poster, "contact-sheet": output.contact_sheet}[file]
    if blob is None:
        raise NotFound(f"This video has no {file}.", code=NO_SUCH_PATH)
    return blob


def file_link(path: str, query: Mapping[str, str], signer: UrlSigner) -> FileLink | None:
    """Return the file that a URL of this API names; None for another URL."""
    match = FILE_PATH.search(path)
    file = FILES.get(match[2]) if match else None
    return signed_link(signer, match[1], file, 0, query) if match and file else None
