"""One HTTP exchange, as far as a job that it creates is concerned: did its client get the answer?

Clients that mark no retry send the same request again when a connection breaks. A create whose answer never left
belongs to the next identical request; so each exchange knows what was asked, byte for byte, and whether its client is
still there.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_current: ContextVar["RequestContext | None"] = ContextVar("exchange", default=None)


def current() -> "RequestContext | None":
    """The exchange on whose behalf the running task works; None outside of any."""
    return _current.get()


class RequestContext:
    """A request that may create jobs, and its client."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._hash = hashlib.sha256(f"{scope['method']} {scope['path']}?".encode() + scope.get("query_string", b""))
        # fal's proxy has one path for all that is asked of it; this header says what that is.
        for name, value in scope.get("headers", ()):
            if name == b"x-fal-target-url":
                self._hash.update(b"\n" + value + b"\n")
        self._read = False
        self._gone = False
        self.response_started = False  # the answer was begun while the client was there
        self.created: list[str] = []
        self._ends: list[Callable[[], None]] = []

    def on_close(self, do: Callable[[], None]) -> None:
        """Have something done once the exchange is over."""
        self._ends.append(do)

    def end(self) -> None:
        """The exchange is over."""
        for do in self._ends:
            do()

    @property
    def fingerprint(self) -> str:
        """The same for two requests that are the same to the byte."""
        return self._hash.hexdigest()

    async def receive(self) -> Message:
        """What the client sends, noted on the way."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._hash.update(message.get("body", b""))
            self._read = not message.get("more_body", False)
        elif message["type"] == "http.disconnect":
            self._gone = True
        return message

    async def is_disconnected(self) -> bool:
        """Whether the client has closed its connection."""
        if self.response_started:
            return False  # behind an answer a server says of every client that it is gone
        if self._read and not self._gone:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await self.receive()
        return self._gone


class ClientDisconnect:
    """ASGI middleware: tells of every job that was created in an exchange whether its client got the answer."""

    def __init__(self, app: ASGIApp, answered: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        self.app = app
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the exchange on, and watch its end."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        exchange = RequestContext(scope, receive)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and exchange.created:
                exchange.response_started = not await exchange.is_disconnected()
            await send(message)

        token = _current.set(exchange)
        try:
            await self.app(scope, exchange.receive, watched)
            if exchange.response_started:
                await self._answered(exchange.created)
        finally:
            _current.reset(token)
            exchange.end()  # not before it is written: until then its client is known to have been there
