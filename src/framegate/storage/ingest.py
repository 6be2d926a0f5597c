"""Ingest of references and uploads: fetch or decode, inspect, and store as blobs."""

import base64
import binascii
import logging
import re
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio

from framegate.config.settings import Settings
from framegate.domain import Adjustment, Blob, Kind, PreparedReference, Reference
from framegate.domain.errors import ReferenceUnusable, TooLarge, UnsupportedMediaType
from framegate.media import calls
from framegate.media.decoder import Budget, Decoder, DecoderFault, FileLimitExceeded
from framegate.media.file_info import FileInfo, FitLimits, ImageInfo
from framegate.storage.blobs import BlobStore

DATA_HEADER_CHARS_MAX = 256
_log = logging.getLogger(__name__)
INVALID_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
ASSET_URL = re.compile(r"asset://([0-9a-f]{64})")


class Fetched(Protocol):
    """A fetched file; implemented by `framegate.net.fetcher.Fetched`."""

    @property
    def path(self) -> Path: ...


class Fetcher(Protocol):
    """HTTP client for URLs of clients; implemented by `framegate.net.fetcher.Fetcher`."""

    async def fetch(self, url: str, into: Path, *, bytes_max: int, seconds_max: float) -> Fetched:
        """Download a URL into the file `into`. Raises `ReferenceUnusable`."""
        ...


FindAsset = Callable[[str], Awaitable[Blob | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedReference:
    """A stored reference that was inspected: an image has `image`, a video or audio file has `seconds`."""

    blob: Blob
    image: ImageInfo | None
    seconds: float | None = None


async def ingest_reference(
    reference: Reference,
    *,
    index: int,
    fetcher: Fetcher,
    blobs: BlobStore,
    decoder: Decoder,
    settings: Settings,
    find_asset: FindAsset,
) -> IngestedReference:
    """Fetch a reference or read its data URL or asset, inspect it, and store it with its detected media type.

    `find_asset` returns the asset with a hash if the client owns it. Raises `ReferenceUnusable`, with the reference's
    place in the request.
    """
    bytes_max = settings.reference_bytes_max if reference.kind is Kind.IMAGE else settings.video_bytes_max
    with locate_errors(reference.pointer or f"/references/{index}"):
        scheme = reference.url[:16].partition(":")[0].lower()
        if scheme == "asset":
            return await _ingest_asset(reference, blobs, decoder, settings, find_asset)
        async with _scratch_file(blobs) as path:
            if scheme == "data":
                data = await blobs.machine.run_in_thread(read_data_url, reference.url, bytes_max)
                await blobs.machine.run_in_thread(path.write_bytes, data)
            else:
                seconds = settings.fetch_timeout_seconds
                await fetcher.fetch(reference.url, path, bytes_max=bytes_max, seconds_max=seconds)
            info = await _inspect(path, reference.kind, decoder, settings)
            blob = await blobs.add_file(path, info.media_type, move=True)
            return IngestedReference(blob=blob, image=info.image, seconds=info.seconds)


async def ingest_upload(
    stream: AsyncIterator[bytes],
    media_type: str | None = None,
    *,
    blobs: BlobStore,
    decoder: Decoder,
    settings: Settings,
) -> Blob:
    """Store an uploaded image, video or audio file with its detected media type.

    Raises `TooLarge`, `UnsupportedMediaType` for other files and for a wrong `media_type`, and `ReferenceUnusable` for
    a file that cannot be decoded.
    """
    async with _scratch_file(blobs) as path:
        size, _ = await blobs.write_stream(stream, path, bytes_max=settings.video_bytes_max)
        with locate_errors(""):
            kind = await decoder.run(calls.detect_kind, path)
            declared_kind = (media_type or "").partition("/")[0].lower()
            if declared_kind in tuple(Kind) and declared_kind != kind:
                raise UnsupportedMediaType(f"The declared type is {media_type}, but the file is of kind {kind}.")
            if kind is Kind.IMAGE and size > settings.reference_bytes_max:
                raise TooLarge(f"The image has {size:,} bytes; the maximum is {settings.reference_bytes_max:,}.")
            info = await _inspect(path, kind, decoder, settings)
        return await blobs.add_file(path, info.media_type, move=True)


async def prepare_reference(
    ingested: IngestedReference,
    reference: Reference,
    index: int,
    blobs: BlobStore,
    limits: FitLimits,
    *,
    decoder: Decoder,
    keep: bool = True,
) -> tuple[PreparedReference, list[Adjustment]]:
    """Fit a reference to the limits of a model, store the copy, and list the adjustments.

    An image becomes upright and fits the limits; a video or audio file is not changed. With `keep` False, a changed
    copy is only measured and has no file. Raises `ReferenceUnusable`.
    """
    path = blobs.path(ingested.blob.sha256)
    if ingested.image is None:
        return PreparedReference(reference=reference, blob=ingested.blob, path=str(path)), []
    image = ingested.image
    with locate_errors(reference.pointer or f"/references/{index}"):
        budget = Budget(pixels=image.width * image.height)
        fitted = await decoder.run(calls.fit_image, path, image, limits, index, budget=budget)
    if fitted.data is None:
        blob = ingested.blob
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
    """Decode a data URL (RFC 2397) strictly; the size limit is checked before decoding.

    Raises `ReferenceUnusable`.
    """
    header, comma, body = url.partition(",")
    parameters = header[:DATA_HEADER_CHARS_MAX].lower().split(";")
    if not comma or len(header) > DATA_HEADER_CHARS_MAX or not parameters[0].startswith("data:"):
        raise _bad_data_url("Write data:image/png;base64,… with one comma before the data.")
    if not body.isascii():
        raise _bad_data_url("Its data contains characters outside ASCII.")
    if INVALID_ESCAPE.search(body):
        raise _bad_data_url("A % is not followed by two hexadecimal digits.")
    is_base64 = parameters[-1].strip() == "base64"
    size = len(body) - 2 * body.count("%")
    if (size * 3 // 4 - 2 if is_base64 else size) > bytes_max:
        message = f"The data URL contains more than {bytes_max:,} bytes, the maximum. Upload the file instead."
        raise ReferenceUnusable("reference_too_large", message)
    data = urllib.parse.unquote_to_bytes(body) if "%" in body or not is_base64 else body.encode()
    if is_base64:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise _bad_data_url(f"Its base64 is invalid ({error}).") from error
    return data


def _bad_data_url(reason: str) -> ReferenceUnusable:
    return ReferenceUnusable("reference_bad_data_url", f"Invalid data URL. {reason}")


async def _ingest_asset(
    reference: Reference, blobs: BlobStore, decoder: Decoder, settings: Settings, find_asset: FindAsset
) -> IngestedReference:
    match = ASSET_URL.fullmatch(reference.url)
    blob = await find_asset(match[1]) if match else None
    if blob is None or not await blobs.machine.run_in_thread(blobs.has, blob.sha256):
        message = f"Asset not found: {reference.url[:80]}. Upload the file again and use the returned asset URL."
        raise ReferenceUnusable("reference_unknown_asset", message)
    info = await _inspect(blobs.path(blob.sha256), reference.kind, decoder, settings)
    return IngestedReference(blob=blob, image=info.image, seconds=info.seconds)


async def _inspect(path: Path, kind: Kind, decoder: Decoder, settings: Settings) -> FileInfo:
    """Inspect a file that should be of the given kind. Raises `ReferenceUnusable`."""
    if kind is not Kind.IMAGE:
        return await decoder.run(calls.inspect_media, path, kind)
    pixels_max = settings.reference_pixels_max
    pixels = await decoder.run(calls.decoded_pixels, path, pixels_max)
    return await decoder.run(calls.inspect_image, path, pixels_max, budget=Budget(pixels=pixels))


@contextmanager
def locate_errors(pointer: str) -> Generator[None]:
    """Add the reference's place in the request to a `ReferenceUnusable`, and report a file that breaks a decoder."""
    try:
        yield
    except FileLimitExceeded as error:
        raise ReferenceUnusable(
            "reference_too_complex", f"{error.message} Send a simpler file.", pointer=pointer
        ) from error
    except DecoderFault as error:
        _log.warning("A reference could not be inspected. %s", error)
        message = "The file is damaged: it cannot be decoded. Send the complete file."
        raise ReferenceUnusable("reference_truncated", message, pointer=pointer) from error
    except ReferenceUnusable as error:
        raise ReferenceUnusable(error.code, error.message, pointer=pointer, retryable=error.retryable) from error


@asynccontextmanager
async def _scratch_file(blobs: BlobStore) -> AsyncGenerator[Path]:
    path = await blobs.machine.run_in_thread(blobs.scratch)
    try:
        yield path
    finally:
        with anyio.CancelScope(shield=True):
            await blobs.machine.run_in_thread(lambda: path.unlink(missing_ok=True))
