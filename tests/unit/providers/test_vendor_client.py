"""Every outcome of an order is one of four, and the key is only sent to its own origin."""

import asyncio
import socket
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from framegate.config.accounts import Account
from framegate.domain.errors import FramegateError, MovedOrigin, NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.net import vendor_client
from framegate.net.resume import ResumableFile
from framegate.net.vendor_client import VendorClient
from framegate.providers.gpu.base import GpuServer
from framegate.providers.registry import ADAPTERS, build_provider
from support.faulty_vendor import Fault, answer, cut, faulty, raw, silence, trickle
from support.ordering import make_order

KEY = "key-of-the-account"
ELSEWHERE = "http://elsewhere.test/videos"
SUBMIT_FAULTS: dict[str, tuple[Fault, type[FramegateError]]] = {
    "bad request": (answer(400, {"error": "no"}), Refused),
    "invalid key": (answer(401, {"error": f"unknown key {KEY}"}), Refused),
    "payment required": (answer(402), Refused),
    "not found": (answer(404), Refused),
    "permanent redirect": (answer(308, location=ELSEWHERE), Refused),
    "not implemented": (answer(501), Refused),
    "too many requests": (answer(429, retry_after="7"), NotSent),
    "too early": (answer(425), NotSent),
    "redirect after the order": (answer(303, location=ELSEWHERE), OutcomeUnknown),
    "request timeout": (answer(408), OutcomeUnknown),
    "conflict with an earlier order": (answer(409), OutcomeUnknown),
    "client closed request": (answer(499), OutcomeUnknown),
    "internal error": (answer(500), OutcomeUnknown),
    "bad gateway": (answer(502, "<html>Bad gateway</html>"), OutcomeUnknown),
    "service unavailable": (answer(503, retry_after="5"), OutcomeUnknown),
    "gateway timeout": (answer(504), OutcomeUnknown),
    "connection aborted": (cut, OutcomeUnknown),
    "no response": (silence, OutcomeUnknown),
    "endless response": (trickle, OutcomeUnknown),
    "truncated body": (raw(b"HTTP/1.1 202 x\r\ncontent-length: 100\r\n\r\n{"), OutcomeUnknown),
    "truncated head": (raw(b"HTTP/1.1 202"), OutcomeUnknown),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), OutcomeUnknown),
    "not JSON": (answer(202, "<html>accepted</html>"), OutcomeUnknown),
    "not an object": (answer(202, ["accepted"]), OutcomeUnknown),
    "no id": (answer(200, {"status": "pending"}), OutcomeUnknown),
    "id that is a folder": (answer(202, {"id": "..", "request_id": ".", "data": {"jobId": " .. "}}), OutcomeUnknown),
    "id that is no text": (answer(202, {"id": True, "request_id": {}, "data": {"jobId": [1]}}), OutcomeUnknown),
    "id that is too long": (
        answer(202, {"id": "x" * 4097, "request_id": "x" * 4097, "data": {"jobId": "x" * 4097}}),
        OutcomeUnknown,
    ),
    "empty body": (answer(204), OutcomeUnknown),
}
MODELS = {
    "fal": "fal-ai/veo3.1/reference-to-video",
    "vllm_omni": "Wan-AI/Wan2.1-VACE-14B-diffusers",
    "sglang": "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
}
ROLES = {"sglang": "first_frame"}


def references_for(name: str) -> list[dict[str, str]]:
    """One reference with a role that the provider's model accepts."""
    return [{"role": ROLES.get(name, "reference")}]


@pytest.fixture(autouse=True)
def known_models(monkeypatch: pytest.MonkeyPatch):
    """Own servers serve what is ordered."""

    async def names(_: GpuServer) -> tuple[str, ...]:
        return tuple(MODELS.values())

    monkeypatch.setattr(GpuServer, "names", names)


@pytest.fixture(autouse=True)
def short_timeouts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Shorten the timeouts where no response comes."""
    spec = getattr(request.node, "callspec", None)
    if spec and spec.params.get("fault") in ("no response", "endless response"):
        monkeypatch.setattr(vendor_client, "SUBMIT_SECONDS_MAX", 1.0)
        monkeypatch.setattr(VendorClient.query, "__kwdefaults__", {"any_status": False, "seconds_max": 1.0})


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(ADAPTERS))
@pytest.mark.parametrize("fault", SUBMIT_FAULTS)
async def test_an_order_has_one_of_four_outcomes(fault: str, name: str, tmp_path: Path):
    respond, outcome = SUBMIT_FAULTS[fault]
    async with faulty(respond) as service:
        adapter = build_provider(Account(provider=name, api_key=KEY, base_url=service.url))
        order = make_order(tmp_path, prompt="a cat", model_id=MODELS.get(name, "m"), references=references_for(name))
        with pytest.raises(FramegateError) as error:
            await adapter.submit(order)
        await adapter.close()
    is_free = outcome is OutcomeUnknown and adapter.resubmittable  # a free order is submitted again after any outcome
    assert type(error.value) is (NotSent if is_free else outcome), error.value.message
    assert len(service.heads) == 1, "an order is sent once"
    assert KEY not in error.value.message


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(ADAPTERS))
async def test_an_order_to_a_closed_port_was_not_sent(name: str, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    adapter = build_provider(Account(provider=name, api_key=KEY, base_url=f"http://127.0.0.1:{port}"))
    with pytest.raises(NotSent):
        await adapter.submit(
            make_order(tmp_path, prompt="a cat", model_id=MODELS.get(name, "m"), references=references_for(name))
        )
    await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [{"x": float("nan")}, {"x": "\ud800"}, {"x": {1, 2}}])
async def test_an_order_that_cannot_be_encoded_is_rejected_without_a_request(sent: dict[str, Any]):
    async with faulty(answer(202, {"id": "j"})) as service:
        client = VendorClient(service.url, headers={})
        with pytest.raises(Refused):
            await client.submit("POST", "videos", json=sent)
        await client.close()
    assert service.heads == []


@pytest.mark.anyio
async def test_a_line_break_after_the_key_is_removed():
    async with faulty(answer(202, {"id": "j"})) as service:
        adapter = build_provider(Account(provider="openrouter", api_key=f"{KEY}\n", base_url=service.url))
        assert await adapter.poll({"id": "j", "at": 0})
        await adapter.close()
    assert f"Bearer {KEY}\r\n" in service.heads[0]


POLL_FAULTS = {
    "internal error": answer(500, {"detail": "boom"}),
    "bad gateway": answer(502, "<html>Bad gateway</html>"),
    "too many requests": answer(429),
    "invalid key": answer(401, {"error": "no"}),
    "redirect": answer(302, location=ELSEWHERE),
    "not JSON": answer(200, "<html>hello</html>"),
    "not an object": answer(200, []),
    "truncated body": raw(b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{"),
    "connection aborted": cut,
    "no response": silence,
    "endless response": trickle,
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(ADAPTERS))
@pytest.mark.parametrize("fault", POLL_FAULTS)
async def test_a_failed_poll_is_not_a_failed_job(fault: str, name: str):
    async with faulty(POLL_FAULTS[fault]) as service:
        adapter = build_provider(Account(provider=name, api_key=KEY, base_url=service.url))
        with pytest.raises(ProviderError):
            await adapter.poll({"id": "x", "app": "fal-ai/veo3.1", "at": 0})
        await adapter.close()
    assert len(service.heads) == 1


@pytest.mark.anyio
async def test_the_key_is_not_sent_to_another_origin():
    async with faulty(answer(200, {})) as other_service, faulty(answer(302, location="/")) as service:
        client = VendorClient(service.url, headers={"authorization": f"Bearer {KEY}"})
        with pytest.raises(ProviderError, match="another origin"):
            await client.query("GET", f"{other_service.url}/videos/1")
        with pytest.raises(ProviderError, match="another origin"):
            await client.download(f"{other_service.url}/file", Path("/nowhere"), bytes_max=10)
        await client.close()
    assert not other_service.heads


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_is_not_followed(status: int, tmp_path: Path):
    async with faulty(answer(200, {})) as other_service, faulty(answer(status, location=other_service.url)) as service:
        client = VendorClient(service.url, headers={"authorization": f"Bearer {KEY}"})
        assert (await client.query("GET", "videos/1")).status == status
        with pytest.raises(MovedOrigin) as error:
            await client.download(f"{service.url}/file", tmp_path / "file", bytes_max=10)
        assert error.value.url.rstrip("/") == other_service.url
        with pytest.raises((Refused, OutcomeUnknown)):
            await client.submit("POST", "videos", json={})
        await client.close()
    assert not other_service.heads


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.test/v1/videos/1", True),
        ("https://api.test:443/x", True),
        ("https://API.test/x", True),
        ("http://api.test/v1/videos/1", False),
        ("https://api.test:8443/v1", False),
        ("https://api.test.evil.test/v1", False),
        ("https://key@api.test/v1", False),
        ("https://evil.test/?https://api.test/", False),
        ("//api.test/v1", False),
        ("https://[bad", False),
    ],
)
def test_same_origin_compares_scheme_host_and_port(url: str, expected: bool):
    assert VendorClient("https://api.test/v1", headers={}).same_origin(url) is expected


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0007", 7.0),
        ("301", 300.0),
        ("1000000000", 300.0),
        ("9" * 6000, 300.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("-5", None),
        ("1e9", None),
        ("nan", None),
        ("soon", None),
    ],
)
async def test_retry_after_is_read_and_limited(header: str, seconds: float | None):
    async with faulty(answer(429, retry_after=header)) as service:
        client = VendorClient(service.url, headers={})
        with pytest.raises(NotSent) as error:
            await client.submit("POST", "videos", json={})
        await client.close()
    assert error.value.retry_after == seconds


@pytest.mark.anyio
async def test_every_order_uses_a_new_connection():
    respond = raw(b"HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\n{}")

    async def respond_and_wait(writer: asyncio.StreamWriter) -> None:
        await respond(writer)
        await asyncio.Event().wait()  # the connection is offered for more

    async with faulty(respond_and_wait) as service:
        client = VendorClient(service.url, headers={})
        for _ in range(3):
            await client.submit("POST", "videos", json={})
        assert len(service.open) == 3
        await client.close()


@pytest.mark.anyio
async def test_a_large_response_is_rejected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vendor_client, "RESPONSE_BYTES_MAX", 10)
    async with faulty(answer(202, {"id": "much-too-long"})) as service:
        client = VendorClient(service.url, headers={})
        assert (await client.submit("POST", "videos", json={})).is_cut
        with pytest.raises(ProviderError, match="too large"):
            await client.query("GET", "videos")
        await client.close()


DOWNLOAD_FAULTS = {
    "truncated file": (raw(b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nhalf"), ProviderError),
    "empty file": (answer(200), ProviderError),
    "not ready": (answer(409), ProviderError),
    "internal error": (answer(502), ProviderError),
    "invalid key": (answer(403), Refused),
    "gone": (answer(410), Refused),
    "too large": (answer(200, "x" * 11), Refused),
    "too large without a length": (raw(b'HTTP/1.1 200 x\r\netag: "a"\r\n\r\n' + b"x" * 11), Refused),
    "unsupported compression": (answer(200, "x", content_encoding="br"), Refused),
    "connection aborted": (cut, ProviderError),
}


@pytest.mark.anyio
@pytest.mark.parametrize("fault", DOWNLOAD_FAULTS)
async def test_a_failed_download_leaves_no_file(fault: str, tmp_path: Path):
    respond, expected = DOWNLOAD_FAULTS[fault]
    file = tmp_path / "file"
    async with faulty(respond) as service:
        client = VendorClient(service.url, headers={})
        with pytest.raises(expected) as error:
            await client.download(f"{service.url}/file", file, bytes_max=10)
        await client.close()
    assert type(error.value) is expected
    assert not file.exists()


@pytest.mark.anyio
async def test_a_download_saves_the_complete_file_and_sends_the_key(tmp_path: Path):
    async with faulty(answer(200, "0123456789")) as service:
        client = VendorClient(service.url, headers={"authorization": "Bearer x"})
        await client.download(f"{service.url}/file", tmp_path / "file", bytes_max=10)
        await client.close()
    assert (tmp_path / "file").read_text() == "0123456789"
    assert "Bearer x" in service.heads[0]


@pytest.mark.anyio
async def test_a_cancelled_download_keeps_its_part_and_closes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, received, original = tmp_path / "file", asyncio.Event(), ResumableFile.write
    loop = asyncio.get_running_loop()

    def write(self: ResumableFile, part: bytes) -> None:
        original(self, part)
        loop.call_soon_threadsafe(received.set)

    async def half(writer: asyncio.StreamWriter) -> None:
        await raw(b'HTTP/1.1 200 x\r\netag: "a"\r\ncontent-length: 9\r\n\r\nhalf')(writer)
        await silence(writer)

    monkeypatch.setattr(ResumableFile, "write", write)
    async with faulty(half) as service:
        client = VendorClient(service.url, headers={})
        async with anyio.create_task_group() as group:
            group.start_soon(partial(client.download, f"{service.url}/file", file, bytes_max=10))
            await received.wait()
            group.cancel_scope.cancel()
        await client.close()
    assert file.read_bytes() == b"half"


@pytest.mark.anyio
async def test_a_download_follows_a_limited_number_of_redirects_within_its_origin(tmp_path: Path):
    async def redirect_once(writer: asyncio.StreamWriter) -> None:
        path = service.heads[-1].split()[1]
        await (answer(200, "video") if path == "/there" else answer(302, location=f"{path}there"))(writer)

    async def redirect_forever(writer: asyncio.StreamWriter) -> None:
        await answer(307, location="/file")(writer)

    async with faulty(redirect_once) as service, faulty(redirect_forever) as other_service:
        client, looping_client = (
            VendorClient(server.url, headers={"authorization": f"Bearer {KEY}"}) for server in (service, other_service)
        )
        await client.download(f"{service.url}/", tmp_path / "file", bytes_max=10)
        assert [KEY in head for head in service.heads] == [True, True]
        with pytest.raises(Refused, match="more than 5 times"):
            await looping_client.download(f"{other_service.url}/file", tmp_path / "other", bytes_max=10)
        await client.close()
        await looping_client.close()
    assert (tmp_path / "file").read_text() == "video"
    assert len(other_service.heads) == 6
