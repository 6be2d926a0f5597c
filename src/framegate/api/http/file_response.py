"""Streamed file responses: the whole file or one range, never a truncated file that looks complete."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from io import BufferedReader
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from framegate.domain import Blob
from framegate.domain.errors import Gone

CHUNK_BYTES = 128 * 1024
SAFE_TYPE = re.compile(r"(image/(?!svg)|video/|audio/)[a-z0-9.+-]{1,64}", re.ASCII)  # types that a browser never runs
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def send_file(request: Request, path: Path, blob: Blob, *, name: str) -> Response:
    """Return the response to GET or HEAD, with `Range`, `If-Range` and `If-None-Match`.

    Raises `Gone` if the file is missing or does not have the size that it was stored with.
    """
    etag = f'"{blob.sha256}"'
    is_safe = SAFE_TYPE.fullmatch(blob.media_type) is not None
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "Content-Disposition": f'{"inline" if is_safe else "attachment"}; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    file = await asyncio.to_thread(_open_complete, path, blob.size_bytes)
    if _is_not_modified(request.headers, etag):
        file.close()
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = blob.media_type if is_safe else "application/octet-stream"
    if request.method == "HEAD":
        file.close()
        return Response(headers={**headers, "Content-Length": str(blob.size_bytes)})
    byte_range = _requested_range(request.headers, etag, blob.size_bytes)
    if byte_range is None:
        headers["Content-Length"] = str(blob.size_bytes)
        return StreamingResponse(_chunks(file, blob.size_bytes), headers=headers)
    if not byte_range:
        file.close()
        return Response(status_code=416, headers={"Content-Range": f"bytes */{blob.size_bytes}"})
    file.seek(byte_range.start)
    headers["Content-Range"] = f"bytes {byte_range.start}-{byte_range.stop - 1}/{blob.size_bytes}"
    headers["Content-Length"] = str(len(byte_range))
    return StreamingResponse(_chunks(file, len(byte_range)), status_code=206, headers=headers)


def _open_complete(path: Path, size_bytes: int) -> BufferedReader:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Gone from error
    if os.fstat(file.fileno()).st_size != size_bytes:
        file.close()
        raise Gone("The stored file is truncated and is not served.")
    return file


async def _chunks(file: BufferedReader, left: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    with file:
        while left > 0:
            chunk = await loop.run_in_executor(None, file.read, min(CHUNK_BYTES, left))
            if not chunk:
                raise EOFError(f"{left} bytes of {file.name} disappeared while it was sent")  # closes the connection
            left -= len(chunk)
            yield chunk


def _is_not_modified(headers: Mapping[str, str], etag: str) -> bool:
    tags = headers.get("if-none-match", "")
    return tags.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in tags.split(","))


def _requested_range(headers: Mapping[str, str], etag: str, size: int) -> range | None:
    """Return the requested bytes; None for the whole file (also for several ranges), empty if not satisfiable."""
    match = ONE_RANGE.fullmatch(headers.get("range", "").strip())
    if match is None or headers.get("if-range", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)
