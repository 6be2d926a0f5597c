"""Services that answer with hostile values: the network of a gateway whose providers lie, break off and leak keys.

A seed determines everything. `HostileNetwork` is an HTTP transport: no socket is opened.
"""

import asyncio
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import httpx2

from support.virtual_machine import VirtualMachine

KEYS = {
    name: f"sk-{name}-0123456789abcdef"
    for name in ("openrouter", "modelgates", "phaseo", "pictory", "fal", "vllm_omni", "sglang")
}
FILES_HOST, CLIENT_HOST = "files.test", "client.test"
WORDS = (
    "pending", "queued", "in_progress", "IN_QUEUE", "processing", "completed", "COMPLETED", "succeeded", "done",
    "failed", "FAILED", "error", "cancelled", "canceled", "expired", "content_filtered", "simmering", "in-progress",
    "deleted", "",
)  # fmt: skip
STATUSES = (
    100, 200, 202, 204, 206, 301, 302, 303, 307, 400, 401, 402, 403, 404, 408, 409, 410, 422, 425, 429, 451, 499, 500,
    501, 502, 503, 504, 520, 599, 999,
)  # fmt: skip
RETRY_AFTER = (
    "0",
    "7",
    "-1",
    "1e9",
    "1000000000",
    "9" * 5000,
    "soon",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
)
RAW_BODIES = (
    b"", b"null", b"[]", b"{}", b'"text"', b"7", b"{", b"<html>busy</html>", b"\x00" * 100, b"\xff\xfe\x00", b"NaN",
    b"[" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"[" + b"0," * 250_000 + b"0]",
    gzip.compress(bytes(2**25)),
)  # fmt: skip


@dataclass
class HostileValues:
    """Values of every type, size and encoding, with keys and control characters in them."""

    random: random.Random

    def value(self, depth: int = 3) -> Any:
        """A hostile JSON value."""
        choice = self.random.choice
        key = choice(list(KEYS.values()))
        plain: list[Any] = [
            None, True, False, 0, -1, 7, 0.5, -0.1, 101, 2**31, 2**63, 10**30, -(10**400), 10**4000, 1e308,
            float("nan"), float("inf"), "", " ", "0", "1e400", "1e1000000", "9" * 4000, "-5", "NaN", "x" * 5000,
            "\x00", "a\ud800b", "\u202eevil\u2066", "\x1b[31mred", "a\r\nset-cookie: b", "../../keys", "..", "https://",
            "http://[bad", "file:///etc/passwd", "javascript:alert(1)", "data:video/mp4;base64,AAAA", "http://127.0.0.1/a.mp4",
            "http://169.254.169.254/latest", f"https://{FILES_HOST}/any.mp4", f"https://user:{key}@{FILES_HOST}/any.mp4",
            f"https://{FILES_HOST}/any.mp4?key={key}", key, f"Bearer {key}", f"{key[:7]}\x00{key[7:]}", key.upper(),
            f"no access for {key}, sorry", f"{'y' * 495}{key}", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
            choice(WORDS), choice(WORDS), choice(WORDS),
        ]  # fmt: skip
        if depth and self.random.random() < 0.25:
            inner = [self.value(depth - 1) for _ in range(self.random.randrange(4))]
            names = ["error", "message", "code", "status", "url", "id", key, "\x00", "a\ud800"]
            return choice([inner, {choice(names): value for value in inner}, inner * 50, _nested(inner)])
        return choice(plain)

    def mutated(self, value: Any, share: float) -> Any:
        """A value in which each part is replaced, dropped or renamed with this probability."""
        if self.random.random() < share / 3:
            return self.value()
        if isinstance(value, dict):
            fields = {name: self._part(item, share) for name, item in value.items() if self.random.random() > share / 4}
            return {**fields, **({"extra": self.value()} if self.random.random() < share else {})}
        if isinstance(value, list):
            return [self._part(item, share) for item in value]
        return value

    def _part(self, item: Any, share: float) -> Any:
        return self.value() if self.random.random() < share else self.mutated(item, share)

    def body(self, value: Any, share: float) -> bytes:
        """A body that has this JSON, or something else."""
        roll = self.random.random()
        if roll < share / 4:
            return self.random.choice(RAW_BODIES)
        data = json.dumps(self.mutated(value, share)).encode()
        if roll < share / 2:
            return self.random.choice(
                [
                    data[: self.random.randrange(len(data) + 1)],
                    b"[" + data + b"]",
                    b'{"data":' + data + b"}",
                    b"\xef\xbb\xbf" + data,
                    data.replace(b"e", b"\xe9", 1),
                    data + b"\n<!-- -->",
                    gzip.compress(data),
                ]
            )
        return data


def _nested(value: Any) -> Any:
    for _ in range(40):
        value = [value]
    return value


class _Body(httpx2.AsyncByteStream):
    """A body that may break off."""

    def __init__(self, data: bytes, *, breaks_off: bool) -> None:
        self._data, self._breaks_off = data, breaks_off

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data
        if self._breaks_off:
            raise httpx2.RemoteProtocolError("peer closed connection")


@dataclass
class HostileNetwork(httpx2.AsyncBaseTransport):
    """All services, their file server and a client's webhook receiver."""

    seed: int
    video: bytes = b"video"
    share: float = 0.15  # of the parts of an answer that are hostile
    polls: Counter[str] = field(default_factory=Counter)
    webhooks: list[bytes] = field(default_factory=list)
    ordered: Counter[str] = field(default_factory=Counter)  # by prompt

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.values = HostileValues(self.random)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        content = await request.aread()
        host, path = request.url.host, request.url.path
        if host == CLIENT_HOST:
            self.webhooks.append(content)
            return httpx2.Response(200)
        self._fail_sometimes(request)
        if path.endswith("/content") or host == FILES_HOST:
            return self._file()
        status, answer = self.honest(host.removesuffix(".test"), request.method, path, content)
        if self.random.random() < self.share:
            status = self.random.choice(STATUSES)
        headers = {"content-type": "application/json", **self._headers()}
        body = self.values.body(answer, self.share if self.random.random() < 0.7 else 0.0)
        return httpx2.Response(status, headers=headers, stream=_Body(body, breaks_off=self.random.random() < 0.03))

    def _fail_sometimes(self, request: httpx2.Request) -> None:
        if self.random.random() < self.share / 4:
            library = httpx2 if request.url.host.removesuffix(".test") in KEYS else httpcore2  # as its transport raises
            kinds = (library.ConnectError, library.ReadTimeout, library.RemoteProtocolError, library.WriteError)
            raise self.random.choice(kinds)("hostile")

    def _headers(self) -> dict[str, str]:
        names = {
            "retry-after": self.random.choice(RETRY_AFTER),
            "location": self.random.choice(("/elsewhere", "https://other.test/", "http://[bad")),
            "content-encoding": self.random.choice(("gzip", "br", "", "utf-8")),
            "x-fal-billable-units": self.random.choice(("3", "1e999", "-1", KEYS["fal"])),
            "x-fal-error-type": self.random.choice(("runner_x", KEYS["fal"], "x" * 5000)),
        }
        return {name: value for name, value in names.items() if self.random.random() < self.share / 3}

    def _file(self) -> httpx2.Response:
        roll = self.random.random()
        if roll < self.share:
            return httpx2.Response(self.random.choice((302, 403, 404, 410, 500)), stream=_Body(b"{}", breaks_off=False))
        data = self.random.choice((b"", b"<html>", self.video[:100])) if roll < 2 * self.share else self.video
        return httpx2.Response(200, headers={"content-type": "video/mp4"}, stream=_Body(data, breaks_off=False))

    # -- what an honest service would say

    def honest(self, name: str, method: str, path: str, content: bytes) -> tuple[int, Any]:
        """Status and JSON of an honest answer."""
        if method == "POST" and not path.endswith("/token"):
            self.ordered[self._prompt(content)] += 1
            return 202, self._accepted(name, f"{name}-{sum(self.ordered.values())}")
        if path.rstrip("/").endswith(("/models", "jwks.json", "/token", "model_info")):
            return 200, {"data": [{"id": "m", "root": "m"}], "token": "t", "token_type": "Bearer", "keys": []}
        order_id = path.removesuffix("/status").removesuffix("/cancel").rpartition("/")[2]
        self.polls[order_id] += 1
        word = "in_progress" if self.polls[order_id] < 3 else "failed" if hash_of(order_id) % 5 == 0 else "completed"
        return 200, self._job(name, order_id, word, is_result=not path.endswith("/status"))

    def _prompt(self, content: bytes) -> str:
        found = re.search(rb"job number \d+", content)
        return found[0].decode() if found else ""

    def _accepted(self, name: str, order_id: str) -> dict[str, Any]:
        match name:
            case "pictory":
                return {"success": True, "data": {"jobId": order_id}}
            case "fal":
                return {
                    "request_id": order_id,
                    "status": "IN_QUEUE",
                    "queue_position": 2,
                    "status_url": "https://fal.test",
                }
            case _:
                return {"id": order_id, "object": "video", "status": "pending", "polling_url": f"/videos/{order_id}"}

    def _job(self, name: str, order_id: str, word: str, *, is_result: bool) -> Any:
        url = f"https://{FILES_HOST}/{order_id}.mp4"
        error = {"code": "policy", "message": "The prompt was flagged."} if word == "failed" else None
        match name:
            case "pictory":
                job = {
                    "status": word,
                    "url": url,
                    "aiCreditsUsed": 12.8,
                    "duration": "8s",
                    "error_message": error and "No.",
                }
                return {"job_id": order_id, "success": error is None, "data": job}
            case "fal" if is_result:
                return {"video": {"url": url, "content_type": "video/mp4"}, "seed": 7, "actual_prompt": "a cat"}
            case "fal":
                ended = word != "in_progress"
                return {
                    "status": "COMPLETED" if ended else "IN_PROGRESS",
                    "logs": None,
                    "error": error,
                    "queue_position": 1,
                }
            case "phaseo":
                bill = {"currency": "usd", "state": "settled", "settled_user_cost": "0.42", "total_nanos": 420_000_000}
                outputs = [{"index": 0, "mime_type": "video/mp4"}]
                own = {"billing": bill, "outputs": outputs, "progress": 40, "progress_source": "provider", "seconds": 4}
                return {"id": order_id, "object": "video", "status": word, "error": error, **own}
            case _:
                usage = {"cost": 0.4, "is_byok": False}
                own = {"usage": usage, "unsigned_urls": [url], "progress": 40, "created_at": 1.0, "prompt": "a cat"}
                return {"id": order_id, "object": "video", "status": word, "error": error, **own}


def hash_of(text: str) -> int:
    """A number that depends on the text alone."""
    return sum(text.encode())


class HostileMachine(VirtualMachine):
    """A virtual machine whose only network is a hostile one."""

    def __init__(self, network: HostileNetwork) -> None:
        super().__init__(seed=network.seed)
        self.network = network

    def http_transport(self, make: Callable[[], Any]) -> Any:
        return self.network


def accounts() -> list[dict[str, str]]:
    """One account at each service."""
    return [{"provider": name, "api_key": key, "base_url": f"https://{name}.test"} for name, key in KEYS.items()]
