"""What a provider is asked to make, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from framegate.domain.requests import Problem, Reference, Request, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file in the content-addressed store."""

    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedReference:
    """A reference made ready for a provider: looked at, fitted, kept."""

    reference: Reference
    blob: Blob
    path: str
    width: int | None = None
    height: int | None = None
    fitted: bool = False  # it is no longer what its address gives
    signed_url: str | None = None  # our own signed address of it, where the gate can be reached from outside


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
    references: tuple[PreparedReference, ...] = ()
    webhook: str | None = None  # where the provider may call when it is over, if the gate can be reached
    audio_is_optional: bool = False  # whether the provider lets the sound of this model be chosen


Handle = Mapping[str, Any]  # a provider's own JSON by which it finds an order again


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFile:
    """A finished file: where the provider left it (a local path, or an address), then where we keep it."""

    path: str | None = None
    url: str | None = None
    media_type: str = "video/mp4"
    behind_key: bool = False  # the address asks for the account's key, and lies at its origin
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

    `notes` are sentences for the client about what was made otherwise than asked; `metadata` is what the provider tells
    of the video, in its own words.
    """

    outputs: tuple[ProviderFile, ...]
    cost_micro_usd: int | None = None
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The provider ended the order without a video."""

    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The provider does not know the order: a local renderer that was restarted, for one."""


Update = Running | Done | Failed | Lost
