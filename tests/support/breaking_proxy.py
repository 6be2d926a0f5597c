"""A line to a gateway that breaks: a TCP relay on loopback that hangs up on its first requests before the answer."""

import socket
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on; the first `breaks` requests that begin with `on` reach the gateway, and their answers nobody."""

    def __init__(self, target: str, *, breaks: int, on: bytes, says: bytes) -> None:
        split = urlsplit(target)
        self._target = (split.hostname, split.port)
        self._left, self._on, self._says = breaks, on, says
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.broken = 0
        self._open: list[socket.socket] = [self._server]
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def _run(self, target, *arguments) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def close(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as gateway:
            self._open += [client, gateway]
            try:
                while request := _request(client):
                    gateway.sendall(request)
                    if self._breaks(request):
                        gateway.close()
                        client.sendall(self._says)
                        return
                    _answer(gateway, client)
            except OSError:
                return

    def _breaks(self, request: bytes) -> bool:
        with self._lock:
            if self._left == 0 or not request.startswith(self._on):
                return False
            self._left -= 1
            self.broken += 1
            return True


def _request(client: socket.socket) -> bytes:
    """One whole request with a Content-Length, or chunked with all of its chunks."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(client)
        if not data:
            return b""
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < (lengths or [0])[0]:
        body += _more(client)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    return connection.recv(65536)


def _answer(gateway: socket.socket, client: socket.socket) -> None:
    """One whole answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = _more(gateway)
        if not part:
            return
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    client.sendall(data)
    left = (lengths or [0])[0] - len(body)
    while left > 0:
        part = _more(gateway)
        if not part:
            return
        client.sendall(part)
        left -= len(part)


@contextmanager
def breaking(target: str, *, breaks: int = 1, on: bytes = b"POST", says: bytes = b""):
    """A relay to `target`, for as long as the block runs; where it breaks it says `says`, and hangs up."""
    relay = Relay(target, breaks=breaks, on=on, says=says)
    try:
        yield relay
    finally:
        relay.close()


BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
