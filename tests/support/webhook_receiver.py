"""A receiver of webhooks: real HTTP on loopback, with answers by script."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ARRIVE_SECONDS_MAX = 60


@dataclass(frozen=True)
class Received:
    """One request, as its receiver got it."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Answers with the statuses of `script`, one after the other, then 204; an `Event` is waited for first."""

    url: str = ""
    script: list[int | threading.Event] = field(default_factory=list)
    got: list[Received] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, count: int) -> list[Received]:
        """The first requests, once there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, ARRIVE_SECONDS_MAX), f"{self.got} came"
            return list(self.got)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def log_message(self, *_, **__):
        pass

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver = self.receiver
        with receiver.changed:
            receiver.got.append(Received(self.path, headers, raw))
            answer = receiver.script.pop(0) if receiver.script else 204
            receiver.changed.notify_all()
        if isinstance(answer, threading.Event):
            answer.wait(ARRIVE_SECONDS_MAX)
            answer = 204
        try:
            self.send_response(answer)
            if 300 <= answer < 400:
                self.send_header("location", f"{receiver.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()
        except OSError:
            pass  # the gateway is gone


@contextmanager
def receiving(*script: int | threading.Event, port: int = 0) -> Iterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver(script=list(script))
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Scripted", (_Handler,), {"receiver": receiver}))
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
