"""Ledger: the cost of a job is reserved on acceptance, then settled, voided or held. Pure; the store writes it."""

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum

from framegate.domain import BudgetPeriod, Job, State
from framegate.domain.errors import BudgetExceeded
from framegate.domain.money import format_usd, from_micro_usd, is_believable

PERIOD_CHARS = {BudgetPeriod.TOTAL: 0, BudgetPeriod.MONTH: 7, BudgetPeriod.DAY: 10}  # of "2026-11-21"
PERIOD_WORDS = {BudgetPeriod.TOTAL: "in total", BudgetPeriod.MONTH: "a month", BudgetPeriod.DAY: "a day"}


class EntryState(StrEnum):
    """State of a ledger entry."""

    RESERVED = "reserved"  # the job has not ended; its estimate counts
    SETTLED = "settled"  # the video was made; its cost counts
    VOID = "void"  # nothing was charged
    HELD = "held"  # the provider may have charged; the estimate counts until a person sets the cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The one entry of a job. Amounts are millionths of a US dollar, None if no price is known."""

    job_id: str
    owner: str
    key_id: str | None  # None: created without a key, or with the operator's
    model: str
    provider: str
    account: str
    day: str  # UTC, of the job's acceptance: "2026-11-21"; its cost counts on this day
    created_at: float
    reserved_micro_usd: int | None
    settled_micro_usd: int | None = None
    provider_reported: bool = False  # whether the provider reported the settled amount; else it is the estimate
    state: EntryState = EntryState.RESERVED
    ended_at: float | None = None

    @property
    def counted_micro_usd(self) -> int:
        """The amount that counts against the key's budget."""
        if self.state is EntryState.VOID:
            return 0
        return (self.settled_micro_usd if self.state is EntryState.SETTLED else self.reserved_micro_usd) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The budget of a key: in total, per month or per day (UTC)."""

    micro_usd: int
    period: BudgetPeriod

    def span(self, day: str) -> str:
        """Return the prefix that the days of one budget period share."""
        return day[: PERIOD_CHARS[self.period]]

    def check(self, entry: Entry, *, counted_micro_usd: int, allow_unpriced: bool) -> BudgetExceeded | None:
        """Return the error if the budget does not cover an entry beside what counts already.

        With `allow_unpriced`, an entry without a known price is covered.
        """
        amount = entry.reserved_micro_usd
        budget = f"{dollars(self.micro_usd)} {PERIOD_WORDS[self.period]}"
        if amount is None:
            message = (
                f"No price is known for this video by {entry.model} at {entry.provider}, so it cannot be checked "
                f"against the key's budget of {budget}. Choose a model or provider with a price, or a key without a "
                "budget."
            )
            return None if allow_unpriced else BudgetExceeded(message, code="price_unknown_with_budget")
        remaining = self.micro_usd - counted_micro_usd
        if amount <= remaining:
            return None
        left, counted = dollars(max(0, remaining)), dollars(counted_micro_usd)
        return BudgetExceeded(
            f"The job is estimated at {dollars(amount)}. Of the key's budget of {budget}, {left} is left: {counted} is "
            "spent, reserved or held. Request a cheaper video or raise the budget."
        )


def entry_of(job: Job) -> Entry:
    """Return the entry that follows from a job.

    A job whose video was made is settled even if it failed afterwards: the provider charges for it.
    """
    entry = Entry(
        job_id=job.id,
        owner=job.owner,
        key_id=job.key_id,
        model=job.model,
        provider=job.provider,
        account=job.account,
        day=day_of(job.created_at),
        created_at=job.created_at,
        reserved_micro_usd=job.estimate.micro_usd if job.estimate else None,
    )
    return _ended(entry, job) if job.state.is_final else entry


def entry_after(before: Job | None, after: Job) -> Entry | None:
    """Return the entry after a transition; None if it is unchanged. `before` is None for a create."""
    entry = entry_of(after)
    return entry if before is None or entry != entry_of(before) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChange:
    """The ledger entry that a write inserts or updates.

    `replaces_job_id` is the job whose reservation is released for it: the job itself on a fallback, or the unsure job
    that it retries. With `allow_unpriced`, a job without a known price passes a budget.
    """

    entry: Entry
    replaces_job_id: str | None = None
    allow_unpriced: bool = False


def ledger_change(
    before: Job | None, after: Job, *, allow_unpriced: bool, releases_job_id: str | None = None
) -> LedgerChange | None:
    """Return the ledger change of a transition, or of a create (`before` None) that releases an unsure job."""
    entry = entry_after(before, after)
    if entry is None:
        return None
    reserves_anew = before is not None and entry.state is EntryState.RESERVED
    return LedgerChange(
        entry=entry, replaces_job_id=after.id if reserves_anew else releases_job_id, allow_unpriced=allow_unpriced
    )


def _ended(entry: Entry, job: Job) -> Entry:
    fault, cost = job.fault, job.cost_micro_usd
    if job.state is State.COMPLETED or job.provider_files:
        is_plausible = cost is not None and is_believable(cost)
        settled = cost if is_plausible else entry.reserved_micro_usd
        changes = {"state": EntryState.SETTLED, "settled_micro_usd": settled, "provider_reported": is_plausible}
    else:
        may_be_charged = fault is not None and (fault.unsure or fault.may_charge)
        changes = {"state": EntryState.HELD if may_be_charged else EntryState.VOID}
    return replace(entry, **changes, ended_at=job.finished_at)


def day_of(at: float) -> str:
    """Return the UTC day of a time in Unix seconds."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d")


def dollars(micro_usd: int) -> str:
    """Return an amount for people: `$0.40`, `$0.0225`."""
    return f"${format_usd(from_micro_usd(micro_usd))}"


def cost_sentence(entry: Entry) -> str:
    """Return what a job costs, as a sentence for its client."""
    reserved, settled = entry.reserved_micro_usd, entry.settled_micro_usd
    estimate = "its cost, which is unknown," if reserved is None else dollars(reserved)
    if entry.state is EntryState.VOID:
        return "Nothing is charged."
    if entry.state is EntryState.SETTLED:
        return "Its cost is unknown." if settled is None else f"It costs {dollars(settled)}."
    if entry.state is EntryState.HELD:
        return f"The provider may charge for it, so {estimate} is held."
    return f"Until it has ended, {estimate} stays reserved."
