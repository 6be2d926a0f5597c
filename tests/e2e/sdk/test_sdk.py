"""The SDK against a real gateway."""

import asyncio
from pathlib import Path

import pytest

from framegate import AsyncFramegate, Framegate
from framegate.domain import Status
from framegate.domain.errors import Conflict, InvalidRequest, NotFound, Unauthorized
from support.served_gateway import ServedGateway

pytestmark = pytest.mark.slow


def test_a_video_from_local_files_with_all_operations(
    served_gateway: ServedGateway, photos: tuple[Path, ...], tmp_path: Path
):
    with Framegate(served_gateway.url, served_gateway.key) as client:
        request = {
            "prompt": "a slow push-in on @hero, then the rest",
            "references": [{"url": photos[0], "name": "hero"}, str(photos[1]), photos[2].read_bytes()],
            "duration": 1,
            "resolution": "360p",
        }
        verdict = client.videos.check(**request)
        assert (verdict.ok, verdict.cost_usd) == (True, 0)

        job = client.videos.create(**request).wait(timeout=60)
        video = job.video.save(tmp_path / "out.mp4")
        sheet, poster = job.video.save_contact_sheet(tmp_path / "s.jpg"), job.video.save_poster(tmp_path / "p.jpg")

        assert (job.status, job.model, job.stage, job.progress) == (
            Status.COMPLETED,
            "framegate/animatic",
            "completed",
            1.0,
        )
        assert video.stat().st_size == job.outputs[0]["bytes"]
        assert sheet.read_bytes()[:3] == poster.read_bytes()[:3] == b"\xff\xd8\xff"
        assert client.videos.report(job.id)["verdict"] == "pass"
        assert [event.state for event in client.videos.events(job.id)][-1] == "completed"
        assert job.id in [listed.id for listed in client.videos.list(status=["completed"], model=job.model)]
        with pytest.raises(Conflict):
            job.cancel()
        client.videos.delete(job.id)
        with pytest.raises(NotFound):
            client.videos.get(job.id)


def test_the_async_sdk_cancels_a_job(served_gateway: ServedGateway, photos: tuple[Path, ...]):
    async def make_and_cancel() -> Status:
        async with AsyncFramegate(served_gateway.url, served_gateway.key) as client:
            job = await client.videos.create(prompt="x", references=[photos[0]], duration=30)
            return (await job.cancel()).status

    assert asyncio.run(make_and_cancel()) is Status.CANCELLED


def test_a_rejection_has_the_nearest_valid_value(served_gateway: ServedGateway):
    with Framegate(served_gateway.url, served_gateway.key) as client, pytest.raises(InvalidRequest) as refusal:
        client.videos.create(prompt="x", duration=99)

    assert [(problem.pointer, problem.nearest) for problem in refusal.value.problems] == [("/duration", 60)]


def test_without_the_key_nothing_is_listed(served_gateway: ServedGateway):
    with Framegate(served_gateway.url, "wrong") as client, pytest.raises(Unauthorized):
        list(client.videos.list())
