"""How a request fits one provider's offer of a model: its problems, or the resulting video and its estimated cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import Any

from framegate.catalogue.model import Defaults, Model, Offer
from framegate.catalogue.pricing import estimate
from framegate.catalogue.rules import dimensions, prompts, references, switches
from framegate.catalogue.rules.context import CheckContext, ReferenceCounts
from framegate.domain import Estimate, Problem, Request, Target
from framegate.domain.money import MICRO_USD, format_usd, from_micro_usd

REFERENCES_MAX = 64  # far more than any model accepts
FALLBACKS_MAX = 8


@dataclass(frozen=True, slots=True)
class Fit:
    """How a request fits one offer: `problems`, or else the video to be made and its estimated cost."""

    offer: Offer
    problems: tuple[Problem, ...]
    target: Target | None = None
    estimate: Estimate | None = None


def any_offer(_offer: Offer) -> bool:
    """Every offer is usable."""
    return True


class RequestFits:
    """How one request fits the offers of each model. Every offer is validated at most once.

    References and fallbacks beyond the limits that hold for all models are left out.
    """

    def __init__(self, request: Request, *, usable: Callable[[Offer], bool] = any_offer) -> None:
        self.request = replace(
            request, references=request.references[:REFERENCES_MAX], models=request.models[:FALLBACKS_MAX]
        )
        self.usable = usable
        self._by_model: dict[str, tuple[Fit, ...]] = {}

    def of(self, model: Model) -> tuple[Fit, ...]:
        """The fits of a model's usable offers, in the order in which they are to be tried."""
        if model.id not in self._by_model:
            self._by_model[model.id] = fits(self.request, model, usable=self.usable)
        return self._by_model[model.id]

    def accepted_by(self, model: Model) -> bool:
        """Whether any usable offer accepts the request unchanged."""
        return any(not fit.problems for fit in self.of(model))


def fits(request: Request, model: Model, *, usable: Callable[[Offer], bool] = any_offer) -> tuple[Fit, ...]:
    """How the request fits each offer that its routing allows, in the order in which they are to be tried."""
    order = {provider: index for index, provider in reversed(list(enumerate(request.routing.order)))}
    offers = [offer for offer in model.open_offers if usable(offer) and _allowed(request, offer)]
    offers.sort(key=lambda offer: order.get(offer.provider, len(order)))
    counts = ReferenceCounts(request.references)
    return tuple(_fit(request, model, offer, counts) for offer in offers)


def closest(candidates: tuple[Fit, ...]) -> Fit | None:
    """The fit with the fewest problems, the first of several; None if there is none."""
    return min(candidates, key=lambda fit: len(fit.problems), default=None)


def model_problems(request: Request, model: Model, fit: Fit) -> tuple[Problem, ...]:
    """The problems of the closest fit, in terms of the model itself where the model's own limits give as many.

    A model's limits are those of all its offers together, so they apply only where routing excludes no offer.
    """
    if not all(_allowed(request, offer) for offer in model.open_offers) or request.max_cost_usd is not None:
        return fit.problems
    counts = ReferenceCounts(request.references)
    context = CheckContext(
        request=request, limits=model.limits, defaults=model.defaults, subject=model.id, counts=counts
    )
    problems = _problems(context)
    return problems if len(problems) == len(fit.problems) else fit.problems


def _allowed(request: Request, offer: Offer) -> bool:
    routing = request.routing
    return (not routing.only or offer.provider in routing.only) and offer.provider not in routing.ignore


def _fit(request: Request, model: Model, offer: Offer, counts: ReferenceCounts) -> Fit:
    subject = f"{model.id} at {offer.provider}" if offer.has_own_limits else model.id
    context = CheckContext(
        request=request, limits=offer.limits, defaults=_defaults(model, offer), subject=subject, counts=counts
    )
    if problems := _problems(context):
        return Fit(offer, problems)
    target = dimensions.settle(context)
    cost = estimate(model, target, request, offer=offer)
    # Only a legal request has a price, so the cap is the last rule.
    over_cap = tuple(_over_cap(request, cost, subject))
    return Fit(offer, over_cap, None if over_cap else target, cost)


def _defaults(model: Model, offer: Offer) -> Defaults:
    """The model's defaults; where an offer does not support one, the nearest value that it does."""
    defaults, limits = model.defaults, offer.limits
    changes: dict[str, Any] = {}
    if limits.durations and defaults.duration not in limits.durations:
        changes["duration"] = min(limits.durations, key=lambda seconds: abs(seconds - defaults.duration))
    if limits.resolutions and defaults.resolution not in limits.resolutions:
        nearest = dimensions.nearest_resolution(defaults.resolution, limits.resolutions)
        changes["resolution"] = nearest or limits.resolutions[0]
    if limits.aspect_ratios and defaults.aspect_ratio not in limits.aspect_ratios:
        nearest = dimensions.nearest_ratio(defaults.aspect_ratio, limits.aspect_ratios)
        changes["aspect_ratio"] = nearest or limits.aspect_ratios[0]
    return replace(defaults, **changes) if changes else defaults


def _problems(context: CheckContext) -> tuple[Problem, ...]:
    rules = (dimensions, references, prompts, switches)
    return tuple(chain.from_iterable([rule.problems(context) for rule in rules]))


def _over_cap(request: Request, cost: Estimate | None, subject: str) -> Iterator[Problem]:
    cap = request.max_cost_usd
    if cap is None or not isfinite(cap) or cap < 0:
        return
    if cost is None:
        text = f"{subject} has no known price for such a video, so the cap cannot be enforced. Omit it for no cap."
        yield Problem(code="cost_unknown", pointer="/max_cost_usd", message=f"max_cost_usd: {text}")
    elif Decimal(str(cap)) * MICRO_USD < cost.micro_usd:
        usd = from_micro_usd(cost.micro_usd)
        limit = format_usd(Decimal(str(cap)))
        text = f"{subject} would cost about ${format_usd(usd)} ({cost.basis}), more than the cap of ${limit}."
        yield Problem(
            code="cost_over_cap",
            pointer="/max_cost_usd",
            message=f"max_cost_usd: {text} Raise the cap, or request less.",
            allowed={"min": float(usd)},
            nearest=float(usd),
        )
