"""HTTP client for one account at a vendor. The base URL is trusted, and the key is only sent to its origin.

`submit` sends what may cost money and has one of the four outcomes of an order; `query` sends everything else.
Nothing is retried, and no redirect is followed except of a finished file within the origin.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio
import httpx2

from framegate.domain.errors import GatewayLoop, MovedOrigin, NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.domain.provider_text import clean_line, register_secret
from framegate.net import loops
from framegate.net.answers import RESPONSE_BYTES_MAX, Response, Unreadable, decompressed, find_error_message
from framegate.net.codings import Unpackable
from framegate.net.lenient_http import LenientTransport
from framegate.net.minimum_rate import MinimumRate, TooSlow
from framegate.net.resume import Mismatch, ResumableFile
from framegate.net.submission import mark_leaving
from framegate.net.tls import certificate_problem, trusted_certificates
from framegate.net.user_agent import user_agent

_log = logging.getLogger(__name__)

CONNECT_SECONDS_MAX = 10.0
SUBMIT_SECONDS_MAX = 120.0  # services download and check references before they respond
QUERY_SECONDS_MAX = 30.0
DOWNLOAD_SECONDS_MAX = 1800.0
DOWNLOAD_READ_SECONDS_MAX = 60.0  # between two chunks of a file
KEEPALIVE_CONNECTIONS_MAX = 20
ID_CHARS_SHOWN = 100  # of an order, in a message

# The order was certainly not accepted: services send these before they look at a request.
NOT_SENT_STATUSES = frozenset({425, 429})
# The order may have been accepted: a redirect after the fact, a timeout behind the server, an earlier order with the
# same key, a client that seemed to have disconnected.
AMBIGUOUS_STATUSES = frozenset({302, 303, 408, 409, 499})
NOT_IMPLEMENTED = 501  # the only definite rejection among the statuses from 500
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
REDIRECTS_MAX = 5  # of a finished file, within the origin
TEMPORARY_FILE_STATUSES = frozenset({404, 408, 409, 425, 429})  # and all from 500


@dataclass(slots=True)
class _Received:
    """A response while its body arrives."""

    response: httpx2.Response
    body: bytearray = field(default_factory=bytearray)
    is_cut: bool = True

    async def read_body(self) -> None:
        """Read the body; what has arrived is kept if the connection fails or the body is too large."""
        with suppress(httpx2.HTTPError):
            async for chunk in self.response.aiter_raw():
                self.body += chunk
                if len(self.body) > RESPONSE_BYTES_MAX:
                    return
            self.is_cut = False

    def as_response(self, received_at: float) -> Response:
        headers = {name.lower(): value for name, value in self.response.headers.items()}
        try:
            body = decompressed(bytes(self.body[:RESPONSE_BYTES_MAX]), headers.get("content-encoding", ""))
        except Unreadable:
            return Response(self.response.status_code, headers, b"", received_at, is_cut=True)
        return Response(self.response.status_code, headers, body, received_at, is_cut=self.is_cut)


def _never(_: Response) -> bool:
    """Most services do not promise with any error that nothing was accepted."""
    return False


def _names_none(_: Response) -> str | None:
    """Most error responses name no order."""
    return None


class VendorClient:
    """HTTP client for one account.

    `headers` carry the key. `read_error` finds the service's own message in an error response,
    `rejected_before_work` tells whether an error response promises that the order was not accepted, and
    `pending_order` returns the id, or an empty text, of an order that an error response nevertheless names as accepted.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        name: str = "the service",
        read_error: Callable[[Response], str] = find_error_message,
        rejected_before_work: Callable[[Response], bool] = _never,
        pending_order: Callable[[Response], str | None] = _names_none,
        machine: Machine = REAL_MACHINE,
    ) -> None:
        self.machine = machine
        self.gateway_id = ""  # sent with every request, so that a loop is recognised
        self.base_url = base_url.rstrip("/")
        self.name = name
        self._read_error = read_error
        self._rejected_before_work = rejected_before_work
        self._pending_order = pending_order
        self.user_agent = user_agent()
        self.ca_bundle: Path | None = None
        self._headers = headers
        register_secret(headers.get("authorization", ""))

    @cached_property
    def _query_client(self) -> httpx2.AsyncClient:
        return self._client(KEEPALIVE_CONNECTIONS_MAX)

    @cached_property
    def _submit_client(self) -> httpx2.AsyncClient:
        # A server may close a kept-alive connection just as an order is sent on it, and then it is unknown whether the
        # order was accepted: every order gets a connection of its own.
        return self._client(0)

    @cached_property
    def _download_client(self) -> httpx2.AsyncClient:
        return self._client(0)  # its own connections: polls never wait for slow downloads

    def _client(self, keepalive_connections_max: int) -> httpx2.AsyncClient:
        certificates = trusted_certificates(self.ca_bundle)
        return httpx2.AsyncClient(
            base_url=self.base_url + "/",
            headers={"user-agent": self.user_agent, "accept-encoding": "gzip, deflate", **self._headers},
            follow_redirects=False,
            trust_env=False,
            transport=self.machine.http_transport(
                lambda: LenientTransport(certificates, keepalive_connections_max=keepalive_connections_max)
            ),
        )

    async def close(self) -> None:
        """Close the connections."""
        for name in ("_query_client", "_submit_client", "_download_client"):
            if client := self.__dict__.get(name):
                await client.aclose()

    async def submit(self, method: str, path: str, **request: Any) -> Response:  # noqa: ANN401 - httpx2's own arguments
        """Send an order once. Returns a response that accepts it: a 2xx, or a redirect that names it as accepted.

        Raises `Refused`, `NotSent` or `OutcomeUnknown`.
        """
        mark_leaving()
        try:
            response = await self._send(self._submit_client, method, path, SUBMIT_SECONDS_MAX, request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol) as error:
            reason = certificate_problem(error)
            message = f"Cannot connect to {self.name} ({type(error).__name__}). {reason}".rstrip()
            raise NotSent(message, connect_failed=True) from error
        except (httpx2.HTTPError, TimeoutError) as error:
            message = f"The connection to {self.name} failed after the order was sent ({type(error).__name__})."
            raise OutcomeUnknown(f"{message} The order may have been accepted.") from error
        if response.ok:
            return response
        if loops.LOOP in response.headers:
            raise Refused(self._loop_message(), code=GatewayLoop.code)
        message = self.error_message(response)
        named = self._pending_order(response)
        if named is not None:
            if named and 300 <= response.status < 400:
                return response
            order = f" `{named[:ID_CHARS_SHOWN]}`" if named else ""
            raise OutcomeUnknown(f"{message} It names the order{order} as accepted.")
        if response.status in NOT_SENT_STATUSES or self._rejected_before_work(response):
            raise NotSent(message, retry_after=response.retry_after)
        if response.status in AMBIGUOUS_STATUSES or (response.status >= 500 and response.status != NOT_IMPLEMENTED):
            raise OutcomeUnknown(f"{message} The order may have been accepted.")
        raise Refused(message, status=response.status)

    async def query(
        self,
        method: str,
        path: str,
        *,
        any_status: bool = False,
        seconds_max: float = QUERY_SECONDS_MAX,
        **request: Any,  # noqa: ANN401 - httpx2's own arguments
    ) -> Response:
        """Send a request that costs nothing. Raises `ProviderError` for a failed request, 5xx and "too many requests".

        With `any_status`, a response of any status is returned, for services that report the end of a job by it.
        """
        try:
            response = await self._send(self._query_client, method, path, seconds_max, request)
        except (httpx2.HTTPError, TimeoutError) as error:
            reason = certificate_problem(error)
            message = f"The request to {self.name} failed ({type(error).__name__}). {reason}".rstrip()
            raise ProviderError(message) from error
        if loops.LOOP in response.headers:
            raise Refused(self._loop_message(), code=GatewayLoop.code)
        if response.is_cut and response.value() is None:
            raise ProviderError(f"The request to {self.name} failed: the response is incomplete or too large.")
        if (response.status >= 500 and not any_status) or response.status in NOT_SENT_STATUSES:
            raise ProviderError(self.error_message(response))
        return response

    def require_ok(self, response: Response) -> Response:
        """The response if it is a 2xx. Raises `ProviderError` otherwise."""
        if not response.ok:
            raise ProviderError(self.error_message(response))
        return response

    def error_message(self, response: Response) -> str:
        """The service's error as a sentence, without keys."""
        reason = clean_line(self._read_error(response)).rstrip(".")
        return f"{self.name} returned {response.status}: {reason or 'no message'}."

    def _loop_message(self) -> str:
        message = (
            f"{self.base_url} leads back to this gateway, so the account at {self.name} would order from the gateway "
            "itself. Correct its `base_url`, or the DNS or hosts file of the gateway's machine."
        )
        _log.error("%s", message)
        return message

    async def download(self, url: str, into: Path, *, bytes_max: int) -> None:
        """Download a file from the account's own origin to the file `into`.

        An interrupted download keeps what can be resumed, and the next download to the same path continues it. Raises
        `MovedOrigin` for a redirect to another origin, `Refused` for a file that cannot be downloaded, and
        `ProviderError` if another try may succeed.
        """
        file = ResumableFile(into, resumable=True)
        try:
            with anyio.fail_after(DOWNLOAD_SECONDS_MAX):
                headers = {"accept-encoding": "identity", **await self.machine.run_in_thread(file.request_headers)}
                await self._follow(url, headers, file, bytes_max)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self.machine.run_in_thread(file.discard_unless_resumable)
            if isinstance(error, httpx2.HTTPError | TimeoutError):
                message = f"The download from {self.name} was interrupted ({type(error).__name__})."
                raise ProviderError(message) from error
            raise

    def same_origin(self, url: str) -> bool:
        """Whether a URL is at the account's own origin, so that the key may be sent there."""
        try:
            target, base = httpx2.URL(url), httpx2.URL(self.base_url)
        except httpx2.InvalidURL:
            return False
        origin = (base.scheme, base.host, base.port)
        return (target.scheme, target.host, target.port) == origin and not target.userinfo

    def absolute(self, url: str) -> str:
        """A URL from a response, which may be relative to the base URL. Raises `ProviderError` for an invalid one."""
        try:
            return str(httpx2.URL(self.base_url + "/").join(url))
        except httpx2.InvalidURL as error:
            raise ProviderError(f"{self.name} returned an invalid URL: {url[:80]!r}.") from error

    async def _follow(self, url: str, headers: Mapping[str, str], file: ResumableFile, bytes_max: int) -> None:
        """Save the file at `url`, or where a redirect within the origin leads."""
        for _ in range(REDIRECTS_MAX + 1):
            async with self._open(
                self._download_client, "GET", url, DOWNLOAD_READ_SECONDS_MAX, headers=headers
            ) as response:
                target = self._redirect_target(response)
                if target is None:
                    await self._save(response, file, bytes_max)
                    return
            url = target
        raise Refused(f"{self.name} redirects more than {REDIRECTS_MAX} times for a finished file.")

    async def _save(self, response: httpx2.Response, file: ResumableFile, bytes_max: int) -> None:
        self._check_file(response, resuming=file.size > 0)
        rate = MinimumRate(self.machine)
        try:
            await self.machine.run_in_thread(file.open, response.status_code, response.headers)
            self._check_size(file.total or 0, bytes_max)
            async for chunk in response.aiter_raw():
                self._check_size(file.size + len(chunk), bytes_max)
                rate.count(len(chunk))
                await self.machine.run_in_thread(file.write, chunk)
        except TooSlow as error:
            raise ProviderError(f"{self.name} sends its file too slowly.") from error
        except Mismatch as error:
            message = f"The file at {self.name} has changed, or the interrupted download cannot be resumed."
            raise ProviderError(message) from error
        finally:
            file.close()  # not in a thread: a cancelled download would not reach an await
        if not file.is_complete:
            raise ProviderError(f"{self.name} sent {file.size:,} of {file.total:,} bytes.")
        encoding = response.headers.get("content-encoding", "")
        try:
            await self.machine.run_in_thread(lambda: file.unpack(encoding, bytes_max=bytes_max))
        except Unpackable as error:
            kind = ProviderError if error.retryable else Refused
            raise kind(f"The file at {self.name} cannot be used: {error}.") from error
        if not file.size:
            raise ProviderError(f"{self.name} sent an empty file.")

    def _redirect_target(self, response: httpx2.Response) -> str | None:
        """The URL of a redirect within the origin; None for any other response. Raises `MovedOrigin`."""
        location = response.headers.get("location")
        if response.status_code not in REDIRECT_STATUSES or not location:
            return None
        try:
            url = str(response.url.join(location))
        except httpx2.InvalidURL as error:
            raise Refused(f"{self.name} redirects to an invalid URL for a finished file.") from error
        if not self.same_origin(url):
            raise MovedOrigin(f"{self.name} redirects to another origin for a finished file.", url)
        return url

    def _check_file(self, response: httpx2.Response, *, resuming: bool) -> None:
        """Reject a response that is not a file, or not the rest of one."""
        status = response.status_code
        if status == 200 or (resuming and status in (206, 416)):
            return
        message = f"{self.name} returned {status} for a finished file."
        if status >= 500 or status in TEMPORARY_FILE_STATUSES:
            raise ProviderError(message)
        raise Refused(message)

    def _check_size(self, size: int, bytes_max: int) -> None:
        if size > bytes_max:
            raise Refused(f"The file at {self.name} exceeds the limit of {bytes_max:,} bytes.", code="file_too_large")

    async def _send(
        self, client: httpx2.AsyncClient, method: str, path: str, seconds: float, request: Mapping[str, Any]
    ) -> Response:
        received: _Received | None = None
        with anyio.move_on_after(seconds):
            async with self._open(client, method, path, seconds, **request) as response:
                received = _Received(response)
                await received.read_body()
        if received is None:
            raise TimeoutError
        return received.as_response(self.machine.now())

    @asynccontextmanager
    async def _open(
        self,
        client: httpx2.AsyncClient,
        method: str,
        path: str,
        seconds: float,
        **request: Any,  # noqa: ANN401 - httpx2's own arguments
    ) -> AsyncGenerator[httpx2.Response]:
        if "://" in path and not self.same_origin(path):
            raise ProviderError(f"{self.name} returned a URL of another origin, which must not receive its key.")
        url = path if "://" in path else path.lstrip("/")
        timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS_MAX)
        if self.gateway_id:
            request["headers"] = {**request.get("headers", {}), loops.VIA: loops.path_header(self.gateway_id)}
        try:
            built = client.build_request(method, url, timeout=timeout, **request)
        except (TypeError, ValueError, httpx2.InvalidURL) as error:  # NaN, a lone surrogate
            raise Refused(f"The request to {self.name} cannot be encoded ({error}). Nothing was sent.") from error
        response = await client.send(built, stream=True)
        try:
            yield response
        finally:
            await response.aclose()
