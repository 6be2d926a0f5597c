"""OpenRouter's npm packages, unmodified, against a served gateway."""

import json
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from support.served_gateway import ServedGateway

pytestmark = [pytest.mark.node, pytest.mark.slow]


def frames(path: Path) -> tuple[int, int, int]:
    with av.open(path) as video:
        found = list(video.decode(video=0))
    return len(found), found[0].width, found[0].height


def test_the_sdk_lists_makes_follows_downloads_and_understands_refusals(
    node: Callable[..., str],
    served_gateway: ServedGateway,
    asset: str,
    unfinished_job: str,
    cancelled_job: str,
    tmp_path: Path,
):
    output = tmp_path / "video.mp4"
    arguments = (served_gateway.api, served_gateway.key, asset, unfinished_job, cancelled_job, str(output))
    seen = json.loads(node("sdk.mjs", *arguments))

    assert frames(output) == (24, 640, 360)
    assert {"framegate/animatic", "google/veo-3.1"} <= set(seen.pop("models"))
    messages = {name: seen[name].pop("message") for name in ("refused", "unknown", "notReady")}
    assert seen == {
        "status": "completed",
        "cost": 0,
        "direct": [200, "video/mp4"],
        "refused": {"name": "BadRequestResponseError", "status": 400},
        "unknown": {"name": "NotFoundResponseError", "status": 404},
        "notReady": {"name": "ConflictResponseError", "status": 409},
        "cancelled": "cancelled",
    }
    assert "duration" in messages["refused"]
    assert "Job not found" in messages["unknown"]
    assert "not ready" in messages["notReady"]


def test_the_ai_sdk_makes_a_video_and_fetches_it_without_a_key(
    node: Callable[..., str], served_gateway: ServedGateway, asset: str, tmp_path: Path
):
    output = tmp_path / "video.mp4"
    seen = json.loads(node("ai.mjs", served_gateway.api, served_gateway.key, asset, str(output)))

    assert frames(output) == (24, 640, 360)
    assert seen["mediaType"] == "video/mp4"
    assert "duration" in seen["refused"]
