"""What Phaseo's clients send: the strict body of its gateway and the words of its Python package, as shapes."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from framegate.api.http.validation import Body, Url, Whole, Word

PROMPT_CHARS_MAX = 32_000
REFERENCES_MAX = 64
TAGS = frozenset(
    f"{kind} reference" for kind in ("image_url", "video_url", "audio_url", "image", "video", "audio", "mask")
)

RoleName = Literal["first_frame", "last_frame", "reference", "source", "mask"]
EventName = Annotated[str, Field(max_length=64)]
Seconds = Literal["4", "8", "12", "16", "20"]
Slugs = Annotated[list[Word], Field(max_length=32)]


class Address(Body):
    """Where a reference lies."""

    url: Url


class Guided(Body):
    """What a reference is for, and what of it guides."""

    role: RoleName | None = None
    reference_type: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class ImageUrl(Guided):
    """A picture, in the gateway's form."""

    type: Literal["image_url"]
    image_url: Address


class MediaUrl(Guided):
    """A video or a sound, in the gateway's form: its address is `media_url`."""

    type: Literal["video_url", "audio_url"]
    media_url: Address


class Medium(Guided):
    """Any of them, in the Python package's form: an address, or base64 data, or an asset."""

    type: Literal["image", "video", "audio", "mask"]
    url: Url | None = None
    data: Url | None = None
    mime_type: Word | None = None
    asset_id: Word | None = None


def _tag(item: object) -> str | None:
    said = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
    return f"{said} reference" if isinstance(said, str) else None


InputReference = Annotated[
    Annotated[ImageUrl, Tag("image_url reference")]
    | Annotated[MediaUrl, Tag("video_url reference")]
    | Annotated[MediaUrl, Tag("audio_url reference")]
    | Annotated[Medium, Tag("image reference")]
    | Annotated[Medium, Tag("video reference")]
    | Annotated[Medium, Tag("audio reference")]
    | Annotated[Medium, Tag("mask reference")],
    Discriminator(_tag),
]


class FrameImage(Body):
    """A picture that the video begins or ends with."""

    type: Literal["image_url"]
    image_url: Address
    frame_type: Literal["first_frame", "last_frame"]


class OpenAiReference(Body):
    """OpenAI's one picture: the first frame."""

    file_id: Word | None = None
    image_url: Url | None = None


class OutputConfig(Body):
    """By which addresses the finished video is told."""

    access: Literal["bytes", "signed_url", "both"] | None = None


class Webhook(Body):
    """Whom to call: a managed endpoint, or an address with an optional secret of its own."""

    endpoint_id: Word | None = None
    url: Url | None = None
    secret: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    events: Annotated[list[EventName], Field(max_length=32)] | None = None


class ProviderChoice(Body):
    """Which providers may take the job. What cannot be promised here is refused when it is asked for."""

    order: Slugs | None = None
    only: Slugs | None = None
    ignore: Slugs | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    require_zero_data_retention: bool | None = None
    include_alpha: bool | None = None
    sort: str | dict[str, Any] | None = None
    max_price: dict[str, Any] | None = None
    quantizations: list[str] | None = None
    preferred_max_latency: float | dict[str, Any] | None = None
    preferred_min_throughput: float | dict[str, Any] | None = None
    required_data_region: str | None = None
    required_execution_region: str | None = None
    enforce_distillable_text: bool | None = None


class VideoRequest(Body):
    """The body of `POST /videos`. A null is the same as a field that is not there."""

    model: Word | None = Field(None, description="The model, by any name that the catalogue knows.")
    prompt: Annotated[str, Field(max_length=PROMPT_CHARS_MAX)] | None = None
    duration: Annotated[Whole, Field(ge=1, le=120)] | None = Field(None, description="Seconds.")
    duration_seconds: Annotated[Whole, Field(ge=1, le=120)] | None = Field(None, description="The same as duration.")
    seconds: Seconds | None = Field(None, description="The same as duration, as OpenAI writes it.")
    size: Word | None = Field(None, description="WIDTHxHEIGHT; not together with resolution or aspect_ratio.")
    resolution: Word | None = None
    aspect_ratio: Word | None = None
    seed: Whole | None = None
    negative_prompt: str | None = None
    generate_audio: bool | None = None
    input_references: Annotated[list[InputReference], Field(max_length=REFERENCES_MAX)] | None = None
    frame_images: Annotated[list[FrameImage], Field(max_length=2)] | None = None
    input_reference: OpenAiReference | None = Field(None, description="OpenAI's first frame, by its address.")
    sample_count: Annotated[Whole, Field(ge=1, le=4)] | None = Field(None, description="One job makes one video.")
    input_video_duration: Annotated[float, Field(gt=0, le=3600)] | None = None
    input_audio_duration: Annotated[float, Field(ge=2, le=20)] | None = None
    enhance_prompt: bool | None = None
    compression_quality: Annotated[Whole, Field(ge=0, le=100)] | None = None
    person_generation: Word | None = None
    resize_mode: Word | None = None
    provider_params: dict[str, Any] | None = Field(None, description="Handed to the provider as they are.")
    provider_options: dict[Word, dict[str, Any]] | None = Field(None, description="The same, by provider.")
    provider: ProviderChoice | None = None
    routing: ProviderChoice | None = Field(None, description="The same as provider.")
    output: OutputConfig | None = None
    webhook: Webhook | None = None
    echo_upstream_request: bool | None = None
    debug: dict[str, Any] | None = None
    beta: dict[str, Any] | None = None


class DownloadRequest(Body):
    """The body of `POST /videos/{id}/download_url`."""

    index: Annotated[Whole, Field(ge=0, le=99)] | None = None
    ttl_seconds: Annotated[Whole, Field(gt=0)] | None = None
    disposition: Literal["attachment", "inline"] | None = None
