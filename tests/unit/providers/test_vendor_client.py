"""Every outcome of an order is one of four, and a key goes nowhere but to its own origin."""

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
from framegate.providers.registry import ADAPTERS, build_provider
from support.faulty_vendor import Fault, answer, cut, faulty, raw, silence, trickle
from support.ordering import order

KEY = "key-of-the-account"
ELSEWHERE = "http://elsewhere.test/videos"
FAULTS: dict[str, tuple[Fault, type[FramegateError]]] = {
    "a plain no": (answer(400, {"error": "no"}), Refused),
    "a wrong key": (answer(401, {"error": f"unknown key {KEY}"}), Refused),
    "no money": (answer(402), Refused),
    "no such thing": (answer(404), Refused),
    "an address that has moved": (answer(308, location=ELSEWHERE), Refused),
    "a service that is not offered": (answer(501), Refused),
    "too many requests": (answer(429, retry_after="7"), NotSent),
    "too early": (answer(425), NotSent),
    "a redirect after the fact": (answer(303, location=ELSEWHERE), OutcomeUnknown),
    "a time-out at the other end": (answer(408), OutcomeUnknown),
    "an order under the same key": (answer(409), OutcomeUnknown),
    "a client that seemed gone": (answer(499), OutcomeUnknown),
    "an error after accepting": (answer(500), OutcomeUnknown),
    "a gateway that lost its server": (answer(502, "<html>Bad gateway</html>"), OutcomeUnknown),
    "a server that is away": (answer(503, retry_after="5"), OutcomeUnknown),
    "a gateway that waited too long": (answer(504), OutcomeUnknown),
    "a cut after accepting": (cut, OutcomeUnknown),
    "silence": (silence, OutcomeUnknown),
    "an answer that never ends": (trickle, OutcomeUnknown),
    "half a body": (raw(b"HTTP/1.1 202 x\r\ncontent-length: 100\r\n\r\n{"), OutcomeUnknown),
    "half a head": (raw(b"HTTP/1.1 202"), OutcomeUnknown),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), OutcomeUnknown),
    "a body that is no JSON": (answer(202, "<html>accepted</html>"), OutcomeUnknown),
    "a body that is no object": (answer(202, ["accepted"]), OutcomeUnknown),
    "a body without an id": (answer(200, {"status": "pending"}), OutcomeUnknown),
    "an id that is a path": (
        answer(202, {"id": "../../keys", "request_id": "../x", "data": {"jobId": "a/b"}}),
        OutcomeUnknown,
    ),
    "an empty body": (answer(204), OutcomeUnknown),
}
MODELS = {
    "fal": "fal-ai/veo3.1/reference-to-video",
    "vllm_omni": "Wan-AI/Wan2.1-VACE-14B-diffusers",
    "sglang": "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
}
ROLES = {"sglang": "first_frame"}


def given(name: str) -> list[dict[str, str]]:
    """One reference of a role that the provider's model takes."""
    return [{"role": ROLES.get(name, "reference")}]


@pytest.fixture(autouse=True)
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Where nothing comes, nobody waits for minutes."""
    spec = getattr(request.node, "callspec", None)
    if spec and spec.params.get("fault") in ("silence", "an answer that never ends"):
        monkeypatch.setattr(vendor_client, "SUBMIT_SECONDS_MAX", 1.0)
        monkeypatch.setattr(VendorClient.query, "__kwdefaults__", {"any_status": False, "seconds_max": 1.0})


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(ADAPTERS))
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_order_has_one_of_four_outcomes(fault: str, name: str, tmp_path: Path):
    act, end = FAULTS[fault]
    async with faulty(act) as service:
        adapter = build_provider(Account(provider=name, api_key=KEY, base_url=service.url))
        wanted = order(tmp_path, prompt="a cat", model_id=MODELS.get(name, "m"), references=given(name))
        with pytest.raises(FramegateError) as told:
            await adapter.submit(wanted)
        await adapter.close()
    free = end is OutcomeUnknown and adapter.resubmittable  # what costs nothing is made again, whatever became of it
    assert type(told.value) is (NotSent if free else end), told.value.message
    assert len(service.heads) == 1, "an order is sent once"
    assert KEY not in told.value.message


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(ADAPTERS))
async def test_an_order_to_a_closed_port_was_not_sent(name: str, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    adapter = build_provider(Account(provider=name, api_key=KEY, base_url=f"http://127.0.0.1:{port}"))
    with pytest.raises(NotSent):
        await adapter.submit(order(tmp_path, prompt="a cat", model_id=MODELS.get(name, "m"), references=given(name)))
    await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [{"x": float("nan")}, {"x": "\ud800"}, {"x": {1, 2}}])
async def test_an_order_that_cannot_be_encoded_is_rejected_without_a_request(sent: dict[str, Any]):
    async with faulty(answer(202, {"id": "j"})) as service:
        account = VendorClient(service.url, headers={})
        with pytest.raises(Refused):
            await account.submit("POST", "videos", json=sent)
        await account.close()
    assert service.heads == []


@pytest.mark.anyio
async def test_a_line_break_after_the_key_is_removed():
    async with faulty(answer(202, {"id": "j"})) as service:
        adapter = build_provider(Account(provider="openrouter", api_key=f"{KEY}\n", base_url=service.url))
        assert await adapter.poll({"id": "j", "at": 0})
        await adapter.close()
    assert f"Bearer {KEY}\r\n" in service.heads[0]


LOOKS = {
    "an error": answer(500, {"detail": "boom"}),
    "a gateway's error": answer(502, "<html>Bad gateway</html>"),
    "too many requests": answer(429),
    "a wrong key": answer(401, {"error": "no"}),
    "a redirect": answer(302, location=ELSEWHERE),
    "no JSON": answer(200, "<html>hello</html>"),
    "no object": answer(200, []),
    "half a body": raw(b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{"),
    "a cut": cut,
    "silence": silence,
    "an answer that never ends": trickle,
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(ADAPTERS))
@pytest.mark.parametrize("fault", LOOKS)
async def test_a_failed_poll_is_not_a_failed_job(fault: str, name: str):
    async with faulty(LOOKS[fault]) as service:
        adapter = build_provider(Account(provider=name, api_key=KEY, base_url=service.url))
        with pytest.raises(ProviderError):
            await adapter.poll({"id": "x", "app": "fal-ai/veo3.1", "at": 0})
        await adapter.close()
    assert len(service.heads) == 1


@pytest.mark.anyio
async def test_the_key_is_not_sent_to_another_origin():
    async with faulty(answer(200, {})) as other, faulty(answer(302, location="/")) as own:
        way = VendorClient(own.url, headers={"authorization": f"Bearer {KEY}"})
        with pytest.raises(ProviderError, match="another origin"):
            await way.query("GET", f"{other.url}/videos/1")
        with pytest.raises(ProviderError, match="another origin"):
            await way.download(f"{other.url}/file", Path("/nowhere"), bytes_max=10)
        await way.close()
    assert not other.heads


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_is_not_followed(status: int, tmp_path: Path):
    async with faulty(answer(200, {})) as other, faulty(answer(status, location=other.url)) as own:
        way = VendorClient(own.url, headers={"authorization": f"Bearer {KEY}"})
        assert (await way.query("GET", "videos/1")).status == status
        with pytest.raises(MovedOrigin) as told:
            await way.download(f"{own.url}/file", tmp_path / "file", bytes_max=10)
        assert told.value.url.rstrip("/") == other.url
        with pytest.raises((Refused, OutcomeUnknown)):
            await way.submit("POST", "videos", json={})
        await way.close()
    assert not other.heads


@pytest.mark.parametrize(
    ("url", "own"),
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
def test_same_origin_compares_scheme_host_and_port(url: str, own: bool):
    assert VendorClient("https://api.test/v1", headers={}).same_origin(url) is own


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("999999", 3600.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("soon", None)]
)
async def test_retry_after_is_read_and_limited(header: str, seconds: float | None):
    async with faulty(answer(429, retry_after=header)) as service:
        way = VendorClient(service.url, headers={})
        with pytest.raises(NotSent) as told:
            await way.submit("POST", "videos", json={})
        await way.close()
    assert told.value.retry_after == seconds


@pytest.mark.anyio
async def test_every_order_uses_a_new_connection():
    kept = raw(b"HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\n{}")

    async def staying(writer: asyncio.StreamWriter) -> None:
        await kept(writer)
        await asyncio.Event().wait()  # the connection is offered for more

    async with faulty(staying) as service:
        way = VendorClient(service.url, headers={})
        for _ in range(3):
            await way.submit("POST", "videos", json={})
        assert len(service.open) == 3
        await way.close()


@pytest.mark.anyio
async def test_a_large_response_is_rejected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vendor_client, "RESPONSE_BYTES_MAX", 10)
    async with faulty(answer(202, {"id": "much-too-long"})) as service:
        way = VendorClient(service.url, headers={})
        with pytest.raises(OutcomeUnknown):
            await way.submit("POST", "videos", json={})
        with pytest.raises(ProviderError):
            await way.query("GET", "videos")
        await way.close()


DOWNLOADS = {
    "half a file": (raw(b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nhalf"), ProviderError),
    "an empty file": (answer(200), ProviderError),
    "not there yet": (answer(409), ProviderError),
    "an error": (answer(502), ProviderError),
    "a wrong key": (answer(403), Refused),
    "gone": (answer(410), Refused),
    "too large a file": (answer(200, "x" * 11), Refused),
    "a file that grows too large": (raw(b'HTTP/1.1 200 x\r\netag: "a"\r\n\r\n' + b"x" * 11), Refused),
    "a packed file": (answer(200, "x", content_encoding="gzip"), Refused),
    "a cut": (cut, ProviderError),
}


@pytest.mark.anyio
@pytest.mark.parametrize("fault", DOWNLOADS)
async def test_a_failed_download_leaves_no_file(fault: str, tmp_path: Path):
    act, error = DOWNLOADS[fault]
    file = tmp_path / "file"
    async with faulty(act) as service:
        way = VendorClient(service.url, headers={})
        with pytest.raises(error) as told:
            await way.download(f"{service.url}/file", file, bytes_max=10)
        await way.close()
    assert type(told.value) is error
    assert not file.exists()


@pytest.mark.anyio
async def test_a_download_saves_the_complete_file_and_sends_the_key(tmp_path: Path):
    async with faulty(answer(200, "0123456789")) as service:
        way = VendorClient(service.url, headers={"authorization": "Bearer x"})
        await way.download(f"{service.url}/file", tmp_path / "file", bytes_max=10)
        await way.close()
    assert (tmp_path / "file").read_text() == "0123456789"
    assert "Bearer x" in service.heads[0]


@pytest.mark.anyio
async def test_a_cancelled_download_keeps_its_part_and_closes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file, came, real = tmp_path / "file", asyncio.Event(), ResumableFile.write
    loop = asyncio.get_running_loop()

    def write(self: ResumableFile, part: bytes) -> None:
        real(self, part)
        loop.call_soon_threadsafe(came.set)

    async def half(writer: asyncio.StreamWriter) -> None:
        await raw(b'HTTP/1.1 200 x\r\netag: "a"\r\ncontent-length: 9\r\n\r\nhalf')(writer)
        await silence(writer)

    monkeypatch.setattr(ResumableFile, "write", write)
    async with faulty(half) as service:
        way = VendorClient(service.url, headers={})
        async with anyio.create_task_group() as group:
            group.start_soon(partial(way.download, f"{service.url}/file", file, bytes_max=10))
            await came.wait()
            group.cancel_scope.cancel()
        await way.close()
    assert file.read_bytes() == b"half"


@pytest.mark.anyio
async def test_a_download_follows_a_limited_number_of_redirects_within_its_origin(tmp_path: Path):
    async def act(writer: asyncio.StreamWriter) -> None:
        path = service.heads[-1].split()[1]
        await (answer(200, "video") if path == "/there" else answer(302, location=f"{path}there"))(writer)

    async def round_and_round(writer: asyncio.StreamWriter) -> None:
        await answer(307, location="/file")(writer)

    async with faulty(act) as service, faulty(round_and_round) as other:
        way, way_round = (VendorClient(one.url, headers={"authorization": f"Bearer {KEY}"}) for one in (service, other))
        await way.download(f"{service.url}/", tmp_path / "file", bytes_max=10)
        assert [KEY in head for head in service.heads] == [True, True]
        with pytest.raises(Refused, match="more than 5 times"):
            await way_round.download(f"{other.url}/file", tmp_path / "other", bytes_max=10)
        await way.close()
        await way_round.close()
    assert (tmp_path / "file").read_text() == "video"
    assert len(other.heads) == 6
