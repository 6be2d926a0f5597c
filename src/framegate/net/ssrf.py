"""SSRF protection: the rule for addresses that clients may name, and the HTTP transport that enforces it.

The transport resolves a name once, checks every address, and connects to one of the addresses that it checked.
"""

import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import cast
from urllib.parse import urlsplit

import anyio
import httpcore2
import httpx2

from framegate.domain.errors import ReferenceUnusable

# Cloud metadata services hand out credentials; blocked even if private addresses are allowed.
METADATA = frozenset({"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"})
PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1", "fc00::/7")
)
NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
LOCALHOST = re.compile(r"(^|\.)localhost\.?$", re.IGNORECASE)  # RFC 6761
ADDRESSES_MAX = 8  # of one name, tried one after the other
CONNECTIONS_MAX = 100
KEEPALIVE_SECONDS = 5.0

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
AddressRule = Callable[[str], str | None]  # the reason why an address is blocked; None if it is allowed


def embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside an IPv6 address: mapped, compatible, 6to4, Teredo or NAT64 (RFC 6052)."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in network for network in (*NAT64, IPV4_COMPATIBLE)):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def blocked_address_reason(address: str, *, private_allowed: bool = False) -> str | None:
    """What kind of address this is, if it is blocked; None if it is allowed.

    `private_allowed` allows private and loopback addresses. Link-local, metadata, multicast, reserved and translated
    addresses are always blocked.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if str(ip) in METADATA:
        return "a cloud metadata address"
    if isinstance(ip, ipaddress.IPv6Address) and ip != ipaddress.IPv6Address("::1") and (inner := embedded_ipv4(ip)):
        return f"an IPv6 form of the IPv4 address {inner}"
    if any(ip in network for network in PRIVATE if network.version == ip.version):
        return None if private_allowed else "a loopback address" if ip.is_loopback else "a private address"
    if ip.is_link_local:
        return "a link-local address"
    if ip.is_multicast:
        return "a multicast address"
    site_local = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return None if ip.is_global and not site_local else "a reserved address"


def literal_address(host: str) -> str | None:
    """The address if the host is written as one; None for a name.

    Raises `ReferenceUnusable` for spellings that only some resolvers read as an address (decimal, octal, hex or
    shortened IPv4), because two readers may disagree on the address.
    """
    bare = host.strip("[]").rstrip(".")
    try:
        return str(ipaddress.ip_address(bare.partition("%")[0]))
    except ValueError:
        pass
    if not re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", bare.rpartition(".")[2], re.IGNORECASE):
        return None
    try:
        address = str(ipaddress.IPv4Address(socket.inet_aton(bare)))
    except (OSError, UnicodeError):
        address = ""
    if address and (kind := blocked_address_reason(address)):
        raise ReferenceUnusable("reference_private_address", f"The host `{host}` is {kind} in an unusual notation.")
    raise ReferenceUnusable(
        "reference_bad_url", f"Invalid host: `{host}`. Write an IPv4 address in the form 203.0.113.7."
    )


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver for every address of a name."""
    entries = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


async def is_local_name(url: str, resolve: Resolver | None = None) -> bool:
    """Whether the host of a URL is a name in the public DNS that resolves to an address of this machine or network."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    try:
        if "." not in host or host.endswith(".localhost") or literal_address(host):
            return False
        addresses = await (resolve or resolve_name)(host, parts.port or 443)
    except (OSError, UnicodeError, ReferenceUnusable):
        return False
    return any(blocked_address_reason(address) for address in addresses)


def check_host(host: str, blocked_reason: AddressRule) -> None:
    """Check a host that is written as an address, or is `localhost`. Raises `ReferenceUnusable`."""
    if literal := "127.0.0.1" if LOCALHOST.search(host) else literal_address(host):
        _check_address(host, literal, blocked_reason)


def _check_address(host: str, address: str, blocked_reason: AddressRule) -> None:
    if kind := blocked_reason(address):
        raise ReferenceUnusable(
            "reference_private_address",
            f"`{host}` points to {kind}. Only public addresses are allowed, unless the operator sets "
            "`allow_private_addresses`.",
        )


def unreachable(message: str, *, retryable: bool = True) -> ReferenceUnusable:
    """The error for a host that cannot be connected to, or a response that cannot be used."""
    return ReferenceUnusable("reference_unreachable", message, retryable=retryable)


class AddressGuard(httpcore2.AsyncNetworkBackend):
    """Network backend that only connects to addresses that the rule allows.

    A name is resolved once, so no other address can be used than the one that was checked.
    """

    def __init__(self, resolve: Resolver, blocked_reason: AddressRule) -> None:
        self._resolve = resolve
        self._blocked_reason = blocked_reason
        self._backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    def check_host(self, host: str) -> None:
        """Check a host that is written as an address. A name passes: it is checked once it is resolved."""
        check_host(host, self._blocked_reason)

    def _check(self, host: str, address: str) -> None:
        _check_address(host, address, self._blocked_reason)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        literal = literal_address(host)
        if LOCALHOST.search(host):
            host = "localhost"  # RFC 6761; some resolvers treat the dots differently
        try:
            addresses = [literal] if literal else await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise unreachable(f"Host name not found: `{host}`.") from error
        for address in addresses:
            self._check(host, address)
        if not addresses:
            raise unreachable(f"The host name `{host}` has no address.")
        return addresses[:ADDRESSES_MAX]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        last: Exception | None = None
        for address in await self._addresses(host, port):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise unreachable(f"Connection failed: `{host}`, port {port}.") from last


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        if close := getattr(self._stream, "aclose", None):
            await close()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """HTTP transport over an `AddressGuard`: httpx2's own transport does not accept a network backend."""

    def __init__(self, guard: AddressGuard, ssl_context: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEPALIVE_SECONDS,
            retries=0,
            network_backend=guard,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        response = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        if not isinstance(response.stream, AsyncIterable):
            raise TypeError("the connection pool returned a stream that is not async")
        return httpx2.Response(response.status, headers=response.headers, stream=_Body(response.stream))

    async def aclose(self) -> None:
        await self._pool.aclose()
