"""HTTP transport that repairs the head of a response before the strict HTTP parser reads it.

An order that a service accepted is paid for, whatever its server sends around the answer: a header that is too long or
contains NUL, two lengths that differ, a status line without a reason.
"""

import re
import ssl
from collections.abc import Iterable
from typing import cast

import httpcore2
import httpx2

HEAD_BYTES_MAX = 4 * 2**20  # a longer head is not repaired
HEADER_BYTES_MAX = 8 * 2**10  # a longer header is dropped
HEADERS_BYTES_MAX = 64 * 2**10  # all headers together; the others are dropped
KEEPALIVE_SECONDS = 5.0
CONNECTIONS_MAX = 100

_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"\s*(HTTP/1\.[01]|HTTP/\S*)\s+(\d{3})(?!\d)")
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = (b"content-length", b"transfer-encoding")


def repaired_head(head: bytes) -> bytes:
    """The head of a response as a strict parser accepts it; anything but HTTP is unchanged."""
    first, *lines = head.replace(b"\r\n", b"\n").split(b"\n")
    status = _STATUS_LINE.match(first)
    if status is None:
        return head
    version = status[1] if status[1] in (b"HTTP/1.0", b"HTTP/1.1") else b"HTTP/1.1"
    lengths: set[bytes] = set()
    is_chunked, kept, size = False, [b"%s %s " % (version, status[2])], 0
    for line in lines:
        raw_name, _, raw_value = line.partition(b":")
        name, value = raw_name.strip(), raw_value.strip()
        if name.lower() == b"content-length":
            lengths.add(value)
        elif name.lower() == b"transfer-encoding":
            is_chunked = is_chunked or b"chunked" in value.lower()
        elif size + len(line) <= HEADERS_BYTES_MAX and _is_valid(name, value):
            kept.append(b"%s: %s" % (name, value))
            size += len(line)
    if is_chunked:
        kept.append(b"transfer-encoding: chunked")
    elif len(lengths) == 1 and re.fullmatch(rb"\d{1,18}", length := lengths.pop()):
        kept.append(b"content-length: " + length)
    return b"\r\n".join([*kept, b"", b""])


def _is_valid(name: bytes, value: bytes) -> bool:
    is_short = len(name) + len(value) <= HEADER_BYTES_MAX
    return is_short and _NAME.fullmatch(name) is not None and _FORBIDDEN.search(value) is None


class _RepairedStream(httpcore2.AsyncNetworkStream):
    """A connection on which the head of each response is repaired. A request begins the next response."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._expects_head = True
        self._received = b""  # and not yet returned

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore2's signature
        if not self._expects_head:
            if self._received:
                received, self._received = self._received, b""
                return received
            return await self._stream.read(max_bytes, timeout)
        head = bytearray(self._received)
        while (end := _HEAD_END.search(head)) is None:
            data = await self._stream.read(max_bytes, timeout)
            head += data
            if not data or len(head) > HEAD_BYTES_MAX:
                self._expects_head, self._received = False, b""
                return bytes(head)
        whole, self._received = bytes(head[: end.end()]), bytes(head[end.end() :])
        repaired = repaired_head(whole)
        self._expects_head = re.match(rb"HTTP/1\.. 1", repaired) is not None and b" 101 " not in repaired[:16]
        return repaired

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._expects_head = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        return _RepairedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _RepairingBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _RepairedStream(stream)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class LenientTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport over connections whose response heads are repaired."""

    def __init__(self, ssl_context: ssl.SSLContext, *, keepalive_connections_max: int | None = None) -> None:
        super().__init__(verify=ssl_context)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=keepalive_connections_max,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=_RepairingBackend(),
        )
