"""Outbound webhooks: deliveries and their attempts."""

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """State of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a delivery: the HTTP status of the response, or the error without one."""

    number: int
    at: float  # Unix seconds
    milliseconds: int
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event of a job for one URL. Its id is the same in every attempt."""

    id: str  # UUIDv7
    job_id: str
    owner: str
    dialect: str
    url: str
    type: str  # the dialect's event name
    seq: int  # the job's version after the change
    body: str  # JSON, built when the event happened
    created_at: float
    due_at: float
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    attempts_at_replay: int = 0  # attempts before the last manual replay, from which the schedule counts
    log: tuple[Attempt, ...] = ()
