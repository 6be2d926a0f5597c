"""A service that answers from a list, and keeps whole what it was sent."""

import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

KEY = "key-of-the-account"
TRANSPORT = {"host", "content-length", "accept-encoding", "connection"}  # of the HTTP library, not of the adapter
DATA_URL = re.compile(r"data:(image/\w+);base64,([A-Za-z0-9+/=]+)")


@dataclass
class Tape:
    """What is answered, in order, and what was asked."""

    answers: list[dict[str, Any]]
    asked: list[dict[str, Any]] = field(default_factory=list)


class Replayer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tape: Tape

    def log_message(self, *_: object) -> None:
        pass

    def handle_any(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.tape.asked.append(seen(self.command, self.path, dict(self.headers.items()), data))
        if len(self.tape.asked) > len(self.tape.answers):
            answer: dict[str, Any] = {"status": 599, "body": "nothing more is written"}
        else:
            answer = self.tape.answers[len(self.tape.asked) - 1]
        body = answer.get("body", "")
        port = self.server.server_address[1]
        text = (body if isinstance(body, str) else json.dumps(body)).replace("{{here}}", f"http://127.0.0.1:{port}")
        self.send_response(answer["status"])
        for name, value in answer.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's names


@contextmanager
def replaying(tape: Tape) -> Iterator[str]:
    """Serve the tape on a free port; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Replaying", (Replayer,), {"tape": tape}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def seen(method: str, path: str, headers: dict[str, str], data: bytes) -> dict[str, Any]:
    """A request, whole: what differs from run to run (pixels, a boundary) is replaced by what it stands for."""
    kept = {name.lower(): value.replace(KEY, "<key>") for name, value in headers.items()}
    kept = {name: value for name, value in sorted(kept.items()) if name not in TRANSPORT}
    told: dict[str, Any] = {"method": method, "path": path, "headers": kept}
    kind = kept.get("content-type", "")
    if kind.startswith("application/json"):
        told["body"] = shortened(json.loads(data))
    elif kind.startswith("multipart/form-data"):
        kept["content-type"] = "multipart/form-data; boundary=<boundary>"
        told["body"] = parts(kind, data)
    elif data:
        told["body"] = picture(data)
    return told


def parts(kind: str, data: bytes) -> dict[str, Any]:
    """The parts of a multipart body; several of one name as a list."""
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + data)
    several: dict[str, list[Any]] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        file = part.get_filename()
        value = {"file": file, "type": part.get_content_type(), "is": picture(content)} if file else content.decode()
        several.setdefault(name, []).append(shortened(value))
    return {name: values if len(values) > 1 else values[0] for name, values in several.items()}


def picture(data: bytes) -> str:
    """What a picture's bytes stand for: another version of a library writes others."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return f"<{image.format} {image.width}x{image.height}>"
    except OSError:
        return data.decode("utf-8", "replace")


def shortened(value: Any) -> Any:
    """The value with the pictures in its data URLs named by their size."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str):
        return DATA_URL.sub(lambda found: f"data:{found[1]};base64,{picture(base64.b64decode(found[2]))}", value)
    return value
