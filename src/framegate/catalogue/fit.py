"""How a request fits one provider's offer of a model: its problems there, or what would be made and at what cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import Any

from framegate.catalogue.model import Defaults, Model, Offer
from framegate.catalogue.pricing import MICRO, estimate, money
from framegate.catalogue.rules import dimensions, prompts, references
from framegate.catalogue.rules.context import CheckContext
from framegate.domain import Estimate, Problem, Request, Target


@dataclass(frozen=True, slots=True)
class Fit:
    """How a request fits one offer: `problems`, or else what would be made and at what cost."""

    offer: Offer
    problems: tuple[Problem, ...]
    target: Target | None = None
    estimate: Estimate | None = None


def any_offer(_offer: Offer) -> bool:
    """Every offer can be had."""
    return True


def fits(request: Request, model: Model, *, usable: Callable[[Offer], bool] = any_offer) -> tuple[Fit, ...]:
    """How the request fits each offer that its routing allows, in the order in which they are to be tried."""
    routing = request.routing
    order = {provider: index for index, provider in reversed(list(enumerate(routing.order)))}
    offers = [
        offer
        for offer in model.open_offers
        if usable(offer)
        and (not routing.only or offer.provider in routing.only)
        and offer.provider not in routing.ignore
    ]
    offers.sort(key=lambda offer: order.get(offer.provider, len(order)))
    return tuple(_fit(request, model, offer) for offer in offers)


def takes(request: Request, model: Model, usable: Callable[[Offer], bool]) -> bool:
    """Whether any offer takes the request as it stands."""
    best = best_fit(request, model, usable)
    return best is not None and not best.problems


def best_fit(request: Request, model: Model, usable: Callable[[Offer], bool]) -> Fit | None:
    """How it fits the offer that comes nearest; `None` if its routing leaves no offer."""
    return min(fits(request, model, usable=usable), key=lambda fit: len(fit.problems), default=None)


def _fit(request: Request, model: Model, offer: Offer) -> Fit:
    who = f"{model.id} at {offer.provider}" if offer.has_own_limits else model.id
    case = CheckContext(request=request, limits=offer.limits, defaults=_defaults(model, offer), subject=who)
    if problems := _judge(case):
        return Fit(offer, problems)
    target = dimensions.settle(case)
    cost = estimate(model, target, request, offer=offer)
    # Only a legal request has a price, so the cap is the last thing to be judged.
    over = tuple(_over_cap(request, cost, who))
    return Fit(offer, over, None if over else target, cost)


def _defaults(model: Model, offer: Offer) -> Defaults:
    """What is asked for at an offer where the client does not say: as usual, or the nearest that is made there."""
    usual, limits = model.defaults, offer.limits
    chosen: dict[str, Any] = {}
    if limits.durations and usual.duration not in limits.durations:
        chosen["duration"] = min(limits.durations, key=lambda seconds: abs(seconds - usual.duration))
    if limits.resolutions and usual.resolution not in limits.resolutions:
        chosen["resolution"] = (
            dimensions.nearest_resolution(usual.resolution, limits.resolutions) or limits.resolutions[0]
        )
    if limits.aspect_ratios and usual.aspect_ratio not in limits.aspect_ratios:
        chosen["aspect_ratio"] = (
            dimensions.nearest_ratio(usual.aspect_ratio, limits.aspect_ratios) or limits.aspect_ratios[0]
        )
    return replace(usual, **chosen) if chosen else usual


def broken(request: Request, model: Model, best: Fit) -> tuple[Problem, ...]:
    """The problems to tell: those of the offer that comes nearest, in the model's own words where they say as much.

    A model's own limits hold for all its offers together, so they speak only where no offer was left out.
    """
    if len(fits(request, model)) < len(model.open_offers) or request.max_cost_usd is not None:
        return best.problems
    whole = _judge(CheckContext(request=request, limits=model.limits, defaults=model.defaults, subject=model.id))
    return whole if len(whole) == len(best.problems) else best.problems


def _judge(case: CheckContext) -> tuple[Problem, ...]:
    judges = (dimensions.judge(case), references.judge(case), prompts.judge(case), _switches(case))
    return tuple(chain.from_iterable(judges))


def _switches(case: CheckContext) -> Iterator[Problem]:
    request, limits = case.request, case.limits
    if request.generate_audio and limits.audio == "never":
        yield _switch("audio_unsupported", "generate_audio", f"{case.subject} makes no sound. Leave it out.", False)
    if request.generate_audio is False and limits.audio == "always":
        text = f"{case.subject} always makes sound; it cannot be switched off. Leave it out."
        yield _switch("audio_required", "generate_audio", text, True)
    if request.seed is not None and limits.seed is False:
        yield _switch("seed_unsupported", "seed", f"{case.subject} takes none. Leave it out.", None)
    if request.previous_job_id is not None and not limits.previous_job:
        text = f"{case.subject} does not go on from an earlier job. Leave it out, or send that video's frames as references."
        yield _switch("previous_job_unsupported", "previous_job_id", text, None)


def _switch(code: str, name: str, text: str, nearest: bool | None) -> Problem:
    allowed = [] if nearest is None else [nearest]
    return Problem(code=code, pointer=f"/{name}", message=f"{name}: {text}", allowed=allowed, nearest=nearest)


def _over_cap(request: Request, cost: Estimate | None, who: str) -> Iterator[Problem]:
    cap = request.max_cost_usd
    if cap is None or not isfinite(cap) or cap < 0:
        return
    if cost is None:
        text = f"{who} has no known price for such a video, so the cap cannot be kept. Leave it out to go without."
        yield Problem(code="cost_unknown", pointer="/max_cost_usd", message=f"max_cost_usd: {text}")
    elif Decimal(str(cap)) * MICRO < cost.micro_usd:
        usd = Decimal(cost.micro_usd) / MICRO
        text = f"{who} would cost about ${money(usd)} ({cost.basis}), more than the cap of ${money(Decimal(str(cap)))}."
        yield Problem(
            code="cost_over_cap",
            pointer="/max_cost_usd",
            message=f"max_cost_usd: {text} Raise the cap, or ask for less.",
            allowed={"min": float(usd)},
            nearest=float(usd),
        )
