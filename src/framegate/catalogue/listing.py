"""What a service itself lists of its models, laid over our own table: limits, prices, and which it has ended.

Of references (how many, how they combine, what prompts call them) no list tells, so those stay as the table has them.
A field that cannot be read changes nothing. Facts: openrouter.ai/docs, `GET /videos/models`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from math import log
from types import MappingProxyType
from typing import Any, cast

from framegate.catalogue.dimensions import canonical, every_size, pixels, ratio_of, short_side_px
from framegate.catalogue.model import Count, Ended, Input, Limits, Model, Offer, Price, Source, Unit
from framegate.catalogue.pricing import BESIDES
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.references import FRAMES
from framegate.domain import Kind

RECORDS_MAX = 10_000
VALUES_MAX = 1_000  # of one field
NAME_CHARS_MAX = 80  # of a price
RATIO_SLACK = 0.05  # how far a listed size may be from the ratio that it stands for, as 854x480 is from 16:9
CENTS = Decimal("0.01")
SHAPE = "openrouter"  # what its API leaves out of a model, no service of its shape takes either
_SKU = re.compile(
    r"(?:(?P<input>text|image)_to_video_)?"
    r"(?P<unit>duration_seconds|video_tokens|cents_per_second_output|cents_per_video_output_second|generate"
    r"|cents_per_second_video_continuation)"
    r"(?:_(?P<before>with|without)_audio)?(?P<resolutions>(?:_\d{3,4}p|_[124]k)*)(?:_(?P<after>with|without)_audio)?"
    r"(?P<clips>_with_video_input)?"
)
_INPUTS: Mapping[str | None, Input] = {"text": "text", "image": "image"}
_BESIDES: Mapping[str, tuple[Unit, Decimal]] = {
    "reference_images": ("reference_image", Decimal(1)),
    "reference_image": ("reference_image", Decimal(1)),  # as earlier gates of this kind list it
    "cents_per_image_input": ("reference_image", CENTS),
    "minimum_cents_per_generation": ("minimum", CENTS),
}

Record = Mapping[str, Any]


class BadList(ValueError):
    """What a service answered is not its list of models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One provider's list. `whole`: what is not in it is no longer made there."""

    provider: str
    url: str
    read: str  # year-month
    records: Mapping[str, Record]  # by id
    whole: bool = True


def records(data: object, provider: str, catalogue: Catalogue) -> Mapping[str, Record]:
    """A service's list by ids. Raises `BadList` for one that has hardly any of the models which we know it to make."""
    if not isinstance(data, list) or len(cast("list[Any]", data)) > RECORDS_MAX:
        raise BadList("It is no list of models.")
    rows = [cast("dict[str, Any]", row) for row in cast("list[Any]", data) if isinstance(row, dict)]
    found = {row["id"]: row for row in rows if isinstance(row.get("id"), str)}
    offers = [offer for model in catalogue.models for offer in model.open_offers if offer.provider == provider]
    there = sum(offer.id in found for offer in offers)
    if not found or there * 2 < len(offers):
        raise BadList(f"It has {there} of the {len(offers)} models that {provider} is known to make.")
    return MappingProxyType(found)


def applied(catalogue: Catalogue, listings: Iterable[Listing]) -> Catalogue:
    """The catalogue by what services list.

    Of a service of which the table has no offers at all, every model that it lists and that we know becomes one; what
    no list tells is then as at OpenRouter, whose shape such a service has.
    """
    models = catalogue.models
    for one in listings:
        known = {offer.provider for model in models for offer in model.offers}
        if one.provider in known:
            models = tuple(_refreshed(model, one) for model in models)
        else:
            by_model = {model: row for row in one.records.values() if (model := catalogue.get(row["id"])) is not None}
            models = tuple(_offered(model, by_model[model], one) if model in by_model else model for model in models)
    return Catalogue(models, catalogue.ended)


def _refreshed(model: Model, listing: Listing) -> Model:
    offer = model.offer(listing.provider)
    if offer is None or offer.ended:
        return model
    row = listing.records.get(offer.id)
    if row is None:
        ended = Ended(delisted=True, url=listing.url, read=listing.read)
        return _with(model, offer, replace(offer, ended=ended)) if listing.whole else model
    if row.get("paused") is True:
        return _with(model, offer, replace(offer, ended=Ended(paused=True, url=listing.url, read=listing.read)))
    limits, prices = overlaid(offer.limits, row), _prices(row) or offer.prices
    changed = [
        field.name for field in fields(Limits) if getattr(limits, field.name) != getattr(offer.limits, field.name)
    ]
    if not changed and _same(prices, offer.prices):
        return model
    # What the offer did not narrow held for the model as a whole, and so does what has come in its place.
    own = {
        name: getattr(limits, name) for name in changed if getattr(offer.limits, name) == getattr(model.limits, name)
    }
    whole = replace(model.limits, **own)
    source = Source(facts=(*changed, "prices"), url=listing.url, read=listing.read)
    new = replace(offer, limits=limits, prices=prices, has_own_limits=limits != whole, sources=(*offer.sources, source))
    return _with(replace(model, limits=whole), offer, new)


def _offered(model: Model, row: Record, listing: Listing) -> Model:
    like = model.offer(SHAPE)
    usual = like.limits if like else model.limits
    limits, prices = overlaid(usual, row), _prices(row)
    changed = [field.name for field in fields(Limits) if getattr(limits, field.name) != getattr(usual, field.name)]
    facts = (*changed, *(["prices"] if prices else []))
    new = Offer(
        provider=listing.provider,
        id=row["id"],
        limits=limits,
        prices=prices,
        unparsed_prices=_unread(row),
        has_own_limits=limits != model.limits,
        sources=(Source(facts=facts, url=listing.url, read=listing.read),),
    )
    return replace(model, offers=(*model.offers, new))


def _with(model: Model, old: Offer, new: Offer) -> Model:
    return replace(model, offers=tuple(new if offer is old else offer for offer in model.offers))


def _same(some: Sequence[Price], others: Sequence[Price]) -> bool:
    return sorted(map(repr, some)) == sorted(map(repr, others))


# -- limits


def overlaid(limits: Limits, row: Record) -> Limits:
    """Limits with what a record says in their place."""
    found: dict[str, Any] = {
        "durations": tuple(sorted(set(_values(row, "supported_durations", _is_seconds)))),
        "resolutions": _ordered(limits.resolutions, map(canonical, _values(row, "supported_resolutions", _is_text))),
        "aspect_ratios": _ordered(limits.aspect_ratios, _values(row, "supported_aspect_ratios", _is_ratio)),
    }
    shaped = replace(limits, **{name: value for name, value in found.items() if value})
    if isinstance(row.get("seed"), bool):
        shaped = replace(shaped, seed=row["seed"])
    if isinstance(row.get("generate_audio"), bool):
        kept = limits.audio if limits.audio in ("optional", "always") else "optional"
        shaped = replace(shaped, audio=kept if row["generate_audio"] else "never")
    # A rule of the table that leaves none of the lengths that are made is of another time.
    seconds = shaped.durations
    rules = tuple(rule for rule in shaped.duration_rules if seconds is None or set(seconds) & set(rule.durations))
    if rules != shaped.duration_rules:
        shaped = replace(shaped, duration_rules=rules)
    return _sized(_framed(shaped, row), _values(row, "supported_sizes", _is_size))


def _values(row: Record, key: str, fits: Callable[[Any], bool]) -> list[Any]:
    """The values of a list in a record; none where any of them cannot be read."""
    value = row.get(key)
    values = cast("list[Any]", value)[:VALUES_MAX] if isinstance(value, list) else []
    return values if all(map(fits, values)) else []


def _is_seconds(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 3600


def _is_text(value: object) -> bool:
    return isinstance(value, str) and short_side_px(canonical(value)) is not None


def _is_ratio(value: object) -> bool:
    return isinstance(value, str) and ratio_of(value) is not None


def _is_size(value: object) -> bool:
    return isinstance(value, str) and pixels(value) is not None


def _ordered(old: tuple[str, ...] | None, new: Iterable[str]) -> tuple[str, ...]:
    """What is listed now, each choice where it stood before."""
    there = list(dict.fromkeys(new))
    return tuple(
        sorted(there, key=lambda name: old.index(name) if old and name in old else len(there) + len(old or ()))
    )


def _framed(limits: Limits, row: Record) -> Limits:
    listed = row.get("supported_frame_images")
    if not isinstance(listed, list):
        return limits
    kept = {role: kinds for role, kinds in limits.references.items() if role not in FRAMES or role.value in listed}
    new = {
        role: MappingProxyType({Kind.IMAGE: Count(0, 1)})
        for role in FRAMES
        if role.value in listed and role not in kept
    }
    return (
        replace(limits, references=MappingProxyType({**new, **kept}))
        if {**new, **kept} != limits.references
        else limits
    )


def _sized(limits: Limits, listed: Sequence[str]) -> Limits:
    """Limits whose sizes are those that are listed: as usual, else the listed one of that shape, else left out."""
    if not listed:
        return limits
    usual = replace(limits, sizes=MappingProxyType[str, str]({}), sizes_except=(), sizes_published=True)
    sizes, missing = dict[str, str](), list[str]()
    for size, resolution, ratio in every_size(usual):
        if size in listed:
            continue
        near = _near(listed, resolution, ratio)
        if near is None:
            missing.append(size)
        else:
            sizes[f"{resolution} {ratio}"] = near
    made = replace(usual, sizes=MappingProxyType(sizes), sizes_except=tuple(missing))
    before, after = ({size for size, _, _ in every_size(one)} for one in (limits, made))
    return limits if before == after and limits.sizes_published else made


def _near(listed: Sequence[str], resolution: str, ratio: str) -> str | None:
    short, wanted = short_side_px(resolution), ratio_of(ratio)
    for size in listed:
        width, height = pixels(size) or (0, 0)
        if min(width, height) == short and wanted and abs(log(width / height) - log(wanted)) < RATIO_SLACK:
            return size
    return None


# -- prices


def _prices(row: Record) -> tuple[Price, ...]:
    """The prices that a record tells, the more particular first; none where it tells one that we cannot reckon with."""
    prices = _told(row)
    return tuple(sorted((one for one in prices.values() if one), key=_place)) if None not in prices.values() else ()


def _unread(row: Record) -> tuple[str, ...]:
    """The names of the prices that we cannot reckon with."""
    return tuple(name[:NAME_CHARS_MAX] for name, price in _told(row).items() if price is None)


def _told(row: Record) -> dict[str, Price | None]:
    skus = row.get("pricing_skus")
    if not isinstance(skus, dict) or len(cast("dict[Any, Any]", skus)) > VALUES_MAX:
        return {}
    return {str(name): _price(str(name), usd) for name, usd in cast("dict[Any, Any]", skus).items()}


def _place(price: Price) -> tuple[bool, ...]:
    last, anywhere = price.unit in BESIDES, not price.resolutions
    if price.unit == "token":
        return last, price.input is None, anywhere, price.audio is None
    return last, price.audio is None, price.input is None, anywhere


def _price(sku: str, usd: object) -> Price | None:
    try:
        amount = Decimal(str(usd))
    except InvalidOperation:
        return None
    if isinstance(usd, bool) or not amount.is_finite() or amount < 0:
        return None
    if sku in _BESIDES:
        besides, worth = _BESIDES[sku]
        return Price(unit=besides, usd=amount * worth)
    told = _SKU.fullmatch(sku)
    if told is None:
        return None
    sound = told["before"] or told["after"]
    clips = bool(told["clips"])
    unit = told["unit"]
    given: Input | None = "video" if clips or unit.endswith("continuation") else _INPUTS.get(told["input"])
    return Price(
        unit="token" if unit == "video_tokens" else "video" if unit == "generate" else "second",
        usd=amount * CENTS if unit.startswith("cents") else amount,
        resolutions=tuple(canonical(name) for name in told["resolutions"].split("_") if name),
        audio=None if sound is None else sound == "with",
        input=given,
        input_seconds=clips,
    )
