"""The npm package @fal-ai/client, unmodified, against a served sandbox."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.fal_gateway import measure_video
from support.served_gateway import ServedGateway

pytestmark = [pytest.mark.node, pytest.mark.slow]


def test_makes_a_video_by_each_way_and_understands_every_end(
    node: Callable[..., str],
    sandbox: ServedGateway,
    photos: tuple[Path, ...],
    unfinished: str,
    cancelled: str,
    failed: str,
    tmp_path: Path,
):
    photo = next(path for path in photos if path.suffix == ".jpg")
    arguments = (f"{sandbox.url}/fal", sandbox.key, str(photo), str(tmp_path / "video"), unfinished, cancelled, failed)
    seen = json.loads(node("fal.mjs", *arguments))

    for way in ("proxy", "middleware", "fetch"):
        assert measure_video(tmp_path / f"video-{way}.mp4") == (24, 854, 480)
        assert seen.pop(way) == {
            "requestId": True,
            "words": ["IN_PROGRESS", "COMPLETED"],
            "logs": ["queued", "preparing", "completed 100%"],
            "type": "video/mp4",
        }
    assert "`duration` must be at most 15" in seen["refused"].pop("message")
    assert [detail["loc"] for detail in seen["refused"].pop("detail")] == [["body", "duration"]]
    assert "Endpoint not found: `fal-ai/no-such-thing`" in seen["unknown"].pop("message")
    assert "127.0.0.1" in seen["failed"].pop("message")
    assert seen["failed"].pop("detail")[0]["loc"] == ["body", "reference_image_urls", 0]
    assert "cancelled" in seen["cancelled"]["message"]
    assert "already failed" in seen["cancelTwice"].pop("message")
    for name in ("unknown", "cancelled", "cancelTwice", "wrongKey"):
        seen[name].pop("detail")
        seen[name].pop("message", None)
    assert seen == {
        "run": "video/mp4",
        "upload": "image/jpeg",
        "stream": ["video"],
        "refused": {"name": "ValidationError", "status": 422},
        "unknown": {"name": "ApiError", "status": 404},
        "notReady": {
            "name": "ApiError",
            "status": 400,
            "message": "Request is still in progress",
            "detail": "Request is still in progress",
        },
        "cancelled": {"name": "ApiError", "status": 499},
        "failed": {"name": "ValidationError", "status": 422},
        "cancelTwice": {"name": "ApiError", "status": 400},
        "ended": "client_cancelled",
        "wrongKey": {"name": "ApiError", "status": 401},
    }
