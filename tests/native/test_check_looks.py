"""What the check tells of references that it has looked at: what would be changed, and what nothing can mend."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from starlette.testclient import TestClient

KLING = {"model": "kwaivgi/kling-video-o1", "prompt": "a cat", "duration": 5}  # pictures of at least 300 pixels a side


@pytest.fixture
def sandbox(open_gate: Callable[..., TestClient]) -> TestClient:
    return open_gate(sandbox=True)


def kept(gate: TestClient, width: int, height: int) -> str:
    """A picture of that size, as a reference's address."""
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(buffer, "PNG")
    headers = {"content-type": "application/octet-stream"}
    return gate.post("/assets", content=buffer.getvalue(), headers=headers).json()["url"]


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
