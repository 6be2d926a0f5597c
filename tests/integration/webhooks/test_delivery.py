"""A webhook is sent until it is taken or given up, in order, and every try can be looked at."""

import asyncio
import json
import threading
from dataclasses import replace

import pytest

from framegate.domain import Delivery, DeliveryState, Fault, State
from framegate.domain.errors import NotFound, NotWritable, Stale
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.jobs.webhooks.signing import owner_secret, standard_headers
from framegate.store.job_writes import next_version
from support.webhook_receiver import receiving
from support.webhook_world import MASTER

pytestmark = pytest.mark.anyio


async def test_a_job_that_ends_sends_one_webhook_with_openrouters_envelope_and_both_signatures(world):
    with receiving() as receiver:
        async with world.open():
            job = await world.create(f"{receiver.url}/hook?token=t", dialect="native")
            job = await world.move(job, State.RUNNING)
            job = await world.move(job, State.FAILED, fault=Fault(code="c", message="It broke."))
            (delivery,) = await world.settled(job, count=1)
            (got,) = receiver.wait(1)

    assert got.path == "/hook?token=t"
    assert got.json["type"] == "video.generation.failed"
    assert got.json["created_at"].endswith("Z")
    assert got.json["data"] == {
        "id": job.id,
        "status": "failed",
        "generation_id": job.id,
        "model": "framegate/animatic",
        "error": "It broke.",
    }
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-openrouter-idempotency-key"] == f"{job.id}-failed"
    at = int(got.headers["webhook-timestamp"])
    assert got.headers["x-openrouter-signature"].startswith(f"t={at},v1=")
    expected = standard_headers(delivery.id, at, got.raw, owner_secret(MASTER, "acme"))
    assert expected.items() <= got.headers.items()
    assert delivery.state is DeliveryState.DELIVERED
    assert [(one.number, one.status, one.error) for one in delivery.log] == [(1, 204, None)]


async def test_no_webhook_is_sent_without_a_callback_url_or_by_a_dialect_without_webhooks(world):
    async with world.open():
        silent = await world.move(await world.create("", number=1), State.FAILED)
        unknown = await world.move(await world.create("https://h/", number=2, dialect="other"), State.FAILED)

        assert await world.store.outbox.of_job(silent.id) == await world.store.outbox.of_job(unknown.id) == ()


async def test_events_of_one_job_arrive_in_order_although_the_first_is_rejected_at_first(world):
    with receiving(503, 500) as receiver:
        async with world.open():
            job = await world.create(receiver.url)
            for state in (State.PREPARING, State.RUNNING, State.CANCELLED):
                job = await world.move(job, state)
            deliveries = await world.settled(job, count=4)
            got = receiver.wait(6)

    assert [one.json["type"] for one in got] == [*["job.queued"] * 3, "job.preparing", "job.running", "job.cancelled"]
    assert [one.json["attempt"] for one in got][:3] == ["1/3", "2/3", "3/3"]
    assert len({one.id for one in got}) == 4
    assert [one.status for one in deliveries[0].log] == [503, 500, 204]
    waits = [later.at - earlier.at for earlier, later in zip(deliveries[0].log, deliveries[0].log[1:], strict=False)]
    assert waits[0] >= 5
    assert waits[1] >= 10


async def test_a_delivery_that_always_fails_is_given_up_and_the_next_one_is_sent(world):
    with receiving(500, 500, 500) as receiver:
        async with world.open():
            job = await world.move(await world.create(receiver.url), State.CANCELLED)
            first, second = await world.settled(job, count=2)

    assert (first.state, first.attempts) == (DeliveryState.FAILED, 3)
    assert (second.state, second.attempts) == (DeliveryState.DELIVERED, 1)


async def test_a_receiver_that_answers_gone_is_not_called_again(world):
    with receiving(410) as receiver:
        async with world.open():
            job = await world.create(receiver.url)
            (delivery,) = await world.settled(job, count=1)

    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, 1)


async def test_a_redirect_is_a_failure_and_is_not_followed(world):
    with receiving(307, 302, 301) as receiver:
        async with world.open():
            job = await world.create(f"{receiver.url}/hook")
            (delivery,) = await world.settled(job, count=1)

        assert {one.path for one in receiver.got} == {"/hook"}
    assert delivery.state is DeliveryState.FAILED
    assert [one.status for one in delivery.log] == [307, 302, 301]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://127.0.0.1:{port}/", "a loopback address"),
        ("https://localhost:{port}/", "a loopback address"),
        ("https://10.1.2.3/", "a private address"),
        ("https://169.254.169.254/latest", "a cloud metadata address"),
        ("https://2130706433/", "in an unusual notation"),
        ("http://127.0.0.1:{port}/", "must be an https URL"),
    ],
)
async def test_a_private_address_is_never_called(world, url, why):
    world.private_allowed = False
    world.hook_with(schedule_seconds=())
    with receiving() as receiver:
        async with world.open():
            job = await world.create(url.format(port=receiver.url.rpartition(":")[2]))
            (delivery,) = await world.settled(job, count=1)

        assert receiver.got == []
    assert delivery.state is DeliveryState.FAILED
    assert why in delivery.log[0].error
    assert delivery.log[0].status is None


async def test_a_delivery_that_times_out_is_retried(world):
    world.hook_with(timeout_seconds=20)
    held = threading.Event()
    with receiving(held) as receiver:
        async with world.open():
            job = await world.create(receiver.url)
            (delivery,) = await world.settled(job, count=1)
        held.set()

    assert delivery.log[0].error == "No response within 20 seconds."
    assert 20_000 <= delivery.log[0].milliseconds < 21_000
    assert [one.status for one in delivery.log] == [None, 204]


async def test_an_internal_error_counts_as_a_failed_attempt_and_is_logged(world, caplog):
    def broken(_sending):
        raise RuntimeError("no signature today")

    world.hook_with(headers=broken, schedule_seconds=(1.0,))
    async with world.open():
        job = await world.create("https://127.0.0.1:1/")
        (delivery,) = await world.settled(job, count=1)

    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, 2)
    assert delivery.log[0].error == "Internal error. See the log of the gateway."
    assert "no signature today" in caplog.text


async def test_a_delivery_of_a_removed_dialect_fails_with_a_reason(world):
    async with world.open(deliver=False):
        job = await world.create("https://127.0.0.1:1/")
    world.webhook_dialects = WebhookDialects(machine=world.clock, master=MASTER)
    async with world.open():
        (delivery,) = await world.settled(job, count=1)

    assert delivery.state is DeliveryState.FAILED
    assert "`chatty`" in delivery.log[0].error


@pytest.mark.parametrize(
    "url", ["https://[::1", "https://", "nonsense", "ftp://h/", "https://user:pw@h/", "https://h:99999/"]
)
async def test_an_invalid_callback_url_does_not_keep_the_job_from_ending_and_is_reported(world, url):
    world.hook_with(schedule_seconds=())
    async with world.open():
        job = await world.move(await world.create(url), State.CANCELLED)
        deliveries = await world.settled(job, count=2)

    assert {one.state for one in deliveries} == {DeliveryState.FAILED}
    assert all(one.log[0].error for one in deliveries)


async def test_a_delivery_that_was_stored_while_no_process_delivers_is_sent_once_by_the_next(world):
    with receiving() as receiver:
        async with world.open(deliver=False):
            job = await world.move(await world.create(receiver.url), State.CANCELLED)
        deliveries: list[Delivery] = []
        for _ in range(2):
            async with world.open():
                deliveries = await world.settled(job, count=2)

        assert [one.id for one in receiver.got] == [one.id for one in deliveries]


async def test_a_delivery_interrupted_by_a_stop_is_sent_again_with_the_same_id(world):
    held = threading.Event()
    with receiving(held) as receiver:
        async with world.open():
            job = await world.create(receiver.url)
            await asyncio.to_thread(receiver.wait, 1)
        held.set()
        async with world.open():
            (delivery,) = await world.settled(job, count=1)
        first, second = receiver.wait(2)

    assert first.id == second.id == delivery.id
    assert first.json["event"] == second.json["event"]
    assert delivery.attempts == 1  # the one whose end is known


async def test_a_replay_sends_the_same_event_again_with_its_whole_schedule(world):
    with receiving(500, 500, 500) as receiver:
        async with world.open():
            job = await world.create(receiver.url)
            (before,) = await world.settled(job, count=1)
            receiver.script = [500]
            await world.store.outbox.replay(job.id, before.id, now=world.clock.now())
            (after,) = await world.settled(job, count=1)

        assert {one.id for one in receiver.got} == {before.id}
    assert before.state is DeliveryState.FAILED
    assert after.state is DeliveryState.DELIVERED
    assert [(one.number, one.status) for one in after.log] == [(1, 500), (2, 500), (3, 500), (4, 500), (5, 204)]
    assert [one.json["attempt"] for one in receiver.got] == ["1/3", "2/3", "3/3", "1/3", "2/3"]


async def test_a_replay_sends_a_waiting_delivery_at_once(world):
    world.hook_with(schedule_seconds=(1e6,))
    with receiving(500) as receiver:
        async with world.open():
            job = await world.create(receiver.url)
            waiting = await world.tried(job, tries=1)
            await world.store.outbox.replay(job.id, waiting.id, now=world.clock.now())
            world.store.notifier.delivery_available.set()
            (delivery,) = await world.settled(job, count=1)

    assert [one.status for one in delivery.log] == [500, 204]


async def test_a_replay_of_another_jobs_webhook_is_not_found(world):
    async with world.open(deliver=False):
        one, other = await world.create("https://h/", number=1), await world.create("https://h/", number=2)
        (delivery,) = await world.store.outbox.of_job(other.id)

        with pytest.raises(NotFound):
            await world.store.outbox.replay(one.id, delivery.id, now=0)


async def test_a_slow_receiver_does_not_delay_another(world):
    held = threading.Event()
    with receiving(*[held] * 30) as slow, receiving() as quick:
        async with world.open():
            for number in range(30):
                await world.create(slow.url, number=100 + number)
            job = await world.create(quick.url.replace("127.0.0.1", "localhost"), number=1)
            (delivery,) = await world.settled(job, count=1)
            assert len(slow.got) < 30
            held.set()

    assert delivery.state is DeliveryState.DELIVERED


async def test_a_rejected_transition_leaves_no_webhook(world):
    async with world.open(deliver=False):
        job = await world.create("https://h/")
        await world.move(job, State.RUNNING)
        with pytest.raises(Stale):
            await world.move(job, State.CANCELLED)
        types = [one.type for one in await world.store.outbox.of_job(job.id)]

    assert types == ["job.queued", "job.running"]


async def test_a_webhook_that_cannot_be_written_rolls_its_transition_back(world):
    async with world.open(deliver=False):
        job = await world.create("https://h/")
        after = next_version(job, 2.0, state=State.CANCELLED)
        (told,) = world.webhook_dialects.deliveries(job, after)
        twice = (told, replace(told, id="0190a000-0000-7000-8000-00000000ffff"))
        with pytest.raises(NotWritable):
            await world.store.apply(after, due_at=0, deliveries=twice)

        assert (await world.store.get(job.id)) == job
        assert len(await world.store.outbox.of_job(job.id)) == 1


async def test_deleting_a_job_deletes_its_webhooks(world):
    async with world.open(deliver=False):
        job = await world.create("https://h/")
        await world.store.delete(job.id)

        assert await world.store.outbox.of_job(job.id) == ()


async def test_the_body_is_fixed_when_the_event_happens(world):
    async with world.open(deliver=False):
        job = await world.create("https://h/", dialect="native")
        job = await world.move(job, State.CANCELLED)
        (delivery,) = await world.store.outbox.of_job(job.id)

    assert json.loads(delivery.body)["data"]["status"] == "cancelled"
    assert delivery.seq == job.version
