"""The gate in a server: here for others to reach, or in this process over a socket that nobody else can open."""

import logging
import re
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

import uvicorn

from framegate.app.parts import Server, build_app
from framegate.client import Framegate
from framegate.domain.errors import FramegateError, Unavailable

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

    from framegate.config.settings import Settings

START_SECONDS_MAX = 60
KEY_FILE = "key"  # beside the socket, in a folder that only its owner reads: for the owner's other commands
TEMPORARY_CHARS_MAX = 60  # a socket's path has about a hundred in all
STOP_SECONDS_MAX = 10  # for downloads under way; those who follow a job are let go at once
KEEP_ALIVE_SECONDS = 30
NOISY_LOGGERS = ("aiosqlite", "httpx2")  # log whole statements and whole addresses, with whatever is secret in them
IN_QUERIES = re.compile(r"\b((?:signature|fal_jwt_token|download_token|download_sig)=)[^&\s\"]+")  # they open files
SOCKET_MESSAGE_BYTES_MAX = 4096  # what clients say over websockets is a word


@contextmanager
def embedded_gateway(settings: "Settings") -> "Generator[Framegate]":
    """Run a gate over the data folder for as long as the context lasts.

    Jobs that it leaves unfinished stay in the data folder, and go on with the next gate that owns it. Raises
    `DataFolderBusy` when another process owns the folder.
    """
    if settings.api_key is None:  # the folder's owner is the operator, whatever keys others were given
        settings = settings.model_copy(update={"api_key": secrets.token_urlsafe(32)})
    place = gettempdir() if len(gettempdir()) <= TEMPORARY_CHARS_MAX else "/tmp"  # noqa: S108 - the folder made in it is new
    with TemporaryDirectory(prefix="framegate-", dir=place) as folder:  # its owner's alone
        path = Path(folder) / "gate.sock"
        path.with_name(KEY_FILE).write_text(settings.api_key or "", encoding="utf-8")
        server = _Background(settings, path)
        try:
            server.start()
            with Framegate(f"unix:{path}", settings.api_key) as gate:
                yield gate
        finally:
            server.stop()


def key_of(url: str) -> str | None:
    """The key of the gate inside another command of this user, by its address; None where it has none to read."""
    try:
        return Path(url.removeprefix("unix:")).with_name(KEY_FILE).read_text(encoding="utf-8") or None
    except OSError:
        return None


def redact_query_secrets(record: logging.LogRecord) -> bool:
    """Take the signatures and tokens of links out of a line of the log: whoever reads them could use them."""
    if isinstance(record.args, tuple):
        record.args = tuple(IN_QUERIES.sub(r"\1…", one) if isinstance(one, str) else one for one in record.args)
    return True


def run(settings: "Settings", listener: socket.socket, *, on_ready: Callable[[str], object], log_level: str) -> None:
    """Serve on a bound socket until a signal says stop; `on_ready` is told the base URL.

    Raises what kept the gate from starting, `DataFolderBusy` for one. Requests are logged at `info`.
    """
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(redact_query_secrets)
    app = build_app(settings)
    noting = _LifespanErrorRecorder(app)
    config = uvicorn.Config(
        noting,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES_MAX,
        server_header=False,
        log_config=None,
        log_level="critical",  # until it serves: what goes wrong before is raised
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
    )

    def ready(url: str) -> None:
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).setLevel(log_level.upper())
        on_ready(url)

    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn's handlers stop it, then hand on to these
        signal.signal(number, _leave)
    try:
        Server(config, app, ready).run([listener])
    except SystemExit:
        noting.raise_failure()
        raise


def _leave(*_: object) -> None:
    raise SystemExit(0)


class _Background:
    """The gate in a thread of its own, on a Unix socket."""

    def __init__(self, settings: "Settings", path: Path) -> None:
        self._ready = threading.Event()
        app = build_app(settings)
        self._app = _LifespanErrorRecorder(app)
        config = uvicorn.Config(
            self._app,
            uds=str(path),
            lifespan="on",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        self._server = _OnSocketFile(config, app, lambda _: self._ready.set(), path)
        self._thread = threading.Thread(target=self._run, name="framegate", daemon=True)

    def start(self) -> None:
        """Return once requests are answered; raise what kept the gate from starting."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS_MAX):
            raise Unavailable(f"The gate did not start within {START_SECONDS_MAX} seconds.")
        if not self._server.started:
            self._app.raise_failure()
            raise Unavailable("The gate ended while it was starting.")

    def stop(self) -> None:
        """End the gate; what is unfinished stays in the data folder."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS_MAX)

    def _run(self) -> None:
        try:
            with suppress(SystemExit):  # uvicorn's way to say that the start failed; `start` raises why
                self._server.run()
        finally:
            self._ready.set()


class _OnSocketFile(Server):
    """A server that is told of by its socket's path: to the one who waits, and to other commands of this user."""

    def __init__(self, config: uvicorn.Config, app: "Starlette", on_ready: Callable[[str], object], path: Path) -> None:
        super().__init__(config, app, on_ready)
        self._path = path

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await uvicorn.Server.startup(self, sockets)
        url = f"unix:{self._path}"
        self._app.state.parts.lock.announce(url)
        self._on_ready(url)


class _LifespanErrorRecorder:
    """Passes everything on, and keeps what the lifespan failed with: uvicorn only logs it."""

    def __init__(self, app: "ASGIApp") -> None:
        self._failure: BaseException | None = None
        self._app = app

    def raise_failure(self) -> None:
        """Raise it, if there is one; a fault of a library's own kind, such as a broken database, as `Unavailable`."""
        if self._failure is None:
            return
        if isinstance(self._failure, (FramegateError, OSError)):
            raise self._failure
        first = str(self._failure).split("\n", 1)[0]
        raise Unavailable(f"The gate cannot start: {first} ({type(self._failure).__name__}).") from self._failure

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        try:
            await self._app(scope, receive, send)
        except BaseException as failure:
            if scope["type"] == "lifespan":
                self._failure = failure
            raise
