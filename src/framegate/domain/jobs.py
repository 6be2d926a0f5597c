"""Jobs, their states, outputs and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from framegate.domain.orders import Blob, Fault, Handle, PreparedReference, ProviderFile
from framegate.domain.requests import Adjustment, Estimate, Problem, Request, Target


class Status(StrEnum):
    """Public status of a job, as OpenRouter names it."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class State(StrEnum):
    """Internal state of a job; the public status follows from it."""

    QUEUED = "queued"
    PREPARING = "preparing"
    SUBMITTING = "submitting"
    RUNNING = "running"
    FETCHING = "fetching"
    CHECKING = "checking"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def status(self) -> Status:
        """The public status of a job in this state."""
        if self is State.QUEUED:
            return Status.PENDING
        return Status(self.value) if self.is_final else Status.IN_PROGRESS

    @property
    def is_final(self) -> bool:
        """Whether a job in this state never changes again."""
        return self in (State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One finished video that the gateway stores; measured from the file, not reported by the provider."""

    index: int
    blob: Blob
    width: int
    height: int
    fps: float
    frames: int
    duration: float  # seconds
    audio: bool
    poster: Blob | None = None
    contact_sheet: Blob | None = None
    matches: tuple[Blob, ...] = ()  # for each reference, the most similar frame, in the order of the report


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackAttempt:
    """A route on which a job's order failed, so that the job fell back to another."""

    model: str
    offer: str
    provider: str
    account: str
    code: str
    message: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request for one video, from its acceptance to its end. Times are Unix seconds."""

    id: str  # UUIDv7
    owner: str
    dialect: str
    request: Request
    model: str  # canonical id
    target: Target
    created_at: float
    updated_at: float
    deadline_at: float
    key_id: str | None = None  # of the create; None: without a key, or with the operator's
    via: tuple[str, ...] = ()  # ids of the gateways that the create came through
    base_url: str = ""  # of the dialect, as the client used it: the start of URLs in webhooks
    state: State = State.QUEUED
    version: int = 1  # rises by one with every change, and is the sequence number of its event
    started_at: float | None = None
    finished_at: float | None = None
    offer: str = ""  # provider of the offer whose limits and price apply
    provider: str = ""  # that makes the video: the same, or the sandbox instead
    account: str = ""
    account_url: str = ""  # base URL of the account: an order is only known where it was submitted
    account_key: str = ""  # fingerprint of its key, which identifies a renamed account
    handle: Handle | None = None
    attempts: int = 0  # number of orders
    submitted_at: float | None = None  # of the newest order
    submit_unconfirmed: bool = False  # the newest order may have been accepted, and is being looked up
    missing_since: float | None = None  # since when the provider does not know the order
    fallback_log: tuple[FallbackAttempt, ...] = ()
    failed_downloads: int = 0  # number of failed downloads of the outputs
    failed_submits: int = 0  # number of failed orders, without those that a stop of the gateway interrupted
    progress: float | None = None  # 0 to 1
    stage: str = "queued"
    cancel_requested: bool = False
    fault: Fault | None = None
    warnings: tuple[Problem, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    prepared: tuple[PreparedReference, ...] = ()
    provider_files: tuple[ProviderFile, ...] = ()
    outputs: tuple[Output, ...] = ()
    report: Mapping[str, Any] | None = None
    estimate: Estimate | None = None
    cost_micro_usd: int | None = None
    provider_metadata: Mapping[str, Any] = field(
        default_factory=dict[str, Any]
    )  # what the provider reports about the video


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of a job, as streamed to its followers."""

    job_id: str
    seq: int  # the job's version after the change
    at: float  # Unix seconds
    state: State
    stage: str
    progress: float | None = None

    @property
    def status(self) -> Status:
        """The public status after the change."""
        return self.state.status
