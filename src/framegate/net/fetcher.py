"""The only way out: every address checked where the connection is made, every transfer limited in bytes and time."""

import logging
import re
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import anyio
import httpcore2
import httpx2

from framegate.config.settings import Settings
from framegate.domain.errors import NotDelivered, ReferenceUnusable
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.media.sniff import looks_like_html
from framegate.net.resume import Mismatch, ResumableFile
from framegate.net.ssrf import blocked_address_reason, literal_address

for _library in ("httpx2", "httpcore2"):  # they log whole addresses, signatures included
    logging.getLogger(_library).setLevel(logging.WARNING)

URL_CHARS_MAX = 8192
CONNECT_SECONDS_MAX = 10.0
ADDRESSES_MAX = 8  # of one name, tried one after the other
CONNECTIONS_MAX = 100
HEAD_BYTES = 64 * 1024  # of an HTML page, read to tell a login page from any other
WRITE_BYTES = 256 * 1024
ACCEPT = "image/*, video/*;q=0.9, audio/*;q=0.9, */*;q=0.5"

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

LOGIN_PATH = re.compile(r"/(log-?in|sign-?in|sso|auth|oauth2?|accounts?/login|servicelogin)\b", re.IGNORECASE)
LOGIN_WORDS = re.compile(
    rb"type=[\"']?password|<title>[^<]{0,80}(log ?in|sign ?in)|please (log|sign) in", re.IGNORECASE
)


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver for every address of a name."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _unreachable(message: str, *, retryable: bool = True) -> ReferenceUnusable:
    return ReferenceUnusable("reference_unreachable", message, retryable=retryable)


class _Guard(httpcore2.AsyncNetworkBackend):
    """Resolves a name once, checks every address, and connects to one of those: nothing lies between check and use."""

    def __init__(self, resolve: Resolver, refusal: Callable[[str], str | None]) -> None:
        self._resolve = resolve
        self._refusal = refusal
        self._inner = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        literal = literal_address(host)
        if re.search(r"(^|\.)localhost\.?$", host, re.IGNORECASE):
            host = "localhost"  # so it is by RFC 6761, whatever a resolver makes of the dots
        try:
            addresses = [literal] if literal else await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise _unreachable(f"The name `{host}` cannot be resolved.") from error
        for address in addresses:
            self._check(host, address)
        if not addresses:
            raise _unreachable(f"The name `{host}` has no address.")
        return addresses[:ADDRESSES_MAX]

    def _check(self, host: str, address: str) -> None:
        if kind := self._refusal(address):
            raise ReferenceUnusable(
                "reference_private_address",
                f"`{host}` leads to {kind}. The gate goes to public addresses only, unless the operator sets "
                "`allow_private_addresses`.",
            )

    def judge(self, host: str) -> None:
        """What a host that is written as an address says by itself; a name says nothing before it is asked for."""
        if literal := literal_address(host):
            self._check(host, literal)

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
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise _unreachable(f"Nothing answers at `{host}`, port {port}.") from last


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        if close := getattr(self._stream, "aclose", None):
            await close()


class _Transport(httpx2.AsyncBaseTransport):
    """httpx2's own transport takes no network backend, so this one hands the guard to the pool beneath it."""

    def __init__(self, guard: _Guard, ssl_context: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=CONNECTIONS_MAX,
            keepalive_expiry=5.0,
            retries=0,
            network_backend=guard,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        if not isinstance(answer.stream, AsyncIterable):
            raise TypeError("The pool answered with a stream that is not async.")
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer.stream))

    async def aclose(self) -> None:
        await self._pool.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that was fetched; `media_type` is what the server called it, which proves nothing."""

    path: Path
    size_bytes: int
    media_type: str
    final_url: str
    sha256: str


class Fetcher:
    """One client for everything that leaves the gate; `async with` opens and closes it.

    No proxy or credential is taken from the environment, no cookie is kept, nothing is tried twice. Tests hand in
    their own resolver, address rule or TLS trust.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolver = resolve_name,
        refusal: Callable[[str], str | None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        machine: Machine = REAL_MACHINE,
    ) -> None:
        self._machine = machine
        self._settings = settings
        self._guard = guard = _Guard(resolve, refusal or self._address_refusal)
        self._client = httpx2.AsyncClient(
            transport=machine.http_transport(
                lambda: _Transport(guard, ssl_context or httpx2.create_ssl_context(trust_env=False))
            ),
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"user-agent": "framegate", "accept-encoding": "identity"},
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS_MAX),
        )

    def _address_refusal(self, address: str) -> str | None:
        return blocked_address_reason(address, private_allowed=self._settings.allow_private_addresses)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    def judge(self, url: str) -> None:
        """Refuse what no fetch could get, without asking anybody. Raises `ReferenceUnusable`."""
        self._guard.judge(_parse(url).host)

    async def fetch(
        self,
        url: str,
        into: Path,
        *,
        bytes_max: int,
        seconds_max: float,
        accept: str = ACCEPT,
        resume: bool = False,
    ) -> Fetched:
        """Stream what lies at `url` into the file `into`; `seconds_max` counts for all of it, redirects included.

        Raises `ReferenceUnusable`, and leaves no file then. With `resume` it leaves what can be gone on from, and the
        next fetch into the same place does so, if its server can and still has the same file.
        """
        target, partial = _parse(url), ResumableFile(into, kept=resume)
        try:
            with anyio.fail_after(seconds_max), _translated(target):
                return await self._follow(target, partial, bytes_max, accept)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self._machine.run_in_thread(partial.discard_unless_resumable)
            if not isinstance(error, TimeoutError):
                raise
            message = f"{shown(target)} took longer than {seconds_max:g} seconds."
            raise ReferenceUnusable("reference_too_slow", message, retryable=True) from error

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str], seconds_max: float) -> int:
        """Hand `body` to a receiver and say its answer's status; the answer's own body is not read.

        A redirect is an answer like any other: it is not followed. Raises `NotDelivered`, which says why.
        """
        try:
            target = _parse(url)
            if target.scheme != "https" and not self._settings.allow_private_addresses:
                raise NotDelivered(f"{shown(target)} is not an https:// address.")
            with anyio.fail_after(seconds_max), _translated(target):
                async with self._client.stream("POST", target, content=body, headers=dict(headers)) as response:
                    return response.status_code
        except TimeoutError as error:
            raise NotDelivered(f"No answer came within {seconds_max:g} seconds.") from error
        except ReferenceUnusable as error:
            raise NotDelivered(error.message) from error

    async def _follow(self, url: httpx2.URL, partial: ResumableFile, bytes_max: int, accept: str) -> Fetched:
        first = url
        headers = {"accept": accept, **await self._machine.run_in_thread(partial.request_headers)}
        for _ in range(self._settings.fetch_redirects_max + 1):
            async with self._client.stream("GET", url, headers=headers) as response:
                location = response.headers.get("location")
                if response.status_code not in (301, 302, 303, 307, 308) or not location:
                    return await _keep(response, partial, bytes_max, self._machine)
            url = _parse(location, base=url)
        raise ReferenceUnusable(
            "reference_too_many_redirects",
            f"{shown(first)} redirects more than {self._settings.fetch_redirects_max} times. Give the final address.",
        )


def _parse(text: str, *, base: httpx2.URL | None = None) -> httpx2.URL:
    """Read an address, relative to `base` for a redirect. Raises `ReferenceUnusable` unless it may be asked for."""

    def bad(rule: str) -> ReferenceUnusable:
        return ReferenceUnusable("reference_bad_url", f"{rule} The address began `{text[:80]}`.")

    if len(text) > URL_CHARS_MAX:
        raise bad(f"An address has at most {URL_CHARS_MAX:,} characters, this one {len(text):,}.")
    try:
        url = base.join(text) if base else httpx2.URL(text)
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise bad("That is not a web address.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise bad("A reference is fetched by http:// or https:// only, from a named host.")
    if not re.fullmatch(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}", url.raw_host.decode("ascii")):
        raise bad("The host holds characters that no host has.")
    if url.port is not None and not 0 < url.port < 65536:
        raise bad("A port lies between 1 and 65,535.")
    if url.userinfo:
        raise ReferenceUnusable("reference_bad_url", "An address may not carry a user name or a password.")
    return url.copy_with(fragment=None)


def shown(url: httpx2.URL) -> str:
    """An address as it may be told and logged: without its query, which often holds a signature."""
    return str(url.copy_with(query=None, fragment=None))[:200]


@contextmanager
def _translated(url: httpx2.URL) -> Generator[None]:
    """Turn what the HTTP library raises into the reference's own errors."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise _unreachable(f"{shown(url)} did not answer in time.") from error
    except httpcore2.ConnectError as error:
        why = " Its certificate is not trusted." if "certificate" in str(error).lower() else ""
        raise _unreachable(f"No secure connection to {shown(url)} could be made.{why}", retryable=not why) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
        raise _unreachable(f"{shown(url)} broke off or did not speak HTTP.") from error


def _check_status(response: httpx2.Response) -> None:
    status, where = response.status_code, shown(response.url)
    if status == 200:
        return
    if status in (401, 407):
        raise ReferenceUnusable("reference_login_wall", f"{where} asks for a login ({status}). Use a public address.")
    if status == 403:
        message = f"{where} refuses to be fetched (403). Use an address that needs no session, or upload the file."
        raise ReferenceUnusable("reference_forbidden", message)
    if status in (404, 410):
        raise ReferenceUnusable("reference_not_found", f"There is nothing at {where} ({status}).")
    if status == 204:
        raise ReferenceUnusable("reference_is_empty", f"{where} answers without content (204).")
    raise _unreachable(f"{where} answered {status}.", retryable=status >= 500 or status in (408, 425, 429))


def _check_not_html(response: httpx2.Response, head: bytes) -> None:
    declared = response.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))
    if not looks_like_html(head) and not (declared and b"\0" not in head):
        return
    where = shown(response.url)
    if LOGIN_WORDS.search(head) or LOGIN_PATH.search(response.url.path):
        message = f"{where} is a login page. Use an address that needs no session, or upload the file."
        raise ReferenceUnusable("reference_login_wall", message)
    message = f"{where} is a web page, not a file. Use the address of the picture itself."
    raise ReferenceUnusable("reference_is_html", message)


async def _keep(response: httpx2.Response, partial: ResumableFile, bytes_max: int, machine: Machine) -> Fetched:
    url = response.url
    if not (partial.size and response.status_code in (206, 416)):
        _check_status(response)
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise _unreachable(f"{shown(url)} sends its file packed ({encoding}).", retryable=False)
    try:
        await machine.run_in_thread(partial.open, response.status_code, response.headers)
        await _write(response, partial, bytes_max, machine)
    except Mismatch as error:
        message = f"{shown(url)} has another file by now, or does not go on where it broke off."
        raise ReferenceUnusable("reference_truncated", message, retryable=True) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        message = f"{shown(url)} broke off after {partial.size:,} bytes."
        raise ReferenceUnusable("reference_truncated", message, retryable=True) from error
    finally:
        partial.close()
    if not partial.is_complete:
        message = f"{shown(url)} ended after {partial.size:,} of {partial.total:,} bytes."
        raise ReferenceUnusable("reference_truncated", message, retryable=True)
    if not partial.size:
        raise ReferenceUnusable("reference_is_empty", f"The file at {shown(url)} is empty.")
    return Fetched(
        path=partial.path,
        size_bytes=partial.size,
        media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        final_url=str(url),
        sha256=partial.sha256,
    )


async def _write(response: httpx2.Response, partial: ResumableFile, bytes_max: int, machine: Machine) -> None:
    """Write a body behind what is here; one that is too large is not begun, or not gone on with."""
    _check_size(partial.total or 0, bytes_max, response.url)
    async for part in _parts(response):
        if not partial.size:
            _check_not_html(response, part)
        _check_size(partial.size + len(part), bytes_max, response.url)
        await machine.run_in_thread(partial.write, part)


def _check_size(size: int, bytes_max: int, url: httpx2.URL) -> None:
    if size > bytes_max:
        message = f"The file at {shown(url)} is larger than {bytes_max:,} bytes, the most that is fetched."
        raise ReferenceUnusable("reference_too_large", message)


async def _parts(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a write; the first is large enough to tell what it is."""
    buffer = bytearray()
    wanted = HEAD_BYTES
    try:
        async for part in response.aiter_raw():
            buffer += part
            if len(buffer) >= wanted:
                yield bytes(buffer)
                buffer.clear()
                wanted = WRITE_BYTES
    except (httpcore2.NetworkError, httpcore2.ProtocolError):
        if buffer:  # what has come may be gone on from
            yield bytes(buffer)
        raise
    if buffer:
        yield bytes(buffer)
