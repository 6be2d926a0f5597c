"""The types of the public API, as its users see them: checked by `make types`, never run."""

from pathlib import Path
from typing import assert_type

from framegate import (
    AsyncFramegate,
    AsyncJob,
    CheckResult,
    Event,
    Framegate,
    InvalidRequest,
    Job,
    JobFailed,
    ModelRecord,
    Problem,
    Status,
)
from framegate.domain import Done, Failed, Handle, Lost, Order, Running, Update
from framegate.providers.base import Provider


def make_a_video() -> Path:
    client = Framegate("http://127.0.0.1:8787", "key")
    job = client.videos.create(
        prompt="a slow push-in on @hero",
        references=["front.jpg", Path("side.png"), {"url": "https://example.com/a.png", "name": "hero"}],
        duration=4,
        max_cost_usd=1.5,
    )
    assert_type(job, Job)
    assert_type(job.status, Status)
    assert_type(job.cost_usd, float | None)
    assert_type(job.problems, tuple[Problem, ...])
    assert_type(job.wait(timeout=60, on_event=print), Job)
    for event in client.videos.events(job.id):
        assert_type(event, Event)
    return assert_type(job.video.save("out.mp4"), Path)


def validate() -> CheckResult:
    client = Framegate()
    try:
        return assert_type(client.videos.check(prompt="a cat", model="google/veo-3.1"), CheckResult)
    except InvalidRequest as error:
        assert_type(error.problems, tuple[Problem, ...])
        raise
    except JobFailed as error:
        assert_type(error.code, str)
        raise


def list_models() -> list[ModelRecord]:
    return Framegate().models.list()


async def follow() -> None:
    async with AsyncFramegate() as client:
        job = await client.videos.create(prompt="a cat", references=[b"..."])
        assert_type(job, AsyncJob)
        assert_type(await job.wait(), AsyncJob)
        async for listed in client.videos.list(limit=3):
            assert_type(listed, AsyncJob)


class Studio(Provider):
    """A third-party provider."""

    name = "studio"

    async def submit(self, order: Order) -> Handle:
        return {"id": order.job_id}

    async def poll(self, handle: Handle) -> Update:
        return Running() if handle else Lost()


assert_type(Studio().concurrency, int | None)


def ends(update: Update) -> bool:
    return isinstance(update, Done | Failed | Lost)
