"""Files in, by both of fal's ways, and files out, at public addresses that nobody can guess."""

import datetime as dt
import hmac
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import base_url, context_of
from framegate.api.dialects.fal.auth import KeyCaller, Owner, new_token, owner_of
from framegate.api.dialects.fal.headers import lifecycle_of
from framegate.api.dialects.fal.responses import file_token
from framegate.api.dialects.fal.uploads import PARTS_MAX, Upload, Uploads, signature_of
from framegate.api.http.body import media_type, pieces, read_json
from framegate.api.http.file_response import send_file
from framegate.domain import Problem
from framegate.domain.errors import Gone, InvalidRequest, NotFound, Unauthorized

router = APIRouter(tags=["files"])
BODY_BYTES_MAX = 2**20
TEXT_CHARS_MAX = 255
Storage = Annotated[str | None, Query(max_length=TEXT_CHARS_MAX)]


# -- files in


@router.post("/rest/storage/auth/token")
async def cdn_token(request: Request, caller: KeyCaller, *, storage_type: Storage = None) -> JSONResponse:  # noqa: ARG001 - there is one kind of storage
    """A token for uploads, and where they go."""
    context = context_of(request)
    token, expires = new_token(caller, context.jobs.secret, now=context.machine.now())
    until = dt.datetime.fromtimestamp(expires, dt.UTC).isoformat()
    base = f"{base_url(request)}/cdn"
    return JSONResponse({"token": token, "token_type": "Bearer", "base_url": base, "expires_at": until})


@router.post("/rest/tokens/")
async def token(request: Request, caller: KeyCaller) -> JSONResponse:
    """A token that a page can use in the place of a key, as `fal_jwt_token`."""
    asked = await _object(request)
    seconds = asked.get("token_expiration", 60)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        raise _wrong("token_expiration", "must be a whole number of seconds, 1 or more")
    context = context_of(request)
    return JSONResponse(new_token(caller, context.jobs.secret, now=context.machine.now(), seconds=seconds)[0])


@router.post("/rest/storage/upload/initiate")
async def initiate(request: Request, owner: Owner, *, storage_type: Storage = None) -> JSONResponse:  # noqa: ARG001 - there is one kind of storage
    """Announce a file: where to PUT it, and where it will lie."""
    upload = await _announced(request, owner, _text(await _object(request), "file_name"))
    return _places(request, upload, "")


@router.post("/rest/storage/upload/initiate-multipart")
async def initiate_multipart(request: Request, owner: Owner, *, storage_type: Storage = None) -> JSONResponse:  # noqa: ARG001 - there is one kind of storage
    """Announce a file that comes in parts: `PUT {upload_url}/{number}`, then `POST {upload_url}/complete`."""
    upload = await _announced(request, owner, _text(await _object(request), "file_name"))
    return _places(request, upload, "/multipart")


@router.post("/cdn/files/upload")
async def upload_whole(request: Request, owner: Owner) -> JSONResponse:
    """Upload a file in one go."""
    upload = await _announced(request, owner, request.headers.get("x-fal-file-name", ""))
    body = pieces(request, bytes_max=context_of(request).settings.video_bytes_max)
    upload = await Uploads(context_of(request)).fill(upload, body, media_type(request))
    return JSONResponse({"access_url": f"{base_url(request)}{upload.path}"})


@router.post("/cdn/files/upload/multipart")
async def begin_multipart(request: Request, owner: Owner) -> JSONResponse:
    """Announce a file that comes in parts."""
    upload = await _announced(request, owner, request.headers.get("x-fal-file-name", ""))
    return JSONResponse({"access_url": f"{base_url(request)}{upload.path}", "uploadId": upload.id})


@router.put("/cdn/files/{upload_id}/{name}")
async def put_whole(request: Request, upload_id: str, name: str) -> JSONResponse:
    """The file that was announced."""
    upload = await _permitted(request, upload_id, name)
    body = pieces(request, bytes_max=context_of(request).settings.video_bytes_max)
    upload = await Uploads(context_of(request)).fill(upload, body, media_type(request))
    return JSONResponse({"access_url": f"{base_url(request)}{upload.path}"})


@router.put("/cdn/files/{upload_id}/{name}/multipart/{same_id}/{number}", include_in_schema=False)
@router.put("/cdn/files/{upload_id}/{name}/multipart/{number}")
async def put_part(
    request: Request, upload_id: str, name: str, number: int, same_id: str | None = None
) -> JSONResponse:
    """One part of the file that was announced."""
    upload = await _permitted(request, upload_id, name, same_id)
    body = pieces(request, bytes_max=context_of(request).settings.video_bytes_max)
    etag = await Uploads(context_of(request)).add_part(upload, number, body)
    return JSONResponse({"partNumber": number, "etag": etag}, headers={"ETag": etag})


@router.post("/cdn/files/{upload_id}/{name}/multipart/{same_id}/complete", include_in_schema=False)
@router.post("/cdn/files/{upload_id}/{name}/multipart/complete")
async def complete(request: Request, upload_id: str, name: str, same_id: str | None = None) -> JSONResponse:
    """Put the parts together."""
    upload = await _permitted(request, upload_id, name, same_id)
    parts = _parts((await _object(request)).get("parts"))
    upload = await Uploads(context_of(request)).complete(upload, parts)
    return JSONResponse({"access_url": f"{base_url(request)}{upload.path}"})


def _parts(said: object) -> list[tuple[int, str]]:
    parts: list[tuple[int, str]] = []
    for part in cast("list[Any]", said)[: PARTS_MAX + 1] if isinstance(said, list) else ():
        told: dict[str, Any] = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        number, etag = told.get("partNumber"), told.get("etag")
        if not isinstance(number, int) or not isinstance(etag, str):
            break
        parts.append((number, etag))
    else:
        if parts and len(parts) <= PARTS_MAX:
            return parts
    raise _wrong("parts", 'must be a list such as [{"partNumber": 1, "etag": "…"}]')


async def _announced(request: Request, owner: str, name: str) -> Upload:
    keep_seconds, private = lifecycle_of(request.headers)
    return await Uploads(context_of(request)).begin(owner, name, keep_seconds=keep_seconds, private=private)


def _places(request: Request, upload: Upload, way: str) -> JSONResponse:
    here = f"{base_url(request)}{upload.path}"
    signature = signature_of(upload, context_of(request).jobs.secret)
    return JSONResponse({"upload_url": f"{here}{way}?signature={signature}", "file_url": here})


async def _permitted(request: Request, upload_id: str, name: str, same_id: str | None = None) -> Upload:
    """The upload that may be filled: by the signature of its address, or by its owner's key or token."""
    upload = await Uploads(context_of(request)).get(upload_id)
    if name != upload.name or same_id not in (None, upload_id):
        raise NotFound("There is no such file here.")
    signature = request.query_params.get("signature", "")
    if hmac.compare_digest(signature.encode(), signature_of(upload, context_of(request).jobs.secret).encode()):
        return upload
    if await owner_of(request) != upload.owner:
        raise NotFound("There is no such file here.")
    return upload


async def _object(request: Request) -> dict[str, Any]:
    body = await read_json(request, bytes_max=BODY_BYTES_MAX)
    if not isinstance(body, dict):
        raise InvalidRequest([Problem(code="wrong_type", pointer="", message="The body must be a JSON object.")])
    return cast("dict[str, Any]", body)


def _text(body: dict[str, Any], name: str) -> str:
    said = body.get(name) or ""
    if not isinstance(said, str) or len(said) > TEXT_CHARS_MAX:
        raise _wrong(name, f"must be a text of at most {TEXT_CHARS_MAX} characters")
    return said


def _wrong(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_value", pointer=f"/{name}", message=f"`{name}` {rule}.")])


# -- files out


@router.head("/cdn/files/{job_id}/{index}/{name}", include_in_schema=False)
@router.get("/cdn/files/{job_id}/{index}/{name}", response_class=Response)
async def made(request: Request, job_id: str, index: int, name: str) -> Response:
    """A video that was made. Takes `Range`; needs no key, for the address is the permission."""
    jobs = context_of(request).jobs
    if not hmac.compare_digest(name.encode(), f"{file_token(job_id, index, jobs.secret)}.mp4".encode()):
        raise NotFound("There is no such file here.")
    output = await jobs.linked_output(job_id, index=index)
    job = await jobs.linked(job_id)
    handling = job.request.policy
    if handling.private and await owner_of(request) != job.owner:
        raise Unauthorized("This file is private: it takes the key of its owner.")
    ended = job.finished_at or job.updated_at
    if handling.retain_seconds is not None and context_of(request).machine.now() >= ended + handling.retain_seconds:
        raise Gone("This file was made to be kept for a while, which is over.")
    return await send_file(request, jobs.blobs.path(output.blob.sha256), output.blob, name=name)


@router.head("/cdn/files/{upload_id}/{name}", include_in_schema=False)
@router.get("/cdn/files/{upload_id}/{name}", response_class=Response)
async def uploaded(request: Request, upload_id: str, name: str) -> Response:
    """A file that was uploaded."""
    gate = context_of(request)
    upload = await Uploads(gate).get(upload_id)
    if name != upload.name:
        raise NotFound("There is no such file here.")
    if upload.private and await owner_of(request) != upload.owner:
        raise Unauthorized("This file is private: it takes the key of its owner.")
    blob = upload.blob(now=context_of(request).machine.now())
    return await send_file(request, gate.jobs.blobs.path(blob.sha256), blob, name=name)
