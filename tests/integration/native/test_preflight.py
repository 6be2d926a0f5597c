"""What our own engine foresees, as clients see it: before a job, and on it."""

from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

QUICK = {"duration": 1, "resolution": "360p", "aspect_ratio": "16:9"}


def asked(prompt: str, photo: str, **more: Any) -> dict[str, Any]:
    reference = {"type": "image_url", "image_url": {"url": photo}}
    return {"model": "framegate/animatic", "prompt": prompt, "input_references": [reference], **QUICK, **more}


def test_a_job_bears_what_its_prompt_asks_in_vain_once_and_says_so_before(gateway: TestClient, photo: str):
    request = asked("she turns her head", photo)

    foreseen = gateway.post("/videos/check", json=request).json()["warnings"]
    job = gateway.post("/videos", json=request).json()
    ended = gateway.get(f"/videos/{job['id']}", params={"wait": 60}).json()

    assert [one["code"] for one in foreseen] == ["prompt_not_made"]
    assert ended["status"] == "completed"
    assert job["warnings"] == ended["warnings"] == foreseen


def test_a_job_whose_shots_do_not_fit_is_refused_before_anything_is_made(gateway: TestClient, photo: str):
    answer = gateway.post("/videos", json=asked("pan left, then right, then left, then right, then left", photo))

    assert answer.status_code == 400
    assert "5 shots do not fit into 1 s" in answer.text


def test_of_other_peoples_models_the_sandbox_foresees_nothing(open_gateway: Callable[..., TestClient]):
    request = {"model": "google/veo-3.1", "prompt": "she turns her head, then pan left"}

    verdict = open_gateway(sandbox=True).post("/videos/check", json=request).json()

    assert verdict["ok"]
    assert "shots" not in verdict
    assert [one["code"] for one in verdict["warnings"]] == []
