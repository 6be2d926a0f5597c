"""Files: the video, its poster and contact sheet out; assets in."""

from typing import Annotated

from anyio import Path as AsyncPath
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import Owner, context_of, owner_of
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.api.dialects.native.jobs import links_of
from framegate.api.dialects.native.responses import AssetAnswer, asset_answer
from framegate.api.http.body import media_type, pieces
from framegate.api.http.file_response import send_file
from framegate.api.http.signed_urls import asset_of
from framegate.api.http.uploads import file_of_form
from framegate.domain import Blob, Output
from framegate.domain.errors import NotFound, Unauthorized, UnsupportedMediaType

router = APIRouter(tags=["files"], responses=ERRORS, generate_unique_id_function=operation_id)
Index = Annotated[int | None, Query(ge=0, le=99, description="Which of the job's videos.")]
UPLOADS = ("image/", "video/", "audio/", "application/octet-stream")
BYTES = {"schema": {"type": "string", "format": "binary"}}
PARTS = {
    206: {"description": "One range of it."},
    304: {"description": "Known already."},
    416: {"description": "Out of reach."},
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
    """The video. Takes `Range`, `If-Range` and `If-None-Match`; needs the key, or the signature of a link of ours."""
    output = await _output(request, job_id, "content", index)
    path = context_of(request).jobs.blobs.path(output.blob.sha256)
    return await send_file(request, path, output.blob, name=f"{job_id}-{output.index}.mp4")


@router.head("/videos/{job_id}/poster.jpg", include_in_schema=False)
@router.get(
    "/videos/{job_id}/poster.jpg", responses={200: {"content": {"image/jpeg": BYTES}}, **PARTS}, response_class=Response
)
async def poster(request: Request, job_id: str, index: Index = None) -> Response:
    """One frame of the video, as a JPEG."""
    return await _picture(request, job_id, "poster", index)


@router.head("/videos/{job_id}/contact-sheet.jpg", include_in_schema=False)
@router.get(
    "/videos/{job_id}/contact-sheet.jpg",
    responses={200: {"content": {"image/jpeg": BYTES}}, **PARTS},
    response_class=Response,
)
async def contact_sheet(request: Request, job_id: str, index: Index = None) -> Response:
    """Frames from the whole video on one sheet, as a JPEG."""
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
    match: Annotated[int, Path(ge=0, le=99, description="Its place in the report's `matches`, from 0.")],
    index: Index = None,
) -> Response:
    """The frame that is most like a reference, the reference at its left, as a JPEG."""
    output = await _output(request, job_id, "matches", index)
    if match >= len(output.matches):
        raise NotFound(f"There are {len(output.matches)} matches of this video, counted from 0; not number {match}.")
    blob = output.matches[match]
    path = context_of(request).jobs.blobs.path(blob.sha256)
    return await send_file(request, path, blob, name=f"{job_id}-{output.index}-match-{match}.jpg")


@router.head("/assets/{sha256}", include_in_schema=False)
@router.get("/assets/{sha256}", responses={200: {"content": {"image/*": BYTES}}, **PARTS}, response_class=Response)
async def asset(
    request: Request,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    kind: Annotated[str, Query(alias="type", pattern=r"^[a-z]{1,16}/[a-z0-9.+-]{1,64}$")],
    expires: Annotated[str | None, Query(max_length=12)] = None,
    signature: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """A reference, for a provider to fetch by the link that it was given. No key opens it."""
    if not links_of(context_of(request)).permits(sha256, asset_of(kind), expires=expires, signature=signature):
        raise Unauthorized("This link is not one of this gate's, or it has expired.")
    path = context_of(request).jobs.blobs.path(sha256)
    size = (await AsyncPath(path).stat()).st_size if await AsyncPath(path).is_file() else 0
    return await send_file(request, path, Blob(sha256=sha256, size_bytes=size, media_type=kind), name=sha256[:16])


@router.post("/assets", status_code=201, responses={201: {"model": AssetAnswer}}, openapi_extra=UPLOAD_BODY)
async def add_asset(request: Request, owner: Owner) -> Response:
    """Keep a file, sent as the body or as the field `file` of a form; a reference uses it by its `asset://` address."""
    gate = context_of(request)
    kind, bytes_max = media_type(request), gate.settings.video_bytes_max
    if kind == "multipart/form-data":
        body = file_of_form(request, bytes_max=bytes_max)
        blob = await gate.jobs.add_asset(body, owner=owner, media_type=None)
    elif kind.startswith(UPLOADS):
        body = pieces(request, bytes_max=bytes_max)
        blob = await gate.jobs.add_asset(body, owner=owner, media_type=None if kind == UPLOADS[-1] else kind)
    else:
        said = f"`{kind}`" if kind else "no content type"
        raise UnsupportedMediaType(f"Send a picture, a video or a sound under its own content type; it came as {said}.")
    return JSONResponse(asset_answer(blob).sent(), status_code=201)


async def _picture(request: Request, job_id: str, what: str, index: int | None) -> Response:
    output = await _output(request, job_id, what, index)
    blob = output.poster if what == "poster" else output.contact_sheet
    if blob is None:
        raise NotFound(f"There is no {what} of this video.")
    path = context_of(request).jobs.blobs.path(blob.sha256)
    return await send_file(request, path, blob, name=f"{job_id}-{output.index}-{what}.jpg")


async def _output(request: Request, job_id: str, what: str, index: int | None) -> Output:
    """The output meant, if the caller may see it: by key, or by the signature of the link."""
    gate, number = context_of(request), index or 0
    expires, signature = request.query_params.get("expires"), request.query_params.get("signature")
    links = links_of(gate)
    if links.permits(job_id, f"{what}/{number}", expires=expires, signature=signature):
        return await gate.jobs.linked_output(job_id, index=number)
    try:
        owner = await owner_of(request)
    except Unauthorized as error:
        if not signature:
            raise
        raise Unauthorized(
            "This link has expired or is not as it was given out. Send the key as `Authorization: Bearer KEY`, "
            "or ask for the job's links anew."
        ) from error
    return await gate.jobs.output(job_id, owner=owner, index=number)
