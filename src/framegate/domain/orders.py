"""Orders at providers, and their results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from framegate.domain.requests import Problem, Reference, Request, Target

EXTENSIONS = {  # of finished files, by media type
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/mp2t": "ts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file in the content-addressed storage."""

    sha256: str
    size_bytes: int
    media_type: str

    @property
    def extension(self) -> str:
        """Ending of a file name for this type, without the dot; `bin` for an unknown type."""
        return EXTENSIONS.get(self.media_type, "bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedReference:
    """A reference prepared for a provider: inspected, fitted and stored."""

    reference: Reference
    blob: Blob
    path: str
    width: int | None = None
    height: int | None = None
    fitted: bool = False  # differs from the file at its URL
    signed_url: str | None = None  # signed URL of the blob, if the gateway has a public URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The paid request that a provider receives."""

    job_id: str
    key: str  # the same for every attempt: the idempotency key, if the provider accepts one
    request: Request
    model: str  # canonical id
    model_id: str = ""  # the provider's id of the model
    prompt: str | None = None  # with reference names as the provider's model expects them
    target: Target
    references: tuple[PreparedReference, ...] = ()
    age_seconds: float = 0.0  # since the job was created
    webhook: str | None = None  # inbound webhook of the gateway, if the provider can reach it
    audio_is_optional: bool = False  # whether the provider lets the request switch the audio of this model


Handle = Mapping[str, Any]  # JSON of the provider's adapter that identifies the order


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFile:
    """A finished file: where the provider has it (a local path or a URL), then where the gateway stores it."""

    path: str | None = None
    url: str | None = None
    media_type: str = "video/mp4"
    behind_key: bool = False  # the URL is at the account's origin and needs its key
    blob: Blob | None = None  # once it is stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Error with which a job ended without a video."""

    code: str
    message: str
    retryable: bool = False
    unsure: bool = False  # the order may have been accepted; it is not resubmitted automatically
    may_charge: bool = False  # the order was accepted and its end is unknown: the provider may charge for it
    problems: tuple[Problem, ...] = ()
    provider_code: str = ""  # the provider's own code of the error, if it reports one


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The order is in progress. `progress` is 0 to 1, or None if the provider does not report it."""

    progress: float | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The order is completed; `cost_micro_usd` is its cost, if the provider reports it (see `money.reported_cost`).

    `notes` are sentences for the client about differences from the request; `metadata` is what the provider reports
    about the video, unchanged.
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
    """The provider does not know the order or its files, for example a local renderer that was restarted.

    If that does not change within `patience_seconds` (None: the gateway's default), the job fails with this error.
    """

    code: str = "order_lost"
    message: str = "The provider no longer knows this order."
    patience_seconds: float | None = None


Update = Running | Done | Failed | Lost
