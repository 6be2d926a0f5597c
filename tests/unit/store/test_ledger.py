"""The ledger over a real database: under any interleaving the budget holds, and no job is settled twice."""

import asyncio
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain import BudgetPeriod, Estimate, Fault, Job, ProviderFile, State
from framegate.domain.errors import BudgetExceeded, Conflict, FramegateError, IdempotencyConflict, NotFound, Stale
from framegate.domain.keys import new_key
from framegate.domain.ledger import EntryState, entry_of, ledger_change
from framegate.store import Store
from framegate.store.engine import sqlite_url
from framegate.store.job_writes import next_version
from support.soak import examples
from support.stored_jobs import make_job

BUDGET = 1000
DAY = 86_400.0
UNSURE = Fault(code="submit_unsure", message="m", unsure=True)
ENDS: dict[str, dict[str, Any]] = {
    "settle": {"state": State.COMPLETED, "provider_files": (ProviderFile(url="https://h/v"),)},
    "void": {"state": State.FAILED, "fault": Fault(code="c", message="m")},
    "hold": {"state": State.FAILED, "fault": UNSURE},
}


def priced(
    number: int, micro_usd: int | None, key_id: str | None, *, at: float = 1000.0, owner: str = "default"
) -> Job:
    estimate = None if micro_usd is None else Estimate(micro_usd=micro_usd, basis="b")
    return replace(make_job(number, at=at, owner=owner), estimate=estimate, key_id=key_id, provider="fal", account="a")


async def budgeted(store: Store, micro_usd: int = BUDGET, period: BudgetPeriod = BudgetPeriod.TOTAL) -> str:
    _, key = new_key(now=1.0, budget_micro_usd=micro_usd, budget_period=period)
    await store.keys.add(key)
    return key.id


async def create(store: Store, job: Job, *, unpriced: bool = False, gives_up: str | None = None, **how: Any) -> Job:
    return await store.insert(
        job, ledger_change=ledger_change(None, job, allow_unpriced=unpriced, releases_job_id=gives_up), **how
    )


async def move(store: Store, before: Job, **changes: Any) -> Job:
    after = next_version(before, 1001, **changes)
    if after.state.is_final:
        after = replace(after, finished_at=1001)
    return await store.apply(after, due_at=1001, ledger_change=ledger_change(before, after, allow_unpriced=False))


async def all_of(writes: Sequence[Awaitable[Job]]) -> list[Job]:
    """Do them at once; those that are refused leave nothing."""
    done = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(one, Job | BudgetExceeded | Stale) for one in done), done
    return [one for one in done if isinstance(one, Job)]


# -- on both databases


@pytest.mark.anyio
async def test_concurrent_creates_in_two_processes_never_exceed_the_budget(store, url):
    key_id = await budgeted(store)
    async with Store(url) as other:
        jobs = [priced(number, 90, key_id) for number in range(1, 41)]
        kept = await all_of([create((store, other)[number % 2], job) for number, job in enumerate(jobs)])

        assert len(kept) == BUDGET // 90
        [spent] = await other.ledger.spent("key")
    assert (spent.name, spent.jobs, spent.reserved_micro_usd) == (key_id, 11, 990)
    assert await store.count_active() == 11


@pytest.mark.anyio
async def test_a_rejected_create_leaves_no_trace_and_others_of_its_group_pass(store):
    key_id = await budgeted(store)
    done = await asyncio.gather(
        create(store, priced(1, 600, key_id)),
        create(store, priced(2, 600, key_id), idempotency_key="k", body_hash="b"),
        create(store, priced(3, 400, key_id)),
        create(store, priced(4, 600, None)),
        return_exceptions=True,
    )

    assert [type(one) for one in done] == [Job, BudgetExceeded, Job, Job]
    assert await store.get(priced(2, 600, key_id).id) is None
    with pytest.raises(BudgetExceeded, match=r"\$0\.00 is left"):
        await create(store, priced(5, 1, key_id), idempotency_key="k", body_hash="other")


@pytest.mark.anyio
async def test_two_creates_with_one_idempotency_key_are_rejected_together_or_share_one_reservation(store):
    key_id = await budgeted(store)
    same: dict[str, Any] = {"idempotency_key": "k", "body_hash": "b"}
    over = await asyncio.gather(
        *(create(store, priced(number, 1001, key_id), **same) for number in (1, 2)), return_exceptions=True
    )
    kept = await all_of([create(store, priced(number, 1000, key_id), **same) for number in (3, 4)])

    assert [type(one) for one in over] == [BudgetExceeded] * 2
    assert len({job.id for job in kept}) == 1
    with pytest.raises(IdempotencyConflict):
        await create(store, priced(5, 1, key_id), idempotency_key="k", body_hash="c")


@pytest.mark.anyio
@pytest.mark.parametrize(("period", "passes"), [("day", True), ("month", False), ("total", False)])
async def test_the_spending_of_another_day_does_not_count_for_a_daily_budget(store, period, passes):
    key_id = await budgeted(store, period=BudgetPeriod(period))
    await create(store, priced(1, BUDGET, key_id))

    again = create(store, priced(2, BUDGET, key_id, at=1000 + DAY))
    if passes:
        await again
    else:
        with pytest.raises(BudgetExceeded):
            await again


@pytest.mark.anyio
async def test_two_concurrent_ends_are_settled_once(store):
    key_id = await budgeted(store)
    job = await create(store, priced(1, 500, key_id))
    ends = [ENDS["settle"] | {"cost_micro_usd": cost} for cost in (300, 700)]

    [ended] = await all_of([move(store, job, **end) for end in ends])
    entry = await store.ledger.entry(job.id)

    assert entry == entry_of(ended)
    assert (entry.state, entry.settled_micro_usd, entry.provider_reported) == (
        EntryState.SETTLED,
        ended.cost_micro_usd,
        True,
    )


@pytest.mark.anyio
async def test_another_route_is_reserved_only_within_the_budget(store):
    key_id = await budgeted(store)
    job = await create(store, priced(1, 500, key_id))
    await create(store, priced(2, 300, key_id))
    dearer = {"provider": "openrouter", "estimate": Estimate(micro_usd=701, basis="b"), "state": State.PREPARING}

    with pytest.raises(BudgetExceeded):
        await move(store, job, **dearer)
    assert await store.get(job.id) == job
    there = await move(store, job, **dearer | {"estimate": Estimate(micro_usd=700, basis="b")})

    assert await store.ledger.entry(job.id) == entry_of(there)
    with pytest.raises(BudgetExceeded) as unpriced:
        await move(store, there, provider="pictory", estimate=None)
    assert unpriced.value.code == "price_unknown_with_budget"


@pytest.mark.anyio
async def test_a_key_charged_over_its_budget_can_still_take_a_cheaper_route(store):
    key_id = await budgeted(store)
    first, second = [await create(store, priced(number, 400, key_id)) for number in (1, 2)]
    await move(store, first, **ENDS["settle"], cost_micro_usd=5000)

    await move(store, second, provider="openrouter", estimate=Estimate(micro_usd=399, basis="b"))
    with pytest.raises(BudgetExceeded):
        await create(store, priced(3, 1, key_id))


@pytest.mark.anyio
async def test_a_held_reservation_is_released_only_together_with_the_job_that_replaces_it(store):
    key_id = await budgeted(store)
    held = await move(store, await create(store, priced(1, 800, key_id)), **ENDS["hold"])

    with pytest.raises(BudgetExceeded):
        await create(store, priced(2, 800, key_id))
    with pytest.raises(BudgetExceeded):
        await create(store, priced(2, 1001, key_id), gives_up=held.id)
    assert (await store.ledger.entry(held.id)).state is EntryState.HELD
    await create(store, priced(3, 900, key_id), gives_up=held.id)

    assert (await store.ledger.entry(held.id)).state is EntryState.VOID
    with pytest.raises(BudgetExceeded):
        await create(store, priced(4, 101, key_id), gives_up=held.id)


@pytest.mark.anyio
async def test_only_held_reservations_of_the_same_owner_can_be_released(store):
    theirs = await move(store, await create(store, priced(1, 5, None, owner="other")), **ENDS["hold"])
    made = await move(store, await create(store, priced(2, 5, None)), **ENDS["settle"])
    for number, job in ((3, theirs), (4, made)):
        await create(store, priced(number, 5, None), gives_up=job.id)

    assert (await store.ledger.entry(theirs.id)).state is EntryState.HELD
    assert (await store.ledger.entry(made.id)).state is EntryState.SETTLED


@pytest.mark.anyio
async def test_a_manual_settlement_still_counts_beside_the_job_that_replaces_it(store):
    key_id = await budgeted(store)
    held = await move(store, await create(store, priced(1, 600, key_id)), **ENDS["hold"])
    await store.ledger.resolve(held.id, 700)

    for number, micro_usd in ((2, 600), (3, 301)):
        with pytest.raises(BudgetExceeded):
            await create(store, priced(number, micro_usd, key_id), gives_up=held.id)
    await create(store, priced(4, 300, key_id), gives_up=held.id)


@pytest.mark.anyio
async def test_spending_is_still_reported_after_the_job_is_deleted(store):
    job = await move(store, await create(store, priced(1, 5, None)), **ENDS["settle"], cost_micro_usd=7)
    await store.delete(job.id)

    assert (await store.ledger.entry(job.id)).settled_micro_usd == 7


@pytest.mark.anyio
async def test_spending_is_reported_by_key_model_provider_and_day_for_a_period_and_one_owner(store):
    one = await create(store, priced(1, 100, "k"))
    await move(store, one, **ENDS["settle"], cost_micro_usd=90)
    await move(store, await create(store, priced(2, 100, "k")), **ENDS["settle"])
    await move(store, await create(store, priced(3, 30, None)), **ENDS["hold"])
    await move(store, await create(store, priced(4, 30, "k")), **ENDS["void"])
    await create(store, priced(5, None, None))
    await create(store, priced(6, 11, None, at=1000 + DAY))
    await create(store, priced(7, 5, None, owner="other"))

    [keyless, keyed] = sorted(await store.ledger.spent("key", owner="default"), key=lambda row: row.name or "")
    assert (keyed.name, keyed.jobs, keyed.settled_micro_usd, keyed.unreported_micro_usd) == ("k", 3, 190, 100)
    assert keyed.void_jobs == 1
    assert (keyless.name, keyless.held_micro_usd, keyless.reserved_micro_usd) == (None, 30, 11)
    assert keyless.unpriced_jobs == 1
    [first, second] = await store.ledger.spent("day", owner="default")
    assert (first.name, first.jobs, second.name, second.jobs) == ("1970-01-01", 5, "1970-01-02", 1)
    assert [row.jobs for row in await store.ledger.spent("model", since="1970-01-02")] == [1]
    assert [row.jobs for row in await store.ledger.spent("provider", until="1970-01-01")] == [6]
    assert await store.ledger.spent("model", since="1970-01-03") == ()


@pytest.mark.anyio
@pytest.mark.parametrize(("cost", "state"), [(300, EntryState.SETTLED), (0, EntryState.VOID)])
async def test_a_held_reservation_is_settled_manually_once(store, cost, state):
    key_id = await budgeted(store)
    held = await move(store, await create(store, priced(1, 800, key_id)), **ENDS["hold"])
    await store.ledger.resolve(held.id, cost)
    entry = await store.ledger.entry(held.id)

    assert (entry.state, entry.settled_micro_usd, entry.provider_reported) == (state, cost or None, False)
    with pytest.raises(Conflict, match="not held"):
        await store.ledger.resolve(held.id, 1)
    with pytest.raises(NotFound):
        await store.ledger.resolve("nobody", 1)
    await create(store, priced(2, BUDGET - cost, key_id))


# -- any interleaving

AMOUNTS = st.integers(0, 600)
STEPS = st.one_of(
    st.tuples(st.just("create"), st.lists(AMOUNTS, min_size=1, max_size=6)),
    st.tuples(st.just("crash"), st.lists(AMOUNTS, max_size=4)),
    st.tuples(st.sampled_from([*ENDS, "settle"]), AMOUNTS),
    st.tuples(st.just("settle twice"), AMOUNTS),
    st.tuples(st.just("elsewhere"), AMOUNTS),
    st.tuples(st.sampled_from(["retry", "void and retry"]), AMOUNTS),
)


class Bank:
    """One key, a store that crashes, and what must have come of it."""

    def __init__(self, folder: Path) -> None:
        self.url = sqlite_url(folder)
        self.store = Store(self.url)
        self.key_id = ""
        self.number = 0
        self.settled: dict[str, int] = {}

    def draft(self, micro_usd: int) -> Job:
        self.number += 1
        return priced(self.number, micro_usd, self.key_id)

    async def jobs(self) -> list[Job]:
        return list((await self.store.list(owner="default", limit=1000, oldest_first=True)).jobs)

    async def crash(self, amounts: list[int]) -> None:
        """Die with these creates under way: each is whole or never was."""
        writes = [asyncio.ensure_future(create(self.store, self.draft(amount))) for amount in amounts]
        await asyncio.sleep(0)
        task = self.store._writer._task
        assert task is not None
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for write in writes:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
        await self.store._write_engine.dispose()
        await self.store._read_engine.dispose()
        self.store = Store(self.url)
        await self.store.__aenter__()

    async def step(self, what: str, amount: Any) -> None:
        jobs = await self.jobs()
        running = next((job for job in jobs if not job.state.is_final), None)
        unsure = next((job for job in jobs if job.fault and job.fault.unsure), None)
        if what == "create":
            await all_of([create(self.store, self.draft(one)) for one in amount])
        elif what == "crash":
            await self.crash(amount)
        elif what in ENDS and running:
            await self.end(running, [ENDS[what] | ({"cost_micro_usd": amount} if what == "settle" else {})])
        elif what == "settle twice" and running:
            await self.end(running, [ENDS["settle"] | {"cost_micro_usd": amount + more} for more in (0, 1)])
        elif what == "elsewhere" and running:
            there = {"provider": f"p{running.version}", "estimate": Estimate(micro_usd=amount, basis="b")}
            await all_of([move(self.store, running, **there)])
        elif what.endswith("retry") and unsure:
            gives_up = unsure.id if what.startswith("void") else None
            one_key: dict[str, Any] = {"idempotency_key": f"retry {unsure.id}", "body_hash": "b"}
            again = [create(self.store, self.draft(amount), gives_up=gives_up, **one_key) for _ in range(2)]
            assert len({job.id for job in await all_of(again)}) <= 1

    async def end(self, job: Job, ends: list[dict[str, Any]]) -> None:
        [after] = await all_of([move(self.store, job, **end) for end in ends])
        with pytest.raises(FramegateError):
            await move(self.store, job, **ends[0])
        if after.state is State.COMPLETED:
            assert job.id not in self.settled
            self.settled[job.id] = after.cost_micro_usd or 0

    async def check(self) -> None:
        jobs = await self.jobs()
        entries = {job.id: await self.store.ledger.entry(job.id) for job in jobs}
        for job in jobs:
            entry = entries[job.id]
            assert entry is not None
            given_up = entry.state is EntryState.VOID and entry_of(job).state is EntryState.HELD
            assert given_up or entry == entry_of(job)
        real = [entry for entry in entries.values() if entry is not None]
        overcharged = sum(max(0, (entry.settled_micro_usd or 0) - (entry.reserved_micro_usd or 0)) for entry in real)
        assert sum(entry.counted_micro_usd for entry in real) <= BUDGET + overcharged
        told = {entry.job_id: entry.settled_micro_usd for entry in real if entry.state is EntryState.SETTLED}
        assert told == self.settled
        rows = await self.store.ledger.spent("key")
        assert sum(row.jobs for row in rows) == len(jobs)
        assert sum(row.settled_micro_usd for row in rows) == sum(self.settled.values())


async def _played(folder: Path, steps: list[tuple[str, Any]]) -> None:
    bank = Bank(folder)
    await bank.store.__aenter__()
    try:
        bank.key_id = await budgeted(bank.store)
        for what, amount in steps:
            await bank.step(what, amount)
            await bank.check()
    finally:
        await bank.store.__aexit__()


@given(steps=st.lists(STEPS, max_size=14))
@examples(8)
def test_no_interleaving_exceeds_the_budget_or_settles_twice(steps):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_played(Path(folder), steps))
