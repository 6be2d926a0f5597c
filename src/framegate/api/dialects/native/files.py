"""Routes of files: the video, its poster and contact sheet; uploads of assets."""

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import Owner, context_of, owner_of, readable_output
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.api.dialects.native.responses import AssetAnswer, asset_answer
from framegate.api.http.body import chunks, media_type
from framegate.api.http.file_response import send_file
from framegate.api.http.signed_urls import FileLink, UrlSigner, asset_file, signed_link
from framegate.api.http.uploads import file_of_form
from framegate.domain import Blob, Output
from framegate.domain.errors import NotFound, PrivateFile, Unauthorized, UnsupportedMediaType

router = APIRouter(tags=["files"], responses=ERRORS, generate_unique_id_function=operation_id)
Index = Annotated[int | None, Query(ge=0, le=99, description="Index of the video, from 0.")]
UPLOADS = ("image/", "video/", "audio/", "application/octet-stream")
BYTES = {"schema": {"type": "string", "format": "binary"}}
FILE_PATH = re.compile(r"/videos/([0-9a-f-]{36})/(content|poster\.jpg|contact-sheet\.jpg|matches/\d{1,2}\.jpg)$")
INDEX_CHARS_MAX = 2
PARTS = {
    206: {"description": "A range of the file."},
    304: {"description": "Not modified."},
    416: {"description": "Range not satisfiable."},
}
UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": BYTES,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.head("/videos/{job_id}/content", include_in_schema=False)
@router.get(
    "/videos/{job_id}/content", responses={200: {"content": {"video/mp4": BYTES}}, **PARTS}, response_class=Response
)
async def content(request: Request, job_id: str, index: Index = None) -> Response:
    """Get the video. Supports `Range`, `If-Range` and `If-None-Match`; needs the key or a signed URL."""
    output = await _output(request, job_id, "content", index)
    path = context_of(request).jobs.blobs.path(output.blob.sha256)
    return await send_file(request, path, output.blob, name=f"{job_id}-{output.index}.{output.blob.extension}")


@router.head("/videos/{job_id}/poster.jpg", include_in_schema=False)
@router.get(
    "/videos/{job_id}/poster.jpg", responses={200: {"content": {"image/jpeg": BYTES}}, **PARTS}, response_class=Response
)
async def poster(request: Request, job_id: str, index: Index = None) -> Response:
    """Get one frame of the video, as a JPEG."""
    return await _picture(request, job_id, "poster", index)


@router.head("/videos/{job_id}/contact-sheet.jpg", include_in_schema=False)
@router.get(
    "/videos/{job_id}/contact-sheet.jpg",
    responses={200: {"content": {"image/jpeg": BYTES}}, **PARTS},
    response_class=Response,
)
async def contact_sheet(request: Request, job_id: str, index: Index = None) -> Response:
    """Get frames from the whole video on one sheet, as a JPEG."""
    return await _picture(request, job_id, "contact-sheet", index)


@router.head("/videos/{job_id}/matches/{match}.jpg", include_in_schema=False)
@router.get(
    "/videos/{job_id}/matches/{match}.jpg",
    responses={200: {"content": {"image/jpeg": BYTES}}, **PARTS},
    response_class=Response,
)
async def match_picture(
    request: Request,
    job_id: str,
    match: Annotated[int, Path(ge=0, le=99, description="Index in the `matches` of the report, from 0.")],
    index: Index = None,
) -> Response:
    """Get the frame most similar to a reference, with the reference at its left, as a JPEG."""
    output = await _output(request, job_id, "matches", index)
    if match >= len(output.matches):
        raise NotFound(f"Match {match} not found: the video has {len(output.matches)} match(es), counted from 0.")
    blob = output.matches[match]
    path = context_of(request).jobs.blobs.path(blob.sha256)
    return await send_file(request, path, blob, name=f"{job_id}-{output.index}-match-{match}.jpg")


@router.head("/assets/{sha256}", include_in_schema=False)
@router.get("/assets/{sha256}", responses={200: {"content": {"image/*": BYTES}}, **PARTS}, response_class=Response)
async def asset(
    request: Request,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    kind: Annotated[str, Query(alias="type", pattern=r"^[a-z]{1,16}/[a-z0-9.+-]{1,64}$")],
    expires: Annotated[str | None, Query(max_length=12)] = None,  # noqa: ARG001 - read from the query as signed
    signature: Annotated[str | None, Query(max_length=64)] = None,  # noqa: ARG001 - the same
) -> Response:
    """Get a reference by the signed URL that a provider was given. A key is not accepted."""
    if not context_of(request).url_signer.permits(sha256, asset_file(kind), request.query_params):
        raise Unauthorized("Invalid or expired signed URL.")
    path = context_of(request).jobs.blobs.path(sha256)
    size = await context_of(request).machine.run_in_thread(lambda: path.stat().st_size if path.is_file() else 0)
    return await send_file(request, path, Blob(sha256=sha256, size_bytes=size, media_type=kind), name=sha256[:16])


@router.post("/assets", status_code=201, responses={201: {"model": AssetAnswer}}, openapi_extra=UPLOAD_BODY)
async def add_asset(request: Request, owner: Owner) -> Response:
    """Upload a file, as the body or as the field `file` of a form; references use its `asset://` URL."""
    context = context_of(request)
    kind, bytes_max = media_type(request), context.settings.video_bytes_max
    if kind == "multipart/form-data":
        body = file_of_form(request, bytes_max=bytes_max)
        blob = await context.jobs.add_asset(body, owner=owner, media_type=None)
    elif kind.startswith(UPLOADS):
        body = chunks(request, bytes_max=bytes_max)
        blob = await context.jobs.add_asset(body, owner=owner, media_type=None if kind == UPLOADS[-1] else kind)
    else:
        received = f"`{kind}`" if kind else "no content type"
        raise UnsupportedMediaType(f"Send an image, a video or audio with its content type; received {received}.")
    return JSONResponse(asset_answer(blob).sent(), status_code=201)


async def _picture(request: Request, job_id: str, file: str, index: int | None) -> Response:
    output = await _output(request, job_id, file, index)
    blob = output.poster if file == "poster" else output.contact_sheet
    if blob is None:
        raise NotFound(f"The video has no {file}.")
    path = context_of(request).jobs.blobs.path(blob.sha256)
    return await send_file(request, path, blob, name=f"{job_id}-{output.index}-{file}.jpg")


async def _output(request: Request, job_id: str, file: str, index: int | None) -> Output:
    """Return the output, if the caller may fetch it: by key or by signed URL."""
    signer, query = context_of(request).url_signer, request.query_params
    try:
        return await readable_output(request, signed_link(signer, job_id, file, index or 0, query), owner_of)
    except Unauthorized as error:
        if "signature" not in query or isinstance(error, PrivateFile):
            raise
        raise Unauthorized(
            "Invalid or expired signed URL. Send the key as `Authorization: Bearer KEY`, or get the job again."
        ) from error


def file_link(path: str, query: Mapping[str, str], signer: UrlSigner) -> FileLink | None:
    """Return the file that a URL of this API names; None for another URL."""
    match = FILE_PATH.search(path)
    index = query.get("index", "0")
    if match is None or not (index.isascii() and index.isdecimal() and len(index) <= INDEX_CHARS_MAX):
        return None
    return signed_link(signer, match[1], match[2].removesuffix(".jpg"), int(index), query)
