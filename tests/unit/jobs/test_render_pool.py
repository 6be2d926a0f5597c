"""Render processes that come, go and die at awkward moments."""

import asyncio

import pytest

from framegate.domain import Done, Lost
from framegate.jobs.executor.render_pool import RenderPool, RenderWorker

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def pool():
    pool = RenderPool(1)
    yield pool
    await pool.close()


@pytest.fixture
def spec(tmp_path):
    def make(name: str) -> dict[str, object]:
        size = {"width": 128, "height": 128, "fps": 8, "frames": 8}
        return {"prompt": "a title", "references": [], "names": [], "output": str(tmp_path / f"{name}.mp4"), **size}

    return make


@pytest.fixture
def spawn(monkeypatch):
    """Hold every new child back until it is let go."""
    real, begun, let_go = RenderWorker.spawn, asyncio.Queue(), asyncio.Event()

    async def held() -> RenderWorker:
        begun.put_nowait(None)
        await let_go.wait()
        return await real()

    monkeypatch.setattr(RenderWorker, "spawn", held)
    return begun, let_go


async def done(pool: RenderPool, name: str):
    async with asyncio.timeout(30):
        while not isinstance(update := pool.poll(name), Done | Lost):
            await asyncio.gather(*pool._busy.values())
    return update


async def test_a_render_that_is_dropped_while_its_process_starts_never_runs(pool, spec, spawn, tmp_path):
    begun, let_go = spawn
    starting = asyncio.create_task(pool.start("a", spec("a")))
    await begun.get()

    await pool.forget("a")
    let_go.set()
    await starting
    await pool.start("b", spec("b"))

    assert isinstance(await done(pool, "b"), Done)
    assert isinstance(pool.poll("a"), Lost)
    assert [file.name for file in tmp_path.iterdir()] == ["b.mp4"]


async def test_no_more_processes_are_started_than_may_render_at_once(pool, spec, spawn):
    begun, let_go = spawn
    starting = [asyncio.create_task(pool.start(name, spec(name))) for name in ("a", "b")]
    await begun.get()
    await asyncio.sleep(0)
    let_go.set()
    await asyncio.gather(*starting)

    assert len(pool._busy) == 1
    assert isinstance(await done(pool, "a"), Done)
    assert isinstance(await done(pool, "b"), Done)
    assert begun.empty()


async def test_a_repeated_render_stops_the_running_one(pool, spec):
    pool.size = 2
    await pool.start("a", spec("a") | {"frames": 3600})
    [first] = pool._busy

    await pool.start("a", spec("a"))

    assert first.process.returncode is not None
    assert isinstance(await done(pool, "a"), Done)


async def test_a_dead_idle_process_is_replaced_without_a_failed_render(pool, spec):
    await pool.start("a", spec("a"))
    await done(pool, "a")
    [worker] = pool._idle
    worker.kill()
    await worker.process.wait()

    await pool.start("b", spec("b"))

    assert isinstance(await done(pool, "b"), Done)


async def test_a_process_that_cannot_be_started_counts_as_a_lost_render(pool, spec, monkeypatch):
    async def none() -> RenderWorker:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(RenderWorker, "spawn", none)
    await pool.start("a", spec("a"))

    assert isinstance(pool.poll("a"), Lost)
