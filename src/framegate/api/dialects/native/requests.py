"""Request bodies of the native API: OpenRouter's and its superset, and their conversion to a `Request`."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from framegate.api.http.callbacks import callback_problem
from framegate.api.http.validation import Body, Whole, Word
from framegate.config.settings import Settings
from framegate.domain import Kind, Problem, Reference, Request, Role, Routing
from framegate.domain.errors import InvalidRequest

UNION_TAGS = frozenset({"image reference", "video reference", "audio reference"})


class Address(Body):
    """URL of a reference: https://…, http://…, data:…;base64,… or asset://SHA256."""

    url: Annotated[str, Field(min_length=1)]


class NamedReference(Body):
    """Superset fields of a reference: its role, its type, and its name in the prompt (`@name`)."""

    role: Literal["first_frame", "last_frame", "reference", "source", "mask"] | None = None
    reference_type: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="asset, style, character, location, or a type that the model defines."
    )
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class ImageReference(NamedReference):
    """Image reference."""

    type: Literal["image_url"]
    image_url: Address


class VideoReference(NamedReference):
    """Video reference."""

    type: Literal["video_url"]
    video_url: Address


class AudioReference(NamedReference):
    """Audio reference."""

    type: Literal["audio_url"]
    audio_url: Address


class FrameImage(Body):
    """First or last frame of the video."""

    type: Literal["image_url"]
    image_url: Address
    frame_type: Literal["first_frame", "last_frame"]


def _tag(item: object) -> str | None:
    name = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
    kind = name.removesuffix("_url") if isinstance(name, str) and name.endswith("_url") else ""
    return f"{kind} reference" if f"{kind} reference" in UNION_TAGS else None


InputReference = Annotated[
    Annotated[ImageReference, Tag("image reference")]
    | Annotated[VideoReference, Tag("video reference")]
    | Annotated[AudioReference, Tag("audio reference")],
    Discriminator(_tag),
]


class ProviderChoice(Body):
    """Allowed providers, and options that are passed to each unchanged."""

    options: dict[Word, dict[str, Any]] | None = None
    order: Annotated[list[Word], Field(max_length=32)] | None = None
    only: Annotated[list[Word], Field(max_length=32)] | None = None
    ignore: Annotated[list[Word], Field(max_length=32)] | None = None


class VideoRequest(Body):
    """The body of `POST /videos` and `POST /videos/check`. Null is the same as a missing field."""

    model: Word
    prompt: str | None = None
    duration: Whole | None = Field(None, ge=1, description="Seconds.")
    resolution: Word | None = Field(None, description="Such as 720p, 1080p, 4K.")
    aspect_ratio: Word | None = Field(None, description="Such as 16:9.")
    size: Word | None = Field(None, description="WIDTHxHEIGHT, instead of resolution and aspect_ratio.")
    frame_images: Annotated[list[FrameImage], Field(max_length=2)] | None = None
    input_references: Annotated[list[InputReference], Field(max_length=64)] | None = None
    generate_audio: bool | None = None
    seed: Whole | None = None
    fps: Whole | None = Field(None, ge=1, description="Frames per second.")
    negative_prompt: str | None = None
    callback_url: str | None = Field(None, min_length=1, max_length=2048, description="The https URL of a webhook.")
    provider: ProviderChoice | None = None
    models: Annotated[list[Word], Field(max_length=16)] | None = Field(None, description="Fallback models, in order.")
    max_cost_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    metadata: Annotated[dict[Word, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None = None
    previous_job_id: Word | None = None
    session_id: Word | None = None
    user: Word | None = None
    trace: dict[str, Any] | None = None
    upscale_factor: float | None = Field(None, description="For upscaling models, which are not supported: rejected.")
    creativity: Whole | None = Field(None, description="For upscaling models, which are not supported: rejected.")


def to_request(body: VideoRequest, settings: Settings, *, session_id: str | None = None) -> Request:
    """Return the `Request` of a body. Raises `InvalidRequest` for fields that no model supports."""
    problems = list(_unsupported(body))
    if body.callback_url is not None and (
        problem := callback_problem(body.callback_url, settings, field="callback_url")
    ):
        problems.append(problem)
    if problems:
        raise InvalidRequest(problems)
    choice = body.provider or ProviderChoice()
    return Request(
        model=body.model,
        prompt=body.prompt,
        references=(*_frames(body), *_references(body)),
        duration=body.duration,
        resolution=body.resolution,
        aspect_ratio=body.aspect_ratio,
        size=body.size,
        fps=body.fps,
        seed=body.seed,
        generate_audio=body.generate_audio,
        negative_prompt=body.negative_prompt,
        models=tuple(body.models or ()),
        routing=Routing(
            order=tuple(choice.order or ()), only=tuple(choice.only or ()), ignore=tuple(choice.ignore or ())
        ),
        options=choice.options or {},
        max_cost_usd=body.max_cost_usd,
        metadata=body.metadata or {},
        callback_url=body.callback_url,
        previous_job_id=body.previous_job_id,
        session_id=body.session_id or session_id,
        user=body.user,
        trace=body.trace or {},
    )


def _frames(body: VideoRequest) -> Iterator[Reference]:
    for index, frame in enumerate(body.frame_images or ()):
        pointer = f"/frame_images/{index}/image_url/url"
        yield Reference(url=frame.image_url.url, role=Role(frame.frame_type), pointer=pointer)


def _references(body: VideoRequest) -> Iterator[Reference]:
    for index, item in enumerate(body.input_references or ()):
        match item:
            case ImageReference():
                kind, address = Kind.IMAGE, item.image_url
            case VideoReference():
                kind, address = Kind.VIDEO, item.video_url
            case AudioReference():
                kind, address = Kind.AUDIO, item.audio_url
        yield Reference(
            url=address.url,
            kind=kind,
            role=Role(item.role or Role.REFERENCE),
            name=item.name,
            reference_type=item.reference_type,
            pointer=f"/input_references/{index}/{item.type}/url",
        )


def _unsupported(body: VideoRequest) -> Iterator[Problem]:
    for name in ("upscale_factor", "creativity"):
        if getattr(body, name) is not None:
            message = f"`{name}` is for upscaling models, which are not supported. Remove it."
            yield Problem(code="not_served", pointer=f"/{name}", message=message)
