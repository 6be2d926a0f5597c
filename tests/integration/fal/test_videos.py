"""Every kind of input that the endpoints have, from the submission to a video that decodes."""

import io
from typing import Any

import av
import pytest
from starlette.testclient import TestClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip(gate: TestClient, picture: str) -> str:
    """Three seconds of video at an address of the gate."""
    body = {"prompt": "pan left", "image_urls": [picture], "duration": 3, "resolution": "360p"}
    return gate.post("/run/framegate/animatic", json=body).json()["video"]["url"]


CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "fal-ai/kling-video/o1/reference-to-video": (
        {
            "prompt": "@Element1 before @Image1",
            "image_urls": ["PICTURE"],
            "elements": [{"frontal_image_url": "PICTURE", "reference_image_urls": ["PICTURE"]}],
            "duration": "3",
        },
        (1280, 72),
    ),
    "fal-ai/kling-video/o3/pro/reference-to-video": (
        {
            "multi_prompt": [{"prompt": "push in", "duration": "2"}, {"prompt": "pan left", "duration": "1"}],
            "start_image_url": "PICTURE",
            "end_image_url": "PICTURE",
            "duration": 3,
        },
        (1280, 72),
    ),
    "fal-ai/pixverse/c1/reference-to-video": (
        {
            "prompt": "@hero turns",
            "image_references": [{"image_url": "PICTURE", "ref_name": "hero"}],
            "duration": 1,
            "resolution": "360p",
        },
        (640, 24),
    ),
    "fal-ai/wan-vace-14b/pose": (
        {"prompt": "walk on", "video_url": "CLIP", "ref_image_urls": ["PICTURE"], "resolution": "240p"},
        (426, 80),
    ),
    "fal-ai/vidu/q2/reference-to-video/pro": (
        {"prompt": "push in", "reference_video_urls": ["CLIP"], "duration": 1, "resolution": "540p"},
        (960, 24),
    ),
    "framegate/animatic": ({"prompt": "push in", "start_image_url": "PICTURE", "duration": "1s"}, (1280, 24)),
}


@pytest.mark.parametrize("endpoint_id", list(CASES))
def test_an_input_of_each_kind_becomes_a_video(gate: TestClient, picture: str, clip: str, endpoint_id: str):
    body, expected = CASES[endpoint_id]
    answer = gate.post(f"/run/{endpoint_id}", json=_filled(body, {"PICTURE": picture, "CLIP": clip}))
    assert answer.status_code == 200, answer.text
    with av.open(io.BytesIO(gate.get(answer.json()["video"]["url"]).content)) as video:
        frames = list(video.decode(video=0))
    assert (frames[0].width, len(frames)) == expected


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    return words.get(value, value) if isinstance(value, str) else value
