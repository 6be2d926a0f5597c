"""What the log and a waiting job say of an account that takes no orders."""

import logging

import pytest

from framegate.domain import Running, State
from framegate.domain.errors import NotSent, ProviderError, Refused
from framegate.jobs.account_health import FAILURES_MAX, PAUSE_SECONDS, PROBE_CHECK_SECONDS, AccountHealth
from framegate.jobs.account_messages import FAILED_POLLS_MIN, LOG_INTERVAL_SECONDS
from framegate.jobs.state_machine.transition import STAGE_CHARS_MAX, waiting_stage
from support.fixed_clock import FixedClock

pytestmark = pytest.mark.anyio


def away():
    return NotSent("The service could not be reached (ConnectError).", connect_failed=True)


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "framegate.jobs.account_messages"]


async def test_the_log_reports_once_that_an_account_is_unreachable_and_once_that_it_recovered(world, caplog):
    gateway = world(account="studio", submits=[away(), away(), away()])
    async with gateway.open():
        jobs = [await gateway.create() for _ in range(2)]
        assert {(await gateway.end(job)).state for job in jobs} == {State.COMPLETED}

    begins = "Account animatic/studio cannot be reached; jobs wait or fall back."
    assert told(caplog) == [
        f"{begins} The service could not be reached (ConnectError).",
        "Account animatic/studio accepts orders again.",
    ]
    assert {record.levelno for record in caplog.records if record.name == "framegate.jobs.account_messages"} == {
        logging.WARNING
    }


@pytest.mark.parametrize(("status", "what"), [(401, "rejects its API key"), (403, "rejects all orders")])
async def test_the_log_and_the_job_name_the_account_whose_key_is_refused(world, caplog, status, what):
    def no():
        return Refused(f"The service answered {status}: no.", status=status)

    gateway = world(account="studio", submits=[no(), no()])
    async with gateway.open():
        jobs = [await gateway.end(await gateway.create()) for _ in range(2)]

    said = f"The service answered {status}: no. Account: `animatic/studio`."
    assert [job.fault.message for job in jobs] == [said, said]
    assert told(caplog) == [f"Account animatic/studio {what}. The service answered {status}: no."]


async def test_an_order_rejected_for_its_content_does_not_count_against_its_account(world, caplog):
    gateway = world(account="studio", submits=[Refused("The service answered 422: no cats.", status=422)])
    async with gateway.open():
        job = await gateway.end(await gateway.create())

    assert (job.fault.message, told(caplog)) == ("The service answered 422: no cats.", [])


async def test_a_job_that_waits_for_an_account_names_it_and_the_reason(world):
    gateway = world(account="studio", submits=[away(), NotSent("429", retry_after=7.0)])
    gateway.provider.requests_per_minute = 2
    async with gateway.open():
        job = await gateway.end(await gateway.create())
        stages = [event.stage async for event in gateway.jobs.events(job.id, owner="default")]

    assert [stage for stage in stages if stage.startswith("waiting for")] == [
        "waiting for animatic/studio: cannot be reached",
        "waiting for animatic/studio: accepts no orders",
        "waiting for animatic/studio: accepts 2 orders per minute",
    ]


async def test_jobs_that_queue_behind_a_paused_account_report_it_too(world):
    gateway = world(account="studio", submits=[NotSent("429", retry_after=30.0)])
    async with gateway.open():
        first = await gateway.create()
        async for event in gateway.jobs.events(first.id, owner="default"):
            if event.stage == "waiting for animatic/studio: accepts no orders":
                break
        second = await gateway.end(await gateway.create())
        stages = [event.stage async for event in gateway.jobs.events(second.id, owner="default")]

    assert "waiting for animatic/studio: accepts no orders" in stages


async def test_the_log_reports_once_that_polls_fail(world, caplog):
    looks = [ProviderError("The service answered 401: no.")] * (FAILED_POLLS_MIN + 3)
    gateway = world(account="studio", looks=[*looks, Running(), "done"])
    async with gateway.open():
        assert (await gateway.end(await gateway.create())).state is State.COMPLETED

    assert told(caplog) == [
        "Account animatic/studio: orders cannot be polled. The service answered 401: no.",
        "Account animatic/studio: orders can be polled again.",
    ]


def test_an_intermittent_problem_is_logged_once_per_interval(world, caplog):
    provider, clock = world(account="studio").provider, FixedClock()
    standing = AccountHealth(clock)
    for _ in range(50):
        standing.record_failure(provider, "job", away())
        standing.record_success(provider)
    assert len(told(caplog)) == 2

    clock.at += LOG_INTERVAL_SECONDS
    standing.record_failure(provider, "job", away())
    assert len(told(caplog)) == 3


def test_a_stage_keeps_its_reason_however_long_the_account_name_is():
    stage = waiting_stage("vllm_omni/" + "x" * 100, "cannot be reached")

    assert len(stage) == STAGE_CHARS_MAX
    assert stage.startswith("waiting for vllm_omni/xxx")
    assert stage.endswith("…: cannot be reached")


def test_one_job_that_fails_again_and_again_does_not_pause_its_account(world):
    provider, clock = world().provider, FixedClock()
    health = AccountHealth(clock)
    for _ in range(100):
        health.record_failure(provider, "poison", ProviderError("500"))

    assert health.retry_in(provider, "another") == 0
    assert health.retry_in(provider, "poison") == 0


def paused(world):
    provider, clock = world().provider, FixedClock()
    health = AccountHealth(clock)
    for number in range(FAILURES_MAX):
        health.record_failure(provider, f"job-{number}", ProviderError("500"))
    return provider, clock, health


def test_the_first_accepted_order_ends_a_pause_for_all_jobs(world):
    provider, clock, health = paused(world)
    assert health.retry_in(provider) == PAUSE_SECONDS
    clock.at += PAUSE_SECONDS

    health.record_submit(provider)
    assert 0 < health.retry_in(provider, "another") <= PROBE_CHECK_SECONDS  # one probe at once
    health.record_success(provider)
    assert health.retry_in(provider, "another") == 0


def test_a_failed_probe_begins_a_longer_pause(world):
    provider, clock, health = paused(world)
    clock.at += PAUSE_SECONDS
    health.record_submit(provider)
    health.record_failure(provider, "job-0", ProviderError("500"))

    assert health.retry_in(provider) == 2 * PAUSE_SECONDS


def test_jobs_that_have_not_failed_probe_a_paused_account_first(world):
    provider, clock, health = paused(world)
    clock.at += PAUSE_SECONDS / 2

    assert health.retry_in(provider, "another") < health.retry_in(provider, "job-0")


def test_a_success_does_not_end_a_pause_that_the_account_asked_for(world):
    provider, clock = world().provider, FixedClock()
    health = AccountHealth(clock)
    health.record_failure(provider, "job", NotSent("429"), retry_after=20.0)
    health.record_success(provider)

    assert health.retry_in(provider) == 20.0


async def test_an_order_that_makes_its_server_fail_does_not_hold_up_healthy_jobs(world):
    gateway = world()

    async def submit(order):
        gateway.provider.orders.append(order.job_id)
        if order.request.prompt == "poison":
            raise NotSent("500 before any work")
        return {"id": order.job_id}

    gateway.provider.submit = submit
    async with gateway.open():
        poison = [await gateway.create("poison") for _ in range(2)]
        assert [(await gateway.end(job)).state for job in poison] == [State.FAILED] * 2
        job = await gateway.end(await gateway.create())

    assert job.state is State.COMPLETED
    assert job.finished_at - job.created_at < 10
