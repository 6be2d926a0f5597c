"""Parsing of an endpoint's input into a request; an invalid input is rejected with every rule that it breaks."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from framegate.api.dialects.fal.endpoints import SINGLE_IMAGE, Endpoint, Field, endpoints
from framegate.api.dialects.fal.errors import Detail, Loc, Unprocessable, fail, format_loc, make_detail, quote
from framegate.domain import JobPolicy, Kind, Reference, Request, Role, Routing
from framegate.domain.errors import PROBLEMS_MAX
from framegate.domain.field_names import hint_for

URL_CHARS_MAX = 8192  # a data URI is limited by the size of the body
NAME_CHARS_MAX = 64
ELEMENT_VIEWS_MAX = 3
SECONDS = re.compile(r"(\d{1,6})\s?s?", re.ASCII)
WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
SHOT_SECONDS = tuple(str(seconds) for seconds in range(1, 16))
SHOT_SECONDS_DEFAULT = "5"


@dataclass(slots=True)
class ParsedInput:
    """What has been parsed so far; `options` are passed through to fal."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    references: list[Reference] = field(default_factory=list[Reference])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    details: list[Detail] = field(default_factory=list[Detail])

    def store(self, row: Field, value: object, loc: Loc) -> None:
        """Put the value of a field into the part of the request that it becomes."""
        if not row.to or value in row.unset:
            self.options[row.name] = value
        elif row.to == "frames":
            self.values["duration"] = self._seconds_of(row, cast("int", value), loc)
        else:
            self.values[row.to] = value

    def _seconds_of(self, row: Field, frames: int, loc: Loc) -> int:
        """A number of frames in seconds, which must be whole."""
        rate = self.values.get("fps") or row.fps
        seconds, remainder = divmod(frames - row.extra_frames, rate)
        if remainder or seconds < 1:
            nearest = max(1, round((frames - row.extra_frames) / rate)) * rate + row.extra_frames
            rule = f"must be a whole number of seconds at {rate} frames per second. The nearest is {nearest}."
            fail(loc, f"`{format_loc(loc)}` {rule}", "multiple_of", frames, multiple_of=rate)
        return seconds


def parse(
    endpoint: Endpoint, body: object, *, policy: JobPolicy | None = None, callback_url: str | None = None
) -> Request:
    """The request of an input. Raises `Unprocessable` with every rule that it breaks."""
    if not isinstance(body, dict):
        fail(("body",), "The body must be a JSON object.", "dict_type", body)
    document = cast("dict[str, Any]", body)
    parsed = ParsedInput(details=list(_unknown_fields(endpoint, document)))
    for row in endpoint.fields:
        names = [name for name in (row.name, *row.aliases) if document.get(name) is not None]
        parsed.details += (_duplicate(row, name, document) for name in names[1:])
        _parse_field(row, names[0] if names else row.name, document, parsed)
    parsed.details += _prompt_conflicts(endpoint, document)
    if parsed.details:
        raise Unprocessable(parsed.details)
    is_fal_endpoint = endpoint.id in endpoints()
    return Request(
        model=endpoint.id,
        references=tuple(parsed.references),
        options={"fal": parsed.options} if parsed.options else {},
        routing=Routing(order=("fal",)) if is_fal_endpoint else Routing(),
        policy=policy or JobPolicy(),
        callback_url=callback_url,
        **parsed.values,
    )


def _duplicate(row: Field, name: str, document: Mapping[str, Any]) -> Detail:
    rule = f"means the same as `{row.name}`. Send only `{row.name}`."
    return make_detail(("body", name), f"`{name}` {rule}", "value_error", document[name])


def _parse_field(row: Field, name: str, document: Mapping[str, Any], parsed: ParsedInput) -> None:
    value, loc = document.get(name), ("body", name)
    if value is None:
        if row.required:
            parsed.details.append(make_detail(loc, f"`{name}` is required.", "missing", dict(document)))
            return
        value = row.default
        if value is None or value in row.unset:
            return
    try:
        _PARSERS[row.type](row, value, loc, parsed)
    except Unprocessable as error:
        parsed.details.extend(error.details)


# -- single values


def _text(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool) and row.one_of:
        value = f"{value:g}"
    text = _string(value, loc)
    if row.to == "duration":
        parsed.store(row, text if text in row.unset else _seconds(row, text, loc), loc)
        return
    if row.one_of:
        text = _choice(row, text, loc)
    length = len(text)
    if row.max is not None and length > row.max:
        rule = f"accepts at most {row.max} characters, and has {length}. Remove {length - int(row.max)}."
        fail(loc, f"`{format_loc(loc)}` {rule}", "string_too_long", value, max_length=row.max)
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if row.max_bytes is not None and size_bytes > row.max_bytes:
        rule = f"accepts at most {row.max_bytes} bytes in UTF-8, and has {size_bytes}."
        fail(loc, f"`{format_loc(loc)}` {rule}", "string_too_long", value, max_length=row.max_bytes)
    parsed.store(row, text, loc)


def _seconds(row: Field, text: str, loc: Loc) -> int:
    """`"8s"`, `"8"` and 8 mean the same, whichever of them the endpoint uses."""
    match = SECONDS.fullmatch(text.strip())
    choices = {_digits(choice) for choice in row.one_of}
    if match is None or (choices and match[1].lstrip("0") not in choices):
        _fail_choice(row, text, loc)
    return int(match[1])


def _digits(choice: object) -> str:
    match = SECONDS.fullmatch(str(choice))
    return match[1] if match else str(choice)


def _choice(row: Field, text: str, loc: Loc) -> str:
    choice = next((choice for choice in row.one_of if text.lower() == str(choice).lower()), None)
    return _fail_choice(row, text, loc) if choice is None else choice


def _fail_choice(row: Field, value: object, loc: Loc) -> NoReturn:
    if not row.one_of:
        fail(loc, f"`{format_loc(loc)}` must be a number of seconds, such as 5.", "value_error", value)
    nearest = _nearest(row, value)
    hint = f" The nearest is {nearest}." if nearest else ""
    choices = ", ".join(str(choice) for choice in row.one_of)
    message = f"`{format_loc(loc)}` must be one of {choices}, not {quote(value)}.{hint}"
    fail(loc, message, "one_of", value, expected=list(row.one_of))


def _nearest(row: Field, value: object) -> str | None:
    choices = [str(choice) for choice in row.one_of]
    requested = SECONDS.fullmatch(str(value).strip())
    if row.to == "duration" and requested:
        seconds = {choice: int(match[1]) for choice in choices if (match := SECONDS.fullmatch(choice))}
        return min(seconds, key=lambda choice: abs(seconds[choice] - int(requested[1])))
    close = difflib.get_close_matches(str(value)[:100], choices, n=1, cutoff=0.3)
    return close[0] if close else None


def _boolean(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    words = {"true": True, "false": False}
    switch = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(switch, bool):
        fail(loc, f"`{format_loc(loc)}` must be true or false.", "bool_type", value)
    if row.one_of and switch not in row.one_of:
        message = f"`{format_loc(loc)}`: {str(switch).lower()} is not supported. Omit it."
        fail(loc, message, "feature_not_supported", value)
    parsed.store(row, switch, loc)


def _integer(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        pattern = SECONDS if row.to == "duration" else WHOLE
        match = pattern.fullmatch(value.strip())
        value = int(value.strip().removesuffix("s").strip()) if match else value
    if not isinstance(value, int) or isinstance(value, bool):
        fail(loc, f"`{format_loc(loc)}` must be a whole number.", "int_type", value)
    if row.one_of and value not in row.one_of:
        _fail_choice(row, value, loc)
    _check_bounds(row, value, loc)
    parsed.store(row, value, loc)


def _number(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        fail(loc, f"`{format_loc(loc)}` must be a number.", "float_type", value)
    _check_bounds(row, value, loc)
    parsed.store(row, value, loc)


def _check_bounds(row: Field, value: float, loc: Loc) -> None:
    if value in row.unset:
        return
    if row.min is not None and value < row.min:
        message = f"`{format_loc(loc)}` must be at least {row.min}, not {value}."
        fail(loc, message, "greater_than_equal", value, ge=row.min)
    if row.max is not None and value > row.max:
        message = f"`{format_loc(loc)}` must be at most {row.max}, not {value}."
        fail(loc, message, "less_than_equal", value, le=row.max)


# -- references


def _url(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    role, kind = row.role_and_kind
    parsed.references.append(_reference(value, loc, role=role, kind=kind))


def _urls(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    role, kind = row.role_and_kind
    if loc[-1] == SINGLE_IMAGE and isinstance(value, str):
        parsed.references.append(_reference(value, loc, role=role, kind=kind))
        return
    for index, url in enumerate(_list(row, value, loc)):
        parsed.references.append(_reference(url, (*loc, index), role=role, kind=kind))


def _named_images(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    role, kind = row.role_and_kind
    type_row = Field(name="type", one_of=("subject", "background"))
    types: list[dict[str, str]] = []
    for index, item in enumerate(_list(row, value, loc)):
        item_loc = (*loc, index)
        parts = _object(item, item_loc, ("image_url", "ref_name", "type"), required=("image_url", "ref_name"))
        name = _string(parts["ref_name"], (*item_loc, "ref_name"))[: NAME_CHARS_MAX + 1]
        url_loc, type_loc = (*item_loc, "image_url"), (*item_loc, "type")
        parsed.references.append(_reference(parts["image_url"], url_loc, role=role, kind=kind, name=name))
        image_type = _choice(type_row, _string(parts.get("type") or "subject", type_loc), type_loc)
        types.append({"ref_name": name, "type": image_type})
    parsed.options[row.name] = types


def _elements(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    """Each element is a reference with the name that the prompt uses; its other images and its video are views."""
    voices: list[dict[str, str]] = []
    videos = 0
    for index, item in enumerate(_list(row, value, loc)):
        item_loc = (*loc, index)
        parts = _object(item, item_loc, row.parts, required=row.required_parts)
        views = list(_views(parts, item_loc))
        if not views:
            rule = "requires an image: `frontal_image_url` or `reference_image_urls`."
            fail(item_loc, f"`{format_loc(item_loc)}` {rule}", "value_error", parts)
        videos += parts.get("video_url") is not None
        if videos > 1:
            video_loc = (*item_loc, "video_url")
            fail(video_loc, "At most one element can have a video.", "value_error", parts["video_url"])
        element = f"Element{index + 1}"
        for number, (kind, url, view_loc) in enumerate(views, 1):
            name, subject = (element, None) if number == 1 else (f"{element}-{number}", element)
            reference = _reference(url, view_loc, role=Role.REFERENCE, kind=kind, name=name, same_subject_as=subject)
            parsed.references.append(reference)
        if parts.get("voice_id") is not None:
            voices.append({"element": element, "voice_id": _string(parts["voice_id"], (*item_loc, "voice_id"))})
    if voices:
        parsed.options[row.name] = voices


def _views(parts: Mapping[str, Any], loc: Loc) -> Iterator[tuple[Kind, object, Loc]]:
    if parts.get("frontal_image_url") is not None:
        yield Kind.IMAGE, parts["frontal_image_url"], (*loc, "frontal_image_url")
    if parts.get("reference_image_urls") is not None:
        urls_loc = (*loc, "reference_image_urls")
        row = Field(name="reference_image_urls", min=1, max=ELEMENT_VIEWS_MAX)
        for index, url in enumerate(_list(row, parts["reference_image_urls"], urls_loc)):
            yield Kind.IMAGE, url, (*urls_loc, index)
    if parts.get("video_url") is not None:
        yield Kind.VIDEO, parts["video_url"], (*loc, "video_url")


def _shots(row: Field, value: object, loc: Loc, parsed: ParsedInput) -> None:
    """Prompts in sequence: passed through to fal, and joined into one prompt for every other provider."""
    duration_row = Field(name="duration", to="duration", one_of=SHOT_SECONDS)
    shots: list[dict[str, str]] = []
    for index, item in enumerate(_list(row, value, loc)):
        item_loc = (*loc, index)
        parts = _object(item, item_loc, ("prompt", "duration"), required=("prompt",))
        duration, duration_loc = parts.get("duration"), (*item_loc, "duration")
        shot = ParsedInput()
        _text(duration_row, SHOT_SECONDS_DEFAULT if duration is None else duration, duration_loc, shot)
        prompt = _string(parts["prompt"], (*item_loc, "prompt"))
        shots.append({"prompt": prompt, "duration": str(shot.values["duration"])})
    parsed.values["prompt"] = "\n".join(shot["prompt"] for shot in shots)
    parsed.options[row.name] = shots


def _reference(
    value: object, loc: Loc, *, role: Role, kind: Kind, name: str | None = None, same_subject_as: str | None = None
) -> Reference:
    url = _string(value, loc).strip()
    if not url:
        fail(loc, f"`{format_loc(loc)}` is empty. Send a URL or a data URI.", "value_error", value)
    if len(url) > URL_CHARS_MAX and url[:5].lower() != "data:":
        message = f"`{format_loc(loc)}` is a URL of {len(url)} characters; at most {URL_CHARS_MAX} are allowed."
        fail(loc, message, "string_too_long", value, max_length=URL_CHARS_MAX)
    pointer = "".join(f"/{part}" for part in loc[1:])
    return Reference(url=url, role=role, kind=kind, name=name, pointer=pointer, same_subject_as=same_subject_as)


_PARSERS: Mapping[str, Callable[[Field, Any, Loc, ParsedInput], None]] = {
    "string": _text,
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "url": _url,
    "urls": _urls,
    "named_images": _named_images,
    "elements": _elements,
    "shots": _shots,
}


# -- shapes and rules


def _string(value: object, loc: Loc) -> str:
    if not isinstance(value, str):
        fail(loc, f"`{format_loc(loc)}` must be a string.", "string_type", value)
    return value


def _list(row: Field, value: object, loc: Loc) -> list[Any]:
    if not isinstance(value, list):
        fail(loc, f"`{format_loc(loc)}` must be a list.", "list_type", value)
    items = cast("list[Any]", value)
    if row.min is not None and len(items) < row.min:
        message = f"`{format_loc(loc)}` requires at least {row.min}, and has {len(items)}."
        fail(loc, message, "sequence_too_short", items, min_length=row.min)
    if row.max is not None and len(items) > row.max:
        rule = f"accepts at most {row.max}, and has {len(items)}. Remove {len(items) - int(row.max)}."
        fail(loc, f"`{format_loc(loc)}` {rule}", "sequence_too_long", items, max_length=row.max)
    return items


def _object(value: object, loc: Loc, parts: Sequence[str], *, required: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        fail(loc, f"`{format_loc(loc)}` must be an object with {', '.join(parts)}.", "dict_type", value)
    item = cast("dict[str, Any]", value)
    details = [_unknown_field((*loc, key), parts, item[key]) for key in item if key not in parts]
    details += [
        make_detail((*loc, part), f"`{format_loc((*loc, part))}` is required.", "missing", item)
        for part in required
        if item.get(part) is None
    ]
    if details:
        raise Unprocessable(details)
    return item


def _unknown_fields(endpoint: Endpoint, document: Mapping[str, Any]) -> Iterator[Detail]:
    names = [name for row in endpoint.fields for name in (row.name, *row.aliases)]
    unknown = [key for key in document if key not in names]
    for key in unknown[:PROBLEMS_MAX]:
        yield _unknown_field(("body", key), names, document[key])
    for key in unknown[PROBLEMS_MAX:]:  # only counted
        yield make_detail(("body", key), "", "extra_forbidden", None)


def _unknown_field(loc: Loc, names: Sequence[str], value: object) -> Detail:
    hint, _ = hint_for(str(loc[-1]), names)
    return make_detail(loc, f"Unknown field `{format_loc(loc)[:100]}`.{hint}", "extra_forbidden", value)


def _prompt_conflicts(endpoint: Endpoint, document: Mapping[str, Any]) -> Iterator[Detail]:
    """An endpoint with two fields for the prompt requires exactly one of them."""
    if endpoint.field("multi_prompt") is None:
        return
    names = [name for name in ("prompt", "multi_prompt") if document.get(name) is not None]
    if len(names) != 1:
        message = "Exactly one of `prompt` and `multi_prompt` is required."
        yield make_detail(("body", names[-1] if names else "prompt"), message, "value_error", dict(document))
