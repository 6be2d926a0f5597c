"""Uploads by both of fal's APIs, downloads at secret URLs, tokens and signatures."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.api.dialects.fal.auth import issue_token, verify_token
from framegate.api.dialects.fal.responses import file_link, file_name
from framegate.api.dialects.fal.uploads import Upload, sign_upload
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.signing import Signer
from framegate.api.middleware.client_disconnect import HttpRequestContext
from support.fal_client import ENDPOINT, REQUESTS, cancel, submit, submit_and_wait, upload, video_input
from support.opened import parts_of

LIFECYCLE = "x-fal-object-lifecycle"
KEY = {"authorization": "Key sk-test"}
SECRET = b"secret of the gateway"


def initiate(gateway: TestClient, **headers: str) -> dict[str, str]:
    body = {"content_type": "image/png", "file_name": "a photo.png"}
    response = gateway.post("/rest/storage/upload/initiate?storage_type=fal-cdn-v3", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


# -- uploads


def test_a_file_is_uploaded_without_a_key_to_the_url_of_its_initiation(
    open_gateway: Callable[..., TestClient], photos: tuple[Path, ...]
):
    gateway = open_gateway(api_key="sk-test")
    urls = initiate(gateway, **KEY)
    early = gateway.get(urls["file_url"])
    first = gateway.put(urls["upload_url"], content=photos[0].read_bytes(), headers={"content-type": "image/png"})
    second = gateway.put(urls["upload_url"], content=photos[0].read_bytes(), headers={"content-type": "image/png"})
    download = gateway.get(urls["file_url"], headers={"range": "bytes=0-7"})

    assert urls["file_url"].endswith("/a-photo.png")
    assert early.status_code == 404
    assert first.status_code == second.status_code == 200
    assert (download.status_code, download.content) == (206, photos[0].read_bytes()[:8])
    assert download.headers["content-type"] == "image/png"
    assert gateway.put(urls["file_url"], content=b"x").status_code == 401
    assert gateway.put(f"{urls['file_url']}?signature=00", content=b"x").status_code == 401


def test_an_upload_in_parts_needs_every_part_with_its_etag(gateway: TestClient, photos: tuple[Path, ...]):
    body = {"content_type": "image/png", "file_name": "a.png"}
    urls = gateway.post("/rest/storage/upload/initiate-multipart", json=body).json()
    url, _, signature = urls["upload_url"].partition("?")
    photo = photos[0].read_bytes()
    halves = [photo[: len(photo) // 2], photo[len(photo) // 2 :]]
    parts = [
        gateway.put(f"{url}/{number}?{signature}", content=half).json() for number, half in enumerate(halves, start=1)
    ]
    invalid = [
        gateway.post(f"{url}/complete?{signature}", json={"parts": value}).status_code
        for value in (parts[1:], [parts[0], {**parts[1], "etag": "other"}], [], "x", [{"partNumber": 1}])
    ]
    out_of_range = gateway.put(f"{url}/10001?{signature}", content=b"x")
    first = gateway.post(f"{url}/complete?{signature}", json={"parts": parts[::-1]})
    second = gateway.post(f"{url}/complete?{signature}", json={"parts": parts})

    assert invalid == [422] * 5
    assert out_of_range.status_code == 422
    assert first.status_code == second.status_code == 200
    assert gateway.get(urls["file_url"]).content == photo


@pytest.mark.parametrize("content", [b"", b"not a picture at all", b"<html></html>"])
def test_a_file_that_is_no_image_video_or_audio_is_rejected(gateway: TestClient, content: bytes):
    response = gateway.post("/cdn/files/upload", content=content, headers={"content-type": "application/octet-stream"})
    assert response.status_code in (415, 422)
    assert response.json()["message"]


# -- lifecycle


def test_an_uploaded_file_expires_with_its_lifecycle(
    gateway: TestClient, photos: tuple[Path, ...], set_clock_forward: Callable[[TestClient, float], None]
):
    urls = initiate(gateway, **{LIFECYCLE: '{"expiration_duration_seconds": 60}'})
    gateway.put(urls["upload_url"], content=photos[0].read_bytes(), headers={"content-type": "image/png"})
    before = gateway.get(urls["file_url"]).status_code
    set_clock_forward(gateway, 61)

    assert (before, gateway.get(urls["file_url"]).status_code) == (200, 410)


def test_expired_and_unfinished_uploads_are_deleted(
    open_gateway: Callable[..., TestClient],
    photos: tuple[Path, ...],
    set_clock_forward: Callable[[TestClient, float], None],
):
    gateway = open_gateway()
    unfinished = initiate(gateway)["file_url"].split("/")[-2]
    retained = upload(gateway, photos[0]).split("/")[-2]
    expiring = initiate(gateway, **{LIFECYCLE: '{"expiration_duration_seconds": 60}'})
    gateway.put(expiring["upload_url"], content=photos[0].read_bytes(), headers={"content-type": "image/png"})
    set_clock_forward(gateway, 25 * 3600)
    newest = initiate(gateway)["file_url"].split("/")[-2]

    folder = parts_of(gateway).settings.data_dir / "uploads"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {retained, newest}
    assert unfinished not in (retained, newest)


def test_an_output_expires_with_the_lifecycle_of_its_request(
    gateway: TestClient, photo_url: str, set_clock_forward: Callable[[TestClient, float], None]
):
    lifecycle = {"x-fal-object-lifecycle-preference": '{"expiration_duration_seconds": 3600}'}
    request_id = submit_and_wait(gateway, video_input(photo_url), lifecycle)
    url = gateway.get(f"{REQUESTS}/{request_id}").json()["video"]["url"]
    before = gateway.get(url).status_code
    set_clock_forward(gateway, 3700)

    assert (before, gateway.get(url).status_code) == (200, 410)


def test_a_private_output_needs_the_key(open_gateway: Callable[..., TestClient], photos: tuple[Path, ...]):
    gateway = open_gateway(api_key="sk-test")
    private = {"x-fal-object-lifecycle-preference": '{"initial_acl": {"default": "forbid"}}'}
    gateway.headers.update(KEY)
    photo_url = upload(gateway, photos[0])
    request_id = submit_and_wait(gateway, video_input(photo_url), private)
    url = gateway.get(f"{REQUESTS}/{request_id}").json()["video"]["url"]
    del gateway.headers["authorization"]

    assert gateway.get(photo_url).status_code == 200
    assert gateway.get(url).status_code == 401
    assert gateway.get(url, headers=KEY).status_code == 200


@pytest.mark.parametrize(
    "lifecycle",
    [
        "x",
        "[]",
        '{"expiration_duration_seconds": 0}',
        '{"expiration_duration_seconds": "1h"}',
        '{"initial_acl": {"default": "maybe"}}',
        '{"initial_acl": {"rules": [{"user": "u", "decision": "allow"}]}}',
    ],
)
def test_an_unsupported_lifecycle_is_rejected(gateway: TestClient, photo_url: str, lifecycle: str):
    headers = {"x-fal-object-lifecycle-preference": lifecycle}
    response = gateway.post(f"/queue/{ENDPOINT}", json=video_input(photo_url), headers=headers)

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["header", "x-fal-object-lifecycle-preference"]


def test_a_lifecycle_of_null_is_no_lifecycle(gateway: TestClient, photo_url: str):
    headers = {"x-fal-object-lifecycle-preference": "null", "x-fal-no-retry": "1", "x-fal-queue-priority": "low"}
    submitted = submit(gateway, video_input(photo_url), {**headers, "x-fal-request-start-timeout": "600"})
    cancel(gateway, submitted["request_id"])


# -- keys, tokens and signatures


def test_a_video_is_found_at_no_other_url(gateway: TestClient, photo_url: str):
    request_id = submit_and_wait(gateway, video_input(photo_url))
    url = gateway.get(f"{REQUESTS}/{request_id}").json()["video"]["url"]
    name = url.rsplit("/", 1)[1]

    assert gateway.head(url).headers["content-type"] == "video/mp4"
    assert gateway.get(url.replace(name, "0" * 32 + ".mp4")).status_code == 404
    assert gateway.get(url.replace(".mp4", ".webm")).status_code == 404
    assert gateway.get(url.replace("/0/", "/1/")).status_code == 404
    assert gateway.get(url.replace("/0/", "/x/")).status_code == 422
    assert gateway.get(f"/cdn/files/{'0' * 32}/x.png").status_code == 404


def test_a_token_stands_for_the_key_until_it_expires(
    open_gateway: Callable[..., TestClient],
    photos: tuple[Path, ...],
    set_clock_forward: Callable[[TestClient, float], None],
):
    gateway = open_gateway(api_key="sk-test")
    cdn = gateway.post("/rest/storage/auth/token?storage_type=fal-cdn-v3", json={}, headers=KEY).json()
    body = {"allowed_apps": ["grok"], "token_expiration": 120}
    token = gateway.post("/rest/tokens/", json=body, headers=KEY).json()
    headers = {"authorization": f"Bearer {cdn['token']}", "content-type": "image/png"}
    url = gateway.post("/cdn/files/upload", content=photos[0].read_bytes(), headers=headers).json()["access_url"]
    request_id = submit(gateway, video_input(url, duration=15), KEY)["request_id"]
    status_url = f"{REQUESTS}/{request_id}/status"
    valid = gateway.get(status_url, params={"fal_jwt_token": token}).status_code
    further = gateway.post("/rest/storage/auth/token", json={}, headers=headers).status_code
    set_clock_forward(gateway, 200)
    expired = gateway.get(status_url, params={"fal_jwt_token": token}).status_code

    assert cdn["base_url"].endswith("/fal/cdn")
    assert (valid, further, expired) == (202, 401, 401)
    assert gateway.get(status_url, params={"fal_jwt_token": f"{token}x"}).status_code == 401
    assert gateway.get(status_url, params={"fal_jwt_token": "fgt.."}).status_code == 401


def test_urls_of_earlier_versions_stay_valid_on_an_open_gateway_and_tokens_name_their_key():
    def sign(*lines: str) -> str:
        return hmac.new(SECRET, "\n".join(lines).encode(), hashlib.sha256).hexdigest()

    signer, urls = Signer(SECRET), UrlSigner(secret=SECRET, seconds=60)
    payload = urlsafe_b64encode(b"2000\nkey-1").rstrip(b"=").decode()
    token = f"fgt.{payload}.{sign('fal token 3', payload)}"
    upload_id, job_id = "0" * 32, "0190a000-0000-7000-8000-000000000001"

    assert verify_token(token, signer, now=1999) == "key-1"
    assert verify_token(token, signer, now=2000) is None
    assert issue_token("key-1", signer, now=1000, seconds=1000) == (token, 2000)
    upload_record = Upload(id=upload_id, owner="acme", name="a", created_at=0)
    assert sign_upload(signer, upload_record) == sign("fal upload", upload_id)
    name = f"{sign('fal file', job_id, '0')[:32]}.mp4"
    assert file_name(urls, job_id, 0) == name
    for path, credential in (
        (f"/fal/cdn/files/{job_id}/0/{name}", ""),
        (f"/fal/cdn/files/{job_id}/1/{name}", None),
        (f"/fal/cdn/files/{job_id}/0/{'k' * 12}_{name}", None),
        (f"/fal/cdn/files/{job_id}/0/{file_name(urls.for_key('k' * 12), job_id, 0)}", "k" * 12),
    ):
        link = file_link(path, {}, urls)
        assert link is not None
        assert link.credential == credential


@pytest.mark.parametrize("authorization", ["Key sk-test", "Bearer sk-test", "sk-test", "key sk-test"])
def test_the_key_is_accepted_in_every_form_that_fals_clients_send(
    open_gateway: Callable[..., TestClient], authorization: str
):
    gateway = open_gateway(api_key="sk-test")
    unknown = f"{REQUESTS}/01a1fb7b-5bb8-7095-8968-3837387db6e1"

    assert gateway.get(unknown, headers={"authorization": authorization}).status_code == 404
    rejected = gateway.get(unknown, headers={"authorization": f"{authorization}x"})
    assert (rejected.status_code, set(rejected.json())) == (401, {"detail", "message", "error"})


# -- jobs


def test_a_request_is_found_under_the_apps_of_its_model_only(gateway: TestClient, photo_url: str):
    request_id = submit_and_wait(gateway, video_input(photo_url))
    apps = ("xai/grok-imagine-video", ENDPOINT, "fal-ai/xai/grok-imagine-video", "x-ai/grok-imagine-video")

    assert [gateway.get(f"/queue/{app}/requests/{request_id}").status_code for app in apps] == [200, 200, 200, 200]
    assert gateway.get(f"{REQUESTS}/{request_id}/response").status_code == 200
    assert gateway.get(f"/queue/fal-ai/veo3.1/requests/{request_id}").status_code == 404
    assert gateway.put(f"/queue/fal-ai/veo3.1/requests/{request_id}/cancel").json()["status"] == "NOT_FOUND"
    assert gateway.put(f"{REQUESTS}/{request_id}/cancel").json()["status"] == "ALREADY_COMPLETED"


def test_the_openapi_document_has_every_endpoint_with_its_input(gateway: TestClient):
    document = gateway.get("/openapi.json").json()
    page = gateway.get("/docs").text

    for prefix in ("queue", "run"):
        operation = document["paths"][f"/{prefix}/fal-ai/veo3.1/reference-to-video"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert document["components"]["schemas"][schema]["properties"]["duration"]["default"] == "8s"
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert page.count("/reference-to-video") >= 2 * 25


def test_a_job_of_another_api_is_a_request_and_a_request_is_a_job(gateway: TestClient, photo_url: str):
    native = "http://127.0.0.1:8787/api/v1/videos"
    reference = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/nothing.png"}}
    job = gateway.post(native, json={"model": "veo-3.1", "prompt": "x", "input_references": [reference]}).json()
    status = gateway.get(f"/queue/fal-ai/veo3.1/requests/{job['id']}/status").json()
    submitted = submit(gateway, video_input(photo_url))
    native_job = gateway.get(f"{native}/{submitted['request_id']}").json()
    cancel(gateway, submitted["request_id"])

    assert gateway.get(status["status_url"]).json()["request_id"] == job["id"]
    assert (native_job["model"], native_job["prompt"]) == ("x-ai/grok-imagine-video", "slow push in")


def test_two_calls_of_the_proxy_are_equal_only_with_equal_targets():
    async def receive() -> dict[str, str]:
        return {}

    def fingerprint(target: bytes) -> str:
        headers = [(b"x-fal-target-url", target)]
        scope = {"method": "POST", "path": "/fal/proxy", "headers": headers}
        return HttpRequestContext(scope, receive).fingerprint

    assert fingerprint(b"https://queue.fal.run/a/b") == fingerprint(b"https://queue.fal.run/a/b")
    assert fingerprint(b"https://queue.fal.run/a/b") != fingerprint(b"https://queue.fal.run/a/c")
