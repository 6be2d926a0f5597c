"""The PyPI package `phaseo`, unmodified, against a served sandbox."""

import base64
import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

import httpx
import httpx2
import pytest
from phaseo import Phaseo, verify_async_webhook_signature
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from support.pages import example, page
from support.served_gateway import ServedGateway
from support.videos import frames
from support.webhook_receiver import receiving

UNFINISHED = ("queued", "processing")


@pytest.fixture
def client(sandbox_gateway: ServedGateway) -> Phaseo:
    return Phaseo(api_key=sandbox_gateway.key, base_url=f"{sandbox_gateway.url}/phaseo/v1")


def wanted(url: str, **more: object) -> dict[str, Any]:
    reference = {"type": "image_url", "role": "reference", "image_url": {"url": url}}
    return {"model": "framegate/animatic", "prompt": "slow push in", "input_references": [reference], **more}


def small(url: str, **more: object) -> dict[str, Any]:
    return wanted(url, duration=1, resolution="360p", aspect_ratio="16:9", **more)


def ended(client: Phaseo, job: dict[str, Any]) -> dict[str, Any]:
    while job["status"] in UNFINISHED:
        job = client.videos.retrieve(job["id"])
    return job


def told(error: HTTPError) -> dict[str, Any]:
    with error:
        return json.loads(error.read())


def test_makes_follows_and_downloads_a_video(client: Phaseo, sandbox_asset: str):
    job = client.videos.create(small(sandbox_asset, seed=3))
    assert job["status"] in UNFINISHED
    job = ended(client, job)

    assert (job["status"], job["billing"]["state"], job["usage"]["cost"]) == ("completed", "settled", 0)
    assert frames(client.videos.content(job["id"])) == (24, 640, 360)


def test_a_model_of_another_service_is_made_by_its_own_rules(client: Phaseo, sandbox_asset: str):
    frame = {"type": "image_url", "image_url": {"url": sandbox_asset}}  # no role: the first image begins the video
    job = client.videos.create(
        {"model": "veo-3.1", "prompt": "a lighthouse", "duration": 4, "input_references": [frame]}
    )

    assert (job["model"], job["size"], job["audio"]) == ("google/veo-3.1", "1280x720", True)
    assert job["billing"]["estimated_user_cost"] == "1.60"
    job = ended(client, job)
    assert frames(client.videos.content(job["id"])) == (96, 1280, 720)


def test_a_signed_address_needs_no_key_until_it_is_changed(client: Phaseo, sandbox_asset: str):
    job = ended(client, client.videos.create(small(sandbox_asset)))
    made = client.videos.download_url(job["id"], {"ttl_seconds": 60, "disposition": "attachment"})
    with urllib.request.urlopen(made["download_url"]) as answer:
        assert frames(answer.read()) == (24, 640, 360)
        assert answer.headers["content-disposition"] == f'attachment; filename="{job["id"]}.mp4"'
    assert frames(httpx2.get(job["outputs"][0]["download_url"], trust_env=False).content) == (24, 640, 360)

    forged = made["download_url"].replace(str(made["expires_at"]), str(made["expires_at"] + 1))
    with pytest.raises(HTTPError, match="401") as refused:
        urllib.request.urlopen(forged)
    assert told(refused.value)["error"] == "unauthorised"


def test_a_token_tells_what_phaseo_puts_into_it(client: Phaseo, sandbox_asset: str):
    job = ended(client, client.videos.create(small(sandbox_asset)))
    url = httpx2.URL(client.videos.download_url(job["id"])["download_url"])
    token = url.params["download_token"]

    claims = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert claims.pop("key")  # Framegate's own: the URL ends with its key
    assert claims == {"workspace_id": "default", "video_id": job["id"], "index": 0, "disposition": "attachment"}


def test_lists_pages_through_and_deletes(client: Phaseo, sandbox_asset: str):
    made = [ended(client, client.videos.create(small(sandbox_asset)))["id"] for _ in range(2)]
    first = client.videos.list({"limit": 1, "status": "completed"})
    second = client.videos.list({"limit": 1, "status": "succeeded", "after": first["last_id"]})

    assert [first["data"][0]["id"], second["data"][0]["id"]] == made[::-1]
    assert first["has_more"] is True
    oldest = client.videos.list({"limit": 1, "order": "asc"})["data"][0]["id"]
    assert oldest < made[0]
    assert client.videos.delete(made[0]) == {"id": made[0], "object": "video.deleted", "deleted": True}
    with pytest.raises(HTTPError, match="404"):
        client.videos.retrieve(made[0])


def test_lists_the_models(client: Phaseo):
    models = {model["model"]: model for model in client.videos.list_models()["data"]}

    veo = models["google/veo-3.1"]
    assert veo["input_types"] == ["text", "image", "video"]
    assert veo["supported_params_detail"]["duration"]["values"] == [4, 6, 8]
    assert client.models.validate("google/veo-3.1")["ok"]


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ({"model": "framegate/animatic", "prompt": "x", "duration": 99}, "validation_error", "duration"),
        ({"prompt": "x"}, "model_required", "sora-2, is retired"),
        ({"model": "framegate/animatic", "prompts": "x"}, "validation_error", "Did you mean `prompt`"),
    ],
)
def test_is_told_why_a_request_is_refused(client: Phaseo, body: dict[str, Any], error: str, said: str):
    with pytest.raises(HTTPError, match="400") as refused:
        client.videos.create(body)

    answer = told(refused.value)
    assert answer["error"] == error
    assert said in answer["description"]


def test_is_told_that_its_key_is_wrong(sandbox_gateway: ServedGateway):
    client = Phaseo(api_key="sk-wrong", base_url=f"{sandbox_gateway.url}/phaseo/v1")
    with pytest.raises(HTTPError, match="401") as refused:
        client.videos.create({"model": "framegate/animatic", "prompt": "x"})

    assert told(refused.value)["error"] == "unauthorised"


def test_sees_a_failed_job(client: Phaseo, web_page: str):
    job = ended(client, client.videos.create(small(web_page)))

    assert (job["status"], job["error_code"]) == ("failed", "reference_is_html")
    assert "web page" in job["error"]
    assert job["billing"]["state"] == "void"
    with pytest.raises(httpx.HTTPStatusError, match="502") as refused:
        client.videos.content(job["id"])
    assert "web page" in refused.value.response.json()["description"]


def test_sees_an_expired_job(serve_gateway: Callable[..., ServedGateway]):
    gateway = serve_gateway(job_deadline_seconds=1)
    client = Phaseo(api_key=gateway.key, base_url=f"{gateway.url}/phaseo/v1")
    job = ended(client, client.videos.create({"model": "framegate/animatic", "prompt": "slow", "duration": 60}))

    assert (job["status"], job["lifecycle_status"], job["billing"]["state"]) == ("expired", "expired", "void")
    with pytest.raises(httpx.HTTPStatusError, match="409") as refused:
        client.videos.content(job["id"])
    assert refused.value.response.json()["reason"] == "video_expired"


def test_cancels_a_job_for_good(client: Phaseo, sandbox_asset: str):
    job = client.videos.cancel(client.videos.create(wanted(sandbox_asset, duration=60))["id"])

    assert (job["status"], job["cancel_url"]) == ("cancelled", None)
    with pytest.raises(httpx.HTTPStatusError, match="409") as refused:
        client.videos.content(job["id"])
    assert refused.value.response.json()["reason"] == "video_cancelled"


def test_follows_a_job_over_a_websocket(client: Phaseo, sandbox_gateway: ServedGateway, sandbox_asset: str):
    job = client.videos.create(wanted(sandbox_asset, duration=4, resolution="720p"))
    url = client.videos.websocket_url(job["id"], interval_ms=1000, close_on_terminal=True)
    key = {"authorization": f"Bearer {sandbox_gateway.key}"}
    with connect(url, additional_headers=key, proxy=None) as socket:
        socket.send("ping")
        seen = [json.loads(message) for message in socket]  # ends when the gateway closes

    kinds = [one["type"] for one in seen]
    assert kinds[0] == "job.snapshot"
    assert {"pong", "job.updated"} <= set(kinds)
    assert seen[-1]["data"]["status"] == "completed"
    assert socket.close_code == 1000


def test_a_websocket_asks_for_the_key_and_the_job(client: Phaseo, sandbox_gateway: ServedGateway):
    key = {"authorization": f"Bearer {sandbox_gateway.key}"}
    for headers, status in ((None, 401), (key, 404)):
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(client.videos.websocket_url("unknown"), additional_headers=headers, proxy=None),
        ):
            pass
        assert refused.value.response.status_code == status


@pytest.mark.parametrize("secret", ["a secret of the client's own", None])
def test_is_called_back_and_verifies_who_calls(
    client: Phaseo, sandbox_gateway: ServedGateway, sandbox_asset: str, secret: str | None
):
    with receiving() as receiver:
        events = ["video.created", "job.status_changed", "video.completed", "batch.completed"]
        webhook = {"url": f"{receiver.url}/hook", "events": events} | ({"secret": secret} if secret else {})
        job = client.videos.create(small(sandbox_asset, webhook=webhook))
        got = receiver.wait(4)
    with sandbox_gateway.client() as api:
        signing_secret: str = secret or api.get("/webhooks/secret").json()["secret"]

    types = [one.json["type"] for one in got]
    assert types == ["video.created", "video.status_changed", "video.status_changed", "video.completed"]
    for one in got:
        assert verify_async_webhook_signature(secret=signing_secret, body=one.raw, headers=one.headers)
        assert not verify_async_webhook_signature(secret="another", body=one.raw, headers=one.headers)
        assert one.json["data"]["id"] == job["id"]
        assert one.json["delivery"] == {"key": one.json["id"], "attempt": 1, "max_attempts": 4}
        assert one.headers["user-agent"] == "Phaseo-Async-Webhook/1.0"
    assert got[1].json["status_change"] == {"previous_status": "queued", "status": "processing"}
    shown = client.videos.retrieve(job["id"])["webhook"]
    assert (shown["has_secret"], shown["delivery"]["delivered_events"]) == (True, 4)


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHASEO_DEVTOOLS", "0")


def test_the_example_of_the_docs_runs(sandbox_gateway: ServedGateway, sandbox_asset: str):
    code = example(page("guides/phaseo.md"))
    for written, meant in (
        ("http://127.0.0.1:8787", sandbox_gateway.url),
        ('"KEY"', repr(sandbox_gateway.key)),
        ("https://example.com/a.jpg", sandbox_asset),
    ):
        assert written in code
        code = code.replace(written, meant)
    seen: dict[str, Any] = {}
    exec(compile(code, "docs/guides/phaseo.md", "exec"), seen)

    assert seen["video"][4:8] == b"ftyp"
