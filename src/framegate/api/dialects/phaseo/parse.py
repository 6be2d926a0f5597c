"""How a Phaseo body becomes a `Request`: its default roles, its aliases, and what is refused by name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from framegate.api.dialects.phaseo.requests import ImageUrl, MediaUrl, Medium, ProviderChoice, VideoRequest
from framegate.api.dialects.phaseo.webhooks import subscribed
from framegate.catalogue import Catalogue
from framegate.config.settings import Settings
from framegate.domain import Kind, Problem, Reference, Request, Role, Routing
from framegate.domain.errors import InvalidRequest

DEFAULT_MODEL = "sora-2"  # Phaseo's; OpenAI has taken it out of service
KNOBS = (
    "input_video_duration", "input_audio_duration", "enhance_prompt", "compression_quality", "person_generation",
    "resize_mode", "provider_params", "debug", "beta",
)  # fmt: skip
# Phaseo's rule: these must stand at the top of the body, where they are checked. Written without `_` and `-`.
VALIDATED = frozenset({
    "request", "model", "prompt", "input", "content", "seconds", "size", "resolution", "aspectratio", "ratio",
    "samplecount", "numberofvideos", "callbackurl",
})  # fmt: skip
# What a routing wish would have to hold at a provider, and no provider here promises.
NOT_PROMISED = (
    "sort", "max_price", "quantizations", "preferred_max_latency", "preferred_min_throughput", "required_data_region",
    "required_execution_region", "enforce_distillable_text", "zdr", "require_zero_data_retention", "include_alpha",
)  # fmt: skip


def to_request(body: VideoRequest, *, catalogue: Catalogue, settings: Settings) -> Request:
    """The body as a `Request`. Raises `InvalidRequest` with all that no model could serve."""
    problems = list(_problems(body, catalogue))
    hook = subscribed(body.webhook, settings, problems)
    references = tuple(_references(body, problems))
    durations = {value for value in _durations(body).values() if value is not None}
    if not (body.prompt or "").strip() and not any(one.kind is not Kind.AUDIO for one in references):
        text = "`prompt` is required where there is no picture or video. Say what is to be seen."
        problems.append(Problem(code="prompt_missing", pointer="/prompt", message=text))
    if problems:
        raise InvalidRequest(problems)
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
        callback_url=hook.url if hook else None,
        callback_events=hook.events if hook else (),
        dialect_state={"access": _access(body), **(hook.notes if hook else {})},
    )


def _access(body: VideoRequest) -> str:
    return (body.output and body.output.access) or "both"


def _options(body: VideoRequest) -> dict[str, Mapping[str, Any]]:
    """What is handed to providers as it is: the knobs to Phaseo itself, the rest to whom it is for."""
    knobs = {name: getattr(body, name) for name in KNOBS if getattr(body, name) not in (None, {})}
    return {**(body.provider_options or {}), **({"phaseo": knobs} if knobs else {})}


def _routing(choice: ProviderChoice) -> Routing:
    only = choice.only or (choice.order if choice.allow_fallbacks is False else None)
    return Routing(order=tuple(choice.order or ()), only=tuple(only or ()), ignore=tuple(choice.ignore or ()))


def _durations(body: VideoRequest) -> dict[str, int | None]:
    seconds = None if body.seconds is None else int(body.seconds)
    return {"duration": body.duration, "duration_seconds": body.duration_seconds, "seconds": seconds}


def _problems(body: VideoRequest, catalogue: Catalogue) -> Iterator[Problem]:
    if body.model is None and catalogue.get(DEFAULT_MODEL) is None:
        yield _no_model(catalogue)
    if body.size is not None and (body.resolution or body.aspect_ratio):
        text = "`size` cannot be combined with `resolution` or `aspect_ratio`. Send one or the other."
        yield Problem(code="size_combined", pointer="/size", message=text)
    given = {name: value for name, value in _durations(body).items() if value is not None}
    if len(set(given.values())) > 1:
        told = " and ".join(f"`{name}` {value}" for name, value in given.items())
        yield Problem(
            code="duration_combined",
            pointer=f"/{next(iter(given))}",
            message=f"{told} contradict each other. Send one.",
        )
    if body.sample_count is not None and body.sample_count > 1:
        text = (
            f"`sample_count` is {body.sample_count}, and one job makes one video here. Place {body.sample_count} jobs."
        )
        yield Problem(code="not_served", pointer="/sample_count", message=text, allowed=[1], nearest=1)
    if body.echo_upstream_request:
        text = "`echo_upstream_request` is not served: what goes to a provider is not shown. Leave it out."
        yield Problem(code="not_served", pointer="/echo_upstream_request", message=text)
    yield from _smuggled(body.provider_params or {}, "/provider_params")
    yield from _routing_problems(body)


def _no_model(catalogue: Catalogue) -> Problem:
    near = catalogue.suggest(DEFAULT_MODEL, limit=1) or tuple(model.id for model in catalogue)[:1]
    text = (
        f"`model` is missing, and Phaseo's default, {DEFAULT_MODEL}, is out of service. Name a model, such as "
        f"`{near[0]}`; GET /videos/models lists them."
    )
    return Problem(code="model_missing", pointer="/model", message=text, nearest=near[0])


def _routing_problems(body: VideoRequest) -> Iterator[Problem]:
    if body.provider is not None and body.routing is not None:
        text = "`provider` and `routing` mean the same. Send one of them."
        yield Problem(code="routing_combined", pointer="/routing", message=text)
    for place in ("provider", "routing"):
        choice = cast("ProviderChoice | None", getattr(body, place))
        wishes = [name for name in NOT_PROMISED if choice and getattr(choice, name)]
        if choice and choice.data_collection == "deny":
            wishes.append("data_collection")
        for name in wishes:
            text = f"`{place}.{name}` cannot be promised here. Leave it out, or name the providers in `{place}.only`."
            yield Problem(code="not_served", pointer=f"/{place}/{name}", message=text)


def _smuggled(value: object, pointer: str) -> Iterator[Problem]:
    """Fields that Phaseo takes only where it checks them, wherever they hide in the provider's own parameters."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            bare = re.sub(r"[_-]", "", key).lower()
            here = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if bare in VALIDATED or bare.startswith("duration"):
                text = f"`{key}` must be supplied through a validated top-level video field, not in `provider_params`."
                yield Problem(code="param_not_allowed", pointer=here, message=text)
            else:
                yield from _smuggled(inner, here)
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from _smuggled(inner, f"{pointer}/{index}")


def _references(body: VideoRequest, problems: list[Problem]) -> Iterator[Reference]:
    for index, frame in enumerate(body.frame_images or ()):
        pointer = f"/frame_images/{index}/image_url/url"
        yield Reference(url=frame.image_url.url, role=Role(frame.frame_type), pointer=pointer)
    if body.input_reference is not None:
        url = body.input_reference.image_url
        if url is None or body.input_reference.file_id is not None:
            text = "`input_reference` takes `image_url` alone here: no files are kept by `file_id`."
            problems.append(Problem(code="not_served", pointer="/input_reference", message=text))
        else:
            yield Reference(url=url, role=Role.FIRST_FRAME, pointer="/input_reference/image_url")
    for index, item in enumerate(body.input_references or ()):
        kind = Kind.IMAGE if item.type == "mask" else Kind(item.type.removesuffix("_url"))
        url, pointer = _where(item, f"/input_references/{index}", problems)
        yield Reference(
            url=url, kind=kind, role=_role(item, index, kind), reference_type=item.reference_type, pointer=pointer
        )


def _role(item: ImageUrl | MediaUrl | Medium, index: int, kind: Kind) -> Role:
    """The role as said; else Phaseo's default: an image in the first place begins the video, the rest guide it."""
    if item.role is not None:
        return Role(item.role)
    if item.type == "mask":
        return Role.MASK
    return Role.FIRST_FRAME if index == 0 and kind is Kind.IMAGE else Role.REFERENCE


def _where(item: ImageUrl | MediaUrl | Medium, here: str, problems: list[Problem]) -> tuple[str, str]:
    if isinstance(item, ImageUrl):
        return item.image_url.url, f"{here}/image_url/url"
    if isinstance(item, MediaUrl):
        return item.media_url.url, f"{here}/media_url/url"
    given = [name for name in ("url", "data", "asset_id") if getattr(item, name) is not None]
    if len(given) != 1 or (given == ["data"] and item.mime_type is None):
        text = f"`{here[1:].replace('/', '.')}` takes one of `url`, `asset_id`, or `data` with its `mime_type`."
        problems.append(Problem(code="reference_address", pointer=here, message=text))
    if item.data is not None:
        return f"data:{item.mime_type};base64,{item.data}", f"{here}/data"
    if item.asset_id is not None:
        return f"asset://{item.asset_id.removeprefix('asset://')}", f"{here}/asset_id"
    return item.url or "", f"{here}/url"
