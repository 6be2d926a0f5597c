"""An order that a service accepted is followed, whatever the service sends around its id."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from framegate.config.accounts import Account
from framegate.domain.errors import NotSent, OutcomeUnknown, ProviderError
from framegate.net import vendor_client
from framegate.providers.gpu.base import GpuServer
from framegate.providers.registry import ADAPTERS, build_provider
from support.faulty_vendor import Fault, answer, faulty, raw
from support.ordering import make_order

KEY = "key-of-the-account"
MODELS = {
    "fal": "fal-ai/veo3.1/reference-to-video",
    "vllm_omni": "Wan-AI/Wan2.1-VACE-14B-diffusers",
    "sglang": "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
}
NAMES = sorted(ADAPTERS)
ID_KEYS = {"fal": "request_id", "pictory": "jobId"}
IDS = [
    "job-plain", 9182736455, 12345678901234567890123, "a=b==", "models/veo-3.1/operations/abc", "job~1", "a+b c%2F",
    "x" * 4096, "../../keys", "caf\u00e9", "a\tb", "?a=1#b", "7", " a",
]  # fmt: skip
OK = b"HTTP/1.1 202 Accepted\r\n"


def body_with(name: str, value: object, **others: object) -> bytes:
    key = ID_KEYS.get(name, "id")
    order = {key: value, **others}
    return json.dumps({"data": order} if name == "pictory" else order).encode()


def sent(head: bytes, body: bytes) -> Fault:
    return raw(OK + head + b"\r\n" + body)


def kept_open(head: bytes, body: bytes) -> Fault:
    async def respond(writer: asyncio.StreamWriter) -> None:
        await sent(head, body)(writer)
        await asyncio.Event().wait()

    return respond


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


ENVELOPES: dict[str, Callable[[str], Fault]] = {
    "the last chunk is missing": lambda name: sent(b"transfer-encoding: chunked\r\n", chunk(body_with(name, "abc"))),
    "a chunk has no size": lambda name: sent(
        b"transfer-encoding: chunked\r\n", chunk(body_with(name, "abc")) + b"what?\r\n"
    ),
    "the length is too large": lambda name: sent(b"content-length: 9999\r\n", body_with(name, "abc")),
    "the length is too large and the connection stays": lambda name: kept_open(
        b"content-length: 9999\r\n", body_with(name, "abc")
    ),
    "the lengths differ": lambda name: sent(b"content-length: 4\r\ncontent-length: 5\r\n", body_with(name, "abc")),
    "a header has NUL": lambda name: sent(b"x-trace: a\x00b\r\n", body_with(name, "abc")),
    "a header has a megabyte": lambda name: sent(b"x-trace: " + b"x" * 2**20 + b"\r\n", body_with(name, "abc")),
    "a byte is not UTF-8": lambda name: sent(b"", body_with(name, "abc", note="caf#").replace(b"#", b"\xe9")),
    "a number has 6,000 digits": lambda name: sent(b"", body_with(name, "abc", n="#").replace(b'"#"', b"7" * 6000)),
    "a number is infinite": lambda name: sent(b"", body_with(name, "abc", n="#").replace(b'"#"', b"1e999999")),
    "a field is nested deeply": lambda name: sent(
        b"", body_with(name, "abc", n="#").replace(b'"#"', b"[" * 100_000 + b"]" * 100_000)
    ),
    "the body is cut after the id": lambda name: sent(b"", body_with(name, "abc", note="x" * 99)[:-50]),
    "the body follows a byte order mark": lambda name: sent(b"", b"\xef\xbb\xbf" + body_with(name, "abc")),
    "the body is not compressed as it says": lambda name: sent(b"content-encoding: gzip\r\n", body_with(name, "abc")),
    "text follows the body": lambda name: sent(b"", body_with(name, "abc") + b"\n<!-- served by x -->"),
    "the order is in a list": lambda name: sent(b"", b"[" + body_with(name, "abc") + b"]"),
    "the order is in an envelope": lambda name: sent(b"", b'{"ok":true,"data":' + body_with(name, "abc") + b"}"),
    "the order is in two envelopes": lambda name: sent(
        b"", b'{"result":{"job":' + body_with(name, "abc") + b'},"user":{"id":"u"}}'
    ),
}


@pytest.fixture(autouse=True)
def known_models(monkeypatch: pytest.MonkeyPatch):
    """Own servers serve what is ordered."""

    async def names(_: GpuServer) -> tuple[str, ...]:
        return tuple(MODELS.values())

    monkeypatch.setattr(GpuServer, "names", names)


@pytest.fixture(autouse=True)
def short_wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Shorten the wait for the rest of a body that never comes."""
    spec = getattr(request.node, "callspec", None)
    if spec and str(spec.params.get("envelope")).endswith("stays"):
        monkeypatch.setattr(vendor_client, "SUBMIT_SECONDS_MAX", 1.0)


async def submitted(name: str, respond: Fault, folder: Path):
    async with faulty(respond) as service:
        adapter = build_provider(Account(provider=name, api_key=KEY, base_url=service.url))
        references = [{"role": "first_frame" if name == "sglang" else "reference"}]
        try:
            return await adapter.submit(
                make_order(folder, prompt="a cat", model_id=MODELS.get(name, "m"), references=references)
            )
        finally:
            await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("envelope", ENVELOPES)
async def test_the_id_is_found_in_a_sloppy_envelope(envelope: str, name: str, tmp_path: Path):
    handle = await submitted(name, ENVELOPES[envelope](name), tmp_path)
    assert handle["id"] == "abc"


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_an_id_is_opaque_and_one_segment_of_the_path(name: str, tmp_path: Path):
    for order_id in IDS:
        handle = await submitted(name, answer(200, body_with(name, order_id).decode()), tmp_path)
        assert handle["id"] == str(order_id)
        async with faulty(answer(404)) as service:
            adapter = build_provider(Account(provider=name, api_key=KEY, base_url=service.url))
            await adapter.poll({**handle, "at": 0.0, "app": "fal-ai/veo3.1"})
            await adapter.close()
        segments = service.heads[0].split()[1].split("/")
        assert str(order_id) in [unquote(segment) for segment in segments], service.heads[0]


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [301, 303, 308])
async def test_a_redirect_that_names_the_order_accepts_it(status: int, name: str, tmp_path: Path):
    body = body_with(name, "abc", status="pending").decode()
    handle = await submitted(name, answer(status, body, location="/elsewhere"), tmp_path)
    assert handle["id"] == "abc"


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "pending"), (402, "IN_QUEUE"), (404, "Processing"), (409, "queued"), (429, "running"), (501, "created")],
)
async def test_an_error_that_names_an_open_order_is_never_a_rejection(
    word: str, status: int, name: str, tmp_path: Path
):
    body = body_with(name, "abc", status=word, error="Something went wrong.").decode()
    with pytest.raises(ProviderError, match="abc") as error:
        await submitted(name, answer(status, body), tmp_path)
    is_free = name in ("vllm_omni", "sglang")
    assert type(error.value) is (NotSent if is_free else OutcomeUnknown)
