"""Validation of a request against the catalogue, before anything is paid: every broken rule at once."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from math import inf, isfinite

from framegate.catalogue.fit import (
    FALLBACKS_MAX,
    REFERENCES_MAX,
    Fit,
    RequestFits,
    any_offer,
    closest,
    fits,
    model_problems,
)
from framegate.catalogue.model import Model, Offer
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.context import listed, pointer_to, quoted
from framegate.catalogue.rules.retired import ended_model, ended_offers
from framegate.catalogue.rules.warnings import request_warnings
from framegate.domain import Problem, Request, Verdict

WARNINGS_MAX = 32
ANIMATIC = "framegate/animatic"  # accepts nearly everything, and is hardly ever what was meant


def any_model(_model: Model) -> bool:
    """Every model is available."""
    return True


def check(
    request: Request,
    *,
    catalogue: Catalogue,
    available: Callable[[Model], bool] = any_model,
    usable: Callable[[Offer], bool] = any_offer,
) -> Verdict:
    """The verdict on a request: whether a usable offer of its model accepts it; if not, every rule that it breaks."""
    return check_offers(request, RequestFits(request, usable=usable), catalogue=catalogue, available=available)[0]


def check_offers(
    request: Request,
    request_fits: RequestFits,
    *,
    catalogue: Catalogue,
    available: Callable[[Model], bool] = any_model,
) -> tuple[Verdict, tuple[Fit, ...]]:
    """The verdict on a request, and how it fits each offer of its model.

    `request_fits` are those of the same request, for whichever model. If no offer accepts the request, the problems
    are those of the closest offer. Pure: depends on nothing but its arguments, and raises nothing for any request.
    """
    problems = (*_too_much(request), *_cap(request), *_fallbacks(request_fits.request, catalogue))
    # What is wrong for every model leaves no alternative; an unknown fallback is only left out.
    hopeless = any(problem.code not in ("model_unknown", "model_ended") for problem in problems)
    request = replace(request_fits.request, model=request.model)
    model = catalogue.get(request.model)
    warnings, best, offer_fits = (), None, ()
    if model is None:
        problems = (_missing(request.model, "/model", catalogue), *problems)
    elif end_problem := ended_offers(model, catalogue, request_fits.usable):
        problems = (end_problem, *problems)
    else:
        usable = available(model) and any(map(request_fits.usable, model.open_offers))
        # A model without a usable offer is validated too, so that every problem shows at once.
        offer_fits = request_fits.of(model) if usable else fits(request, model)
        best = closest(offer_fits)
        complete = not usable or all(map(request_fits.usable, model.open_offers))
        unavailable = () if usable else (_unavailable(model),)
        problems = (*unavailable, *_offer_problems(request, model, best, complete=complete), *problems)
        warnings = tuple(islice(request_warnings(request, model, best, request_fits, catalogue), WARNINGS_MAX))
    name = model.id if model else request.model
    if best and not problems:
        return Verdict(model=name, warnings=warnings, target=best.target, estimate=best.estimate), offer_fits
    alternatives = () if hopeless else _alternatives(request, request_fits, catalogue, available)
    return Verdict(model=name, problems=problems, warnings=warnings, alternatives=alternatives), offer_fits


def _alternatives(
    request: Request, request_fits: RequestFits, catalogue: Catalogue, available: Callable[[Model], bool]
) -> tuple[str, ...]:
    """Other models that accept the request unchanged: its fallbacks, then the most similar, the animatic last.

    The successors of a model that has ended come right after the fallbacks.
    """
    requested, retired = catalogue.get(request.model), catalogue.retired(request.model)
    names = (*request.models, *(retired.ended.successors if retired else ()))
    preferred = dict.fromkeys(model for model in map(catalogue.get, names) if model is not None)
    remaining = [model for model in catalogue if model not in preferred]
    prices = {
        model: price
        for model in (*preferred, *remaining)
        if model is not requested and available(model) and (price := _price(model, request_fits)) is not None
    }
    name = requested.id if requested else request.model
    similar = sorted(
        (model for model in remaining if model in prices), key=lambda model: _unlike(model, name, prices[model])
    )
    return tuple(model.id for model in (*(model for model in preferred if model in prices), *similar))


def _price(model: Model, request_fits: RequestFits) -> float | None:
    """The lowest estimate of the offers that accept the request, infinite if no price is known; None if none does."""
    accepting = [fit for fit in request_fits.of(model) if not fit.problems]
    return min((fit.estimate.micro_usd if fit.estimate else inf for fit in accepting), default=None)


def _unlike(model: Model, name: str, price: float) -> tuple[bool, bool, int, float]:
    """How far a model is from the requested one: its vendor, the first words of its name, its price."""
    words, requested = (re.split(r"[/-]", text.lower()) for text in (model.id, name))
    same = next((index for index, (a, b) in enumerate(zip(words, requested, strict=False)) if a != b), len(words))
    return model.id == ANIMATIC, same == 0, -same, price


def _offer_problems(request: Request, model: Model, best: Fit | None, *, complete: bool) -> tuple[Problem, ...]:
    """The problems of the closest offer; `complete`: no offer of the model was left out as unusable."""
    if best is None:
        return (_no_offer(request, model),)
    return model_problems(request, model, best) if complete and best.problems else best.problems


def _missing(name: str, pointer: str, catalogue: Catalogue) -> Problem:
    if retired := catalogue.retired(name):
        return ended_model(retired, pointer, catalogue)
    near = catalogue.suggest(name)
    hint = f"Did you mean {listed(near)}?" if near else "GET /api/v1/videos/models lists the known models."
    return Problem(
        code="model_unknown",
        pointer=pointer,
        message=f"model: {quoted(name)} is not a known model. {hint}",
        allowed=[model.id for model in catalogue],
        nearest=near[0] if near else None,
    )


def _unavailable(model: Model) -> Problem:
    providers = [offer.provider for offer in model.open_offers]
    text = f"no provider account is configured for it. It is offered by {listed(providers, last='and')}."
    return Problem(code="model_unavailable", pointer="/model", message=f"model: {model.id} is not available: {text}")


def _no_offer(request: Request, model: Model) -> Problem:
    providers = [offer.provider for offer in model.open_offers]
    field = "only" if request.routing.only else "ignore"
    text = f"{model.id} is offered by {listed(providers, last='and')}, and provider.{field} excludes all of them."
    return Problem(
        code="provider_unsupported",
        pointer=f"/provider/{field}",
        message=f"provider: {text} Change provider.{field}.",
        allowed=providers,
    )


def _too_much(request: Request) -> Iterator[Problem]:
    if (number := len(request.references)) > REFERENCES_MAX:
        yield Problem(
            code="too_many_references",
            pointer=pointer_to(request, REFERENCES_MAX),
            message=f"references: at most {REFERENCES_MAX} are allowed, and this request has {number}. Send fewer.",
            allowed={"min": 0, "max": REFERENCES_MAX},
            nearest=REFERENCES_MAX,
        )
    if (number := len(request.models)) > FALLBACKS_MAX:
        yield Problem(
            code="too_many_fallbacks",
            pointer=f"/models/{FALLBACKS_MAX}",
            message=f"models: at most {FALLBACKS_MAX} are allowed, and this request has {number}. Send fewer.",
            allowed={"min": 0, "max": FALLBACKS_MAX},
            nearest=FALLBACKS_MAX,
        )


def _fallbacks(request: Request, catalogue: Catalogue) -> Iterator[Problem]:
    for index, name in enumerate(request.models[:FALLBACKS_MAX]):
        if catalogue.get(name) is None:
            yield _missing(name, f"/models/{index}", catalogue)


def _cap(request: Request) -> Iterator[Problem]:
    cap = request.max_cost_usd
    if cap is not None and not (isfinite(cap) and cap >= 0):
        text = "must be an amount in US dollars, 0 or more. Omit it for no cap."
        yield Problem(code="cost_cap_invalid", pointer="/max_cost_usd", message=f"max_cost_usd: {text}")
