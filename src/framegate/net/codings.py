"""Content codings of downloaded files: what a server names beside a file that is whole is no reason to give it up.

Facts: RFC 9110, section 8.4 (Content-Encoding), RFC 1950 to 1952 (zlib, deflate, gzip).
"""

import zlib
from pathlib import Path

from framegate.media.sniff import HEAD_BYTES, media_type_of

CHUNK_BYTES = 2**20
ZLIB_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
OTHER_CODINGS = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})  # real ones that are not supported
DEFLATE_BYTES_MIN = 8  # of a deflated file; a shorter start tells nothing
UNPACKED_SUFFIX = ".unpacked"


class Unpackable(Exception):
    """The file has a content coding that is damaged, too large or not supported; `retryable` if a repeat may help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)


def codings_of(header: str) -> list[str]:
    """Return the content codings in a `Content-Encoding`, last applied first.

    An empty value, `identity`, `aws-chunked` and words that name no coding (`none`, `utf-8`) mean that there is none.
    """
    words = [word.strip().lower() for word in header.split(",")]
    return [word for word in reversed(words) if word in ZLIB_CODINGS | OTHER_CODINGS]


def unpack(path: Path, header: str, *, bytes_max: int) -> Path | None:
    """Return a new file without the codings, beside the file; None if the file needs no change.

    A file that does not have the coding that its server names is taken as it is. Raises `Unpackable`.
    """
    result: Path | None = None
    for number, coding in enumerate(codings_of(header)):
        source = result or path
        target = path.with_name(f"{path.name}{UNPACKED_SUFFIX}{number % 2}")
        try:
            has_changed = _unpack_one(source, target, coding, bytes_max)
        except BaseException:
            target.unlink(missing_ok=True)
            if result is not None:
                result.unlink(missing_ok=True)
            raise
        if has_changed:
            if result is not None:
                result.unlink()
            result = target
    return result


def _unpack_one(source: Path, target: Path, coding: str, bytes_max: int) -> bool:
    with source.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if (media_type_of(head) or "").startswith(("image/", "video/", "audio/")):
        return False
    if coding in OTHER_CODINGS:
        raise Unpackable(f"its content encoding `{coding}` is not supported")
    window_bits = _window_bits(head, coding)
    if window_bits is None:
        return False
    _inflate(source, target, window_bits, bytes_max)
    return True


def _window_bits(head: bytes, coding: str) -> int | None:
    """Return how zlib reads a stream that starts so; None if it has no compression."""
    if head[:2] == b"\x1f\x8b":
        return zlib.MAX_WBITS | 16
    if coding != "deflate" or len(head) < DEFLATE_BYTES_MIN:
        return None
    for window_bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):  # with zlib's header; without one, as some servers send
        try:
            zlib.decompressobj(window_bits).decompress(head)
        except zlib.error:
            continue
        return window_bits
    return None


def _inflate(source: Path, target: Path, window_bits: int, bytes_max: int) -> None:
    """Write a stream, or several in a row, without compression."""
    stream, size = zlib.decompressobj(window_bits), 0
    with source.open("rb") as read, target.open("wb") as write:
        data = read.read(CHUNK_BYTES)
        while data:
            try:
                plain = stream.decompress(data, CHUNK_BYTES)
            except zlib.error as error:
                raise Unpackable("its compressed content is damaged", retryable=True) from error
            size += len(plain)
            if size > bytes_max:
                raise Unpackable(f"it exceeds the limit of {bytes_max:,} bytes once it is decompressed")
            write.write(plain)
            data = stream.unconsumed_tail
            if stream.eof:
                data, stream = stream.unused_data, zlib.decompressobj(window_bits)
                if not data and not (data := read.read(CHUNK_BYTES)):
                    return
            elif not data:
                data = read.read(CHUNK_BYTES)
    raise Unpackable("its compressed content is truncated", retryable=True)
