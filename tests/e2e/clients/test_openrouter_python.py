"""The PyPI package `openrouter`, unmodified, against a served gateway."""

import io
import warnings
from collections.abc import Iterator
from typing import Any

import av
import pytest

from support.pages import example, page
from support.served_gateway import ServedGateway

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package's own imports warn of what it will change
    from openrouter import OpenRouter, errors
    from openrouter.utils import BackoffStrategy, RetryConfig

NO_RETRIES = RetryConfig("none", BackoffStrategy(1, 1, 1, 1), retry_connection_errors=False)


@pytest.fixture
def client(served_gateway: ServedGateway) -> Iterator[OpenRouter]:
    with OpenRouter(api_key=served_gateway.key, server_url=served_gateway.api, retry_config=NO_RETRIES) as client:
        yield client


def wanted(url: str, **more: object) -> dict[str, Any]:
    reference = {"type": "image_url", "image_url": {"url": url}}
    return {"model": "framegate/animatic", "prompt": "slow push in", "input_references": [reference], **more}


def test_lists_the_models(client: OpenRouter):
    models = {model.id: model for model in client.video_generation.list_videos_models().data}

    assert models["framegate/animatic"].supported_frame_images == ["first_frame", "last_frame"]
    assert "google/veo-3.1" in models


def test_makes_follows_and_downloads_a_video(client: OpenRouter, asset: str):
    job = client.video_generation.generate(**wanted(asset, duration=1, resolution="360p", aspect_ratio="16:9", seed=3))
    assert job.status in ("pending", "in_progress")
    while job.status in ("pending", "in_progress"):
        job = client.video_generation.get_generation(job_id=job.id)
    content = client.video_generation.get_video_content(job_id=job.id, index=0).read()

    assert job.usage is not None
    assert job.unsigned_urls is not None
    assert job.urls is not None
    assert (job.status, job.generation_id, job.usage.cost) == ("completed", job.id, 0)
    assert len(job.unsigned_urls) == len(job.urls) == 1
    with av.open(io.BytesIO(content), "r") as video:
        frames = list(video.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (24, 640, 360)


def test_is_told_why_a_request_is_refused(client: OpenRouter, asset: str):
    with pytest.raises(errors.BadRequestResponseError, match="duration") as refused:
        client.video_generation.generate(**wanted(asset, duration=999))

    assert refused.value.status_code == 400
    assert refused.value.data.error.code == 400


def test_is_told_that_a_job_is_unknown(client: OpenRouter):
    with pytest.raises(errors.NotFoundResponseError, match="Job not found"):
        client.video_generation.get_generation(job_id="gen-vid-1-unknown")


def test_is_told_that_a_video_is_not_ready(client: OpenRouter, unfinished_job: str):
    with pytest.raises(errors.ConflictResponseError, match="not ready"):
        client.video_generation.get_video_content(job_id=unfinished_job)


def test_sees_a_cancelled_job(client: OpenRouter, cancelled_job: str):
    assert client.video_generation.get_generation(job_id=cancelled_job).status == "cancelled"
    with pytest.raises(errors.ConflictResponseError, match="cancelled"):
        client.video_generation.get_video_content(job_id=cancelled_job)


def test_is_told_that_its_key_is_wrong(served_gateway: ServedGateway):
    with (
        OpenRouter(api_key="sk-wrong", server_url=served_gateway.api, retry_config=NO_RETRIES) as client,
        pytest.raises(errors.UnauthorizedResponseError, match="key"),
    ):
        client.video_generation.generate(model="framegate/animatic", prompt="x")


def test_a_create_sent_again_with_its_key_is_the_same_job(client: OpenRouter, asset: str):
    headers = {"Idempotency-Key": "python-client-1"}
    body = wanted(asset, duration=1, resolution="360p")
    first = client.video_generation.generate(**body, http_headers=headers)
    again = client.video_generation.generate(**body, http_headers=headers)

    assert again.id == first.id
    with pytest.raises(errors.OpenRouterError, match="Idempotency-Key"):
        client.video_generation.generate(**{**body, "prompt": "another"}, http_headers=headers)


def test_the_example_of_the_docs_runs(served_gateway: ServedGateway, asset: str):
    code = example(page("guides/openrouter.md"))
    for written, meant in (
        ("http://127.0.0.1:8787/api/v1", served_gateway.api),
        ('"KEY"', repr(served_gateway.key)),
        ("https://example.com/a.jpg", asset),
        ("duration=4", "duration=1"),
    ):
        assert written in code
        code = code.replace(written, meant)
    seen: dict[str, Any] = {}
    exec(compile(code, "docs/guides/openrouter.md", "exec"), seen)

    assert seen["job"].status == "completed"
    assert seen["video"][4:8] == b"ftyp"
