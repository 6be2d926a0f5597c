"""The input of one fal endpoint, written as its row says. Facts: the rows of `framegate.catalogue.fal_schema`."""

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
BACKGROUNDS = ("background", "location", "style")  # the types of a named image that are no subject
ELEMENT_VIEWS_MAX = 3


@dataclass(slots=True)
class Input:
    """An endpoint's input as it is put together; `left` are the references that no field has taken."""

    order: Order
    urls: Sequence[str]  # of the references, in their order
    options: dict[str, Any]
    rows: Mapping[str, Field]
    sent: dict[str, Any] = field(default_factory=dict[str, Any])
    left: list[int] = field(default_factory=list[int])
    elements: list[list[int]] = field(default_factory=list[list[int]])

    def reference(self, index: int) -> Reference:
        """The reference of that index."""
        return self.order.references[index].reference

    def take(self, one: Field) -> list[int]:
        """The references that belong in a field, which are then no longer left."""
        role, kind = one.place
        taken = [at for at in self.left if (self.reference(at).role, self.reference(at).kind) == (role, kind)]
        most = 1 if one.type == "url" else one.max
        if most is not None and len(taken) > most:
            raise Refused(f"fal's `{one.name}` takes at most {most:g}, and there are {len(taken)}.")
        self.left = [at for at in self.left if at not in taken]
        return taken


def written(endpoint: Endpoint, order: Order, urls: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The input, and sentences about what the client chose that the endpoint has no field for.

    Raises `Refused` where the endpoint cannot be told what the order asks for.
    """
    rows = {one.name: one for one in endpoint.fields}
    read = Input(order, urls, dict(order.request.options.get("fal", {})), rows, left=list(range(len(urls))))
    if twice := [name for name, value in read.options.items() if _said(rows.get(name), value)]:
        raise Refused(f"provider.options.fal.{twice[0]}: the request itself says this. Leave the option out.")
    if strange := [name for name, value in read.options.items() if _pictures(rows.get(name), value)]:
        raise Refused(f"provider.options.fal.{strange[0]}: pictures are given as references, each with its name.")
    if "elements" in rows:
        read.elements = _elements(read)
    for one in endpoint.fields:
        value = read.options[one.name] if _left_to_fal(one, read) else _value(one, read)
        if value is not None and value != []:
            read.sent[one.name] = value
    if read.left:
        lost = read.reference(read.left[0])
        raise Refused(f"fal's {endpoint.id} takes no {lost.kind} as {lost.role.replace('_', ' ')}.")
    if missing := [one.name for one in endpoint.fields if one.required and one.name not in read.sent]:
        raise Refused(f"fal's {endpoint.id} needs `{missing[0]}`.")
    if "multi_prompt" in read.sent:
        read.sent.pop("prompt", None)
    spare = {name: value for name, value in read.options.items() if name not in rows}
    return {**read.sent, **spare}, _unsaid(endpoint, order)


def _said(one: Field | None, value: object) -> bool:
    """Whether an option says what the request says in words of its own."""
    return one is not None and bool(one.to) and one.type in SIMPLE and value not in one.unset


def _pictures(one: Field | None, value: Any) -> bool:  # noqa: ANN401 - a JSON value
    """Whether an option holds pictures of its own; beside a reference it may tell `EXTRAS` of it."""
    if one is None or one.type not in REFERENCES:
        return False
    rows = cast("list[Any]", value) if isinstance(value, list) else [value]
    extras = EXTRAS.get(one.type)
    return extras is None or not all(_tells(row, extras) for row in rows)


def _tells(row: Any, extras: set[str]) -> bool:  # noqa: ANN401 - a JSON value
    if not isinstance(row, dict):
        return False
    said = cast("dict[str, Any]", row)
    return set(said) == extras and all(isinstance(value, str) for value in said.values())


def _left_to_fal(one: Field, read: Input) -> bool:
    """Whether an option is to go to fal as it is: its own affair, or a choice that is left to the model."""
    return one.name in read.options and (not one.to or one.type == "shots" or one.type in SIMPLE)


def _value(one: Field, read: Input) -> Any:  # noqa: ANN401 - a JSON value
    if not one.to or one.type == "shots":
        return None
    if one.type in REFERENCES:
        return REFERENCES[one.type](one, read)
    return SAID[one.to](one, read)


def _frames(one: Field, read: Input) -> int | None:
    """How many frames, where the endpoint has no field for the seconds."""
    if any(row.to == "duration" for row in read.rows.values()):
        return None
    rated = any(row.to == "fps" for row in read.rows.values())
    fps = read.order.target.fps if rated else one.fps
    return _whole(one, read.order.target.duration * fps + one.extra_frames)


def _chosen(one: Field, said: str | None) -> str | None:
    """A choice as the endpoint spells it."""
    if said is None or not one.one_of:
        return said
    found = next((choice for choice in one.one_of if str(choice).lower() == said.lower()), None)
    if found is None:
        raise _no_choice(one, said)
    return found


def _no_choice(one: Field, said: str) -> Refused:
    return Refused(f"fal's `{one.name}` is one of {', '.join(map(str, one.one_of))}, not {said}.")


def _duration(one: Field, seconds: int) -> str | int:
    """Seconds as the endpoint writes them: 8, "8" or "8s"."""
    if one.type == "integer" and not one.one_of:
        return _whole(one, seconds)
    for choice in one.one_of:
        if (digits := SECONDS.fullmatch(str(choice))) and int(digits[1]) == seconds:
            return choice
    raise _no_choice(one, f"{seconds} seconds")


def _whole(one: Field, number: int) -> int:
    if (one.min is not None and number < one.min) or (one.max is not None and number > one.max):
        bounds = f"{one.min or 0:g} to {one.max:g}" if one.max is not None else f"{one.min or 0:g} or more"
        raise Refused(f"fal's `{one.name}` is {bounds}, and this order needs {number}.")
    return number


# -- references


def _url(one: Field, read: Input) -> str | None:
    taken = read.take(one)
    return read.urls[taken[0]] if taken else None


def _urls(one: Field, read: Input) -> list[str]:
    return [read.urls[at] for at in read.take(one)]


def _named_images(one: Field, read: Input) -> list[dict[str, Any]]:
    types = {row.get("ref_name"): row.get("type") for row in read.options.get(one.name, [])}
    rows: list[dict[str, Any]] = []
    for number, at in enumerate(read.take(one), 1):
        reference = read.reference(at)
        usual = "background" if reference.reference_type in BACKGROUNDS else "subject"
        name = reference.name or f"image{number}"
        rows.append({"image_url": read.urls[at], "ref_name": name, "type": types.get(name) or usual})
    return rows


def _elements(read: Input) -> list[list[int]]:
    """What is shown by several views, or was called an element, is one: its front first, then its other views."""
    bases = {reference.same_subject_as for reference in map(read.reference, read.left) if reference.same_subject_as}
    places = [one.place for one in read.rows.values() if one.type in ("url", "urls")]
    found: dict[str, list[int]] = {}
    for at in read.left:
        reference = read.reference(at)
        if reference.role is not Role.REFERENCE:
            continue
        base = reference.same_subject_as or reference.name or ""
        lone = reference.kind is Kind.VIDEO and (Role.REFERENCE, Kind.VIDEO) not in places
        if base in bases or ELEMENT.fullmatch(base) or lone:
            found.setdefault(base, []).append(at)
    taken = [at for views in found.values() for at in views]
    read.left = [at for at in read.left if at not in taken]
    return list(found.values())


def _put_elements(one: Field, read: Input) -> list[dict[str, Any]]:
    voices = {row.get("element"): row.get("voice_id") for row in read.options.get(one.name, [])}
    return [_element(one, read, views, voices.get(f"Element{number}")) for number, views in enumerate(read.elements, 1)]


def _element(one: Field, read: Input, views: list[int], voice: str | None) -> dict[str, Any]:
    images = [read.urls[at] for at in views if read.reference(at).kind is Kind.IMAGE]
    videos = [read.urls[at] for at in views if read.reference(at).kind is Kind.VIDEO]
    if len(images) > ELEMENT_VIEWS_MAX + 1 or len(videos) > 1:
        raise Refused(f"A fal element has one front and at most {ELEMENT_VIEWS_MAX} other views, and one video.")
    said = {
        "frontal_image_url": images[0] if images else None,
        "reference_image_urls": images[1:] or None,
        "video_url": videos[0] if videos else None,
        "voice_id": voice,
    }
    said = {part: value for part, value in said.items() if value is not None}
    if strange := [part for part in (*one.required_parts, *said) if part not in said or part not in one.parts]:
        raise Refused(f"An element of this endpoint {'needs' if strange[0] not in said else 'has no'} `{strange[0]}`.")
    return said


def _prompt(read: Input) -> str:
    """The prompt, its names as the endpoint reads them: elements are counted apart from the other pictures."""
    text = read.order.request.prompt
    if not read.elements or text is None:
        return prompt(read.order)
    said = {at: f"@Element{number}" for number, views in enumerate(read.elements, 1) for at in views}
    counts = dict.fromkeys(Kind, 0)
    for at in (at for at in range(len(read.urls)) if at not in said):
        reference = read.reference(at)
        if reference.role is Role.REFERENCE:
            counts[reference.kind] += 1
            said[at] = f"@{reference.kind.capitalize()}{counts[reference.kind]}"
        else:
            said[at] = f"the {reference.role.value.replace('_', ' ')}"
    return replace_mentions(text, {name: words for at, words in said.items() if (name := read.reference(at).name)})


def _unsaid(endpoint: Endpoint, order: Order) -> list[str]:
    named = {one.to for one in endpoint.fields}
    request = order.request
    chosen = {
        "generate_audio": request.generate_audio,
        "seed": request.seed,
        "negative_prompt": request.negative_prompt,
        "resolution": request.resolution,
        "aspect_ratio": request.aspect_ratio,
    }
    return dropped_option_notes(
        f"fal's {endpoint.id}", **{name: value for name, value in chosen.items() if name not in named}
    )


SAID: Mapping[str, Callable[[Field, Input], Any]] = {
    "prompt": lambda _, read: _prompt(read),
    "duration": lambda one, read: _duration(one, read.order.target.duration),
    "frames": _frames,
    "fps": lambda one, read: _whole(one, read.order.target.fps),
    "resolution": lambda one, read: _chosen(one, read.order.target.resolution),
    "aspect_ratio": lambda one, read: _chosen(one, read.order.target.aspect_ratio),
    "generate_audio": lambda _, read: read.order.target.audio,
    "seed": lambda _, read: read.order.target.seed,
    "negative_prompt": lambda _, read: read.order.request.negative_prompt,
}
EXTRAS = {"named_images": {"ref_name", "type"}, "elements": {"element", "voice_id"}}
SIMPLE = frozenset({"string", "boolean", "integer", "number"})
REFERENCES: Mapping[str, Callable[[Field, Input], Any]] = {
    "url": _url,
    "urls": _urls,
    "named_images": _named_images,
    "elements": _put_elements,
}
