"""References in: from wherever a client points, into the store, looked at."""

import base64
import binascii
import re
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from framegate.config.settings import Settings
from framegate.domain import Adjustment, Blob, Kind, PreparedReference, Reference
from framegate.domain.errors import ReferenceUnusable, TooLarge, UnsupportedMediaType
from framegate.media import images, videos
from framegate.media.images import FitLimits, Picture
from framegate.media.sniff import HEAD_BYTES, media_type_of
from framegate.storage.blobs import BlobStore, write_stream

DATA_HEADER_CHARS_MAX = 256
BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
ASSET = re.compile(r"asset://([0-9a-f]{64})")


class Fetched(Protocol):
    """A fetched file, as `framegate.net.fetcher.Fetched` has it."""

    @property
    def path(self) -> Path: ...


class Fetcher(Protocol):
    """The way out, as `framegate.net.fetcher.Net` has it."""

    async def fetch(self, url: str, into: Path, *, bytes_max: int, seconds_max: float) -> Fetched:
        """Stream what lies at `url` into the file `into`. Raises `ReferenceUnusable`."""
        ...


HasAsset = Callable[[str], Awaitable[Blob | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedReference:
    """A reference that is kept and known to decode; a video or a sound has a length and no picture."""

    blob: Blob
    picture: Picture | None
    seconds: float | None = None


async def ingest(
    reference: Reference, *, index: int, net: Fetcher, blobs: BlobStore, settings: Settings, has_asset: HasAsset
) -> IngestedReference:
    """Fetch, read or find what a reference points at, look at it, and keep it under its true media type.

    `has_asset` answers whether this client may use the asset with that hash. Raises `ReferenceUnusable`, which names
    the reference's place in the request.
    """
    bytes_max = settings.reference_bytes_max if reference.kind is Kind.IMAGE else settings.video_bytes_max
    with pointing(reference.pointer or f"/references/{index}"):
        scheme = reference.url[:16].partition(":")[0].lower()
        if scheme == "asset":
            return await _take_asset(reference, blobs, settings, has_asset)
        async with _scratch(blobs) as path:
            if scheme == "data":
                data = await anyio.to_thread.run_sync(read_data_url, reference.url, bytes_max)
                await anyio.Path(path).write_bytes(data)
            else:
                seconds = settings.fetch_timeout_seconds
                await net.fetch(reference.url, path, bytes_max=bytes_max, seconds_max=seconds)
            seen = await anyio.to_thread.run_sync(_judge, path, reference.kind, settings)
            blob = await blobs.add_file(path, seen.media_type, move=True)
            return IngestedReference(blob=blob, picture=seen.picture, seconds=seen.seconds)


async def ingest_upload(
    stream: AsyncIterator[bytes], media_type: str | None = None, *, blobs: BlobStore, settings: Settings
) -> Blob:
    """Keep an uploaded picture, video or sound under its true media type.

    Raises `TooLarge`, `UnsupportedMediaType` for what is none of these or plainly not what `media_type` says, and
    `ReferenceUnusable` for what does not decode.
    """
    async with _scratch(blobs) as path:
        size, _ = await write_stream(stream, path, bytes_max=settings.video_bytes_max)
        with pointing(""):
            kind = await anyio.to_thread.run_sync(_kind_of, path)
            claimed = (media_type or "").partition("/")[0].lower()
            if claimed in tuple(Kind) and claimed != kind:
                raise UnsupportedMediaType(f"The body is called {media_type}, but it is of the kind {kind}.")
            if kind is Kind.IMAGE and size > settings.reference_bytes_max:
                raise TooLarge(f"A picture has at most {settings.reference_bytes_max:,} bytes, this one {size:,}.")
            seen = await anyio.to_thread.run_sync(_judge, path, kind, settings)
        return await blobs.add_file(path, seen.media_type, move=True)


async def prepare(
    taken: IngestedReference,
    reference: Reference,
    index: int,
    blobs: BlobStore,
    limits: FitLimits,
    *,
    keep: bool = True,
) -> tuple[PreparedReference, list[Adjustment]]:
    """Make the copy of a reference that a model takes, keep it, and say what was changed.

    A picture comes out upright and within the limits; a video or a sound as it is. With `keep` False a changed copy is
    only measured, and what is told of it has no file. Raises `ReferenceUnusable`.
    """
    path = blobs.path(taken.blob.sha256)
    if taken.picture is None:
        return PreparedReference(reference=reference, blob=taken.blob, path=str(path)), []
    picture = taken.picture
    with pointing(reference.pointer or f"/references/{index}"):
        fitted = await anyio.to_thread.run_sync(lambda: images.fit(path, picture, limits, index=index))
    if fitted.data is None:
        blob = taken.blob
    elif keep:
        blob = await blobs.add_bytes(fitted.data, fitted.media_type)
    else:
        blob = Blob(sha256="", size_bytes=len(fitted.data), media_type=fitted.media_type)
    prepared = PreparedReference(
        reference=reference,
        blob=blob,
        path=str(blobs.path(blob.sha256)) if blob.sha256 else "",
        width=fitted.width,
        height=fitted.height,
        fitted=fitted.data is not None,
    )
    return prepared, fitted.adjustments


def read_data_url(url: str, bytes_max: int) -> bytes:
    """The bytes of a data URL (RFC 2397), read strictly; the limit is held before anything is decoded.

    Raises `ReferenceUnusable`.
    """
    header, comma, body = url.partition(",")
    words = header[:DATA_HEADER_CHARS_MAX].lower().split(";")
    if not comma or len(header) > DATA_HEADER_CHARS_MAX or not words[0].startswith("data:"):
        raise _bad_data_url("It is written data:image/png;base64,… with one comma before the data.")
    if not body.isascii():
        raise _bad_data_url("Its data holds characters beyond ASCII.")
    if BAD_PERCENT.search(body):
        raise _bad_data_url("A % in it is not followed by two hexadecimal digits.")
    coded = words[-1].strip() == "base64"
    size = len(body) - 2 * body.count("%")
    if (size * 3 // 4 - 2 if coded else size) > bytes_max:
        message = f"The data URL holds more than {bytes_max:,} bytes, the most that is taken. Upload the file instead."
        raise ReferenceUnusable("reference_too_large", message)
    data = urllib.parse.unquote_to_bytes(body) if "%" in body or not coded else body.encode()
    if coded:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise _bad_data_url(f"Its base64 is not valid ({error}).") from error
    return data


def _bad_data_url(why: str) -> ReferenceUnusable:
    return ReferenceUnusable("reference_bad_data_url", f"The data URL cannot be read. {why}")


async def _take_asset(
    reference: Reference, blobs: BlobStore, settings: Settings, has_asset: HasAsset
) -> IngestedReference:
    named = ASSET.fullmatch(reference.url)
    blob = await has_asset(named[1]) if named else None
    if blob is None or not await anyio.to_thread.run_sync(blobs.has, blob.sha256):
        message = "There is no such asset. Upload the file again and use the address asset://SHA256 that is answered."
        raise ReferenceUnusable("reference_unknown_asset", message)
    seen = await anyio.to_thread.run_sync(_judge, blobs.path(blob.sha256), reference.kind, settings)
    return IngestedReference(blob=blob, picture=seen.picture, seconds=seen.seconds)


def _kind_of(path: Path) -> Kind:
    with path.open("rb") as file:
        media_type = media_type_of(file.read(HEAD_BYTES)) or ""
    if media_type in videos.DEMUXERS:
        with _readable():
            return Kind.VIDEO if videos.probe(path).codec else Kind.AUDIO
    if media_type.startswith("image/") or path.stat().st_size == 0:
        return Kind.IMAGE
    raise UnsupportedMediaType(f"A picture, a video or a sound is taken here; this is {media_type or 'none of them'}.")


@dataclass(frozen=True, slots=True)
class _Seen:
    media_type: str  # the true one
    picture: Picture | None = None
    seconds: float | None = None


def _judge(path: Path, kind: Kind, settings: Settings) -> _Seen:
    """What a file that should be of this kind is."""
    if kind is Kind.IMAGE:
        picture = images.look(path, pixels_max=settings.reference_pixels_max)
        return _Seen(picture.media_type, picture=picture)
    with _readable():
        found = videos.probe(path)
    if found.container in ("mp4", "mov") and (fault := videos.boxes(path).fault):
        raise ReferenceUnusable("reference_truncated", fault)
    if (kind is Kind.VIDEO and not found.codec) or (kind is Kind.AUDIO and not found.audio):
        message = f"The reference should be of the kind {kind}, but the file has no such track ({found.media_type})."
        raise ReferenceUnusable("reference_unsupported_format", message)
    return _Seen(found.media_type, seconds=found.duration)


@contextmanager
def _readable() -> Generator[None]:
    try:
        yield
    except videos.Unreadable as error:
        code = "unsupported_format" if error.code == "not_media" else error.code
        raise ReferenceUnusable(f"reference_{code}", str(error)) from error


@contextmanager
def pointing(pointer: str) -> Generator[None]:
    """Let an error name the reference's place in the request."""
    try:
        yield
    except ReferenceUnusable as error:
        raise ReferenceUnusable(error.code, error.message, pointer=pointer, retryable=error.retryable) from error


@asynccontextmanager
async def _scratch(blobs: BlobStore) -> AsyncGenerator[Path]:
    path = await anyio.to_thread.run_sync(blobs.scratch)
    try:
        yield path
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(path).unlink(missing_ok=True)
