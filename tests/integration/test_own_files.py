"""URLs of the gateway as references: read without the network, with the rights of the caller, in every API."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from framegate.domain.keys import new_key
from support.fal_client import ENDPOINT
from support.holding_gateway import opened
from support.opened import call, parts_of

SHORT = {"model": "framegate/animatic", "prompt": "pan left", "duration": 1, "resolution": "360p"}
LIFECYCLE = "x-fal-object-lifecycle-preference"
PRIVATE = {LIFECYCLE: '{"initial_acl": {"default": "forbid"}}'}
EXPIRING = {LIFECYCLE: '{"expiration_duration_seconds": 60}'}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gateway at a loopback address, from where nothing may be fetched."""
    with opened(tmp_path_factory.mktemp("own")) as client:
        client.base_url = "http://127.0.0.1:8787"
        yield client


@pytest.fixture(scope="module")
def headers(client: TestClient) -> dict[str, dict[str, str]]:
    """The headers of two tenants."""
    result: dict[str, dict[str, str]] = {}
    for owner in ("acme", "other"):
        text, key = new_key(now=1.0, owner=owner)
        call(client, parts_of(client).store.keys.add, key)
        result[owner] = {"authorization": f"Bearer {text}"}
    parts_of(client).keys._cache.needed_at = -1e9
    return result


@pytest.fixture(scope="module")
def job_id(client: TestClient, headers: dict[str, dict[str, str]]) -> str:
    """A finished job of the first tenant."""
    job_id = client.post("/api/v1/videos", json=SHORT, headers=headers["acme"]).json()["id"]
    client.get(f"/api/v1/videos/{job_id}?wait=30", headers=headers["acme"])
    return job_id


@pytest.fixture(scope="module")
def urls(client: TestClient, headers: dict[str, dict[str, str]], job_id: str) -> dict[str, str]:
    """Every URL that the first tenant was given for the job's files."""
    mine = headers["acme"]
    native = client.get(f"/api/v1/videos/{job_id}", headers=mine).json()
    phaseo = client.get(f"/phaseo/v1/videos/{job_id}", headers=mine).json()
    pictory_key = {"authorization": mine["authorization"].removeprefix("Bearer ")}
    pictory = client.get(f"/pictory/v1/jobs/{job_id}", headers=pictory_key).json()["data"]
    fal = client.get(f"/fal/queue/framegate/animatic/requests/{job_id}", headers=mine).json()
    return {
        "unsigned_urls": native["unsigned_urls"][0],
        "/content": f"{native['polling_url']}/content",
        "poster_url": native["poster_url"],
        "contact_sheet_url": native["contact_sheet_url"],
        "phaseo content_url": phaseo["content_url"],
        "phaseo download_url": phaseo["download_url"],
        "pictory url": pictory["url"],
        "pictory lastFrameImageUrl": pictory["lastFrameImageUrl"],
        "fal video": fal["video"]["url"],
    }


SIGNED = {"unsigned_urls", "poster_url", "contact_sheet_url", "phaseo download_url", "pictory url",
          "pictory lastFrameImageUrl", "fal video"}  # fmt: skip
NAMES = [*sorted(SIGNED), "/content", "phaseo content_url"]
PICTURES = {"poster_url", "contact_sheet_url", "pictory lastFrameImageUrl"}


def body_with(url: str, *, is_picture: bool) -> dict[str, Any]:
    kind = "image_url" if is_picture else "video_url"
    role = {} if is_picture else {"role": "source"}
    return {**SHORT, "input_references": [{"type": kind, kind: {"url": url}, **role}]}


def verdict(client: TestClient, body: object, headers: dict[str, str]) -> dict[str, Any]:
    """The status of a check and of a create, and the problem's code."""
    check = client.post("/api/v1/videos/check", json=body, headers=headers).json()
    assert "problems" in check, check
    create = client.post("/api/v1/videos", json=body, headers=headers)
    codes = {problem["code"] for problem in check["problems"]}
    if create.status_code == 400:
        codes.add(create.json()["error"]["metadata"]["problems"][0]["code"])
    return {"ok": check["ok"], "create": create.status_code, "codes": codes}


@pytest.mark.parametrize("name", NAMES)
def test_every_url_of_ones_own_file_is_a_reference(client: TestClient, headers, urls: dict[str, str], name: str):
    body = body_with(urls[name], is_picture=name in PICTURES)

    assert verdict(client, body, headers["acme"]) == {"ok": True, "create": 202, "codes": set()}


@pytest.mark.parametrize("name", NAMES)
def test_another_tenants_file_needs_a_signed_url(client: TestClient, headers, urls: dict[str, str], name: str):
    body = body_with(urls[name], is_picture=name in PICTURES)
    refused = {"ok": False, "create": 400, "codes": {"reference_not_found"}}

    expected = {"ok": True, "create": 202, "codes": set()} if name in SIGNED else refused
    assert verdict(client, body, headers["other"]) == expected


@pytest.mark.parametrize("name", sorted(SIGNED))
def test_a_url_that_was_tampered_with_gives_no_rights(client: TestClient, headers, urls: dict[str, str], name: str):
    url = urls[name]
    last = -5 if url.endswith(".mp4") else url.rindex("=") + 5 if "download_sig" not in url else url.index("_sig=") + 9
    place = last % len(url)
    forged = url[:place] + ("0" if url[place] != "0" else "1") + url[place + 1 :]
    body = body_with(forged, is_picture=name in PICTURES)

    assert not verdict(client, body, headers["other"])["ok"]


@pytest.mark.parametrize("lifecycle", [PRIVATE, EXPIRING], ids=["private", "expired"])
@pytest.mark.parametrize("api", ["fal", "native", "phaseo", "pictory"])
def test_a_private_or_expired_file_is_no_reference_of_another_tenant(
    client: TestClient, headers, api: str, lifecycle: dict[str, str], photos, monkeypatch: pytest.MonkeyPatch
):
    mine, other = headers["acme"], headers["other"]
    sent = mine | lifecycle | {"content-type": "image/png"}
    uploaded = client.post("/fal/cdn/files/upload", content=photos[0].read_bytes(), headers=sent).json()
    submitted = client.post(
        "/fal/queue/framegate/animatic", json={"prompt": "pan", "duration": "1"}, headers=mine | lifecycle
    )
    job_id = submitted.json()["request_id"]
    client.get(f"/api/v1/videos/{job_id}?wait=30", headers=mine)
    result = client.get(f"/fal/queue/framegate/animatic/requests/{job_id}", headers=mine).json()
    native = client.get(f"/api/v1/videos/{job_id}", headers=mine).json()
    machine, now = parts_of(client).machine, parts_of(client).machine.now()
    monkeypatch.setattr(machine, "now", lambda: now + 61)

    for url in (uploaded["access_url"], result["video"]["url"], native["poster_url"], native["unsigned_urls"][0]):
        answer = ordered(client, api, url, other)
        assert answer.status_code in (400, 422), (url, answer.text)
        assert "private" in answer.text or "expired" in answer.text
        owners = ordered(client, api, url, mine)
        assert ("expired" in owners.text) is (lifecycle is EXPIRING), (url, owners.text)


def ordered(client: TestClient, api: str, url: str, headers: dict[str, str]):
    """The response to a create whose picture is a URL."""
    if api == "fal":
        return client.post(
            f"/fal/queue/{ENDPOINT}", json={"prompt": "x @Image1", "reference_image_urls": [url]}, headers=headers
        )
    if api == "pictory":
        key = {"authorization": headers["authorization"].removeprefix("Bearer ")}
        body = {"prompt": "a slow push-in", "model": "framegate/animatic", "referenceImageUrls": [url]}
        return client.post("/pictory/v1/aistudio/videos", json=body, headers=key)
    if api == "phaseo":
        references = [{"type": "image_url", "image_url": {"url": url}}]
        return client.post("/phaseo/v1/videos", json={**SHORT, "input_references": references}, headers=headers)
    return client.post("/api/v1/videos", json=body_with(url, is_picture=True), headers=headers)


def test_the_same_path_at_another_server_is_not_this_gateways(client: TestClient, headers):
    url = "http://127.0.0.1:9/api/v1/videos/0190a000-0000-7000-8000-000000000001/content"

    assert verdict(client, body_with(url, is_picture=False), headers["acme"])["codes"] == {"reference_private_address"}
