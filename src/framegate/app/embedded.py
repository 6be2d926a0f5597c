"""Embedded gateway: runs in a thread of this process, on a private Unix socket."""

import secrets
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

import uvicorn

from framegate.app.asgi import build_app
from framegate.app.server import STOP_SECONDS_MAX, LifespanErrorRecorder, Server
from framegate.client import Framegate
from framegate.domain.errors import Unavailable
from framegate.storage.private import make_private_file

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from framegate.config.settings import Settings

START_SECONDS_MAX = 60
KEY_FILE = "key"  # beside the socket, in a folder that only its owner can read: for the owner's other commands
TEMPORARY_CHARS_MAX = 60  # the path of a Unix socket has about 100 bytes in all


@contextmanager
def embedded_gateway(settings: "Settings") -> "Generator[Framegate]":
    """Run a gateway over the data folder for as long as the context lasts.

    Unfinished jobs stay in the data folder; the next gateway that uses it continues them. Raises `DataFolderBusy` if
    another process uses the folder.
    """
    if settings.api_key is None:  # the owner of the folder is the operator, whatever keys others have
        settings = settings.model_copy(update={"api_key": secrets.token_urlsafe(32)})
    parent = gettempdir() if len(gettempdir()) <= TEMPORARY_CHARS_MAX else "/tmp"  # noqa: S108 - the folder in it is new
    with TemporaryDirectory(prefix="framegate-", dir=parent) as folder:  # readable by its owner alone
        path = Path(folder) / "gate.sock"
        key_file = path.with_name(KEY_FILE)
        make_private_file(key_file)
        key_file.write_text(settings.api_key or "", encoding="utf-8")
        server = _BackgroundServer(settings, path)
        try:
            server.start()
            with Framegate(f"unix:{path}", settings.api_key) as client:
                yield client
        finally:
            server.stop()


def key_of(url: str) -> str | None:
    """Return the key of a gateway embedded in another command of this user, by its URL; None if it is unreadable."""
    try:
        return Path(url.removeprefix("unix:")).with_name(KEY_FILE).read_text(encoding="utf-8") or None
    except OSError:
        return None


class _BackgroundServer:
    """A server in a thread of its own, on a Unix socket."""

    def __init__(self, settings: "Settings", path: Path) -> None:
        self._ready = threading.Event()
        app = build_app(settings)
        self._recorder = LifespanErrorRecorder(app)
        config = uvicorn.Config(
            self._recorder,
            uds=str(path),
            lifespan="on",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        self._server = _SocketFileServer(config, app, lambda _: self._ready.set(), path)
        self._thread = threading.Thread(target=self._run, name="framegate", daemon=True)

    def start(self) -> None:
        """Return once the server answers; raise what kept the gateway from starting."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS_MAX):
            raise Unavailable(f"The gateway did not start within {START_SECONDS_MAX} seconds.")
        if not self._server.started:
            self._recorder.raise_error()
            raise Unavailable("The gateway ended while it was starting.")

    def stop(self) -> None:
        """Stop the gateway; unfinished jobs stay in the data folder."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS_MAX)

    def _run(self) -> None:
        try:
            with suppress(SystemExit):  # uvicorn exits when the start fails; `start` raises the reason
                self._server.run()
        finally:
            self._ready.set()


class _SocketFileServer(Server):
    """A server whose URL is the path of its socket."""

    def __init__(self, config: uvicorn.Config, app: "Starlette", on_ready: Callable[[str], object], path: Path) -> None:
        super().__init__(config, app, on_ready)
        self._path = path

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await uvicorn.Server.startup(self, sockets)
        self._announce(f"unix:{self._path}")
