"""Files out, by stream: whole or one range of it, never a part that looks like the whole."""

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

PIECE_BYTES = 128 * 1024
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def send_file(request: Request, path: Path, blob: Blob, *, name: str) -> Response:
    """The kept file as an answer to GET or HEAD, with `Range`, `If-Range` and `If-None-Match`.

    Raises `Gone` when the file is no longer there or not of the length it was kept with.
    """
    etag = f'"{blob.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "Content-Disposition": f'inline; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    file = await asyncio.to_thread(_open_whole, path, blob.size_bytes)
    if _known_already(request.headers, etag):
        file.close()
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = blob.media_type
    if request.method == "HEAD":
        file.close()
        return Response(headers={**headers, "Content-Length": str(blob.size_bytes)})
    part = _part(request.headers, etag, blob.size_bytes)
    if part is None:
        headers["Content-Length"] = str(blob.size_bytes)
        return StreamingResponse(_pieces(file, blob.size_bytes), headers=headers)
    if not part:
        file.close()
        return Response(status_code=416, headers={"Content-Range": f"bytes */{blob.size_bytes}"})
    file.seek(part.start)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{blob.size_bytes}"
    headers["Content-Length"] = str(len(part))
    return StreamingResponse(_pieces(file, len(part)), status_code=206, headers=headers)


def _open_whole(path: Path, size_bytes: int) -> BufferedReader:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Gone from error
    if os.fstat(file.fileno()).st_size != size_bytes:
        file.close()
        raise Gone("The file that is kept is not whole, so it is not served.")
    return file


async def _pieces(file: BufferedReader, left: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    with file:
        while left > 0:
            piece = await loop.run_in_executor(None, file.read, min(PIECE_BYTES, left))
            if not piece:
                raise EOFError(f"{left} bytes of {file.name} went missing while it was sent")  # breaks the connection
            left -= len(piece)
            yield piece


def _known_already(headers: Mapping[str, str], etag: str) -> bool:
    known = headers.get("if-none-match", "")
    return known.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(","))


def _part(headers: Mapping[str, str], etag: str, size: int) -> range | None:
    """The bytes asked for; None for all of them (also for several ranges at once), empty when out of reach."""
    asked = ONE_RANGE.fullmatch(headers.get("range", "").strip())
    if asked is None or headers.get("if-range", etag) != etag:
        return None
    first, last = asked.groups()
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)
