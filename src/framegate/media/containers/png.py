"""PNG chunks (ISO/IEC 15948): the picture without metadata, and whether its pixel data is complete."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PROFILE_BYTES_MAX = 16 * 2**20  # of a color profile, decompressed
EXIF_BYTES_MAX = 2**20
FEED_BYTES = 2**16
PIECE_BYTES = 2**20
_CRITICAL = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"))
_COLOR = frozenset((b"cHRM", b"gAMA", b"sRGB"))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7


class Damaged(ValueError):
    """The pixel data is incomplete or invalid."""


@dataclass(frozen=True, slots=True)
class CleanPng:
    """The first picture of a file with its transparency, colors and orientation, and nothing else."""

    data: bytes
    frames: int  # as an animation states it, of which only the first is in `data`


def clean(data: bytes) -> CleanPng:
    """Copy the chunks of the first picture. Metadata that is too large or broken is left out."""
    pieces, exif, frames, has_profile = [SIGNATURE], b"", 1, False
    for kind, body, chunk in _chunks(data):
        if kind == b"acTL" and len(body) == 8:
            frames = int.from_bytes(body[:4], "big") or 1
        is_profile = kind == b"iCCP" and not has_profile and _is_intact(chunk) and _is_profile(body)
        is_exif = kind == b"eXIf" and len(body) <= EXIF_BYTES_MAX and _is_intact(chunk)
        if is_exif:
            exif = chunk
        elif kind in _CRITICAL or is_profile or (kind in _COLOR and _is_intact(chunk)):
            pieces.append(chunk)
            has_profile = has_profile or is_profile
        if kind == b"IEND":
            break
    pieces.insert(2, exif)  # behind the header, since it may follow the pixels
    return CleanPng(b"".join(pieces), frames)


def check_pixels(data: bytes) -> None:
    """Decompress the pixel data piece by piece, to its end. Raises `Damaged`."""
    inflate = zlib.decompressobj()
    checker: _RowChecker | None = None
    for kind, body, _ in _chunks(data):
        if kind == b"IHDR" and checker is None:
            checker = _RowChecker(_row_groups(body))
        if kind != b"IDAT" or checker is None:
            continue
        for start in range(0, len(body), FEED_BYTES):
            pending = body[start : start + FEED_BYTES]
            while pending and not checker.is_complete:
                checker.add(_inflated(inflate.decompress, pending))
                pending = inflate.unconsumed_tail
    if checker is None or not checker.is_complete:
        raise Damaged("the pixel data ends early")


def _inflated(decompress: Callable[[bytes, int], bytes], data: bytes) -> bytes:
    try:
        return decompress(data, PIECE_BYTES)
    except zlib.error as error:
        raise Damaged(str(error)) from error


class _RowChecker:
    """Counts rows, and checks the filter type that each begins with."""

    def __init__(self, groups: list[tuple[int, int]]) -> None:
        self._groups = groups  # row length in bytes, number of rows
        self._position = 0  # within the current group

    @property
    def is_complete(self) -> bool:
        return not self._groups

    def add(self, piece: bytes) -> None:
        start = 0
        while start < len(piece) and self._groups:
            row_bytes, rows = self._groups[0]
            left = row_bytes * rows - self._position
            part = piece[start : start + left]
            filters = part[-self._position % row_bytes :: row_bytes]
            if filters and max(filters) > 4:
                raise Damaged("unknown filter type")
            self._position += len(part)
            start += len(part)
            if self._position == row_bytes * rows:
                self._groups.pop(0)
                self._position = 0


def _row_groups(header: bytes) -> list[tuple[int, int]]:
    """Return row lengths and numbers of rows: one group, or one for each pass of an interlaced picture."""
    try:
        width, height, depth, color_type, _, _, interlace = struct.unpack(">IIBBBBB", header[:13])
        bits = depth * _CHANNELS[color_type]
    except (struct.error, KeyError) as error:
        raise Damaged("invalid header") from error
    sizes = [(width, height)]
    if interlace:
        sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in _PASSES]
    return [(1 + (columns * bits + 7) // 8, rows) for columns, rows in sizes if columns > 0 and rows > 0]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield type, body and whole chunk; the body of the last can be cut off."""
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 8], data[position + 8 : min(end - 4, len(data))], data[position:end]
        position = end


def _is_intact(chunk: bytes) -> bool:
    return len(chunk) >= 12 and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _is_profile(body: bytes) -> bool:
    """Whether the compressed color profile can be read and has a reasonable size."""
    _, separator, rest = body.partition(b"\0")
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], PROFILE_BYTES_MAX)
    except zlib.error:
        return False
    return bool(separator and profile) and inflate.eof
