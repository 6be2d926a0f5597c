"""What the log and a waiting job say of an account that takes no orders."""

import logging

import pytest

from framegate.domain import Running, State
from framegate.domain.errors import NotSent, ProviderError, Refused
from framegate.jobs.account_health import LOOKS_MAX, QUIET_SECONDS, AccountHealth
from framegate.jobs.state_machine.transition import STAGE_CHARS_MAX, waiting

pytestmark = pytest.mark.anyio


def away():
    return NotSent("The service could not be reached (ConnectError).", connect_failed=True)


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "framegate.jobs.account_health"]


async def test_the_log_tells_once_that_an_account_cannot_be_reached_and_once_that_it_takes_orders_again(world, caplog):
    gate = world(account="studio", submits=[away(), away(), away()])
    async with gate.open():
        jobs = [await gate.create() for _ in range(2)]
        assert {(await gate.end(job)).state for job in jobs} == {State.COMPLETED}

    begins = "The account animatic/studio: it cannot be reached, so that jobs wait for it or go elsewhere."
    assert told(caplog) == [
        f"{begins} The service could not be reached (ConnectError).",
        "The account animatic/studio takes orders again.",
    ]
    assert {record.levelno for record in caplog.records if record.name == "framegate.jobs.account_health"} == {
        logging.WARNING
    }


@pytest.mark.parametrize(("status", "what"), [(401, "its key is refused"), (403, "it is refused orders")])
async def test_the_log_and_the_job_name_the_account_whose_key_is_refused(world, caplog, status, what):
    def no():
        return Refused(f"The service answered {status}: no.", status=status)

    gate = world(account="studio", submits=[no(), no()])
    async with gate.open():
        jobs = [await gate.end(await gate.create()) for _ in range(2)]

    said = f"The service answered {status}: no. The account is `animatic/studio`."
    assert [job.fault.message for job in jobs] == [said, said]
    assert told(caplog) == [f"The account animatic/studio: {what}. The service answered {status}: no."]


async def test_an_order_refused_for_what_it_asks_is_no_trouble_of_its_account(world, caplog):
    gate = world(account="studio", submits=[Refused("The service answered 422: no cats.", status=422)])
    async with gate.open():
        job = await gate.end(await gate.create())

    assert (job.fault.message, told(caplog)) == ("The service answered 422: no cats.", [])


async def test_a_job_that_waits_for_an_account_says_for_which_and_why(world):
    gate = world(account="studio", submits=[away(), NotSent("429", retry_after=7.0)])
    gate.provider.requests_per_minute = 2
    async with gate.open():
        job = await gate.end(await gate.create())
        stages = [event.stage async for event in gate.jobs.events(job.id, owner="default")]

    assert [stage for stage in stages if stage.startswith("waiting for")] == [
        "waiting for animatic/studio: cannot be reached",
        "waiting for animatic/studio: takes no orders for now",
        "waiting for animatic/studio: 2 orders a minute",
    ]


async def test_the_jobs_that_wait_behind_one_that_was_told_to_wait_say_so_too(world):
    gate = world(account="studio", submits=[NotSent("429", retry_after=30.0)])
    async with gate.open():
        first = await gate.create()
        async for event in gate.jobs.events(first.id, owner="default"):
            if event.stage == "waiting for animatic/studio: takes no orders for now":
                break
        second = await gate.end(await gate.create())
        stages = [event.stage async for event in gate.jobs.events(second.id, owner="default")]

    assert "waiting for animatic/studio: takes no orders for now" in stages


async def test_the_log_tells_once_that_orders_cannot_be_looked_at(world, caplog):
    looks = [ProviderError("The service answered 401: no.")] * (LOOKS_MAX + 3)
    gate = world(account="studio", looks=[*looks, Running(), "done"])
    async with gate.open():
        assert (await gate.end(await gate.create())).state is State.COMPLETED

    assert told(caplog) == [
        "The account animatic/studio: its orders cannot be looked at. The service answered 401: no.",
        "The account animatic/studio tells of its orders again.",
    ]


def test_a_trouble_that_comes_and_goes_is_told_once_in_a_while(world, caplog):
    class Clock:
        at = 0.0

        def now(self):
            return self.at

    provider, clock = world(account="studio").provider, Clock()
    standing = AccountHealth(clock)
    for _ in range(50):
        standing.record_failure(provider, away())
        standing.record_success(provider)
    assert len(told(caplog)) == 2

    clock.at += QUIET_SECONDS
    standing.record_failure(provider, away())
    assert len(told(caplog)) == 3


def test_a_stage_has_room_for_why_whatever_the_account_is_called():
    stage = waiting("vllm_omni/" + "x" * 100, "cannot be reached")

    assert len(stage) == STAGE_CHARS_MAX
    assert stage.startswith("waiting for vllm_omni/xxx")
    assert stage.endswith("…: cannot be reached")
