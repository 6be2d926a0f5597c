"""A provider's call makes the gateway look at once; without one it looks when it would have."""

import asyncio

import pytest

from framegate.domain import Running, State
from framegate.jobs.state_machine.provider_webhook import provider_webhook_url

pytestmark = pytest.mark.anyio


async def test_a_provider_webhook_triggers_a_poll_at_once(world):
    gateway = world(looks=[Running(), "done"])
    gateway.provider.poll_seconds = 3000.0  # the job's deadline is 3600
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
        began = gateway.clock.now()
        async with asyncio.timeout(3000):
            while not (job := await gateway.jobs.get(job.id, owner="default")).state.is_final:
                await gateway.store.make_due(job.id, now=gateway.clock.now())
                await gateway.jobs.wait(job.id, owner="default", seconds=30)

    assert job.state is State.COMPLETED
    assert gateway.clock.now() - began < 2500


async def test_an_order_carries_a_webhook_url_only_if_the_provider_can_use_it(world):
    gateway = world()
    for public_url, calls_back, told in (
        ("https://gate.example/", True, True),
        ("https://gate.example/", False, False),
        ("http://127.0.0.1:1", True, False),
        (None, True, False),
    ):
        gateway.settings = gateway.settings.model_copy(update={"public_url": public_url})
        gateway.provider.sends_webhooks = calls_back
        async with gateway.open(run=False):
            job = await gateway.create()
            order = gateway.parts.state_machine.order(job)
        expected = provider_webhook_url("https://gate.example", "animatic", "", job.id)
        assert order.webhook == (expected if told else None)
