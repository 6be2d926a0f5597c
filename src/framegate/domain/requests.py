"""Requests, and the verdict on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Media kind of a reference."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class Role(StrEnum):
    """Role of a reference in the video."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE = "reference"
    SOURCE = "source"
    MASK = "mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One input: its URL, kind and role, and the name that the prompt uses for it."""

    url: str  # https://…, http://…, data:…, or asset://SHA256
    kind: Kind = Kind.IMAGE
    role: Role = Role.REFERENCE
    name: str | None = None
    reference_type: str | None = None  # asset, style, character, location, or a type of the model
    pointer: str = ""  # JSON pointer to its place in the request, for errors
    same_subject_as: str | None = None  # name of the reference of which this is another view; both count as one


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Allowed providers, as in OpenRouter's `provider` object."""

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolicy:
    """How the gateway treats a job, beside what the model gets."""

    start_seconds: float | None = None  # a job without an order by then expires
    low_priority: bool = False  # waits for a concurrency slot behind all others
    retry: bool = True  # whether an order that failed for certain is submitted again
    retain_seconds: int | None = None  # how long the outputs can be downloaded; None: as long as they are stored
    private: bool = False  # the outputs need the key; a signed URL is not enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A client's request. `None`: not set by the client; defaults are applied later."""

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
    models: tuple[str, ...] = ()  # fallbacks, in order
    routing: Routing = field(default_factory=Routing)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    max_cost_usd: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    callback_url: str | None = None
    callback_events: tuple[str, ...] = ()  # events of the dialect to report; empty: its default ones
    previous_job_id: str | None = None
    session_id: str | None = None
    user: str | None = None
    trace: Mapping[str, Any] = field(default_factory=dict[str, Any])
    dialect_state: Mapping[str, Any] = field(default_factory=dict[str, Any])  # of the dialect, for its responses
    policy: JobPolicy = field(default_factory=JobPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One rule of a model that a request breaks, or a warning.

    `pointer` is a JSON pointer into the client's request; `allowed` and `nearest` are JSON values.
    """

    code: str
    pointer: str
    message: str
    allowed: Any = None
    nearest: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A change of a reference that makes the model accept it; `reference` is its index in the request."""

    reference: int
    what: str  # resized, converted, flattened, padded, oriented, recompressed
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The video that a valid request describes, with all defaults applied.

    If it extends a source video, `duration` and `frames` are the added part; the file starts with the source.
    """

    width: int
    height: int
    fps: int
    duration: int  # seconds
    audio: bool
    seed: int | None
    resolution: str | None = None
    aspect_ratio: str | None = None
    source_seconds: float | None = None  # length of the source, 0 until it is measured; None: no source

    @property
    def frames(self) -> int:
        """The exact number of new frames."""
        return self.fps * self.duration

    @property
    def file_frames(self) -> int:
        """The number of frames in the file."""
        return self.frames + round((self.source_seconds or 0.0) * self.fps)

    @property
    def file_seconds(self) -> float:
        """The length of the file in seconds."""
        return self.duration + (self.source_seconds or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Expected cost of a job, in millionths of a US dollar, and how it was computed."""

    micro_usd: int
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Verdict on a request: every broken rule, or the job that it would become."""

    model: str  # canonical id; the client's text for an unknown model
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    target: Target | None = None  # None while there are problems
    estimate: Estimate | None = None  # None if there are problems or no price is known
    alternatives: tuple[str, ...] = ()  # other models that accept the request unchanged
    shots: tuple[Mapping[str, Any], ...] = ()  # shots of the animatic renderer
    adjustments: tuple[Adjustment, ...] = ()  # of the references, once they were inspected

    @property
    def ok(self) -> bool:
        """Whether the model accepts the request unchanged."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Verdict of a local renderer on a request that its catalog entry accepts; `shots` are JSON."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    shots: tuple[Mapping[str, Any], ...] = ()
