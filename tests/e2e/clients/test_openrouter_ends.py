"""Jobs that end without a video, as OpenRouter's and fal's clients see them: their own errors, our message in them."""

import json
import warnings
from collections.abc import Callable

import pytest

from support.served_gateway import ServedGateway

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package's own imports warn of what it will change
    from openrouter import OpenRouter, errors

pytestmark = pytest.mark.slow
ENDED = {"failed": "web page", "expired": "did not end within 3 seconds"}


@pytest.fixture
def ended(serve_gateway: Callable[..., ServedGateway], web_page: str) -> tuple[ServedGateway, dict[str, str]]:
    """A gateway that gives a job three seconds, with one that failed and one that expired."""
    gateway = serve_gateway(job_deadline_seconds=3, allow_private_addresses=True)
    page = {"type": "image_url", "image_url": {"url": web_page}}
    bodies = {
        "failed": {"model": "framegate/animatic", "prompt": "x", "duration": 1, "input_references": [page]},
        "expired": {"model": "framegate/animatic", "prompt": "x", "duration": 60, "resolution": "1080p", "fps": 60},
    }
    ids = {}
    with gateway.client() as client:
        for name, body in bodies.items():
            job = client.post("/videos", json=body).json()
            assert client.get(f"/videos/{job['id']}?wait=30").json()["status"] == name
            ids[name] = job["id"]
    return gateway, ids


def test_openrouters_python_client_is_told_why_there_is_no_video(ended: tuple[ServedGateway, dict[str, str]]):
    gateway, ids = ended
    with OpenRouter(api_key=gateway.key, server_url=gateway.api) as client:
        for name, said in ENDED.items():
            job = client.video_generation.get_generation(job_id=ids[name])
            assert job.status == name
            assert job.error is not None
            assert said in job.error
            with pytest.raises(errors.ConflictResponseError, match=said):
                client.video_generation.get_video_content(job_id=ids[name])


@pytest.mark.node
def test_the_javascript_clients_are_told_why_there_is_no_video(
    ended: tuple[ServedGateway, dict[str, str]], node: Callable[..., str]
):
    gateway, ids = ended
    seen = json.loads(node("ends.mjs", gateway.url, gateway.key, ids["failed"], ids["expired"]))

    for name, said in ENDED.items():
        assert seen[name]["status"] == name
        assert said in seen[name]["error"]
        assert (seen[name]["content"]["name"], seen[name]["content"]["status"]) == ("ConflictResponseError", 409)
        assert said in seen[name]["content"]["message"]
        assert said in seen[name]["fal"]["message"]
    assert seen["expired"]["fal"]["status"] == 504
