"""`models` command: the limits and prices of the models."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, cast

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json, Sandbox, Server, open_gateway

Record = dict[str, Any]


class Sort(StrEnum):
    """Order of the models."""

    NAME = "name"
    PRICE = "price"


# Shown in other words, or only useful in JSON.
HIDDEN_FIELDS = frozenset(
    {
        *("canonical_slug", "created", "offers", "price_per_second_usd", "pricing_skus", "sources"),
        *("supported_frame_images", "supported_references", "reference_combinations", "duration_rules"),
    }
)


def models(
    *,
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Show only this model.")] = None,
    sort: Annotated[
        Sort,
        typer.Option("--sort", help="By name, or by the lowest price per second; available ones first."),
    ] = Sort.NAME,
    json: Json = False,
    server: Server = None,
    data: Data = None,
    sandbox: Sandbox = False,
) -> None:
    """List the models, or show one with its limits and prices.

    Example: framegate models google/veo-3.1
    """
    with open_gateway(server, data, sandbox=sandbox, brief=True) as client:
        records: list[Record] = [dict(record.raw) for record in client.models.list()]
    if model is not None:
        _show_model(model, records, json=json)
        return
    if json:
        console.print_json({"data": records})
        return
    records.sort(key=lambda record: _sort_key(record, sort))
    console.table(("MODEL", "REFS", "SECONDS", "UP TO", "FROM $/S", "PROVIDERS"), [_row(record) for record in records])
    if not all(_is_available(offer) for record in records for offer in _offers(record)):
        console.print_hint("(in brackets): no provider account is configured for it")


def _sort_key(record: Record, sort: Sort) -> tuple[Any, ...]:
    """Available models first; then by vendor and name, or by price with unknown prices last."""
    offers = _offers(record)
    available = [offer for offer in offers if _is_available(offer)]
    price = _lowest_price(available or offers)
    by_price = (price == "-", 0.0 if price == "-" else float(price)) if sort is Sort.PRICE else ()
    return (not available, *by_price, str(record["id"]))


def _reference_count(record: Record) -> str:
    """The maximum number of reference pictures; - if the model takes none."""
    accepted: dict[str, dict[str, Record]] = record.get("supported_references") or {}
    return str(accepted.get("reference", {}).get("image", {}).get("max") or "-")


def _row(record: Record) -> tuple[str, ...]:
    offers = _offers(record)
    available = [offer for offer in offers if _is_available(offer)]
    price = _lowest_price(available or offers)
    names = [str(offer["provider"]) if _is_available(offer) else f"({offer['provider']})" for offer in offers]
    return (
        str(record["id"]),
        _reference_count(record),
        format_ranges(record.get("supported_durations")),
        (record.get("supported_resolutions") or ["-"])[-1],
        price if available or price == "-" else f"({price})",
        ", ".join(dict.fromkeys(sorted(names, key=lambda name: name.startswith("(")))) or "-",
    )


def _offers(record: Record) -> list[Record]:
    return record.get("offers") or []


def _is_available(offer: Record) -> bool:
    """Whether this gateway can order it; True if the gateway does not say."""
    return offer.get("available") is not False


def _lowest_price(offers: list[Record]) -> str:
    """The lowest price per second; 0 if free, - if unknown or not per second."""
    prices = [price for offer in offers for price in _prices(offer)]
    by_second = [price["usd"] for price in prices if price["unit"] == "second"]
    free = "0" if prices and not any(map(_usd, prices)) else "-"
    return min(by_second, key=float) if by_second else free


def _prices(offer: Record) -> list[Record]:
    return offer.get("prices") or []


def _usd(price: Record) -> float:
    return float(price["usd"])


def format_ranges(numbers: list[int] | None) -> str:
    """Numbers as ranges: 2-5,8,10."""
    runs: list[list[int]] = []
    for number in sorted(numbers or ()):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "-"


def _show_model(name: str, records: list[Any], *, json: bool) -> None:
    import difflib

    by_name = {str(each): record for record in records for each in (record["id"], *(record.get("aliases") or ()))}
    record = by_name.get(name)
    if record is None:
        similar = difflib.get_close_matches(name, by_name, n=3)
        hint = f"did you mean {', '.join(similar)}?" if similar else "list all models with: framegate models"
        console.fail(f"Model not found: {name}", console.Exit.NOT_FOUND, hint)
    if json:
        console.print_json(record)
        return
    lines = list(_describe(record))
    width = max(len(key) for key, _ in lines)
    for key, value in lines:
        console.print_wrapped(f"{key:<{width}}  ", value)


def _describe(record: Record) -> Iterator[tuple[str, str]]:
    """The limits of a model, one per line, and its offers with their prices."""
    for key, value in record.items():
        if key not in HIDDEN_FIELDS:
            yield from _lines(key, value)
    accepted: dict[str, dict[str, Record]] = record.get("supported_references") or {}
    for role, kinds in accepted.items():
        yield f"accepts.{role}", ", ".join(_count(kind, span["min"], span["max"]) for kind, span in kinds.items())
    yield from (("rule", rule) for rule in _rules(record))
    for offer in sorted(_offers(record), key=lambda offer: not _is_available(offer)):
        prices = "; ".join(map(_price, _prices(offer))) or "price unknown"
        note = "" if _is_available(offer) else " (not configured)"
        yield f"offer.{offer['provider']}", f"{offer['id']}: {prices}{note}"


def _rules(record: Record) -> Iterator[str]:
    """The rules for combinations of inputs."""
    combinations: Record = record.get("reference_combinations") or {}
    if combinations.get("references_with_frames") is False:
        yield "references or frames, not both"
    if combinations.get("last_frame_needs_first_frame"):
        yield "a last frame requires a first frame"
    if combinations.get("audio_needs_image_or_video"):
        yield "audio requires an image or a video"
    totals: list[Record] = combinations.get("totals") or []
    for total in totals:
        condition = f" with {total['when']}" if total.get("when") else ""
        inputs = ", ".join(total["of"])
        count = f"{total['min'] or 0} to {total['max']} in total of " if total["max"] else "no "
        yield f"{count}{inputs}{condition}"
    rules: list[Record] = record.get("duration_rules") or []
    for rule in rules:
        conditions = [f"{name.replace('_', ' ')} {value}" for name, value in _lines("", rule) if name != "durations"]
        yield f"{format_ranges(rule['durations'])} s with {'; '.join(conditions)}"


def _count(kind: str, minimum: int, maximum: int) -> str:
    """How many are accepted: up to 3 images, 1 image."""
    number = str(maximum) if minimum == maximum else f"{minimum or 'up'} to {maximum}"
    return f"{number} {kind}" + ("" if maximum == 1 else "s")


def _price(price: Record) -> str:
    """A price in words: $0.40 per second at 4K without sound."""
    if not _usd(price):
        return "free"
    sound = "" if price.get("audio") is None else " with sound" if price["audio"] else " without sound"
    resolutions = f" at {', '.join(price['resolutions'])}" if price.get("resolutions") else ""
    source = f" from {price['input']}" if price.get("input") else ""
    return f"${price['usd']} per {price['unit'].replace('_', ' ')}{resolutions}{source}{sound}"


def _lines(name: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """One line per value, with dotted names for nested ones. Unknown values are left out."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield from _lines(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from _lines(f"{name}.{index}", inner)
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        numbers = all(isinstance(item, int) for item in items)
        if items:
            yield name, format_ranges(items) if numbers else ", ".join(map(str, items))
    elif value is not None:
        yield name, ("yes" if value else "no") if isinstance(value, bool) else str(value)
