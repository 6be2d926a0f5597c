"""Drivers that execute the steps of a flow over HTTP, sync and async. All I/O of the SDK is in this module."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

import httpx2

from framegate.client import requests
from framegate.client.errors import AddressInvalid, KeyInvalid, Unreachable
from framegate.client.models import Reply
from framegate.client.operations import Flow, Pause, Send, Step, Stream, Yield
from framegate.client.requests import Call, Upload
from framegate.config.environment import API_KEY_PATTERN, client_defaults
from framegate.domain.errors import FramegateError

T = TypeVar("T")
TIMEOUT_SECONDS = 120.0  # a check may fetch several references before it answers
CONNECT_SECONDS = 10.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Connection:
    """Address, key and request options of a gateway; no I/O."""

    def __init__(self, base_url: str | None, api_key: str | None, timeout: float) -> None:
        url, key = client_defaults()
        address = base_url or url or requests.DEFAULT_URL
        self.socket_path = address.removeprefix("unix:") if address.startswith("unix:") else None
        self.base_url = requests.base_url("http://localhost" if self.socket_path else address)
        self.api_key = api_key or key
        if self.api_key is not None and not API_KEY_PATTERN.fullmatch(self.api_key):
            raise KeyInvalid("The gateway's key contains a space, a line break or a non-ASCII character.")
        if not timeout > 0:
            raise ValueError(f"timeout must be a number of seconds above 0, not {timeout!r}")
        host = _host(self.base_url)
        self._options: dict[str, Any] = {
            "base_url": self.base_url,
            "headers": {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {},
            "timeout": httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
            "trust_env": host not in LOOPBACK,  # no proxy for this machine itself
        }

    def _arguments(self, call: Call) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "method": call.method,
            "url": call.path.removeprefix("/"),
            "params": call.params or None,
            "headers": call.headers,
        }
        if call.json is not None:
            arguments["json"] = call.json
        if call.timeout_seconds is not None:
            arguments["timeout"] = httpx2.Timeout(call.timeout_seconds, connect=CONNECT_SECONDS)
        return arguments

    def _unreachable(self, error: httpx2.TransportError) -> Unreachable:
        origin = self.socket_path or self.base_url.removesuffix("/api/v1")
        if isinstance(error, httpx2.ConnectError):
            return Unreachable(f"Cannot connect to {origin} ({error}).")
        if isinstance(error, httpx2.TimeoutException):
            return Unreachable(f"{origin} did not respond in time ({type(error).__name__}).")
        return Unreachable(f"The connection to {origin} was lost ({error or type(error).__name__}).")


class _FlowRunner(Generic[T]):
    """A flow in progress: its next step, and finally its result."""

    result: T

    def __init__(self, flow: Flow[T]) -> None:
        self.flow = flow
        self.step: Step | None = None
        self.send(None)

    def send(self, value: Reply | None) -> None:
        """Continue the flow with the outcome of its step."""
        self._advance(lambda: self.flow.send(value))

    def throw(self, error: FramegateError) -> None:
        """Continue the flow with the error of its step."""
        self._advance(lambda: self.flow.throw(error))

    def _advance(self, resume: Callable[[], Step]) -> None:
        try:
            self.step = resume()
        except StopIteration as stop:
            self.step = None
            self.result = stop.value


class Driver(_Connection):
    """Executes the steps of a flow, blocking."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, api_key, timeout)
        if self.socket_path and not transport:
            transport = httpx2.HTTPTransport(uds=self.socket_path)
        self._http = httpx2.Client(**self._options, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """Execute a flow and return its result."""
        runner = _FlowRunner(flow)
        for _ in self._items(runner):
            pass
        return runner.result

    def iterate(self, flow: Flow[None]) -> Iterator[Any]:
        """Execute a flow and iterate over the items that it yields."""
        yield from self._items(_FlowRunner(flow))

    def _items(self, runner: _FlowRunner[Any]) -> Iterator[Any]:  # noqa: C901 - one case for each step
        with closing(runner.flow):
            while runner.step:
                reply: Reply | None = None
                try:
                    match runner.step:
                        case Pause(seconds):
                            time.sleep(seconds)
                        case Yield(items):
                            yield from items
                        case Send(call):
                            content = call.upload.chunks() if call.upload else None
                            reply = _reply(self._http.request(**self._arguments(call), content=content))
                        case Stream(call, sink):
                            with self._http.stream(**self._arguments(call)) as response:
                                if not response.is_success:
                                    response.read()
                                else:
                                    sink.begin(response.status_code, response.headers)
                                    for chunk in response.iter_bytes():
                                        yield from sink.write(chunk)
                                reply = _reply(response, b"" if response.is_success else None)
                except httpx2.TransportError as error:
                    runner.throw(self._unreachable(error))
                except FramegateError as error:
                    runner.throw(error)
                else:
                    runner.send(reply)


class AsyncDriver(_Connection):
    """Executes the steps of a flow in the event loop of asyncio."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, api_key, timeout)
        if self.socket_path and not transport:
            transport = httpx2.AsyncHTTPTransport(uds=self.socket_path)
        self._http = httpx2.AsyncClient(**self._options, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Execute a flow and return its result."""
        runner = _FlowRunner(flow)
        async with aclosing(self._items(runner)) as items:
            async for _ in items:
                pass
        return runner.result

    async def iterate(self, flow: Flow[None]) -> AsyncIterator[Any]:
        """Execute a flow and iterate over the items that it yields."""
        async with aclosing(self._items(_FlowRunner(flow))) as items:
            async for item in items:
                yield item

    async def _items(self, runner: _FlowRunner[Any]) -> AsyncGenerator[Any]:  # noqa: C901, PLR0912 - the same, async
        with closing(runner.flow):
            while runner.step:
                reply: Reply | None = None
                try:
                    match runner.step:
                        case Pause(seconds):
                            await asyncio.sleep(seconds)
                        case Yield(items):
                            for item in items:
                                yield item
                        case Send(call):
                            content = _async_chunks(call.upload) if call.upload else None
                            reply = _reply(await self._http.request(**self._arguments(call), content=content))
                        case Stream(call, sink):
                            async with self._http.stream(**self._arguments(call)) as response:
                                if not response.is_success:
                                    await response.aread()
                                else:
                                    sink.begin(response.status_code, response.headers)
                                    async for chunk in response.aiter_bytes():
                                        for item in sink.write(chunk):
                                            yield item
                                reply = _reply(response, b"" if response.is_success else None)
                except httpx2.TransportError as error:
                    runner.throw(self._unreachable(error))
                except FramegateError as error:
                    runner.throw(error)
                else:
                    runner.send(reply)


def _host(url: str) -> str:
    """The host of a gateway's address. Raises `AddressInvalid`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL) as error:
        raise AddressInvalid(f"Invalid gateway address: {url} ({error}).") from error
    if parts.scheme not in ("http", "https") or not host:
        raise AddressInvalid(f"Invalid gateway address: {url}. Use an address such as http://127.0.0.1:8787.")
    return host


def _reply(response: httpx2.Response, content: bytes | None = None) -> Reply:
    body = response.content if content is None else content
    return Reply(status=response.status_code, headers=response.headers, content=body)


async def _async_chunks(upload: Upload) -> AsyncIterator[bytes]:
    for chunk in upload.chunks():
        yield chunk
