"""Other packages that speak fal's queue, unmodified: version 7 of the AI SDK with @ai-sdk/fal, and huggingface_hub."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub.hf_api import InferenceProviderMapping
from huggingface_hub.inference._providers._common import HARDCODED_MODEL_INFERENCE_MAPPING

from support.fal_gateway import ENDPOINT, measure_video
from support.served_gateway import ServedGateway

FAL_HOSTS = frozenset({"queue.fal.run", "fal.run"})


def jobs_of(gateway: ServedGateway) -> set[str]:
    """The ids of all jobs."""
    with gateway.client() as client:
        return {job["id"] for job in client.get("/videos", params={"limit": 100}).json()["data"]}


def test_the_ai_sdk_starts_follows_and_repeats_a_video_at_fal(
    sandbox: ServedGateway, ai7_node: Callable[..., str], picture: str, tmp_path: Path
):
    output = tmp_path / "video.mp4"
    before = jobs_of(sandbox)

    seen = json.loads(ai7_node("fal.mjs", sandbox.url, sandbox.key, picture, str(output), ENDPOINT))

    assert measure_video(output)[0] > 0
    assert seen.pop("repeatedOperation") in jobs_of(sandbox)
    assert "`duration` must be at most 15" in seen.pop("refused")
    assert seen == {
        "status": "completed",
        "mediaType": "video/mp4",
        "origins": ["https://queue.fal.run"],
        "generated": "video/mp4",
        "repeated": {"posts": 2, "keys": 1, "hasKey": True},
    }
    assert len(jobs_of(sandbox) - before) == 3  # started, generated, and one for the start that was sent twice


def test_the_ai_sdk_makes_a_video_with_the_openrouter_provider(
    sandbox: ServedGateway, ai7_node: Callable[..., str], picture: str, tmp_path: Path
):
    output = tmp_path / "video.mp4"

    seen = json.loads(ai7_node("openrouter.mjs", sandbox.api, sandbox.key, picture, str(output)))

    assert measure_video(output)[1:] == (640, 360)
    assert seen["mediaType"] == "video/mp4"
    assert seen["posts"] == 1


@pytest.fixture
def hugging_face(sandbox: ServedGateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[huggingface_hub.InferenceClient]:
    """Hugging Face's client with fal as provider; the package's own mapping for local tests names the endpoints."""
    monkeypatch.setattr("huggingface_hub.inference._providers.fal_ai._POLLING_INTERVAL", 0.05)
    names = {"acme/text": ("framegate/animatic", "text-to-video"), "acme/image": (ENDPOINT, "image-to-video")}
    for name, (endpoint, task) in names.items():
        mapping = InferenceProviderMapping(
            provider="fal-ai", hf_model_id=name, providerId=endpoint, status="live", task=task
        )
        monkeypatch.setitem(HARDCODED_MODEL_INFERENCE_MAPPING["fal-ai"], name, mapping)

    def through_gateway(request: httpx2.Request) -> None:
        if request.url.host in FAL_HOSTS:
            request.headers["x-fal-target-url"] = str(request.url)
            request.url = httpx2.URL(f"{sandbox.url}/fal/proxy")
            request.headers["host"] = request.url.netloc.decode()

    hooks = {"request": [through_gateway]}
    huggingface_hub.set_client_factory(lambda: httpx2.Client(event_hooks=hooks, timeout=70, trust_env=False))
    yield huggingface_hub.InferenceClient(provider="fal-ai", api_key=sandbox.key)
    huggingface_hub.close_session()


def test_huggingface_hub_makes_videos_from_text_and_from_an_image(
    hugging_face: huggingface_hub.InferenceClient, photos: tuple[Path, ...], tmp_path: Path
):
    photo = next(path for path in photos if path.suffix == ".jpg")
    text, image = tmp_path / "text.mp4", tmp_path / "image.mp4"

    options: dict[str, Any] = {"duration": 1, "resolution": "480p"}
    text.write_bytes(hugging_face.text_to_video("a street at night", model="acme/text", extra_body=options))
    image.write_bytes(hugging_face.image_to_video(photo, model="acme/image", prompt="slow push in", **options))

    assert measure_video(text)[0] > 0
    assert measure_video(image)[0] > 0


def test_huggingface_hub_shows_why_a_request_is_rejected(hugging_face: huggingface_hub.InferenceClient):
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError) as failure:
        hugging_face.text_to_video("a street at night", model="acme/text", extra_body={"duration": "long"})

    assert "`duration` must be a whole number" in str(failure.value)
