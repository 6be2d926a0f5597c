"""A service that is ordered from: of OpenRouter's shape, and of fal's beside it. It counts all that it takes.

What it does with an order is planned by the mark in the order's prompt; without a plan it makes the video at once.
"""

import io
import json
import re
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import av
import numpy as np

MARK = re.compile(r"take-[\w-]+")
NATIVE = re.compile(r"/api/v1/videos/(\w+)(/content)?")
FAL = re.compile(r"/fal/queue/(?:[\w.-]+/)+?requests/(\w+)(/status|/cancel|/content)?")
PENDING: dict[str, Any] = {"status": "pending"}
DONE: dict[str, Any] = {"status": "completed"}
FAILED: dict[str, Any] = {"status": "failed", "error": "It is not made."}
FAL_FAILED: dict[str, Any] = {"status": "COMPLETED", "error": "It is not made."}
Answer = dict[str, Any] | int | str  # an object, an error's status, or `cut`


def clip(still: np.ndarray, frames: int = 24) -> bytes:
    """A video that moves over a picture, at 24 frames per second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = still.shape[1], still.shape[0], "yuv420p"
        for number in range(frames):
            moved = np.ascontiguousarray(np.roll(still, 2 * number, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


CLIP = clip(np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8).repeat(6, 0).repeat(8, 1))


@dataclass
class Plan:
    """What becomes of an order: its answer (`None`: it is taken), and one look after the other, the last for ever."""

    order: Answer | None = None
    looks: list[Answer] = field(default_factory=lambda: [DONE])
    film: bytes | None = CLIP  # None: its link has died


@dataclass
class Order:
    """One order that was taken, and who has asked for it since."""

    id: str
    path: str
    key: str
    body: dict[str, Any]
    plan: Plan
    looked_by: list[str] = field(default_factory=list[str])
    cancelled: bool = False


@dataclass
class Studio:
    """All that came."""

    url: str = ""
    plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    orders: list[Order] = field(default_factory=list[Order])
    uploads: list[bytes] = field(default_factory=list[bytes])
    asked: list[str] = field(default_factory=list[str])  # every path
    changed: threading.Condition = field(default_factory=threading.Condition)

    def plan(self, mark: str, order: Answer | None = None, **how: Any) -> Plan:
        """Plan what becomes of the orders with that mark in their prompt."""
        self.plans[mark] = Plan(order=order, **how)
        return self.plans[mark]

    def taken(self, mark: str) -> list[Order]:
        """The orders with that mark."""
        return [order for order in self.orders if mark in order.body["prompt"].split()]

    def until(self, mark: str) -> Order:
        """The first of them, once it is there."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.taken(mark), 30), f"{mark} was not ordered"
        return self.taken(mark)[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    studio: Studio

    def log_message(self, *_: object, **__: object) -> None:
        pass

    def handle_any(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        path, key = self.path.partition("?")[0], self.headers.get("authorization", "").partition(" ")[2]
        self.studio.asked.append(path)
        native, fal = NATIVE.fullmatch(path), FAL.fullmatch(path)
        found = native or fal
        order = next((one for one in self.studio.orders if found and one.id == found[1]), None)
        if path == "/fal/rest/storage/auth/token":
            self.say({"token": "upload", "token_type": "Bearer"})
        elif path == "/fal/cdn/files/upload":
            self.studio.uploads.append(data)
            self.say({"access_url": f"https://files.example/{len(self.studio.uploads)}.png"})
        elif self.command == "POST":
            self.take(path, key, json.loads(data))
        elif found is None or order is None:
            self.say(404)
        elif found[2] == "/content":
            self.say(410) if order.plan.film is None else self.say(order.plan.film)
        elif found[2] == "/cancel":
            order.cancelled = True
            self.say({"status": "OK"})
        else:
            order.looked_by.append(key)
            self.look(order, result=bool(fal) and not found[2])

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - http.server's names

    def take(self, path: str, key: str, body: dict[str, Any]) -> None:
        mark = MARK.search(body["prompt"])
        plan = self.studio.plans.get(mark[0] if mark else "", Plan())
        order = Order(f"order{len(self.studio.orders)}", path, key, body, plan)
        with self.studio.changed:
            self.studio.orders.append(order)
            self.studio.changed.notify_all()
        self.say({"id": order.id, "request_id": order.id, "status": "pending"} if plan.order is None else plan.order)

    def look(self, order: Order, *, result: bool) -> None:
        looks = order.plan.looks
        answer = looks[0] if result or len(looks) == 1 else looks.pop(0)
        if isinstance(answer, dict) and answer["status"].lower() == "completed":
            made = f"{self.studio.url}{order.path}/{order.id}/content"
            made = made.replace(f"/{order.id}/", f"/requests/{order.id}/") if "/fal/" in made else made
            answer = {"video": {"url": made}} if result else {"unsigned_urls": [made], **answer}
        self.say(answer)

    def say(self, answer: Answer | bytes) -> None:
        if answer == "cut":
            self.close_connection = True
            return
        if answer == "never":
            threading.Event().wait(60)  # whoever asked is killed meanwhile
        status = answer if isinstance(answer, int) else 200
        body = {"error": {"message": f"The studio answers {answer}."}} if isinstance(answer, int) else answer
        data = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        self.send_response(status)
        self.send_header("content-type", "video/mp4" if isinstance(answer, bytes) else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def studio() -> Iterator[Studio]:
    """A service on a free port."""
    made = Studio()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Planned", (_Handler,), {"studio": made}))
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pictures(order: Order) -> list[bytes]:
    """The pictures that came in the order itself, as data URLs, in their order."""
    return [b64decode(one["image_url"]["url"].partition(",")[2]) for one in order.body["input_references"]]
