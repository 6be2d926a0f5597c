"""What Pictory's users send to AI Studio, and how it becomes a `Request` with Pictory's defaults."""

import difflib
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

UNKNOWN_MAX = 32  # unknown fields that are told of
INPUTS = ("referenceImageUrls", "firstFrameImageUrl", "extendVideoUrl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """What Pictory's AI Studio asks for by default of one of its models, and the credits that it takes a second."""

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
    raise ValueError('is text: whole seconds and an s, such as "8s"')


class VideoRequest(Body):
    """The body of `POST /v1/aistudio/videos`. Only one of the three inputs may be given."""

    prompt: Annotated[str, Field(min_length=5, max_length=5000)]
    model: Word | None = Field(None, description=f"{DEFAULT_MODEL} if not said; any name that the catalogue knows.")
    aspect_ratio: Word | None = Field(None, alias="aspectRatio", description="Such as 16:9.")
    duration: Annotated[str, BeforeValidator(_seconds)] | None = Field(None, description="Such as 8s.")
    first_frame: Url | None = Field(None, alias="firstFrameImageUrl")
    extend: Url | None = Field(None, alias="extendVideoUrl")
    references: Annotated[list[Url], Field(min_length=1, max_length=64)] | None = Field(
        None, alias="referenceImageUrls"
    )
    webhook: Word | None = Field(None, description="An https address to be told at the end.")


class TokenRequest(Body):
    """The body of `POST /v1/oauth2/token`."""

    client_id: Word
    client_secret: Word


FIELDS = [field.alias or name for name, field in VideoRequest.model_fields.items()]


def parse(body: object, *, catalogue: Catalogue, settings: Settings) -> Request:
    """The body as a `Request`. Raises `InvalidRequest`.

    Pictory strips fields that it does not know without a word. They are stripped here too, so that what runs there
    runs here, but the answers tell of each.
    """
    known, unknown = _parted(body)
    shape = validated(VideoRequest, known)
    problems: list[Problem] = []
    inputs = [
        name for name, value in zip(INPUTS, (shape.references, shape.first_frame, shape.extend), strict=True) if value
    ]
    if len(inputs) > 1:
        text = f"Only one of {listed(INPUTS)} may be given, and this request has {listed(inputs, last='and')}."
        problems.extend(Problem(code="inputs_exclusive", pointer=f"/{name}", message=text) for name in inputs)
    if shape.webhook is not None and (problem := callback_problem(shape.webhook, settings, field="webhook")):
        problems.append(problem)
    if problems:
        raise InvalidRequest(problems, message=" ".join(dict.fromkeys(problem.message for problem in problems)))
    name = shape.model or DEFAULT_MODEL
    model = catalogue.get(name)
    studio = STUDIO.get(model.id) if model else None
    references = tuple(_references(shape))
    return Request(
        model=name,
        prompt=shape.prompt,
        references=references,
        aspect_ratio=shape.aspect_ratio or (studio.aspect_ratio if studio else None),
        duration=int(shape.duration[:-1]) if shape.duration else _default_duration(model, studio, references),
        callback_url=shape.webhook,
        dialect_state={"ignored": unknown} if unknown else {},
    )


def _parted(body: object) -> tuple[object, dict[str, str]]:
    """The fields that exist, and for every other what is said of it."""
    if not isinstance(body, dict):
        return body, {}
    fields = cast("dict[str, Any]", body)
    unknown: dict[str, str] = {}
    for name in [name for name in fields if name not in FIELDS][:UNKNOWN_MAX]:
        close = difflib.get_close_matches(name, FIELDS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        unknown[name[:64]] = f"{name[:64]} is no field of AI Studio and had no effect.{hint}"
    return {name: value for name, value in fields.items() if name in FIELDS}, unknown


def _references(shape: VideoRequest) -> list[Reference]:
    found = [Reference(url=url, pointer=f"/referenceImageUrls/{n}") for n, url in enumerate(shape.references or ())]
    if shape.first_frame is not None:
        found.append(Reference(url=shape.first_frame, role=Role.FIRST_FRAME, pointer="/firstFrameImageUrl"))
    if shape.extend is not None:
        found.append(Reference(url=shape.extend, kind=Kind.VIDEO, role=Role.SOURCE, pointer="/extendVideoUrl"))
    return found


def _default_duration(model: Model | None, studio: Studio | None, references: tuple[Reference, ...]) -> int | None:
    """The first of Pictory's durations that the model makes of such inputs: Veo makes 8 s alone of references."""
    if studio is None or model is None:
        return None
    roles = {reference.role for reference in references}
    ruled = [rule.durations for rule in model.limits.duration_rules if rule.role in roles and rule.role is not None]
    fitting = (seconds for seconds in studio.durations if all(seconds in durations for durations in ruled))
    return next(fitting, studio.durations[0])
