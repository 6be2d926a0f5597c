"""The nouns that every part of Framegate speaks: frozen values, no behaviour beyond what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a reference is made of."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class Role(StrEnum):
    """What a reference is for."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE = "reference"
    SOURCE = "source"
    MASK = "mask"


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
        return Status(self.value) if self.final else Status.IN_PROGRESS

    @property
    def final(self) -> bool:
        """Whether a job in this state never changes again."""
        return self in (State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One input: where it lies, what it is made of, what it is for, and the name by which the prompt calls it."""

    url: str  # https://…, http://…, data:…, or asset://SHA256
    kind: Kind = Kind.IMAGE
    role: Role = Role.REFERENCE
    name: str | None = None
    type: str | None = None  # what of it guides: asset, style, character, location, or a word of the model's own
    pointer: str = ""  # JSON pointer to where the client wrote it, so that an error can name the place
    view_of: str | None = None  # the name of the reference that this is another view of; the two count as one


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Which providers may take the job, in the words of OpenRouter's `provider` object."""

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """How the gate is to treat a job, beside what the job asks of a model."""

    start_seconds: float | None = None  # a job whose order has not begun by then is expired
    low_priority: bool = False  # stands behind all others that wait for a place at the same provider
    try_again: bool = True  # whether an order that certainly came to nothing is made again
    keep_seconds: int | None = None  # for how long the finished files are handed out; None: as long as they are kept
    private: bool = False  # the finished files take the key, whoever holds their address


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asks for. `None` means that the client did not say; nothing is filled in here."""

    model: str
    prompt: str | None = None
    references: tuple[Reference, ...] = ()
    duration: int | None = None  # seconds
    resolution: str | None = None  # "720p"
    aspect_ratio: str | None = None  # "16:9"
    size: str | None = None  # "1280x720"
    fps: int | None = None
    seed: int | None = None
    generate_audio: bool | None = None
    negative_prompt: str | None = None
    models: tuple[str, ...] = ()  # fall-backs, in order
    routing: Routing = field(default_factory=Routing)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    max_cost_usd: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    callback_url: str | None = None
    callback_events: tuple[str, ...] = ()  # which of the dialect's events to call for; none named: its usual ones
    previous_job_id: str | None = None
    session_id: str | None = None
    user: str | None = None
    trace: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])  # kept by the dialect for its own answers alone
    handling: Handling = field(default_factory=Handling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One rule of a model that a request breaks, or (among warnings) something that the client should know.

    `pointer` is a JSON pointer into the request as the client wrote it; `allowed` and `nearest` are JSON values.
    """

    code: str
    pointer: str
    message: str
    allowed: Any = None
    nearest: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The video that a legal request asks for, every default settled.

    Of a video that goes on from a source, `duration` and `frames` are what is added; the file has the source before
    them.
    """

    width: int
    height: int
    fps: int
    duration: int  # seconds
    audio: bool
    seed: int | None
    resolution: str | None = None
    aspect_ratio: str | None = None
    source_seconds: float | None = None  # how long the source is, 0 until it is measured; None: there is none

    @property
    def frames(self) -> int:
        """The exact number of frames that are made."""
        return self.fps * self.duration

    @property
    def whole_frames(self) -> int:
        """The number of frames in the file."""
        return self.frames + round((self.source_seconds or 0.0) * self.fps)

    @property
    def whole_seconds(self) -> float:
        """How long the file is."""
        return self.duration + (self.source_seconds or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job is expected to cost, in millionths of a US dollar, and how that was reckoned."""

    micro_usd: int
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the check says of a request: every broken rule at once, and what the job would be if there is none."""

    model: str  # canonical id; what the client wrote if no such model is known
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    target: Target | None = None  # None while there are problems
    estimate: Estimate | None = None  # None when there are problems or no price is known
    alternatives: tuple[str, ...] = ()  # other models that would take the request as it stands
    shots: tuple[Mapping[str, Any], ...] = ()  # what a local engine would show, shot by shot, as it tells it

    @property
    def ok(self) -> bool:
        """Whether the model would take the request as it stands."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What a local engine says beforehand of a request that fits its row of the catalogue; `shots` are JSON."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    shots: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A change made to a reference so that the model takes it; `reference` is its index in the request."""

    reference: int
    what: str  # resized, converted, padded, oriented, recompressed
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file in the content-addressed store."""

    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A reference made ready for a provider: looked at, fitted, kept."""

    reference: Reference
    blob: Blob
    path: str
    width: int | None = None
    height: int | None = None
    fitted: bool = False  # it is no longer what its address gives
    link: str | None = None  # our own signed address of it, where the gate can be reached from outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a provider is asked to make."""

    job_id: str
    key: str  # the same for every try of the same order: an idempotency key where the provider takes one
    request: Request
    model: str  # canonical id
    model_id: str = ""  # the provider's own
    prompt: str | None = None  # with names in the words that the provider's model reads
    target: Target
    references: tuple[Prepared, ...] = ()
    webhook: str | None = None  # where the provider may call when it is over, if the gate can be reached


Handle = Mapping[str, Any]  # a provider's own JSON by which it finds an order again


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A finished file: where the provider left it (a local path, or an address), then where we keep it."""

    path: str | None = None
    url: str | None = None
    media_type: str = "video/mp4"
    own: bool = False  # the address asks for the account's key, and lies at its origin
    blob: Blob | None = None  # once it is in our own store


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a job ended without a video."""

    code: str
    message: str
    retryable: bool = False
    unsure: bool = False  # the order may have been taken: nothing is ordered again by itself
    may_charge: bool = False  # an order stands that the gate knows no end of: its provider may charge for it
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The order is being made. `progress` is 0 to 1, or None where the provider does not tell."""

    progress: float | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The order is made; `cost_micro_usd` is what the provider says it cost, if it says.

    `notes` are sentences for the client about what was made otherwise than asked.
    """

    outputs: tuple[Made, ...]
    cost_micro_usd: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The provider ended the order without a video."""

    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The provider does not know the order: a local renderer that was restarted, for one."""


Update = Running | Done | Failed | Lost


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
class Tried:
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
    handle: Handle | None = None
    attempts: int = 0  # orders begun
    sent_at: float | None = None  # when the newest of them was
    doubtful: bool = False  # it may have been taken, and is being looked for
    tried: tuple[Tried, ...] = ()
    downloads: int = 0  # times that fetching the outputs broke off
    setbacks: int = 0  # orders that came to nothing, but for those that a stop of the gate broke off
    progress: float | None = None  # 0 to 1
    stage: str = "queued"
    cancel_requested: bool = False
    fault: Fault | None = None
    warnings: tuple[Problem, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    prepared: tuple[Prepared, ...] = ()
    made: tuple[Made, ...] = ()
    outputs: tuple[Output, ...] = ()
    report: Mapping[str, Any] | None = None
    estimate: Estimate | None = None
    cost_micro_usd: int | None = None


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
    attempts_before: int = 0  # those made before it was last asked for by hand: its schedule counts from there
    log: tuple[Attempt, ...] = ()


class Scope(StrEnum):
    """What a key may be used for."""

    CREATE = "create"  # place, cancel and delete jobs; upload
    READ = "read"  # look at jobs and fetch their files
    ADMIN = "admin"  # manage keys


class BudgetPeriod(StrEnum):
    """How long a key's budget has to last; days and months are those of UTC."""

    TOTAL = "total"
    MONTH = "month"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that clients send; its text is kept nowhere, only the text's hash."""

    id: str
    owner: str
    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None  # to the minute
    requests_per_minute: int | None = None  # None: no limit
    budget_micro_usd: int | None = None  # None: no limit
    budget_period: BudgetPeriod | None = None
