"""Webhooks and keys in the store, on every database."""

import asyncio

import pytest

from framegate.domain import Attempt, Delivery, DeliveryState, Key, Scope, State
from framegate.domain.errors import NotFound, Stale
from framegate.store.job_writes import next_version
from support.stored_jobs import make_job

pytestmark = pytest.mark.anyio


def make_delivery(number: int, job, *, url: str = "https://a.example/hook?t=1", due_at: float = 10.0) -> Delivery:
    return Delivery(
        id=f"0190b000-0000-7000-8000-{number:012x}",
        job_id=job.id,
        owner=job.owner,
        dialect="native",
        url=url,
        type=f"job.{number}",
        seq=job.version,
        body='{"text":"猫"}',
        created_at=1.0,
        due_at=due_at,
    )


def claimed(held) -> list[str]:
    return [one.delivery.type for one in held]


async def test_deliveries_of_one_job_and_url_are_claimed_in_order(store):
    job = make_job()
    await store.insert(job, deliveries=(make_delivery(1, job), make_delivery(2, job, due_at=1)))
    after = next_version(job, 2, state=State.CANCELLED)
    await store.apply(after, due_at=0, deliveries=(make_delivery(3, after, due_at=0),))
    order = []
    for _ in range(3):
        (held,) = await store.outbox.claim("w", now=20, until=30, limit=10)
        assert await store.outbox.claim("other", now=20, until=30, limit=10) == []
        attempt = Attempt(number=1, at=20, milliseconds=5, status=200)
        await store.outbox.record(held, attempt, state=DeliveryState.DELIVERED, due_at=10)
        order.append(held.delivery.type)

    assert order == ["job.1", "job.2", "job.3"]
    assert await store.outbox.next_due() is None


async def test_deliveries_of_other_jobs_and_urls_do_not_wait_for_each_other(store):
    one, two = make_job(1), make_job(2)
    both = (make_delivery(1, one), make_delivery(2, one, url="https://b.example/"))
    await store.insert(one, deliveries=both)
    await store.insert(two, deliveries=(make_delivery(3, two),))

    assert sorted(claimed(await store.outbox.claim("w", now=20, until=30, limit=10))) == ["job.1", "job.2", "job.3"]


async def test_busy_hosts_and_deliveries_that_are_not_due_are_not_claimed(store):
    one, two = make_job(1), make_job(2)
    await store.insert(one, deliveries=(make_delivery(1, one), make_delivery(2, one, url="https://b.example:444/")))
    await store.insert(two, deliveries=(make_delivery(3, two, due_at=50),))

    assert claimed(await store.outbox.claim("w", now=20, until=30, limit=10, busy_hosts=["a.example"])) == ["job.2"]
    assert claimed(await store.outbox.claim("w", now=20, until=30, limit=10)) == ["job.1"]
    assert await store.outbox.next_due() == 50


async def test_a_late_worker_cannot_record_a_delivery_that_another_claimed(store):
    job = make_job()
    await store.insert(job, deliveries=(make_delivery(1, job),))
    (late,) = await store.outbox.claim("late", now=20, until=30, limit=1)
    (held,) = await store.outbox.claim("w", now=31, until=40, limit=1)
    attempt = Attempt(number=1, at=20, milliseconds=5, error="No answer.")

    with pytest.raises(Stale):
        await store.outbox.record(late, attempt, state=DeliveryState.FAILED, due_at=10)
    await store.outbox.record(held, attempt, state=DeliveryState.WAITING, due_at=99)

    (delivery,) = await store.outbox.of_job(job.id)
    assert delivery.log == (attempt,)
    assert (delivery.state, delivery.due_at, delivery.body) == (DeliveryState.WAITING, 99, '{"text":"猫"}')


async def test_two_workers_never_take_the_same_delivery(store):
    jobs = [make_job(number) for number in range(1, 21)]
    for number, job in enumerate(jobs):
        await store.insert(job, deliveries=(make_delivery(number, job),))
    found = await asyncio.gather(*(store.outbox.claim(f"w{n}", now=20, until=30, limit=4) for n in range(8)))

    types = [one.delivery.type for held in found for one in held]
    assert sorted(types) == sorted({f"job.{number}" for number in range(20)})


async def test_the_claims_of_a_dead_process_are_released(store):
    job = make_job()
    await store.insert(job, deliveries=(make_delivery(1, job),))
    await store.outbox.claim("dead", now=20, until=9999, limit=1)

    await store.outbox.release_all("another")
    assert await store.outbox.claim("w", now=21, until=30, limit=1) == []
    await store.outbox.release_all()
    assert len(await store.outbox.claim("w", now=21, until=30, limit=1)) == 1


async def test_the_same_idempotency_key_sends_the_webhooks_of_its_job_once(store):
    first, second = make_job(1), make_job(2)
    for number, job in ((1, first), (2, second)):
        told = (make_delivery(number, job),)
        await store.insert(job, idempotency_key="k", body_hash="a", deliveries=told)

    assert [one.id for one in await store.outbox.of_job(first.id)] == [make_delivery(1, first).id]
    assert await store.outbox.of_job(second.id) == ()


async def test_a_key_is_read_as_it_was_stored_also_when_it_is_revoked(store):
    assert not await store.keys.any()
    key = Key(
        id="abc",
        owner="acme",
        name="n",
        sha256="0" * 64,
        scopes=(Scope.READ, Scope.ADMIN),
        created_at=1.5,
        expires_at=9.5,
        requests_per_minute=60,
    )
    await store.keys.add(key)

    assert await store.keys.get("abc") == key
    await store.keys.used("abc", now=2.0)
    revoked = await store.keys.revoke("abc", now=3.0)
    assert revoked.revoked_at == 3.0
    assert (await store.keys.revoke("abc", now=4.0)).revoked_at == 3.0
    assert await store.keys.list() == (revoked,)
    assert revoked.last_used_at == 2.0
    assert await store.keys.any()
    with pytest.raises(NotFound):
        await store.keys.revoke("nobody", now=5.0)
