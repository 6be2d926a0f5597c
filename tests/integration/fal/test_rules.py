"""What fal's clients depend on: status words and codes, URLs, streams, webhooks, and no job after an error."""

import hashlib
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Executable
from starlette.testclient import TestClient

from framegate.api.dialects.fal.errors import RETRIED
from framegate.api.dialects.fal.webhooks import SCHEDULE_SECONDS
from support.fal_client import (
    ENDPOINT,
    REQUESTS,
    cancel,
    stream_statuses,
    submit,
    submit_and_wait,
    upload,
    video_input,
)
from support.opened import parts_of
from support.webhook_receiver import receiving

UNREACHABLE = "http://127.0.0.1:9/nothing.png"


# -- status and result


def test_there_are_three_status_words_and_every_status_has_the_fields_that_clients_read(
    gateway: TestClient, photo_url: str
):
    submitted = submit(gateway, video_input(photo_url))
    events = stream_statuses(gateway, submitted["request_id"])

    first = [submitted[name] for name in ("status", "logs", "metrics", "queue_position")]
    assert first == ["IN_QUEUE", None, {}, 0]
    assert {event["status"] for event in events} <= {"IN_QUEUE", "IN_PROGRESS", "COMPLETED"}
    for event in (submitted, *events):
        assert {"request_id", "response_url", "status_url", "cancel_url", "logs"} <= set(event)
        assert ("queue_position" in event) == (event["status"] == "IN_QUEUE")


def test_the_queue_position_is_the_number_of_requests_ahead(gateway: TestClient, photo_url: str):
    ids = [submit(gateway, video_input(photo_url, duration=15))["request_id"] for _ in range(4)]
    statuses = [gateway.get(f"{REQUESTS}/{request_id}/status").json() for request_id in ids]
    positions = [status["queue_position"] for status in statuses if status["status"] == "IN_QUEUE"]
    cancel(gateway, *ids)

    assert positions == list(range(len(positions)))
    assert len(positions) >= 2  # two render


def test_a_failed_request_is_completed_and_its_result_is_the_error(gateway: TestClient):
    request_id = submit_and_wait(gateway, video_input(UNREACHABLE))
    status = gateway.get(f"{REQUESTS}/{request_id}/status")
    result = gateway.get(f"{REQUESTS}/{request_id}")

    assert (status.status_code, status.json()["status"]) == (200, "COMPLETED")
    assert status.json()["error_type"] == "file_download_error"
    assert "127.0.0.1" in status.json()["error"]
    assert result.status_code == 422
    (detail,) = result.json()["detail"]
    assert (detail["loc"], detail["type"]) == (["body", "reference_image_urls", 0], "file_download_error")
    assert detail["msg"] == status.json()["error"] == result.json()["message"]


def test_a_cancelled_request_is_completed_with_the_error_type_client_cancelled(gateway: TestClient, photo_url: str):
    request_id = submit(gateway, video_input(photo_url, duration=15))["request_id"]
    cancelled = gateway.put(f"{REQUESTS}/{request_id}/cancel")
    status = gateway.get(f"{REQUESTS}/{request_id}/status").json()
    result = gateway.get(f"{REQUESTS}/{request_id}")

    assert (cancelled.status_code, cancelled.json()) == (200, {"status": "OK"})
    assert (status["status"], status["error_type"]) == ("COMPLETED", "client_cancelled")
    assert (result.status_code, result.headers["x-fal-error-type"]) == (499, "client_cancelled")
    assert result.json()["detail"] == status["error"]


def test_status_and_result_of_an_open_request_have_the_codes_and_words_that_clients_compare(
    gateway: TestClient, photo_url: str
):
    submitted = submit(gateway, video_input(photo_url, duration=15))
    status = gateway.get(f"{REQUESTS}/{submitted['request_id']}/status")
    result = gateway.get(f"{REQUESTS}/{submitted['request_id']}")
    cancel(gateway, submitted["request_id"])

    assert status.status_code == 202
    assert status.headers["x-fal-request-id"] == submitted["request_id"]
    assert result.status_code == 400
    assert result.json() == {
        "detail": "Request is still in progress",
        **{name: submitted[name] for name in ("request_id", "response_url", "status_url", "cancel_url")},
        "message": "Request is still in progress",
    }


def test_a_quiet_stream_pings_and_each_event_has_only_the_new_log_lines(
    gateway: TestClient, photo_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("framegate.api.http.sse.QUIET_SECONDS_MAX", 0.02)
    request_id = submit(gateway, video_input(photo_url))["request_id"]
    response = gateway.get(
        f"{REQUESTS}/{request_id}/status/stream?logs=1", headers={"accept": "application/json, text/event-stream"}
    )
    events = stream_statuses(gateway, request_id)
    logs = gateway.get(f"{REQUESTS}/{request_id}/status?logs=1").json()["logs"]

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-fal-request-id"] == request_id
    assert ": ping\n\n" in response.text
    assert not [line for line in response.text.splitlines() if line and not line.startswith(("data: ", ": ping"))]
    assert [line for event in events for line in event["logs"] or ()] == logs
    assert len(logs) == len({(line["timestamp"], line["message"]) for line in logs})


def test_a_status_costs_two_reads_and_no_write(gateway: TestClient, photo_url: str, monkeypatch: pytest.MonkeyPatch):
    request_id = submit_and_wait(gateway, video_input(photo_url))
    store = parts_of(gateway).store
    queries: list[str] = []
    read_all = store._reader.all

    async def count(query: Executable) -> object:
        queries.append(str(query))
        return await read_all(query)

    monkeypatch.setattr(store._reader, "all", count)
    monkeypatch.setattr(store._writer, "apply", None)
    gateway.get(f"{REQUESTS}/{request_id}/status").raise_for_status()
    assert len([query for query in queries if "keys" not in query]) <= 2


# -- creates


@pytest.mark.parametrize(
    ("status", "parts"),
    [
        (429, {"query": {"fal_max_queue_length": "0"}}),
        (422, {"headers": {"idempotency-key": "one"}}),
        (422, {"headers": {"x-fal-request-timeout": "0.1"}}),
        (422, {"headers": {"x-fal-queue-priority": "high"}}),
        (422, {"query": {"fal_webhook": "ftp://example.com"}}),
        (415, {"headers": {"content-type": "text/plain"}}),
    ],
)
def test_a_create_that_fails_makes_no_job(
    gateway: TestClient, photo_url: str, status: int, parts: dict[str, dict[str, str]]
):
    def jobs() -> list[str]:
        response = gateway.get("http://127.0.0.1:8787/api/v1/videos?limit=100")
        return [job["id"] for job in response.json()["data"]]

    ids = [submit(gateway, video_input(photo_url, duration=15), {"idempotency-key": "one"})["request_id"]]
    ids += [submit(gateway, video_input(photo_url, duration=15))["request_id"] for _ in range(3)]
    before = jobs()
    response = gateway.post(
        f"/queue/{ENDPOINT}", json=video_input(photo_url), params=parts.get("query"), headers=parts.get("headers", {})
    )
    after = jobs()
    cancel(gateway, *ids)

    assert (response.status_code, after) == (status, before)
    assert response.json()["message"]


def test_clients_do_not_retry_after_the_error_of_a_job(gateway: TestClient, photo_url: str):
    """A client must not repeat a run that failed; after 504, which clients retry, a header stops them."""
    failed = gateway.post(f"/run/{ENDPOINT}", json=video_input(UNREACHABLE))
    ids = [submit(gateway, video_input(photo_url, duration=15))["request_id"] for _ in range(2)]
    late = gateway.post(
        f"/run/{ENDPOINT}", json=video_input(photo_url), headers={"x-fal-request-start-timeout": "0.11"}
    )
    cancel(gateway, *ids)

    assert failed.status_code not in RETRIED
    assert (late.status_code, late.headers["x-fal-request-timeout-type"]) == (504, "user")


def test_the_same_idempotency_key_and_body_make_one_request(gateway: TestClient, photo_url: str):
    ids: list[str] = []

    def create() -> None:
        ids.append(submit(gateway, video_input(photo_url), {"idempotency-key": "again"})["request_id"])

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_a_data_uri_is_accepted_as_a_url(gateway: TestClient, photos: tuple[Path, ...]):
    from fal_client import encode_file

    request_id = submit_and_wait(gateway, video_input(encode_file(photos[0])))
    assert gateway.get(f"{REQUESTS}/{request_id}").status_code == 200


# -- URLs and the proxy


def test_urls_start_with_the_clients_base_url_or_the_public_url(
    open_gateway: Callable[..., TestClient], photos: tuple[Path, ...], gateway: TestClient, photo_url: str
):
    local = submit(gateway, video_input(photo_url))
    public = open_gateway(public_url="https://gateway.example/base")
    url = upload(public, photos[0])
    submitted = submit(public, video_input(url))

    assert local["status_url"] == f"http://127.0.0.1:8787/fal{REQUESTS}/{local['request_id']}/status"
    assert url.startswith("https://gateway.example/base/fal/cdn/files/")
    assert submitted["cancel_url"] == f"https://gateway.example/base/fal{REQUESTS}/{submitted['request_id']}/cancel"


def test_the_proxy_reaches_both_the_queue_and_the_direct_call(gateway: TestClient, photo_url: str):
    def proxied(target: str) -> dict[str, str]:
        return {"x-fal-target-url": target}

    queued = gateway.post("/proxy", json=video_input(photo_url), headers=proxied(f"https://queue.fal.run/{ENDPOINT}"))
    run = gateway.post("/proxy", json=video_input(photo_url), headers=proxied(f"https://fal.run/{ENDPOINT}"))
    unknown = f"https://queue.fal.run{REQUESTS.removeprefix('/queue')}/nothing/status?logs=1"
    status = gateway.get("/proxy", headers=proxied(unknown))

    assert queued.json()["status"] == "IN_QUEUE"
    url = f"https://queue.fal.run{REQUESTS.removeprefix('/queue')}/{queued.json()['request_id']}"
    assert queued.json()["response_url"] == url
    assert gateway.get("/proxy", headers=proxied(f"{url}/status")).json()["response_url"] == url
    assert run.json()["video"]["content_type"] == "video/mp4"
    assert (status.status_code, status.json()["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "https://example.com/x",
        "http://queue.fal.run/x/y",
        "https://queue.fal.run:8443/x/y",
        "https://fal.run@example.com/x",
        "https://user@queue.fal.run/x/y",
        "https://rest.fal.ai/billing",
        "https://rest.fal.ai/../queue/x",
        "https://queue.fal.run.example.com/x",
        "file:///etc/passwd",
        "https://[",
    ],
)
def test_the_proxy_rejects_every_other_target(gateway: TestClient, target: str):
    response = gateway.post("/proxy", json={}, headers={"x-fal-target-url": target})
    assert (response.status_code, response.json()["detail"]) == (400, "Invalid request")


# -- webhooks


def test_the_result_is_ready_before_a_stream_or_a_webhook_reports_the_end(gateway: TestClient, photo_url: str):
    with receiving() as receiver:
        submitted = submit(gateway, video_input(photo_url), query={"fal_webhook": f"{receiver.url}/hook"})
        url = f"{REQUESTS}/{submitted['request_id']}"
        events = stream_statuses(gateway, submitted["request_id"])
        after_stream = gateway.get(url)
        webhook = receiver.wait(1)[0]
        after_webhook = gateway.get(url)

    assert events[-1]["status"] == "COMPLETED"
    assert after_stream.status_code == after_webhook.status_code == 200
    assert webhook.json["payload"] == after_webhook.json()


def test_webhooks_are_signed_with_a_key_from_the_published_key_set(gateway: TestClient, photo_url: str):
    with receiving() as receiver:
        submitted = submit(gateway, video_input(photo_url), query={"fal_webhook": f"{receiver.url}/hook?a=1"})
        failed = submit(gateway, video_input(UNREACHABLE), query={"fal_webhook": f"{receiver.url}/hook"})
        webhooks = {webhook.json["request_id"]: webhook for webhook in receiver.wait(2)}
    keys = gateway.get("http://127.0.0.1:8787/.well-known/jwks.json").json()
    rest_keys = gateway.get("/rest/.well-known/jwks.json").json()

    assert keys == rest_keys
    (key,) = keys["keys"]
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(key["x"] + "=" * (-len(key["x"]) % 4)))
    for webhook in webhooks.values():
        signed = [webhook.headers[f"x-fal-webhook-{name}"] for name in ("request-id", "user-id", "timestamp")]
        message = "\n".join([*signed, hashlib.sha256(webhook.raw).hexdigest()]).encode()
        public.verify(bytes.fromhex(webhook.headers["x-fal-webhook-signature"]), message)
        assert signed[0] == webhook.json["request_id"] == webhook.json["gateway_request_id"]
        assert abs(int(signed[2]) - time.time()) < 300
    good, bad = webhooks[submitted["request_id"]].json, webhooks[failed["request_id"]].json
    assert (good["status"], good["error"]) == ("OK", None)
    assert (bad["status"], bad["error"]) == ("ERROR", "Invalid status code: 422")
    assert bad["payload"]["detail"][0]["type"] == "file_download_error"


def test_a_webhook_has_ten_attempts_in_two_hours():
    assert (len(SCHEDULE_SECONDS) + 1, sum(SCHEDULE_SECONDS)) == (10, 7200)
