"""The services' own host names reach their dialects where a key is needed, and nothing where none is."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from framegate.api.middleware.vendor_hosts import HOSTS, VendorHosts
from framegate.app.asgi import build_app
from framegate.config.settings import Settings

KEY = "sk-test"
PLACES = [
    ("openrouter.ai", "/api/v1/videos", "Bearer "),
    ("modelgates.ai", "/api/v1/videos", "Bearer "),
    ("api.phaseo.app", "/v1/videos", "Bearer "),
    ("API.PHASEO.APP:443", "/v1/videos", "Bearer "),
    ("eu.api.phaseo.app", "/v1/videos", "Bearer "),
    ("api.pictory.ai", "/pictoryapis/v1/jobs", ""),
]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        render_workers=1,
        api_key=KEY,
        allowed_hosts=("gate.example",),
        sandbox=True,
    )
    with TestClient(build_app(settings), base_url="http://gate.example") as client:
        yield client


@pytest.mark.parametrize(("host", "path", "scheme"), PLACES)
def test_a_service_is_spoken_at_its_own_paths(keyed: TestClient, host: str, path: str, scheme: str):
    answer = keyed.get(path, headers={"host": host, "authorization": f"{scheme}{KEY}"})

    assert answer.status_code == 200
    assert answer.json()["data"] == []


@pytest.mark.parametrize("host", ["queue.fal.run", "fal.run"])
def test_fals_hosts_reach_fals_queue_and_run(keyed: TestClient, host: str):
    answer = keyed.get("/fal-ai/veo3.1/requests/unknown/status", headers={"host": host, "authorization": f"Key {KEY}"})

    assert answer.status_code in (404, 405)
    assert "detail" in answer.json()  # in fal's shape


@pytest.mark.parametrize(("host", "path", "scheme"), PLACES)
def test_the_key_is_asked_for(keyed: TestClient, host: str, path: str, scheme: str):
    assert keyed.get(path, headers={"host": host}).status_code == 401


def test_the_links_in_an_answer_work_at_the_same_host(keyed: TestClient):
    headers = {"host": "api.phaseo.app", "authorization": f"Bearer {KEY}"}
    body = {"model": "framegate/animatic", "prompt": "slow", "duration": 60}
    job = keyed.post("/v1/videos", json=body, headers=headers).json()

    assert job["polling_url"].startswith("http://api.phaseo.app/")
    path = job["polling_url"].removeprefix("http://api.phaseo.app")
    assert keyed.get(path, headers=headers).json()["id"] == job["id"]
    cancelled = keyed.post(job["cancel_url"].removeprefix("http://api.phaseo.app"), headers=headers)
    assert cancelled.json()["status"] == "cancelled"


def test_other_names_are_turned_away_still(keyed: TestClient):
    for host in ("evil.example", "phaseo.app", "api.phaseo.app.evil.example", "x.api.phaseo.app"):
        assert keyed.get("/v1/videos", headers={"host": host}).status_code == 421


def test_pages_of_those_names_may_not_call(keyed: TestClient):
    headers = {"host": "gate.example", "origin": "https://openrouter.ai", "authorization": f"Bearer {KEY}"}
    assert keyed.get("/api/v1/videos", headers=headers).status_code == 403


@pytest.mark.parametrize("host", HOSTS)
def test_an_open_gate_never_answers_to_them(tmp_path: Path, host: str):
    settings = Settings(data_dir=tmp_path, render_workers=1, vendor_hostnames=True)
    with TestClient(build_app(settings), base_url="http://127.0.0.1:8787") as client:
        for path in ("/v1/videos", "/api/v1/videos", "/healthz"):
            assert client.get(path, headers={"host": host}).status_code == 421


def test_the_setting_switches_them_off(tmp_path: Path):
    settings = Settings(
        data_dir=tmp_path, render_workers=1, api_key=KEY, allowed_hosts=("gate.example",), vendor_hostnames=False
    )
    with TestClient(build_app(settings), base_url="http://gate.example") as client:
        headers = {"host": "api.phaseo.app", "authorization": f"Bearer {KEY}"}
        assert client.get("/v1/videos", headers=headers).status_code == 421


def test_every_host_leads_to_what_is_mounted(keyed: TestClient):
    mounted = {route.path for route in keyed.app.routes}

    assert {way.mount for way in HOSTS.values()} <= mounted


def test_only_whole_parts_of_a_path_are_replaced():
    seen: list[tuple[str, bytes]] = []

    async def app(scope: Scope, receive: object, send: object) -> None:
        seen.append((scope["path"], scope["raw_path"]))

    class Keys:
        needs_key = True

    class Gate:
        keys = Keys()

    async def unused() -> Message:
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
        asyncio.run(routed({**scope, "state": {"gateway": Gate()}}, unused, unused))

    assert seen == [
        ("/phaseo/v1/videos/a b", b"/phaseo/v1/videos/a%20b"),
        ("/v10/videos", b"/v10/videos"),
        ("/phaseo/v1/videos", b"/phaseo/v1/videos"),
        ("/fal/queue/fal-ai/veo3.1", b"/fal/queue/fal-ai/veo3.1"),
        ("/fal/queue/fal-ai/veo3.1", b"/fal/queue/fal-ai/veo3.1"),
    ]
