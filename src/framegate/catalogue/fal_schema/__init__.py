"""fal's reference-to-video endpoints, as rows: the fields of each, their types, defaults and limits.

The dialect reads inputs by them, and the provider writes inputs by them.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

from framegate.domain import Kind, Role

NAMESPACES = ("workflows", "comfy")

Type = Literal["string", "boolean", "integer", "number", "url", "urls", "elements", "named_images", "shots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an endpoint's input. `to` is the part of a request that it becomes; empty: fal's own affair."""

    name: str
    to: str = ""
    type: Type = "string"
    required: bool = False
    default: Any = None
    one_of: tuple[Any, ...] = ()
    unset: tuple[Any, ...] = ()  # values that leave the choice to the model
    min: float | None = None  # of a number; of a list how many; of a text how many characters
    max: float | None = None
    max_bytes: int | None = None  # of a text in UTF-8
    aliases: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()  # what an element may have
    required_parts: tuple[str, ...] = ()
    extra_frames: int = 0  # of a number of frames: those beside duration times rate
    fps: int = 0  # the rate at which frames are counted, where no field says another

    @property
    def place(self) -> tuple[Role, Kind]:
        """The role and kind of the references that it holds."""
        role, _, kind = self.to.partition(".")
        return Role(role), Kind(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One id under which fal's clients ask for a video."""

    id: str
    fields: tuple[Field, ...]
    outputs: tuple[str, ...] = ()  # what its answer has beside the video

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((field for field in self.fields if name in (field.name, *field.aliases)), None)

    def schema(self) -> dict[str, Any]:
        """The input as JSON Schema."""
        return {
            "title": f"{self.id} input",
            "type": "object",
            "additionalProperties": False,
            "required": [field.name for field in self.fields if field.required],
            "properties": {field.name: _schema(field) for field in self.fields},
        }


@cache
def endpoints() -> Mapping[str, Endpoint]:
    """Every endpoint of the table, by its id. Read once."""
    text = files("framegate.catalogue.fal_schema").joinpath("endpoints.toml").read_text("utf-8")
    known: dict[str, Endpoint] = {}
    for row in tomllib.loads(text)["endpoints"]:
        inherited = known[row["like"]].fields if "like" in row else ()
        own = {field.name: field for field in map(_field, row["fields"])}
        kept = [own.pop(field.name, field) for field in inherited if field.name not in row.get("without", ())]
        for endpoint_id in row["ids"]:
            outputs = tuple(row.get("outputs", ()))
            known[endpoint_id] = Endpoint(id=endpoint_id, fields=(*kept, *own.values()), outputs=outputs)
    return known


def app_of(endpoint_id: str) -> str:
    """`[namespace/]owner/app`: what stands before `/requests/` in a request's addresses."""
    parts = endpoint_id.strip("/").split("/")
    return "/".join(parts[: 3 if parts[0] in NAMESPACES else 2])


def _field(row: Mapping[str, Any]) -> Field:
    known = {field.name for field in fields(Field)}
    if unknown := set(row) - known:
        raise ValueError(f"{row.get('name')}: unknown key {sorted(unknown)}")
    return Field(**{key: _tupled(value) for key, value in row.items()})


def _tupled(value: Any) -> Any:  # noqa: ANN401 - whatever TOML has
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


_URL = {"type": "string", "description": "An http(s) address, a data URI, or the address of an uploaded file."}
_VIEWS = {"type": "array", "items": _URL, "minItems": 1, "maxItems": 3}
_ITEMS: Mapping[str, dict[str, Any]] = {
    "urls": _URL,
    "named_images": {
        "type": "object",
        "additionalProperties": False,
        "required": ["image_url", "ref_name"],
        "properties": {
            "image_url": _URL,
            "ref_name": {"type": "string", "description": "The prompt calls it by @ and this name."},
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
    said: dict[str, Any]
    if field.type == "elements":
        parts = {part: _VIEWS if part == "reference_image_urls" else _URL for part in field.parts}
        parts |= {"voice_id": {"type": "string"}} if "voice_id" in field.parts else {}
        item = {"type": "object", "additionalProperties": False, "properties": parts}
        said = {"type": "array", "items": {**item, "required": list(field.required_parts)}}
    elif field.type in _ITEMS:
        said = {"type": "array", "items": _ITEMS[field.type]}
    elif field.type == "url":
        said = dict(_URL)
    else:
        said = {"type": field.type}
    bounds = {"array": ("minItems", "maxItems"), "string": ("minLength", "maxLength")}
    least, most = bounds.get(said["type"], ("minimum", "maximum"))
    told = {least: field.min, most: field.max, "enum": list(field.one_of) or None, "default": field.default}
    said |= {key: value for key, value in told.items() if value is not None}
    if field.max_bytes:
        said["description"] = f"At most {field.max_bytes} bytes in UTF-8."
    return said
