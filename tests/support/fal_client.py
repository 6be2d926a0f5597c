"""How the tests of fal's dialect ask for a video, and wait for it."""

import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

ENDPOINT = "xai/grok-imagine-video/reference-to-video"
HERE = "/queue/xai/grok-imagine-video/requests"


def wanted(picture: str, **more: Any) -> dict[str, Any]:
    """An input of `ENDPOINT`: one second, small."""
    return {
        "prompt": "slow push in",
        "reference_image_urls": [picture],
        "duration": 1,
        "resolution": "480p",
        **more,
    }


def submitted(
    gate: TestClient, body: dict[str, Any], *, query: dict[str, str] | None = None, **headers: str
) -> dict[str, Any]:
    """The answer to a new request."""
    answer = gate.post(f"/queue/{ENDPOINT}", json=body, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def streamed(gate: TestClient, request_id: str, *, logs: int = 1) -> list[dict[str, Any]]:
    """Every event of the status stream, to its end."""
    text = gate.get(f"{HERE}/{request_id}/status/stream", params={"logs": logs}).text
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def over(gate: TestClient, body: dict[str, Any], **headers: str) -> str:
    """The id of a new request, once it is over."""
    request_id = submitted(gate, body, **headers)["request_id"]
    assert streamed(gate, request_id)[-1]["status"] == "COMPLETED"
    return request_id


def uploaded(gate: TestClient, photo: Path) -> str:
    """Where an uploaded photo lies."""
    answer = gate.post("/cdn/files/upload", content=photo.read_bytes(), headers={"content-type": "image/png"})
    assert answer.status_code == 200, answer.text
    return answer.json()["access_url"]
