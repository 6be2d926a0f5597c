"""Client disconnect detection, for creates whose response never reached the client.

Many clients repeat a request without marking the retry when a connection breaks. The middleware hashes each POST byte
for byte and records whether the client was still connected when the response began; `jobs.deduplication` uses both.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framegate.api.context import REQUEST_CONTEXT

REPLAYED = (b"idempotency-replayed", b"true")  # of a response with the job of an earlier request


class HttpRequestContext:
    """`RequestContext` of an HTTP request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._hash = hashlib.sha256(f"{scope['method']} {scope['path']}?".encode() + scope.get("query_string", b""))
        # All requests to fal's proxy share one path; this header has the real one.
        for name, value in scope.get("headers", ()):
            if name == b"x-fal-target-url":
                self._hash.update(b"\n" + value + b"\n")
        self._read = False
        self._gone = False
        self.response_started = False  # the client was connected when the response began
        self.created: list[str] = []
        self.replayed = False
        self._ends: list[Callable[[], None]] = []

    def on_close(self, do: Callable[[], None]) -> None:
        """Call `do` when the request is over."""
        self._ends.append(do)

    def end(self) -> None:
        """Call what `on_close` registered."""
        for do in self._ends:
            do()

    @property
    def fingerprint(self) -> str:
        """Hash of method, path, query and body: equal for two requests that are equal byte for byte."""
        return self._hash.hexdigest()

    async def receive(self) -> Message:
        """Return the next ASGI message of the client, and record it."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._hash.update(message.get("body", b""))
            self._read = not message.get("more_body", False)
        elif message["type"] == "http.disconnect" and not self.response_started:  # else the server means its response
            self._gone = True
        return message

    async def is_disconnected(self) -> bool:
        """Whether the client has closed its connection."""
        if self.response_started:
            return False  # after a response, ASGI servers report every client as disconnected
        if self._read and not self._gone:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await self.receive()
        return self._gone


class ClientDisconnect:
    """ASGI middleware: acknowledges the jobs that a request created once its client got the response."""

    def __init__(self, app: ASGIApp, acknowledge: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        self.app = app
        self._acknowledge = acknowledge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and watch the start of the response."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        context = HttpRequestContext(scope, receive)
        scope[REQUEST_CONTEXT] = context

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                if context.created:
                    context.response_started = not await context.is_disconnected()
                if context.replayed:
                    message = {**message, "headers": [*message["headers"], REPLAYED]}
            await send(message)

        try:
            await self.app(scope, context.receive, watched)
            if context.response_started:
                await self._acknowledge(context.created)
        finally:
            context.end()  # after the acknowledgment: until then a duplicate must find this request
