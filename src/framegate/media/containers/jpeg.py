"""JPEG markers (ITU-T T.81, annex B): the scans of a picture, and the picture without foreign data."""

import re
from dataclasses import dataclass

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # not stuffing, filling or a restart
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_KEPT_APPLICATION_DATA = {  # by marker: the start of the payloads that decide how the picture looks
    0xE0: b"JFIF\0",
    0xE1: b"Exif\0",
    0xE2: b"ICC_PROFILE\0",
    0xEE: b"Adobe",
}
_DROPPED = frozenset((*range(0xE0, 0xF0), 0xFE))  # application data and comments


@dataclass(frozen=True, slots=True)
class CleanJpeg:
    """A picture up to its end, without comments, unknown application data and whatever follows the end."""

    data: bytes
    scan_count: int


def clean(data: bytes) -> CleanJpeg:
    """Copy the picture marker by marker up to its EOI. A damaged picture is copied up to the damage."""
    pieces = [data[:2]]
    position, scan_count = 2, 0
    while (found := _MARKER.search(data, position)) is not None:
        marker, start = data[found.start() + 1], found.start()
        if marker == EOI:
            pieces.append(b"\xff\xd9")
            break
        if marker in _WITHOUT_LENGTH:
            position = found.end()
            continue
        end = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        if end < found.end() + 2 or end > len(data):
            break
        if marker == SOS:
            scan_count += 1
            after_scan = _MARKER.search(data, end)
            end = after_scan.start() if after_scan else len(data)
        if _is_kept(marker, data[found.end() + 2 : found.end() + 16]):
            pieces.append(data[start:end])
        position = end
    return CleanJpeg(b"".join(pieces), scan_count)


def _is_kept(marker: int, payload: bytes) -> bool:
    start = _KEPT_APPLICATION_DATA.get(marker)
    return marker not in _DROPPED if start is None else payload.startswith(start)
