"""Services that bill in credits: how many a second of video takes, and the price once somebody says what one costs."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from framegate.catalogue.model import Model, Offer, Price
from framegate.catalogue.registry import Catalogue

# AI Studio's video models: https://docs.pictory.ai/api-reference/ai-studio/generate-video
PICTORY: Mapping[str, Decimal] = MappingProxyType(
    {"google/veo-3.1": Decimal(20), "google/veo-3.1-fast": Decimal(10), "pixverse/pixverse-5.5": Decimal("1.6")}
)
PER_SECOND: Mapping[str, Mapping[str, Decimal]] = MappingProxyType({"pictory": PICTORY})


def priced(book: Catalogue, usd_per_credit: Mapping[str, Decimal | None]) -> Catalogue:
    """The catalogue with prices where a provider bills in credits, and the operator says what one costs there."""
    return Catalogue((_priced(model, usd_per_credit) for model in book.models), book.ended)


def _priced(model: Model, rates: Mapping[str, Decimal | None]) -> Model:
    return replace(model, offers=tuple(_at_rate(offer, model.id, rates.get(offer.provider)) for offer in model.offers))


def _at_rate(offer: Offer, model: str, rate: Decimal | None) -> Offer:
    credit = PER_SECOND.get(offer.provider, {}).get(model)
    if rate is None or credit is None:
        return offer
    return replace(offer, prices=(Price(unit="second", usd=credit * rate),))
