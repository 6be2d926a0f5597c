import asyncio
from dataclasses import replace

import av
import numpy as np
import pytest

from framegate.domain import Done, Failed, Fault, Kind, Lost, ProviderFile, Reference, Role, Running, State, Status
from framegate.domain.errors import (
    Busy,
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
    async with world(looks=[Running(progress=0.5, stage="rendering"), "done"]).open() as gateway:
        job = await gateway.end(await gateway.create())
        events = [event async for event in gateway.jobs.events(job.id, owner="default")]

    assert job.fault is None
    assert [event.state.value for event in events] == [
        "queued", "preparing", "submitting", "running", "running", "fetching", "checking", "completed",
    ]  # fmt: skip
    assert [event.seq for event in events] == list(range(1, 9))
    assert [event.progress for event in events if event.progress] == [0.475, 0.95, 0.95, 1.0]
    assert job.outputs[0].frames == 8
    assert job.cost_micro_usd == 120_000


async def test_events_continue_after_the_last_one_seen(world):
    async with world().open() as gateway:
        job = await gateway.end(await gateway.create())
        late = [event.seq async for event in gateway.jobs.events(job.id, owner="default", after=4)]

    assert late == list(range(5, job.version + 1))


async def test_a_rejected_order_fails_the_job_with_the_providers_reason_and_is_not_repeated(world):
    async with world(submits=[Refused("Too many fingers.")]).open() as gateway:
        job = await gateway.end(await gateway.create())

        assert (job.state, job.fault.code, job.fault.message) == (State.FAILED, "provider_refused", "Too many fingers.")
        assert await gateway.orders(job) == ["refused"]
    assert len(gateway.provider.orders) == 1


async def test_an_order_that_certainly_never_arrived_is_sent_again(world):
    async with world(submits=[NotSent(), NotSent()]).open() as gateway:
        job = await gateway.end(await gateway.create())

        assert job.state is State.COMPLETED
        assert await gateway.orders(job) == ["not_sent", "not_sent", "accepted"]


async def test_an_order_that_never_arrives_fails_the_job_after_the_maximum_of_attempts(world):
    async with world(submits=[NotSent()] * 50).open() as gateway:
        job = await gateway.end(await gateway.create())

        assert (job.state, job.fault.code, job.fault.retryable) == (State.FAILED, "order_not_sent", True)
        assert await gateway.orders(job) == ["not_sent"] * ATTEMPTS_MAX


@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize("error", [OutcomeUnknown("Timed out after sending."), ProviderError("500 after sending.")])
async def test_an_order_of_unknown_outcome_is_never_resubmitted_automatically(world, repeatable, error):
    async with world(submits=[error], repeatable=repeatable).open() as gateway:
        job = await gateway.end(await gateway.create())

        assert (job.state, job.fault.code, job.fault.unsure) == (State.FAILED, "submit_unsure", True)
        assert await gateway.orders(job) == ["unsure"]
    assert len(gateway.provider.orders) == 1


async def _killed_while_submitting(gateway):
    """The intent is written; the process died before anything else was."""
    job = await gateway.create()
    sending = next_version(job, job.created_at, state=State.SUBMITTING, attempts=1)
    return await gateway.store.apply(sending, due_at=job.created_at, fence=0, order=OrderState("sending", "key", 1.0))


async def test_a_paid_order_interrupted_by_a_crash_has_an_unknown_outcome_and_is_not_resubmitted(world):
    gateway = world()
    async with gateway.open(run=False):
        job = await _killed_while_submitting(gateway)
    async with gateway.open():
        job = await gateway.end(job)

        assert (job.state, job.fault.code, job.fault.unsure) == (State.FAILED, "submit_unsure", True)
        assert await gateway.orders(job) == ["unsure"]
    assert gateway.provider.orders == []


async def test_a_free_order_interrupted_by_a_crash_is_resubmitted(world):
    gateway = world(repeatable=True)
    async with gateway.open(run=False):
        job = await _killed_while_submitting(gateway)
    async with gateway.open():
        job = await gateway.end(job)

    assert job.state is State.COMPLETED
    assert len(gateway.provider.orders) == 1


@pytest.mark.parametrize(("repeatable", "order"), [(False, "unsure"), (True, "not_sent")])
async def test_a_job_cancelled_with_an_interrupted_order_reports_whether_it_may_be_charged(world, repeatable, order):
    gateway = world(repeatable=repeatable)
    async with gateway.open(run=False):
        job = await _killed_while_submitting(gateway)
        await gateway.store.apply(next_version(job, job.created_at, cancel_requested=True), due_at=job.created_at)
    async with gateway.open():
        job = await gateway.end(job)

        assert (job.state, job.fault.code, job.fault.unsure) == (State.CANCELLED, "cancelled", order == "unsure")
        assert ("may charge" in job.fault.message) is (order == "unsure")
        assert await gateway.orders(job) == [order]
    assert gateway.provider.orders == []


async def test_a_failed_poll_does_not_fail_the_job(world):
    async with world(looks=[ProviderError("502"), NotSent(), Running(progress=0.2), "done"]).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert job.state is State.COMPLETED


async def test_a_job_that_the_provider_fails_ends_with_its_fault(world):
    fault = Fault(code="content_policy", message="Not this one.")
    async with world(looks=[Failed(fault=fault)]).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault) == (State.FAILED, fault)


async def test_a_lost_free_render_is_repeated_a_limited_number_of_times(world):
    async with world(looks=[Lost()], repeatable=True).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code) == (State.FAILED, "order_lost")
    assert len(gateway.provider.orders) == ATTEMPTS_MAX


async def test_a_lost_paid_order_is_not_repeated(world):
    async with world(looks=[Lost()]).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code, len(gateway.provider.orders)) == (State.FAILED, "order_lost", 1)


async def test_an_order_that_its_provider_does_not_find_for_a_while_is_not_given_up(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.poll.MISSING_SECONDS_MAX", 600.0)
    async with world(
        looks=[Lost(), ProviderError("away"), Lost(), Lost(), Running(progress=0.5), "done"]
    ).open() as gateway:
        job = await gateway.create()
        stages = [event.stage async for event in gateway.jobs.events(job.id, owner="default")]
        job = await gateway.end(job)

    assert (job.state, job.missing_since, len(gateway.provider.orders)) == (State.COMPLETED, None, 1)
    assert stages.index("not found at the provider") < stages.index(
        "running", stages.index("not found at the provider")
    )


async def test_an_order_that_its_provider_never_finds_again_is_given_up_and_may_be_charged(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.poll.MISSING_SECONDS_MAX", 100.0)
    async with world(looks=[Lost()]).open() as gateway:
        began = gateway.clock.now()
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code, job.fault.may_charge) == (State.FAILED, "order_lost", True)
    assert gateway.clock.now() - began >= 100


async def test_a_job_past_its_deadline_expires_and_its_order_is_stopped(world):
    async with world(looks=[Running(progress=0.1)], job_deadline_seconds=30).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code) == (State.EXPIRED, "expired")
    assert "30 seconds" in job.fault.message
    assert gateway.provider.cancelled == [{"id": job.id}]


async def test_a_job_that_waits_for_a_slot_past_its_deadline_expires(world):
    gateway = world(looks=[Running(progress=0.1)], concurrency=1, job_deadline_seconds=40)
    async with gateway.open():
        jobs = [await gateway.create() for _ in range(3)]
        ended = [await gateway.end(job) for job in jobs]

    assert [job.state for job in ended] == [State.EXPIRED] * 3
    assert gateway.provider.running_max == 1


async def test_a_running_job_is_cancelled_and_its_order_is_stopped(world):
    async with world(looks=[Running(progress=0.1)]).open() as gateway:
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)

        job = await gateway.jobs.cancel(job.id, owner="default")

        assert job.state is State.CANCELLED
        assert gateway.provider.cancelled == [{"id": job.id}]
        assert (await gateway.jobs.cancel(job.id, owner="default")).state is State.CANCELLED


async def test_a_cancellation_during_the_response_to_a_poll_is_not_missed(world):
    gateway = world(looks=[Running()])
    looks = []

    async def poll(_handle):
        if not looks:
            looks.append(job.id)
            now = gateway.clock.now()
            running = await gateway.jobs.get(job.id, owner="default")
            await gateway.store.apply(next_version(running, now, cancel_requested=True), due_at=now)
            gateway.store.notifier.interrupt(job.id)  # nothing is awaited after this, so the look comes to its end
        return Running()

    gateway.provider.poll = poll
    async with gateway.open():
        job = await gateway.create()
        job = await gateway.end(job)

    assert (job.state, len(gateway.provider.cancelled)) == (State.CANCELLED, 1)


async def test_a_job_cancelled_during_its_submit_is_stopped_at_the_provider(world):
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(_order) -> None:
        arrived.set()
        await go.wait()

    async with world(submits=[slow], looks=[Running()]).open() as gateway:
        job = await gateway.create()
        await arrived.wait()
        cancelling = asyncio.create_task(gateway.jobs.cancel(job.id, owner="default"))
        while not (await gateway.jobs.get(job.id, owner="default")).cancel_requested:
            await asyncio.sleep(0)
        go.set()
        await cancelling
        job = await gateway.end(job)

        assert (job.state, job.handle) == (State.CANCELLED, {"id": job.id})
        assert gateway.provider.cancelled == [{"id": job.id}]
        assert await gateway.orders(job) == ["accepted"]


async def test_a_cancelled_job_does_not_wait_for_retry_after(world):
    async def later(order):
        job = await gateway.store.get(order.job_id)
        await gateway.store.apply(
            next_version(job, gateway.clock.now(), cancel_requested=True), due_at=gateway.clock.now()
        )
        raise NotSent("Not now.", retry_after=900.0)

    gateway = world(submits=[later])
    async with gateway.open():
        job = await gateway.end(await gateway.create())

    assert job.state is State.CANCELLED
    assert job.finished_at - job.created_at < 900


@pytest.mark.parametrize("concurrency", [None, 1])
async def test_a_cancellation_requested_in_another_process_is_done_by_the_process_that_holds_the_job(
    world, concurrency
):
    gateway = world(looks=[Running()], concurrency=concurrency)
    async with gateway.open():
        gateway.worker._sole = False
        ordered, waiting = await gateway.create(), await gateway.create()
        await gateway.until(ordered, State.RUNNING)
        await gateway.until(waiting, State.PREPARING if concurrency else State.RUNNING)
        for created in (waiting, ordered):
            job = await gateway.store.get(created.id)
            await gateway.store.apply(
                next_version(job, gateway.clock.now(), cancel_requested=True), due_at=gateway.clock.now()
            )
            assert (await gateway.end(job)).state is State.CANCELLED

    assert len(gateway.provider.cancelled) == (1 if concurrency else 2)


async def test_a_job_that_waits_for_a_slot_is_cancelled_without_an_order(world):
    gateway = world(looks=[Running()], concurrency=1)
    async with gateway.open():
        first, second = await gateway.create(), await gateway.create()
        await gateway.until(first, State.RUNNING)
        job = await gateway.jobs.cancel(second.id, owner="default")

        assert job.state is State.CANCELLED
        assert await gateway.orders(second) == []


async def test_a_job_that_has_ended_cannot_be_cancelled(world):
    async with world().open() as gateway:
        job = await gateway.end(await gateway.create())

        with pytest.raises(Conflict, match="already completed"):
            await gateway.jobs.cancel(job.id, owner="default")


async def test_open_orders_never_exceed_the_limit_of_the_provider(world):
    looks = [Running(progress=0.5)] * 30 + ["done"]
    gateway = world(looks=looks, concurrency=3)
    async with gateway.open():
        jobs = [await gateway.create() for _ in range(12)]
        ended = [await gateway.end(job) for job in jobs]

    assert {job.state for job in ended} == {State.COMPLETED}
    assert gateway.provider.running_max == 3


async def test_a_job_with_a_long_wait_is_released_and_claimed_again(world):
    gateway = world(looks=[Running(progress=0.3), Running(progress=0.6), "done"])
    gateway.provider.poll_seconds = 20.0
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
        while gateway.worker._jobs:
            await asyncio.sleep(0)
        waiting = await gateway.store.get_with_fence(job.id)
        job = await gateway.end(job)

    assert waiting.job.state is State.RUNNING
    assert job.state is State.COMPLETED


async def test_an_unplayable_file_fails_the_job_and_its_report_is_kept(world, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video at all" * 100)
    async with world(looks=[Done(outputs=(ProviderFile(path=str(broken)),))]).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code) == (State.FAILED, "output_unplayable")
    assert job.report["verdict"] == "fail"


async def test_an_internal_error_ends_its_job_and_the_worker_continues(world, caplog):
    async with world(submits=[ZeroDivisionError("a bug")]).open() as gateway:
        bad = await gateway.end(await gateway.create())
        good = await gateway.end(await gateway.create())

        assert await gateway.orders(bad) == ["unsure"]
    assert (bad.fault.code, bad.fault.unsure, good.state) == ("internal_error", True, State.COMPLETED)
    assert "a bug" not in bad.fault.message
    assert "a bug" in caplog.text


async def test_an_internal_error_during_a_poll_counts_as_a_failed_poll(world, caplog):
    async with world(
        looks=[ZeroDivisionError("a bug"), Running(), ZeroDivisionError("a bug"), "done"]
    ).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)
    assert caplog.text.count("a bug") == 2


@pytest.mark.parametrize("cancelled", [True, False])
async def test_an_internal_error_during_a_cancellation_does_not_keep_the_job_from_ending(world, caplog, cancelled):
    async def cancel(_handle):
        raise ZeroDivisionError("a bug")

    looks = [Running()] if cancelled else [ZeroDivisionError("a bug")]
    gateway = world(looks=looks, job_deadline_seconds=3600 if cancelled else 60)
    gateway.provider.cancel = cancel
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
        if cancelled:
            await gateway.jobs.cancel(job.id, owner="default")
        job = await gateway.end(job)

    assert (job.state, job.fault.may_charge) == (State.CANCELLED if cancelled else State.EXPIRED, True)
    assert "a bug" in caplog.text


async def test_unusual_provider_responses_do_not_break_a_job(world):
    nested: dict = {"half": "\ud83d"}
    for _ in range(400):
        nested = {"a": [nested]}
    gateway = world(submits=[Refused("No \ud83d.")])
    async with gateway.open():
        refused = await gateway.end(await gateway.create())
        gateway.provider.looks = [
            Running(stage="half a \ude00"),
            replace(gateway.provider.done({"id": "x"}), metadata=nested),
        ]
        job = await gateway.end(await gateway.create())

    assert (refused.fault.code, refused.fault.message) == ("provider_refused", "No ?.")
    assert job.state is State.COMPLETED


async def test_a_completed_order_without_a_file_fails_its_job_and_may_be_charged(world):
    async with world(looks=[Done(outputs=(), cost_micro_usd=120_000)]).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code, job.fault.may_charge) == (State.FAILED, "output_missing", True)


async def test_an_internal_error_during_a_write_releases_the_job_and_it_is_claimed_again(world, caplog, monkeypatch):
    gateway = world()
    async with gateway.open():
        hooks, real = gateway.worker._writer._webhook_dialects, gateway.worker._writer._webhook_dialects.deliveries
        faults = [ZeroDivisionError("a bug")]

        def deliveries(before, after):
            if faults and before is not None:
                raise faults.pop()
            return real(before, after)

        monkeypatch.setattr(hooks, "deliveries", deliveries)
        job = await gateway.end(await gateway.create())

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)
    assert "a bug" in caplog.text


async def test_a_video_is_kept_although_its_report_fails(world, caplog, monkeypatch):
    monkeypatch.setattr("framegate.media.quality.verification.verify_file", lambda *_, **__: 1 // 0)
    async with world().open() as gateway:
        job = await gateway.end(await gateway.create("a video without a report"))
        output = await gateway.jobs.output(job.id, owner="default")

    assert (job.state, job.report["verdict"]) == (State.COMPLETED, "warn")
    assert (output.width, output.height, output.frames, output.duration, output.poster) == (64, 64, 8, 1.0, None)
    assert "The quality report failed" in job.report["findings"][0]["sentence"]
    assert "ZeroDivisionError" in caplog.text


async def test_a_stopping_gateway_waits_for_responses_to_open_submits(world):
    async def slow(_order) -> None:
        arrived.set()
        await gateway.clock.sleep(5)

    arrived = asyncio.Event()
    gateway = world(submits=[slow], looks=[Running()])
    async with gateway.open():
        job = await gateway.create()
        await arrived.wait()
    gateway.provider.looks = ["done"]
    async with gateway.open(run=False):
        assert (await gateway.store.get_with_fence(job.id)).job.state is State.RUNNING
        assert await gateway.store.claim("next", now=gateway.clock.now() + 30, until=gateway.clock.now() + 90, limit=9)
    async with gateway.open():
        job = await gateway.end(job)
        assert (job.state, await gateway.orders(job)) == (State.COMPLETED, ["accepted"])


async def test_a_stopping_gateway_does_not_wait_for_ever_for_a_response(world):
    async def silent(_order):
        arrived.set()
        await asyncio.Event().wait()

    arrived = asyncio.Event()
    gateway = world(submits=[silent])
    async with gateway.open():
        job = await gateway.create()
        await arrived.wait()
        stopped_at = gateway.clock.now()
    assert gateway.clock.now() - stopped_at < 600
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.fault.code, len(gateway.provider.orders)) == ("submit_unsure", 1)


async def test_a_restart_continues_with_the_same_order(world):
    gateway = world(looks=[Running(progress=0.1)])
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
    gateway.provider.looks = ["done"]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)


async def test_a_machine_that_slept_does_not_lose_its_own_claims(world, monkeypatch):
    async def asleep(_order) -> None:
        gateway.clock.set_clock_forward(1000)  # a thousand seconds that nobody lived through
        for _ in range(5):
            await gateway.clock.sleep(IDLE_SECONDS)

    monkeypatch.setattr("framegate.jobs.worker.WATCH_SECONDS", 1e6)  # it wakes last
    gateway = world(submits=[asleep])
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)
        assert (await gateway.store.get_with_fence(job.id)).fence == 1


@pytest.mark.parametrize("taken_over", [False, True])
async def test_a_process_frozen_before_a_submit_checks_its_claim_before_it_submits(world, monkeypatch, taken_over):
    async def move(job, *, order=None, **how):
        kept = await real(job, order=order, **how)
        if order and order.state == "sending" and not frozen:
            frozen.append(job.id)
            gateway.clock.set_clock_forward(1000)  # a thousand seconds
            if taken_over:
                later = gateway.clock.now() + 120
                assert await gateway.store.claim("another", now=later, until=later + 1e6, limit=1)
        return kept

    frozen: list[str] = []
    async with (gateway := world()).open():
        real = gateway.store.apply
        monkeypatch.setattr(gateway.store, "apply", move)
        job = await gateway.create()
        await (gateway.until(job, State.SUBMITTING) if taken_over else gateway.end(job))
        while taken_over and gateway.worker._jobs:
            await asyncio.sleep(0)

        assert await gateway.orders(job) == (["sending"] if taken_over else ["not_sent", "accepted"])
        assert len(gateway.provider.orders) == (0 if taken_over else 1)


async def test_another_owners_job_is_not_found(world):
    async with world().open() as gateway:
        job = await gateway.end(await gateway.create())
        for call in (gateway.jobs.get, gateway.jobs.cancel, gateway.jobs.delete, gateway.jobs.output):
            with pytest.raises(NotFound):
                await call(job.id, owner="another")
        with pytest.raises(NotFound):
            await anext(gateway.jobs.events(job.id, owner="another"))

        assert (await gateway.jobs.list(owner="another")).jobs == ()


@pytest.mark.parametrize("odd", ["", "x", "../../etc/passwd", "\x00", "0190a000-0000-7000-8000-00000000000G", "é" * 36])
async def test_a_malformed_id_is_not_found(world, odd):
    async with world().open() as gateway:
        with pytest.raises(NotFound):
            await gateway.jobs.get(odd, owner="default")


async def test_there_is_no_video_before_the_end_or_of_a_failed_job(world):
    async with world(looks=[Running(), Failed(fault=Fault(code="c", message="Why."))]).open() as gateway:
        job = await gateway.create()
        with pytest.raises(NotReady, match="not ready"):
            await gateway.jobs.output(job.id, owner="default")
        job = await gateway.end(job)
        with pytest.raises(NotReady, match=r"failed\. Why\."):
            await gateway.jobs.output(job.id, owner="default")


async def test_deleting_a_job_deletes_its_files_unless_another_job_has_them(world):
    async with world().open() as gateway:
        first, second = [await gateway.end(await gateway.create()) for _ in range(2)]
        file = gateway.jobs.blobs.path(first.outputs[0].blob.sha256)
        assert first.outputs[0].blob == second.outputs[0].blob

        await gateway.jobs.delete(first.id, owner="default")
        assert file.exists()
        await gateway.jobs.delete(second.id, owner="default")
        assert not file.exists()
        with pytest.raises(NotFound):
            await gateway.jobs.get(first.id, owner="default")


async def test_an_unfinished_job_is_not_deleted(world):
    async with world(looks=[Running()]).open() as gateway:
        job = await gateway.create()
        with pytest.raises(Conflict, match="Cancel it first"):
            await gateway.jobs.delete(job.id, owner="default")


async def test_a_list_can_be_filtered_by_status(world):
    async with world(looks=[Failed(fault=Fault(code="c", message="m")), "done"]).open() as gateway:
        bad = await gateway.end(await gateway.create())
        good = await gateway.end(await gateway.create())

        failed = await gateway.jobs.list(owner="default", status=(Status.FAILED,))
        assert [job.id for job in failed.jobs] == [bad.id]
        both = await gateway.jobs.list(owner="default")
        assert [job.id for job in both.jobs] == [good.id, bad.id]


async def test_the_first_fallback_that_accepts_the_request_unchanged_is_used(world):
    async with world().open() as gateway:
        job = await gateway.create(duration=45, models=("google/veo-3.1", "framegate/animatic"))

    assert job.model == "framegate/animatic"


async def test_a_create_beyond_the_queue_limit_is_rejected(world):
    async with world(looks=[Running()], open_jobs_max=3).open() as gateway:
        for _ in range(3):
            await gateway.create()
        with pytest.raises(Busy, match="Too many open jobs") as refusal:
            await gateway.create()

        assert refusal.value.status == 429
        assert len((await gateway.jobs.list(owner="default")).jobs) == 3


async def test_a_clock_that_is_set_back_does_not_block_the_queue_limit(world):
    async with world(open_jobs_max=2).open() as gateway:
        for job in [await gateway.create() for _ in range(2)]:
            await gateway.end(job)
        gateway.clock.set_clock_forward(-3600)
        await gateway.clock.sleep(2 * COUNT_SECONDS)

        await gateway.create()


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
    async with world().open() as gateway:
        with pytest.raises(InvalidRequest) as refusal:
            await gateway.create(references=(Reference(url=url, pointer="/input_references/0/image_url/url"),))

        [problem] = refusal.value.problems
        assert (problem.code, problem.pointer) == (code, "/input_references/0/image_url/url")
        assert (await gateway.jobs.list(owner="default")).jobs == ()


async def test_a_request_that_breaks_rules_is_rejected_with_all_of_them_and_creates_no_job(world):
    async with world().open() as gateway:
        with pytest.raises(InvalidRequest) as refusal:
            await gateway.create(duration=99, resolution="8K")

        assert {problem.pointer for problem in refusal.value.problems} == {"/duration", "/resolution"}
        assert (await gateway.jobs.list(owner="default")).jobs == ()


async def test_a_job_released_while_the_store_was_unavailable_is_claimed_again_by_a_busy_worker(world, monkeypatch):
    async with world(looks=[Running()]).open() as gateway:
        busy = await gateway.create()
        await gateway.until(busy, State.RUNNING)
        real, away = gateway.store.apply, [Unavailable("The disk is full.")]

        async def move(job, **how):
            if away:
                raise away.pop()
            return await real(job, **how)

        monkeypatch.setattr(gateway.store, "apply", move)
        put_down = await gateway.create()

        await gateway.until(put_down, State.RUNNING)
        assert not away


async def test_open_orders_never_exceed_the_limit_after_a_restart(world):
    gateway = world(looks=[Running()], concurrency=2)
    async with gateway.open():
        jobs = [await gateway.create() for _ in range(6)]
        await gateway.until(jobs[-1], State.PREPARING)
        await gateway.until(jobs[0], State.RUNNING)
        await gateway.until(jobs[1], State.RUNNING)
    async with gateway.open():
        last = await gateway.jobs.cancel(jobs.pop().id, owner="default")  # it had its turn to ask for a place
        assert last.state is State.CANCELLED
        assert len(gateway.provider.orders) == 2

        gateway.provider.looks = ["done"]
        for job in jobs:
            assert (await gateway.end(job)).state is State.COMPLETED


async def test_deviations_from_the_request_are_reported_with_the_job_once(world):
    gone = Done(outputs=(ProviderFile(path="/no/such/file.mp4"),), notes=("The cat was left out.",))
    gateway = world(repeatable=True)
    gateway.provider.looks = [gone, replace(gateway.provider.done({"id": "again"}), notes=gone.notes)]
    async with gateway.open():
        job = await gateway.end(await gateway.create())

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

    async with world(looks=[Done(outputs=(ProviderFile(path=str(late)),))]).open() as gateway:
        job = await gateway.end(await gateway.create())
        kept = gateway.jobs.blobs.path(job.outputs[0].blob.sha256)

        assert read_boxes(kept).moov_first
        assert job.report["facts"]["moov_first"] is True
        assert job.outputs[0].frames == 8
        assert not late.exists()
        assert not list((gateway.settings.data_dir / "blobs" / "tmp").glob("*"))


async def test_a_source_is_measured_before_the_order_and_the_file_against_both(world, film):
    async with world(looks=["done"]).open() as gateway:

        async def upload():
            yield film.read_bytes()

        blob = await gateway.jobs.add_asset(upload(), owner="default", media_type="video/mp4")
        source = Reference(url=f"asset://{blob.sha256}", kind=Kind.VIDEO, role=Role.SOURCE)
        job = await gateway.end(await gateway.create(references=(source,), duration=2, fps=8))

    assert job.target.source_seconds == 1.0
    lasting = next(one for one in job.report["findings"] if one["name"] == "duration")
    assert lasting["sentence"] == "The duration is 1.00 s; 3 s, including the source, were requested."
