"""Images with wrong headers or contents."""

import struct
import zlib


def png(width: int, height: int, data: bytes = b"", *, color_type: int = 2, depth: int = 8) -> bytes:
    """Build a PNG whose header can differ from its data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
