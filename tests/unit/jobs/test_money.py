"""Money on a job's way: reserved at create, changed with the way, settled or given back at the end, held in doubt."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain import Failed, Fault, Job, Lost, Request, Running, Scope, State
from framegate.domain.errors import BudgetExceeded, Conflict, NotFound, NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.domain.keys import Caller, new_key
from framegate.domain.ledger import Entry, EntryState, entry_of
from support.soak import examples
from support.virtual_machine import VirtualMachine
from support.world import ScriptedProvider, World

pytestmark = pytest.mark.anyio

FAST, DEAR = "google/veo-3.1-fast", "google/veo-3.1"
FAST_COST, DEAR_COST = 4 * 80_000, 4 * 200_000  # four seconds at 720p without sound
COST = 120_000  # what the scripted provider says
Open = Callable[..., Any]


@pytest.fixture
def priced(tmp_path: Path, film: Path, machine: VirtualMachine) -> Open:
    """Open a gateway whose one account at OpenRouter goes by a script, called with a key of this budget."""

    @asynccontextmanager
    async def opened(budget: int | None = None, *, run: bool = True, **script: Any) -> AsyncIterator[World]:
        gateway = World(machine, tmp_path / "data", paid(film, tmp_path, **script))
        async with gateway.open(run=run):
            await called_with(gateway, budget)
            yield gateway

    return opened


def paid(film: Path, folder: Path, **script: Any) -> ScriptedProvider:
    work = folder / "film"
    work.mkdir(exist_ok=True)
    provider = ScriptedProvider(Path(shutil.copy(film, work / "film.mp4")), account="main", **script)
    provider.name = "openrouter"
    return provider


async def called_with(gateway: World, budget: int | None) -> str:
    _, key = new_key(now=1.0, budget_micro_usd=budget)
    await gateway.store.keys.add(key)
    gateway.caller = Caller(owner="default", scopes=frozenset(Scope), key_id=key.id)
    return key.id


async def place(gateway: World, model: str = FAST, **fields: Any):
    asked = {"prompt": "a cat", "duration": 4, "resolution": "720p", "generate_audio": False, **fields}
    return await gateway.jobs.create(Request(model=model, **asked), caller=gateway.caller, dialect="native")


async def bill(gateway: World, job):
    return await gateway.jobs.bill(job.id, owner="default")


async def test_the_estimate_is_reserved_and_the_providers_price_is_settled(priced: Open):
    async with priced(run=False) as gateway:
        job = await place(gateway)
        reserved = await bill(gateway, job)
        await gateway.worker.start()
        await gateway.end(job)
        settled = await bill(gateway, job)

    assert (reserved.state, reserved.reserved_micro_usd, reserved.settled_micro_usd) == (
        EntryState.RESERVED,
        FAST_COST,
        None,
    )
    assert (settled.state, settled.settled_micro_usd, settled.provider_reported) == (EntryState.SETTLED, COST, True)
    assert (settled.key_id, settled.model, settled.provider) == (job.key_id, FAST, "openrouter")
    assert job.key_id is not None


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ({"submits": [Refused("No.")]}, EntryState.VOID),
        ({"submits": [OutcomeUnknown()]}, EntryState.HELD),
        ({"submits": [ProviderError("500 after sending")]}, EntryState.HELD),
        ({"looks": [Failed(fault=Fault(code="content_filtered", message="It was filtered."))]}, EntryState.VOID),
        ({"looks": [Lost()]}, EntryState.HELD),
    ],
)
async def test_a_failed_order_is_released_and_one_of_unknown_outcome_held(
    priced: Open, script: dict[str, Any], state: EntryState
):
    async with priced(**script) as gateway:
        job = await gateway.end(await place(gateway))
        entry = await bill(gateway, job)

    assert job.state is State.FAILED
    assert (entry.state, entry.reserved_micro_usd, entry.settled_micro_usd) == (state, FAST_COST, None)


@pytest.mark.parametrize(("stops", "state"), [(True, EntryState.VOID), (False, EntryState.HELD)])
async def test_a_cancelled_order_is_released_if_it_was_stopped_and_held_otherwise(
    priced: Open, monkeypatch: pytest.MonkeyPatch, stops: bool, state: EntryState
):
    async def cancel(_handle: object) -> bool:
        return stops

    async with priced(looks=[Running()]) as gateway:
        monkeypatch.setattr(gateway.provider, "cancel", cancel)
        job = await place(gateway)
        await gateway.until(job, State.RUNNING)
        await gateway.jobs.cancel(job.id, owner="default")
        job = await gateway.end(job)

        assert (await bill(gateway, job)).state is state
    assert ("may charge" in job.fault.message) is not stops


async def test_a_job_over_the_budget_is_rejected_and_not_stored(priced: Open):
    async with priced(FAST_COST + 1, run=False) as gateway:
        await place(gateway)
        with pytest.raises(
            BudgetExceeded, match=r"estimated at \$0\.32\. .* budget of \$0\.320001 in total, \$0\.000001 is"
        ):
            await place(gateway)

        assert await gateway.store.count_active() == 1


async def test_concurrent_creates_never_exceed_the_budget(priced: Open):
    async with priced(5 * FAST_COST, run=False) as gateway:
        done = await asyncio.gather(*(place(gateway) for _ in range(12)), return_exceptions=True)

    assert sum(isinstance(one, BudgetExceeded) for one in done) == 7


async def test_a_dearer_route_is_taken_only_within_the_budget(priced: Open):
    async with priced(DEAR_COST - 1, submits=[Refused("Busy for good.")]) as gateway:
        job = await gateway.end(await place(gateway, models=(DEAR,)))
        entry = await bill(gateway, job)

    assert (job.state, job.fault.code, job.model) == (State.FAILED, "budget_exceeded", FAST)
    assert job.fault.message.startswith("Busy for good. Then: The job is estimated at $0.80. Of the key's budget")
    assert [(one.model, one.code) for one in job.fallback_log] == [
        (FAST, "provider_refused"),
        (DEAR, "budget_exceeded"),
    ]
    assert entry.state is EntryState.VOID
    assert gateway.provider.orders == [job.id]


async def test_an_unreachable_account_is_not_left_early_for_a_route_over_the_budget(priced: Open):
    away = [NotSent("Nobody was there.", connect_failed=True) for _ in range(3)]
    async with priced(DEAR_COST - 1, submits=away) as gateway:
        job = await gateway.end(await place(gateway, models=(DEAR,)))

    assert (job.state, job.model, job.fallback_log) == (State.COMPLETED, FAST, ())
    assert len(gateway.provider.orders) == 4


async def test_the_reservation_changes_with_the_route(priced: Open):
    async with priced(DEAR_COST, submits=[Refused("No.")], looks=[Running()]) as gateway:
        job = await place(gateway, models=(DEAR,))
        await gateway.until(job, State.RUNNING)
        entry = await bill(gateway, job)
        with pytest.raises(BudgetExceeded):
            await place(gateway)

    assert (entry.state, entry.model, entry.reserved_micro_usd) == (EntryState.RESERVED, DEAR, DEAR_COST)


async def test_a_job_of_unknown_outcome_is_retried_once_as_a_new_job_that_names_it(priced: Open):
    async with priced(2 * FAST_COST, submits=[OutcomeUnknown()]) as gateway:
        unsure = await gateway.end(await place(gateway, metadata={"shot": "7"}))
        again, same = await asyncio.gather(*(gateway.jobs.retry(unsure.id, caller=gateway.caller) for _ in range(2)))
        ended = await gateway.end(again)

        assert again.id == same.id != unsure.id
        assert again.request.metadata == {"shot": "7", "retry_of": unsure.id}
        assert ended.state is State.COMPLETED
        assert gateway.provider.orders == [unsure.id, again.id]
        assert await gateway.jobs.get(unsure.id, owner="default") == unsure
        assert (await bill(gateway, unsure)).state is EntryState.HELD
        assert (await bill(gateway, again)).state is EntryState.SETTLED


async def test_a_retry_releases_the_held_reservation_only_on_request(priced: Open):
    async with priced(FAST_COST, submits=[OutcomeUnknown()]) as gateway:
        unsure = await gateway.end(await place(gateway))
        with pytest.raises(BudgetExceeded):
            await gateway.jobs.retry(unsure.id, caller=gateway.caller)
        again = await gateway.end(await gateway.jobs.retry(unsure.id, caller=gateway.caller, void_first=True))

        assert again.state is State.COMPLETED
        assert (await bill(gateway, unsure)).state is EntryState.VOID


async def test_the_held_reservation_can_be_released_after_the_retry(priced: Open):
    async with priced(submits=[OutcomeUnknown()]) as gateway:
        unsure = await gateway.end(await place(gateway))
        first = await gateway.jobs.retry(unsure.id, caller=gateway.caller)
        again = await gateway.jobs.retry(unsure.id, caller=gateway.caller, void_first=True)

        assert again.id == first.id
        assert (await bill(gateway, unsure)).state is EntryState.VOID


async def test_only_a_job_of_unknown_outcome_can_be_retried(priced: Open):
    async with priced(submits=[Refused("No.")], looks=[Running()]) as gateway:
        refused = await gateway.end(await place(gateway))
        running = await place(gateway)
        for job, code in ((refused, "retry_not_unsure"), (running, "job_not_over")):
            with pytest.raises(Conflict) as conflict:
                await gateway.jobs.retry(job.id, caller=gateway.caller)
            assert conflict.value.code == code
        with pytest.raises(NotFound):
            await gateway.jobs.retry(refused.id, caller=Caller(owner="another", scopes=frozenset(Scope)))


# -- any script, with stops and a cancellation

LOOKS = [Running(), ProviderError("garbage"), Lost(), Failed(fault=Fault(code="c", message="No.")), "done"]


async def _live(
    machine: VirtualMachine, folder: Path, film: Path, script: dict[str, Any], stops: list[int], cancel_at: int | None
):
    """Run three jobs with a budget for two and a half; stop the gateway after so many events, then let it finish."""
    gateway = World(machine, folder / "data", paid(film, folder, **script))
    gateway.provider.poll_seconds = 0.2
    budget = 2 * FAST_COST + DEAR_COST // 2
    async with gateway.open(run=False):
        await called_with(gateway, budget)
        done = await asyncio.gather(*(place(gateway, models=(DEAR,)) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(job, Job | BudgetExceeded) for job in done), done
    jobs = [job for job in done if isinstance(job, Job)]
    entries: list[Entry] = []
    worst = 0
    for stop in [*stops, None]:
        async with gateway.open():
            for number, job in enumerate(jobs):
                seen = 0
                async for event in gateway.jobs.events(job.id, owner="default"):
                    seen += 1
                    worst = max(worst, sum([(await bill(gateway, one)).counted_micro_usd for one in jobs]))
                    if number == 0 and cancel_at is not None and event.seq >= cancel_at and not event.state.is_final:
                        cancel_at = None
                        try:
                            await gateway.jobs.cancel(job.id, owner="default")
                        except Conflict:
                            assert (await gateway.jobs.get(job.id, owner="default")).state.is_final
                    if seen == stop:
                        break
            jobs = [await gateway.jobs.get(job.id, owner="default") for job in jobs]
            entries = [await bill(gateway, job) for job in jobs]
    return jobs, entries, worst, budget


@pytest.mark.slow
@given(
    submits=st.lists(st.sampled_from([None, Refused("No."), NotSent(), OutcomeUnknown()]), max_size=6),
    looks=st.lists(st.sampled_from(LOOKS), max_size=5).map(lambda looks: [*looks, "done"]),
    stops=st.lists(st.integers(1, 6), max_size=2),
    cancel_at=st.none() | st.integers(1, 7),
)
@examples(5)
def test_every_job_ends_once_in_the_ledger_and_the_budget_is_never_exceeded(
    film: Path, submits: list[Any], looks: list[Any], stops: list[int], cancel_at: int | None
):
    machine = VirtualMachine()
    with tempfile.TemporaryDirectory() as folder:
        script = {"submits": submits, "looks": looks}
        jobs, entries, worst, budget = machine.run(_live(machine, Path(folder), film, script, stops, cancel_at))

    assert worst <= budget
    for job, entry in zip(jobs, entries, strict=True):
        assert entry == entry_of(job)
        assert entry.state is not EntryState.RESERVED
