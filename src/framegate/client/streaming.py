"""Where streamed answers go: a file that appears whole or not at all, and events one by one."""

import codecs
import hashlib
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Protocol, Self

from framegate.client import models
from framegate.client.errors import BrokenVideo, WaitTimeout
from framegate.domain import Event

EVENT_CHARS_MAX = 1_000_000


class Sink(Protocol):
    """Takes a streamed answer; called only where the status says that it went well."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn what is coming."""
        ...

    def write(self, chunk: bytes) -> Iterable[Event]:
        """Take a piece, and give back what it completed."""
        ...


class Download:
    """A file that grows beside its place, is checked, and then takes its place.

    A broken stream goes on where it stopped. Raises `BrokenVideo` where length or checksum are not as announced.
    """

    def __init__(self, path: Path, sha256: str | None) -> None:
        self.path = path
        self.sha256 = sha256
        self.part = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}.part")
        self.etag: str | None = None
        self.size_bytes: int | None = None
        self.received = 0
        self._hash = hashlib.sha256()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._file = self.part.open("xb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
        self.part.unlink(missing_ok=True)

    def headers(self) -> dict[str, str]:
        """Ask for the rest of the file that was begun, if it is still the same file."""
        if not self.received or not self.etag:
            return {}
        return {"Range": f"bytes={self.received}-", "If-Range": self.etag}

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Append to what is there when the answer is the rest of it; else begin anew."""
        if self._file is None:
            raise RuntimeError("a download is used in a with statement")
        if status == 206:
            self.size_bytes = int(headers["content-range"].rpartition("/")[2])
            return
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.received = 0
        self.etag = headers.get("etag")
        self.size_bytes = int(headers["content-length"]) if "content-length" in headers else None

    def write(self, chunk: bytes) -> Iterable[Event]:
        """Keep a piece."""
        if self._file is None:
            raise RuntimeError("a download is used in a with statement")
        self._file.write(chunk)
        self._hash.update(chunk)
        self.received += len(chunk)
        return ()

    def finish(self) -> Path:
        """Check the file and put it in its place."""
        if self._file is None:
            raise RuntimeError("a download is used in a with statement")
        self._file.close()
        if self.size_bytes is not None and self.received != self.size_bytes:
            raise BrokenVideo(f"The video has {self.received} bytes where {self.size_bytes} were announced.")
        if self.sha256 and self._hash.hexdigest() != self.sha256:
            raise BrokenVideo("The video that arrived does not have the checksum that the gate keeps for it.")
        self.part.replace(self.path)
        return self.path


class Following:
    """A job's events out of a server-sent stream, each once and in order, over as many connections as it takes."""

    def __init__(
        self,
        job_id: str,
        *,
        after: int = 0,
        deadline: float | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        self.job_id = job_id
        self.seq = after
        self.over = False
        self._deadline = deadline
        self._on_event = on_event
        self._lines = Lines()

    def begin(self, status: int, headers: Mapping[str, str]) -> None:  # noqa: ARG002 - a sink is told both
        """Forget the half event of a connection that broke."""
        self._lines = Lines()

    def write(self, chunk: bytes) -> Iterable[Event]:
        """Read on; raises `WaitTimeout` at the deadline, heartbeats or not."""
        found: list[Event] = []
        for seq, data in self._lines.feed(chunk):
            event = models.parse_event(self.job_id, seq, data)
            if event is None or event.seq <= self.seq:
                continue
            self.seq = event.seq
            self.over = event.state.is_final
            found.append(event)
            if self._on_event:
                self._on_event(event)
        self.expire()
        return found

    def expire(self) -> None:
        """Raise `WaitTimeout` if the deadline has passed."""
        if not self.over and (left := self.seconds_left()) is not None and left <= 0:
            raise WaitTimeout(f"Job {self.job_id} is not over yet. It goes on; wait for it again whenever you like.")

    def seconds_left(self) -> float | None:
        """Time until the deadline; None where there is none."""
        return None if self._deadline is None else self._deadline - time.monotonic()


class Lines:
    """The event stream format of the HTML standard, as far as a client of ours needs it: `id` and `data`."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""
        self._id = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """Return the (id, data) of each event that the chunk completes."""
        text = self._text + self._decoder.decode(chunk)
        if len(text) > EVENT_CHARS_MAX:
            raise BrokenVideo(f"The gate sent an event of more than {EVENT_CHARS_MAX} characters.")
        held = "\r" if text.endswith("\r") else ""  # half of a line end, perhaps
        *lines, rest = re.split("\r\n|\n|\r", text.removesuffix(held))
        self._text = rest + held
        return [done for line in lines if (done := self._line(line))]

    def _line(self, line: str) -> tuple[str, str] | None:
        if not line:
            done = (self._id, "\n".join(self._data)) if self._data else None
            self._data = []
            return done
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None
