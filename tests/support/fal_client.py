"""Calls of the fal-compatible API, for its integration tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

ENDPOINT = "xai/grok-imagine-video/reference-to-video"
REQUESTS = "/queue/xai/grok-imagine-video/requests"


def video_input(image_url: str, **fields: Any) -> dict[str, Any]:
    """Return an input of `ENDPOINT`: one second, small."""
    return {
        "prompt": "slow push in",
        "reference_image_urls": [image_url],
        "duration": 1,
        "resolution": "480p",
        **fields,
    }


def submit(
    gateway: TestClient,
    body: dict[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Submit a request; return the response."""
    response = gateway.post(f"/queue/{ENDPOINT}", json=body, params=query, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def cancel(gateway: TestClient, *request_ids: str) -> None:
    """Cancel requests, so that they do not hold up the next test."""
    for request_id in request_ids:
        gateway.put(f"{REQUESTS}/{request_id}/cancel")


def stream_statuses(gateway: TestClient, request_id: str, *, logs: int = 1) -> list[dict[str, Any]]:
    """Return every event of the status stream, to its end."""
    text = gateway.get(f"{REQUESTS}/{request_id}/status/stream", params={"logs": logs}).text
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def submit_and_wait(gateway: TestClient, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> str:
    """Submit a request and wait until it has ended; return its id."""
    request_id = submit(gateway, body, headers)["request_id"]
    assert stream_statuses(gateway, request_id)[-1]["status"] == "COMPLETED"
    return request_id


def upload(gateway: TestClient, photo: Path) -> str:
    """Upload a photo; return its URL."""
    response = gateway.post("/cdn/files/upload", content=photo.read_bytes(), headers={"content-type": "image/png"})
    assert response.status_code == 200, response.text
    return response.json()["access_url"]
