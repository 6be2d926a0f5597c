"""Scripts as Pictory's users write them, in Python and in Node.js: there is no client package of it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import httpx2
import pytest
from PIL import Image
from standardwebhooks import Webhook

from support.pages import example, page
from support.served_gateway import ServedGateway
from support.videos import frames
from support.webhook_receiver import receiving


class PictoryFailed(Exception):
    """What such a script raises."""


class Script:
    """Submits and polls with nothing but urllib."""

    def __init__(self, gateway: ServedGateway, *, key: str | None = None) -> None:
        self.base = f"{gateway.url}/pictory"
        self.headers = {"Authorization": key or gateway.key, "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.base}{path}", data, self.headers, method=method)
        try:
            with urlopen(request) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                told = json.load(error)
            raise PictoryFailed(f"{error.code} {json.dumps(told)}") from error

    def create(self, **body: object) -> str:
        answer = self.call("POST", "/v1/aistudio/videos", {"prompt": "slow push in", **body})
        assert answer["success"] is True
        return answer["data"]["jobId"]

    def wait(self, job_id: str) -> dict[str, Any]:
        while True:
            answer = self.call("GET", f"/v1/jobs/{job_id}")
            assert answer["job_id"] == job_id
            data = answer["data"]
            if data["status"] == "completed":
                return data
            if data["status"] == "failed":
                assert answer["success"] is False
                raise PictoryFailed(f"{data['error_code']}: {data['error_message']}")
            assert data["status"] == "in-progress"


@pytest.fixture
def script(sandbox_gateway: ServedGateway) -> Script:
    return Script(sandbox_gateway)


def fetched(url: str) -> bytes:
    with urlopen(url) as answer:  # its addresses need no key
        return answer.read()


def test_a_script_gets_its_video_by_the_default_model(script: Script, sandbox_asset: str):
    data = script.wait(script.create(referenceImageUrls=[sandbox_asset]))

    assert frames(fetched(data["url"])) == (120, 1280, 720)
    assert (data["duration"], data["width"], data["height"], data["aiCreditsUsed"]) == ("5s", 1280, 720, 8)
    for name, kind in (("thumbnailImageUrl", "JPEG"), ("previewImageUrl", "JPEG"), ("lastFrameImageUrl", "PNG")):
        with httpx2.stream("GET", data[name], trust_env=False) as answer:
            assert Image.open(io.BytesIO(answer.read())).format == kind


def test_the_last_frame_is_the_last(script: Script, sandbox_asset: str):
    import av
    import numpy as np

    data = script.wait(script.create(model="framegate/animatic", duration="1s", firstFrameImageUrl=sandbox_asset))
    with av.open(io.BytesIO(fetched(data["url"])), "r") as video:
        last = list(video.decode(video=0))[-1].to_ndarray(format="rgb24")

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(fetched(data["lastFrameImageUrl"])))), last)


def test_veo_makes_eight_seconds_of_references_by_default_and_four_of_none(script: Script, sandbox_asset: str):
    for inputs, seconds, spent in (({"referenceImageUrls": [sandbox_asset]}, "8s", 80), ({}, "4s", 40)):
        data = script.wait(script.create(model="veo3.1_fast", aspectRatio="9:16", **inputs))
        assert (data["duration"], data["aiCreditsUsed"]) == (seconds, spent)
        assert (data["width"], data["height"]) == (720, 1280)


def test_a_video_is_gone_on_from(script: Script, sandbox_gateway: ServedGateway):
    first = script.wait(script.create(model="framegate/animatic", duration="1s"))
    kept = httpx2.post(
        f"{sandbox_gateway.api}/assets",
        content=fetched(first["url"]),
        headers={"authorization": f"Bearer {sandbox_gateway.key}", "content-type": "video/mp4"},
        trust_env=False,
    )
    longer = script.wait(script.create(extendVideoUrl=kept.json()["url"]))

    assert longer["duration"] == "6s"  # the second that there was, and five more
    assert longer["aiCreditsUsed"] == 8


def test_a_script_is_told_what_was_stripped(script: Script):
    answer = script.call("POST", "/v1/aistudio/videos", {"prompt": "slow push in", "seed": 1, "durration": "5s"})

    assert [one["field"] for one in answer["data"]["warnings"]] == ["seed", "durration"]
    assert "Did you mean `duration`?" in answer["data"]["warnings"][1]["message"]


def test_a_script_lists_its_jobs(script: Script):
    job_id = script.create(model="framegate/animatic", duration="1s")
    listed = script.call("GET", "/v1/jobs?limit=1")

    assert [job["job_id"] for job in listed["data"]] == [job_id]
    assert listed["next"] == job_id


def test_a_script_is_told_why_its_request_is_refused(script: Script, sandbox_asset: str):
    with pytest.raises(PictoryFailed, match=r"400 .*INVALID_REQUEST_BODY.*not 7 s.*\"name\": \"duration\""):
        script.create(duration="7s")
    with pytest.raises(
        PictoryFailed, match=r"400 .*Only one of referenceImageUrls, firstFrameImageUrl or extendVideoUrl"
    ):
        script.create(referenceImageUrls=[sandbox_asset], firstFrameImageUrl=sandbox_asset)


def test_a_script_is_told_that_its_key_is_wrong_or_not_alone(sandbox_gateway: ServedGateway):
    for key in ("pictai_wrong", f"Bearer {sandbox_gateway.key}"):
        with pytest.raises(PictoryFailed, match=r"401 .*\"message\": \"Unauthorized\""):
            Script(sandbox_gateway, key=key).create()


def test_an_older_script_gets_its_token_first(script: Script, sandbox_gateway: ServedGateway):
    asked = {"client_id": "any", "client_secret": sandbox_gateway.key}
    token = script.call("POST", "/v1/oauth2/token", asked)
    assert (token["expires_in"], token["token_type"]) == (3600, "Bearer")
    assert Script(sandbox_gateway, key=token["access_token"]).call("GET", "/v1/jobs")["success"]
    with pytest.raises(PictoryFailed, match=r"401 .*\"message\": \"Unauthorized\""):
        script.call("POST", "/v1/oauth2/token", {**asked, "client_secret": "wrong"})


def test_a_script_is_told_that_a_job_is_unknown(script: Script):
    with pytest.raises(PictoryFailed, match=r"404 .*5000.*JOB_NOT_FOUND"):
        script.wait("4a09edf9-d071-4847-bda5-8dea913d80fe")


def test_a_script_is_told_why_its_job_failed(script: Script, web_page: str):
    with pytest.raises(PictoryFailed, match=r"REFERENCE_IS_HTML: .* is a web page"):
        script.wait(script.create(firstFrameImageUrl=web_page))


def test_a_script_is_told_that_its_job_was_cancelled(script: Script, sandbox_gateway: ServedGateway):
    job_id = script.create(model="framegate/animatic", duration="60s")
    with sandbox_gateway.client() as client:
        client.post(f"/videos/{job_id}/cancel").raise_for_status()
    with pytest.raises(PictoryFailed, match="JOB_CANCELLED: The job was cancelled"):
        script.wait(job_id)


def test_a_script_is_told_that_its_job_expired(serve_gateway: Callable[..., ServedGateway]):
    script = Script(serve_gateway(job_deadline_seconds=1))
    with pytest.raises(PictoryFailed, match="JOB_EXPIRED: "):
        script.wait(script.create(model="framegate/animatic", duration="60s"))


def test_the_webhook_tells_what_the_job_answers(script: Script, sandbox_gateway: ServedGateway):
    with receiving() as receiver:
        job_id = script.create(model="framegate/animatic", duration="1s", webhook=f"{receiver.url}/done")
        (got,) = receiver.wait(1)
    with sandbox_gateway.client() as client:
        secret = client.get("/webhooks/secret").json()["secret"]

    Webhook(secret).verify(got.raw, got.headers)
    assert got.json == script.call("GET", f"/v1/jobs/{job_id}")


@pytest.mark.node
@pytest.mark.slow
def test_a_fetch_script_gets_its_video(
    plain_node: Callable[..., str], sandbox_gateway: ServedGateway, sandbox_asset: str, tmp_path: Path
):
    output = tmp_path / "video.mp4"
    arguments = (f"{sandbox_gateway.url}/pictory", sandbox_gateway.key, sandbox_asset, str(output))
    seen = json.loads(plain_node("pictory.mjs", *arguments))

    assert frames(output.read_bytes()) == (120, 1280, 720)
    assert (seen["duration"], seen["credits"], seen["types"]) == ("5s", 8, ["video/mp4", "image/png"])
    assert seen["refusal"].startswith("400 INVALID_REQUEST_BODY: Only one of")


def test_the_example_of_the_docs_runs(sandbox_gateway: ServedGateway, sandbox_asset: str):
    code = example(page("guides/pictory.md"))
    for written, meant in (
        ("http://127.0.0.1:8787", sandbox_gateway.url),
        ('"KEY"', repr(sandbox_gateway.key)),
        ("https://example.com/a.jpg", sandbox_asset),
    ):
        assert written in code
        code = code.replace(written, meant)
    seen: dict[str, Any] = {}
    exec(compile(code, "docs/guides/pictory.md", "exec"), seen)

    assert seen["video"][4:8] == b"ftyp"
