"""Phaseo's webhooks, its signed addresses and its websocket, in their finer points."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from framegate.api.dialects.phaseo.signed import claims_of, download_url
from framegate.api.dialects.phaseo.webhooks import SCHEDULE_SECONDS, TIMEOUT_SECONDS, hook
from framegate.api.http.signed_urls import UrlSigner
from framegate.config.accounts import WebhookEndpoint
from framegate.config.settings import Settings, SettingsInvalid
from framegate.domain import Job, Request, State, Target
from framegate.jobs.webhooks.dialect import WebhookEvent

LINKS = UrlSigner(secret=b"secret", seconds=60, clock=lambda: 1000)
EVERY = ("created", "status_changed", "progress", "completed", "failed", "cancelled", "expired")
VIDEO = "/phaseo/v1/videos"
SOCKET = "ws://127.0.0.1:8787/phaseo/v1/async"


def job(state: State, *, progress: float | None = None, events: tuple[str, ...] = EVERY, **notes: object) -> Job:
    return Job(
        id="01a1fb7a-7dc2-7779-bb67-06c292bf39a1",
        owner="default",
        dialect="phaseo",
        request=Request(model="m", callback_url="https://hooks.example", callback_events=events, dialect_state=notes),
        model="m",
        target=Target(width=1280, height=720, fps=24, duration=4, audio=False, seed=None),
        created_at=0,
        updated_at=5,
        deadline_at=60,
        base_url="https://gate.example/phaseo/v1",
        state=state,
        progress=progress,
    )


def happened(before: Job | None, after: Job) -> list[str]:
    return [name.removeprefix("video.") for name in hook(LINKS, Settings()).events(before, after)]


def test_each_change_is_told_by_its_events():
    queued, running = job(State.QUEUED), job(State.RUNNING)
    assert happened(None, queued) == ["created"]
    assert happened(queued, running) == ["status_changed"]
    assert happened(running, job(State.FETCHING)) == []
    assert happened(running, job(State.COMPLETED)) == ["status_changed", "completed"]
    assert happened(queued, job(State.EXPIRED)) == ["status_changed", "expired"]


def test_progress_is_told_once_for_every_ten():
    told = [happened(job(State.RUNNING, progress=a), job(State.RUNNING, progress=b)) for a, b in
            ((None, 0.02), (0.02, 0.04), (0.04, 0.2), (0.2, 0.24), (0.24, 0.26), (0.9, 1.0))]  # fmt: skip
    assert told == [["progress"], [], ["progress"], [], ["progress"], []]


def test_only_what_was_asked_for_is_told():
    assert happened(job(State.RUNNING), job(State.COMPLETED, events=("failed", "completed"))) == ["completed"]


def test_it_is_tried_four_times_after_one_five_and_fifteen_minutes():
    made = hook(LINKS, Settings())

    assert (made.schedule_seconds, made.attempts_max, made.timeout_seconds) == ((60, 300, 900), 4, 30)
    assert (SCHEDULE_SECONDS, TIMEOUT_SECONDS) == ((60.0, 300.0, 900.0), 30.0)


def test_each_try_says_which_it_is():
    made = hook(LINKS, Settings())
    after = job(State.RUNNING)
    body = made.body(WebhookEvent(id="e1", type="video.status_changed", before=job(State.QUEUED), after=after))

    assert body["status_change"] == {"previous_status": "queued", "status": "processing"}
    assert (body["type"], body["created_at"], body["data"]["kind"]) == ("video.status_changed", 5, "video")
    assert made.per_attempt_body(body, 2, 4)["delivery"] == {"key": "e1", "attempt": 2, "max_attempts": 4}


def test_a_call_is_signed_with_the_jobs_own_secret_then_its_endpoints():
    endpoint = WebhookEndpoint(id="we_1", url="https://hooks.example", secret="the endpoint's")
    made = hook(LINKS, Settings(webhook_endpoints=(endpoint,)))
    assert made.secret_of is not None

    assert made.secret_of(job(State.QUEUED, webhook_secret="the job's")) == "the job's"
    assert made.secret_of(job(State.QUEUED, webhook_endpoint="we_1")) == "the endpoint's"
    assert made.secret_of(job(State.QUEUED)) is None


@pytest.mark.parametrize("wrong", [{"url": "http://hooks.example"}, {"events": ("video.done",)}, {"events": ()}])
def test_an_endpoint_that_could_not_be_called_is_refused_at_the_start(wrong: dict[str, Any]):
    endpoint = WebhookEndpoint.model_validate({"id": "we_1", "url": "https://hooks.example", **wrong})
    with pytest.raises(SettingsInvalid, match="we_1"):
        hook(LINKS, Settings(webhook_endpoints=(endpoint,)))


@pytest.mark.parametrize(("asked", "given"), [(None, 900), (5, 60), (600, 600), (99_999, 3600)])
def test_a_signed_address_lives_for_a_minute_to_an_hour(asked: int | None, given: int):
    made = download_url(job(State.COMPLETED), "https://gate.example/v", LINKS, index=0, seconds=asked)

    assert made["expires_at"] == 1000 + given


def test_a_signed_address_permits_what_it_says_until_it_ends():
    from urllib.parse import parse_qs, urlsplit

    made = download_url(job(State.COMPLETED), "https://gate.example/v", LINKS, index=2, disposition="inline")
    query = {name: values[0] for name, values in parse_qs(urlsplit(made["download_url"]).query).items()}
    asked: dict[str, Any] = {
        "token": query["download_token"], "signature": query["download_sig"], "expires_at": query["expires_at"]
    }  # fmt: skip

    claims = claims_of(LINKS, **asked)
    assert claims is not None
    assert (claims["index"], claims["disposition"]) == (2, "inline")
    assert claims_of(replace(LINKS, clock=lambda: 1901), **asked) is None
    assert claims_of(replace(LINKS, secret=b"another"), **asked) is None
    for name, other in (
        ("expires_at", "9" * 13),
        ("expires_at", "x"),
        ("signature", "é"),
        ("token", "e30"),
        ("token", ""),
    ):
        assert claims_of(LINKS, **{**asked, name: other}) is None


def started(sandbox: TestClient) -> str:
    body = {"model": "framegate/animatic", "prompt": "slow push in", "duration": 60}
    return sandbox.post(VIDEO, json=body).json()["id"]


def test_a_websocket_tells_of_the_end_and_of_a_deletion(sandbox: TestClient):
    made = started(sandbox)
    with sandbox.websocket_connect(f"{SOCKET}/video/{made}/ws?interval_ms=1&close_on_terminal=no") as socket:
        assert socket.receive_json()["type"] == "job.snapshot"
        sandbox.post(f"{VIDEO}/{made}/cancel").raise_for_status()
        while (told := socket.receive_json())["data"]["status"] != "cancelled":
            assert told["type"] == "job.updated"
        socket.send_text("refresh")
        assert socket.receive_json()["data"]["status"] == "cancelled"
        socket.send_bytes(b"\0")
        socket.send_text("ping")
        assert socket.receive_json() == {"type": "pong"}
        sandbox.delete(f"{VIDEO}/{made}").raise_for_status()
        assert socket.receive_json() == {"type": "job.deleted", "data": {"id": made, "kind": "video"}}
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == 1000


def test_a_websocket_that_talks_too_much_is_closed(sandbox: TestClient):
    made = started(sandbox)
    with sandbox.websocket_connect(f"{SOCKET}/video/{made}/ws") as socket:
        for _ in range(40):
            socket.send_text("ping")
        told = [socket.receive() for _ in range(21)]  # the snapshot, and as many answers as there may be at once
        while told[-1]["type"] == "websocket.send":
            told.append(socket.receive())
    assert (told[-1]["type"], told[-1]["code"]) == ("websocket.close", 1008)
    sandbox.post(f"{VIDEO}/{made}/cancel").raise_for_status()


@pytest.mark.parametrize(
    ("path", "status"), [("video/unknown/ws", 404), ("batch/x/ws", 400), ("video/x/ws?interval_ms=soon", 400)]
)
def test_a_websocket_is_refused_in_phaseos_shape(sandbox: TestClient, path: str, status: int):
    from starlette.testclient import WebSocketDenialResponse

    with pytest.raises(WebSocketDenialResponse) as refused, sandbox.websocket_connect(f"{SOCKET}/{path}"):
        pass
    assert refused.value.status_code == status
    assert refused.value.json()["status_code"] == status


def test_the_models_that_take_a_parameter_are_told(sandbox: TestClient):
    def listed(params: str) -> set[str]:
        answer = sandbox.get(f"{VIDEO}/models", params={"params": params})
        return {model["model"] for model in answer.json()["data"]}

    seeded = listed("seed,duration_seconds")
    assert "framegate/animatic" in seeded
    assert "framegate/animatic" not in listed("negative_prompt")
    assert listed("no_such_parameter") == set()
