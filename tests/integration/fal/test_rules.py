"""What a gateway must keep to so that fal's clients do not go astray; each test names its rule."""

import hashlib
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.testclient import TestClient

from framegate.api.dialects.fal.errors import RETRIED
from framegate.api.dialects.fal.webhooks import SCHEDULE_SECONDS
from support.fal_client import ENDPOINT, HERE, over, streamed, submitted, uploaded, wanted
from support.webhook_receiver import receiving

NOWHERE = "http://127.0.0.1:9/nothing.png"


def test_rule_1_only_three_words_and_every_status_has_all_that_clients_read(gate: TestClient, picture: str):
    asked = submitted(gate, wanted(picture))
    events = streamed(gate, asked["request_id"])

    assert [asked["status"], asked["logs"], asked["metrics"], asked["queue_position"]] == ["IN_QUEUE", None, {}, 0]
    assert {event["status"] for event in events} <= {"IN_QUEUE", "IN_PROGRESS", "COMPLETED"}
    for event in (asked, *events):
        assert {"request_id", "response_url", "status_url", "cancel_url", "logs"} <= set(event)
        assert ("queue_position" in event) == (event["status"] == "IN_QUEUE")


def test_rule_1_the_queue_position_is_the_number_of_requests_ahead(gate: TestClient, picture: str):
    ids = [submitted(gate, wanted(picture, duration=15))["request_id"] for _ in range(4)]
    found = [gate.get(f"{HERE}/{one}/status").json() for one in ids]
    waiting = [status["queue_position"] for status in found if status["status"] == "IN_QUEUE"]
    for one in ids:
        gate.put(f"{HERE}/{one}/cancel")

    assert waiting == list(range(len(waiting)))
    assert len(waiting) >= 2  # one renders, and one may be between


def test_rule_2_a_failure_is_completed_and_the_result_is_the_error_itself(gate: TestClient):
    request_id = over(gate, wanted(NOWHERE))
    status = gate.get(f"{HERE}/{request_id}/status")
    result = gate.get(f"{HERE}/{request_id}")

    assert (status.status_code, status.json()["status"]) == (200, "COMPLETED")
    assert status.json()["error_type"] == "file_download_error"
    assert "127.0.0.1" in status.json()["error"]
    assert result.status_code == 422
    (detail,) = result.json()["detail"]
    assert (detail["loc"], detail["type"]) == (["body", "reference_image_urls", 0], "file_download_error")
    assert detail["msg"] == status.json()["error"] == result.json()["message"]


def test_rule_2_a_cancelled_request_is_completed_as_client_cancelled(gate: TestClient, picture: str):
    request_id = submitted(gate, wanted(picture, duration=15))["request_id"]
    cancel = gate.put(f"{HERE}/{request_id}/cancel")
    status = gate.get(f"{HERE}/{request_id}/status").json()
    result = gate.get(f"{HERE}/{request_id}")

    assert (cancel.status_code, cancel.json()) == (200, {"status": "OK"})
    assert (status["status"], status["error_type"]) == ("COMPLETED", "client_cancelled")
    assert (result.status_code, result.headers["x-fal-error-type"]) == (499, "client_cancelled")
    assert result.json()["detail"] == status["error"]


def test_rule_3_the_words_and_codes_of_an_unfinished_request(gate: TestClient, picture: str):
    asked = submitted(gate, wanted(picture, duration=15))
    status = gate.get(f"{HERE}/{asked['request_id']}/status")
    result = gate.get(f"{HERE}/{asked['request_id']}")
    gate.put(f"{HERE}/{asked['request_id']}/cancel")

    assert status.status_code == 202
    assert status.headers["x-fal-request-id"] == asked["request_id"]
    assert result.status_code == 400
    assert result.json() == {
        "detail": "Request is still in progress",
        **{name: asked[name] for name in ("request_id", "response_url", "status_url", "cancel_url")},
        "message": "Request is still in progress",
    }


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (429, {"query": {"fal_max_queue_length": "0"}}),
        (422, {"headers": {"idempotency-key": "one"}}),
        (422, {"headers": {"x-fal-request-timeout": "0.1"}}),
        (422, {"headers": {"x-fal-queue-priority": "high"}}),
        (422, {"query": {"fal_webhook": "ftp://example.com"}}),
        (415, {"headers": {"content-type": "text/plain"}}),
    ],
)
def test_rule_4_a_create_that_is_answered_with_an_error_made_no_job(
    gate: TestClient, picture: str, status: int, ask: dict[str, dict[str, str]]
):
    first = [submitted(gate, wanted(picture, duration=15), **{"idempotency-key": "one"})["request_id"]]
    first += [submitted(gate, wanted(picture, duration=15))["request_id"] for _ in range(3)]
    jobs = lambda: gate.get("http://127.0.0.1:8787/api/v1/videos?limit=100").json()["data"]  # noqa: E731 - short
    before = len(jobs())
    answer = gate.post(
        f"/queue/{ENDPOINT}", json=wanted(picture), params=ask.get("query"), headers=ask.get("headers", {})
    )
    after = len(jobs())
    for one in first:
        gate.put(f"{HERE}/{one}/cancel")

    assert (answer.status_code, after) == (status, before)
    assert answer.json()["message"]


def test_rule_4_an_answer_after_a_job_is_made_is_none_that_clients_retry(gate: TestClient, picture: str):
    """A run that fails must not be made again by its client; where the code is one of those, the header stops it."""
    failed = gate.post(f"/run/{ENDPOINT}", json=wanted(NOWHERE))
    late = gate.post(
        f"/run/{ENDPOINT}", json=wanted(picture, duration=15), headers={"x-fal-request-start-timeout": "0.11"}
    )

    assert failed.status_code not in RETRIED
    if late.status_code != 200:  # it may have begun in time
        assert (late.status_code, late.headers["x-fal-request-timeout-type"]) == (504, "user")


def test_rule_5_addresses_begin_where_the_client_came_in_or_as_the_operator_says(
    open_gate: Callable[..., TestClient], photos: tuple[Path, ...], gate: TestClient, picture: str
):
    asked = submitted(gate, wanted(picture))
    public = open_gate(public_url="https://gate.example/base")
    url = uploaded(public, photos[0])
    told = submitted(public, wanted(url))

    assert asked["status_url"] == f"http://127.0.0.1:8787/fal{HERE}/{asked['request_id']}/status"
    assert url.startswith("https://gate.example/base/fal/cdn/files/")
    assert told["cancel_url"] == f"https://gate.example/base/fal{HERE}/{told['request_id']}/cancel"


def test_rule_6_queue_and_run_are_two_and_the_proxy_leads_to_both(gate: TestClient, picture: str):
    there = "https://{}fal.run/" + ENDPOINT
    queued = gate.post("/proxy", json=wanted(picture), headers={"x-fal-target-url": there.format("queue.")})
    ran = gate.post("/proxy", json=wanted(picture), headers={"x-fal-target-url": there.format("")})
    told = gate.get("/proxy", headers={"x-fal-target-url": f"https://queue.fal.run{HERE[6:]}/nothing/status?logs=1"})

    assert queued.json()["status"] == "IN_QUEUE"
    assert ran.json()["video"]["content_type"] == "video/mp4"
    assert (told.status_code, told.json()["status"]) == (404, "NOT_FOUND")


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
def test_rule_6_the_proxy_leads_nowhere_else(gate: TestClient, target: str):
    answer = gate.post("/proxy", json={}, headers={"x-fal-target-url": target})
    assert (answer.status_code, answer.json()["detail"]) == (400, "Invalid request")


def test_rule_7_the_result_is_there_before_anybody_hears_of_the_end(gate: TestClient, picture: str):
    with receiving() as receiver:
        asked = submitted(gate, wanted(picture), query={"fal_webhook": f"{receiver.url}/hook"})
        here = f"{HERE}/{asked['request_id']}"
        followed = streamed(gate, asked["request_id"])
        after_stream = gate.get(here)
        told = receiver.wait(1)[0]
        after_webhook = gate.get(here)

    assert followed[-1]["status"] == "COMPLETED"
    assert after_stream.status_code == after_webhook.status_code == 200
    assert told.json["payload"] == after_webhook.json()


def test_rule_8_webhooks_are_signed_with_a_key_that_can_be_looked_up(gate: TestClient, picture: str):
    with receiving() as receiver:
        asked = submitted(gate, wanted(picture), query={"fal_webhook": f"{receiver.url}/hook?a=1"})
        failed = submitted(gate, wanted(NOWHERE), query={"fal_webhook": f"{receiver.url}/hook"})
        told = {one.json["request_id"]: one for one in receiver.wait(2)}
    keys = gate.get("http://127.0.0.1:8787/.well-known/jwks.json").json()
    again = gate.get("/rest/.well-known/jwks.json").json()

    assert keys == again
    (key,) = keys["keys"]
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(key["x"] + "=" * (-len(key["x"]) % 4)))
    for one in told.values():
        said = [one.headers[f"x-fal-webhook-{name}"] for name in ("request-id", "user-id", "timestamp")]
        message = "\n".join([*said, hashlib.sha256(one.raw).hexdigest()]).encode()
        public.verify(bytes.fromhex(one.headers["x-fal-webhook-signature"]), message)
        assert said[0] == one.json["request_id"] == one.json["gateway_request_id"]
        assert abs(int(said[2]) - time.time()) < 300
    good, bad = told[asked["request_id"]].json, told[failed["request_id"]].json
    assert (good["status"], good["error"]) == ("OK", None)
    assert (bad["status"], bad["error"]) == ("ERROR", "Invalid status code: 422")
    assert bad["payload"]["detail"][0]["type"] == "file_download_error"


def test_rule_8_ten_tries_in_two_hours():
    assert (len(SCHEDULE_SECONDS) + 1, sum(SCHEDULE_SECONDS)) == (10, 7200)


def test_rule_9_a_status_costs_two_reads_and_no_write(gate: TestClient, picture: str, monkeypatch: pytest.MonkeyPatch):
    request_id = over(gate, wanted(picture))
    store = gate.app.state.parts.store  # pyright: ignore[reportAttributeAccessIssue] - the gate's own
    seen: list[str] = []
    plain = store._reader.all

    async def counted(query: object) -> object:
        seen.append(str(query))
        return await plain(query)

    monkeypatch.setattr(store._reader, "all", counted)
    monkeypatch.setattr(store._writer, "do", None)
    gate.get(f"{HERE}/{request_id}/status").raise_for_status()
    assert len([query for query in seen if "keys" not in query]) <= 2


def test_rule_10_a_data_uri_is_taken_for_an_address(gate: TestClient, photos: tuple[Path, ...]):
    from fal_client import encode_file

    request_id = over(gate, wanted(encode_file(photos[0])))
    assert gate.get(f"{HERE}/{request_id}").status_code == 200


def test_rule_1_a_quiet_stream_pings_and_each_event_brings_new_lines_only(
    gate: TestClient, picture: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("framegate.api.http.sse.QUIET_SECONDS_MAX", 0.02)
    request_id = submitted(gate, wanted(picture))["request_id"]
    answer = gate.get(
        f"{HERE}/{request_id}/status/stream?logs=1", headers={"accept": "application/json, text/event-stream"}
    )
    events = streamed(gate, request_id)
    whole = gate.get(f"{HERE}/{request_id}/status?logs=1").json()["logs"]

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-fal-request-id"] == request_id
    assert ": ping\n\n" in answer.text
    assert not [line for line in answer.text.splitlines() if line and not line.startswith(("data: ", ": ping"))]
    assert [line for event in events for line in event["logs"] or ()] == whole
    assert len(whole) == len({(line["timestamp"], line["message"]) for line in whole})


def test_rule_4_the_same_key_and_body_make_one_request(gate: TestClient, picture: str):
    answers: list[str] = []

    def ask() -> None:
        answers.append(submitted(gate, wanted(picture), **{"idempotency-key": "again"})["request_id"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1
