"""Limits of connections: time and size of a request's header, and the number of connections."""

import asyncio
import logging
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from framegate.config.settings import Settings, SettingsInvalid

HEADER_BYTES_MAX = 2**16
FILES_RESERVED = 1024  # open files that are no connections of clients: the database, videos, providers
TOO_SLOW = "408 Request Timeout"
TOO_LARGE = "431 Request Header Fields Too Large"
TOO_MANY = "503 Service Unavailable"

_log = logging.getLogger(__name__)


class Idle(Protocol):
    """A connection without a request in progress."""

    def give_way(self) -> None:
        """Close, so that another connection has room."""
        ...


@dataclass(slots=True)
class ConnectionLimits:
    """Limits of all connections of a server, and those that have no request in progress, the oldest first."""

    connections_max: int
    header_seconds: float
    idle: dict[Idle, None] = field(default_factory=dict["Idle", None])

    def make_room(self) -> bool:
        """Close the connection that has waited longest for a request; return whether there is one."""
        oldest = next(iter(self.idle), None)
        if oldest is not None:
            oldest.give_way()
        return oldest is not None


class LimitedHttp(HttpToolsProtocol):
    """HTTP connection that closes if the header of a request is too slow or too large.

    If there are too many connections, those without a request give way, since half-sent requests must keep no one out.
    """

    def __init__(self, *args: Any, limits: ConnectionLimits, **options: Any) -> None:  # noqa: ANN401 - as uvicorn calls it
        super().__init__(*args, **options)
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None  # runs while a header is awaited
        self._header_bytes = 0
        self._is_in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections_max and not self._limits.make_room():
            self._reject(TOO_MANY)
            return
        self._limits.idle[self] = None
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what was received, and watch the header of the next request."""
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._end_wait()
        elif not self.cycle or self.cycle.response_complete:
            self._expect_header()  # also while the rest of a body arrives whose request is already answered
            self._header_bytes += 0 if self._is_in_body else len(data)
            if self._header_bytes > HEADER_BYTES_MAX:
                self._reject(TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self._end_wait()
        self._is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request."""
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request; until its first byte, the server's limit of kept connections counts."""
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            self._limits.idle[self] = None

    def give_way(self) -> None:
        """Close, so that another connection has room."""
        self._end_wait()
        self.transport.close()

    def _expect_header(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._limits.header_seconds, self._on_timeout)

    def _end_wait(self) -> None:
        self._limits.idle.pop(self, None)
        self._header_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        if self._header_bytes:
            self._reject(TOO_SLOW)
        else:
            self.give_way()

    def _reject(self, status: str) -> None:
        """Answer and close. There is no request yet, so the answer belongs to no dialect."""
        self.transport.write(f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
        self.give_way()


def connection_limits(settings: Settings, *, raise_file_limit: Callable[[int], int] | None = None) -> ConnectionLimits:
    """Return the limits of a server, whose process may open enough files for them.

    The limit of open files is raised as far as the system allows. Raises `SettingsInvalid` if a `connections_max` that
    was set does not fit; the default is lowered, with a warning.
    """
    needed = settings.connections_max + FILES_RESERVED
    allowed = (raise_file_limit or raise_open_files)(needed)
    connections_max = settings.connections_max
    if allowed < needed:
        connections_max = max(1, allowed - FILES_RESERVED if allowed > 2 * FILES_RESERVED else allowed // 2)
        remedy = f"Raise it (`ulimit -n {needed}`, `LimitNOFILE=`), or set connections_max to {connections_max}."
        problem = (
            f"{settings.connections_max} connections need {needed} open files, and this process may open {allowed}."
        )
        if "connections_max" in settings.model_fields_set:
            raise SettingsInvalid(f"{problem} {remedy}")
        _log.warning("%s At most %d connections are accepted. %s", problem, connections_max, remedy)
    return ConnectionLimits(connections_max, settings.header_timeout_seconds)


def raise_open_files(needed: int) -> int:
    """Raise this process's limit of open files to what is needed, or as far as possible; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS has a lower limit than it says
        return soft
    return wanted
