"""Builds the input of a fal endpoint from an order, field by field. Facts: `framegate.catalogue.fal_schema`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from framegate.catalogue.fal_schema import Endpoint, Field
from framegate.catalogue.prompts.rewrite import replace_mentions
from framegate.domain import Kind, Order, Reference, Role
from framegate.domain.errors import Refused
from framegate.providers.http import dropped_option_notes, prompt

SECONDS = re.compile(r"(\d+)s?")
ELEMENT = re.compile(r"Element\d+")
BACKGROUND_TYPES = ("background", "location", "style")  # reference types of a named image that is not a subject
ELEMENT_VIEWS_MAX = 3


@dataclass(slots=True)
class InputBuilder:
    """An endpoint's input in progress; `remaining` are the indexes of references that no field has taken yet."""

    order: Order
    urls: Sequence[str]  # of the references, in their order
    options: dict[str, Any]
    fields: Mapping[str, Field]
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    remaining: list[int] = field(default_factory=list[int])
    elements: list[list[int]] = field(default_factory=list[list[int]])

    def reference(self, index: int) -> Reference:
        """The reference with that index."""
        return self.order.references[index].reference

    def take(self, row: Field) -> list[int]:
        """Remove and return the remaining references of a field's role and kind."""
        role, kind = row.role_and_kind
        references = ((index, self.reference(index)) for index in self.remaining)
        indexes = [index for index, reference in references if (reference.role, reference.kind) == (role, kind)]
        limit = 1 if row.type == "url" else row.max
        if limit is not None and len(indexes) > limit:
            raise Refused(f"fal's `{row.name}` accepts at most {limit:g}, and this order has {len(indexes)}.")
        self.remaining = [index for index in self.remaining if index not in indexes]
        return indexes


def build_input(endpoint: Endpoint, order: Order, urls: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The input, and notes about options of the request for which the endpoint has no field.

    Raises `Refused` if the input cannot express what the order asks for.
    """
    rows = {row.name: row for row in endpoint.fields}
    options = dict(order.request.options.get("fal", {}))
    builder = InputBuilder(order, urls, options, rows, remaining=list(range(len(urls))))
    if duplicates := [name for name, value in options.items() if _is_duplicate(rows.get(name), value)]:
        raise Refused(f"provider.options.fal.{duplicates[0]} duplicates a field of the request. Omit the option.")
    if images := [name for name, value in options.items() if _holds_images(rows.get(name), value)]:
        raise Refused(
            f"provider.options.fal.{images[0]} cannot hold images. Send them as references, each with a name."
        )
    if "elements" in rows:
        builder.elements = _group_elements(builder)
    for row in endpoint.fields:
        value = options[row.name] if _is_passed_through(row, builder) else _value(row, builder)
        if value is not None and value != []:
            builder.values[row.name] = value
    if builder.remaining:
        reference = builder.reference(builder.remaining[0])
        role = reference.role.replace("_", " ")
        raise Refused(f"fal's {endpoint.id} does not accept {_article(reference.kind)} as {role}.")
    if missing := [row.name for row in endpoint.fields if row.required and row.name not in builder.values]:
        raise Refused(f"fal's {endpoint.id} requires `{missing[0]}`.")
    if "multi_prompt" in builder.values:
        builder.values.pop("prompt", None)
    unknown = {name: value for name, value in options.items() if name not in rows}
    return {**builder.values, **unknown}, _dropped_options(endpoint, order)


def _article(kind: Kind) -> str:
    return {Kind.IMAGE: "an image", Kind.VIDEO: "a video", Kind.AUDIO: "audio"}[kind]


def _is_duplicate(row: Field | None, value: object) -> bool:
    """Whether an option repeats what the request has a field for."""
    return row is not None and bool(row.to) and row.type in SIMPLE_TYPES and value not in row.unset


def _holds_images(row: Field | None, value: object) -> bool:
    """Whether an option holds images itself, instead of only `PASSTHROUGH_PARTS` of references."""
    if row is None or row.type not in REFERENCE_WRITERS:
        return False
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    parts = PASSTHROUGH_PARTS.get(row.type)
    return parts is None or not all(_has_only(item, parts) for item in items)


def _has_only(item: object, parts: set[str]) -> bool:
    if not isinstance(item, dict):
        return False
    values = cast("dict[str, Any]", item)
    return set(values) == parts and all(isinstance(value, str) for value in values.values())


def _is_passed_through(row: Field, builder: InputBuilder) -> bool:
    """Whether an option goes to fal unchanged: no part of a request, or a choice that is left to the model."""
    return row.name in builder.options and (not row.to or row.type == "shots" or row.type in SIMPLE_TYPES)


def _value(row: Field, builder: InputBuilder) -> Any:  # noqa: ANN401 - a JSON value
    if not row.to or row.type == "shots":
        return None
    if row.type in REFERENCE_WRITERS:
        return REFERENCE_WRITERS[row.type](row, builder)
    return VALUE_WRITERS[row.to](row, builder)


def _frames(row: Field, builder: InputBuilder) -> int | None:
    """The number of frames, if the endpoint has no field for the duration."""
    if any(each.to == "duration" for each in builder.fields.values()):
        return None
    has_fps = any(each.to == "fps" for each in builder.fields.values())
    fps = builder.order.target.fps if has_fps else row.fps
    return _within_bounds(row, builder.order.target.duration * fps + row.extra_frames)


def _choice(row: Field, value: str | None) -> str | None:
    """A choice in the endpoint's spelling."""
    if value is None or not row.one_of:
        return value
    choice = next((choice for choice in row.one_of if str(choice).lower() == value.lower()), None)
    if choice is None:
        raise _not_a_choice(row, value)
    return choice


def _not_a_choice(row: Field, value: str) -> Refused:
    return Refused(f"fal's `{row.name}` must be one of {', '.join(map(str, row.one_of))}, not {value}.")


def _duration(row: Field, seconds: int) -> str | int:
    """Seconds in the endpoint's spelling: 8, "8" or "8s"."""
    if row.type == "integer" and not row.one_of:
        return _within_bounds(row, seconds)
    for choice in row.one_of:
        if (match := SECONDS.fullmatch(str(choice))) and int(match[1]) == seconds:
            return choice
    raise _not_a_choice(row, f"{seconds} seconds")


def _within_bounds(row: Field, number: int) -> int:
    if (row.min is not None and number < row.min) or (row.max is not None and number > row.max):
        bounds = f"{row.min or 0:g} to {row.max:g}" if row.max is not None else f"{row.min or 0:g} or more"
        raise Refused(f"fal's `{row.name}` must be {bounds}, and this order needs {number}.")
    return number


# -- references


def _url(row: Field, builder: InputBuilder) -> str | None:
    indexes = builder.take(row)
    return builder.urls[indexes[0]] if indexes else None


def _urls(row: Field, builder: InputBuilder) -> list[str]:
    return [builder.urls[index] for index in builder.take(row)]


def _named_images(row: Field, builder: InputBuilder) -> list[dict[str, Any]]:
    types = {part.get("ref_name"): part.get("type") for part in builder.options.get(row.name, [])}
    images: list[dict[str, Any]] = []
    for number, index in enumerate(builder.take(row), 1):
        reference = builder.reference(index)
        default = "background" if reference.reference_type in BACKGROUND_TYPES else "subject"
        name = reference.name or f"image{number}"
        images.append({"image_url": builder.urls[index], "ref_name": name, "type": types.get(name) or default})
    return images


def _group_elements(builder: InputBuilder) -> list[list[int]]:
    """Take the references that form elements: those with several views, and those that the client sent as elements.

    A video belongs to an element if the endpoint has no other field for it.
    """
    references = [builder.reference(index) for index in builder.remaining]
    subjects = {reference.same_subject_as for reference in references if reference.same_subject_as}
    places = [row.role_and_kind for row in builder.fields.values() if row.type in ("url", "urls")]
    elements: dict[str, list[int]] = {}
    for index, reference in zip(builder.remaining, references, strict=True):
        if reference.role is not Role.REFERENCE:
            continue
        subject = reference.same_subject_as or reference.name or ""
        is_lone_video = reference.kind is Kind.VIDEO and (Role.REFERENCE, Kind.VIDEO) not in places
        if subject in subjects or ELEMENT.fullmatch(subject) or is_lone_video:
            elements.setdefault(subject, []).append(index)
    indexes = [index for views in elements.values() for index in views]
    builder.remaining = [index for index in builder.remaining if index not in indexes]
    return list(elements.values())


def _elements(row: Field, builder: InputBuilder) -> list[dict[str, Any]]:
    voices = {part.get("element"): part.get("voice_id") for part in builder.options.get(row.name, [])}
    return [
        _element(row, builder, views, voices.get(f"Element{number}"))
        for number, views in enumerate(builder.elements, 1)
    ]


def _element(row: Field, builder: InputBuilder, views: list[int], voice: str | None) -> dict[str, Any]:
    images = [builder.urls[index] for index in views if builder.reference(index).kind is Kind.IMAGE]
    videos = [builder.urls[index] for index in views if builder.reference(index).kind is Kind.VIDEO]
    if len(images) > ELEMENT_VIEWS_MAX + 1 or len(videos) > 1:
        limits = f"one front image, {ELEMENT_VIEWS_MAX} other images and one video"
        raise Refused(f"A fal element has at most {limits}.")
    parts = {
        "frontal_image_url": images[0] if images else None,
        "reference_image_urls": images[1:] or None,
        "video_url": videos[0] if videos else None,
        "voice_id": voice,
    }
    element = {part: value for part, value in parts.items() if value is not None}
    if missing := [part for part in row.required_parts if part not in element]:
        raise Refused(f"An element of this endpoint requires `{missing[0]}`.")
    if unknown := [part for part in element if part not in row.parts]:
        raise Refused(f"An element of this endpoint has no `{unknown[0]}`.")
    return element


def _prompt(builder: InputBuilder) -> str:
    """The prompt with fal's names of the references: elements are numbered apart from the other images."""
    text = builder.order.request.prompt
    if not builder.elements or text is None:
        return prompt(builder.order)
    handles = {index: f"@Element{number}" for number, views in enumerate(builder.elements, 1) for index in views}
    counts = dict.fromkeys(Kind, 0)
    for index in (index for index in range(len(builder.urls)) if index not in handles):
        reference = builder.reference(index)
        if reference.role is Role.REFERENCE:
            counts[reference.kind] += 1
            handles[index] = f"@{reference.kind.capitalize()}{counts[reference.kind]}"
        else:
            handles[index] = f"the {reference.role.value.replace('_', ' ')}"
    named = ((builder.reference(index).name, handle) for index, handle in handles.items())
    return replace_mentions(text, {name: handle for name, handle in named if name})


def _dropped_options(endpoint: Endpoint, order: Order) -> list[str]:
    supported = {row.to for row in endpoint.fields}
    request = order.request
    options = {
        "generate_audio": request.generate_audio,
        "seed": request.seed,
        "negative_prompt": request.negative_prompt,
        "resolution": request.resolution,
        "aspect_ratio": request.aspect_ratio,
    }
    dropped = {name: value for name, value in options.items() if name not in supported}
    return dropped_option_notes(f"fal's {endpoint.id}", **dropped)


VALUE_WRITERS: Mapping[str, Callable[[Field, InputBuilder], Any]] = {
    "prompt": lambda _, builder: _prompt(builder),
    "duration": lambda row, builder: _duration(row, builder.order.target.duration),
    "frames": _frames,
    "fps": lambda row, builder: _within_bounds(row, builder.order.target.fps),
    "resolution": lambda row, builder: _choice(row, builder.order.target.resolution),
    "aspect_ratio": lambda row, builder: _choice(row, builder.order.target.aspect_ratio),
    "generate_audio": lambda _, builder: builder.order.target.audio,
    "seed": lambda _, builder: builder.order.target.seed,
    "negative_prompt": lambda _, builder: builder.order.request.negative_prompt,
}
REFERENCE_WRITERS: Mapping[str, Callable[[Field, InputBuilder], Any]] = {
    "url": _url,
    "urls": _urls,
    "named_images": _named_images,
    "elements": _elements,
}
PASSTHROUGH_PARTS = {"named_images": {"ref_name", "type"}, "elements": {"element", "voice_id"}}
SIMPLE_TYPES = frozenset({"string", "boolean", "integer", "number"})
