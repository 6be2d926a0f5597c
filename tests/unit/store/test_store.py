import asyncio
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from framegate.domain import Blob, Fault, Problem, Reference, Request, Role, State
from framegate.domain.errors import IdempotencyConflict, NotFound, Stale
from framegate.store import Store
from framegate.store.engine import SCHEMA, make_engines, migrate
from framegate.store.job_writes import OrderState, next_version
from framegate.store.tables import metadata
from support.stored_jobs import make_job

pytestmark = pytest.mark.anyio


async def test_a_job_is_read_as_it_was_stored(store):
    request = make_job().request
    references = (Reference(url="https://h/a.png", role=Role.FIRST_FRAME, name="hero", pointer="/frame_images/0"),)
    job = next_version(
        make_job(),
        1001.5,
        request=type(request)(model="m", prompt='quote " and \u2028 and 猫', references=references, max_cost_usd=1.5),
        fault=Fault(code="c", message="m", problems=(Problem(code="p", pointer="/x", message="m", allowed=[1, "2"]),)),
        handle={"render": "x", "nested": {"n": [1, None]}},
        report={"verdict": "pass"},
    )

    await store.insert(job)

    assert await store.get(job.id) == job


async def test_the_same_key_and_body_find_the_same_job_and_another_body_is_a_conflict(store):
    first = await store.insert(make_job(1), idempotency_key="k", body_hash="a")

    again = await store.insert(make_job(2), idempotency_key="k", body_hash="a")
    with pytest.raises(IdempotencyConflict):
        await store.insert(make_job(3), idempotency_key="k", body_hash="b")
    other = await store.insert(make_job(4, owner="another"), idempotency_key="k", body_hash="b")

    assert again.id == first.id
    assert other.id == make_job(4).id
    assert await store.get(make_job(2).id) is None


async def test_twenty_creates_at_once_with_one_key_make_one_job(store):
    kept = await asyncio.gather(*(store.insert(make_job(n), idempotency_key="k", body_hash="a") for n in range(1, 21)))

    assert len({job.id for job in kept}) == 1
    assert len((await store.list(owner="default", limit=50)).jobs) == 1


async def test_of_two_transitions_from_one_version_only_the_first_is_applied(store):
    job = await store.insert(make_job())
    first = next_version(job, 1001, state=State.PREPARING)
    second = next_version(job, 1002, state=State.CANCELLED)

    results = await asyncio.gather(
        store.apply(first, due_at=1001), store.apply(second, due_at=1002), return_exceptions=True
    )

    assert [type(result) for result in results] == [type(job), Stale]
    assert (await store.get(job.id)).state is State.PREPARING
    assert [event.seq for event in await store.events(job.id)] == [1, 2]


async def test_a_transition_of_a_deleted_job_is_an_error(store):
    with pytest.raises(NotFound):
        await store.apply(next_version(make_job(), 1001), due_at=1001)


async def test_a_late_worker_whose_claim_was_lost_cannot_change_the_job(store):
    await store.insert(make_job())
    [old] = await store.claim("a", now=1000, until=1010, limit=5)
    [new] = await store.claim("b", now=1011, until=1020, limit=5)

    with pytest.raises(Stale):
        await store.apply(next_version(old.job, 1012, state=State.PREPARING), due_at=1012, fence=old.fence)
    kept = await store.apply(next_version(new.job, 1012, state=State.PREPARING), due_at=1012, fence=new.fence)

    assert new.fence > old.fence
    assert kept.state is State.PREPARING


async def test_a_job_is_claimed_by_one_worker_until_its_lease_expires_or_it_is_released(store):
    for number in range(1, 11):
        await store.insert(make_job(number))

    taken = await asyncio.gather(*(store.claim(w, now=1000, until=1010, limit=4) for w in ("a", "b", "c", "d")))

    claimed = [held for helds in taken for held in helds]  # whose turn comes last finds none left
    assert len(claimed) == len({held.job.id for held in claimed}) == 10
    assert await store.claim("e", now=1005, until=1010, limit=10) == []
    await store.release(claimed[0], due_at=1006)
    assert [held.job.id for held in await store.claim("e", now=1007, until=1010, limit=10)] == [claimed[0].job.id]
    assert len(await store.claim("f", now=1011, until=1020, limit=20)) == 10


async def test_a_job_that_is_cancelled_during_its_release_is_due_at_once(store):
    await store.insert(make_job())
    [held] = await store.claim("a", now=1000, until=1010, limit=1)
    await store.apply(next_version(held.job, 1001, cancel_requested=True), due_at=1001)

    await store.release(held, due_at=2000)

    assert [again.job.id for again in await store.claim("b", now=1002, until=1010, limit=1)] == [held.job.id]


async def test_the_only_worker_of_a_store_takes_over_the_claims_of_a_dead_process(store):
    await store.insert(make_job())
    await store.claim("dead", now=1000, until=9999, limit=1)

    await store.release_all()

    assert len(await store.claim("a", now=1001, until=1010, limit=1)) == 1


async def test_a_released_job_with_an_open_order_is_due_at_once(store):
    for number, state in ((1, State.RUNNING), (2, State.PREPARING)):
        await store.insert(make_job(number))
        [held] = await store.claim("a", now=1000, until=9999, limit=1)
        await store.apply(next_version(held.job, 1001, state=state), due_at=1500, fence=held.fence)

    await store.release_all("a")

    assert [claimed.job.state for claimed in await store.claim("b", now=1002, until=1010, limit=9)] == [State.RUNNING]


async def test_jobs_that_are_not_due_or_have_ended_are_not_claimed(store):
    waiting, ended = await store.insert(make_job(1)), await store.insert(make_job(2))
    await store.apply(next_version(waiting, 1001, state=State.PREPARING), due_at=1500)
    await store.apply(next_version(ended, 1001, state=State.FAILED), due_at=1001)

    assert await store.claim("a", now=1400, until=1500, limit=10) == []
    assert await store.next_due() == 1500
    assert await store.count_active() == 1


async def test_pages_list_all_jobs_of_an_owner_once_newest_first(store):
    for number in range(1, 8):
        await store.insert(make_job(number))
    await store.insert(make_job(99, owner="another"))

    seen, after = [], None
    while True:
        page = await store.list(owner="default", limit=3, after=after)
        seen += [job.id for job in page.jobs]
        after = page.next
        if after is None:
            break

    assert seen == [make_job(number).id for number in range(7, 0, -1)]


async def test_an_order_is_recorded_with_the_transition_and_its_outcome_beside_it(store):
    await store.insert(make_job())
    [held] = await store.claim("a", now=1000, until=1010, limit=1)
    sending = next_version(held.job, 1001, state=State.SUBMITTING, attempts=1, provider="p")

    await store.apply(sending, due_at=1001, fence=held.fence, order=OrderState("sending", "key", 1001))
    assert [order["state"] for order in await store.orders(held.job.id)] == ["sending"]
    running = next_version(sending, 1002, state=State.RUNNING, handle={"id": "x"})
    await store.apply(running, due_at=1002, fence=held.fence, order=OrderState("accepted", "key", 1002))

    [order] = await store.orders(held.job.id)
    assert (order["state"], order["attempt"], order["fence"], order["provider"]) == ("accepted", 1, held.fence, "p")


async def test_a_row_that_cannot_be_written_fails_alone_and_not_its_group(store):
    await store.insert(make_job(1))

    results = await asyncio.gather(
        store.insert(make_job(2)), store.insert(make_job(1)), store.insert(make_job(3)), return_exceptions=True
    )

    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    assert await store.get(make_job(3).id) is not None


async def test_deleting_a_job_deletes_its_events_and_orders(store):
    await store.insert(make_job())

    await store.delete(make_job().id)

    assert await store.get(make_job().id) is None
    assert await store.events(make_job().id) == ()


async def test_an_asset_belongs_to_one_owner_and_a_secret_is_stable(url):
    async with Store(url) as store:
        blob = Blob(sha256="a" * 64, size_bytes=5, media_type="image/png")
        await store.keep_asset("default", blob, now=1)
        await store.keep_asset("default", blob, now=2)
        secret = await store.secret("links")

        assert await store.asset("default", "a" * 64) == blob
        assert await store.asset("another", "a" * 64) is None
        assert await store.is_referenced("a" * 64)
        assert not await store.is_referenced("b" * 64)

    async with Store(url) as store:
        assert await store.secret("links") == secret
        assert len(secret) == 32


async def test_the_migrations_create_the_schema_that_the_code_expects(url):
    writer, reader = make_engines(url)
    async with writer.begin() as connection:
        await connection.run_sync(migrate)
        left = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), metadata))
        names = await connection.run_sync(lambda sync: {index["name"] for index in inspect(sync).get_indexes("jobs")})
    await writer.dispose()
    await reader.dispose()

    assert left == []
    assert {"ix_jobs_due", "ix_jobs_owner_id"} <= names


async def test_an_empty_database_and_a_migrated_one_are_the_same_and_open_alike(url):
    writer, reader = make_engines(url)
    async with writer.begin() as connection:
        await connection.run_sync(migrate)
    await writer.dispose()
    await reader.dispose()

    async with Store(url) as store:
        await store.insert(make_job())
        assert await store.get(make_job().id) == make_job()


async def test_a_store_of_the_first_version_is_migrated_when_it_opens(url):
    writer, reader = make_engines(url)
    async with writer.begin() as connection:
        await connection.run_sync(lambda sync: migrate(sync, to="0001"))
    await writer.dispose()
    await reader.dispose()

    async with Store(url) as store:
        await store.insert(make_job())
        assert await store.outbox.of_job(make_job().id) == ()
        assert not await store.keys.any()


async def test_processes_that_open_an_empty_database_at_once_all_open_it(url):
    stores = [Store(url) for _ in range(4)]
    try:
        await asyncio.gather(*(store.__aenter__() for store in stores))
        await stores[0].insert(make_job())
        assert [await store.count_active() for store in stores] == [1] * 4
    finally:
        await asyncio.gather(*(store.__aexit__() for store in stores), return_exceptions=True)


def test_the_schema_version_in_the_code_is_the_newest_migration():
    from pathlib import Path

    import framegate.store

    scripts = ScriptDirectory(str(Path(framegate.store.__file__).parent / "migrations"))

    assert scripts.get_current_head() == SCHEMA


async def test_a_job_references_the_blobs_of_its_newest_version(store):
    request = Request(model="m", references=(Reference(url=f"asset://{'a' * 64}"),))
    job = await store.insert(replace(make_job(1), request=request))
    other = await store.insert(replace(make_job(2), request=request))
    assert await store.referenced_hashes() == {"a" * 64}

    first = next_version(job, 1001, provider_metadata={"files": ["b" * 64, "c" * 64]})
    await store.apply(first, due_at=1001)
    assert await store.referenced_hashes() == {"a" * 64, "b" * 64, "c" * 64}

    await store.apply(next_version(first, 1002, provider_metadata={"files": ["c" * 64, "d" * 64]}), due_at=1002)
    assert await store.referenced_hashes() == {"a" * 64, "c" * 64, "d" * 64}

    await store.delete(job.id)
    assert await store.is_referenced("a" * 64)
    assert not await store.is_referenced("c" * 64)
    await store.delete(other.id)
    assert not await store.is_referenced("a" * 64)


async def test_a_rejected_write_leaves_the_blob_references_unchanged(store):
    job = await store.insert(make_job())
    await store.apply(next_version(job, 1001), due_at=1001)

    with pytest.raises(Stale):
        await store.apply(next_version(job, 1002, provider_metadata={"file": "b" * 64}), due_at=1002)

    assert not await store.is_referenced("b" * 64)
