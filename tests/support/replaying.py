"""A server that replays a list of responses and records the whole requests."""

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
from typing import Any, cast

from PIL import Image

KEY = "key-of-the-account"
TRANSPORT_HEADERS = {"host", "content-length", "accept-encoding", "connection"}  # of the HTTP library
DATA_URL = re.compile(r"data:(image/\w+);base64,([A-Za-z0-9+/=]+)")


@dataclass
class Tape:
    """The responses, in order, and the recorded requests."""

    responses: list[dict[str, Any]]
    requests: list[dict[str, Any]] = field(default_factory=list)


class Replayer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tape: Tape

    def log_message(self, *_: object, **__: object) -> None:
        pass

    def handle_any(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        number = len(self.tape.requests)
        self.tape.requests.append(recorded(self.command, self.path, dict(self.headers.items()), data))
        if number >= len(self.tape.responses):
            response: dict[str, Any] = {"status": 599, "body": "no response is left on the tape"}
        else:
            response = self.tape.responses[number]
        body = response.get("body", "")
        _, port = cast("tuple[str, int]", self.server.server_address)
        text = (body if isinstance(body, str) else json.dumps(body)).replace("{{here}}", f"http://127.0.0.1:{port}")
        self.send_response(response["status"])
        for name, value in response.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's names


@contextmanager
def replaying(tape: Tape) -> Iterator[str]:
    """Serve the tape on a free port; yields the URL."""
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


def recorded(method: str, path: str, headers: dict[str, str], data: bytes) -> dict[str, Any]:
    """A whole request as JSON; what differs from run to run (pixels, a boundary) is replaced by a description."""
    own_headers = {name.lower(): value.replace(KEY, "<key>") for name, value in headers.items()}
    own_headers = {name: value for name, value in sorted(own_headers.items()) if name not in TRANSPORT_HEADERS}
    own_headers |= {"user-agent": re.sub(r"^Framegate/\S+$", "framegate", own_headers.get("user-agent", ""))}
    request: dict[str, Any] = {"method": method, "path": path, "headers": own_headers}
    content_type = own_headers.get("content-type", "")
    if content_type.startswith("application/json"):
        request["body"] = shortened(json.loads(data))
    elif content_type.startswith("multipart/form-data"):
        own_headers["content-type"] = "multipart/form-data; boundary=<boundary>"
        request["body"] = parts(content_type, data)
    elif data:
        request["body"] = picture(data)
    return request


def parts(content_type: str, data: bytes) -> dict[str, Any]:
    """The parts of a multipart body; several with one name as a list."""
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + data)
    values_by_name: dict[str, list[Any]] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        file = part.get_filename()
        value = {"file": file, "type": part.get_content_type(), "is": picture(content)} if file else content.decode()
        values_by_name.setdefault(name, []).append(shortened(value))
    return {name: values if len(values) > 1 else values[0] for name, values in values_by_name.items()}


def picture(data: bytes) -> str:
    """A description of a picture: its bytes depend on the version of a library."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return f"<{image.format} {image.width}x{image.height}>"
    except OSError:
        return data.decode("utf-8", "replace")


def shortened(value: Any) -> Any:
    """The value with descriptions instead of the pictures in its data URLs."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str):
        return DATA_URL.sub(lambda match: f"data:{match[1]};base64,{picture(base64.b64decode(match[2]))}", value)
    return value
