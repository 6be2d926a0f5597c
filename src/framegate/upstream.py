"""The way to a service that the operator has an account at: trusted by its base URL, its key bound to that origin.

What may cost money goes out by `order`, and comes back as one of the four ends of an order; a look goes out by `ask`.
Nothing is tried twice, no redirect is followed, and no key goes anywhere but to the base URL's own origin.
"""

import email.utils
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import httpx2

from framegate.errors import NotSent, ProviderError, Refused, Unsure

ANSWER_BYTES_MAX = 16 * 2**20
CONNECT_SECONDS_MAX = 10.0
ORDER_SECONDS_MAX = 120.0  # services fetch and look at references before they answer
ASK_SECONDS_MAX = 30.0
WAIT_SECONDS_MAX = 3600.0  # the longest Retry-After that is believed
MESSAGE_CHARS_MAX = 500
REASONS = ("error", "detail", "message", "msg", "reason", "error_message", "data")  # where services say what is wrong
DEPTH_MAX = 5

# The order was certainly not taken: these answers come before a request is looked at.
NOT_TAKEN = frozenset({425, 429})
# Nobody knows: a redirect after the fact, a time-out at the other end.
UNCLEAR = frozenset({302, 303, 408})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

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
        return _seconds(self.headers.get("retry-after", ""))


def _seconds(text: str) -> float | None:
    if text.strip().isdecimal():
        return min(float(text), WAIT_SECONDS_MAX)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(0.0, at.timestamp() - time.time()), WAIT_SECONDS_MAX)


def plain_reason(answer: Answer) -> str:
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
        return next((fields[name] for name in REASONS if fields.get(name)), None)
    return None


class Upstream:
    """One account's way to its service. An async context manager.

    `headers` carry the key. `not_made` are statuses with which this service promises that it took nothing.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        name: str = "the service",
        reason: Callable[[Answer], str] = plain_reason,
        not_made: Collection[int] = (),
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._name = name
        self._reason = reason
        self._not_made = NOT_TAKEN | frozenset(not_made)
        self._client = httpx2.AsyncClient(
            base_url=self.base_url + "/",
            headers={"user-agent": "framegate", **headers},
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def order(self, method: str, path: str, **request: Any) -> Answer:  # noqa: ANN401 - httpx2's own arguments
        """Send what may cost money, once. Returns a 2xx; raises `Refused`, `NotSent` or `Unsure`."""
        try:
            answer = await self._send(method, path, ORDER_SECONDS_MAX, request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol) as error:
            raise NotSent(f"{self._name} could not be reached ({type(error).__name__}).") from error
        except httpx2.HTTPError as error:
            told = f"{self._name} broke off after the order was sent ({type(error).__name__})."
            raise Unsure(f"{told} It may have been taken.") from error
        if answer.ok:
            return answer
        said = f"{self._name} answered {answer.status}: {self._reason(answer)}"
        if answer.status in self._not_made:
            raise NotSent(said, retry_after=answer.retry_after)
        if answer.status >= 500 or answer.status in UNCLEAR:
            raise Unsure(f"{said} The order may have been taken.")
        raise Refused(said)

    async def ask(self, method: str, path: str, **request: Any) -> Answer:  # noqa: ANN401 - httpx2's own arguments
        """Look, or ask for something that costs nothing; any answer below 500 is one, but for "too many requests".

        Raises `ProviderError`: a look that failed.
        """
        try:
            answer = await self._send(method, path, ASK_SECONDS_MAX, request)
        except httpx2.HTTPError as error:
            raise ProviderError(f"{self._name} could not be asked ({type(error).__name__}).") from error
        if answer.status >= 500 or answer.status in NOT_TAKEN:
            raise ProviderError(f"{self._name} answered {answer.status}: {self._reason(answer)}")
        return answer

    def owns(self, url: str) -> bool:
        """Whether an address lies at this account's own origin, so that its key may go there."""
        try:
            theirs, ours = httpx2.URL(url), httpx2.URL(self.base_url)
        except httpx2.InvalidURL:
            return False
        return (theirs.scheme, theirs.host, theirs.port) == (ours.scheme, ours.host, ours.port)

    async def _send(self, method: str, path: str, seconds: float, request: Mapping[str, Any]) -> Answer:
        url = path if "://" in path else path.lstrip("/")
        if "://" in path and not self.owns(path):
            raise ProviderError(f"{self._name} pointed at another origin, and its key does not go there.")
        timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS_MAX)
        async with self._client.stream(method, url, timeout=timeout, **request) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    raise httpx2.ReadError("The answer is too large.")
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body))
