"""Parses catalog entries from TOML into frozen values.

An unknown key is an error, and so is a fact without a source.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from framegate.catalogue.model import (
    ClipLimits,
    Count,
    Defaults,
    DurationRule,
    Ended,
    EndedModel,
    ImageLimits,
    Limits,
    Model,
    Offer,
    Price,
    PromptLimits,
    ResolutionRule,
    Source,
    Total,
)
from framegate.domain import Kind, Role

Table = Mapping[str, Any]
T = TypeVar("T")

UNKNOWN = "unknown"
RENAMED_KEYS = {"instead": "successors", "rules": "duration_rules"}  # the names of version 0.1


class InvalidEntry(ValueError):
    """Invalid catalog entry."""


def load(text: str) -> tuple[Model, ...]:
    """The models of a TOML document. Raises `InvalidEntry`, naming the model and the key."""
    return tuple(_model(table) for table in _tables(text, "models"))


def load_ended(text: str) -> tuple[EndedModel, ...]:
    """The models of a TOML document that no provider offers any more. Raises `InvalidEntry`."""
    return tuple(_ended_model(table) for table in _tables(text, "ended"))


def _tables(text: str, name: str) -> list[Table]:
    document = tomllib.loads(text)
    if set(document) != {name}:
        raise InvalidEntry(
            f"the file must have [[{name}]] tables only, but has {', '.join(sorted(document)) or 'none'}"
        )
    return document[name]


def _ended_model(table: Table) -> EndedModel:
    facts = _with_tuples(table, "aliases")
    names = {key: facts.pop(key) for key in ("id", "aliases") if key in facts}
    label = str(names.get("id", "a model without id"))
    return _build(EndedModel, {**names, "ended": _ended(facts, label)}, label)


def _ended(table: Table, label: str) -> Ended:
    facts = _with_tuples(_renamed(table), "successors")
    if not facts.get("url") or not facts.get("read") or not facts.get("successors"):
        raise InvalidEntry(f"{label}: `ended` needs `successors`, and the `url` where it was `read`")
    return _build(Ended, facts, f"{label}: ended")


def _model(table: Table) -> Model:
    label = str(table.get("id", "a model without id"))
    facts = _with_tuples(table, "aliases", "passthrough")
    limits = _renamed(facts.pop("limits", {}))
    values = {
        "limits": _limits(limits, label),
        "offers": tuple(_offer(offer, limits, label) for offer in facts.pop("offers", ())),
        "sources": _sources((*limits, "defaults"), facts.pop("sources", ()), label),
        "defaults": _build(Defaults, facts.pop("defaults", {}), f"{label}: defaults"),
    }
    return _build(Model, facts | values, label)


def _offer(table: Table, model_limits: Table, model: str) -> Offer:
    label = f"{model} at {table.get('provider', '?')}"
    facts = dict(table)
    limits = _renamed(facts.pop("limits", {}))
    prices: list[Table] = facts.pop("prices", [])
    ended: Table | None = facts.pop("ended", None)
    values = {
        "sources": _sources((*limits, *(["prices"] if prices else [])), facts.pop("sources", ()), label),
        "limits": _limits({**model_limits, **limits}, label),
        "prices": tuple(_price(price, label) for price in prices),
        "has_own_limits": bool(limits),
        "ended": None if ended is None else _ended(ended, label),
    }
    if facts.get("needs_listing"):
        values["ended"] = Ended(paused=True)
    return _build(Offer, facts | values, label)


def _limits(table: Table, label: str) -> Limits:
    parsers: dict[str, Callable[[Any], Any]] = {
        "durations": _integers,
        "resolutions": tuple,
        "aspect_ratios": tuple,
        "sizes": MappingProxyType,
        "sizes_except": tuple,
        "fps": _integers,
        "no_seed_with": _roles,
        "no_negative_prompt_with": _roles,
        "prompt": lambda value: _build(PromptLimits, value, f"{label}: prompt"),
        "references": _references,
        "totals": lambda value: tuple(_total(total, label) for total in value),
        "duration_rules": lambda value: tuple(_duration_rule(rule, label) for rule in value),
        "resolution_rules": lambda value: tuple(_resolution_rule(rule, label) for rule in value),
        "prompt_tokens": lambda value: MappingProxyType({Kind(kind): token for kind, token in value.items()}),
        "images": lambda value: _build(ImageLimits, _with_tuples(value, "formats"), f"{label}: images"),
        "videos": lambda value: _build(ClipLimits, value, f"{label}: videos"),
        "audios": lambda value: _build(ClipLimits, value, f"{label}: audios"),
    }
    # "unknown" in an offer: what is known of the model need not hold for this offer.
    facts = {
        key: None if value == UNKNOWN else parsers[key](value) if key in parsers else value
        for key, value in table.items()
    }
    return _build(Limits, facts, f"{label}: limits")


def _integers(value: list[int] | str) -> tuple[int, ...]:
    """Whole numbers, as a list or as a range such as `3-15`."""
    if isinstance(value, str):
        first, last = value.split("-")
        return tuple(range(int(first), int(last) + 1))
    return tuple(sorted(value))


def _references(value: Mapping[str, Mapping[str, list[int]]]) -> Mapping[Role, Mapping[Kind, Count]]:
    return MappingProxyType(
        {
            Role(role): MappingProxyType({Kind(kind): Count(*count) for kind, count in kinds.items()})
            for role, kinds in value.items()
        }
    )


def _roles(names: list[str]) -> tuple[Role, ...]:
    return tuple(map(Role, names))


def _role_and_kind(text: str) -> tuple[Role, Kind]:
    role, kind = text.split(".")
    return Role(role), Kind(kind)


def _total(table: Table, label: str) -> Total:
    facts: dict[str, Any] = {**table, "of": tuple(map(_role_and_kind, table["of"]))}
    if "when" in facts:
        facts["when"] = _role_and_kind(facts["when"])
    return _build(Total, facts, f"{label}: totals")


def _duration_rule(table: Table, label: str) -> DurationRule:
    facts = _with_tuples(table, "resolutions") | {"durations": _integers(table["durations"])}
    if "role" in facts:
        facts["role"] = Role(facts["role"])
    return _build(DurationRule, facts, f"{label}: duration_rules")


def _resolution_rule(table: Table, label: str) -> ResolutionRule:
    facts = _with_tuples(table, "resolutions") | {
        key: _roles(table[key]) for key in ("roles", "without_roles") if key in table
    }
    return _build(ResolutionRule, facts, f"{label}: resolution_rules")


def _price(table: Table, label: str) -> Price:
    facts = _with_tuples(table, "resolutions") | {"usd": Decimal(table["usd"])}
    return _build(Price, facts, f"{label}: prices")


def _sources(keys: tuple[str, ...], tables: list[Table], label: str) -> tuple[Source, ...]:
    """The sources of an entry with these keys: each key needs one, and each source names keys of the entry only."""
    renamed = ({**table, "facts": [RENAMED_KEYS.get(key, key) for key in table.get("facts", ())]} for table in tables)
    sources = tuple(_build(Source, _with_tuples(table, "facts"), f"{label}: sources") for table in renamed)
    sourced = {fact for source in sources for fact in source.facts}
    if missing := sorted(set(keys) - sourced):
        raise InvalidEntry(f"{label}: no source for {', '.join(missing)}")
    if unused := sorted(sourced - set(keys)):
        raise InvalidEntry(f"{label}: source for {', '.join(unused)}, which the entry does not have")
    return sources


def _renamed(table: Table) -> dict[str, Any]:
    return {RENAMED_KEYS.get(key, key): value for key, value in table.items()}


def _with_tuples(table: Table, *keys: str) -> dict[str, Any]:
    return {key: tuple(value) if key in keys else value for key, value in table.items()}


def _build(cls: Callable[..., T], table: Table, label: str) -> T:
    allowed = {field.name for field in fields(cls)}  # pyright: ignore[reportArgumentType] - only dataclasses are built
    if unknown := sorted(set(table) - allowed):
        raise InvalidEntry(f"{label}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(allowed))}")
    try:
        return cls(**table)
    except TypeError as error:
        raise InvalidEntry(f"{label}: {error}") from error
