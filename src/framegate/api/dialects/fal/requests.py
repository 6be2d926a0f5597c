"""An endpoint's input as a request: each field read as its row says, or every rule told that the input breaks."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from framegate.api.dialects.fal.details import Detail, Loc, Unprocessable, refuse, said, shown, wrong
from framegate.api.dialects.fal.endpoints import Endpoint, Field, endpoints
from framegate.domain import JobPolicy, Kind, Reference, Request, Role, Routing

URL_CHARS_MAX = 8192  # of an address; a data URI is bounded by the body
NAME_CHARS_MAX = 64
ELEMENT_VIEWS_MAX = 3
SECONDS = re.compile(r"(\d{1,6})\s?s?", re.ASCII)
WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
SHOT_SECONDS = tuple(str(seconds) for seconds in range(1, 16))


@dataclass(slots=True)
class _Read:
    """What has been read so far."""

    wanted: dict[str, Any] = field(default_factory=dict[str, Any])
    references: list[Reference] = field(default_factory=list[Reference])
    options: dict[str, Any] = field(default_factory=dict[str, Any])  # what only fal itself can do something with
    details: list[Detail] = field(default_factory=list[Detail])


def parse(
    endpoint: Endpoint, body: object, *, handling: JobPolicy | None = None, callback_url: str | None = None
) -> Request:
    """The request that the input makes. Raises `Unprocessable` with every rule that it breaks."""
    if not isinstance(body, dict):
        raise Unprocessable([wrong(("body",), "The body must be a JSON object.", "dict_type", body)])
    given = cast("dict[str, Any]", body)
    read = _Read(details=list(_unknown(endpoint, given)))
    for one in endpoint.fields:
        name = next((name for name in (one.name, *one.aliases) if given.get(name) is not None), one.name)
        _take(one, name, given, read)
    read.details += _prompts(endpoint, given)
    if read.details:
        raise Unprocessable(read.details)
    routing = Routing(order=("fal",)) if endpoint.id in endpoints() else Routing()  # fal's own way first
    return Request(
        model=endpoint.id,
        references=tuple(read.references),
        options={"fal": read.options} if read.options else {},
        routing=routing,
        policy=handling or JobPolicy(),
        callback_url=callback_url,
        **read.wanted,
    )


def _take(one: Field, name: str, given: Mapping[str, Any], read: _Read) -> None:
    value, loc = given.get(name), ("body", name)
    if value is None:
        if one.required:
            read.details.append(wrong(loc, f"`{name}` is required.", "missing", dict(given)))
            return
        value = one.default
        if value is None or value in one.unset:
            return
    try:
        _READERS[one.type](one, value, loc, read)
    except Unprocessable as error:
        read.details.extend(error.details)


def _keep(one: Field, value: object, loc: Loc, read: _Read) -> None:
    """Put a value where its row says."""
    if not one.to or value in one.unset:
        read.options[one.name] = value
    elif one.to == "frames":
        read.wanted["duration"] = _seconds_of(one, cast("int", value), loc, read)
    else:
        read.wanted[one.to] = value


# -- reading one value


def _text(one: Field, value: object, loc: Loc, read: _Read) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool) and one.one_of:
        value = f"{value:g}"
    text = _string(value, loc)
    if one.to == "duration":
        _keep_seconds(one, text, loc, read)
        return
    if one.one_of:
        text = _chosen(one, text, loc)
    size = len(text)
    if one.max is not None and size > one.max:
        rule = f"`{said(loc)}` has at most {one.max} characters, and this one has {size}. Cut {size - int(one.max)}."
        refuse(loc, rule, "string_too_long", value, max_length=one.max)
    octets = len(text.encode("utf-8", "surrogatepass"))
    if one.max_bytes is not None and octets > one.max_bytes:
        rule = f"`{said(loc)}` has at most {one.max_bytes} bytes in UTF-8, and this one has {octets}."
        refuse(loc, rule, "string_too_long", value, max_length=one.max_bytes)
    _keep(one, text, loc, read)


def _keep_seconds(one: Field, text: str, loc: Loc, read: _Read) -> None:
    """`"8s"`, `"8"` and 8 are the same; the first choice tells how this endpoint writes it."""
    match = SECONDS.fullmatch(text.strip())
    if text in one.unset:
        read.options[one.name] = text
        return
    choices = {_digits(choice): choice for choice in one.one_of}
    if match is None or (choices and match[1].lstrip("0") not in choices):
        _refuse_choice(one, text, loc)
    read.wanted["duration"] = int(match[1])


def _digits(choice: object) -> str:
    match = SECONDS.fullmatch(str(choice))
    return match[1] if match else str(choice)


def _chosen(one: Field, text: str, loc: Loc) -> str:
    found = next((choice for choice in one.one_of if text.lower() == str(choice).lower()), None)
    return _refuse_choice(one, text, loc) if found is None else found


def _refuse_choice(one: Field, value: object, loc: Loc) -> NoReturn:
    if not one.one_of:
        refuse(loc, f"`{said(loc)}` is a number of seconds, such as 5.", "value_error", value)
    near = _nearest(one, value)
    hint = f" The nearest is {near}." if near else ""
    choices = ", ".join(str(choice) for choice in one.one_of)
    rule = f"`{said(loc)}` must be one of {choices}, not {shown(value)}.{hint}"
    refuse(loc, rule, "one_of", value, expected=list(one.one_of))


def _nearest(one: Field, value: object) -> str | None:
    asked = SECONDS.fullmatch(str(value).strip())
    seconds = {choice: SECONDS.fullmatch(str(choice)) for choice in one.one_of}
    if one.to == "duration" and asked:
        counted = {str(choice): int(match[1]) for choice, match in seconds.items() if match}
        return min(counted, key=lambda choice: abs(counted[choice] - int(asked[1])))
    near = difflib.get_close_matches(str(value)[:100], [str(choice) for choice in one.one_of], n=1, cutoff=0.3)
    return near[0] if near else None


def _boolean(one: Field, value: object, loc: Loc, read: _Read) -> None:
    words = {"true": True, "false": False}
    truth = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(truth, bool):
        refuse(loc, f"`{said(loc)}` must be true or false.", "bool_type", value)
    if one.one_of and truth not in one.one_of:
        refuse(loc, f"`{said(loc)}`: {truth} is not served here. Leave it out.", "feature_not_supported", value)
    _keep(one, truth, loc, read)


def _whole(one: Field, value: object, loc: Loc, read: _Read) -> None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        pattern = SECONDS if one.to == "duration" else WHOLE
        match = pattern.fullmatch(value.strip())
        value = int(value.strip().removesuffix("s").strip()) if match else value
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(loc, f"`{said(loc)}` must be a whole number.", "int_type", value)
    if one.one_of and value not in one.one_of:
        _refuse_choice(one, value, loc)
    _bounded(one, value, loc)
    _keep(one, value, loc, read)


def _number(one: Field, value: object, loc: Loc, read: _Read) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        refuse(loc, f"`{said(loc)}` must be a number.", "float_type", value)
    _bounded(one, value, loc)
    _keep(one, value, loc, read)


def _bounded(one: Field, value: float, loc: Loc) -> None:
    if value in one.unset:
        return
    if one.min is not None and value < one.min:
        rule = f"`{said(loc)}` must be at least {one.min}, not {value}."
        refuse(loc, rule, "greater_than_equal", value, ge=one.min)
    if one.max is not None and value > one.max:
        rule = f"`{said(loc)}` must be at most {one.max}, not {value}."
        refuse(loc, rule, "less_than_equal", value, le=one.max)


def _seconds_of(one: Field, frames: int, loc: Loc, read: _Read) -> int:
    """A number of frames as seconds; only whole ones can be kept."""
    rate = read.wanted.get("fps") or one.fps
    seconds, over = divmod(frames - one.extra_frames, rate)
    if over or seconds < 1:
        near = max(1, round((frames - one.extra_frames) / rate)) * rate + one.extra_frames
        rule = f"`{said(loc)}` must come to whole seconds at {rate} frames a second. The nearest is {near}."
        refuse(loc, rule, "multiple_of", frames, multiple_of=rate)
    return seconds


# -- reading references


def _url(one: Field, value: object, loc: Loc, read: _Read) -> None:
    role, kind = one.place
    read.references.append(_reference(value, loc, role=role, kind=kind))


def _urls(one: Field, value: object, loc: Loc, read: _Read) -> None:
    role, kind = one.place
    for at, url in enumerate(_list(one, value, loc)):
        read.references.append(_reference(url, (*loc, at), role=role, kind=kind))


def _named_images(one: Field, value: object, loc: Loc, read: _Read) -> None:
    role, kind = one.place
    types: list[dict[str, str]] = []
    for at, item in enumerate(_list(one, value, loc)):
        here = (*loc, at)
        parts = _object(item, here, ("image_url", "ref_name", "type"), required=("image_url", "ref_name"))
        name = _string(parts["ref_name"], (*here, "ref_name"))[: NAME_CHARS_MAX + 1]
        read.references.append(_reference(parts["image_url"], (*here, "image_url"), role=role, kind=kind, name=name))
        choice = Field(name="type", one_of=("subject", "background"))
        what = _string(parts.get("type") or "subject", (*here, "type"))
        types.append({"ref_name": name, "type": _chosen(choice, what, (*here, "type"))})
    read.options[one.name] = types


def _elements(one: Field, value: object, loc: Loc, read: _Read) -> None:
    """Each element is one reference, named as the prompt calls it; what else shows it is another view of it."""
    voices: list[dict[str, str]] = []
    videos = 0
    for at, item in enumerate(_list(one, value, loc)):
        here = (*loc, at)
        parts = _object(item, here, one.parts, required=one.required_parts)
        views = list(_views(parts, here))
        if not views:
            rule = f"`{said(here)}` needs an image: `frontal_image_url` or `reference_image_urls`."
            refuse(here, rule, "value_error", parts)
        videos += parts.get("video_url") is not None
        if videos > 1:
            refuse((*here, "video_url"), "Only one element may have a video.", "value_error", parts["video_url"])
        base = f"Element{at + 1}"
        for number, (kind, url, place) in enumerate(views):
            name, view_of = (base, None) if number == 0 else (f"{base}-{number + 1}", base)
            read.references.append(_reference(url, place, role=Role.REFERENCE, kind=kind, name=name, view_of=view_of))
        if parts.get("voice_id") is not None:
            voices.append({"element": base, "voice_id": _string(parts["voice_id"], (*here, "voice_id"))})
    if voices:
        read.options[one.name] = voices


def _views(parts: Mapping[str, Any], here: Loc) -> Iterator[tuple[Kind, object, Loc]]:
    if parts.get("frontal_image_url") is not None:
        yield Kind.IMAGE, parts["frontal_image_url"], (*here, "frontal_image_url")
    if parts.get("reference_image_urls") is not None:
        place = (*here, "reference_image_urls")
        limits = Field(name="reference_image_urls", min=1, max=ELEMENT_VIEWS_MAX)
        for at, url in enumerate(_list(limits, parts["reference_image_urls"], place)):
            yield Kind.IMAGE, url, (*place, at)
    if parts.get("video_url") is not None:
        yield Kind.VIDEO, parts["video_url"], (*here, "video_url")


def _shots(one: Field, value: object, loc: Loc, read: _Read) -> None:
    """Several prompts in order; they are kept as they are for fal, and as one prompt for everybody else."""
    told: list[dict[str, str]] = []
    for at, item in enumerate(_list(one, value, loc)):
        here = (*loc, at)
        parts = _object(item, here, ("prompt", "duration"), required=("prompt",))
        seconds = parts.get("duration")
        choice = Field(name="duration", to="duration", one_of=SHOT_SECONDS)
        shot = _Read()
        _text(choice, "5" if seconds is None else seconds, (*here, "duration"), shot)
        prompt = _string(parts["prompt"], (*here, "prompt"))
        told.append({"prompt": prompt, "duration": str(shot.wanted["duration"])})
    read.wanted["prompt"] = "\n".join(shot["prompt"] for shot in told)
    read.options[one.name] = told


def _reference(
    value: object, loc: Loc, *, role: Role, kind: Kind, name: str | None = None, view_of: str | None = None
) -> Reference:
    url = _string(value, loc).strip()
    if not url:
        refuse(loc, f"`{said(loc)}` is empty; it must be an address or a data URI.", "value_error", value)
    if len(url) > URL_CHARS_MAX and url[:5].lower() != "data:":
        rule = f"`{said(loc)}` is an address of {len(url)} characters; at most {URL_CHARS_MAX} are taken."
        refuse(loc, rule, "string_too_long", value, max_length=URL_CHARS_MAX)
    pointer = "".join(f"/{part}" for part in loc[1:])
    return Reference(url=url, role=role, kind=kind, name=name, pointer=pointer, same_subject_as=view_of)


_READERS: Mapping[str, Callable[[Field, Any, Loc, _Read], None]] = {
    "string": _text,
    "boolean": _boolean,
    "integer": _whole,
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
        refuse(loc, f"`{said(loc)}` must be a string.", "string_type", value)
    return value


def _list(one: Field, value: object, loc: Loc) -> list[Any]:
    if not isinstance(value, list):
        refuse(loc, f"`{said(loc)}` must be a list.", "list_type", value)
    items = cast("list[Any]", value)
    if one.min is not None and len(items) < one.min:
        rule = f"`{said(loc)}` needs at least {one.min}, and has {len(items)}."
        refuse(loc, rule, "sequence_too_short", items, min_length=one.min)
    if one.max is not None and len(items) > one.max:
        rule = f"`{said(loc)}` takes at most {one.max}, and has {len(items)}. Take away {len(items) - int(one.max)}."
        refuse(loc, rule, "sequence_too_long", items, max_length=one.max)
    return items


def _object(value: object, loc: Loc, parts: Sequence[str], *, required: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse(loc, f"`{said(loc)}` must be an object with {', '.join(parts)}.", "dict_type", value)
    item = cast("dict[str, Any]", value)
    details = [_stray((*loc, key), parts, item[key]) for key in item if key not in parts]
    details += [
        wrong((*loc, part), f"`{said((*loc, part))}` is required.", "missing", item)
        for part in required
        if item.get(part) is None
    ]
    if details:
        raise Unprocessable(details)
    return item


def _unknown(endpoint: Endpoint, given: Mapping[str, Any]) -> Iterator[Detail]:
    names = [name for one in endpoint.fields for name in (one.name, *one.aliases)]
    for key in given:
        if key not in names:
            yield _stray(("body", key), names, given[key])


def _stray(loc: Loc, known: Sequence[str], value: object) -> Detail:
    close = difflib.get_close_matches(str(loc[-1])[:100], known, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return wrong(loc, f"There is no field `{said(loc)[:100]}` here.{hint}", "extra_forbidden", value)


def _prompts(endpoint: Endpoint, given: Mapping[str, Any]) -> Iterator[Detail]:
    """Where there are two ways to say what is to be seen, exactly one of them is taken."""
    if endpoint.field("multi_prompt") is None:
        return
    ways = [name for name in ("prompt", "multi_prompt") if given.get(name) is not None]
    if len(ways) != 1:
        rule = "Either `prompt` or `multi_prompt` is needed, and not both."
        yield wrong(("body", ways[-1] if ways else "prompt"), rule, "value_error", dict(given))
