"""What the tests of fal's clients ask for, and how they look at what comes."""

import json
from pathlib import Path
from typing import Any

import av
import httpx2

ENDPOINT = "xai/grok-imagine-video/reference-to-video"
APP = "xai/grok-imagine-video"


def wanted(picture: str, **more: Any) -> dict[str, Any]:
    """An input that every test may ask for: one second, small."""
    return {
        "prompt": "slow push in",
        "reference_image_urls": [picture],
        "duration": 1,
        "resolution": "480p",
        **more,
    }


def submitted(fal: httpx2.Client, body: dict[str, Any], **headers: str) -> str:
    """The id of a new request."""
    answer = fal.post(f"/queue/{ENDPOINT}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["request_id"]


def over(fal: httpx2.Client, request_id: str) -> dict[str, Any]:
    """The last status of a request, once it is over."""
    with fal.stream("GET", f"/queue/{APP}/requests/{request_id}/status/stream?logs=1") as stream:
        events = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")]
    return json.loads(events[-1])


def frames(path: Path) -> tuple[int, int, int]:
    """How many frames a file has, and their size: decoded to the end."""
    with av.open(path) as video:
        found = list(video.decode(video=0))
    return len(found), found[0].width, found[0].height
