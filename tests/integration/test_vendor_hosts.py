"""Vendor hostnames reach the compatible APIs of a gateway with keys, and nothing of an open gateway."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import Scope

from framegate.api.middleware.vendor_hosts import HOSTS, VendorHosts
from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from support.opened import app_of

KEY = "sk-test"
URLS = [
    ("openrouter.ai", "/api/v1/videos", "Bearer "),
    ("modelgates.ai", "/api/v1/videos", "Bearer "),
    ("api.phaseo.app", "/v1/videos", "Bearer "),
    ("API.PHASEO.APP:443", "/v1/videos", "Bearer "),
    ("eu.api.phaseo.app", "/v1/videos", "Bearer "),
    ("api.pictory.ai", "/pictoryapis/v1/jobs", ""),
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        render_workers=1,
        api_key=KEY,
        allowed_hosts=("gateway.example",),
        sandbox=True,
    )
    with TestClient(build_app(settings), base_url="http://gateway.example") as client:
        yield client


@pytest.mark.parametrize(("host", "path", "scheme"), URLS)
def test_an_api_is_served_at_the_vendors_hostname_and_paths(gateway: TestClient, host: str, path: str, scheme: str):
    response = gateway.get(path, headers={"host": host, "authorization": f"{scheme}{KEY}"})

    assert response.status_code == 200
    assert response.json()["data"] == []


@pytest.mark.parametrize("host", ["queue.fal.run", "fal.run"])
def test_fals_hostnames_reach_the_queue_and_the_direct_call(gateway: TestClient, host: str):
    response = gateway.get(
        "/fal-ai/veo3.1/requests/unknown/status", headers={"host": host, "authorization": f"Key {KEY}"}
    )

    assert response.status_code in (404, 405)
    assert "detail" in response.json()  # fal's form


@pytest.mark.parametrize(("host", "path", "scheme"), URLS)
def test_a_vendor_hostname_needs_the_key(gateway: TestClient, host: str, path: str, scheme: str):
    assert gateway.get(path, headers={"host": host}).status_code == 401


def test_urls_in_a_response_work_at_the_same_host(gateway: TestClient):
    headers = {"host": "api.phaseo.app", "authorization": f"Bearer {KEY}"}
    body = {"model": "framegate/animatic", "prompt": "slow", "duration": 60}
    job = gateway.post("/v1/videos", json=body, headers=headers).json()

    assert job["polling_url"].startswith("http://api.phaseo.app/")
    path = job["polling_url"].removeprefix("http://api.phaseo.app")
    assert gateway.get(path, headers=headers).json()["id"] == job["id"]
    cancelled = gateway.post(job["cancel_url"].removeprefix("http://api.phaseo.app"), headers=headers)
    assert cancelled.json()["status"] == "cancelled"


def test_fals_queue_has_the_origin_that_the_client_used_even_with_a_public_url(tmp_path: Path):
    settings = Settings(
        data_dir=tmp_path, render_workers=1, api_key=KEY, sandbox=True, public_url="https://gateway.example"
    )
    with TestClient(build_app(settings), base_url="https://queue.fal.run") as client:
        headers = {"authorization": f"Key {KEY}"}
        body = {"prompt": "a street at night", "duration": "4s"}
        job = client.post("/fal-ai/veo3.1", json=body, headers=headers).json()

        assert job["response_url"].startswith("https://queue.fal.run/")
        assert client.get(job["status_url"], headers=headers).json()["request_id"] == job["request_id"]
        client.put(job["cancel_url"], headers=headers)


def test_other_hostnames_are_rejected(gateway: TestClient):
    for host in ("evil.example", "phaseo.app", "api.phaseo.app.evil.example", "x.api.phaseo.app"):
        assert gateway.get("/v1/videos", headers={"host": host}).status_code == 421


def test_web_pages_of_vendor_hostnames_may_not_call_the_gateway(gateway: TestClient):
    headers = {"host": "gateway.example", "origin": "https://openrouter.ai", "authorization": f"Bearer {KEY}"}
    assert gateway.get("/api/v1/videos", headers=headers).status_code == 403


@pytest.mark.parametrize("host", HOSTS)
def test_an_open_gateway_rejects_vendor_hostnames(tmp_path: Path, host: str):
    settings = Settings(data_dir=tmp_path, render_workers=1, vendor_hostnames=True)
    with TestClient(build_app(settings), base_url="http://127.0.0.1:8787") as client:
        for path in ("/v1/videos", "/api/v1/videos", "/healthz"):
            assert client.get(path, headers={"host": host}).status_code == 421


def test_a_setting_switches_vendor_hostnames_off(tmp_path: Path):
    settings = Settings(
        data_dir=tmp_path, render_workers=1, api_key=KEY, allowed_hosts=("gateway.example",), vendor_hostnames=False
    )
    with TestClient(build_app(settings), base_url="http://gateway.example") as client:
        headers = {"host": "api.phaseo.app", "authorization": f"Bearer {KEY}"}
        assert client.get("/v1/videos", headers=headers).status_code == 421


def test_every_vendor_hostname_leads_to_a_mounted_api(gateway: TestClient):
    mounted = {route.path for route in app_of(gateway).routes if isinstance(route, Mount)}

    assert {route.mount for route in HOSTS.values()} <= mounted


def test_only_a_whole_prefix_of_the_path_is_replaced():
    paths: list[tuple[str, bytes]] = []

    async def app(scope: Scope, receive: object, send: object) -> None:
        paths.append((scope["path"], scope["raw_path"]))

    class Keys:
        needs_key = True

    class Context:
        keys = Keys()

    async def unused(*_: object) -> NoReturn:
        raise AssertionError

    routed = VendorHosts(app, Settings())
    for host, path in (
        ("api.phaseo.app", "/v1/videos/a b"),
        ("api.phaseo.app", "/v10/videos"),
        ("api.phaseo.app", "/phaseo/v1/videos"),
        ("queue.fal.run", "/fal-ai/veo3.1"),
        ("queue.fal.run", "/fal/queue/fal-ai/veo3.1"),
    ):
        raw = path.replace(" ", "%20").encode()
        scope = {"type": "http", "path": path, "raw_path": raw, "headers": [(b"host", host.encode())]}
        asyncio.run(routed({**scope, "state": {"gateway": Context()}}, unused, unused))

    assert paths == [
        ("/phaseo/v1/videos/a b", b"/phaseo/v1/videos/a%20b"),
        ("/v10/videos", b"/v10/videos"),
        ("/phaseo/v1/videos", b"/phaseo/v1/videos"),
        ("/fal/queue/fal-ai/veo3.1", b"/fal/queue/fal-ai/veo3.1"),
        ("/fal/queue/fal-ai/veo3.1", b"/fal/queue/fal-ai/veo3.1"),
    ]
