"""Every kind of endpoint input, from the submission to a video that decodes."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from support.fal_client import upload

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A sandbox with the real renderer."""
    folder = tmp_path_factory.mktemp("fal-videos")
    settings = Settings(data_dir=folder, render_workers=1, sandbox=True, allow_private_addresses=True)
    with TestClient(build_app(settings), base_url="http://127.0.0.1:8787/fal") as client:
        yield client


@pytest.fixture(scope="module")
def photo_url(gateway: TestClient, photos: tuple[Path, ...]) -> str:
    """URL of an uploaded photo."""
    return upload(gateway, photos[0])


@pytest.fixture(scope="module")
def clip_url(gateway: TestClient, photo_url: str) -> str:
    """URL of a video of three seconds."""
    body = {"prompt": "pan left", "image_urls": [photo_url], "duration": 3, "resolution": "360p"}
    return gateway.post("/run/framegate/animatic", json=body).json()["video"]["url"]


CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "fal-ai/kling-video/o1/reference-to-video": (
        {
            "prompt": "@Element1 before @Image1",
            "image_urls": ["PHOTO"],
            "elements": [{"frontal_image_url": "PHOTO", "reference_image_urls": ["PHOTO"]}],
            "duration": "3",
        },
        (1280, 72),
    ),
    "fal-ai/kling-video/o3/pro/reference-to-video": (
        {
            "multi_prompt": [{"prompt": "push in", "duration": "2"}, {"prompt": "pan left", "duration": "1"}],
            "start_image_url": "PHOTO",
            "end_image_url": "PHOTO",
            "duration": 3,
        },
        (1280, 72),
    ),
    "fal-ai/pixverse/c1/reference-to-video": (
        {
            "prompt": "@hero turns",
            "image_references": [{"image_url": "PHOTO", "ref_name": "hero"}],
            "duration": 1,
            "resolution": "360p",
        },
        (640, 24),
    ),
    "fal-ai/wan-vace-14b/pose": (
        {"prompt": "walk on", "video_url": "CLIP", "ref_image_urls": ["PHOTO"], "resolution": "240p"},
        (426, 80),
    ),
    "fal-ai/vidu/q2/reference-to-video/pro": (
        {"prompt": "push in", "reference_video_urls": ["CLIP"], "duration": 1, "resolution": "540p"},
        (960, 24),
    ),
    "framegate/animatic": ({"prompt": "push in", "start_image_url": "PHOTO", "duration": "1s"}, (1280, 24)),
}


@pytest.mark.parametrize("endpoint_id", list(CASES))
def test_an_input_of_each_kind_becomes_a_video(gateway: TestClient, photo_url: str, clip_url: str, endpoint_id: str):
    body, expected = CASES[endpoint_id]
    response = gateway.post(f"/run/{endpoint_id}", json=_fill(body, {"PHOTO": photo_url, "CLIP": clip_url}))
    assert response.status_code == 200, response.text
    with av.open(io.BytesIO(gateway.get(response.json()["video"]["url"]).content), "r") as video:
        frames = list(video.decode(video=0))
    assert (frames[0].width, len(frames)) == expected


def _fill(value: Any, urls: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, urls) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, urls) for item in value]
    return urls.get(value, value) if isinstance(value, str) else value
