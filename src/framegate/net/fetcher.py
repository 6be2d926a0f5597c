"""Downloads from clients' URLs, and webhooks to them: through the SSRF guard, within limits of bytes and time."""

import base64
import logging
import re
import ssl
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import httpcore2
import httpx2

from framegate.config.settings import Settings, is_loopback
from framegate.domain.errors import NotDelivered, ReferenceUnusable
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.media.sniff import looks_like_html
from framegate.net.codings import Unpackable, codings_of
from framegate.net.minimum_rate import MinimumRate, TooSlow
from framegate.net.resume import Mismatch, ResumableFile
from framegate.net.ssrf import (
    AddressGuard,
    AddressRule,
    GuardedTransport,
    Resolver,
    blocked_address_reason,
    check_host,
    resolve_name,
    unreachable,
)
from framegate.net.tls import certificate_problem, trusted_certificates
from framegate.net.user_agent import user_agent

for _library in ("httpx2", "httpcore2"):  # they log whole URLs, signatures included
    logging.getLogger(_library).setLevel(logging.WARNING)

URL_CHARS_MAX = 8192
CONNECT_SECONDS_MAX = 10.0
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
FIRST_CHUNK_BYTES_MIN = 64 * 1024  # enough of an HTML page to recognise a login page
CHUNK_BYTES_MIN = 256 * 1024
ACCEPT = "image/*, video/*;q=0.9, audio/*;q=0.9, */*;q=0.5"

LOGIN_PATH = re.compile(r"/(log-?in|sign-?in|sso|auth|oauth2?|accounts?/login|servicelogin)\b", re.IGNORECASE)
LOGIN_WORDS = re.compile(
    rb"type=[\"']?password|<title>[^<]{0,80}(log ?in|sign ?in)|please (log|sign) in", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A downloaded file. `media_type` is the server's claim and not verified."""

    path: Path
    size_bytes: int
    media_type: str
    final_url: str
    sha256: str


class Fetcher:
    """HTTP client for URLs of clients, opened and closed by `async with`.

    It takes no proxy and no credentials from the environment, keeps no cookies and never retries. Tests replace the
    resolver, the address rule or the TLS context.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolver = resolve_name,
        blocked_reason: AddressRule | None = None,
        ssl_context: ssl.SSLContext | None = None,
        machine: Machine = REAL_MACHINE,
    ) -> None:
        self._machine = machine
        self._settings = settings
        self._rule = blocked_reason or address_rule(settings)
        self._guard = guard = AddressGuard(resolve, self._rule)
        certificates = ssl_context or trusted_certificates(settings.ca_bundle)
        self._client, self._download_client = [
            httpx2.AsyncClient(
                transport=machine.http_transport(lambda: GuardedTransport(guard, certificates)),
                trust_env=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                headers={"user-agent": user_agent(settings), "accept-encoding": "identity"},
                timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS_MAX),
            )
            for _ in range(2)  # references and webhooks never wait for downloads of finished files
        ]

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        await self._download_client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._download_client.__aexit__(kind, error, trace)
        await self._client.__aexit__(kind, error, trace)

    def check_url(self, url: str) -> None:
        """Reject a URL that no download can succeed for, without a network access. Raises `ReferenceUnusable`."""
        self._guard.check_host(_parse(url).host)

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
        """Download a URL to the file `into`; `seconds_max` covers everything, redirects included.

        Raises `ReferenceUnusable` and leaves no file. With `resume`, an interrupted download keeps its part of the
        file, and the next download to the same path continues there if the server still has the same file. Such
        downloads have connections of their own.
        """
        target, file = _parse(url), ResumableFile(into, resumable=resume)
        try:
            with anyio.fail_after(seconds_max), _as_reference_errors(target):
                return await self._follow(target, file, bytes_max, accept)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self._machine.run_in_thread(file.discard_unless_resumable)
            if not isinstance(error, TimeoutError):
                raise
            message = f"The download of {without_query(target)} took longer than {seconds_max:g} seconds."
            raise ReferenceUnusable("reference_too_slow", message, retryable=True) from error

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str], seconds_max: float) -> int:
        """Send `body` to a receiver and return the status of the response, whose body is not read.

        Redirects are not followed. Raises `NotDelivered` with the reason.
        """
        target, credentials = webhook_target(url, self._settings, self._rule)
        try:
            with anyio.fail_after(seconds_max), _as_reference_errors(target):
                sent = {**headers, **credentials}
                async with self._client.stream("POST", target, content=body, headers=sent) as response:
                    return response.status_code
        except TimeoutError as error:
            raise NotDelivered(f"No response within {seconds_max:g} seconds.") from error
        except ReferenceUnusable as error:
            raise NotDelivered(error.message) from error

    async def _follow(self, url: httpx2.URL, file: ResumableFile, bytes_max: int, accept: str) -> Fetched:
        first, client = url, self._download_client if file.resumable else self._client
        headers = {"accept": accept, **await self._machine.run_in_thread(file.request_headers)}
        for _ in range(self._settings.fetch_redirects_max + 1):
            async with client.stream("GET", url, headers=headers) as response:
                location = response.headers.get("location")
                if response.status_code not in REDIRECT_STATUSES or not location:
                    return await _save(response, file, bytes_max, self._machine)
            url = _parse(location, base=url)
        raise ReferenceUnusable(
            "reference_too_many_redirects",
            f"{without_query(first)} redirects more than {self._settings.fetch_redirects_max} times. "
            "Use the final URL.",
        )


def address_rule(settings: Settings) -> AddressRule:
    """Return the rule for addresses that clients may name."""
    return partial(blocked_address_reason, private_allowed=settings.allow_private_addresses)


def webhook_target(
    url: str, settings: Settings, blocked_reason: AddressRule | None = None
) -> tuple[httpx2.URL, dict[str, str]]:
    """Return the address of a webhook, and the header for a user name and password in its URL.

    Judges a URL at create exactly as at its delivery, without a network access. Raises `NotDelivered` with the rule.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise NotDelivered("A webhook URL must not contain spaces, line breaks or control characters.")
    scheme = url.partition(":")[0].lower()
    if scheme not in ("https", "http"):
        raise NotDelivered(f"A webhook URL must be an https URL, not `{url[:80]}`.")
    try:
        target = _parse(url, is_login_allowed=True)
        if scheme == "http" and not _may_be_http(target.host, settings):
            rule = "The operator can allow http with the setting `allow_http_webhooks`."
            raise NotDelivered(f"A webhook URL must be an https URL, not `{url[:80]}`. {rule}")
        check_host(target.host, blocked_reason or address_rule(settings))
    except ReferenceUnusable as error:
        raise NotDelivered(error.message) from error
    if not target.userinfo:
        return target, {}
    login = base64.b64encode(f"{target.username}:{target.password}".encode()).decode()
    return target.copy_with(userinfo=b""), {"authorization": f"Basic {login}"}


def _may_be_http(host: str, settings: Settings) -> bool:
    return settings.allow_http_webhooks or (settings.allow_private_addresses and is_loopback(host))


def _parse(text: str, *, base: httpx2.URL | None = None, is_login_allowed: bool = False) -> httpx2.URL:
    """Parse a URL; `base` is the URL that redirected to it. Raises `ReferenceUnusable` if it may not be requested."""

    def bad(rule: str) -> ReferenceUnusable:
        return ReferenceUnusable("reference_bad_url", f"{rule} The URL starts with `{text[:80]}`.")

    if len(text) > URL_CHARS_MAX:
        raise bad(f"A URL may have at most {URL_CHARS_MAX:,} characters, and this one has {len(text):,}.")
    try:
        url = base.join(text) if base else httpx2.URL(text)
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise bad("Invalid URL.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise bad("Only http:// and https:// URLs with a host are supported.")
    if not re.fullmatch(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}", url.raw_host.decode("ascii")):
        raise bad("The host contains invalid characters.")
    if url.port is not None and not 0 < url.port < 65536:
        raise bad("The port must be between 1 and 65,535.")
    if url.userinfo and not is_login_allowed:
        raise ReferenceUnusable("reference_bad_url", "A URL must not contain a user name or a password.")
    return url.copy_with(fragment=None)


def without_query(url: httpx2.URL) -> str:
    """A URL for messages and logs: without its query, which often contains a signature."""
    return str(url.copy_with(query=None, fragment=None))[:200]


@contextmanager
def _as_reference_errors(url: httpx2.URL) -> Generator[None]:
    """Convert the errors of the HTTP library to `ReferenceUnusable`."""
    name = without_query(url)
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise unreachable(f"{name} did not respond in time.") from error
    except httpcore2.ConnectError as error:
        reason = certificate_problem(error)
        message = f"The TLS connection to {name} failed. {reason}".rstrip()
        raise unreachable(message, retryable=not reason) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
        raise unreachable(f"The connection to {name} was interrupted, or its response is not HTTP.") from error


def _check_status(response: httpx2.Response) -> None:
    status, url = response.status_code, without_query(response.url)
    if status == 200:
        return
    if status in (401, 407):
        raise ReferenceUnusable("reference_login_wall", f"{url} requires a login ({status}). Use a public URL.")
    if status == 403:
        message = (
            f"{url} denies access (403). Use a URL that needs no session, or upload the file. Some sites only serve "
            "clients that name a contact: the setting `contact`."
        )
        raise ReferenceUnusable("reference_forbidden", message)
    if status in (404, 410):
        raise ReferenceUnusable("reference_not_found", f"Not found: {url} ({status}).")
    if status == 204:
        raise ReferenceUnusable("reference_is_empty", f"The response of {url} has no content (204).")
    raise unreachable(f"{url} returned {status}.", retryable=status >= 500 or status in (408, 425, 429))


def _check_not_html(response: httpx2.Response, head: bytes) -> None:
    declared = response.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))
    if not looks_like_html(head) and not (declared and b"\0" not in head):
        return
    url = without_query(response.url)
    if LOGIN_WORDS.search(head) or LOGIN_PATH.search(response.url.path):
        message = f"{url} is a login page. Use a URL that needs no session, or upload the file."
        raise ReferenceUnusable("reference_login_wall", message)
    raise ReferenceUnusable("reference_is_html", f"{url} is a web page, not a file. Use the URL of the file itself.")


async def _save(response: httpx2.Response, file: ResumableFile, bytes_max: int, machine: Machine) -> Fetched:
    url = without_query(response.url)
    if not (file.size and response.status_code in (206, 416)):
        _check_status(response)
    try:
        await machine.run_in_thread(file.open, response.status_code, response.headers)
        await _write(response, file, bytes_max, machine)
    except Mismatch as error:
        message = f"{url} has changed, or its server cannot resume the interrupted download."
        raise ReferenceUnusable("reference_truncated", message, retryable=True) from error
    except TooSlow as error:
        raise ReferenceUnusable("reference_too_slow", f"{url} sends its file too slowly.", retryable=True) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        message = f"The download of {url} was interrupted after {file.size:,} bytes."
        raise ReferenceUnusable("reference_truncated", message, retryable=True) from error
    finally:
        file.close()
    if not file.is_complete:
        message = f"The download of {url} ended after {file.size:,} of {file.total:,} bytes."
        raise ReferenceUnusable("reference_truncated", message, retryable=True)
    await _unpack(response, file, bytes_max, machine)
    if not file.size:
        raise ReferenceUnusable("reference_is_empty", f"The file at {url} is empty.")
    return Fetched(
        path=file.path,
        size_bytes=file.size,
        media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        final_url=str(response.url),
        sha256=file.sha256,
    )


async def _unpack(response: httpx2.Response, file: ResumableFile, bytes_max: int, machine: Machine) -> None:
    """Remove the content codings of the file, if it has any."""
    encoding = response.headers.get("content-encoding", "")
    if not codings_of(encoding):
        return
    try:
        await machine.run_in_thread(lambda: file.unpack(encoding, bytes_max=bytes_max))
    except Unpackable as error:
        code = "reference_truncated" if error.retryable else "reference_unreachable"
        code = "reference_too_large" if "limit" in str(error) else code
        message = f"The file at {without_query(response.url)} cannot be used: {error}."
        raise ReferenceUnusable(code, message, retryable=error.retryable) from error
    with file.path.open("rb") as unpacked:
        _check_not_html(response, unpacked.read(FIRST_CHUNK_BYTES_MIN))


async def _write(response: httpx2.Response, file: ResumableFile, bytes_max: int, machine: Machine) -> None:
    """Append the body to the file, up to the size limit."""
    _check_size(file.total or 0, bytes_max, response.url)
    async for chunk in _chunks(response, MinimumRate(machine)):
        if not file.size:
            _check_not_html(response, chunk)
        _check_size(file.size + len(chunk), bytes_max, response.url)
        await machine.run_in_thread(file.write, chunk)


def _check_size(size: int, bytes_max: int, url: httpx2.URL) -> None:
    if size > bytes_max:
        message = f"The file at {without_query(url)} exceeds the limit of {bytes_max:,} bytes."
        raise ReferenceUnusable("reference_too_large", message)


async def _chunks(response: httpx2.Response, rate: MinimumRate) -> AsyncIterator[bytes]:
    """The body in chunks that are worth a write; the first is large enough to recognise a login page."""
    buffer = bytearray()
    size_min = FIRST_CHUNK_BYTES_MIN
    try:
        async for part in response.aiter_raw():
            buffer += part
            rate.count(len(part))
            if len(buffer) >= size_min:
                yield bytes(buffer)
                buffer.clear()
                size_min = CHUNK_BYTES_MIN
    except (httpcore2.NetworkError, httpcore2.ProtocolError, TooSlow):
        if buffer:  # the next try may continue from it
            yield bytes(buffer)
        raise
    if buffer:
        yield bytes(buffer)
