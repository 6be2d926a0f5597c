"""Cost of a job in Phaseo's form, from the ledger."""

from typing import Any

from framegate.domain.ledger import Entry, EntryState
from framegate.domain.money import MICRO_USD, format_usd, from_micro_usd

NANOS_IN_MICRO = 1000
STATES = {
    EntryState.RESERVED: "estimated",
    EntryState.SETTLED: "settled",
    EntryState.VOID: "void",
    EntryState.HELD: "pending",
}


def usage(entry: Entry) -> dict[str, Any]:
    """Return the cost of a job, once it is settled. The caller never brings a provider key."""
    settled = _settled(entry)
    cost = {} if settled is None else {"cost": settled / MICRO_USD, "cost_usd": settled / MICRO_USD}
    return {**cost, "is_byok": False}


def billing(entry: Entry, basis: str | None, *, ended_at: str | None) -> dict[str, Any]:
    """Return the billing of a job: `estimated` before its end, then `settled` or `void`.

    It is `pending` if the cost is unknown: without a price, and after an order with an unknown outcome. `ended_at` is
    the time of the settlement.
    """
    settled, reserved = _settled(entry), entry.reserved_micro_usd
    is_known = settled is not None if entry.state is not EntryState.RESERVED else reserved is not None
    is_charged = None if settled is None else settled > 0
    is_open = entry.state in (EntryState.RESERVED, EntryState.HELD)
    body: dict[str, Any] = {
        "currency": "usd",
        "estimated_provider_cost": _usd(reserved),
        "estimated_user_cost": _usd(reserved),
        "settled_provider_cost": _usd(settled),
        "settled_user_cost": _usd(settled),
        "state": STATES[entry.state] if is_known else "pending",
        "billable": bool(is_charged),
        "total_nanos": _nanos(settled),
        "estimated_nanos": _nanos(reserved),
        "reserved_nanos": _nanos(reserved) if is_open else 0,
        "reservation_id": entry.job_id,
        "reservation_status": entry.state.value,
        "charge_reason": basis,
        "charged": is_charged,
    }
    return body | ({"billed_at": ended_at} if body["state"] == "settled" else {})


def _settled(entry: Entry) -> int | None:
    """Return the final cost in micro-dollars; None while it is open."""
    return {EntryState.SETTLED: entry.settled_micro_usd, EntryState.VOID: 0}.get(entry.state)


def _nanos(micro_usd: int | None) -> int | None:
    return None if micro_usd is None else micro_usd * NANOS_IN_MICRO


def _usd(micro_usd: int | None) -> str | None:
    return None if micro_usd is None else format_usd(from_micro_usd(micro_usd))
