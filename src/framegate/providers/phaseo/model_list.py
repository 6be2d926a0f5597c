"""Phaseo's list of its models, in the words of the records that are laid over our own table.

Which of its upstreams makes a video is Phaseo's to choose: a value is there where one of them has it, and where one
names none nothing is certain. Its prices come without their conditions, so they are of no use.
Facts: `GET /videos/models` of its gateway (github.com/phaseoteam/Phaseo).
"""

from collections.abc import Mapping
from typing import Any, cast

from framegate.net.vendor_client import at

CHOICES = {
    "supported_durations": "duration",
    "supported_resolutions": "resolution",
    "supported_aspect_ratios": "aspect_ratio",
}
SWITCHES = ("seed", "generate_audio")
MADE = ("active", "available", None)  # what it says of a model that can be ordered; any other word is a pause

Table = Mapping[str, Any]


def records(data: object) -> object:
    """The list, each model with what is certain of it; what is no list is handed back as it is."""
    if not isinstance(data, list):
        return data
    return [record(cast("Table", row)) for row in cast("list[Any]", data) if isinstance(row, dict)]


def record(row: Table) -> dict[str, Any]:
    """One model: its id, the values that it takes, and its switches."""
    choices = {field: _values(_details(row, name)) for field, name in CHOICES.items()}
    switches = {name: _supported(_details(row, name)) for name in SWITCHES}
    told = {field: value for field, value in (choices | switches).items() if value is not None}
    paused = {} if row.get("status") in MADE else {"paused": True}
    return {"id": row.get("model"), **paused, **told}


def _details(row: Table, name: str) -> list[Table]:
    """What is said of a parameter by each upstream that says anything; else what is said of the model as a whole."""
    places = [_detail(place, name) for place in _listed(row.get("providers"))]
    return [one for one in places if one is not None] or [one for one in [_detail(row, name)] if one is not None]


def _detail(place: object, name: str) -> Table | None:
    """A parameter by its own name, else by the one that has it for an alias."""
    told = at(place, "supported_params_detail") or at(place, "supported_parameters_detail")
    details = cast("Table", told if isinstance(told, dict) else {})
    others = (one for one in details.values() if name in _listed(at(one, "aliases")))
    found = details.get(name) or next(others, None)
    return cast("Table", found) if isinstance(found, dict) else None


def _values(details: list[Table]) -> list[Any] | None:
    lists = [_listed(detail.get("values")) for detail in details if detail.get("supported") is True]
    together = {repr(value): value for values in lists for value in values}
    return list(together.values()) if lists and all(lists) else None


def _supported(details: list[Table]) -> bool | None:
    said = [detail.get("supported") for detail in details]
    if True in said:
        return True
    return False if said and all(one is False for one in said) else None


def _listed(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
