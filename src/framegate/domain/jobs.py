"""A job, what changes it, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from framegate.domain.orders import Blob, Fault, Handle, PreparedReference, ProviderFile
from framegate.domain.requests import Adjustment, Estimate, Problem, Request, Target


class Status(StrEnum):
    """A job's public status, in OpenRouter's words."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class State(StrEnum):
    """A job's place on its way; the public status follows from it."""

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
    """One finished video, kept by us. Measured from the file, not taken from the provider."""

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
    matches: tuple[Blob, ...] = ()  # for each reference, the frame that is most like it, as the report lists them


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackAttempt:
    """A way on which a job's order came to nothing, so that another was taken."""

    model: str
    offer: str
    provider: str
    account: str
    code: str
    message: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One intent to make one video, from its acceptance to its end. Times are Unix seconds."""

    id: str  # UUIDv7
    owner: str
    dialect: str
    request: Request
    model: str  # canonical id
    target: Target
    created_at: float
    updated_at: float
    deadline_at: float
    key_id: str | None = None  # the key that placed it; None: no key, or the operator's own
    base_url: str = ""  # the dialect's absolute address as the client reached it: links in webhooks begin so
    state: State = State.QUEUED
    version: int = 1  # rises by one with every move; also the sequence number of that move's event
    started_at: float | None = None
    finished_at: float | None = None
    offer: str = ""  # the provider by whose offer, its limits and its price, the request was judged
    provider: str = ""  # who makes it: that provider, or the sandbox in its place
    account: str = ""
    account_url: str = ""  # the account's base URL: an order is known only where it was placed
    account_key: str = ""  # the mark of its key, by which an account is known under another name
    handle: Handle | None = None
    attempts: int = 0  # orders begun
    submitted_at: float | None = None  # when the newest of them was
    submit_unconfirmed: bool = False  # it may have been taken, and is being looked for
    missing_since: float | None = None  # from when on its provider has said that it does not know it
    fallback_log: tuple[FallbackAttempt, ...] = ()
    failed_downloads: int = 0  # times that fetching the outputs broke off
    failed_submits: int = 0  # orders that came to nothing, but for those that a stop of the gate broke off
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
    provider_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what the provider tells of the video


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of a job, as streamed to whoever follows it."""

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
