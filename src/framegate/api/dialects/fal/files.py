"""Uploads by both of fal's APIs, and downloads of uploads and outputs at secret URLs."""

import datetime as dt
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import base_url, context_of, readable_output
from framegate.api.dialects.fal.auth import CallerDependency, KeyCaller, issue_token, owner_of
from framegate.api.dialects.fal.headers import lifecycle_of
from framegate.api.dialects.fal.responses import file_link
from framegate.api.dialects.fal.uploads import (
    PARTS_MAX,
    UNFINISHED_SECONDS_MAX,
    UPLOAD_PURPOSE,
    Upload,
    Uploads,
    is_public,
    sign_upload,
)
from framegate.api.http.body import chunks, media_type, read_json
from framegate.api.http.file_response import send_file
from framegate.api.http.signing import Signer
from framegate.domain import Caller, Problem, Scope
from framegate.domain.errors import InvalidRequest, NotFound, PrivateFile, Unauthorized

router = APIRouter(tags=["files"])
BODY_BYTES_MAX = 2**20
TEXT_CHARS_MAX = 255
TOKEN_SECONDS = 60  # of a token for a page, if the request names no other lifetime
FILE_NOT_FOUND = "File not found."
Storage = Annotated[str | None, Query(max_length=TEXT_CHARS_MAX)]


# -- tokens


@router.post("/rest/storage/auth/token")
async def cdn_token(request: Request, caller: KeyCaller, *, storage_type: Storage = None) -> JSONResponse:  # noqa: ARG001 - there is one storage type
    """Get a token for uploads, and their base URL."""
    context = context_of(request)
    credential = context.keys.credential(caller.key_id)
    token, expires_at = issue_token(credential, Signer(context.jobs.secret), now=context.machine.now())
    body = {
        "token": token,
        "token_type": "Bearer",
        "base_url": f"{base_url(request)}/cdn",
        "expires_at": dt.datetime.fromtimestamp(expires_at, dt.UTC).isoformat(),
    }
    return JSONResponse(body)


@router.post("/rest/tokens")
async def token(request: Request, caller: KeyCaller) -> JSONResponse:
    """Get a token that a web page can use instead of a key, as `fal_jwt_token`."""
    seconds = (await _read_object(request)).get("token_expiration", TOKEN_SECONDS)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        raise _invalid_value("token_expiration", "must be an integer number of seconds, 1 or more")
    context = context_of(request)
    credential, signer = context.keys.credential(caller.key_id), Signer(context.jobs.secret)
    return JSONResponse(issue_token(credential, signer, now=context.machine.now(), seconds=seconds)[0])


# -- uploads


@router.post("/rest/storage/upload/initiate")
async def initiate(request: Request, caller: CallerDependency, *, storage_type: Storage = None) -> JSONResponse:  # noqa: ARG001 - there is one storage type
    """Start an upload; returns the URL to PUT the file to, and the URL of the file."""
    upload = await _begin(request, caller, _text(await _read_object(request), "file_name"))
    return _upload_urls(request, upload)


@router.post("/rest/storage/upload/initiate-multipart")
async def initiate_multipart(
    request: Request,
    caller: CallerDependency,
    *,
    storage_type: Storage = None,  # noqa: ARG001 - there is one storage type
) -> JSONResponse:
    """Start an upload in parts: `PUT {upload_url}/{number}`, then `POST {upload_url}/complete`."""
    upload = await _begin(request, caller, _text(await _read_object(request), "file_name"))
    return _upload_urls(request, upload, "/multipart")


@router.post("/cdn/files/upload")
async def upload_whole(request: Request, caller: CallerDependency) -> JSONResponse:
    """Upload a file in one request."""
    upload = await _begin(request, caller, request.headers.get("x-fal-file-name", ""))
    return await _store(request, upload)


@router.post("/cdn/files/upload/multipart")
async def begin_multipart(request: Request, caller: CallerDependency) -> JSONResponse:
    """Start an upload in parts."""
    upload = await _begin(request, caller, request.headers.get("x-fal-file-name", ""))
    return JSONResponse({"access_url": f"{base_url(request)}{upload.path}", "uploadId": upload.id})


@router.put("/cdn/files/{upload_id}/{name}")
async def put_whole(request: Request, upload_id: str, name: str) -> JSONResponse:
    """Upload the file."""
    return await _store(request, await _writable(request, upload_id, name))


@router.put("/cdn/files/{upload_id}/{name}/multipart/{same_id}/{number}", include_in_schema=False)
@router.put("/cdn/files/{upload_id}/{name}/multipart/{number}")
async def put_part(
    request: Request, upload_id: str, name: str, number: int, same_id: str | None = None
) -> JSONResponse:
    """Upload one part of the file."""
    upload = await _writable(request, upload_id, name, same_id)
    context = context_of(request)
    body = chunks(request, bytes_max=context.settings.video_bytes_max)
    etag = await Uploads(context).add_part(upload, number, body)
    return JSONResponse({"partNumber": number, "etag": etag}, headers={"ETag": etag})


@router.post("/cdn/files/{upload_id}/{name}/multipart/{same_id}/complete", include_in_schema=False)
@router.post("/cdn/files/{upload_id}/{name}/multipart/complete")
async def complete(request: Request, upload_id: str, name: str, same_id: str | None = None) -> JSONResponse:
    """Assemble the parts."""
    upload = await _writable(request, upload_id, name, same_id)
    parts = _parts((await _read_object(request)).get("parts"))
    upload = await Uploads(context_of(request)).complete(upload, parts)
    return JSONResponse({"access_url": f"{base_url(request)}{upload.path}"})


def _parts(value: object) -> list[tuple[int, str]]:
    parts: list[tuple[int, str]] = []
    for item in cast("list[Any]", value)[: PARTS_MAX + 1] if isinstance(value, list) else ():
        part: dict[str, Any] = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        number, etag = part.get("partNumber"), part.get("etag")
        if not isinstance(number, int) or not isinstance(etag, str):
            break
        parts.append((number, etag))
    else:
        if parts and len(parts) <= PARTS_MAX:
            return parts
    raise _invalid_value("parts", 'must be a list such as [{"partNumber": 1, "etag": "…"}]')


async def _begin(request: Request, caller: Caller, name: str) -> Upload:
    retain_seconds, private = lifecycle_of(request.headers)
    context = context_of(request)
    credential = context.keys.credential(caller.key_id)
    return await Uploads(context).begin(
        caller.owner, name, credential=credential, retain_seconds=retain_seconds, private=private
    )


async def _store(request: Request, upload: Upload) -> JSONResponse:
    context = context_of(request)
    body = chunks(request, bytes_max=context.settings.video_bytes_max)
    upload = await Uploads(context).store(upload, body, media_type(request))
    return JSONResponse({"access_url": f"{base_url(request)}{upload.path}"})


def _upload_urls(request: Request, upload: Upload, suffix: str = "") -> JSONResponse:
    file_url = f"{base_url(request)}{upload.path}"
    signature = sign_upload(Signer(context_of(request).jobs.secret), upload)
    return JSONResponse({"upload_url": f"{file_url}{suffix}?signature={signature}", "file_url": file_url})


async def _writable(request: Request, upload_id: str, name: str, same_id: str | None = None) -> Upload:
    """Return an upload that the caller may write: by the signature of its URL, or by its owner's key or token."""
    context = context_of(request)
    upload = await Uploads(context).get(upload_id)
    if name != upload.name or same_id not in (None, upload_id):
        raise NotFound(FILE_NOT_FOUND)
    signature = request.query_params.get("signature")
    is_current = context.machine.now() < upload.created_at + UNFINISHED_SECONDS_MAX
    if is_current and Signer(context.jobs.secret).verify(signature, UPLOAD_PURPOSE, upload.id):
        await context.keys.authenticate_credential(upload.credential, Scope.CREATE)
        return upload
    if await owner_of(request) != upload.owner:
        raise NotFound(FILE_NOT_FOUND)
    return upload


async def _owner_if_known(request: Request) -> str | None:
    try:
        return await owner_of(request)
    except Unauthorized:
        return None


async def _read_object(request: Request) -> dict[str, Any]:
    body = await read_json(request, bytes_max=BODY_BYTES_MAX)
    if not isinstance(body, dict):
        raise InvalidRequest([Problem(code="wrong_type", pointer="", message="The body must be a JSON object.")])
    return cast("dict[str, Any]", body)


def _text(body: dict[str, Any], name: str) -> str:
    text = body.get(name) or ""
    if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
        raise _invalid_value(name, f"must be a string of at most {TEXT_CHARS_MAX} characters")
    return text


def _invalid_value(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_value", pointer=f"/{name}", message=f"`{name}` {rule}.")])


# -- downloads


@router.head("/cdn/files/{job_id}/{index}/{name}", include_in_schema=False)
@router.get("/cdn/files/{job_id}/{index}/{name}", response_class=Response)
async def output(request: Request, job_id: str, index: int, name: str) -> Response:
    """Download a video. Supports `Range`; needs no key: the URL is the secret."""
    jobs, path = context_of(request).jobs, f"/files/{job_id}/{index}/{name}"
    link = file_link(path, request.query_params, context_of(request).url_signer)
    if link is None or link.credential is None:
        raise NotFound(FILE_NOT_FOUND)
    video = await readable_output(request, link, owner_of)
    if not name.endswith(f".{video.blob.extension}"):
        raise NotFound(FILE_NOT_FOUND)
    return await send_file(request, jobs.blobs.path(video.blob.sha256), video.blob, name=name)


@router.head("/cdn/files/{upload_id}/{name}", include_in_schema=False)
@router.get("/cdn/files/{upload_id}/{name}", response_class=Response)
async def uploaded_file(request: Request, upload_id: str, name: str) -> Response:
    """Download an uploaded file."""
    context = context_of(request)
    upload = await Uploads(context).get(upload_id)
    if name != upload.name:
        raise NotFound(FILE_NOT_FOUND)
    if not await is_public(upload, context.keys) and await _owner_if_known(request) != upload.owner:
        raise PrivateFile
    blob = upload.blob(now=context.machine.now())
    return await send_file(request, context.jobs.blobs.path(blob.sha256), blob, name=name)
