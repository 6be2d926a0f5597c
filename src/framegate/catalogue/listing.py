"""Model lists of services, laid over the built-in catalogue: limits, prices, and which models have ended.

The lists say nothing of references (how many, their combinations, prompt tokens), so those stay as in the catalogue.
A field that cannot be parsed changes nothing. Facts: openrouter.ai/docs, `GET /videos/models`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from math import log
from types import MappingProxyType
from typing import Any, cast

from framegate.catalogue.dimensions import canonical_resolution, every_size, pixels, ratio_of, short_side_px
from framegate.catalogue.model import Count, Ended, Input, Limits, Model, Offer, Price, Source, Unit
from framegate.catalogue.pricing import EXTRA_UNITS
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.references import FRAMES
from framegate.domain import Kind
from framegate.domain.json import as_list
from framegate.domain.money import parse_usd

RECORDS_MAX = 10_000
VALUES_MAX = 1_000  # of one field
NAME_CHARS_MAX = 80  # of a price
DURATION_SECONDS_MAX = 3600
RATIO_TOLERANCE = 0.05  # of a listed size to the ratio that it stands for, as 854x480 to 16:9
CENT = Decimal("0.01")
TEMPLATE_PROVIDER = "openrouter"  # services with the same API accept what it accepts

_SKU = re.compile(
    r"(?:(?P<input>text|image)_to_video_)?"
    r"(?P<unit>duration_seconds|video_tokens|cents_per_second_output|cents_per_video_output_second|generate"
    r"|cents_per_second_video_continuation)"
    r"(?:_(?P<before>with|without)_audio)?(?P<resolutions>(?:_\d{3,4}p|_[124]k)*)(?:_(?P<after>with|without)_audio)?"
    r"(?P<clips>_with_video_input)?"
)
_INPUTS: Mapping[str | None, Input] = {"text": "text", "image": "image"}
_EXTRA_SKUS: Mapping[str, tuple[Unit, Decimal]] = {
    "reference_images": ("reference_image", Decimal(1)),
    "reference_image": ("reference_image", Decimal(1)),  # as earlier versions of Framegate list it
    "cents_per_image_input": ("reference_image", CENT),
    "minimum_cents_per_generation": ("minimum", CENT),
}

Record = Mapping[str, Any]


class InvalidListing(ValueError):
    """The response of a service is not its list of models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The model list of one provider. `is_complete`: a model that is missing from it has ended there."""

    provider: str
    url: str
    read: str  # year-month
    records: Mapping[str, Record]  # by id
    is_complete: bool = True


def records_by_id(data: object, provider: str, catalogue: Catalogue) -> Mapping[str, Record]:
    """A service's list by model id. Raises `InvalidListing` if it has less than half of the service's known models."""
    rows = as_list(data)
    if not isinstance(data, list) or len(rows) > RECORDS_MAX:
        raise InvalidListing("The response is not a list of models.")
    rows = [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
    records = {row["id"]: row for row in rows if isinstance(row.get("id"), str)}
    offers = [offer for model in catalogue.models for offer in model.open_offers if offer.provider == provider]
    count = sum(offer.id in records for offer in offers)
    if not records or count * 2 < len(offers):
        raise InvalidListing(f"The list has {count} of the {len(offers)} known models of {provider}.")
    return MappingProxyType(records)


def apply_listings(catalogue: Catalogue, listings: Iterable[Listing]) -> Catalogue:
    """The catalogue, updated from the lists of services.

    A service without offers in the catalogue gets an offer for every known model that it lists. What its list does not
    say is taken from the offer of OpenRouter, whose API such a service has.
    """
    models = catalogue.models
    for listing in listings:
        providers = {offer.provider for model in models for offer in model.offers}
        if listing.provider in providers:
            models = tuple(_refreshed(model, listing) for model in models)
        else:
            pairs = ((catalogue.get(record["id"]), record) for record in listing.records.values())
            by_model = {model: record for model, record in pairs if model is not None}
            models = tuple(
                _with_new_offer(model, by_model[model], listing) if model in by_model else model for model in models
            )
    return Catalogue(models, catalogue.ended)


def _refreshed(model: Model, listing: Listing) -> Model:
    offer = model.offer(listing.provider)
    if offer is None or (offer.ended and not offer.needs_listing):
        return model
    record = listing.records.get(offer.id)
    if offer.needs_listing and record is not None and record.get("paused") is not True:
        opened = replace(offer, ended=None, needs_listing=False)
        model, offer = _with_offer(model, offer, opened), opened
    if offer.ended:
        return model
    if record is None:
        ended = Ended(delisted=True, url=listing.url, read=listing.read)
        return _with_offer(model, offer, replace(offer, ended=ended)) if listing.is_complete else model
    if record.get("paused") is True:
        paused = Ended(paused=True, url=listing.url, read=listing.read)
        return _with_offer(model, offer, replace(offer, ended=paused))
    limits, prices = overlaid(offer.limits, record), _prices(record) or offer.prices
    changed = _changed(offer.limits, limits)
    if not changed and sorted(map(repr, prices)) == sorted(map(repr, offer.prices)):
        return model
    # A limit that the offer shared with the model is changed for the model too.
    shared = [name for name in changed if getattr(offer.limits, name) == getattr(model.limits, name)]
    model_limits = replace(model.limits, **{name: getattr(limits, name) for name in shared})
    source = Source(facts=(*changed, "prices"), url=listing.url, read=listing.read)
    refreshed = replace(
        offer,
        limits=limits,
        prices=prices,
        has_own_limits=limits != model_limits,
        sources=(*offer.sources, source),
    )
    return _with_offer(replace(model, limits=model_limits), offer, refreshed)


def _with_new_offer(model: Model, record: Record, listing: Listing) -> Model:
    template = model.offer(TEMPLATE_PROVIDER)
    template_limits = template.limits if template else model.limits
    limits, prices = overlaid(template_limits, record), _prices(record)
    facts = (*_changed(template_limits, limits), *(["prices"] if prices else []))
    offer = Offer(
        provider=listing.provider,
        id=record["id"],
        limits=limits,
        prices=prices,
        unparsed_prices=_unparsed_prices(record),
        has_own_limits=limits != model.limits,
        sources=(Source(facts=facts, url=listing.url, read=listing.read),),
    )
    return replace(model, offers=(*model.offers, offer))


def _with_offer(model: Model, old: Offer, new: Offer) -> Model:
    return replace(model, offers=tuple(new if offer is old else offer for offer in model.offers))


def _changed(before: Limits, after: Limits) -> list[str]:
    return [field.name for field in fields(Limits) if getattr(after, field.name) != getattr(before, field.name)]


# -- limits


def overlaid(limits: Limits, record: Record) -> Limits:
    """Limits with those of a record in their place."""
    resolutions = map(canonical_resolution, _values(record, "supported_resolutions", _is_resolution))
    choices: dict[str, Any] = {
        "durations": tuple(sorted(set(_values(record, "supported_durations", _is_duration)))),
        "resolutions": _ordered(limits.resolutions, resolutions),
        "aspect_ratios": _ordered(limits.aspect_ratios, _values(record, "supported_aspect_ratios", _is_ratio)),
    }
    limits = replace(limits, **{name: values for name, values in choices.items() if values})
    if isinstance(record.get("seed"), bool):
        limits = replace(limits, seed=record["seed"])
    if isinstance(record.get("generate_audio"), bool):
        audio = limits.audio if limits.audio in ("optional", "always") else "optional"
        limits = replace(limits, audio=audio if record["generate_audio"] else "never")
    # A rule of the catalogue that allows none of the listed durations is outdated.
    durations = limits.durations
    rules = limits.duration_rules
    rules = tuple(rule for rule in rules if durations is None or set(durations) & set(rule.durations))
    if rules != limits.duration_rules:
        limits = replace(limits, duration_rules=rules)
    return _with_sizes(_with_frames(limits, record), _values(record, "supported_sizes", _is_size))


def _values(record: Record, key: str, is_valid: Callable[[Any], bool]) -> list[Any]:
    """The values of a list in a record; none if any of them is invalid."""
    values = as_list(record.get(key))[:VALUES_MAX]
    return values if all(map(is_valid, values)) else []


def _is_duration(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= DURATION_SECONDS_MAX


def _is_resolution(value: object) -> bool:
    return isinstance(value, str) and short_side_px(canonical_resolution(value)) is not None


def _is_ratio(value: object) -> bool:
    return isinstance(value, str) and ratio_of(value) is not None


def _is_size(value: object) -> bool:
    return isinstance(value, str) and pixels(value) is not None


def _ordered(order: tuple[str, ...] | None, listed: Iterable[str]) -> tuple[str, ...]:
    """The listed choices: the known ones in their known order, then the others."""
    ranks = {name: index for index, name in enumerate(order or ())}
    return tuple(sorted(dict.fromkeys(listed), key=lambda name: ranks.get(name, len(ranks))))


def _with_frames(limits: Limits, record: Record) -> Limits:
    frames = record.get("supported_frame_images")
    if not isinstance(frames, list):
        return limits
    references = {role: kinds for role, kinds in limits.references.items() if role not in FRAMES or role in frames}
    added = {
        role: MappingProxyType({Kind.IMAGE: Count(0, 1)})
        for role in FRAMES
        if role in frames and role not in references
    }
    if {**added, **references} == limits.references:
        return limits
    return replace(limits, references=MappingProxyType({**added, **references}))


def _with_sizes(limits: Limits, listed: Sequence[str]) -> Limits:
    """Limits with the listed sizes: the usual ones, else a listed one of the same shape, else none."""
    if not listed:
        return limits
    usual = replace(limits, sizes=MappingProxyType[str, str]({}), sizes_except=(), sizes_published=True)
    sizes, missing = dict[str, str](), list[str]()
    for size, resolution, ratio in every_size(usual):
        if size in listed:
            continue
        similar = _similar_size(listed, resolution, ratio)
        if similar is None:
            missing.append(size)
        else:
            sizes[f"{resolution} {ratio}"] = similar
    updated = replace(usual, sizes=MappingProxyType(sizes), sizes_except=tuple(missing))
    before, after = ({size for size, _, _ in every_size(each)} for each in (limits, updated))
    return limits if before == after and limits.sizes_published else updated


def _similar_size(listed: Sequence[str], resolution: str, ratio: str) -> str | None:
    short, fraction = short_side_px(resolution), ratio_of(ratio)
    for size in listed:
        width, height = pixels(size) or (0, 0)
        if min(width, height) == short and fraction and abs(log(width / height) - log(fraction)) < RATIO_TOLERANCE:
            return size
    return None


# -- prices


def _prices(record: Record) -> tuple[Price, ...]:
    """The prices of a record, the more specific first; none if any of them is not supported."""
    prices = _parsed_prices(record).values()
    return () if None in prices else tuple(sorted((price for price in prices if price), key=_specificity))


def _unparsed_prices(record: Record) -> tuple[str, ...]:
    """The names of the prices that are not supported."""
    return tuple(name[:NAME_CHARS_MAX] for name, price in _parsed_prices(record).items() if price is None)


def _parsed_prices(record: Record) -> dict[str, Price | None]:
    skus = record.get("pricing_skus")
    if not isinstance(skus, dict) or len(cast("dict[Any, Any]", skus)) > VALUES_MAX:
        return {}
    return {str(name): _price(str(name), usd) for name, usd in cast("dict[Any, Any]", skus).items()}


def _specificity(price: Price) -> tuple[bool, ...]:
    is_extra, is_general = price.unit in EXTRA_UNITS, not price.resolutions
    if price.unit == "token":
        return is_extra, price.input is None, is_general, price.audio is None
    return is_extra, price.audio is None, price.input is None, is_general


def _price(sku: str, value: object) -> Price | None:
    amount = parse_usd(value)
    if amount is None:
        return None
    if sku in _EXTRA_SKUS:
        extra_unit, factor = _EXTRA_SKUS[sku]
        return Price(unit=extra_unit, usd=amount * factor)
    match = _SKU.fullmatch(sku)
    if match is None:
        return None
    audio = match["before"] or match["after"]
    clips = bool(match["clips"])
    unit = match["unit"]
    is_video = clips or unit.endswith("continuation")
    return Price(
        unit="token" if unit == "video_tokens" else "video" if unit == "generate" else "second",
        usd=amount * CENT if unit.startswith("cents") else amount,
        resolutions=tuple(canonical_resolution(name) for name in match["resolutions"].split("_") if name),
        audio=None if audio is None else audio == "with",
        input="video" if is_video else _INPUTS.get(match["input"]),
        input_seconds=clips,
    )
