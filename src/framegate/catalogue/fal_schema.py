"""fal's reference-to-video endpoints: the fields of each input, with types, defaults and limits.

The fal dialect parses inputs by these fields, and the fal provider builds inputs from them. `fal_endpoints.toml` has
one table per endpoint and one row per field:

- `name`: the name of the field at fal; `aliases`: other names that are accepted.
- `to`: the part of a request that the field becomes: `prompt`, `duration`, …, or the role and kind of references, such
  as `reference.image`. A field without it is passed through to fal.
- `type`: `string` (the default), `boolean`, `integer`, `number`, `url`; a list of `urls`; or one of fal's structures:
  `elements` (subjects in several views), `named_images`, `shots` (prompts in sequence).
- `required`, `default`; `one_of`: the choices; `unset`: the values that leave the choice to the model.
- `min`, `max`: of a number; of a list, its length; of a text, its characters; `max_bytes`: of a text in UTF-8.
- `parts`, `required_parts`: the keys of an element.
- `to = "frames"`: a number of frames, which sets the duration. `extra_frames` are added to duration times frame rate,
  and `fps` is the rate if no field sets one.

`like` takes over the fields of an earlier endpoint, except those in `without`; a field with the same name replaces one.
`outputs` are the keys of the result beside the video. `task_of` is the endpoint whose model the endpoint belongs to: of
these, an order goes to the one that takes its references.
"""

import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

from framegate.domain import Kind, Role

NAMESPACES = ("workflows", "comfy")

REFERENCE_TYPES = frozenset({"url", "urls", "elements", "named_images"})
FieldType = Literal["string", "boolean", "integer", "number", "url", "urls", "elements", "named_images", "shots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an endpoint's input; the module describes the attributes."""

    name: str
    to: str = ""
    type: FieldType = "string"
    required: bool = False
    default: Any = None
    one_of: tuple[Any, ...] = ()
    unset: tuple[Any, ...] = ()
    min: float | None = None
    max: float | None = None
    max_bytes: int | None = None
    aliases: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    required_parts: tuple[str, ...] = ()
    extra_frames: int = 0
    fps: int = 0

    @property
    def role_and_kind(self) -> tuple[Role, Kind]:
        """The role and kind of the references in it."""
        role, _, kind = self.to.partition(".")
        return Role(role), Kind(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint of fal: its id, input fields, and the keys of its result beside the video."""

    id: str
    fields: tuple[Field, ...]
    outputs: tuple[str, ...] = ()
    task_of: str = ""

    def field(self, name: str) -> Field | None:
        """The field with that name or alias."""
        return next((field for field in self.fields if name in (field.name, *field.aliases)), None)

    def takes(self, places: AbstractSet[tuple[Role, Kind]]) -> bool:
        """Whether an order with references of these roles and kinds fits, and lacks none that is required."""
        holders = [field for field in self.fields if field.type in REFERENCE_TYPES]
        required = {field.role_and_kind for field in holders if field.required}
        return required <= places <= {field.role_and_kind for field in holders}

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the input."""
        return {
            "title": f"{self.id} input",
            "type": "object",
            "additionalProperties": False,
            "required": [field.name for field in self.fields if field.required],
            "properties": {field.name: _schema(field) for field in self.fields},
        }


@cache
def endpoints() -> Mapping[str, Endpoint]:
    """All known endpoints by id."""
    text = files("framegate.catalogue").joinpath("fal_endpoints.toml").read_text("utf-8")
    endpoints_by_id: dict[str, Endpoint] = {}
    for table in tomllib.loads(text)["endpoints"]:
        inherited = endpoints_by_id[table["like"]].fields if "like" in table else ()
        replacing = {field.name: field for field in map(_field, table["fields"])}
        # An inherited field that is replaced stays in its position.
        merged = [replacing.pop(field.name, field) for field in inherited if field.name not in table.get("without", ())]
        for endpoint_id in table["ids"]:
            outputs = tuple(table.get("outputs", ()))
            endpoints_by_id[endpoint_id] = Endpoint(
                id=endpoint_id,
                fields=(*merged, *replacing.values()),
                outputs=outputs,
                task_of=table.get("task_of", ""),
            )
    return endpoints_by_id


def endpoint_for(offer_id: str, places: AbstractSet[tuple[Role, Kind]]) -> Endpoint | None:
    """The endpoint of an offer that takes references of these roles and kinds: its own, or one of its tasks.

    Its own if none does; None if the offer has no endpoint that is known.
    """
    own = endpoints().get(offer_id)
    if own is None or own.takes(places):
        return own
    tasks = (endpoint for endpoint in endpoints().values() if endpoint.task_of == offer_id)
    return next((endpoint for endpoint in tasks if endpoint.takes(places)), own)


def app_of(endpoint_id: str) -> str:
    """The app of an endpoint, `[namespace/]owner/app`: what precedes `/requests/` in the URLs of its requests."""
    parts = endpoint_id.strip("/").split("/")
    return "/".join(parts[: 3 if parts[0] in NAMESPACES else 2])


def _field(row: Mapping[str, Any]) -> Field:
    if unknown := set(row) - {field.name for field in fields(Field)}:
        raise ValueError(f"{row.get('name')}: unknown key {sorted(unknown)}")
    return Field(**{key: _frozen(value) for key, value in row.items()})


def _frozen(value: Any) -> Any:  # noqa: ANN401 - a TOML value
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


_URL = {"type": "string", "description": "An http(s) URL, a data URI, or the URL of an uploaded file."}
_VIEWS = {"type": "array", "items": _URL, "minItems": 1, "maxItems": 3}
_ITEMS: Mapping[str, dict[str, Any]] = {
    "urls": _URL,
    "named_images": {
        "type": "object",
        "additionalProperties": False,
        "required": ["image_url", "ref_name"],
        "properties": {
            "image_url": _URL,
            "ref_name": {"type": "string", "description": "The prompt mentions the image by @ and this name."},
            "type": {"type": "string", "enum": ["subject", "background"], "default": "subject"},
        },
    },
    "shots": {
        "type": "object",
        "additionalProperties": False,
        "required": ["prompt"],
        "properties": {"prompt": {"type": "string"}, "duration": {"type": "string", "default": "5"}},
    },
}


def _schema(field: Field) -> dict[str, Any]:
    schema: dict[str, Any]
    if field.type == "elements":
        parts = {part: _VIEWS if part == "reference_image_urls" else _URL for part in field.parts}
        parts |= {"voice_id": {"type": "string"}} if "voice_id" in field.parts else {}
        item = {"type": "object", "additionalProperties": False, "properties": parts}
        schema = {"type": "array", "items": {**item, "required": list(field.required_parts)}}
    elif field.type in _ITEMS:
        schema = {"type": "array", "items": _ITEMS[field.type]}
    elif field.type == "url":
        schema = dict(_URL)
    else:
        schema = {"type": field.type}
    bounds = {"array": ("minItems", "maxItems"), "string": ("minLength", "maxLength")}
    lower, upper = bounds.get(schema["type"], ("minimum", "maximum"))
    limits = {lower: field.min, upper: field.max, "enum": list(field.one_of) or None, "default": field.default}
    schema |= {key: value for key, value in limits.items() if value is not None}
    if field.max_bytes:
        schema["description"] = f"At most {field.max_bytes} bytes in UTF-8."
    return schema
