"""What the check tells of references that it has looked at: what would be changed, and what nothing can mend."""

import io
from collections.abc import Callable

import av
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

KLING = {"model": "kwaivgi/kling-video-o1", "prompt": "a cat", "duration": 5}  # pictures of at least 300 pixels a side


@pytest.fixture
def sandbox(open_gateway: Callable[..., TestClient]) -> TestClient:
    return open_gateway(sandbox=True)


def kept(gateway: TestClient, width: int, height: int) -> str:
    """A picture of that size, as a reference's address."""
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(buffer, "PNG")
    headers = {"content-type": "application/octet-stream"}
    return gateway.post("/assets", content=buffer.getvalue(), headers=headers).json()["url"]


def test_the_check_tells_what_would_be_changed_of_a_picture(sandbox: TestClient):
    url = kept(sandbox, 200, 160)
    reference = {"type": "image_url", "image_url": {"url": url}}
    body = {**KLING, "input_references": [reference]}

    verdict = sandbox.post("/videos/check", json=body).json()
    job = sandbox.post("/videos", json=body).json()
    ended = sandbox.get(f"/videos/{job['id']}", params={"wait": 60}).json()

    assert verdict["ok"], verdict
    assert [(one["what"], one["before"], one["after"]) for one in verdict["adjustments"]] == [
        ("resized", "200x160", "375x300")
    ]
    assert ended["adjustments"] == verdict["adjustments"]


def test_the_check_tells_of_a_picture_that_fits_that_nothing_would_be_changed(sandbox: TestClient):
    reference = {"type": "image_url", "image_url": {"url": kept(sandbox, 640, 480)}}
    verdict = sandbox.post("/videos/check", json={**KLING, "input_references": [reference]}).json()
    assert verdict["ok"]
    assert "adjustments" not in verdict


def clip(seconds: int) -> bytes:
    """A video of that length, one frame a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(seconds):
            picture = np.full((64, 64, 3), number * 3 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def test_a_clip_that_is_too_long_is_refused_by_the_check_and_by_the_create(gateway: TestClient):
    headers = {"content-type": "video/mp4"}
    url = gateway.post("/assets", content=clip(62), headers=headers).json()["url"]
    source = {"type": "video_url", "video_url": {"url": url}, "role": "source"}
    body = {"model": "framegate/animatic", "prompt": "go on", "duration": 1, "input_references": [source]}

    verdict = gateway.post("/videos/check", json=body).json()
    refused = gateway.post("/videos", json=body)

    assert [problem["code"] for problem in verdict["problems"]] == ["clip_length_unsupported"]
    assert "accepts videos of at most 60 s; this one is 62.0 s long" in verdict["problems"][0]["message"]
    assert refused.status_code == 400
    assert "62.0 s" in refused.text
    assert verdict["problems"][0]["pointer"] == "/input_references/0/video_url/url"
