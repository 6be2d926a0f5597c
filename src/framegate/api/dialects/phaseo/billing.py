"""The money of a job in Phaseo's words, by the ledger."""

from decimal import Decimal
from typing import Any

from framegate.api.dialects.phaseo.times import iso
from framegate.domain.ledger import Entry, EntryState

NANOS_IN_MICRO = 1000
STATES = {
    EntryState.RESERVED: "estimated",
    EntryState.SETTLED: "settled",
    EntryState.VOID: "void",
    EntryState.HELD: "pending",
}


def usage(entry: Entry) -> dict[str, Any]:
    """What the job cost, left out while nobody knows; the caller brings no key of a provider."""
    settled = _settled(entry)
    cost = {} if settled is None else {"cost": settled / 1_000_000, "cost_usd": settled / 1_000_000}
    return {**cost, "is_byok": False}


def _settled(entry: Entry) -> int | None:
    """Millionths of a US dollar that the job has cost; None while that is open."""
    return {EntryState.SETTLED: entry.settled_micro_usd, EntryState.VOID: 0}.get(entry.state)


def billing(entry: Entry, basis: str | None) -> dict[str, Any]:
    """The money of a job by the ledger: `estimated` before its end, then `settled` or `void`.

    It is `pending` where nobody can say: without a price, and after an order that may have been taken.
    """
    settled, reserved = _settled(entry), entry.reserved_micro_usd
    known = settled is not None if entry.state is not EntryState.RESERVED else reserved is not None
    charged = None if settled is None else settled > 0
    open_ = entry.state in (EntryState.RESERVED, EntryState.HELD)
    told: dict[str, Any] = {
        "currency": "usd",
        "estimated_provider_cost": _usd(reserved),
        "estimated_user_cost": _usd(reserved),
        "settled_provider_cost": _usd(settled),
        "settled_user_cost": _usd(settled),
        "state": STATES[entry.state] if known else "pending",
        "billable": bool(charged),
        "total_nanos": _nanos(settled),
        "estimated_nanos": _nanos(reserved),
        "reserved_nanos": _nanos(reserved) if open_ else 0,
        "reservation_id": entry.job_id,
        "reservation_status": entry.state.value,
        "charge_reason": basis,
        "charged": charged,
    }
    return told | ({"billed_at": iso(entry.ended_at)} if told["state"] == "settled" else {})


def _nanos(micro: int | None) -> int | None:
    return None if micro is None else micro * NANOS_IN_MICRO


def _usd(micro: int | None) -> str | None:
    """Dollars with two decimals, or as many as there are."""
    if micro is None:
        return None
    exact = (Decimal(micro) / 1_000_000).normalize()
    return f"{exact:f}" if int(exact.as_tuple().exponent) < -2 else f"{exact:.2f}"
