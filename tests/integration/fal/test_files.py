"""Files in by both of fal's ways, and out at addresses that nobody can guess."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.api.middleware.client_disconnect import RequestContext
from support.fal_client import ENDPOINT, HERE, over, submitted, uploaded, wanted

LIFECYCLE = "x-fal-object-lifecycle"


def announced(gate: TestClient, **headers: str) -> dict[str, str]:
    body = {"content_type": "image/png", "file_name": "a photo.png"}
    answer = gate.post("/rest/storage/upload/initiate?storage_type=fal-cdn-v3", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_file_is_announced_put_without_a_key_and_lies_where_it_was_told(
    open_gate: Callable[..., TestClient], photos: tuple[Path, ...]
):
    gate = open_gate(api_key="sk-test")
    places = announced(gate, authorization="Key sk-test")
    early = gate.get(places["file_url"])
    put = gate.put(places["upload_url"], content=photos[0].read_bytes(), headers={"content-type": "image/png"})
    again = gate.put(places["upload_url"], content=photos[0].read_bytes(), headers={"content-type": "image/png"})
    got = gate.get(places["file_url"], headers={"range": "bytes=0-7"})

    assert places["file_url"].endswith("/a-photo.png")
    assert early.status_code == 404
    assert put.status_code == again.status_code == 200
    assert (got.status_code, got.content) == (206, photos[0].read_bytes()[:8])
    assert got.headers["content-type"] == "image/png"
    assert gate.put(places["file_url"], content=b"x").status_code == 401
    assert gate.put(f"{places['file_url']}?signature=00", content=b"x").status_code == 401


def test_a_file_in_parts_needs_every_part_as_it_was_sent(gate: TestClient, photos: tuple[Path, ...]):
    body = {"content_type": "image/png", "file_name": "a.png"}
    places = gate.post("/rest/storage/upload/initiate-multipart", json=body).json()
    here, _, signature = places["upload_url"].partition("?")
    whole = photos[0].read_bytes()
    halves = [whole[: len(whole) // 2], whole[len(whole) // 2 :]]
    told = [gate.put(f"{here}/{at + 1}?{signature}", content=half).json() for at, half in enumerate(halves)]
    wrong = [
        gate.post(f"{here}/complete?{signature}", json={"parts": parts}).status_code
        for parts in (told[1:], [told[0], {**told[1], "etag": "other"}], [], "x", [{"partNumber": 1}])
    ]
    beyond = gate.put(f"{here}/10001?{signature}", content=b"x")
    done = gate.post(f"{here}/complete?{signature}", json={"parts": told[::-1]})
    again = gate.post(f"{here}/complete?{signature}", json={"parts": told})

    assert wrong == [422] * 5
    assert beyond.status_code == 422
    assert done.status_code == again.status_code == 200
    assert gate.get(places["file_url"]).content == whole


@pytest.mark.parametrize("content", [b"", b"not a picture at all", b"<html></html>"])
def test_what_is_no_picture_video_or_sound_is_refused(gate: TestClient, content: bytes):
    answer = gate.post("/cdn/files/upload", content=content, headers={"content-type": "application/octet-stream"})
    assert answer.status_code in (415, 422)
    assert answer.json()["message"]


def test_an_uploaded_file_expires_as_its_lifecycle_says(
    gate: TestClient, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
):
    places = announced(gate, **{LIFECYCLE: '{"expiration_duration_seconds": 60}'})
    gate.put(places["upload_url"], content=photos[0].read_bytes(), headers={"content-type": "image/png"})
    before = gate.get(places["file_url"]).status_code
    later = time.time() + 61
    monkeypatch.setattr("framegate.api.dialects.fal.uploads.time.time", lambda: later)

    assert (before, gate.get(places["file_url"]).status_code) == (200, 410)


def test_a_video_is_handed_out_for_as_long_as_was_asked(
    gate: TestClient, picture: str, monkeypatch: pytest.MonkeyPatch
):
    lifecycle = {"x-fal-object-lifecycle-preference": '{"expiration_duration_seconds": 3600}'}
    request_id = over(gate, wanted(picture), **lifecycle)
    url = gate.get(f"{HERE}/{request_id}").json()["video"]["url"]
    before = gate.get(url).status_code
    later = time.time() + 3700
    monkeypatch.setattr("framegate.api.dialects.fal.files.time.time", lambda: later)

    assert (before, gate.get(url).status_code) == (200, 410)


def test_a_private_file_takes_the_key(open_gate: Callable[..., TestClient], photos: tuple[Path, ...]):
    gate = open_gate(api_key="sk-test")
    key = {"authorization": "Key sk-test"}
    private = {"x-fal-object-lifecycle-preference": '{"initial_acl": {"default": "forbid"}}'}
    gate.headers.update(key)
    picture = uploaded(gate, photos[0])
    request_id = over(gate, wanted(picture), **private)
    url = gate.get(f"{HERE}/{request_id}").json()["video"]["url"]
    del gate.headers["authorization"]

    assert gate.get(picture).status_code == 200
    assert gate.get(url).status_code == 401
    assert gate.get(url, headers=key).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        "x",
        "[]",
        '{"expiration_duration_seconds": 0}',
        '{"expiration_duration_seconds": "1h"}',
        '{"initial_acl": {"default": "maybe"}}',
        '{"initial_acl": {"rules": [{"user": "u", "decision": "allow"}]}}',
    ],
)
def test_a_lifecycle_that_cannot_be_kept_is_refused(gate: TestClient, picture: str, said: str):
    headers = {"x-fal-object-lifecycle-preference": said}
    answer = gate.post(f"/queue/{ENDPOINT}", json=wanted(picture), headers=headers)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "x-fal-object-lifecycle-preference"]


def test_no_lifecycle_at_all_is_none(gate: TestClient, picture: str):
    headers = {"x-fal-object-lifecycle-preference": "null", "x-fal-no-retry": "1", "x-fal-queue-priority": "low"}
    asked = submitted(gate, wanted(picture), **headers, **{"x-fal-request-start-timeout": "600"})
    gate.put(f"{HERE}/{asked['request_id']}/cancel")


def test_a_video_lies_at_no_other_address(gate: TestClient, picture: str):
    request_id = over(gate, wanted(picture))
    url = gate.get(f"{HERE}/{request_id}").json()["video"]["url"]
    name = url.rsplit("/", 1)[1]

    assert gate.head(url).headers["content-type"] == "video/mp4"
    assert gate.get(url.replace(name, "0" * 32 + ".mp4")).status_code == 404
    assert gate.get(url.replace("/0/", "/1/")).status_code == 404
    assert gate.get(url.replace("/0/", "/x/")).status_code == 422
    assert gate.get(f"/cdn/files/{'0' * 32}/x.png").status_code == 404


def test_a_token_stands_for_the_key_until_it_ends(
    open_gate: Callable[..., TestClient], photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
):
    gate = open_gate(api_key="sk-test")
    key = {"authorization": "Key sk-test"}
    told = gate.post("/rest/storage/auth/token?storage_type=fal-cdn-v3", json={}, headers=key).json()
    page = gate.post("/rest/tokens/", json={"allowed_apps": ["grok"], "token_expiration": 120}, headers=key).json()
    headers = {"authorization": f"Bearer {told['token']}", "content-type": "image/png"}
    url = gate.post("/cdn/files/upload", content=photos[0].read_bytes(), headers=headers).json()["access_url"]
    asked = gate.post(f"/queue/{ENDPOINT}", json=wanted(url, duration=15), headers=key).json()["request_id"]
    here = f"{HERE}/{asked}/status"
    seen = gate.get(here, params={"fal_jwt_token": page}).status_code
    further = gate.post("/rest/storage/auth/token", json={}, headers=headers).status_code
    later = time.time() + 200
    monkeypatch.setattr("framegate.api.dialects.fal.auth.time.time", lambda: later)
    late = gate.get(here, params={"fal_jwt_token": page}).status_code
    gate.put(f"{HERE}/{asked}/cancel", headers=key)

    assert told["base_url"].endswith("/fal/cdn")
    assert (seen, further, late) == (202, 401, 401)
    assert gate.get(here, params={"fal_jwt_token": f"{page}x"}).status_code == 401
    assert gate.get(here, params={"fal_jwt_token": "fgt.."}).status_code == 401


@pytest.mark.parametrize("sent", ["Key sk-test", "Bearer sk-test", "sk-test", "key sk-test"])
def test_the_key_is_read_as_fals_clients_send_it(open_gate: Callable[..., TestClient], sent: str):
    gate = open_gate(api_key="sk-test")
    unknown = f"{HERE}/01a1fb7b-5bb8-7095-8968-3837387db6e1"

    assert gate.get(unknown, headers={"authorization": sent}).status_code == 404
    refused = gate.get(unknown, headers={"authorization": f"{sent}x"})
    assert (refused.status_code, set(refused.json())) == (401, {"detail", "message"})


def test_a_request_is_looked_up_under_its_own_app(gate: TestClient, picture: str):
    request_id = over(gate, wanted(picture))
    paths = ("xai/grok-imagine-video", ENDPOINT, "fal-ai/xai/grok-imagine-video", "x-ai/grok-imagine-video")

    assert [gate.get(f"/queue/{path}/requests/{request_id}").status_code for path in paths] == [200, 200, 200, 200]
    assert gate.get(f"{HERE}/{request_id}/response").status_code == 200
    assert gate.get(f"/queue/fal-ai/veo3.1/requests/{request_id}").status_code == 404
    assert gate.put(f"/queue/fal-ai/veo3.1/requests/{request_id}/cancel").json()["status"] == "NOT_FOUND"
    assert gate.put(f"{HERE}/{request_id}/cancel").json()["status"] == "ALREADY_COMPLETED"


def test_the_openapi_page_has_every_endpoint_with_its_input(gate: TestClient):
    described = gate.get("/openapi.json").json()
    page = gate.get("/docs").text

    for way in ("queue", "run"):
        operation = described["paths"][f"/{way}/fal-ai/veo3.1/reference-to-video"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert described["components"]["schemas"][schema]["properties"]["duration"]["default"] == "8s"
    ids = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert page.count("/reference-to-video") >= 2 * 25


def test_a_job_of_another_dialect_is_a_request_here(gate: TestClient, picture: str):
    native = "http://127.0.0.1:8787/api/v1/videos"
    reference = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/nothing.png"}}
    job = gate.post(native, json={"model": "veo-3.1", "prompt": "x", "input_references": [reference]}).json()
    status = gate.get(f"/queue/fal-ai/veo3.1/requests/{job['id']}/status").json()
    asked = submitted(gate, wanted(picture))
    shown = gate.get(f"{native}/{asked['request_id']}").json()
    gate.put(f"{HERE}/{asked['request_id']}/cancel")

    assert gate.get(status["status_url"]).json()["request_id"] == job["id"]
    assert (shown["model"], shown["prompt"]) == ("x-ai/grok-imagine-video", "slow push in")


def test_two_calls_of_the_proxy_are_the_same_only_where_their_target_is():
    async def nothing() -> dict[str, str]:
        return {}

    def asked(target: bytes) -> str:
        headers = [(b"x-fal-target-url", target)]
        return RequestContext({"method": "POST", "path": "/fal/proxy", "headers": headers}, nothing).fingerprint

    assert asked(b"https://queue.fal.run/a/b") == asked(b"https://queue.fal.run/a/b")
    assert asked(b"https://queue.fal.run/a/b") != asked(b"https://queue.fal.run/a/c")
