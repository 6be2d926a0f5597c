"""What a job is expected to cost, from the prices in the catalogue. Money is decimal, never floating."""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

from framegate.catalogue.model import Model, Offer, Price
from framegate.catalogue.rules.context import counted
from framegate.domain import Estimate, Kind, Request, Target
from framegate.domain.money import format_usd, from_micro_usd, micro_usd

BESIDES = ("reference_image", "minimum")  # no price of the video itself
TOKEN_FPS = 24  # ByteDance bills width x height x seconds x 24 / 1024 tokens, whatever the frame rate


def estimate(model: Model, target: Target, request: Request, *, offer: Offer | None = None) -> Estimate | None:
    """The cost at an offer (else at the first that tells a price), rounded up to a millionth of a dollar.

    `None` if no price is known for such a video.
    """
    prices = offer.prices if offer else model.prices
    clips = (offer or model).limits.videos.max_seconds_total
    lines = list(_lines(prices, target, request, clips))
    if not lines or None in lines:
        return None
    told = [line for line in lines if line]
    total = sum((usd for usd, _ in told), Decimal(0))
    basis = " + ".join(words for _, words in told)
    least = next((price.usd for price in prices if price.unit == "minimum" and _fits(price, target, request)), total)
    if least > total:
        total, basis = least, f"${format_usd(least)}, the least that is billed ({basis})"
    where = f" at {offer.provider}" if offer else ""
    return Estimate(micro_usd=micro_usd(total, rounding=ROUND_CEILING), basis=f"{basis}{where}")


def per_second(model: Model, target: Target, request: Request) -> Decimal | None:
    """The whole estimate spread over the seconds of the video."""
    cost = estimate(model, target, request)
    return None if cost is None else from_micro_usd(cost.micro_usd) / target.duration


def _lines(
    prices: tuple[Price, ...], target: Target, request: Request, clip_seconds: int | None
) -> Iterator[tuple[Decimal, str] | None]:
    """The lines of the bill; `None` for one that cannot be reckoned."""
    fitting = [price for price in prices if _fits(price, target, request)]
    main = next((price for price in fitting if price.unit not in BESIDES), None)
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
        # How long the input is shows only when it is fetched; the estimate holds for the longest.
        seconds, length = seconds + clip_seconds, f"({length} + up to {clip_seconds} s of input)"
    made = _made(target)
    if price.unit == "second":
        return price.usd * seconds, f"{length} x ${format_usd(price.usd)}/s ({made})"
    if price.unit == "token":
        tokens = Decimal(target.width * target.height * seconds * TOKEN_FPS) / 1024
        each = f"${format_usd(price.usd * 1000)}/1,000 tokens"
        return price.usd * tokens, f"{tokens:,.0f} tokens for {length} x {each} ({made})"
    return price.usd, f"${format_usd(price.usd)} a video" if price.usd else "free"


def _made(target: Target) -> str:
    size = target.resolution or "size as the model decides"
    return f"{size} {'with' if target.audio else 'without'} audio"
