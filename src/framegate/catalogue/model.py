"""Catalog entries: what a model is, supports and costs, as frozen values read from the files in `data/`.

None means that a limit is unknown and is not checked. An empty set of choices means that the model offers no choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from framegate.domain import Kind, Role

Audio = Literal["optional", "always", "never"]


@dataclass(frozen=True, slots=True)
class Count:
    """How many references of one role and kind a request may have."""

    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A limit on several roles and kinds together, always or only when the request has one of `when`."""

    of: tuple[tuple[Role, Kind], ...]
    min: int = 0
    max: int | None = None
    when: tuple[Role, Kind] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationRule:
    """Only `durations` (seconds) are supported with a reference of `role`, or at one of `resolutions`."""

    durations: tuple[int, ...]
    role: Role | None = None
    resolutions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRule:
    """`resolutions` are supported only with a reference of one of `roles`, and with none of `without_roles`."""

    resolutions: tuple[str, ...]
    roles: tuple[Role, ...] = ()
    without_roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """Image references that the model accepts; other images are converted to fit."""

    min_side_px: int | None = None
    max_side_px: int | None = None
    max_bytes: int | None = None
    min_ratio: float | None = None  # width / height
    max_ratio: float | None = None
    formats: tuple[str, ...] | None = None
    alpha: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLimits:
    """Video or audio references that the model accepts."""

    min_seconds: int | None = None
    max_seconds: int | None = None
    max_seconds_total: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLimits:
    """Prompts that the model accepts."""

    required: bool | None = None
    min_chars: int | None = None
    max_chars: int | None = None
    max_bytes: int | None = None  # of its UTF-8 form


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a model supports."""

    durations: tuple[int, ...] | None = None  # seconds
    resolutions: tuple[str, ...] | None = None
    aspect_ratios: tuple[str, ...] | None = None
    sizes: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType[str, str]({})
    )  # "480p 16:9" -> "832x480", where it differs from the usual size
    sizes_except: tuple[str, ...] = ()  # usual sizes that the model does not support
    sizes_published: bool = True  # False: sizes are nominal, the vendor documents only resolution and ratio
    fps: tuple[int, ...] = ()
    prompt: PromptLimits = PromptLimits()
    references: Mapping[Role, Mapping[Kind, Count]] = field(
        default_factory=lambda: MappingProxyType[Role, Mapping[Kind, Count]]({})
    )
    totals: tuple[Total, ...] = ()
    references_exclude_frames: bool | None = None
    last_frame_needs_first: bool | None = None
    audio_needs_picture: bool = False  # an audio reference must come with an image or a video
    audio: Audio | None = None
    seed: bool | None = None
    negative_prompt: bool | None = None
    negative_prompt_max_chars: int | None = None
    no_seed_with: tuple[Role, ...] = ()  # with references of these roles a seed is not supported
    no_negative_prompt_with: tuple[Role, ...] = ()
    previous_job: bool = False  # can continue the video of an earlier job of this gateway
    extends: bool = False  # appends to a source video: the file is the source followed by the new seconds
    duration_rules: tuple[DurationRule, ...] = ()
    resolution_rules: tuple[ResolutionRule, ...] = ()
    prompt_tokens: Mapping[Kind, str] = field(default_factory=lambda: MappingProxyType[Kind, str]({}))
    images: ImageLimits = ImageLimits()
    videos: ClipLimits = ClipLimits()
    audios: ClipLimits = ClipLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What Framegate requests where the client does not say; `fps` is the model's own rate, None if unknown."""

    duration: int  # seconds
    resolution: str
    aspect_ratio: str
    audio: bool
    fps: int | None = None


Input = Literal["text", "image", "video"]
Unit = Literal["second", "token", "video", "reference_image", "minimum"]  # minimum: of the whole charge


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for one unit, for requests that match the resolution, audio and input."""

    unit: Unit
    usd: Decimal
    resolutions: tuple[str, ...] = ()
    audio: bool | None = None
    input: Input | None = None
    input_seconds: bool = False  # the seconds of video references are charged too


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where facts were read, and when (year-month)."""

    facts: tuple[str, ...]
    url: str
    read: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a model or an offer, or a pause: since when, and its successors."""

    since: str = ""  # year-month-day; empty if unknown
    successors: tuple[str, ...] = ()  # ids of models; empty if unknown
    paused: bool = False  # its service still lists it, as inactive
    delisted: bool = False  # its service no longer lists it, without an announcement
    url: str = ""
    read: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedModel:
    """A model that no provider offers any more, with the names that clients may still use."""

    id: str
    ended: Ended
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """One provider's offer of a model: its own id for it, its limits, its prices."""

    provider: str
    id: str
    limits: Limits
    prices: tuple[Price, ...] = ()
    has_own_limits: bool = False  # whether the provider supports less than the model does
    ended: Ended | None = None
    needs_listing: bool = False  # its service does not route it: not offered until the service's list has it
    sources: tuple[Source, ...] = ()
    unparsed_prices: tuple[str, ...] = ()  # names of listed prices that are not supported; then no price is known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One model: its vendor's limits, the defaults, and its offers."""

    id: str
    name: str
    description: str
    limits: Limits
    defaults: Defaults
    offers: tuple[Offer, ...]
    created: int = 0  # Unix seconds; 0 if unknown
    canonical_slug: str = ""
    hugging_face_id: str | None = None
    aliases: tuple[str, ...] = ()
    passthrough: tuple[str, ...] = ()  # option keys that OpenRouter forwards
    sources: tuple[Source, ...] = ()
    open_offers: tuple[Offer, ...] = field(init=False, repr=False)  # those that have not ended

    def __post_init__(self) -> None:
        open_offers = tuple(offer for offer in self.offers if offer.ended is None)
        object.__setattr__(self, "open_offers", open_offers)

    @property
    def prices(self) -> tuple[Price, ...]:
        """The prices of the first offer that has any."""
        return next((offer.prices for offer in self.offers if offer.prices), ())

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that clients can use for the model."""
        return tuple(dict.fromkeys((self.id, self.canonical_slug or self.id, *self.aliases)))

    def offer(self, provider: str) -> Offer | None:
        """The offer of one provider, if it has one."""
        return next((offer for offer in self.offers if offer.provider == provider), None)
