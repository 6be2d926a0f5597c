"""Scripts as ModelGates' users write them, in Python and in Node.js: there is no client package of it."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from support.served_gateway import ServedGateway
from support.videos import frames

ENDS = ("completed", "failed", "cancelled", "expired")


class VideoFailed(Exception):
    """What such a script raises."""


def generate(base: str, key: str, body: dict[str, object], *, relative: bool = False) -> tuple[str, bytes]:
    """Submit, poll and download, as the guide of the service shows with `requests`."""
    with httpx2.Client(headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60) as session:
        submitted = session.post(f"{base}/videos", json=body)
        if not submitted.is_success:
            raise VideoFailed(submitted.json()["error"]["message"])
        job = submitted.json()
        polling_url = urlsplit(job["polling_url"]).path if relative else job["polling_url"]
        while job["status"] not in ENDS:
            job = session.get(urljoin(base, polling_url)).raise_for_status().json()
        if job["status"] != "completed":
            raise VideoFailed(f"{job['status']}: {job['error']}")
        return job["id"], session.get(job["unsigned_urls"][0]).raise_for_status().content


def wanted(url: str, **more: object) -> dict[str, object]:
    reference = {"type": "image_url", "image_url": {"url": url}}
    body = {"model": "framegate/animatic", "prompt": "slow push in", "duration": 1, "resolution": "360p"}
    return {**body, "input_references": [reference], **more}


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_a_script_gets_its_video_by_either_polling_address(
    sandbox_gateway: ServedGateway, sandbox_asset: str, relative: bool
):
    _, video = generate(sandbox_gateway.api, sandbox_gateway.key, wanted(sandbox_asset), relative=relative)

    assert frames(video) == (24, 640, 360)


def test_a_script_gets_the_content_by_its_index_with_the_key(sandbox_gateway: ServedGateway, sandbox_asset: str):
    job_id, video = generate(sandbox_gateway.api, sandbox_gateway.key, wanted(sandbox_asset))
    with sandbox_gateway.client() as client:
        assert client.get(f"/videos/{job_id}/content", params={"index": 0}).content == video
    bare = httpx2.get(f"{sandbox_gateway.api}/videos/{job_id}/content?index=0", trust_env=False)
    assert bare.status_code == 401


def test_a_script_is_told_why_its_request_is_refused(sandbox_gateway: ServedGateway, sandbox_asset: str):
    with pytest.raises(VideoFailed, match="duration"):
        generate(sandbox_gateway.api, sandbox_gateway.key, wanted(sandbox_asset, duration=99))


def test_a_script_is_told_why_its_job_failed(sandbox_gateway: ServedGateway, web_page: str):
    with pytest.raises(VideoFailed, match=r"failed: .* is a web page"):
        generate(sandbox_gateway.api, sandbox_gateway.key, wanted(web_page))


def test_a_script_is_told_that_its_job_expired(serve_gateway: Callable[..., ServedGateway]):
    gateway = serve_gateway(job_deadline_seconds=1)
    body = {"model": "framegate/animatic", "prompt": "slow push in", "duration": 60}
    with pytest.raises(VideoFailed, match="expired: "):
        generate(gateway.api, gateway.key, body)


def test_a_script_is_told_that_its_job_was_cancelled(sandbox_gateway: ServedGateway, sandbox_asset: str):
    with sandbox_gateway.client() as client:
        job = client.post("/videos", json=wanted(sandbox_asset, duration=60)).json()
        client.post(f"/videos/{job['id']}/cancel").raise_for_status()
        assert client.get(job["polling_url"]).json()["status"] == "cancelled"
        assert "cancelled" in client.get(f"/videos/{job['id']}/content").json()["error"]["message"]


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.parametrize("relative", ["absolute", "relative"])
def test_a_fetch_script_gets_its_video(
    plain_node: Callable[..., str], sandbox_gateway: ServedGateway, sandbox_asset: str, relative: str, tmp_path: Path
):
    output = tmp_path / "video.mp4"
    arguments = (sandbox_gateway.api, sandbox_gateway.key, sandbox_asset, relative, str(output))
    seen = json.loads(plain_node("modelgates.mjs", *arguments))

    assert frames(output.read_bytes()) == (96, 1280, 720)
    assert (seen["submitted"], seen["types"]) == (202, ["video/mp4", "video/mp4"])
    assert seen["refused"][0] == 400
    assert "nearest is 6 s" in seen["refused"][1]
