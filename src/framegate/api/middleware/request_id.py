"""Request ids: `X-Request-Id` of the client, or a new one, in the response and in every log line of the request."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framegate.domain.machine import REAL_MACHINE
from framegate.telemetry.logging import REQUEST_ID

HEADER = "X-Request-Id"
ID_CHARS_MAX = 128
SANE = re.compile(rf"[A-Za-z0-9._:/+=-]{{1,{ID_CHARS_MAX}}}", re.ASCII)
STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


class RequestIds:
    """ASGI middleware: gives each request an id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, with the id in the context of its log lines."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        sent_id = Headers(scope=scope).get(HEADER, "")
        request_id = sent_id if SANE.fullmatch(sent_id) else REAL_MACHINE.uuid7()

        async def identified(message: Message) -> None:
            if message["type"] in STARTS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        REQUEST_ID.set(request_id)  # for the rest of the server's task of this request, which logs errors
        await self.app(scope, receive, identified)
