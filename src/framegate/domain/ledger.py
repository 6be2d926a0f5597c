"""What a job owes: reserved when it is accepted, then settled once, given back, or held. Pure: the store keeps it."""

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from framegate.domain import BudgetPeriod, Job, State
from framegate.domain.errors import BudgetExceeded

COST_MICRO_USD_MAX = 10**15  # a billion dollars: whoever says more of one video is not believed
PERIOD_CHARS = {BudgetPeriod.TOTAL: 0, BudgetPeriod.MONTH: 7, BudgetPeriod.DAY: 10}  # of "2026-11-21"
PERIOD_WORDS = {BudgetPeriod.TOTAL: "in all", BudgetPeriod.MONTH: "a month", BudgetPeriod.DAY: "a day"}


class EntryState(StrEnum):
    """Where the money of a job stands."""

    RESERVED = "reserved"  # the job has not ended: its estimate
    SETTLED = "settled"  # it was made: what it cost
    VOID = "void"  # nothing is owed
    HELD = "held"  # nobody knows whether it is owed: the estimate stays reserved until a person says


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The one entry of a job. Amounts are millionths of a US dollar, None where nobody tells a price."""

    job_id: str
    owner: str
    key_id: str | None  # None: placed without a key, or with the operator's own
    model: str
    provider: str
    account: str
    day: str  # UTC, on which the job was accepted: "2026-11-21"; all that the job costs counts there
    created_at: float
    reserved_micro_usd: int | None
    settled_micro_usd: int | None = None
    provider_reported: bool = False  # whether the provider said what was settled; else it is the estimate
    state: EntryState = EntryState.RESERVED
    ended_at: float | None = None

    @property
    def counted_micro_usd(self) -> int:
        """What it takes of its key's budget."""
        if self.state is EntryState.VOID:
            return 0
        return (self.settled_micro_usd if self.state is EntryState.SETTLED else self.reserved_micro_usd) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a key may spend in all, in each month or on each day (UTC)."""

    micro_usd: int
    period: BudgetPeriod

    def span(self, day: str) -> str:
        """The part of a day's name that all days have which share its budget."""
        return day[: PERIOD_CHARS[self.period]]

    def check(self, entry: Entry, *, counted_micro_usd: int, allow_unpriced: bool) -> BudgetExceeded | None:
        """Why the key may not reserve so much beside what counts already; None where it may.

        `unpriced` lets a job without a known price pass.
        """
        wanted = entry.reserved_micro_usd
        told = f"{dollars(self.micro_usd)} {PERIOD_WORDS[self.period]}"
        if wanted is None:
            message = (
                f"No price is known for such a video by {entry.model} at {entry.provider}, so the key's budget of "
                f"{told} cannot be kept. Choose a model or a provider with a price, or use a key without a budget."
            )
            return None if allow_unpriced else BudgetExceeded(message, code="price_unknown_with_budget")
        left = self.micro_usd - counted_micro_usd
        if wanted <= left:
            return None
        return BudgetExceeded(
            f"The job is estimated at {dollars(wanted)}, and of the key's budget of {told} {dollars(max(0, left))} is "
            f"left: {dollars(counted_micro_usd)} is spent, reserved or held. Ask for less, or for a higher budget."
        )


def entry_of(job: Job) -> Entry:
    """How the money of a job stands, as far as the job tells.

    A job whose file was made is settled though it failed afterwards: the provider did its part, and charges.
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
    """The entry that a move makes or changes; None for a move that owes nothing new. `before` is None at create."""
    entry = entry_of(after)
    return entry if before is None or entry != entry_of(before) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChange:
    """What a write does to the ledger.

    `instead_of` is the job whose reservation it takes the place of: the job's own when it goes another way, or that of
    an unsure one that a person gave up. `unpriced` lets a key with a budget go without a known price.
    """

    entry: Entry
    replaces_job_id: str | None = None
    allow_unpriced: bool = False


def ledger_change(
    before: Job | None, after: Job, *, allow_unpriced: bool, releases_job_id: str | None = None
) -> LedgerChange | None:
    """What a move of a job, or its create (`before` None), does to the ledger; `gives_up` names an unsure job."""
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
        believed = cost is not None and 0 <= cost <= COST_MICRO_USD_MAX
        settled = cost if believed else entry.reserved_micro_usd
        end = {"state": EntryState.SETTLED, "settled_micro_usd": settled, "provider_reported": believed}
    else:
        open_ = fault is not None and (fault.unsure or fault.may_charge)
        end = {"state": EntryState.HELD if open_ else EntryState.VOID}
    return replace(entry, **end, ended_at=job.finished_at)


def day_of(at: float) -> str:
    """The UTC day of a moment."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d")


def dollars(micro_usd: int) -> str:
    """An amount as people write it: two decimals, or as many as it has."""
    exact = (Decimal(micro_usd) / 1_000_000).normalize()
    return f"${exact:f}" if int(exact.as_tuple().exponent) < -2 else f"${exact:.2f}"
