"""What a job owes, by its end; what a budget lets pass."""

from dataclasses import replace
from typing import Any

import pytest

from framegate.domain import BudgetPeriod, Estimate, Fault, Job, ProviderFile, Request, State, Target
from framegate.domain.errors import BudgetExceeded
from framegate.domain.ledger import Budget, EntryState, day_of, dollars, entry_after, entry_of, ledger_change

AT = 1_795_219_200.0  # 2026-11-21, 00:00 UTC
UNSURE = Fault(code="submit_unsure", message="m", unsure=True)
CHARGED = Fault(code="cancelled", message="m", may_charge=True)
PLAIN = Fault(code="c", message="m")
FILE = (ProviderFile(url="https://h/v.mp4"),)


def job(state: State = State.QUEUED, **fields: Any) -> Job:
    common: dict[str, Any] = {
        "id": "0190a000-0000-7000-8000-000000000001",
        "owner": "acme",
        "dialect": "native",
        "request": Request(model="google/veo-3.1"),
        "model": "google/veo-3.1",
        "provider": "fal",
        "account": "default",
        "key_id": "k",
        "target": Target(width=1280, height=720, fps=24, duration=4, audio=False, seed=None),
        "created_at": AT,
        "updated_at": AT,
        "deadline_at": AT + 60,
        "estimate": Estimate(micro_usd=800_000, basis="4 s"),
        "finished_at": AT + 30 if state.is_final else None,
    }
    return Job(**{**common, **fields}, state=state)


@pytest.mark.parametrize(
    ("after", "state", "settled", "reported"),
    [
        (job(State.COMPLETED, provider_files=FILE, cost_micro_usd=750_000), EntryState.SETTLED, 750_000, True),
        (job(State.COMPLETED, provider_files=FILE, cost_micro_usd=0), EntryState.SETTLED, 0, True),
        (job(State.COMPLETED, provider_files=FILE), EntryState.SETTLED, 800_000, False),
        (job(State.COMPLETED, provider_files=FILE, estimate=None), EntryState.SETTLED, None, False),
        (job(State.COMPLETED, provider_files=FILE, cost_micro_usd=10**16), EntryState.SETTLED, 800_000, False),
        (job(State.COMPLETED, provider_files=FILE, cost_micro_usd=-1), EntryState.SETTLED, 800_000, False),
        (job(State.FAILED, fault=PLAIN), EntryState.VOID, None, False),
        (job(State.FAILED, fault=PLAIN, provider_files=FILE, cost_micro_usd=5), EntryState.SETTLED, 5, True),
        (job(State.CANCELLED, fault=PLAIN, provider_files=FILE), EntryState.SETTLED, 800_000, False),
        (job(State.CANCELLED, fault=PLAIN), EntryState.VOID, None, False),
        (job(State.CANCELLED, fault=CHARGED), EntryState.HELD, None, False),
        (job(State.EXPIRED, fault=PLAIN), EntryState.VOID, None, False),
        (job(State.EXPIRED, fault=UNSURE), EntryState.HELD, None, False),
        (job(State.FAILED, fault=UNSURE), EntryState.HELD, None, False),
    ],
)
def test_the_end_of_a_job_decides_what_becomes_of_its_reservation(
    after: Job, state: EntryState, settled: int | None, reported: bool
):
    entry = entry_after(job(State.RUNNING), after)

    assert entry is not None
    assert (entry.state, entry.settled_micro_usd, entry.provider_reported) == (state, settled, reported)
    assert entry.ended_at == AT + 30
    counted = {EntryState.VOID: 0, EntryState.HELD: 800_000, EntryState.SETTLED: settled or 0}[state]
    assert entry.counted_micro_usd == counted


def test_a_create_reserves_the_estimate_on_the_utc_day_of_its_acceptance():
    entry = entry_after(None, job())

    assert entry == entry_of(job())
    assert entry is not None
    assert (entry.state, entry.counted_micro_usd, entry.day) == (EntryState.RESERVED, 800_000, "2026-11-21")
    assert (entry.owner, entry.key_id, entry.model, entry.provider) == ("acme", "k", "google/veo-3.1", "fal")
    assert day_of(AT - 1) == "2026-11-20"


@pytest.mark.parametrize("state", [State.PREPARING, State.SUBMITTING, State.RUNNING, State.FETCHING, State.CHECKING])
def test_a_move_on_the_way_changes_nothing(state: State):
    assert entry_after(job(), job(state, progress=0.5, provider_files=FILE)) is None


def test_another_way_reserves_its_own_estimate_in_the_place_of_the_first():
    other = job(State.PREPARING, provider="openrouter", estimate=Estimate(micro_usd=900_000, basis="b"))
    owed = ledger_change(job(State.SUBMITTING), other, allow_unpriced=False)

    assert owed is not None
    assert (owed.replaces_job_id, owed.entry.provider, owed.entry.reserved_micro_usd) == (
        other.id,
        "openrouter",
        900_000,
    )
    ended = ledger_change(other, replace(other, state=State.FAILED, fault=PLAIN), allow_unpriced=False)
    assert ended is not None
    assert ended.replaces_job_id is None


@pytest.mark.parametrize(
    ("wanted", "counted", "said"),
    [
        (400_000, 600_000, None),
        (400_001, 600_000, "estimated at $0.400001. Of the key's budget of $1.00 a month, $0.40 is left: $0.60 is"),
        (1, 2_000_000, "$0.00 is left: $2.00 is"),
        (0, 1_000_000, None),
    ],
)
def test_a_budget_lets_pass_what_is_left_and_says_the_numbers_otherwise(wanted: int, counted: int, said: str | None):
    entry = entry_of(job(estimate=Estimate(micro_usd=wanted, basis="b")))
    refused = Budget(micro_usd=1_000_000, period=BudgetPeriod.MONTH).check(
        entry, counted_micro_usd=counted, allow_unpriced=False
    )

    assert (refused is None) == (said is None)
    if said is not None:
        assert isinstance(refused, BudgetExceeded)
        assert (refused.code, refused.status) == ("budget_exceeded", 402)
        assert said in refused.message


def test_a_job_without_a_price_passes_a_budget_only_where_the_settings_let_it():
    budget = Budget(micro_usd=1_000_000, period=BudgetPeriod.TOTAL)
    entry = entry_of(job(estimate=None))
    refused = budget.check(entry, counted_micro_usd=0, allow_unpriced=False)

    assert refused is not None
    assert refused.code == "price_unknown_with_budget"
    assert budget.check(entry, counted_micro_usd=5_000_000, allow_unpriced=True) is None


@pytest.mark.parametrize(("period", "span"), [("total", ""), ("month", "2026-11"), ("day", "2026-11-21")])
def test_days_of_one_period_share_a_budget(period: str, span: str):
    assert Budget(micro_usd=1, period=BudgetPeriod(period)).span("2026-11-21") == span


def test_amounts_are_written_exactly():
    assert [dollars(amount) for amount in (0, 1, 500_000, 20_000_000, 1_234_567)] == [
        "$0.00",
        "$0.000001",
        "$0.50",
        "$20.00",
        "$1.234567",
    ]
