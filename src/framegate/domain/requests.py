"""What is asked for, and what the check says of it."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One input: where it lies, what it is made of, what it is for, and the name by which the prompt calls it."""

    url: str  # https://…, http://…, data:…, or asset://SHA256
    kind: Kind = Kind.IMAGE
    role: Role = Role.REFERENCE
    name: str | None = None
    reference_type: str | None = (
        None  # what of it guides: asset, style, character, location, or a word of the model's own
    )
    pointer: str = ""  # JSON pointer to where the client wrote it, so that an error can name the place
    same_subject_as: str | None = None  # the name of the reference that this is another view of; the two count as one


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Which providers may take the job, in the words of OpenRouter's `provider` object."""

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolicy:
    """How the gate is to treat a job, beside what the job asks of a model."""

    start_seconds: float | None = None  # a job whose order has not begun by then is expired
    low_priority: bool = False  # stands behind all others that wait for a place at the same provider
    retry: bool = True  # whether an order that certainly came to nothing is made again
    retain_seconds: int | None = None  # for how long the finished files are handed out; None: as long as they are kept
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
    dialect_state: Mapping[str, Any] = field(
        default_factory=dict[str, Any]
    )  # kept by the dialect for its own answers alone
    policy: JobPolicy = field(default_factory=JobPolicy)


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
class Adjustment:
    """A change made to a reference so that the model takes it; `reference` is its index in the request."""

    reference: int
    what: str  # resized, converted, flattened, padded, oriented, recompressed
    before: str
    after: str
    reason: str


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
    def file_frames(self) -> int:
        """The number of frames in the file."""
        return self.frames + round((self.source_seconds or 0.0) * self.fps)

    @property
    def file_seconds(self) -> float:
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
    adjustments: tuple[Adjustment, ...] = ()  # what would be changed of the references, once these were looked at

    @property
    def ok(self) -> bool:
        """Whether the model would take the request as it stands."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a local engine says beforehand of a request that fits its row of the catalogue; `shots` are JSON."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    shots: tuple[Mapping[str, Any], ...] = ()
