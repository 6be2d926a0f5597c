"""Identical creates at several gateways over one database: one job where a client repeats itself, two where two ask."""

import asyncio
import hashlib
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from framegate.domain.machine import Machine
from framegate.jobs.clock import JobClock
from framegate.jobs.deduplication import CreateDeduplicator
from framegate.store import Store
from support.stored_jobs import make_job

pytestmark = pytest.mark.anyio


class Asking:
    """The request of a client."""

    def __init__(self, body="a cat"):
        self.created: list[str] = []
        self.prompt = body
        self.gone = False
        self.fingerprint = hashlib.sha256(body.encode()).hexdigest()

    async def is_disconnected(self):
        return self.gone

    def on_close(self, do):
        pass


class Gateway:
    """What a gateway does with a create, without the rest."""

    def __init__(self, store):
        self.store, self.machine = store, Machine()
        self.creates = CreateDeduplicator(JobClock(self.machine), is_shared=True)

    async def create(self, asking, *, before=None):
        with self.creates.start("default", asking) as create:
            assert not await create.orphaned_duplicate()
            now = self.machine.now()
            job = replace(make_job(at=now, prompt=asking.prompt), id=self.machine.uuid7())
            if before:
                await before()
            return create.resolve(
                await create.insert(lambda record: self.store.insert(job, unacknowledged=record), job, window=600)
            )


@pytest.fixture
async def gateways(url):
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(Store(url))
        other = shared if url.startswith("sqlite") else await stack.enter_async_context(Store(url))
        yield Gateway(shared), Gateway(other)


async def test_a_create_whose_client_has_gone_is_found_by_its_repetition_at_another_gateway(gateways):
    first, second = gateways
    lost = Asking()
    job = await first.create(lost)
    lost.gone = True

    assert (await second.create(Asking())).id == job.id


async def test_two_clients_with_the_same_request_at_two_gateways_get_two_jobs(gateways):
    first, second = gateways
    job = await first.create(Asking())
    waiting = asyncio.create_task(second.create(Asking()))
    await asyncio.sleep(0.05)
    await first.store.acknowledge([job.id])

    assert (await waiting).id != job.id


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_a_slow_create_whose_client_repeated_it_elsewhere_takes_that_job(gateways, acknowledged):
    first, second = gateways
    lost = Asking()

    async def cut_and_repeated():
        lost.gone = True
        jobs.append(await second.create(Asking()))
        if acknowledged:
            await second.store.acknowledge([jobs[0].id])

    jobs = []
    job = await first.create(lost, before=cut_and_repeated)

    assert job.id == jobs[0].id


async def test_a_second_identical_create_of_a_connected_client_is_a_second_job(gateways):
    first, second = gateways
    jobs = []
    for gateway in (first, second, first):
        jobs.append(await gateway.create(Asking()))
        await gateway.store.acknowledge([jobs[-1].id])

    assert len({job.id for job in jobs}) == 3


async def test_creates_that_meet_in_the_database_are_one_job_for_one_client(gateways):
    first, second = gateways
    if first.store is second.store:
        pytest.skip("SQLite has one gateway")

    async def client(body):
        lost = Asking(body)
        lost.gone = True
        jobs = await asyncio.gather(first.create(lost), second.create(Asking(body)))
        return {job.id for job in jobs}

    assert [len(await client(f"prompt {number}")) for number in range(4)] == [1] * 4
