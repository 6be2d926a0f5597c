"""The way to a service that the operator has an account at: trusted by its base URL, its key bound to that origin.

What may cost money goes out by `order`, and comes back as one of the four ends of an order; a look goes out by `ask`.
Nothing is tried twice, no redirect is followed, and no key goes anywhere but to the base URL's own origin.
"""

import email.utils
import json
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2

from framegate.domain.errors import MovedOrigin, NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.net.resume import Mismatch, ResumableFile

ANSWER_BYTES_MAX = 16 * 2**20
CONNECT_SECONDS_MAX = 10.0
ORDER_SECONDS_MAX = 120.0  # services fetch and look at references before they answer
ASK_SECONDS_MAX = 30.0
DOWNLOAD_SECONDS_MAX = 1800.0
SILENCE_SECONDS_MAX = 60.0  # between two parts of a file
WAIT_SECONDS_MAX = 3600.0  # the longest Retry-After that is believed
MESSAGE_CHARS_MAX = 500
SECRET_CHARS_MIN = 8  # shorter words of a header ("Bearer", "Key") are no secret
ERROR_MESSAGE_KEYS = (
    "error",
    "detail",
    "message",
    "msg",
    "reason",
    "error_message",
    "data",
)  # where services say what is wrong
DEPTH_MAX = 5

# The order was certainly not taken: these answers come before a request is looked at.
NOT_SENT_STATUSES = frozenset({425, 429})
# Nobody knows: a redirect after the fact, a time-out at the other end, an order that stands under the same key, a
# client that seemed to have gone away.
AMBIGUOUS_STATUSES = frozenset({302, 303, 408, 409, 499})
NOT_SERVED = 501  # of the errors from 500 on the one that is a plain no
REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECTS_MAX = 5  # of a finished file, at its own origin


@dataclass(frozen=True, slots=True)
class Response:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float = 0.0  # wall clock, in Unix seconds

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:  # noqa: ANN401 - a JSON value
        """The body as JSON. Raises `ProviderError` where it is not."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            start = self.body[:80].decode("utf-8", "replace")
            raise ProviderError(f"The service answered {self.status} with no JSON: {start!r}.") from error

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises `ProviderError` where it is not."""
        value = self.json()
        if not isinstance(value, dict):
            raise ProviderError(f"The service answered {self.status} with JSON that is no object.")
        return cast("dict[str, Any]", value)

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before asking again, where the service says."""
        return _seconds(self.headers.get("retry-after", ""), self.received_at)


def _seconds(text: str, now: float) -> float | None:
    if text.strip().isdecimal():
        return min(float(text), WAIT_SECONDS_MAX)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(0.0, at.timestamp() - now), WAIT_SECONDS_MAX)


def plain_reason(answer: Response) -> str:
    """What a service says is wrong, wherever services commonly put it."""
    try:
        value: Any = json.loads(answer.body)
    except ValueError:
        return answer.body[:MESSAGE_CHARS_MAX].decode("utf-8", "replace").strip()
    for _ in range(DEPTH_MAX):
        inner = _inner(value)
        if inner is None:
            break
        value = inner
    return (value if isinstance(value, str) else json.dumps(value))[:MESSAGE_CHARS_MAX]


def _inner(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return items[0] if items else None
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return next((fields[name] for name in ERROR_MESSAGE_KEYS if fields.get(name)), None)
    return None


def at(value: Any, *path: str | int) -> Any:  # noqa: ANN401 - a JSON value
    """What stands at `path` in a JSON value; None where nothing does."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = cast("dict[str, Any]", value).get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[step]
        else:
            return None
    return value


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that are trusted: reading them takes as long as a request."""
    return httpx2.create_ssl_context(trust_env=False)


def rejected_before_work(_answer: Response) -> bool:
    """Most services do not say of an error whether anything was made."""
    return False


class VendorClient:
    """One account's way to its service.

    `headers` carry the key. `not_made` tells of an error whether the service promises by it that it took nothing.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        name: str = "the service",
        reason: Callable[[Response], str] = plain_reason,
        not_made: Callable[[Response], bool] = rejected_before_work,
        machine: Machine = REAL_MACHINE,
    ) -> None:
        self.machine = machine
        self.base_url = base_url.rstrip("/")
        self.name = name
        self._reason = reason
        self._secrets = tuple(
            word for value in headers.values() for word in value.split() if len(word) >= SECRET_CHARS_MIN
        )
        self._not_made = not_made
        self._looks = self._client(headers)
        # A kept connection may be closed at the other end just as an order goes out on it, and nobody could tell
        # whether it was taken: every order has a connection of its own.
        self._orders = self._client(headers, limits=httpx2.Limits(max_keepalive_connections=0))

    def _client(self, headers: Mapping[str, str], **settings: Any) -> httpx2.AsyncClient:  # noqa: ANN401 - httpx2's own
        return httpx2.AsyncClient(
            base_url=self.base_url + "/",
            headers={"user-agent": "framegate", **headers},
            follow_redirects=False,
            trust_env=False,
            transport=self.machine.http_transport(lambda: httpx2.AsyncHTTPTransport(verify=_trust(), **settings)),
        )

    async def close(self) -> None:
        """End its connections."""
        await self._looks.aclose()
        await self._orders.aclose()

    async def submit(self, method: str, path: str, **request: Any) -> Response:  # noqa: ANN401 - httpx2's own arguments
        """Send what may cost money, once. Returns a 2xx; raises `Refused`, `NotSent` or `Unsure`."""
        try:
            answer = await self._send(self._orders, method, path, ORDER_SECONDS_MAX, request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol) as error:
            raise NotSent(f"{self.name} could not be reached ({type(error).__name__}).", connect_failed=True) from error
        except (httpx2.HTTPError, TimeoutError) as error:
            told = f"{self.name} broke off after the order was sent ({type(error).__name__})."
            raise OutcomeUnknown(f"{told} It may have been taken.") from error
        if answer.ok:
            return answer
        said = self.error_message(answer)
        if answer.status in NOT_SENT_STATUSES or self._not_made(answer):
            raise NotSent(said, retry_after=answer.retry_after)
        if answer.status in AMBIGUOUS_STATUSES or (answer.status >= 500 and answer.status != NOT_SERVED):
            raise OutcomeUnknown(f"{said} The order may have been taken.")
        raise Refused(said, status=answer.status)

    async def query(
        self,
        method: str,
        path: str,
        *,
        any_status: bool = False,
        seconds_max: float = ASK_SECONDS_MAX,
        **request: Any,  # noqa: ANN401 - httpx2's own arguments
    ) -> Response:
        """Look, or ask for something that costs nothing; any answer below 500 is one, but for "too many requests".

        With `any_status` those are answers too, for services that tell a job's end by them. Raises `ProviderError`: a
        look that failed.
        """
        try:
            answer = await self._send(self._looks, method, path, seconds_max, request)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise ProviderError(f"{self.name} could not be asked ({type(error).__name__}).") from error
        if (answer.status >= 500 and not any_status) or answer.status in NOT_SENT_STATUSES:
            raise ProviderError(self.error_message(answer))
        return answer

    def error_message(self, answer: Response) -> str:
        """What the service says is wrong, as a sentence; where it repeats the key, the key is left out."""
        reason = self.without_key(self._reason(answer))
        return f"{self.name} answered {answer.status}: {reason.rstrip('.') or 'nothing'}."

    def without_key(self, text: str) -> str:
        """A text with the key left out where the service repeats it."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return text

    async def download(self, url: str, into: Path, *, bytes_max: int) -> None:
        """Fetch a file from this account's own origin into the file `into`.

        Where it fails, what can be gone on from is left there, and the next download into the same place does so.
        Raises `MovedOrigin` where the service sends on to another origin, `Refused` for a file that cannot be had, and
        `ProviderError` where another try may get it.
        """
        partial = ResumableFile(into, kept=True)
        try:
            with anyio.fail_after(DOWNLOAD_SECONDS_MAX):
                headers = {"accept-encoding": "identity", **await self.machine.run_in_thread(partial.request_headers)}
                await self._follow(url, headers, partial, bytes_max)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self.machine.run_in_thread(partial.discard_unless_resumable)
            if isinstance(error, httpx2.HTTPError | TimeoutError):
                raise ProviderError(f"{self.name} broke off the download ({type(error).__name__}).") from error
            raise

    def same_origin(self, url: str) -> bool:
        """Whether an address lies at this account's own origin, so that its key may go there."""
        try:
            theirs, ours = httpx2.URL(url), httpx2.URL(self.base_url)
        except httpx2.InvalidURL:
            return False
        return (theirs.scheme, theirs.host, theirs.port) == (ours.scheme, ours.host, ours.port) and not theirs.userinfo

    def absolute(self, url: str) -> str:
        """An address out of an answer, which may be relative to the base URL. Raises `ProviderError`."""
        try:
            return str(httpx2.URL(self.base_url + "/").join(url))
        except httpx2.InvalidURL as error:
            raise ProviderError(f"{self.name} gave no address but {url[:80]!r}.") from error

    async def _follow(self, url: str, headers: Mapping[str, str], partial: ResumableFile, bytes_max: int) -> None:
        """Keep what lies at `url`, or where at this origin that leads."""
        for _ in range(REDIRECTS_MAX + 1):
            async with self._opened(self._looks, "GET", url, SILENCE_SECONDS_MAX, headers=headers) as response:
                moved = self._moved(response)
                if moved is None:
                    await self._keep(response, partial, bytes_max)
                    return
            url = moved
        raise Refused(f"{self.name} sends on more than {REDIRECTS_MAX} times for a finished file.")

    async def _keep(self, response: httpx2.Response, partial: ResumableFile, bytes_max: int) -> None:
        self._check_file(response, going_on=partial.size > 0)
        try:
            await self.machine.run_in_thread(partial.open, response.status_code, response.headers)
            self._check_size(partial.total or 0, bytes_max)
            async for part in response.aiter_raw():
                self._check_size(partial.size + len(part), bytes_max)
                await self.machine.run_in_thread(partial.write, part)
        except Mismatch as error:
            raise ProviderError(
                f"{self.name} has another file by now, or does not go on where it broke off."
            ) from error
        finally:
            partial.close()  # at once: an await would not come to it where the download is cancelled
        if not partial.is_complete:
            raise ProviderError(f"{self.name} sent {partial.size:,} of {partial.total:,} bytes.")
        if not partial.size:
            raise ProviderError(f"{self.name} sent an empty file.")

    def _moved(self, response: httpx2.Response) -> str | None:
        """Where at this origin a redirect leads; None for an answer that is none. Raises `MovedOrigin`."""
        location = response.headers.get("location")
        if response.status_code not in REDIRECTS or not location:
            return None
        try:
            url = str(response.url.join(location))
        except httpx2.InvalidURL as error:
            raise Refused(f"{self.name} sends on for a finished file to no address.") from error
        if not self.same_origin(url):
            raise MovedOrigin(f"{self.name} sends on to another origin for a finished file.", url)
        return url

    def _check_file(self, response: httpx2.Response, *, going_on: bool) -> None:
        """Refuse an answer that is no file, or none that can be gone on with."""
        if response.status_code == 200 or (going_on and response.status_code in (206, 416)):
            encoding = response.headers.get("content-encoding", "identity").lower()
            if encoding != "identity":
                raise Refused(f"{self.name} sends its file packed ({encoding}).")
            return
        told = f"{self.name} answered {response.status_code} for a finished file."
        late = response.status_code >= 500 or response.status_code in (404, 408, 409, 425, 429)
        raise ProviderError(told) if late else Refused(told)

    def _check_size(self, size: int, bytes_max: int) -> None:
        if size > bytes_max:
            raise Refused(f"The file at {self.name} is larger than {bytes_max:,} bytes, the most that is kept.")

    async def _send(
        self, client: httpx2.AsyncClient, method: str, path: str, seconds: float, request: Mapping[str, Any]
    ) -> Response:
        with anyio.fail_after(seconds):
            async with self._opened(client, method, path, seconds, **request) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > ANSWER_BYTES_MAX:
                        raise httpx2.ReadError("The answer is too large.")
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status_code, headers, bytes(body), self.machine.now())

    @asynccontextmanager
    async def _opened(
        self,
        client: httpx2.AsyncClient,
        method: str,
        path: str,
        seconds: float,
        **request: Any,  # noqa: ANN401 - httpx2's own arguments
    ) -> AsyncGenerator[httpx2.Response]:
        if "://" in path and not self.same_origin(path):
            raise ProviderError(f"{self.name} pointed at another origin, and its key does not go there.")
        url = path if "://" in path else path.lstrip("/")
        timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS_MAX)
        try:
            asked = client.build_request(method, url, timeout=timeout, **request)
        except (TypeError, ValueError, httpx2.InvalidURL) as error:  # a number that is none, half a character
            raise Refused(f"What {self.name} was to be sent cannot be written ({error}). Nothing was sent.") from error
        response = await client.send(asked, stream=True)
        try:
            yield response
        finally:
            await response.aclose()
