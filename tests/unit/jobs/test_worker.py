import asyncio
from dataclasses import replace

import av
import numpy as np
import pytest

from framegate.domain import Done, Failed, Fault, Kind, Lost, ProviderFile, Reference, Role, Running, State, Status
from framegate.domain.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    NotReady,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unavailable,
)
from framegate.jobs.admission import COUNT_SECONDS
from framegate.jobs.state_machine.submit import ATTEMPTS_MAX
from framegate.jobs.worker import IDLE_SECONDS
from framegate.media.videos import read_boxes
from framegate.store.job_writes import OrderState, next_version

pytestmark = pytest.mark.anyio


async def test_a_job_goes_through_every_state_and_each_change_is_an_event(world):
    async with world(looks=[Running(progress=0.5, stage="rendering"), "done"]).open() as gate:
        job = await gate.end(await gate.create())
        events = [event async for event in gate.jobs.events(job.id, owner="default")]

    assert job.fault is None
    assert [event.state.value for event in events] == [
        "queued", "preparing", "submitting", "running", "running", "fetching", "checking", "completed",
    ]  # fmt: skip
    assert [event.seq for event in events] == list(range(1, 9))
    assert [event.progress for event in events if event.progress] == [0.475, 0.95, 0.95, 1.0]
    assert job.outputs[0].frames == 8
    assert job.cost_micro_usd == 120_000


async def test_events_continue_after_the_last_one_seen(world):
    async with world().open() as gate:
        job = await gate.end(await gate.create())
        late = [event.seq async for event in gate.jobs.events(job.id, owner="default", after=4)]

    assert late == list(range(5, job.version + 1))


async def test_a_rejected_order_fails_the_job_with_the_providers_reason_and_is_not_repeated(world):
    async with world(submits=[Refused("Too many fingers.")]).open() as gate:
        job = await gate.end(await gate.create())

        assert (job.state, job.fault.code, job.fault.message) == (State.FAILED, "provider_refused", "Too many fingers.")
        assert await gate.orders(job) == ["refused"]
    assert len(gate.provider.orders) == 1


async def test_an_order_that_certainly_never_arrived_is_sent_again(world):
    async with world(submits=[NotSent(), NotSent()]).open() as gate:
        job = await gate.end(await gate.create())

        assert job.state is State.COMPLETED
        assert await gate.orders(job) == ["not_sent", "not_sent", "accepted"]


async def test_an_order_that_never_arrives_fails_the_job_after_the_maximum_of_attempts(world):
    async with world(submits=[NotSent()] * 50).open() as gate:
        job = await gate.end(await gate.create())

        assert (job.state, job.fault.code, job.fault.retryable) == (State.FAILED, "order_not_sent", True)
        assert await gate.orders(job) == ["not_sent"] * ATTEMPTS_MAX


@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize("error", [OutcomeUnknown("Timed out after sending."), ProviderError("500 after sending.")])
async def test_an_order_of_unknown_outcome_is_never_resubmitted_automatically(world, repeatable, error):
    async with world(submits=[error], repeatable=repeatable).open() as gate:
        job = await gate.end(await gate.create())

        assert (job.state, job.fault.code, job.fault.unsure) == (State.FAILED, "submit_unsure", True)
        assert await gate.orders(job) == ["unsure"]
    assert len(gate.provider.orders) == 1


async def _killed_while_submitting(gate):
    """The intent is written; the process died before anything else was."""
    job = await gate.create()
    sending = next_version(job, job.created_at, state=State.SUBMITTING, attempts=1)
    return await gate.store.apply(sending, due_at=job.created_at, fence=0, order=OrderState("sending", "key", 1.0))


async def test_a_paid_order_interrupted_by_a_crash_has_an_unknown_outcome_and_is_not_resubmitted(world):
    gate = world()
    async with gate.open(run=False):
        job = await _killed_while_submitting(gate)
    async with gate.open():
        job = await gate.end(job)

        assert (job.state, job.fault.code, job.fault.unsure) == (State.FAILED, "submit_unsure", True)
        assert await gate.orders(job) == ["unsure"]
    assert gate.provider.orders == []


async def test_a_free_order_interrupted_by_a_crash_is_resubmitted(world):
    gate = world(repeatable=True)
    async with gate.open(run=False):
        job = await _killed_while_submitting(gate)
    async with gate.open():
        job = await gate.end(job)

    assert job.state is State.COMPLETED
    assert len(gate.provider.orders) == 1


@pytest.mark.parametrize(("repeatable", "order"), [(False, "unsure"), (True, "not_sent")])
async def test_a_job_cancelled_with_an_interrupted_order_reports_whether_it_may_be_charged(world, repeatable, order):
    gate = world(repeatable=repeatable)
    async with gate.open(run=False):
        job = await _killed_while_submitting(gate)
        await gate.store.apply(next_version(job, job.created_at, cancel_requested=True), due_at=job.created_at)
    async with gate.open():
        job = await gate.end(job)

        assert (job.state, job.fault.code, job.fault.unsure) == (State.CANCELLED, "cancelled", order == "unsure")
        assert ("may charge" in job.fault.message) is (order == "unsure")
        assert await gate.orders(job) == [order]
    assert gate.provider.orders == []


async def test_a_failed_poll_does_not_fail_the_job(world):
    async with world(looks=[ProviderError("502"), NotSent(), Running(progress=0.2), "done"]).open() as gate:
        job = await gate.end(await gate.create())

    assert job.state is State.COMPLETED


async def test_a_job_that_the_provider_fails_ends_with_its_fault(world):
    fault = Fault(code="content_policy", message="Not this one.")
    async with world(looks=[Failed(fault=fault)]).open() as gate:
        job = await gate.end(await gate.create())

    assert (job.state, job.fault) == (State.FAILED, fault)


async def test_a_lost_free_render_is_repeated_a_limited_number_of_times(world):
    async with world(looks=[Lost()], repeatable=True).open() as gate:
        job = await gate.end(await gate.create())

    assert (job.state, job.fault.code) == (State.FAILED, "order_lost")
    assert len(gate.provider.orders) == ATTEMPTS_MAX


async def test_a_lost_paid_order_is_not_repeated(world):
    async with world(looks=[Lost()]).open() as gate:
        job = await gate.end(await gate.create())

    assert (job.state, job.fault.code, len(gate.provider.orders)) == (State.FAILED, "order_lost", 1)


async def test_an_order_that_its_provider_does_not_find_for_a_while_is_not_given_up(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.poll.MISSING_SECONDS_MAX", 600.0)
    async with world(
        looks=[Lost(), ProviderError("away"), Lost(), Lost(), Running(progress=0.5), "done"]
    ).open() as gate:
        job = await gate.create()
        stages = [event.stage async for event in gate.jobs.events(job.id, owner="default")]
        job = await gate.end(job)

    assert (job.state, job.missing_since, len(gate.provider.orders)) == (State.COMPLETED, None, 1)
    assert stages.index("not found at the provider") < stages.index(
        "running", stages.index("not found at the provider")
    )


async def test_an_order_that_its_provider_never_finds_again_is_given_up_and_may_be_charged(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.poll.MISSING_SECONDS_MAX", 100.0)
    async with world(looks=[Lost()]).open() as gate:
        began = gate.clock.now()
        job = await gate.end(await gate.create())

    assert (job.state, job.fault.code, job.fault.may_charge) == (State.FAILED, "order_lost", True)
    assert gate.clock.now() - began >= 100


async def test_a_job_past_its_deadline_expires_and_its_order_is_stopped(world):
    async with world(looks=[Running(progress=0.1)], job_deadline_seconds=30).open() as gate:
        job = await gate.end(await gate.create())

    assert (job.state, job.fault.code) == (State.EXPIRED, "expired")
    assert "30 seconds" in job.fault.message
    assert gate.provider.cancelled == [{"id": job.id}]


async def test_a_job_that_waits_for_a_slot_past_its_deadline_expires(world):
    gate = world(looks=[Running(progress=0.1)], concurrency=1, job_deadline_seconds=40)
    async with gate.open():
        jobs = [await gate.create() for _ in range(3)]
        ended = [await gate.end(job) for job in jobs]

    assert [job.state for job in ended] == [State.EXPIRED] * 3
    assert gate.provider.running_max == 1


async def test_a_running_job_is_cancelled_and_its_order_is_stopped(world):
    async with world(looks=[Running(progress=0.1)]).open() as gate:
        job = await gate.create()
        await gate.until(job, State.RUNNING)

        job = await gate.jobs.cancel(job.id, owner="default")

        assert job.state is State.CANCELLED
        assert gate.provider.cancelled == [{"id": job.id}]
        assert (await gate.jobs.cancel(job.id, owner="default")).state is State.CANCELLED


async def test_a_cancellation_during_the_response_to_a_poll_is_not_missed(world):
    gate = world(looks=[Running()])
    looks = []

    async def poll(_handle):
        if not looks:
            looks.append(job.id)
            now = gate.clock.now()
            running = await gate.jobs.get(job.id, owner="default")
            await gate.store.apply(next_version(running, now, cancel_requested=True), due_at=now)
            gate.store.notifier.interrupt(job.id)  # nothing is awaited after this, so the look comes to its end
        return Running()

    gate.provider.poll = poll
    async with gate.open():
        job = await gate.create()
        job = await gate.end(job)

    assert (job.state, len(gate.provider.cancelled)) == (State.CANCELLED, 1)


async def test_a_job_cancelled_during_its_submit_is_stopped_at_the_provider(world):
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(_order):
        arrived.set()
        await go.wait()

    async with world(submits=[slow], looks=[Running()]).open() as gate:
        job = await gate.create()
        await arrived.wait()
        cancelling = asyncio.create_task(gate.jobs.cancel(job.id, owner="default"))
        while not (await gate.jobs.get(job.id, owner="default")).cancel_requested:
            await asyncio.sleep(0)
        go.set()
        await cancelling
        job = await gate.end(job)

        assert (job.state, job.handle) == (State.CANCELLED, {"id": job.id})
        assert gate.provider.cancelled == [{"id": job.id}]
        assert await gate.orders(job) == ["accepted"]


async def test_a_cancelled_job_does_not_wait_for_retry_after(world):
    async def later(order):
        job = await gate.store.get(order.job_id)
        await gate.store.apply(next_version(job, gate.clock.now(), cancel_requested=True), due_at=gate.clock.now())
        raise NotSent("Not now.", retry_after=900.0)

    gate = world(submits=[later])
    async with gate.open():
        job = await gate.end(await gate.create())

    assert job.state is State.CANCELLED
    assert job.finished_at - job.created_at < 900


@pytest.mark.parametrize("concurrency", [None, 1])
async def test_a_cancellation_requested_in_another_process_is_done_by_the_process_that_holds_the_job(
    world, concurrency
):
    gate = world(looks=[Running()], concurrency=concurrency)
    async with gate.open():
        gate.worker._sole = False
        ordered, waiting = await gate.create(), await gate.create()
        await gate.until(ordered, State.RUNNING)
        await gate.until(waiting, State.PREPARING if concurrency else State.RUNNING)
        for created in (waiting, ordered):
            job = await gate.store.get(created.id)
            await gate.store.apply(next_version(job, gate.clock.now(), cancel_requested=True), due_at=gate.clock.now())
            assert (await gate.end(job)).state is State.CANCELLED

    assert len(gate.provider.cancelled) == (1 if concurrency else 2)


async def test_a_job_that_waits_for_a_slot_is_cancelled_without_an_order(world):
    gate = world(looks=[Running()], concurrency=1)
    async with gate.open():
        first, second = await gate.create(), await gate.create()
        await gate.until(first, State.RUNNING)
        job = await gate.jobs.cancel(second.id, owner="default")

        assert job.state is State.CANCELLED
        assert await gate.orders(second) == []


async def test_a_job_that_has_ended_cannot_be_cancelled(world):
    async with world().open() as gate:
        job = await gate.end(await gate.create())

        with pytest.raises(Conflict, match="already completed"):
            await gate.jobs.cancel(job.id, owner="default")


async def test_open_orders_never_exceed_the_limit_of_the_provider(world):
    looks = [Running(progress=0.5)] * 30 + ["done"]
    gate = world(looks=looks, concurrency=3)
    async with gate.open():
        jobs = [await gate.create() for _ in range(12)]
        ended = [await gate.end(job) for job in jobs]

    assert {job.state for job in ended} == {State.COMPLETED}
    assert gate.provider.running_max == 3


async def test_a_job_with_a_long_wait_is_released_and_claimed_again(world):
    gate = world(looks=[Running(progress=0.3), Running(progress=0.6), "done"])
    gate.provider.poll_seconds = 20.0
    async with gate.open():
        job = await gate.create()
        await gate.until(job, State.RUNNING)
        while gate.worker._jobs:
            await asyncio.sleep(0)
        waiting = await gate.store.get_with_fence(job.id)
        job = await gate.end(job)

    assert waiting.job.state is State.RUNNING
    assert job.state is State.COMPLETED


async def test_an_unplayable_file_fails_the_job_and_its_report_is_kept(world, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video at all" * 100)
    async with world(looks=[Done(outputs=(ProviderFile(path=str(broken)),))]).open() as gate:
        job = await gate.end(await gate.create())

    assert (job.state, job.fault.code) == (State.FAILED, "output_unplayable")
    assert job.report["verdict"] == "fail"


async def test_an_internal_error_ends_its_job_and_the_worker_continues(world, caplog):
    async with world(submits=[ZeroDivisionError("a bug")]).open() as gate:
        bad = await gate.end(await gate.create())
        good = await gate.end(await gate.create())

        assert await gate.orders(bad) == ["unsure"]
    assert (bad.fault.code, bad.fault.unsure, good.state) == ("internal_error", True, State.COMPLETED)
    assert "a bug" not in bad.fault.message
    assert "a bug" in caplog.text


async def test_an_internal_error_during_a_poll_counts_as_a_failed_poll(world, caplog):
    async with world(looks=[ZeroDivisionError("a bug"), Running(), ZeroDivisionError("a bug"), "done"]).open() as gate:
        job = await gate.end(await gate.create())

    assert (job.state, len(gate.provider.orders)) == (State.COMPLETED, 1)
    assert caplog.text.count("a bug") == 2


@pytest.mark.parametrize("cancelled", [True, False])
async def test_an_internal_error_during_a_cancellation_does_not_keep_the_job_from_ending(world, caplog, cancelled):
    async def cancel(_handle):
        raise ZeroDivisionError("a bug")

    looks = [Running()] if cancelled else [ZeroDivisionError("a bug")]
    gate = world(looks=looks, job_deadline_seconds=3600 if cancelled else 60)
    gate.provider.cancel = cancel
    async with gate.open():
        job = await gate.create()
        await gate.until(job, State.RUNNING)
        if cancelled:
            await gate.jobs.cancel(job.id, owner="default")
        job = await gate.end(job)

    assert (job.state, job.fault.may_charge) == (State.CANCELLED if cancelled else State.EXPIRED, True)
    assert "a bug" in caplog.text


async def test_unusual_provider_responses_do_not_break_a_job(world):
    nested: dict = {"half": "\ud83d"}
    for _ in range(400):
        nested = {"a": [nested]}
    gate = world(submits=[Refused("No \ud83d.")])
    async with gate.open():
        refused = await gate.end(await gate.create())
        gate.provider.looks = [
            Running(stage="half a \ude00"),
            replace(gate.provider.done({"id": "x"}), metadata=nested),
        ]
        job = await gate.end(await gate.create())

    assert (refused.fault.code, refused.fault.message) == ("provider_refused", "No ?.")
    assert job.state is State.COMPLETED


async def test_a_completed_order_without_a_file_fails_its_job_and_may_be_charged(world):
    async with world(looks=[Done(outputs=(), cost_micro_usd=120_000)]).open() as gate:
        job = await gate.end(await gate.create())

    assert (job.state, job.fault.code, job.fault.may_charge) == (State.FAILED, "output_missing", True)


async def test_an_internal_error_during_a_write_releases_the_job_and_it_is_claimed_again(world, caplog, monkeypatch):
    gate = world()
    async with gate.open():
        hooks, real = gate.worker._webhook_dialects, gate.worker._webhook_dialects.deliveries
        faults = [ZeroDivisionError("a bug")]

        def deliveries(before, after):
            if faults and before is not None:
                raise faults.pop()
            return real(before, after)

        monkeypatch.setattr(hooks, "deliveries", deliveries)
        job = await gate.end(await gate.create())

    assert (job.state, len(gate.provider.orders)) == (State.COMPLETED, 1)
    assert "a bug" in caplog.text


async def test_a_video_is_kept_although_its_report_fails(world, caplog, monkeypatch):
    monkeypatch.setattr("framegate.media.quality.verify_file", lambda *_, **__: 1 // 0)
    async with world().open() as gate:
        job = await gate.end(await gate.create("a video without a report"))
        output = await gate.jobs.output(job.id, owner="default")

    assert (job.state, job.report["verdict"]) == (State.COMPLETED, "warn")
    assert (output.width, output.height, output.frames, output.duration, output.poster) == (64, 64, 8, 1.0, None)
    assert "The quality report failed" in job.report["findings"][0]["sentence"]
    assert "ZeroDivisionError" in caplog.text


async def test_a_stopping_gateway_waits_for_responses_to_open_submits(world):
    async def slow(_order):
        arrived.set()
        await gate.clock.sleep(5)

    arrived = asyncio.Event()
    gate = world(submits=[slow], looks=[Running()])
    async with gate.open():
        job = await gate.create()
        await arrived.wait()
    gate.provider.looks = ["done"]
    async with gate.open(run=False):
        assert (await gate.store.get_with_fence(job.id)).job.state is State.RUNNING
        assert await gate.store.claim("next", now=gate.clock.now() + 30, until=gate.clock.now() + 90, limit=9)
    async with gate.open():
        job = await gate.end(job)
        assert (job.state, await gate.orders(job)) == (State.COMPLETED, ["accepted"])


async def test_a_stopping_gateway_does_not_wait_for_ever_for_a_response(world):
    async def silent(_order):
        arrived.set()
        await asyncio.Event().wait()

    arrived = asyncio.Event()
    gate = world(submits=[silent])
    async with gate.open():
        job = await gate.create()
        await arrived.wait()
        stopped_at = gate.clock.now()
    assert gate.clock.now() - stopped_at < 600
    async with gate.open():
        job = await gate.end(job)

    assert (job.fault.code, len(gate.provider.orders)) == ("submit_unsure", 1)


async def test_a_restart_continues_with_the_same_order(world):
    gate = world(looks=[Running(progress=0.1)])
    async with gate.open():
        job = await gate.create()
        await gate.until(job, State.RUNNING)
    gate.provider.looks = ["done"]
    async with gate.open():
        job = await gate.end(job)

    assert (job.state, len(gate.provider.orders)) == (State.COMPLETED, 1)


async def test_a_machine_that_slept_does_not_lose_its_own_claims(world, monkeypatch):
    async def asleep(_order):
        gate.clock.set_clock_forward(1000)  # a thousand seconds that nobody lived through
        for _ in range(5):
            await gate.clock.sleep(IDLE_SECONDS)

    monkeypatch.setattr("framegate.jobs.worker.WATCH_SECONDS", 1e6)  # it wakes last
    gate = world(submits=[asleep])
    async with gate.open():
        job = await gate.end(await gate.create())

        assert (job.state, len(gate.provider.orders)) == (State.COMPLETED, 1)
        assert (await gate.store.get_with_fence(job.id)).fence == 1


@pytest.mark.parametrize("taken_over", [False, True])
async def test_a_process_frozen_before_a_submit_checks_its_claim_before_it_submits(world, monkeypatch, taken_over):
    async def move(job, *, order=None, **how):
        kept = await real(job, order=order, **how)
        if order and order.state == "sending" and not frozen:
            frozen.append(job.id)
            gate.clock.set_clock_forward(1000)  # a thousand seconds
            if taken_over:
                later = gate.clock.now() + 120
                assert await gate.store.claim("another", now=later, until=later + 1e6, limit=1)
        return kept

    frozen: list[str] = []
    async with (gate := world()).open():
        real = gate.store.apply
        monkeypatch.setattr(gate.store, "apply", move)
        job = await gate.create()
        await (gate.until(job, State.SUBMITTING) if taken_over else gate.end(job))
        while taken_over and gate.worker._jobs:
            await asyncio.sleep(0)

        assert await gate.orders(job) == (["sending"] if taken_over else ["not_sent", "accepted"])
        assert len(gate.provider.orders) == (0 if taken_over else 1)


async def test_another_owners_job_is_not_found(world):
    async with world().open() as gate:
        job = await gate.end(await gate.create())
        for call in (gate.jobs.get, gate.jobs.cancel, gate.jobs.delete, gate.jobs.output):
            with pytest.raises(NotFound):
                await call(job.id, owner="another")
        with pytest.raises(NotFound):
            await anext(gate.jobs.events(job.id, owner="another"))

        assert (await gate.jobs.list(owner="another")).jobs == ()


@pytest.mark.parametrize("odd", ["", "x", "../../etc/passwd", "\x00", "0190a000-0000-7000-8000-00000000000G", "é" * 36])
async def test_a_malformed_id_is_not_found(world, odd):
    async with world().open() as gate:
        with pytest.raises(NotFound):
            await gate.jobs.get(odd, owner="default")


async def test_there_is_no_video_before_the_end_or_of_a_failed_job(world):
    async with world(looks=[Running(), Failed(fault=Fault(code="c", message="Why."))]).open() as gate:
        job = await gate.create()
        with pytest.raises(NotReady, match="not ready"):
            await gate.jobs.output(job.id, owner="default")
        job = await gate.end(job)
        with pytest.raises(NotReady, match=r"failed\. Why\."):
            await gate.jobs.output(job.id, owner="default")


async def test_deleting_a_job_deletes_its_files_unless_another_job_has_them(world):
    async with world().open() as gate:
        first, second = [await gate.end(await gate.create()) for _ in range(2)]
        file = gate.jobs.blobs.path(first.outputs[0].blob.sha256)
        assert first.outputs[0].blob == second.outputs[0].blob

        await gate.jobs.delete(first.id, owner="default")
        assert file.exists()
        await gate.jobs.delete(second.id, owner="default")
        assert not file.exists()
        with pytest.raises(NotFound):
            await gate.jobs.get(first.id, owner="default")


async def test_an_unfinished_job_is_not_deleted(world):
    async with world(looks=[Running()]).open() as gate:
        job = await gate.create()
        with pytest.raises(Conflict, match="Cancel it first"):
            await gate.jobs.delete(job.id, owner="default")


async def test_a_list_can_be_filtered_by_status(world):
    async with world(looks=[Failed(fault=Fault(code="c", message="m")), "done"]).open() as gate:
        bad = await gate.end(await gate.create())
        good = await gate.end(await gate.create())

        failed = await gate.jobs.list(owner="default", status=(Status.FAILED,))
        assert [job.id for job in failed.jobs] == [bad.id]
        both = await gate.jobs.list(owner="default")
        assert [job.id for job in both.jobs] == [good.id, bad.id]


async def test_the_first_fallback_that_accepts_the_request_unchanged_is_used(world):
    async with world().open() as gate:
        job = await gate.create(duration=45, models=("google/veo-3.1", "framegate/animatic"))

    assert job.model == "framegate/animatic"


async def test_a_create_beyond_the_queue_limit_is_rejected(world):
    async with world(looks=[Running()], open_jobs_max=3).open() as gate:
        for _ in range(3):
            await gate.create()
        with pytest.raises(Exception, match="Too many open jobs") as refusal:
            await gate.create()

        assert refusal.value.status == 429
        assert len((await gate.jobs.list(owner="default")).jobs) == 3


async def test_a_clock_that_is_set_back_does_not_block_the_queue_limit(world):
    async with world(open_jobs_max=2).open() as gate:
        for job in [await gate.create() for _ in range(2)]:
            await gate.end(job)
        gate.clock.set_clock_forward(-3600)
        await gate.clock.sleep(2 * COUNT_SECONDS)

        await gate.create()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", "reference_bad_url"),
        ("ftp://example.com/a.png", "reference_bad_url"),
        ("http://169.254.169.254/latest", "reference_private_address"),
        ("http://[::ffff:127.0.0.1]/a.png", "reference_private_address"),
        ("data:image/png;base64,AAAA", "reference_not_an_image"),
        ("asset://" + "0" * 64, "reference_unknown_asset"),
    ],
)
async def test_an_unusable_reference_is_rejected_at_create_and_named(world, url, code):
    async with world().open() as gate:
        with pytest.raises(InvalidRequest) as refusal:
            await gate.create(references=(Reference(url=url, pointer="/input_references/0/image_url/url"),))

        [problem] = refusal.value.problems
        assert (problem.code, problem.pointer) == (code, "/input_references/0/image_url/url")
        assert (await gate.jobs.list(owner="default")).jobs == ()


async def test_a_request_that_breaks_rules_is_rejected_with_all_of_them_and_creates_no_job(world):
    async with world().open() as gate:
        with pytest.raises(InvalidRequest) as refusal:
            await gate.create(duration=99, resolution="8K")

        assert {problem.pointer for problem in refusal.value.problems} == {"/duration", "/resolution"}
        assert (await gate.jobs.list(owner="default")).jobs == ()


async def test_a_job_released_while_the_store_was_unavailable_is_claimed_again_by_a_busy_worker(world, monkeypatch):
    async with world(looks=[Running()]).open() as gate:
        busy = await gate.create()
        await gate.until(busy, State.RUNNING)
        real, away = gate.store.apply, [Unavailable("The disk is full.")]

        async def move(job, **how):
            if away:
                raise away.pop()
            return await real(job, **how)

        monkeypatch.setattr(gate.store, "apply", move)
        put_down = await gate.create()

        await gate.until(put_down, State.RUNNING)
        assert not away


async def test_open_orders_never_exceed_the_limit_after_a_restart(world):
    gate = world(looks=[Running()], concurrency=2)
    async with gate.open():
        jobs = [await gate.create() for _ in range(6)]
        await gate.until(jobs[-1], State.PREPARING)
        await gate.until(jobs[0], State.RUNNING)
        await gate.until(jobs[1], State.RUNNING)
    async with gate.open():
        last = await gate.jobs.cancel(jobs.pop().id, owner="default")  # it had its turn to ask for a place
        assert last.state is State.CANCELLED
        assert len(gate.provider.orders) == 2

        gate.provider.looks = ["done"]
        for job in jobs:
            assert (await gate.end(job)).state is State.COMPLETED


async def test_deviations_from_the_request_are_reported_with_the_job_once(world):
    gone = Done(outputs=(ProviderFile(path="/no/such/file.mp4"),), notes=("The cat was left out.",))
    gate = world(repeatable=True)
    gate.provider.looks = [gone, replace(gate.provider.done({"id": "again"}), notes=gone.notes)]
    async with gate.open():
        job = await gate.end(await gate.create())

    assert job.state is State.COMPLETED
    assert [(one.code, one.message) for one in job.warnings] == [("render_note", "The cat was left out.")]


async def test_a_file_with_its_index_last_is_stored_with_its_index_first(world, tmp_path):
    late = tmp_path / "late.mp4"
    with av.open(str(late), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number * 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert not read_boxes(late).moov_first

    async with world(looks=[Done(outputs=(ProviderFile(path=str(late)),))]).open() as gate:
        job = await gate.end(await gate.create())
        kept = gate.jobs.blobs.path(job.outputs[0].blob.sha256)

        assert read_boxes(kept).moov_first
        assert job.report["facts"]["moov_first"] is True
        assert job.outputs[0].frames == 8
        assert not late.exists()
        assert not list((gate.settings.data_dir / "blobs" / "tmp").glob("*"))


async def test_a_source_is_measured_before_the_order_and_the_file_against_both(world, film):
    async with world(looks=["done"]).open() as gate:

        async def upload():
            yield film.read_bytes()

        blob = await gate.jobs.add_asset(upload(), owner="default", media_type="video/mp4")
        source = Reference(url=f"asset://{blob.sha256}", kind=Kind.VIDEO, role=Role.SOURCE)
        job = await gate.end(await gate.create(references=(source,), duration=2, fps=8))

    assert job.target.source_seconds == 1.0
    lasting = next(one for one in job.report["findings"] if one["name"] == "duration")
    assert lasting["sentence"] == "The duration is 1.00 s; 3 s, including the source, were requested."
