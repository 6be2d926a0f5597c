"""Calls of a served fal-compatible API, for the tests of fal's own clients."""

import json
from pathlib import Path
from typing import Any

import av
import httpx2

from support.fal_client import ENDPOINT, video_input

APP = "xai/grok-imagine-video"
__all__ = ["APP", "ENDPOINT", "measure_video", "submit", "video_input", "wait_until_ended"]


def submit(fal: httpx2.Client, body: dict[str, Any], **headers: str) -> str:
    """Submit a request; return its id."""
    response = fal.post(f"/queue/{ENDPOINT}", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()["request_id"]


def wait_until_ended(fal: httpx2.Client, request_id: str) -> dict[str, Any]:
    """Wait until a request has ended; return its last status."""
    with fal.stream("GET", f"/queue/{APP}/requests/{request_id}/status/stream?logs=1") as stream:
        events = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")]
    return json.loads(events[-1])


def measure_video(path: Path) -> tuple[int, int, int]:
    """Return the number of frames, the width and the height of a video, decoded to the end."""
    with av.open(path) as video:
        frames = list(video.decode(video=0))
    return len(frames), frames[0].width, frames[0].height
