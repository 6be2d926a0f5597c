"""Render processes that die every time, and gateways that are stopped in every render."""

import asyncio

import pytest

from framegate.app.parts import build_parts
from framegate.config.settings import Settings
from framegate.domain import Request, State
from framegate.domain.keys import OPERATOR
from framegate.jobs.state_machine.submit import ATTEMPTS_MAX
from support.virtual_machine import VirtualMachine

STOPS = ATTEMPTS_MAX + 2
AS_A_RENDERER = """
import os, sys
if sys.orig_argv[-1] == "framegate.animatic":
    sys.stdin.readline()
    {then}
"""

PATIENCE_SECONDS = 30_000.0  # virtual
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(machine: VirtualMachine):
    return "asyncio", {"loop_factory": machine.new_event_loop}


@pytest.fixture
def renderers(tmp_path, monkeypatch):
    """Have every new render process do this, once it has read its first job."""

    def do(then: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(AS_A_RENDERER.format(then=then))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return do


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path / "data", render_workers=1)


async def create(gateway):
    request = Request(model="framegate/animatic", prompt="a title", duration=1, fps=8, resolution="360p")
    return await gateway.jobs.create(request, caller=OPERATOR, dialect="native")


async def until(gateway, job, state):
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for event in gateway.jobs.events(job.id, owner="default"):
            if event.state is state:
                return


async def end(gateway, job):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (job := await gateway.jobs.wait(job.id, owner="default", seconds=60)).state.is_final:
            pass
    return job


async def test_a_renderer_that_always_dies_fails_the_job_after_the_maximum_of_attempts(settings, renderers, machine):
    renderers("os._exit(9)")
    async with build_parts(settings, machine) as gateway:
        job = await end(gateway, await create(gateway))

        assert (job.state, job.fault.code) == (State.FAILED, "order_lost")
        assert [order["state"] for order in await gateway.store.orders(job.id)] == ["not_sent"] * ATTEMPTS_MAX
    assert list((settings.data_dir / "renders").iterdir()) == []


async def test_a_render_interrupted_by_every_stop_of_the_gateway_is_repeated_every_time(
    settings, renderers, machine, monkeypatch
):
    renderers("sys.stdin.read(); os._exit(0)")  # never done
    async with build_parts(settings, machine) as gateway:
        job = await create(gateway)
        await until(gateway, job, State.RUNNING)
    for number in range(STOPS):
        async with build_parts(settings, machine) as gateway:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (stands := await gateway.jobs.get(job.id, owner="default")).attempts < number + 2 or (
                    stands.state is not State.RUNNING
                ):
                    await gateway.jobs.wait(job.id, owner="default", seconds=0.1)
    monkeypatch.delenv("PYTHONPATH")
    async with build_parts(settings, machine) as gateway:
        job = await end(gateway, job)

        assert (job.state, job.fault) == (State.COMPLETED, None)
        states = [order["state"] for order in await gateway.store.orders(job.id)]
        assert states == ["not_sent"] * (STOPS + 1) + ["accepted"]
