"""Pictures that go wrong."""

import struct
import zlib


def png(width: int, height: int, data: bytes = b"", *, colour: int = 2, depth: int = 8) -> bytes:
    """A PNG by hand, whose header need not tell the truth."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
