"""Request bodies of AI Studio, and their conversion to a `Request` with Pictory's defaults."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field

from framegate.api.http.callbacks import callback_problem
from framegate.api.http.validation import Body, Url, Word, validated
from framegate.catalogue import Catalogue, Model
from framegate.catalogue.rules.context import listed
from framegate.config.settings import Settings
from framegate.domain import Kind, Problem, Reference, Request, Role
from framegate.domain.errors import InvalidRequest
from framegate.domain.field_names import hint_for

UNKNOWN_MAX = 32  # unknown fields that the warnings list
NAME_CHARS_MAX = 64
INPUTS = ("referenceImageUrls", "firstFrameImageUrl", "extendVideoUrl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """Defaults of AI Studio for one model, and its price in credits."""

    aspect_ratio: str
    durations: tuple[int, ...]  # seconds; the first is the default
    credits_per_second: float


DEFAULT_MODEL = "pixverse5.5"
# https://docs.pictory.ai/api-reference/ai-studio/generate-video; by the catalogue's ids.
STUDIO: Mapping[str, Studio] = {
    "pixverse/pixverse-5.5": Studio(aspect_ratio="16:9", durations=(5, 8, 10), credits_per_second=1.6),
    "google/veo-3.1": Studio(aspect_ratio="16:9", durations=(4, 6, 8), credits_per_second=20),
    "google/veo-3.1-fast": Studio(aspect_ratio="16:9", durations=(4, 6, 8), credits_per_second=10),
}


def _seconds(value: object) -> object:
    if value is None or (isinstance(value, str) and re.fullmatch(r"[1-9]\d{0,2}s", value, re.ASCII)):
        return value
    raise ValueError('must be a string of whole seconds and an s, such as "8s"')


class VideoRequest(Body):
    """The body of `POST /v1/aistudio/videos`. Only one of the three inputs is allowed."""

    prompt: Annotated[str, Field(min_length=5, max_length=5000)]
    model: Word | None = Field(None, description=f"Default {DEFAULT_MODEL}; any name in the catalogue.")
    aspect_ratio: Word | None = Field(None, alias="aspectRatio", description="Such as 16:9.")
    duration: Annotated[str, BeforeValidator(_seconds)] | None = Field(None, description="Such as 8s.")
    first_frame: Url | None = Field(None, alias="firstFrameImageUrl")
    extend: Url | None = Field(None, alias="extendVideoUrl")
    references: Annotated[list[Url], Field(min_length=1, max_length=64)] | None = Field(
        None, alias="referenceImageUrls"
    )
    webhook: Word | None = Field(None, description="An https URL to call at the end.")


class TokenRequest(Body):
    """The body of `POST /v1/oauth2/token`."""

    client_id: Word
    client_secret: Word


FIELDS = [field.alias or name for name, field in VideoRequest.model_fields.items()]


def parse(body: object, *, catalogue: Catalogue, settings: Settings) -> Request:
    """Return the `Request` of a body. Raises `InvalidRequest`.

    Pictory silently ignores unknown fields. They are ignored here too, so that its clients work unchanged, but the
    response has a warning for each.
    """
    known_fields, ignored = _split_unknown(body)
    video = validated(VideoRequest, known_fields)
    problems: list[Problem] = []
    inputs = [
        name for name, value in zip(INPUTS, (video.references, video.first_frame, video.extend), strict=True) if value
    ]
    if len(inputs) > 1:
        message = f"Only one of {listed(INPUTS)} is allowed; this request has {listed(inputs, last='and')}."
        problems.extend(Problem(code="inputs_exclusive", pointer=f"/{name}", message=message) for name in inputs)
    if video.webhook is not None and (problem := callback_problem(video.webhook, settings, field="webhook")):
        problems.append(problem)
    if problems:
        raise InvalidRequest(problems, message=" ".join(dict.fromkeys(problem.message for problem in problems)))
    name = video.model or DEFAULT_MODEL
    model = catalogue.get(name)
    studio = STUDIO.get(model.id) if model else None
    references = tuple(_references(video))
    return Request(
        model=name,
        prompt=video.prompt,
        references=references,
        aspect_ratio=video.aspect_ratio or (studio.aspect_ratio if studio else None),
        duration=int(video.duration[:-1]) if video.duration else _default_duration(model, studio, references),
        callback_url=video.webhook,
        dialect_state={"ignored": ignored} if ignored else {},
    )


def _split_unknown(body: object) -> tuple[object, dict[str, str]]:
    """Return the known fields of a body, and a warning for each unknown one."""
    if not isinstance(body, dict):
        return body, {}
    fields = cast("dict[str, Any]", body)
    warnings: dict[str, str] = {}
    for name in [name for name in fields if name not in FIELDS][:UNKNOWN_MAX]:
        hint, _ = hint_for(name, FIELDS)
        short_name = name[:NAME_CHARS_MAX]
        warnings[short_name] = f"{short_name} is not a field of AI Studio and was ignored.{hint}"
    return {name: value for name, value in fields.items() if name in FIELDS}, warnings


def _references(video: VideoRequest) -> list[Reference]:
    urls = enumerate(video.references or ())
    references = [Reference(url=url, pointer=f"/referenceImageUrls/{index}") for index, url in urls]
    if video.first_frame is not None:
        references.append(Reference(url=video.first_frame, role=Role.FIRST_FRAME, pointer="/firstFrameImageUrl"))
    if video.extend is not None:
        references.append(Reference(url=video.extend, kind=Kind.VIDEO, role=Role.SOURCE, pointer="/extendVideoUrl"))
    return references


def _default_duration(model: Model | None, studio: Studio | None, references: tuple[Reference, ...]) -> int | None:
    """Return the first of Pictory's durations that the model supports for the inputs: Veo, only 8 s of references."""
    if studio is None or model is None:
        return None
    roles = {reference.role for reference in references}
    rules = [rule.durations for rule in model.limits.duration_rules if rule.role in roles and rule.role is not None]
    supported = (seconds for seconds in studio.durations if all(seconds in durations for durations in rules))
    return next(supported, studio.durations[0])
