"""`models`: what each model takes and costs."""

from collections.abc import Iterator
from typing import Annotated, Any, cast

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json, Sandbox, Server, open_gateway

Record = dict[str, Any]
# Said in other words below, or for programs.
LEFT_TO_JSON = frozenset(
    {
        *("canonical_slug", "created", "offers", "price_per_second_usd", "pricing_skus", "sources"),
        *("supported_frame_images", "supported_references", "reference_combinations", "duration_rules"),
    }
)


def models(
    *,
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Show this one.")] = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
    sandbox: Sandbox = False,
) -> None:
    """List the models, or show one with its limits and prices.

    Example: framegate models google/veo-3.1
    """
    with open_gateway(server, data, sandbox=sandbox, brief=True) as gate:
        found: list[Record] = [dict(record.raw) for record in gate.models.list()]
    if model is not None:
        _show_one(model, found, json=json)
        return
    if json:
        console.out_json({"data": found})
        return
    rows = sorted(found, key=lambda one: not any(map(_had, _offers(one))))
    console.table(("MODEL", "SECONDS", "UP TO", "FROM $/S", "OFFERED BY"), [_row(one) for one in rows])
    if not all(_had(offer) for one in rows for offer in _offers(one)):
        console.hint("(in brackets): no account or server set up here makes it.")


def _row(one: Record) -> tuple[str, ...]:
    offers = _offers(one)
    had = [offer for offer in offers if _had(offer)]
    price = _lowest(had or offers)
    names = [str(offer["provider"]) if _had(offer) else f"({offer['provider']})" for offer in offers]
    return (
        str(one["id"]),
        spans(one.get("supported_durations")),
        (one.get("supported_resolutions") or ["-"])[-1],
        price if had or price == "-" else f"({price})",
        ", ".join(dict.fromkeys(sorted(names, key=lambda name: name.startswith("(")))) or "-",
    )


def _offers(one: Record) -> list[Record]:
    return one.get("offers") or []


def _had(offer: Record) -> bool:
    """Whether it can be ordered at this gate; a gate that does not tell is taken to have it."""
    return offer.get("available") is not False


def _lowest(offers: list[Record]) -> str:
    """The lowest price of a second; 0 for what is free, - for what is not known or not by the second."""
    prices = [price for offer in offers for price in _prices(offer)]
    by_second = [price["usd"] for price in prices if price["unit"] == "second"]
    free = "0" if prices and not any(map(_usd, prices)) else "-"
    return min(by_second, key=float) if by_second else free


def _prices(offer: Record) -> list[Record]:
    return offer.get("prices") or []


def _usd(price: Record) -> float:
    return float(price["usd"])


def spans(numbers: list[int] | None) -> str:
    """Numbers as people write them: 2-5,8,10."""
    runs: list[list[int]] = []
    for number in sorted(numbers or ()):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "-"


def _show_one(name: str, found: list[Any], *, json: bool) -> None:
    import difflib

    by_name = {str(known): one for one in found for known in (one["id"], *(one.get("aliases") or ()))}
    record = by_name.get(name)
    if record is None:
        close = difflib.get_close_matches(name, by_name, n=3)
        helpful = f"did you mean {', '.join(close)}?" if close else "`framegate models` lists them."
        console.fail(f"There is no model `{name}` here.", console.Exit.NOT_FOUND, helpful)
    if json:
        console.out_json(record)
        return
    lines = list(_facts(record))
    width = max(len(key) for key, _ in lines)
    for key, value in lines:
        console.out_hanging(f"{key:<{width}}  ", value)


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    """What people ask of a model, fact by fact, and then each of its offers with its prices."""
    for key, value in record.items():
        if key not in LEFT_TO_JSON:
            yield from _lines(key, value)
    taken: dict[str, dict[str, Record]] = record.get("supported_references") or {}
    for role, kinds in taken.items():
        yield f"takes.{role}", ", ".join(_count(kind, span["min"], span["max"]) for kind, span in kinds.items())
    yield from (("rule", rule) for rule in _rules(record))
    for offer in sorted(_offers(record), key=lambda offer: not _had(offer)):
        prices = "; ".join(map(_price, _prices(offer))) or "no price is known"
        away = "" if _had(offer) else " (not set up here)"
        yield f"offer.{offer['provider']}", f"{offer['id']}: {prices}{away}"


def _rules(record: Record) -> Iterator[str]:
    """What holds of several things together."""
    together: Record = record.get("reference_combinations") or {}
    if together.get("references_with_frames") is False:
        yield "references or frames, not both"
    if together.get("last_frame_needs_first_frame"):
        yield "a last frame only with a first one"
    if together.get("audio_needs_image_or_video"):
        yield "a sound only with an image or a video"
    totals: list[Record] = together.get("totals") or []
    for total in totals:
        when = f", where there is a {total['when']}" if total.get("when") else ""
        yield f"{total['min'] or 0} to {total['max']} of {', '.join(total['of'])} together{when}"
    rules: list[Record] = record.get("duration_rules") or []
    for rule in rules:
        when = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in _lines("", rule) if name != "durations")
        yield f"{spans(rule['durations'])} s with {when}"


def _count(kind: str, least: int, most: int) -> str:
    """How many are taken: up to 3 images, 1 image."""
    number = str(most) if least == most else f"{least or 'up'} to {most}"
    return f"{number} {kind}" + ("" if most == 1 else "s")


def _price(price: Record) -> str:
    """A price as people say it: $0.40 a second at 4K without sound."""
    if not _usd(price):
        return "free"
    sound = "" if price.get("audio") is None else " with sound" if price["audio"] else " without sound"
    resolutions = f" at {', '.join(price['resolutions'])}" if price.get("resolutions") else ""
    source = f" from {price['input']}" if price.get("input") else ""
    return f"${price['usd']} a {price['unit'].replace('_', ' ')}{resolutions}{source}{sound}"


def _lines(name: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """One line for each fact, with a dotted name for those inside another; what nobody knows is left out."""
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
            yield name, spans(items) if numbers else ", ".join(map(str, items))
    elif value is not None:
        yield name, ("yes" if value else "no") if isinstance(value, bool) else str(value)
