"""The world around the gateway: providers with their fates, files and receivers of webhooks. It outlives every kill."""

import asyncio
import contextvars
import hashlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

import httpcore2
import httpx2

from simulation.machine import Process, SimulatedMachine
from simulation.profiles import Weights
from simulation.video import PICTURE, video_of

FAULTS_OF_A_FILE_MAX = 5
FILE_STATUSES = {"error": 500, "not_found": 404, "forbidden": 403, "too_many": 429}
WRONG_BODIES = {
    "html": ("text/html", b"<!doctype html><title>Busy</title>"),
    "empty": ("video/mp4", b""),
    "json": ("application/json", b'{"status": "pending"}'),
}
LATE_SECONDS = 45.0  # until an order arrives whose connection broke


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a submit: whether it is accepted, and how it is answered."""

    accepts: bool
    status: int | None = 200
    breaks: str = ""  # class of the connection error in place of a response
    after: float = 1.0  # seconds until the response or the error
    is_known: bool = True  # the gateway can know whether the order was accepted
    late: bool = False
    body: str = ""  # of the response, if it is broken


FATES: Mapping[str, Fate] = {
    "ok": Fate(accepts=True),
    "slow": Fate(accepts=True, after=40.0),
    "too_slow": Fate(accepts=True, after=300.0, is_known=False),
    "connect_refused": Fate(accepts=False, breaks="ConnectError", after=0.1),
    "connect_timeout": Fate(accepts=False, breaks="ConnectTimeout", after=10.0),
    "reset_before": Fate(accepts=False, breaks="ReadError", is_known=False),
    "reset_after": Fate(accepts=True, breaks="ReadError", is_known=False),
    "write_failed": Fate(accepts=False, breaks="WriteError", is_known=False),
    "late": Fate(accepts=True, breaks="ReadTimeout", is_known=False, late=True),
    "error": Fate(accepts=False, status=500, is_known=False),
    "error_after": Fate(accepts=True, status=500, is_known=False),
    "bad_gateway_after": Fate(accepts=True, status=502, after=20.0, is_known=False),
    "gateway_timeout": Fate(accepts=False, status=504, after=60.0, is_known=False),
    "too_many": Fate(accepts=False, status=429),
    "too_early": Fate(accepts=False, status=425),
    "invalid": Fate(accepts=False, status=400),
    "unauthorized": Fate(accepts=False, status=401),
    "payment": Fate(accepts=False, status=402),
    "not_implemented": Fate(accepts=False, status=501),
    "conflict_after": Fate(accepts=True, status=409, is_known=False),
    "request_timeout": Fate(accepts=False, status=408, is_known=False),
    "cut_after": Fate(accepts=True, body='{"id": "', is_known=False),
    "no_id_after": Fate(accepts=True, body='{"ok": true}', is_known=False),
}


class Break(Exception):
    """The connection breaks; the name of the error's class."""


@dataclass(slots=True)
class Call:
    """A request as it arrives."""

    method: str
    url: httpx2.URL
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.url.path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.url.query.decode())


@dataclass(slots=True)
class Reply:
    """A response: its body in parts, with waits between them; `breaks` ends it."""

    status: int = 200
    body: Any = None
    parts: list[tuple[float, bytes]] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    breaks: str = ""

    def stream(self) -> list[tuple[float, bytes]]:
        if self.parts is not None:
            return self.parts
        return [(0.0, self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode())]


@dataclass(slots=True, kw_only=True)
class PlacedOrder:
    """An order that a provider accepted."""

    id: str
    service: str
    model: str
    key: str
    job_id: str
    accepted_at: float
    starts_at: float
    ends_at: float
    end: str  # done failed vanished endless
    bill_micro_usd: int
    is_cancelled: bool = False
    polls: list[float] = field(default_factory=list)
    file_faults: int = 0

    @property
    def video(self) -> bytes:
        return video_of(self.id)

    @property
    def is_billed(self) -> bool:
        return self.end != "failed" and not self.is_cancelled


@dataclass(frozen=True, slots=True)
class Submit:
    """A submit that reached a provider, or tried to."""

    job_id: str
    fate: str
    at: float
    service: str


@dataclass(frozen=True, slots=True)
class Hearing:
    """A webhook that a receiver heard."""

    event_id: str
    host: str
    at: float
    status: int | None


class World:
    """All that is outside the gateway."""

    def __init__(self, machine: SimulatedMachine, seed: str) -> None:
        self.machine = machine
        self.profile = machine.profile
        self.random = random.Random(f"{seed}/world")
        self.orders: list[PlacedOrder] = []
        self.submits: list[Submit] = []
        self.hearings: list[Hearing] = []
        self.down_until: dict[str, float] = {}
        self.job_of_key: Callable[[str], str] = lambda _: ""
        self.on_submit: Callable[[str], None] = lambda _: None
        self.services: dict[str, Service] = {service.host: service(self) for service in SERVICES}
        self._context = contextvars.copy_context()
        self._tasks: set[asyncio.Task[None]] = set()
        self.kind_of_receiver: dict[str, str] = {}

    # -- chance

    def pick(self, weights: Weights, rate: float, usual: str) -> str:
        """Return a fault by its weight, or what is usual."""
        if self.machine.calm or not weights or self.random.random() >= rate:
            return usual
        return self.random.choices(list(weights), list(weights.values()))[0]

    # -- network

    def transport(self, process: Process | None) -> "Transport":
        return Transport(self)

    def receive(self, call: Call) -> "asyncio.Future[Reply]":
        """Accept a request; it is handled to its end even if the client disconnects."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self.spawn(self._serve(call, future))
        return future

    def spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard, context=self._context)

    async def _serve(self, call: Call, future: "asyncio.Future[Reply]") -> None:
        what = f"{call.method} {call.url.host}{call.path}"
        try:
            reply = await self._handle(call)
        except Break as broken:
            self.machine.trace(f"{what} -> {broken}")
            if not future.done():
                future.set_exception(error_class(call.url.host, str(broken))("simulated"))
        else:
            self.machine.trace(f"{what} -> {reply.status}")
            if not future.done():
                future.set_result(reply)

    async def _handle(self, call: Call) -> Reply:
        host = call.url.host
        await asyncio.sleep(self.random.uniform(0.01, 0.2))
        if host.startswith("hook-"):
            return await self._hear(call)
        if host == "pictures.example":
            return Reply(body=PICTURE, headers={"content-type": "image/png"})
        if not self.machine.calm and self.machine.seconds < self.down_until.get(host, 0.0):
            if self._is_submit(call):
                self._record_submit(call, "connect_refused")
            raise Break("ConnectError")
        if host in self.services:
            return await self.services[host].handle(call)
        order = next((one for one in self.orders if f"/{one.id}." in call.path), None)
        return await self.file(order, call) if order else Reply(404, {"detail": "not found"})

    def _is_submit(self, call: Call) -> bool:
        return call.method == "POST" and "idempotency-key" in call.headers

    def _record_submit(self, call: Call, fate: str) -> str:
        job_id = self.job_of_key(call.headers["idempotency-key"])
        self.submits.append(Submit(job_id, fate, self.machine.seconds, call.url.host))
        self.machine.trace(f"submit of {job_id[-6:]} at {call.url.host}: {fate}")
        if not FATES[fate].breaks.startswith("Connect"):
            self.on_submit(job_id)
        return job_id

    async def submit(self, service: "Service", call: Call) -> Reply:
        """Let an order have its fate."""
        name = self.pick(self.profile.submits, self.profile.submit_faults, "ok")
        fate = FATES[name]
        job_id = self._record_submit(call, name)
        order: PlacedOrder | None = None
        if fate.late:
            self.spawn(self._accept_late(service, call, job_id))
        elif fate.accepts:
            order = self.accept(service, call, job_id)
        await asyncio.sleep(fate.after)
        if fate.breaks:
            raise Break(fate.breaks)
        if fate.status != 200:
            headers = {"retry-after": "20"} if fate.status == 429 else {}
            return Reply(fate.status or 500, {"error": {"message": "simulated"}}, headers=headers)
        assert order is not None
        return Reply(body=fate.body.encode() if fate.body else service.accepted(order))

    async def _accept_late(self, service: "Service", call: Call, job_id: str) -> None:
        await asyncio.sleep(LATE_SECONDS)
        self.accept(service, call, job_id)

    def accept(self, service: "Service", call: Call, job_id: str) -> PlacedOrder:
        """Accept an order, or find it by its key where the service does so."""
        key = call.headers["idempotency-key"]
        if service.finds_by_key and (known := next((one for one in service.orders if one.key == key), None)):
            return known
        now = self.machine.seconds
        end = self.pick(self.profile.ends, self.profile.end_faults, "done")
        seconds = self.random.uniform(2, self.profile.render_seconds_max) * (6 if end == "slow" else 1)
        starts_at = now + self.random.uniform(0, seconds / 2)
        order = PlacedOrder(
            id=hashlib.sha256(f"{service.host} {len(self.orders)}".encode()).hexdigest()[:24],
            service=service.host,
            model=service.model_of(call),
            key=key,
            job_id=job_id,
            accepted_at=now,
            starts_at=starts_at,
            ends_at=now + seconds if end != "endless" else float("inf"),
            end="done" if end == "slow" else end,
            bill_micro_usd=self.random.randrange(10_000, 200_000, 10_000),
        )
        self.orders.append(order)
        self.machine.trace(f"order {order.id[:6]} of {job_id[-6:]} accepted, will be {order.end}")
        return order

    async def look(self, service: "Service", order: PlacedOrder | None, show: Callable[[PlacedOrder], Reply]) -> Reply:
        """Let a poll have its fate."""
        if order is not None:
            order.polls.append(self.machine.seconds)
        fate = self.pick(self.profile.polls, self.profile.poll_faults, "ok")
        if fate == "reset":
            raise Break("ReadError")
        if fate in ("stall", "slow"):
            await asyncio.sleep(60.0 if fate == "stall" else 10.0)
        if fate == "error":
            return Reply(500, {"error": "simulated"})
        if fate == "too_many":
            return Reply(429, {"error": "simulated"}, headers={"retry-after": "5"})
        if fate == "not_json":
            return Reply(body=b"<html>busy</html>")
        is_new = order is not None and self.machine.seconds - order.accepted_at < 60
        if order is None or (fate == "missing" and is_new) or self._is_gone(order):
            return service.missing()
        return show(order)

    def _is_gone(self, order: PlacedOrder) -> bool:
        return order.end == "vanished" and self.machine.seconds >= order.ends_at

    def status(self, order: PlacedOrder) -> str:
        """Return what a provider would say: queued, running, done, failed or cancelled."""
        if order.is_cancelled:
            return "cancelled"
        now = self.machine.seconds
        if now >= order.ends_at:
            return order.end
        return "queued" if now < order.starts_at else "running"

    # -- files

    async def file(self, order: PlacedOrder, call: Call) -> Reply:
        """Let a download have its fate."""
        fate = "ok"
        if order.file_faults < FAULTS_OF_A_FILE_MAX:
            fate = self.pick(self.profile.files, self.profile.file_faults, "ok")
            order.file_faults += fate != "ok"
        if fate != "ok":
            self.machine.trace(f"file of {order.id[:6]}: {fate}")
        if fate == "refused":
            raise Break("ConnectError")
        if fate in FILE_STATUSES:
            return Reply(FILE_STATUSES[fate], {"error": "simulated"})
        if fate in WRONG_BODIES:
            kind, body = WRONG_BODIES[fate]
            return Reply(body=body, headers={"content-type": kind, "content-length": str(len(body))})
        return _part(_whole(order, call), fate)

    # -- receivers of webhooks

    async def _hear(self, call: Call) -> Reply:
        host, event_id = call.url.host, call.headers.get("webhook-id", "")
        if host not in self.kind_of_receiver:
            self.kind_of_receiver[host] = self.pick(self.profile.receivers, 1.0, "ok")
        kind = self.kind_of_receiver[host] if self.random.random() < self.profile.receiver_faults else "ok"
        kind = "ok" if self.machine.calm else kind
        if kind == "down":
            raise Break("ConnectError")
        statuses = {"error": 500, "gone": 410, "redirect": 302}
        status = None if kind in ("dropped", "timeout") else statuses.get(kind, 200)
        self.hearings.append(Hearing(event_id, host, self.machine.seconds, status))
        self.machine.trace(f"webhook {event_id[-6:]} heard: {kind}")
        if kind in ("slow", "timeout"):
            await asyncio.sleep(12.0 if kind == "slow" else 70.0)
        if kind == "dropped":
            raise Break("ReadError")
        headers = {"location": "https://elsewhere.example/"} if kind == "redirect" else {}
        return Reply(status or 200, b"", headers=headers)


def _whole(order: PlacedOrder, call: Call) -> Reply:
    """Return the file, or the rest that a request asks for."""
    data, etag, start = order.video, f'"{order.id}"', 0
    if (wanted := call.headers.get("range", "")).startswith("bytes=") and call.headers.get("if-range") == etag:
        start = min(int(wanted[6:].rstrip("-")), len(data) - 1)
    rest = data[start:]
    headers = {"content-type": "video/mp4", "etag": etag, "content-length": str(len(rest))}
    if start:
        headers["content-range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return Reply(206 if start else 200, rest, headers=headers)


def _part(reply: Reply, fate: str) -> Reply:
    """Return a file's response as it arrives."""
    data = reply.body
    half = len(data) // 2
    parts = {
        "slow": [(8.0, data[:half]), (8.0, data[half:])],
        "stall": [(0.1, data[:half]), (900.0, data[half:])],
        "reset": [(0.1, data[:half])],
        "late_reset": [(0.1, data[:-1])],
        "cut": [(0.1, data[:half])],
    }
    breaks = {"reset": "ReadError", "late_reset": "ReadError", "cut": "RemoteProtocolError"}
    return replace(reply, parts=parts.get(fate, [(0.1, data)]), breaks=breaks.get(fate, ""))


def error_class(host: str, name: str) -> type[Exception]:
    """Return the error as the client of that host expects it: downloads and webhooks use the guarded transport."""
    library = httpx2 if any(host == service.host for service in SERVICES) else httpcore2
    return getattr(library, name)


class Transport(httpx2.AsyncBaseTransport):
    """Network of one client of the gateway."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        machine, url = self._world.machine, request.url
        await machine.seam()
        body = await request.aread()
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = await self._world.receive(Call(request.method, url, headers, body))
        await machine.seam()
        read_seconds = request.extensions.get("timeout", {}).get("read")
        stream = _Stream(self._world, reply, url.host, read_seconds)
        headers = {"content-type": "application/json", **reply.headers}
        return httpx2.Response(reply.status, headers=headers, stream=stream, request=request)


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, world: World, reply: Reply, host: str, read_seconds: float | None) -> None:
        self._world, self._reply, self._host, self._read_seconds = world, reply, host, read_seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for wait, part in self._reply.stream():
            if self._read_seconds is not None and wait > self._read_seconds:
                await asyncio.sleep(self._read_seconds)
                raise error_class(self._host, "ReadTimeout")("simulated")
            await asyncio.sleep(wait)
            yield part
        if self._reply.breaks:
            raise error_class(self._host, self._reply.breaks)("simulated")


class Service:
    """A provider's API."""

    host: str
    finds_by_key = False

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def orders(self) -> list[PlacedOrder]:
        return [order for order in self.world.orders if order.service == self.host]

    def order(self, order_id: str) -> PlacedOrder | None:
        return next((order for order in self.orders if order.id == order_id), None)

    async def handle(self, call: Call) -> Reply:
        raise NotImplementedError

    def accepted(self, order: PlacedOrder) -> object:
        return {"id": order.id, "status": "pending"}

    def model_of(self, call: Call) -> str:
        return str(json.loads(call.body).get("model"))

    def missing(self) -> Reply:
        return Reply(404, {"error": {"message": "not found"}})


class OpenRouterService(Service):
    host = "openrouter.ai"
    prefix = "/api/v1/"
    words: Mapping[str, str] = {"queued": "pending", "running": "in_progress", "done": "completed"}

    async def handle(self, call: Call) -> Reply:
        parts = call.path.removeprefix(self.prefix).split("/")
        match call.method, parts:
            case "GET", ["openapi.json"]:
                return self.missing()
            case "POST", ["videos"]:
                return await self.world.submit(self, call)
            case "GET", ["videos", order_id] if order_id != "models":
                return await self.world.look(self, self.order(order_id), self.show)
            case "GET", ["videos", order_id, "content"]:
                order = self.order(order_id)
                return await self.world.file(order, call) if order else self.missing()
            case "GET", ["videos"]:
                return await self.world.look(self, None, self.show) if self.host != "api.phaseo.app" else self.listing()
            case _:
                return Reply(503, {"error": {"message": "simulated"}})

    def show(self, order: PlacedOrder) -> Reply:
        status = self.world.status(order)
        job: dict[str, Any] = {"id": order.id, "status": self.words.get(status, status)}
        if status == "done":
            job |= self.result(order)
        if status == "failed":
            job["error"] = "simulated"
        return Reply(body=job)

    def result(self, order: PlacedOrder) -> dict[str, Any]:
        url = f"https://{self.host}{self.prefix}videos/{order.id}/content?index=0"
        return {"unsigned_urls": [url], "usage": {"cost": order.bill_micro_usd / 1_000_000}}

    def listing(self) -> Reply:
        return self.missing()


class RelayService(OpenRouterService):
    """Another Framegate: it finds an order by its key."""

    host = "relay.example"
    finds_by_key = True

    async def handle(self, call: Call) -> Reply:
        if call.path.endswith("/openapi.json"):
            return Reply(body={"info": {"title": "Framegate"}})
        return await super().handle(call)


class PhaseoService(OpenRouterService):
    host = "api.phaseo.app"
    prefix = "/v1/"
    words: Mapping[str, str] = {"queued": "queued", "running": "processing", "done": "completed"}

    def result(self, order: PlacedOrder) -> dict[str, Any]:
        cost = f"{order.bill_micro_usd / 1_000_000:.6f}"
        bill = {"state": "settled", "currency": "USD", "settled_user_cost": cost}
        return {"outputs": [{"index": 0}], "billing": bill}

    def listing(self) -> Reply:
        offset = self.world.machine.true_now() - self.world.machine.seconds
        rows = [{"id": order.id, "created_at": order.accepted_at + offset} for order in reversed(self.orders)]
        return Reply(body={"data": rows[:100]})


class FalService(Service):
    host = "queue.fal.run"

    async def handle(self, call: Call) -> Reply:
        if call.method == "POST":
            return await self.world.submit(self, call)
        _, _, rest = call.path.partition("/requests/")
        order_id, _, what = rest.partition("/")
        order = self.order(order_id)
        if what == "cancel":
            return self.cancel(order)
        return await self.world.look(self, order, self.show_status if what == "status" else self.show)

    def accepted(self, order: PlacedOrder) -> object:
        return {"request_id": order.id}

    def model_of(self, call: Call) -> str:
        return call.path.strip("/")

    def missing(self) -> Reply:
        return Reply(404, {"detail": "not found"})

    def cancel(self, order: PlacedOrder | None) -> Reply:
        if order is None:
            return Reply(404, {"status": "NOT_FOUND"})
        if self.world.status(order) not in ("queued", "running"):
            return Reply(400, {"status": "ALREADY_COMPLETED"})
        order.is_cancelled = True
        return Reply(202, {"status": "CANCELLATION_REQUESTED"})

    def show_status(self, order: PlacedOrder) -> Reply:
        match self.world.status(order):
            case "queued":
                return Reply(body={"status": "IN_QUEUE", "queue_position": 0})
            case "running":
                return Reply(body={"status": "IN_PROGRESS"})
            case "cancelled":
                return Reply(body={"status": "COMPLETED", "error": "cancelled", "error_type": "client_cancelled"})
            case "failed":
                return Reply(body={"status": "COMPLETED", "error": "simulated", "error_type": "model_error"})
            case _:
                return Reply(body={"status": "COMPLETED"})

    def show(self, order: PlacedOrder) -> Reply:
        if self.world.status(order) != "done":
            return Reply(422, {"detail": [{"msg": "simulated", "type": "model_error", "loc": ["body"]}]})
        return Reply(body={"video": {"url": f"https://v3.fal.media/files/{order.id}.mp4"}})


class PictoryService(Service):
    host = "api.pictory.ai"

    async def handle(self, call: Call) -> Reply:
        parts = call.path.removeprefix("/pictoryapis/v1/").split("/")
        match call.method, parts:
            case "POST", ["aistudio", "videos"]:
                return await self.world.submit(self, call)
            case "GET", ["jobs", order_id]:
                return await self.world.look(self, self.order(order_id), self.show)
            case _:
                return self.missing()

    def accepted(self, order: PlacedOrder) -> object:
        return {"success": True, "data": {"jobId": order.id}}

    def missing(self) -> Reply:
        error = {"error_code": "JOB_NOT_FOUND", "error_message": "JOB_NOT_FOUND"}
        return Reply(404, {"success": False, "data": error})

    def show(self, order: PlacedOrder) -> Reply:
        status = self.world.status(order)
        if status == "failed":
            return Reply(body={"success": False, "data": {"status": "failed", "error_message": "simulated"}})
        data: dict[str, Any] = {"status": "completed" if status == "done" else "in-progress"}
        if status == "done":
            url = f"https://files.pictory.example/{order.id}.mp4"
            data |= {"url": url, "aiCreditsUsed": order.bill_micro_usd // 10_000}
        return Reply(body={"success": True, "data": data})


SERVICES: tuple[type[Service], ...] = (OpenRouterService, RelayService, PhaseoService, FalService, PictoryService)
Handler = Callable[[Call], Awaitable[Reply]]
