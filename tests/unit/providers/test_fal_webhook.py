"""fal's webhooks trigger an immediate poll if their signature is valid and recent."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from framegate.api.dialects.fal.webhooks import jwks, signature_headers
from framegate.domain.errors import ProviderError
from framegate.net.vendor_client import VendorClient
from framegate.providers.fal import webhook
from framegate.providers.fal.webhook import FalWebhookVerifier
from support.faulty_vendor import Fault, FaultyServer, answer, faulty
from support.served_gateway import ServedGateway, served_here

SEED, OTHER = b"s" * 32, b"o" * 32
RAW = b'{"request_id": "r1", "status": "OK"}'
NOW = 1_800_000_000
SECONDS_MAX = 60


def signed(raw: bytes = RAW, at: int = NOW, seed: bytes = SEED, **instead: str | None) -> dict[str, str]:
    headers = {name.lower(): value for name, value in signature_headers("r1", "user", at, raw, seed).items()}
    changed = headers | {f"x-fal-webhook-{name.replace('_', '-')}": value for name, value in instead.items()}
    return {name: value for name, value in changed.items() if value is not None}


async def verify(service: FaultyServer, headers: dict[str, str], raw: bytes = RAW, *, times: int = 1) -> str | None:
    client = VendorClient(service.url, headers={"authorization": "Key k"})
    verifier, request_id = FalWebhookVerifier(client), None
    try:
        for _ in range(times):
            request_id = await verifier.verify(headers, raw, now=NOW)
    finally:
        await client.close()
    return request_id


@pytest.mark.anyio
async def test_a_signed_webhook_is_verified_and_the_keys_are_read_once():
    async with faulty(answer(200, jwks(SEED))) as service:
        assert await verify(service, signed(), times=3) == "r1"
        assert await verify(service, signed(at=NOW - 300)) == "r1"
    assert len(service.heads) == 2
    assert service.heads[0].startswith("GET /.well-known/jwks.json ")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "headers",
    [
        signed(raw=b"another body"),
        signed(seed=OTHER),
        signed(at=NOW - 301),
        signed(at=NOW + 301),
        signed(request_id="r2"),
        signed(user_id="other"),
        signed(timestamp=str(NOW + 1)),
        signed(timestamp="soon"),
        signed(timestamp="²"),
        signed(signature="no hex"),
        signed(signature=""),
        signed(signature=None),
        signed(request_id=None),
        signed(request_id="r" * 1000),
        {},
    ],
)
async def test_a_webhook_with_an_invalid_or_old_signature_is_rejected(headers: dict[str, str]):
    async with faulty(answer(200, jwks(SEED))) as service:
        assert await verify(service, headers, times=3) is None
    assert len(service.heads) <= 1  # forged webhooks do not cause requests to fal


@pytest.mark.anyio
async def test_keys_are_read_again_after_a_rotation_once_they_have_a_minimum_age(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook, "KEYS_AGE_SECONDS_MIN", 0.0)
    keys: list[Fault] = [answer(200, jwks(OTHER)), answer(200, jwks(SEED))]

    async def turn(writer: Any) -> None:
        await keys.pop(0)(writer)

    async with faulty(turn) as service:
        assert await verify(service, signed()) == "r1"
    assert keys == []


@pytest.mark.anyio
@pytest.mark.parametrize("keys", [answer(500), answer(404), answer(200, {}), answer(200, {"keys": [{"crv": "P-256"}]})])
async def test_a_webhook_cannot_be_verified_without_keys(keys: Fault):
    async with faulty(keys) as service:
        with pytest.raises(ProviderError):
            await verify(service, signed())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    folder = tmp_path_factory.mktemp("fal")
    with served_here(folder / "data", key="sk-fal", sandbox=True, allow_private_addresses=True) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(sandbox: ServedGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    account = {"provider": "fal", "name": "theirs", "api_key": "sk-fal", "base_url": f"{sandbox.url}/fal"}
    settings = {"port": port, "public_url": f"http://127.0.0.1:{port}", "allow_private_addresses": True}
    with served_here(folder / "data", key="sk-ours", accounts=[account], **settings) as ours:
        yield ours


def test_the_webhook_of_another_gateway_is_delivered_and_verified(
    gateway: ServedGateway, sandbox: ServedGateway, photos: tuple[Path, ...]
):
    fields = {"model": "x-ai/grok-imagine-video", "prompt": "a cat", "duration": 1, "resolution": "480p"}
    with gateway.client() as ours, sandbox.client() as theirs:
        stream = {"content-type": "application/octet-stream"}
        url = ours.post("/assets", content=photos[0].read_bytes(), headers=stream).json()["url"]
        picture = {"type": "image_url", "image_url": {"url": url}}
        job = ours.post("/videos", json={**fields, "input_references": [picture]}).json()
        end = time.monotonic() + SECONDS_MAX
        while job["status"] in ("pending", "in_progress") and time.monotonic() < end:
            job = ours.get(f"/videos/{job['id']}", params={"wait": 30}).json()
        assert job["status"] == "completed", job
        [order] = theirs.get("/videos").json()["data"]
        calls: list[dict[str, Any]] = []
        while not calls and time.monotonic() < end:
            attempts = theirs.get(f"/videos/{order['id']}/webhooks").json()
            calls = [attempt for attempt in attempts["data"] if attempt["state"] == "delivered"]
    [call] = calls
    assert call["url"] == f"{gateway.url}/providers/fal/theirs/webhook?job={job['id']}"


@pytest.mark.parametrize(
    ("path", "status"), [("fal/theirs", 401), ("fal/nobody", 401), ("animatic/default", 404), ("nobody/theirs", 404)]
)
def test_an_unsigned_webhook_is_rejected(gateway: ServedGateway, path: str, status: int):
    headers = signed(at=int(time.time()))
    reply = httpx2.post(f"{gateway.url}/providers/{path}/webhook?job=x", content=RAW, headers=headers)
    assert reply.status_code == status, reply.text
    assert json.loads(reply.text)["error"]["message"]


def test_a_webhook_with_a_large_body_is_rejected(gateway: ServedGateway):
    reply = httpx2.post(f"{gateway.url}/providers/fal/theirs/webhook?job=x", content=b"x" * (5 * 2**20))
    assert reply.status_code == 413
