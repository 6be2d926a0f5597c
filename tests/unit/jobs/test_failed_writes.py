"""A database that fails while an order is being answered: the answer is written again until it is durable."""

import asyncio
import gc
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from framegate.domain import Running, State
from framegate.domain.errors import NotSent, NotWritable, OutcomeUnknown, Refused, Unavailable
from framegate.jobs.worker import LEASE_SECONDS
from framegate.store.engine import is_outage
from framegate.store.job_writes import next_version

pytestmark = pytest.mark.anyio
AWAY = Unavailable("The database could not be written (OperationalError).")


def failing_writes(gateway, monkeypatch, *, order, times=3, durable=False, meanwhile=None):
    """Let the first writes with this order state fail; a `durable` one is committed, and only its answer is lost."""
    real, failures = gateway.store.apply, []

    async def apply(job, **how):
        state = how["order"].state if how.get("order") else None
        if state == order and len(failures) < times:
            failures.append(job)
            if durable and len(failures) == 1:
                await real(job, **how)
            if meanwhile:
                await meanwhile(job)
            raise AWAY
        return await real(job, **how)

    monkeypatch.setattr(gateway.store, "apply", apply)
    return failures


@pytest.mark.parametrize("durable", [False, True])
async def test_the_id_of_an_accepted_order_is_written_until_it_is_durable(world, monkeypatch, durable):
    gateway = world()
    async with gateway.open():
        failures = failing_writes(gateway, monkeypatch, order="accepted", durable=durable)
        job = await gateway.end(await gateway.create())

        assert (job.state, len(failures)) == (State.COMPLETED, 3)
        assert await gateway.orders(job) == ["accepted"]
    assert len(gateway.provider.orders) == 1


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(
    ("submit", "order", "orders", "code"),
    [
        (Refused("No."), "refused", ["refused"], "provider_refused"),
        (OutcomeUnknown("Timed out."), "unsure", ["unsure"], "submit_unsure"),
        (NotSent("429"), "not_sent", ["not_sent", "accepted"], None),
    ],
)
async def test_any_outcome_of_an_order_is_written_until_it_is_durable(
    world, monkeypatch, durable, submit, order, orders, code
):
    gateway = world(submits=[submit])
    async with gateway.open():
        assert failing_writes(gateway, monkeypatch, order=order, durable=durable) == []
        job = await gateway.end(await gateway.create())

        assert (job.fault.code if job.fault else None) == code
        assert await gateway.orders(job) == orders
        assert (await gateway.jobs.bill(job.id, owner="default")).state == {
            "provider_refused": "void", "submit_unsure": "held", None: "settled",
        }[code]  # fmt: skip


@pytest.mark.parametrize("durable", [False, True])
async def test_an_intent_whose_write_failed_is_written_again_and_one_order_is_placed(world, monkeypatch, durable):
    gateway = world()
    async with gateway.open():
        failing_writes(gateway, monkeypatch, order="sending", durable=durable)
        job = await gateway.end(await gateway.create())

        assert (job.state, await gateway.orders(job)) == (State.COMPLETED, ["accepted"])
    assert len(gateway.provider.orders) == 1


async def test_a_cancellation_during_a_failed_write_of_an_accepted_order_stops_that_order(world, monkeypatch):
    async def cancel(job):
        stored = await gateway.store.get(job.id)
        if not stored.cancel_requested:
            now = gateway.clock.now()
            await gateway.store.apply(next_version(stored, now, cancel_requested=True), due_at=now)

    gateway = world(looks=[Running()])
    async with gateway.open():
        failing_writes(gateway, monkeypatch, order="accepted", durable=True, meanwhile=cancel)
        job = await gateway.end(await gateway.create())

        assert (job.state, await gateway.orders(job)) == (State.CANCELLED, ["accepted"])
    assert gateway.provider.cancelled == [{"id": job.id}]


@pytest.mark.parametrize("others_claim", [False, True])
async def test_an_outage_longer_than_the_lease_loses_no_accepted_order(world, monkeypatch, others_claim):
    """Another gateway may have claimed the job, but has not ended it: the id of its order is valid under any claim."""

    async def long(job):
        await gateway.clock.sleep(2 * LEASE_SECONDS)
        if others_claim:
            later = gateway.clock.now() + 10 * LEASE_SECONDS
            assert await gateway.store.claim("another", now=later, until=later + LEASE_SECONDS, limit=1)

    gateway = world(looks=[Running(), "done"])
    async with gateway.open():
        monkeypatch.setattr(gateway.store, "extend", _unavailable)
        failing_writes(gateway, monkeypatch, order="accepted", times=1, meanwhile=long)
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
        assert (await gateway.store.get(job.id)).handle == {"id": job.id}
        assert await gateway.orders(job) == ["accepted"]


async def _unavailable(*_, **__):
    raise AWAY


async def test_a_database_that_is_away_for_a_while_loses_none_of_many_orders(world, monkeypatch):
    @contextmanager
    def outage():
        names = ("apply", "claim", "extend", "get", "get_with_fence", "events", "release", "next_due")
        with monkeypatch.context() as away:
            for name in names:
                away.setattr(gateway.store, name, _unavailable)
            yield

    gateway = world(looks=[Running(), "done"])

    async def slow(_order):
        await gateway.clock.sleep(2)

    gateway.provider.submits += [slow] * 6
    async with gateway.open():
        jobs = [await gateway.create() for _ in range(6)]
        for job in jobs:
            await gateway.until(job, State.SUBMITTING)
        with outage():
            await gateway.clock.sleep(4)
        ended = [await gateway.end(job) for job in jobs]

    assert [job.state for job in ended] == [State.COMPLETED] * 6
    assert len(gateway.provider.orders) == 6


async def test_a_gateway_stops_in_order_although_its_database_is_away(world, monkeypatch, caplog):
    gateway = world(looks=[Running()])
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
        monkeypatch.setattr(gateway.store, "release_all", _unavailable)
    monkeypatch.undo()
    assert "the jobs are released when their leases expire" in caplog.text

    gateway.provider.looks = ["done"]
    async with gateway.open():
        assert (await gateway.end(job)).state is State.COMPLETED


async def _broken(*_):
    raise OSError("The disk is gone.")


async def test_a_failed_write_whose_caller_has_gone_raises_nothing_in_the_loop(world, monkeypatch):
    problems = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context["message"]))
    gateway = world(looks=[Running()])
    async with gateway.open(run=False):
        job = await gateway.create()
        monkeypatch.setattr("framegate.store.group_commit._apply", _broken)
        caller = asyncio.create_task(gateway.store.make_due(job.id, now=1.0))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        await gateway.clock.sleep(1)
        del caller
    gc.collect()
    assert problems == []


class _Refusal(Exception):
    def __init__(self, sqlstate):
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "may_succeed_later"),
    [
        (OperationalError("", {}, Exception("database is locked")), True),
        (OperationalError("", {}, Exception("database or disk is full")), True),
        (DBAPIError("", {}, _Refusal("57P01")), True),
        (DBAPIError("", {}, _Refusal("53100")), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (IntegrityError("", {}, Exception("UNIQUE")), False),
        (DBAPIError("", {}, _Refusal("22021")), False),
        (OverflowError(), False),
        (ZeroDivisionError(), False),
    ],
)
def test_only_a_write_that_may_succeed_later_is_repeated(error, may_succeed_later):
    assert is_outage(error) is may_succeed_later


async def test_writes_that_were_committed_together_before_the_connection_broke_are_each_recognised(world, monkeypatch):
    """The commit of a group is durable, and its answer is lost: the writes are not applied a second time."""
    gateway = world(looks=[Running()] * 3 + ["done"])
    async with gateway.open():
        writer = gateway.store._writer
        real, broken = writer._engine.begin, []

        @asynccontextmanager
        async def begin():
            async with real() as connection:
                yield connection
            if len(broken) < 6:
                broken.append(1)
                raise ConnectionResetError

        jobs = [await gateway.create() for _ in range(5)]
        monkeypatch.setattr(writer, "_engine", SimpleNamespace(begin=begin))
        ended = [await gateway.end(job) for job in jobs]

        assert len(broken) == 6
        assert [job.state for job in ended] == [State.COMPLETED] * 5
        assert [await gateway.orders(job) for job in jobs] == [["accepted"]] * 5
    assert len(gateway.provider.orders) == 5


async def test_a_write_that_the_database_never_accepts_is_not_repeated_for_ever(world, monkeypatch, caplog):
    gateway = world()
    async with gateway.open():
        real, refused = gateway.store.apply, []

        async def apply(job, **how):
            if job.state is State.FETCHING and len(refused) < 2:
                refused.append(job.version)
                raise NotWritable
            return await real(job, **how)

        monkeypatch.setattr(gateway.store, "apply", apply)
        job = await gateway.end(await gateway.create())

    assert (job.state, len(refused), len(gateway.provider.orders)) == (State.COMPLETED, 2, 1)
