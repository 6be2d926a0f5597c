"""Phaseo's webhooks, signed download URLs, websocket and list of models."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from framegate.api.dialects.phaseo.downloads import download_url, verify_download
from framegate.api.dialects.phaseo.webhooks import SCHEDULE_SECONDS, TIMEOUT_SECONDS, webhook_dialect
from framegate.api.http.signed_urls import UrlSigner
from framegate.config.accounts import WebhookEndpoint
from framegate.config.settings import Settings, SettingsInvalid
from framegate.domain import Job, Request, State, Target
from framegate.jobs.webhooks.dialect import WebhookEvent
from support.fixed_clock import FixedClock

SIGNER = UrlSigner(secret=b"secret", seconds=60, clock=FixedClock(1000))
ALL_PHASES = ("created", "status_changed", "progress", "completed", "failed", "cancelled", "expired")
VIDEOS = "/phaseo/v1/videos"
SOCKETS = "ws://127.0.0.1:8787/phaseo/v1/async"


def job(
    state: State, *, progress: float | None = None, phases: tuple[str, ...] = ALL_PHASES, **dialect_state: object
) -> Job:
    return Job(
        id="01a1fb7a-7dc2-7779-bb67-06c292bf39a1",
        owner="default",
        dialect="phaseo",
        request=Request(
            model="m",
            callback_url="https://hooks.example",
            callback_events=phases,
            dialect_state=dialect_state,
        ),
        model="m",
        target=Target(width=1280, height=720, fps=24, duration=4, audio=False, seed=None),
        created_at=0,
        updated_at=5,
        deadline_at=60,
        base_url="https://gateway.example/phaseo/v1",
        state=state,
        progress=progress,
    )


def phases_of(before: Job | None, after: Job) -> list[str]:
    return [name.removeprefix("video.") for name in webhook_dialect(SIGNER, Settings()).events(before, after)]


# -- webhooks


def test_each_change_of_a_job_has_its_events():
    queued, running = job(State.QUEUED), job(State.RUNNING)
    assert phases_of(None, queued) == ["created"]
    assert phases_of(queued, running) == ["status_changed"]
    assert phases_of(running, job(State.FETCHING)) == []
    assert phases_of(running, job(State.COMPLETED)) == ["status_changed", "completed"]
    assert phases_of(queued, job(State.EXPIRED)) == ["status_changed", "expired"]


@pytest.mark.parametrize(
    ("before", "after", "phases"),
    [
        (None, 0.02, ["progress"]),
        (0.02, 0.04, []),
        (0.04, 0.2, ["progress"]),
        (0.2, 0.24, []),
        (0.24, 0.26, ["progress"]),
        (0.9, 1.0, []),
    ],
)
def test_progress_is_reported_once_per_ten_percent(before: float | None, after: float, phases: list[str]):
    assert phases_of(job(State.RUNNING, progress=before), job(State.RUNNING, progress=after)) == phases


def test_only_subscribed_events_are_reported():
    assert phases_of(job(State.RUNNING), job(State.COMPLETED, phases=("failed", "completed"))) == ["completed"]


def test_a_webhook_has_four_attempts_after_one_five_and_fifteen_minutes():
    dialect = webhook_dialect(SIGNER, Settings())

    assert (dialect.schedule_seconds, dialect.attempts_max, dialect.timeout_seconds) == ((60, 300, 900), 4, 30)
    assert (SCHEDULE_SECONDS, TIMEOUT_SECONDS) == ((60.0, 300.0, 900.0), 30.0)


def test_the_body_of_each_attempt_has_its_number():
    dialect = webhook_dialect(SIGNER, Settings())
    after = job(State.RUNNING)
    body = dialect.body(WebhookEvent(id="e1", type="video.status_changed", before=job(State.QUEUED), after=after))

    assert body["status_change"] == {"previous_status": "queued", "status": "processing"}
    assert (body["type"], body["created_at"], body["data"]["kind"]) == ("video.status_changed", 5, "video")
    assert dialect.per_attempt_body(body, 2, 4)["delivery"] == {"key": "e1", "attempt": 2, "max_attempts": 4}


def test_a_webhook_is_signed_with_the_secret_of_the_job_or_of_its_endpoint():
    endpoint = WebhookEndpoint(id="we_1", url="https://hooks.example", secret="the endpoint's")
    dialect = webhook_dialect(SIGNER, Settings(webhook_endpoints=(endpoint,)))
    assert dialect.secret_of is not None

    assert dialect.secret_of(job(State.QUEUED, webhook_secret="the job's")) == "the job's"
    assert dialect.secret_of(job(State.QUEUED, webhook_endpoint="we_1")) == "the endpoint's"
    assert dialect.secret_of(job(State.QUEUED)) is None


@pytest.mark.parametrize("fields", [{"url": "http://hooks.example"}, {"events": ("video.done",)}, {"events": ()}])
def test_the_gateway_does_not_start_with_an_invalid_endpoint(fields: dict[str, Any]):
    endpoint = WebhookEndpoint.model_validate({"id": "we_1", "url": "https://hooks.example", **fields})
    with pytest.raises(SettingsInvalid, match="we_1"):
        webhook_dialect(SIGNER, Settings(webhook_endpoints=(endpoint,)))


# -- signed download URLs


@pytest.mark.parametrize(("requested", "lifetime"), [(None, 900), (5, 60), (600, 600), (99_999, 3600)])
def test_a_signed_url_is_valid_for_a_minute_to_an_hour(requested: int | None, lifetime: int):
    signed = download_url(job(State.COMPLETED), "https://gateway.example/v", SIGNER, index=0, seconds=requested)

    assert signed["expires_at"] == 1000 + lifetime


def test_a_signed_url_permits_only_its_claims_until_it_expires():
    signed = download_url(job(State.COMPLETED), "https://gateway.example/v", SIGNER, index=2, disposition="inline")
    query = {name: values[0] for name, values in parse_qs(urlsplit(signed["download_url"]).query).items()}
    claims = verify_download(SIGNER, query)
    assert claims is not None
    assert (claims["index"], claims["disposition"]) == (2, "inline")
    assert verify_download(replace(SIGNER, clock=FixedClock(1901)), query) is None
    assert verify_download(replace(SIGNER, secret=b"another"), query) is None
    for name, value in (
        ("expires_at", "9" * 13),
        ("expires_at", "x"),
        ("download_sig", "é"),
        ("download_token", "e30"),
        ("download_token", ""),
    ):
        assert verify_download(SIGNER, {**query, name: value}) is None


# -- websocket


def create_video(sandbox: TestClient) -> str:
    body = {"model": "framegate/animatic", "prompt": "slow push in", "duration": 60}
    return sandbox.post(VIDEOS, json=body).json()["id"]


def test_a_websocket_reports_the_end_and_the_deletion_of_a_job(sandbox: TestClient):
    video_id = create_video(sandbox)
    with sandbox.websocket_connect(f"{SOCKETS}/video/{video_id}/ws?interval_ms=1&close_on_terminal=no") as socket:
        assert socket.receive_json()["type"] == "job.snapshot"
        sandbox.post(f"{VIDEOS}/{video_id}/cancel").raise_for_status()
        while (message := socket.receive_json())["data"]["status"] != "cancelled":
            assert message["type"] == "job.updated"
        socket.send_text("refresh")
        assert socket.receive_json()["data"]["status"] == "cancelled"
        socket.send_bytes(b"\0")
        socket.send_text("ping")
        assert socket.receive_json() == {"type": "pong"}
        sandbox.delete(f"{VIDEOS}/{video_id}").raise_for_status()
        assert socket.receive_json() == {"type": "job.deleted", "data": {"id": video_id, "kind": "video"}}
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == 1000


def test_a_websocket_with_too_many_messages_is_closed(sandbox: TestClient):
    video_id = create_video(sandbox)
    with sandbox.websocket_connect(f"{SOCKETS}/video/{video_id}/ws") as socket:
        for _ in range(40):
            socket.send_text("ping")
        messages = [socket.receive() for _ in range(21)]  # the snapshot, and the largest burst of answers
        while messages[-1]["type"] == "websocket.send":
            messages.append(socket.receive())
    assert (messages[-1]["type"], messages[-1]["code"]) == ("websocket.close", 1008)
    sandbox.post(f"{VIDEOS}/{video_id}/cancel").raise_for_status()


@pytest.mark.parametrize(
    ("path", "status"), [("video/unknown/ws", 404), ("batch/x/ws", 400), ("video/x/ws?interval_ms=soon", 400)]
)
def test_a_websocket_is_rejected_in_phaseos_form(sandbox: TestClient, path: str, status: int):
    with pytest.raises(WebSocketDenialResponse) as rejected, sandbox.websocket_connect(f"{SOCKETS}/{path}"):
        pass
    assert rejected.value.status_code == status
    assert rejected.value.json()["status_code"] == status


# -- models


def test_the_list_of_models_is_filtered_by_parameters(sandbox: TestClient):
    def models(params: str) -> set[str]:
        response = sandbox.get(f"{VIDEOS}/models", params={"params": params})
        return {model["model"] for model in response.json()["data"]}

    assert "framegate/animatic" in models("seed,duration_seconds")
    assert "framegate/animatic" not in models("negative_prompt")
    assert models("no_such_parameter") == set()
