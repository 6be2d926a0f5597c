"""Webhooks on their way."""

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a webhook stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to hand over a webhook: the answer's HTTP status, or why there was none."""

    number: int
    at: float  # Unix seconds
    milliseconds: int
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event of a job on its way to one address. Its id is the event's, the same however often it is sent."""

    id: str  # UUIDv7
    job_id: str
    owner: str
    dialect: str
    url: str
    type: str  # in the dialect's words
    seq: int  # the job's version after the change
    body: str  # JSON, fixed when the event happened
    created_at: float
    due_at: float
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    attempts_at_replay: int = 0  # those made before it was last asked for by hand: its schedule counts from there
    log: tuple[Attempt, ...] = ()
