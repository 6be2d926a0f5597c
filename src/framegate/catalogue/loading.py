"""Reads rows of models from TOML into frozen values.

A key that is not known is an error, and so is a fact for which no source is named.
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
    Ended,
    EndedModel,
    ImageLimits,
    Limits,
    Model,
    Offer,
    Price,
    PromptLimits,
    Rule,
    Source,
    Total,
)
from framegate.domain import Kind, Role

Table = Mapping[str, Any]
T = TypeVar("T")

UNKNOWN = "unknown"
RENAMED_KEYS = {"instead": "successors", "rules": "duration_rules"}  # as files written for 0.1 spell them


class BadRow(ValueError):
    """A row of the catalogue is not as it must be."""


def load(text: str) -> tuple[Model, ...]:
    """The models of one TOML document. Raises `BadRow`, naming the model and the key."""
    document = tomllib.loads(text)
    if set(document) != {"models"}:
        raise BadRow(f"a catalogue file holds [[models]] and nothing else, not {sorted(document)}")
    return tuple(_model(row) for row in document["models"])


def load_ended(text: str) -> tuple[EndedModel, ...]:
    """The models of a TOML document of those that nobody makes any more. Raises `BadRow`."""
    document = tomllib.loads(text)
    if set(document) != {"ended"}:
        raise BadRow(f"such a file holds [[ended]] and nothing else, not {sorted(document)}")
    return tuple(_ended_model(row) for row in document["ended"])


def _ended_model(row: Table) -> EndedModel:
    facts = _tupled(row, "aliases")
    names = {key: facts.pop(key) for key in ("id", "aliases") if key in facts}
    where = str(names.get("id", "a model without id"))
    return _make(EndedModel, {**names, "ended": _ended(facts, where)}, where)


def _ended(row: Table, where: str) -> Ended:
    facts = _tupled(_renamed(row), "successors")
    if not facts.get("url") or not facts.get("read") or not facts.get("successors"):
        raise BadRow(f"{where}: `ended` needs `successors`, and the `url` where it was `read`")
    return _make(Ended, facts, f"{where}: ended")


def _model(row: Table) -> Model:
    where = str(row.get("id", "a model without id"))
    facts = dict(row)
    base = _renamed(facts.pop("limits", {}))
    limits = _limits(base, where)
    offers = tuple(_offer(offer, base, where) for offer in facts.pop("offers", ()))
    sources = _sources(facts.pop("sources", ()), where)
    _sourced((*base, "defaults"), sources, where)
    defaults = _make(Defaults, facts.pop("defaults", {}), f"{where}: defaults")
    _tuples(facts, "aliases", "passthrough")
    made = {"limits": limits, "defaults": defaults, "offers": offers, "sources": sources}
    return _make(Model, facts | made, where)


def _offer(row: Table, base: Table, model: str) -> Offer:
    where = f"{model} at {row.get('provider', '?')}"
    facts = dict(row)
    own = _renamed(facts.pop("limits", {}))
    prices: list[Table] = facts.pop("prices", [])
    ended: Table | None = facts.pop("ended", None)
    sources = _sources(facts.pop("sources", ()), where)
    _sourced((*own, *(["prices"] if prices else [])), sources, where)
    made = {
        "limits": _limits({**base, **own}, where),
        "prices": tuple(_price(price, where) for price in prices),
        "has_own_limits": bool(own),
        "ended": None if ended is None else _ended(ended, where),
        "sources": sources,
    }
    return _make(Offer, facts | made, where)


def _limits(row: Table, where: str) -> Limits:
    readers: dict[str, Callable[[Any], Any]] = {
        "durations": _seconds,
        "resolutions": tuple,
        "aspect_ratios": tuple,
        "sizes": MappingProxyType,
        "sizes_except": tuple,
        "fps": _seconds,
        "prompt": lambda value: _make(PromptLimits, value, f"{where}: prompt"),
        "references": _references,
        "totals": lambda value: tuple(_total(total, where) for total in value),
        "duration_rules": lambda value: tuple(_rule(rule, where) for rule in value),
        "prompt_tokens": lambda value: MappingProxyType({Kind(kind): token for kind, token in value.items()}),
        "images": lambda value: _make(ImageLimits, _tupled(value, "formats"), f"{where}: images"),
        "videos": lambda value: _make(ClipLimits, value, f"{where}: videos"),
        "audios": lambda value: _make(ClipLimits, value, f"{where}: audios"),
    }
    # An offer says "unknown" where what is known of the model need not hold for it.
    facts = {key: None if value == UNKNOWN else readers.get(key, _as_is)(value) for key, value in row.items()}
    return _make(Limits, facts, f"{where}: limits")


def _as_is(value: object) -> object:
    return value


def _seconds(value: list[int] | str) -> tuple[int, ...]:
    """Whole numbers, as a list or as a range such as "3-15"."""
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


def _place(text: str) -> tuple[Role, Kind]:
    role, kind = text.split(".")
    return Role(role), Kind(kind)


def _total(row: Table, where: str) -> Total:
    facts: dict[str, Any] = {**row, "of": tuple(_place(place) for place in row["of"])}
    if "when" in facts:
        facts["when"] = _place(facts["when"])
    return _make(Total, facts, f"{where}: totals")


def _rule(row: Table, where: str) -> Rule:
    facts = _tupled(row, "resolutions") | {"durations": _seconds(row["durations"])}
    if "role" in facts:
        facts["role"] = Role(facts["role"])
    return _make(Rule, facts, f"{where}: rules")


def _price(row: Table, where: str) -> Price:
    return _make(Price, _tupled(row, "resolutions") | {"usd": Decimal(row["usd"])}, f"{where}: prices")


def _sources(rows: list[Table], where: str) -> tuple[Source, ...]:
    named = ({**row, "facts": [RENAMED_KEYS.get(fact, fact) for fact in row.get("facts", ())]} for row in rows)
    return tuple(_make(Source, _tupled(row, "facts"), f"{where}: sources") for row in named)


def _sourced(keys: tuple[str, ...], sources: tuple[Source, ...], where: str) -> None:
    told = {fact for source in sources for fact in source.facts}
    if missing := sorted(set(keys) - told):
        raise BadRow(f"{where}: no source tells {', '.join(missing)}")
    if idle := sorted(told - set(keys)):
        raise BadRow(f"{where}: a source tells {', '.join(idle)}, which the row does not state")


def _renamed(row: Table) -> dict[str, Any]:
    return {RENAMED_KEYS.get(key, key): value for key, value in row.items()}


def _tupled(row: Table, *keys: str) -> dict[str, Any]:
    facts = dict(row)
    _tuples(facts, *keys)
    return facts


def _tuples(facts: dict[str, Any], *keys: str) -> None:
    facts.update({key: tuple(facts[key]) for key in keys if key in facts})


def _make(cls: Callable[..., T], row: Table, where: str) -> T:
    known = {field.name for field in fields(cls)}  # pyright: ignore[reportArgumentType] - only dataclasses come here
    if unknown := sorted(set(row) - known):
        raise BadRow(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    try:
        return cls(**row)
    except TypeError as error:
        raise BadRow(f"{where}: {error}") from error
