"""Request bodies of the Phaseo-compatible API, and their conversion to a `Request`.

They are the strict body of Phaseo's gateway, with the fields that its Python package sends.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Discriminator, Field, Tag

from framegate.api.dialects.phaseo.webhooks import Webhook, subscribe
from framegate.api.http.validation import Body, Url, Whole, Word
from framegate.catalogue import Catalogue
from framegate.config.settings import Settings
from framegate.domain import Kind, Problem, Reference, Request, Role, Routing
from framegate.domain.errors import InvalidRequest

PROMPT_CHARS_MAX = 32_000
REFERENCES_MAX = 64
BASE64_FIELDS = (b"data",)  # of `Medium`: base64 without `data:` before it
DEFAULT_MODEL = "sora-2"  # Phaseo's default; OpenAI has retired it
REFERENCE_KINDS = ("image_url", "video_url", "audio_url", "image", "video", "audio", "mask")
UNION_TAGS = frozenset(f"{kind} item" for kind in REFERENCE_KINDS)
PHASEO_OPTIONS = (
    "input_video_duration", "input_audio_duration", "enhance_prompt", "compression_quality", "person_generation",
    "resize_mode", "provider_params", "debug", "beta",
)  # fmt: skip
# Phaseo accepts these only at the top of the body, where it validates them. Written without `_` and `-`.
TOP_LEVEL_ONLY = frozenset({
    "request", "model", "prompt", "input", "content", "seconds", "size", "resolution", "aspectratio", "ratio",
    "samplecount", "numberofvideos", "callbackurl",
})  # fmt: skip
# Routing conditions that no provider guarantees.
UNSUPPORTED_ROUTING = (
    "sort", "max_price", "quantizations", "preferred_max_latency", "preferred_min_throughput", "required_data_region",
    "required_execution_region", "enforce_distillable_text", "zdr", "require_zero_data_retention", "include_alpha",
)  # fmt: skip

RoleName = Literal["first_frame", "last_frame", "reference", "source", "mask"]
Slugs = Annotated[list[Word], Field(max_length=32)]


# -- bodies


class Address(Body):
    """URL of a reference."""

    url: Url


class RoleAndType(Body):
    """Role and type of a reference."""

    role: RoleName | None = None
    reference_type: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class ImageUrl(RoleAndType):
    """Image reference, in the gateway's form."""

    type: Literal["image_url"]
    image_url: Address


class MediaUrl(RoleAndType):
    """Video or audio reference, in the gateway's form: its URL is in `media_url`."""

    type: Literal["video_url", "audio_url"]
    media_url: Address


class Medium(RoleAndType):
    """Reference in the Python package's form: a URL, base64 data, or an asset."""

    type: Literal["image", "video", "audio", "mask"]
    url: Url | None = None
    data: Url | None = None
    mime_type: Word | None = None
    asset_id: Word | None = None


def _tag(item: object) -> str | None:
    kind = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
    return f"{kind} item" if isinstance(kind, str) else None


InputReference = Annotated[
    Annotated[ImageUrl, Tag("image_url item")]
    | Annotated[MediaUrl, Tag("video_url item")]
    | Annotated[MediaUrl, Tag("audio_url item")]
    | Annotated[Medium, Tag("image item")]
    | Annotated[Medium, Tag("video item")]
    | Annotated[Medium, Tag("audio item")]
    | Annotated[Medium, Tag("mask item")],
    Discriminator(_tag),
]


class FrameImage(Body):
    """First or last frame of the video."""

    type: Literal["image_url"]
    image_url: Address
    frame_type: Literal["first_frame", "last_frame"]


class OpenAiReference(Body):
    """OpenAI's single image, which is the first frame."""

    file_id: Word | None = None
    image_url: Url | None = None


def _as_image(value: object) -> object:
    """An image as the older fields have it: a URL, `{"url": …}` or `{"image_url": {"url": …}}`."""
    image = value
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        image = fields["image_url"] if set(fields) == {"image_url"} else fields
    return {"url": image} if isinstance(image, str) else image


OlderImage = Annotated[Address, BeforeValidator(_as_image)]
OLDER_IMAGES = {"input_image": Role.FIRST_FRAME, "first_frame": Role.FIRST_FRAME, "last_frame": Role.LAST_FRAME}
# By the older name of a field: the one that it means the same as.
OLDER_TEXTS = {"input": "prompt", "ratio": "aspect_ratio", "quality": "resolution"}
RESOLUTION = re.compile(r"\d{3,4}p|\dk", re.IGNORECASE | re.ASCII)


def _as_seconds(value: object) -> object:
    """Seconds as a string, as OpenAI has them, or as a number."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 4 else value


Seconds = Annotated[Whole, Field(ge=1, le=120), BeforeValidator(_as_seconds)]


class OutputConfig(Body):
    """Which URLs of the video the responses have."""

    access: Literal["bytes", "signed_url", "both"] | None = None


class ProviderChoice(Body):
    """Allowed providers. Conditions that no provider guarantees are rejected."""

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
    """The body of `POST /videos`. Null is the same as a missing field."""

    model: Word | None = Field(None, description="The model, by any name in the catalogue.")
    prompt: Annotated[str, Field(max_length=PROMPT_CHARS_MAX)] | None = None
    duration: Annotated[Whole, Field(ge=1, le=120)] | None = Field(None, description="Seconds.")
    duration_seconds: Annotated[Whole, Field(ge=1, le=120)] | None = Field(None, description="The same as duration.")
    seconds: Seconds | None = Field(None, description="The same as duration, as a string or a number.")
    size: Word | None = Field(None, description="WIDTHxHEIGHT; not together with resolution or aspect_ratio.")
    resolution: Word | None = None
    aspect_ratio: Word | None = None
    seed: Whole | None = None
    negative_prompt: str | None = None
    generate_audio: bool | None = None
    input_references: Annotated[list[InputReference], Field(max_length=REFERENCES_MAX)] | None = None
    frame_images: Annotated[list[FrameImage], Field(max_length=2)] | None = None
    input_reference: OpenAiReference | None = Field(None, description="OpenAI's first frame, by its URL.")
    input: Annotated[str, Field(max_length=PROMPT_CHARS_MAX)] | None = Field(None, description="Older: prompt.")
    ratio: Word | None = Field(None, description="Older: aspect_ratio.")
    quality: Word | None = Field(None, description="Older: resolution.")
    input_image: OlderImage | None = Field(None, description="Older: the first frame.")
    first_frame: OlderImage | None = Field(None, description="Older: the first frame.")
    last_frame: OlderImage | None = Field(None, description="Older: the last frame.")
    reference_images: Annotated[list[OlderImage], Field(max_length=REFERENCES_MAX)] | None = Field(
        None, description="Older: images with the role reference."
    )
    sample_count: Annotated[Whole, Field(ge=1, le=4)] | None = Field(None, description="One job makes one video.")
    input_video_duration: Annotated[float, Field(gt=0, le=3600)] | None = None
    input_audio_duration: Annotated[float, Field(ge=2, le=20)] | None = None
    enhance_prompt: bool | None = None
    compression_quality: Annotated[Whole, Field(ge=0, le=100)] | None = None
    person_generation: Word | None = None
    resize_mode: Word | None = None
    provider_params: dict[str, Any] | None = Field(None, description="Passed to the provider unchanged.")
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


# -- conversion


def to_request(body: VideoRequest, *, catalogue: Catalogue, settings: Settings) -> Request:
    """Return the `Request` of a body. Raises `InvalidRequest` for fields that no model supports."""
    body, problems = _with_current_names(body)
    problems += _problems(body, catalogue)
    subscription = subscribe(body.webhook, settings, problems)
    references = tuple(_references(body, problems))
    durations = {value for value in _durations(body).values() if value is not None}
    is_visual = any(reference.kind is not Kind.AUDIO for reference in references)
    if not (body.prompt or "").strip() and not is_visual:
        message = "`prompt` is required without an image or video reference."
        problems.append(Problem(code="prompt_missing", pointer="/prompt", message=message))
    if problems:
        raise InvalidRequest(problems)
    access = (body.output and body.output.access) or "both"
    return Request(
        model=body.model or DEFAULT_MODEL,
        prompt=body.prompt,
        references=references,
        duration=durations.pop() if durations else None,
        resolution=body.resolution,
        aspect_ratio=body.aspect_ratio,
        size=body.size,
        seed=body.seed,
        generate_audio=body.generate_audio,
        negative_prompt=body.negative_prompt,
        routing=_routing(body.provider or body.routing or ProviderChoice()),
        options=_options(body),
        callback_url=subscription.url if subscription else None,
        callback_events=subscription.events if subscription else (),
        dialect_state={"access": access, **(subscription.state if subscription else {})},
    )


def _with_current_names(body: VideoRequest) -> tuple[VideoRequest, list[Problem]]:
    """Return the body with the values of its older fields under their present names, and what is wrong with them."""
    problems: list[Problem] = []
    changes: dict[str, str] = {}
    for older, name in OLDER_TEXTS.items():
        value, current = getattr(body, older), getattr(body, name)
        if value is None:
            continue
        if older == "quality" and not RESOLUTION.fullmatch(value):
            message = f"`quality` means the resolution, such as 720p, not `{value[:32]}`. Send `resolution`."
            problems.append(Problem(code="invalid_value", pointer="/quality", message=message))
        elif current not in (None, value):
            message = f"`{older}` means the same as `{name}`. Send only `{name}`."
            problems.append(Problem(code="fields_combined", pointer=f"/{older}", message=message, nearest=name))
        else:
            changes[name] = value
    return body.model_copy(update=changes), problems


def _options(body: VideoRequest) -> dict[str, Mapping[str, Any]]:
    """Return the options that are passed on unchanged: Phaseo's own, and those of each provider."""
    own = {name: getattr(body, name) for name in PHASEO_OPTIONS if getattr(body, name) not in (None, {})}
    return {**(body.provider_options or {}), **({"phaseo": own} if own else {})}


def _routing(choice: ProviderChoice) -> Routing:
    only = choice.only or (choice.order if choice.allow_fallbacks is False else None)
    return Routing(order=tuple(choice.order or ()), only=tuple(only or ()), ignore=tuple(choice.ignore or ()))


def _durations(body: VideoRequest) -> dict[str, int | None]:
    return {"duration": body.duration, "duration_seconds": body.duration_seconds, "seconds": body.seconds}


def _problems(body: VideoRequest, catalogue: Catalogue) -> Iterator[Problem]:
    if body.model is None and catalogue.get(DEFAULT_MODEL) is None:
        yield _model_missing(catalogue)
    if body.size is not None and (body.resolution or body.aspect_ratio):
        message = "`size` cannot be combined with `resolution` or `aspect_ratio`. Send one or the other."
        yield Problem(code="size_combined", pointer="/size", message=message)
    durations = {name: value for name, value in _durations(body).items() if value is not None}
    if len(set(durations.values())) > 1:
        fields = " and ".join(f"`{name}` {value}" for name, value in durations.items())
        message = f"{fields} contradict each other. Send one."
        yield Problem(code="duration_combined", pointer=f"/{next(iter(durations))}", message=message)
    if body.sample_count is not None and body.sample_count > 1:
        message = (
            f"`sample_count` is {body.sample_count}, but one job makes one video. Create {body.sample_count} jobs."
        )
        yield Problem(code="not_served", pointer="/sample_count", message=message, allowed=[1], nearest=1)
    if body.echo_upstream_request:
        message = "`echo_upstream_request` is not supported: requests to providers are not shown. Remove it."
        yield Problem(code="not_served", pointer="/echo_upstream_request", message=message)
    yield from _misplaced(body.provider_params or {}, "/provider_params")
    yield from _routing_problems(body)


def _model_missing(catalogue: Catalogue) -> Problem:
    similar = catalogue.suggest(DEFAULT_MODEL, limit=1) or tuple(model.id for model in catalogue)[:1]
    message = (
        f"`model` is missing, and Phaseo's default, {DEFAULT_MODEL}, is retired. Send a model, such as "
        f"`{similar[0]}`; GET /videos/models lists them."
    )
    return Problem(code="model_missing", pointer="/model", message=message, nearest=similar[0])


def _routing_problems(body: VideoRequest) -> Iterator[Problem]:
    if body.provider is not None and body.routing is not None:
        message = "`provider` and `routing` mean the same. Send one of them."
        yield Problem(code="routing_combined", pointer="/routing", message=message)
    for field in ("provider", "routing"):
        choice = cast("ProviderChoice | None", getattr(body, field))
        conditions = [name for name in UNSUPPORTED_ROUTING if choice and getattr(choice, name)]
        if choice and choice.data_collection == "deny":
            conditions.append("data_collection")
        for name in conditions:
            message = f"`{field}.{name}` cannot be guaranteed. Remove it, or list the providers in `{field}.only`."
            yield Problem(code="not_served", pointer=f"/{field}/{name}", message=message)


def _misplaced(value: object, pointer: str) -> Iterator[Problem]:
    """Yield fields in the provider's parameters, at any depth, that Phaseo accepts only at the top of the body."""
    if isinstance(value, dict):
        for key, child in cast("dict[str, object]", value).items():
            name = re.sub(r"[_-]", "", key).lower()
            child_pointer = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if name in TOP_LEVEL_ONLY or name.startswith("duration"):
                message = f"`{key}` must be a top-level field of the body, not part of `provider_params`."
                yield Problem(code="param_not_allowed", pointer=child_pointer, message=message)
            else:
                yield from _misplaced(child, child_pointer)
    elif isinstance(value, list):
        for index, child in enumerate(cast("list[object]", value)):
            yield from _misplaced(child, f"{pointer}/{index}")


def _references(body: VideoRequest, problems: list[Problem]) -> Iterator[Reference]:
    for index, frame in enumerate(body.frame_images or ()):
        pointer = f"/frame_images/{index}/image_url/url"
        yield Reference(url=frame.image_url.url, role=Role(frame.frame_type), pointer=pointer)
    if body.input_reference is not None:
        url = body.input_reference.image_url
        if url is None or body.input_reference.file_id is not None:
            message = "`input_reference` must have only `image_url`: `file_id` is not supported."
            problems.append(Problem(code="not_served", pointer="/input_reference", message=message))
        else:
            yield Reference(url=url, role=Role.FIRST_FRAME, pointer="/input_reference/image_url")
    for name, role in OLDER_IMAGES.items():
        image = cast("Address | None", getattr(body, name))
        if image is not None:
            yield Reference(url=image.url, role=role, pointer=f"/{name}")
    for index, image in enumerate(body.reference_images or ()):
        yield Reference(url=image.url, role=Role.REFERENCE, pointer=f"/reference_images/{index}")
    for index, item in enumerate(body.input_references or ()):
        kind = Kind.IMAGE if item.type == "mask" else Kind(item.type.removesuffix("_url"))
        url, pointer = _locate(item, f"/input_references/{index}", problems)
        if kind is Kind.IMAGE and item.role == Role.SOURCE:
            problems.append(_source_image(index))
        yield Reference(
            url=url, kind=kind, role=_role(item, index, kind), reference_type=item.reference_type, pointer=pointer
        )


def _source_image(index: int) -> Problem:
    message = (
        f"`input_references.{index}.role`: `source` is the video to extend or edit. For an image, send `first_frame` "
        "(the video starts with it) or `reference` (the video shows its subject)."
    )
    choices = ["first_frame", "reference", "last_frame"]
    pointer = f"/input_references/{index}/role"
    return Problem(code="role_unsupported", pointer=pointer, message=message, allowed=choices)


def _role(item: ImageUrl | MediaUrl | Medium, index: int, kind: Kind) -> Role:
    """Return the item's role, else Phaseo's default: an image in the first place is the first frame."""
    if item.role is not None:
        return Role(item.role)
    if item.type == "mask":
        return Role.MASK
    return Role.FIRST_FRAME if index == 0 and kind is Kind.IMAGE else Role.REFERENCE


def _locate(item: ImageUrl | MediaUrl | Medium, pointer: str, problems: list[Problem]) -> tuple[str, str]:
    """Return the URL of a reference and its place in the body."""
    if isinstance(item, ImageUrl):
        return item.image_url.url, f"{pointer}/image_url/url"
    if isinstance(item, MediaUrl):
        return item.media_url.url, f"{pointer}/media_url/url"
    sources = [name for name in ("url", "data", "asset_id") if getattr(item, name) is not None]
    if len(sources) != 1 or (sources == ["data"] and item.mime_type is None):
        message = f"`{pointer[1:].replace('/', '.')}` must have one of `url`, `asset_id`, or `data` with `mime_type`."
        problems.append(Problem(code="reference_address", pointer=pointer, message=message))
    if item.data is not None:
        return f"data:{item.mime_type};base64,{item.data}", f"{pointer}/data"
    if item.asset_id is not None:
        return f"asset://{item.asset_id.removeprefix('asset://')}", f"{pointer}/asset_id"
    return item.url or "", f"{pointer}/url"
