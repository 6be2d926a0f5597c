"""A job made by one owner is unknown to every other, in every dialect's words and on every route that names a job."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.api.auth import CACHE_SECONDS
from framegate.domain.keys import new_key

UNKNOWN = "0190a000-0000-7000-8000-000000000001"
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


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, photos: tuple[Path, ...]):
    """A gate with two owners, and a finished job of the first."""
    from framegate.app.asgi import build_app
    from framegate.config.settings import Settings

    folder = tmp_path_factory.mktemp("owners")
    with TestClient(build_app(Settings(data_dir=folder)), base_url=ORIGIN) as gate:
        store = gate.app.state.parts.store
        texts = []
        for owner in ("acme", "other"):
            text, key = new_key(now=1.0, owner=owner)
            gate.portal.call(store.keys.add, key)
            texts.append(text)
        gate.app.state.parts.keys._cache.needed_at = -CACHE_SECONDS * 1e9
        mine = {"authorization": f"Bearer {texts[0]}"}
        body = {"model": "framegate/animatic", "prompt": "pan left", "duration": 1, "resolution": "360p"}
        job = gate.post("/api/v1/videos", json=body, headers=mine).json()
        done = gate.get(f"/api/v1/videos/{job['id']}?wait=60", headers=mine).json()
        assert done["status"] == "completed", done
        yield gate, texts[0], texts[1], job["id"]


@pytest.mark.parametrize(("scheme", "method", "path"), ROUTES)
def test_another_owners_job_answers_as_one_that_never_was(keyed, scheme: str, method: str, path: str):
    gate, _, theirs, job_id = keyed
    headers = {"authorization": f"{scheme}{theirs}"}
    of_another = gate.request(method, path.format(id=job_id), headers=headers)
    of_nobody = gate.request(method, path.format(id=UNKNOWN), headers=headers)

    assert of_another.status_code == of_nobody.status_code
    assert of_another.status_code in (200, 404)
    assert "completed" not in of_another.text.lower().replace("not completed", "")
    assert _bare(of_another.text, job_id) == _bare(of_nobody.text, UNKNOWN)


def test_another_owners_job_is_in_no_dialects_list(keyed):
    gate, mine, theirs, job_id = keyed
    for scheme, path in (("Bearer ", "/phaseo/v1/videos"), ("", "/pictory/v1/jobs"), ("Bearer ", "/api/v1/videos")):
        assert job_id not in gate.get(path, headers={"authorization": f"{scheme}{theirs}"}).text
        assert job_id in gate.get(path, headers={"authorization": f"{scheme}{mine}"}).text


def _bare(text: str, job_id: str) -> str:
    """The answer without the id that was asked for, and without what differs from one answer to the next."""
    import re

    return re.sub(r'"(request_id|generation_id)":"[^"]*"', "", text.replace(job_id, "<id>"))


def test_the_walk_names_every_route_that_names_a_job():
    from framegate.api.dialects import fal, phaseo, pictory

    def never() -> bool:
        return True

    parts: list[tuple[str, Callable[..., object]]] = [
        (phaseo.PATH, phaseo.build),
        (pictory.PATH, pictory.build),
        (fal.PATH, fal.build),
    ]
    named = set()
    for prefix, build in parts:
        for path in build(needs_key=never).openapi()["paths"]:
            if any(word in path for word in ("{video_id}", "{job_id}", "{request_id}")) and "files" not in path:
                named.add(prefix + path)
    walked = {path for _, _, path in ROUTES}

    assert len(named) <= len(walked), sorted(named)
