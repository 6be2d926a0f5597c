"""One order per job: where other gateways pay twice, or lose what was paid for."""

import pytest

from framegate.domain import Running, State
from framegate.domain.errors import OutcomeUnknown, ProviderError

pytestmark = pytest.mark.anyio
ACCOUNTS = {"account": "a", "others": [{"account": "b"}, {"account": "c"}]}


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("500 after the order was taken."), ProviderError("500"), OutcomeUnknown("Timed out.")]
)
async def test_an_order_that_may_have_been_taken_is_placed_at_no_other_offer(world, error):
    gateway = world(submits=[error], **ACCOUNTS)
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert await gateway.orders(job) == ["unsure"]
        assert (await gateway.jobs.bill(job.id, owner="default")).state == "held"
    assert [len(provider.orders) for provider in gateway.providers] == [1, 0, 0]
    assert (job.fault.code, job.fault.unsure, job.fallback_log) == ("submit_unsure", True, ())


async def test_a_process_that_dies_during_an_order_leaves_one_order_with_several_offers(world):
    gateway = world(**ACCOUNTS)
    gateway.provider.submits = [lambda _order: gateway.clock.sleep(1e9)]
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.SUBMITTING)
        while not gateway.provider.orders:
            await gateway.clock.sleep(0.1)
    async with gateway.open():
        job = await gateway.end(job)

        assert await gateway.orders(job) == ["unsure"]
    assert [len(provider.orders) for provider in gateway.providers] == [1, 0, 0]
    assert "The gateway stopped" in job.fault.message


async def test_an_answer_that_was_lost_is_not_blamed_on_a_stop_of_the_gateway(world):
    gateway = world(submits=[OutcomeUnknown("Timed out after sending.")])
    gateway.provider.finds = [ProviderError("away"), OutcomeUnknown()]
    async with gateway.open():
        job = await gateway.end(await gateway.create())

    assert (job.fault.code, "stopped" in job.fault.message) == ("submit_unsure", False)


async def test_a_paid_job_is_followed_although_its_key_was_rotated_meanwhile(world):
    gateway = world(looks=[Running()], account="studio")
    gateway.provider.key_fingerprint = "old"
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
    gateway.provider.key_fingerprint = "new"
    gateway.provider.looks = ["done"]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, len(gateway.provider.orders), job.cost_micro_usd) == (State.COMPLETED, 1, 120_000)
