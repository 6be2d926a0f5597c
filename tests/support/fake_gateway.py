"""Fake gateway for tests of the SDK and the command line: the native API over real HTTP, with planned faults."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

VIDEO = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(VIDEO).hexdigest()


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


@dataclass
class ReceivedRequest:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Plan:
    """The behaviour of the gateway: the states of the job, and faults."""

    states: list[str] = field(default_factory=lambda: ["queued", "preparing", "running", "checking", "completed"])
    error: str | None = None
    jobs: int = 1
    sandbox: bool = False
    faults: list[tuple[str, Callable[["Handler"], None]]] = field(
        default_factory=list
    )  # (path pattern, action), each used once
    events_per_connection: int = 100
    job_fields: dict[str, Any] = field(default_factory=dict)
    video: bytes = VIDEO
    received: list[ReceivedRequest] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)

    def requests(self, method: str, pattern: str) -> list[ReceivedRequest]:
        return [
            request for request in self.received if request.method == method and re.fullmatch(pattern, request.path)
        ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plan: Plan

    def log_message(self, *_: object, **__: object) -> None:
        pass

    def respond(self, status: int, body: object, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def reject(self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None, **extra: object):
        body = {"error": {"code": status, "message": message, "metadata": {"error_type": code, **extra}}}
        self.respond(status, body, **(headers or {}))

    def hang_up(self) -> None:
        self.close_connection = True

    def job(self, number: int = 0) -> dict[str, Any]:
        last = self.plan.states[-1]
        status = last if last in ("completed", "failed", "cancelled", "expired") else "in_progress"
        return {
            "id": f"job-{number}",
            "status": status,
            "polling_url": f"/api/v1/videos/job-{number}",
            "error": self.plan.error,
            "outputs": [{"sha256": SHA256, "width": 1280, "height": 720}] if status == "completed" else [],
            **self.plan.job_fields,
        }

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api/v1")
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else self.chunked()
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = ReceivedRequest(self.command, path, parse_qs(parts.query), headers, body)
        self.plan.received.append(request)
        for fault in self.plan.faults:
            if re.fullmatch(fault[0], f"{self.command} {path}"):
                self.plan.faults.remove(fault)
                fault[1](self)
                return
        self.route(request)

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - http.server's names

    def chunked(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return b""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def route(self, request: ReceivedRequest) -> None:  # noqa: C901, PLR0912 - one case for each route
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["assets"]:
                self.respond(201, {"url": f"asset://{hashlib.sha256(request.body).hexdigest()}"})
            case "POST", ["videos"]:
                key = request.headers["idempotency-key"]
                self.plan.keys.setdefault(key, f"job-{len(self.plan.keys)}")
                self.respond(202, self.job() | {"id": self.plan.keys[key], "status": "pending"})
            case "POST", ["videos", "check"]:
                self.respond(200, {"ok": True, "model": "m", "problems": [], "estimate": {"usd": 0.4, "basis": "4 s"}})
            case "GET", ["videos", "models"]:
                self.respond(200, {"data": [{"id": "framegate/animatic", "name": "Animatic"}]})
            case "GET", ["gateway"]:
                self.respond(200, {"version": "0", "sandbox": self.plan.sandbox})
            case "GET", ["videos"]:
                self.page(request)
            case "GET", ["videos", _, "events"]:
                self.stream(request)
            case "GET", ["videos", _, "content"]:
                self.content(request)
            case "GET", ["videos", _, "report"]:
                self.respond(200, {"verdict": "pass"})
            case "GET", ["videos", _]:
                self.respond(200, self.job())
            case "POST", ["videos", _, "rerun"]:
                self.respond(202, self.job() | {"status": "pending"})
            case "POST", ["videos", _, "cancel"]:
                self.respond(200, self.job() | {"status": "cancelled"})
            case "DELETE", ["videos", _]:
                self.send_response(204)
                self.end_headers()
            case _:
                self.reject(404, "not_found", "Not found.")

    def page(self, request: ReceivedRequest) -> None:
        start = int(request.query.get("after", ["0"])[0])
        limit = min(2, int(request.query["limit"][0]))
        end = min(self.plan.jobs, start + limit)
        page = [self.job(number) for number in range(start, end)]
        self.respond(200, {"data": page, "next": str(end) if end < self.plan.jobs else None})

    def stream(self, request: ReceivedRequest) -> None:
        after = int(request.headers.get("last-event-id", "0"))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 2000\n\n: hello\n\n")
        numbered = list(enumerate(self.plan.states, start=1))[after : after + self.plan.events_per_connection]
        for seq, state in numbered:
            data = {"id": "job-0", "seq": seq, "at": 1.5, "state": state, "stage": state, "progress": seq * 10}
            self.wfile.write(f"id: {seq}\nevent: state\ndata: {json.dumps(data)}\n\n".encode())
        self.close_connection = True

    def content(self, request: ReceivedRequest, *, stop_after: int | None = None) -> None:
        start = 0
        byte_range = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if byte_range and request.headers.get("if-range") == f'"{SHA256}"':
            start = int(byte_range[1])
        content = self.plan.video[start:]
        self.send_response(206 if start else 200)
        self.send_header("etag", f'"{SHA256}"')
        self.send_header("content-length", str(len(content)))
        if start:
            self.send_header("content-range", f"bytes {start}-{len(self.plan.video) - 1}/{len(self.plan.video)}")
        self.end_headers()
        self.wfile.write(content[:stop_after])
        if stop_after is not None:
            self.close_connection = True


@contextmanager
def serve_plan(plan: Plan) -> Iterator[str]:
    """Serve a plan on a free port; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Planned", (Handler,), {"plan": plan}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
