"""A job is unknown to every other tenant, in every API and on every route that names a job."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from framegate.api.auth import CACHE_SECONDS
from framegate.api.dialects import fal, phaseo, pictory
from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from framegate.domain.keys import new_key
from framegate.domain.machine import Machine
from support.opened import call, parts_of
from support.stub_renderer import StubExecutor

UNKNOWN_ID = "0190a000-0000-7000-8000-000000000001"
ORIGIN = "http://127.0.0.1:8787"
ROUTES = [
    ("Bearer ", "GET", "/phaseo/v1/videos/{id}"),
    ("Bearer ", "GET", "/phaseo/v1/videos/{id}/content"),
    ("Bearer ", "POST", "/phaseo/v1/videos/{id}/cancel"),
    ("Bearer ", "POST", "/phaseo/v1/videos/{id}/download_url"),
    ("Bearer ", "DELETE", "/phaseo/v1/videos/{id}"),
    ("", "GET", "/pictory/v1/jobs/{id}"),
    ("Key ", "GET", "/fal/queue/framegate/animatic/requests/{id}/status"),
    ("Key ", "GET", "/fal/queue/framegate/animatic/requests/{id}/status/stream"),
    ("Key ", "GET", "/fal/queue/framegate/animatic/requests/{id}"),
    ("Key ", "GET", "/fal/queue/framegate/animatic/requests/{id}/response"),
    ("Key ", "PUT", "/fal/queue/framegate/animatic/requests/{id}/cancel"),
]


Tenants = tuple[TestClient, str, str, str]


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """A gateway, the keys of two tenants, and a finished job of the first."""
    folder: Path = tmp_path_factory.mktemp("tenants")
    machine = Machine()
    app = build_app(Settings(data_dir=folder), machine, executor=StubExecutor(machine))
    with TestClient(app, base_url=ORIGIN) as gateway:
        parts = parts_of(gateway)
        texts = []
        for owner in ("acme", "other"):
            text, key = new_key(now=1.0, owner=owner)
            call(gateway, parts.store.keys.add, key)
            texts.append(text)
        parts.keys._cache.needed_at = -CACHE_SECONDS * 1e9
        headers = {"authorization": f"Bearer {texts[0]}"}
        body = {"model": "framegate/animatic", "prompt": "pan left", "duration": 1, "resolution": "360p"}
        job = gateway.post("/api/v1/videos", json=body, headers=headers).json()
        job = gateway.get(f"/api/v1/videos/{job['id']}?wait=60", headers=headers).json()
        assert job["status"] == "completed", job
        yield gateway, texts[0], texts[1], job["id"]


@pytest.mark.parametrize(("scheme", "method", "path"), ROUTES)
def test_a_job_of_another_tenant_is_answered_like_an_unknown_one(tenants: Tenants, scheme: str, method: str, path: str):
    gateway, _, other_key, job_id = tenants
    headers = {"authorization": f"{scheme}{other_key}"}
    foreign = gateway.request(method, path.format(id=job_id), headers=headers)
    unknown = gateway.request(method, path.format(id=UNKNOWN_ID), headers=headers)

    assert foreign.status_code == unknown.status_code
    assert foreign.status_code in (200, 404)
    assert "completed" not in foreign.text.lower().replace("not completed", "")
    assert _without_id(foreign.text, job_id) == _without_id(unknown.text, UNKNOWN_ID)


@pytest.mark.parametrize(
    ("scheme", "path"),
    [("Bearer ", "/phaseo/v1/videos"), ("", "/pictory/v1/jobs"), ("Bearer ", "/api/v1/videos")],
)
def test_a_job_of_another_tenant_is_in_no_list(tenants: Tenants, scheme: str, path: str):
    gateway, own_key, other_key, job_id = tenants

    assert job_id not in gateway.get(path, headers={"authorization": f"{scheme}{other_key}"}).text
    assert job_id in gateway.get(path, headers={"authorization": f"{scheme}{own_key}"}).text


def _without_id(text: str, job_id: str) -> str:
    """Return a response without the id of the job, and without the fields that differ per response."""
    return re.sub(r'"(request_id|generation_id)":"[^"]*"', "", text.replace(job_id, "<id>"))


def test_the_routes_of_this_test_are_all_routes_that_name_a_job():
    apis: list[tuple[str, Callable[..., FastAPI]]] = [
        (phaseo.PATH, phaseo.build),
        (pictory.PATH, pictory.build),
        (fal.PATH, fal.build),
    ]
    paths = {
        prefix + path
        for prefix, build in apis
        for path in build(needs_key=lambda: True).openapi()["paths"]
        if any(name in path for name in ("{video_id}", "{job_id}", "{request_id}")) and "files" not in path
    }
    tested = {path for _, _, path in ROUTES}

    assert len(paths) <= len(tested), sorted(paths)
