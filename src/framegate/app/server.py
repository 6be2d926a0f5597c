"""HTTP server: uvicorn in the foreground, on a bound socket."""

import gc
import logging
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from framegate.api.context import ApiContext
from framegate.app.asgi import build_app
from framegate.app.connections import LimitedHttp, connection_limits
from framegate.app.parts import Parts
from framegate.domain.errors import FramegateError, Unavailable
from framegate.telemetry.logging import quiet_noisy_loggers, redact_request_logs

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

    from framegate.config.settings import Settings

STOP_SECONDS_MAX = 10  # for downloads in progress; followers of a job are disconnected at once
KEEP_ALIVE_SECONDS = 30
SOCKET_MESSAGE_BYTES_MAX = 4096  # clients send single words over websockets


def run(settings: "Settings", listener: socket.socket, *, on_ready: Callable[[str], object], log_level: str) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM; `on_ready` receives the base URL.

    Raises what kept the gateway from starting, for example `DataFolderBusy` and `SettingsInvalid`. Requests are logged
    at `info`.
    """
    quiet_noisy_loggers()
    redact_request_logs()
    app = build_app(settings)
    recorder = LifespanErrorRecorder(app)
    config = uvicorn.Config(
        recorder,
        http=partial(LimitedHttp, limits=connection_limits(settings)),  # pyright: ignore[reportArgumentType] - it is only called
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES_MAX,
        server_header=False,
        log_config=None,
        log_level="critical",  # until it serves: errors before that are raised
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
    )

    def ready(url: str) -> None:
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).setLevel(log_level.upper())
        on_ready(url)
        gc.collect()
        gc.freeze()  # collections skip what was built at the start; looking at it blocks the loop for 0.1 s

    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn's own handlers stop the server, then call these
        signal.signal(number, _exit)
    try:
        Server(config, app, ready).run([listener])
    except SystemExit:
        recorder.raise_error()
        raise


def _exit(*_: object) -> None:
    raise SystemExit(0)


class Server(uvicorn.Server):
    """A uvicorn server that reports its URL, and closes event streams before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, app: "Starlette", on_ready: Callable[[str], object]) -> None:
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and report the URL."""
        await super().startup(sockets)
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._announce(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; followers of a job are disconnected first."""
        context: ApiContext = self._app.state.gateway
        context.closing.set()
        await super().shutdown(sockets)

    def _announce(self, url: str) -> None:
        parts: Parts = self._app.state.parts
        parts.lock.announce(url)
        self._on_ready(url)


class LifespanErrorRecorder:
    """ASGI wrapper that keeps the error with which the lifespan failed: uvicorn only logs it."""

    def __init__(self, app: "ASGIApp") -> None:
        self._error: BaseException | None = None
        self._app = app

    def raise_error(self) -> None:
        """Raise the error, if there is one; an error of a library as `Unavailable`."""
        if self._error is None:
            return
        if isinstance(self._error, (FramegateError, OSError)):
            raise self._error
        first_line = str(self._error).split("\n", 1)[0]
        kind = type(self._error).__name__
        raise Unavailable(f"The gateway cannot start: {first_line} ({kind}).") from self._error

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            if scope["type"] == "lifespan":
                self._error = error
            raise
