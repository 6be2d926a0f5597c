"""Cost estimates from the prices in the catalogue. Money is decimal, never floating point."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from types import MappingProxyType

from framegate.catalogue.model import Model, Offer, Price
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.context import counted
from framegate.domain import Estimate, Kind, Request, Target
from framegate.domain.money import format_usd, micro_usd

EXTRA_UNITS = ("reference_image", "minimum")  # not a price of the video itself
TOKEN_FPS = 24  # ByteDance charges width x height x seconds x 24 / 1024 tokens, whatever the frame rate

# Credits per second of video, by provider and model.
# Pictory AI Studio: https://docs.pictory.ai/api-reference/ai-studio/generate-video
CREDITS_PER_SECOND: Mapping[str, Mapping[str, Decimal]] = MappingProxyType(
    {
        "pictory": MappingProxyType(
            {"google/veo-3.1": Decimal(20), "google/veo-3.1-fast": Decimal(10), "pixverse/pixverse-5.5": Decimal("1.6")}
        )
    }
)


def estimate(model: Model, target: Target, request: Request, *, offer: Offer | None = None) -> Estimate | None:
    """The cost at an offer (else at the first that has a price), rounded up to a millionth of a dollar.

    None if no price is known for such a video.
    """
    prices = offer.prices if offer else model.prices
    clip_seconds = (offer or model).limits.videos.max_seconds_total
    lines = list(_lines(prices, target, request, clip_seconds))
    priced = [line for line in lines if line]
    if not lines or len(priced) < len(lines):
        return None
    total = sum((usd for usd, _ in priced), Decimal(0))
    basis = " + ".join(text for _, text in priced)
    minimum = next((price.usd for price in prices if price.unit == "minimum" and _fits(price, target, request)), total)
    if minimum > total:
        total, basis = minimum, f"minimum charge of ${format_usd(minimum)} ({basis})"
    suffix = f" at {offer.provider}" if offer else ""
    return Estimate(micro_usd=micro_usd(total, rounding=ROUND_CEILING), basis=f"{basis}{suffix}")


def with_credit_prices(catalogue: Catalogue, usd_per_credit: Mapping[str, Decimal | None]) -> Catalogue:
    """The catalogue with prices for the providers that charge in credits, where the price of a credit is configured."""
    models = (
        replace(model, offers=tuple(_credit_priced(offer, model.id, usd_per_credit) for offer in model.offers))
        for model in catalogue.models
    )
    return Catalogue(models, catalogue.ended)


def _credit_priced(offer: Offer, model: str, usd_per_credit: Mapping[str, Decimal | None]) -> Offer:
    credit_usd = usd_per_credit.get(offer.provider)
    credits_per_second = CREDITS_PER_SECOND.get(offer.provider, {}).get(model)
    if credit_usd is None or credits_per_second is None:
        return offer
    return replace(offer, prices=(Price(unit="second", usd=credits_per_second * credit_usd),))


def _lines(
    prices: tuple[Price, ...], target: Target, request: Request, clip_seconds: int | None
) -> Iterator[tuple[Decimal, str] | None]:
    """The items of the estimate; None for one that cannot be calculated."""
    fitting = [price for price in prices if _fits(price, target, request)]
    main = next((price for price in fitting if price.unit not in EXTRA_UNITS), None)
    yield _main(main, target, request, clip_seconds) if main else None
    images = sum(reference.kind is Kind.IMAGE for reference in request.references)
    extra = next((price for price in fitting if price.unit == "reference_image"), None)
    if extra and images:
        yield extra.usd * images, f"{counted(images, 'image')} x ${format_usd(extra.usd)}"


def _fits(price: Price, target: Target, request: Request) -> bool:
    return (
        (not price.resolutions or target.resolution in price.resolutions)
        and price.audio in (None, target.audio)
        and price.input in (None, _input(request))
    )


def _input(request: Request) -> str:
    kinds = {reference.kind for reference in request.references}
    return "video" if Kind.VIDEO in kinds else "image" if Kind.IMAGE in kinds else "text"


def _main(price: Price, target: Target, request: Request, clip_seconds: int | None) -> tuple[Decimal, str] | None:
    seconds, length = target.duration, f"{target.duration} s"
    if price.input_seconds and _input(request) == "video":
        if clip_seconds is None:
            return None
        # The length of the input is known only after the download; the estimate holds for the longest allowed.
        seconds, length = seconds + clip_seconds, f"({length} + up to {clip_seconds} s of input)"
    video = f"{target.resolution or 'size chosen by the model'} {'with' if target.audio else 'without'} audio"
    if price.unit == "second":
        return price.usd * seconds, f"{length} x ${format_usd(price.usd)}/s ({video})"
    if price.unit == "token":
        tokens = Decimal(target.width * target.height * seconds * TOKEN_FPS) / 1024
        rate = f"${format_usd(price.usd * 1000)}/1,000 tokens"
        return price.usd * tokens, f"{tokens:,.0f} tokens for {length} x {rate} ({video})"
    return price.usd, f"${format_usd(price.usd)} per video" if price.usd else "free"
