"""Sinks of streamed responses: a file that appears complete or not at all, and the events of a job."""

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
    """Receives a streamed response that has a status of success."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Receive the status and the headers of a response."""
        ...

    def write(self, chunk: bytes) -> Iterable[Event]:
        """Receive a piece of the body, and return the events that it completes."""
        ...


class Download:
    """A download into a temporary file, which is verified and then renamed.

    After a lost connection the download continues where it stopped. Raises `BrokenVideo` if the size or the checksum
    does not match.
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
        """Request headers for the missing part of the file, if it is still the same file."""
        if not self.received or not self.etag:
            return {}
        return {"Range": f"bytes={self.received}-", "If-Range": self.etag}

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Continue the file if the response is its missing part; otherwise start again."""
        if self._file is None:
            raise RuntimeError("use a download in a with statement")
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
        """Append a piece."""
        if self._file is None:
            raise RuntimeError("use a download in a with statement")
        self._file.write(chunk)
        self._hash.update(chunk)
        self.received += len(chunk)
        return ()

    def finish(self) -> Path:
        """Verify the file and rename it. Returns its path."""
        if self._file is None:
            raise RuntimeError("use a download in a with statement")
        self._file.close()
        if self.size_bytes is not None and self.received != self.size_bytes:
            raise BrokenVideo(f"The downloaded file has {self.received} bytes instead of {self.size_bytes}.")
        if self.sha256 and self._hash.hexdigest() != self.sha256:
            raise BrokenVideo("The checksum of the downloaded file does not match the gateway's.")
        self.part.replace(self.path)
        return self.path


class EventFollower:
    """The events of a job, each once and in order, over any number of connections."""

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
        self.is_complete = False  # the last event of the job has been received
        self._deadline = deadline
        self._on_event = on_event
        self._parser = EventStreamParser()

    def begin(self, status: int, headers: Mapping[str, str]) -> None:  # noqa: ARG002 - the signature of a sink
        """Discard the incomplete event of a lost connection."""
        self._parser = EventStreamParser()

    def write(self, chunk: bytes) -> Iterable[Event]:
        """Parse the next events. Raises `WaitTimeout` at the deadline, also if there are only heartbeats."""
        events: list[Event] = []
        for seq, data in self._parser.feed(chunk):
            event = models.parse_event(self.job_id, seq, data)
            if event is None or event.seq <= self.seq:
                continue
            self.seq = event.seq
            self.is_complete = event.state.is_final
            events.append(event)
            if self._on_event:
                self._on_event(event)
        self.expire()
        return events

    def expire(self) -> None:
        """Raise `WaitTimeout` if the deadline has passed."""
        if not self.is_complete and (left := self.seconds_left()) is not None and left <= 0:
            raise WaitTimeout(
                f"Job {self.job_id} has not ended yet. It is still running; wait for it again at any time."
            )

    def seconds_left(self) -> float | None:
        """Time until the deadline; None if there is none."""
        return None if self._deadline is None else self._deadline - time.monotonic()


class EventStreamParser:
    """Parser of the event stream format of the HTML standard: `id` and `data` of each event.

    `httpx2.EventSource` returns nothing for comments. A stream that has only heartbeats would never give control back,
    and `wait(timeout=…)` would never end.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""
        self._id = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The (id, data) of each event that the chunk completes."""
        text = self._text + self._decoder.decode(chunk)
        if len(text) > EVENT_CHARS_MAX:
            raise BrokenVideo(f"The gateway sent an event of more than {EVENT_CHARS_MAX} characters.")
        last_cr = "\r" if text.endswith("\r") else ""  # may be the first half of a line end
        *lines, incomplete = re.split("\r\n|\n|\r", text.removesuffix(last_cr))
        self._text = incomplete + last_cr
        return [event for line in lines if (event := self._feed_line(line))]

    def _feed_line(self, line: str) -> tuple[str, str] | None:
        if not line:
            event = (self._id, "\n".join(self._data)) if self._data else None
            self._data = []
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None
