"""Phaseo's list of models, converted to records that overlay the catalogue.

Phaseo chooses the upstream provider of a job: a value counts as supported if one of them supports it, and as unknown if
one of them lists no values. Its prices come without their conditions and are not used.
Facts: `GET /videos/models` of its gateway (github.com/phaseoteam/Phaseo).
"""

from collections.abc import Mapping
from typing import Any, cast

from framegate.domain.json import as_list, as_object, at

CHOICES = {
    "supported_durations": "duration",
    "supported_resolutions": "resolution",
    "supported_aspect_ratios": "aspect_ratio",
}
SWITCHES = ("seed", "generate_audio")
AVAILABLE_STATUSES = ("active", "available", None)  # any other status means that the model is paused

Table = Mapping[str, Any]


def records(data: object) -> object:
    """A record for each model of the list; anything but a list is returned unchanged."""
    if not isinstance(data, list):
        return data
    return [record(cast("Table", row)) for row in cast("list[Any]", data) if isinstance(row, dict)]


def record(row: Table) -> dict[str, Any]:
    """One model: its id, the supported values, and its switches."""
    choices = {field: _values(_details(row, name)) for field, name in CHOICES.items()}
    switches = {name: _is_supported(_details(row, name)) for name in SWITCHES}
    certain = {field: value for field, value in (choices | switches).items() if value is not None}
    paused = {} if _is_available(row) else {"paused": True}
    return {"id": row.get("model"), **paused, **certain}


def _is_available(row: Table) -> bool:
    """Whether the model is listed as available, and at least one upstream provider as routed."""
    routed = [at(entry, "is_active_gateway") is not False for entry in (row, *as_list(row.get("providers")))]
    return row.get("status") in AVAILABLE_STATUSES and routed[0] and (len(routed) == 1 or any(routed[1:]))


def _details(row: Table, name: str) -> list[Table]:
    """What each upstream provider says about a parameter; if none says anything, what the model itself says."""
    by_provider = [_detail(provider, name) for provider in as_list(row.get("providers"))]
    details = [detail for detail in by_provider if detail is not None]
    return details or [detail for detail in [_detail(row, name)] if detail is not None]


def _detail(entry: object, name: str) -> Table | None:
    """A parameter by its own name, else by an alias."""
    details = as_object(at(entry, "supported_params_detail") or at(entry, "supported_parameters_detail"))
    by_alias = (detail for detail in details.values() if name in as_list(at(detail, "aliases")))
    detail = details.get(name) or next(by_alias, None)
    return cast("Table", detail) if isinstance(detail, dict) else None


def _values(details: list[Table]) -> list[Any] | None:
    lists = [as_list(detail.get("values")) for detail in details if detail.get("supported") is True]
    union = {repr(value): value for values in lists for value in values}
    return list(union.values()) if lists and all(lists) else None


def _is_supported(details: list[Table]) -> bool | None:
    answers = [detail.get("supported") for detail in details]
    if True in answers:
        return True
    return False if answers and all(answer is False for answer in answers) else None
