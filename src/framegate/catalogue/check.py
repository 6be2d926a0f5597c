"""Holds a request against a model, before anything is paid: every broken rule at once, and what would do."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from math import inf, isfinite

from framegate.catalogue.fit import Fit, any_offer, best_fit, broken, fits
from framegate.catalogue.model import Model, Offer
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.context import listed, pointer_to, shown
from framegate.catalogue.rules.retired import ended_model, ended_offers
from framegate.catalogue.rules.warnings import warn
from framegate.domain import Problem, Request, Verdict

REFERENCES_MAX = 64  # far more than any model takes
FALLBACKS_MAX = 8
WARNINGS_MAX = 32
OUR_OWN = "framegate/animatic"  # takes nearly everything, and is least what was meant


def any_model(_model: Model) -> bool:
    """Every model can be had."""
    return True


def check(
    request: Request,
    *,
    catalogue: Catalogue,
    available: Callable[[Model], bool] = any_model,
    usable: Callable[[Offer], bool] = any_offer,
) -> Verdict:
    """Say whether the model takes the request; if not, every rule that it breaks.

    A model takes a request that one of its usable offers takes; else the problems are those of the offer that comes
    nearest. Pure: looks at nothing but its arguments, and raises nothing for any request.
    """
    around = (*_too_much(request), *_cap(request), *_fallbacks(request, catalogue))
    request = replace(request, references=request.references[:REFERENCES_MAX], models=request.models[:FALLBACKS_MAX])
    model = catalogue.get(request.model)
    if model is None:
        problems, warnings, best = (_missing(request.model, "/model", catalogue), *around), (), None
    elif ended := ended_offers(model, catalogue, usable):
        problems, warnings, best = (ended, *around), (), None
    else:
        had = available(model) and any(map(usable, model.open_offers))
        # A model that cannot be had is judged all the same, so that every problem shows at once.
        best = best_fit(request, model, usable if had else any_offer)
        told = _told(request, model, best, every=all(map(usable, model.open_offers)) or not had)
        problems = (*told, *around) if had else (_unavailable(model), *told, *around)
        warnings = tuple(islice(warn(request, model, best, catalogue, usable), WARNINGS_MAX))
    name = model.id if model else request.model
    if best and not problems:
        return Verdict(model=name, warnings=warnings, target=best.target, estimate=best.estimate)
    # What is wrong of any model leaves no alternative; an unknown fall-back is left out with the rest of `models`.
    hopeless = any(problem.code not in ("model_unknown", "model_ended") for problem in around)
    others = () if hopeless else alternatives(request, catalogue=catalogue, available=available, usable=usable)
    return Verdict(model=name, problems=problems, warnings=warnings, alternatives=others)


def alternatives(
    request: Request,
    *,
    catalogue: Catalogue,
    available: Callable[[Model], bool] = any_model,
    usable: Callable[[Offer], bool] = any_offer,
) -> tuple[str, ...]:
    """Other models that take the request as it stands: its own fall-backs, then the likest first, our renderer last.

    What is to be asked for in the place of a model that has ended comes before those that are like it.
    """
    asked, gone = catalogue.get(request.model), catalogue.retired(request.model)
    named = (*request.models, *(gone.ended.successors if gone else ()))
    wanted = dict.fromkeys(model for model in map(catalogue.get, named) if model is not None)
    others = [model for model in catalogue if model not in wanted]
    prices = {
        model: price
        for model in (*wanted, *others)
        if model is not asked and available(model)
        if (price := _price(request, model, usable)) is not None
    }
    name = asked.id if asked else request.model
    rest = sorted((model for model in others if model in prices), key=lambda model: _unlike(model, name, prices[model]))
    return tuple(model.id for model in (*(model for model in wanted if model in prices), *rest))


def _price(request: Request, model: Model, usable: Callable[[Offer], bool]) -> float | None:
    """The least that an offer which takes the request asks for it, infinite where none tells; None where none does."""
    taking = [fit for fit in fits(request, model, usable=usable) if not fit.problems]
    return min((fit.estimate.micro_usd if fit.estimate else inf for fit in taking), default=None)


def _unlike(model: Model, name: str, price: float) -> tuple[bool, bool, int, float]:
    """How far a model is from the one that was asked for: its vendor, the first words of its name, its price."""
    theirs, asked = (re.split(r"[/-]", one.lower()) for one in (model.id, name))
    same = next((index for index, (a, b) in enumerate(zip(theirs, asked, strict=False)) if a != b), len(theirs))
    return model.id == OUR_OWN, same == 0, -same, price


def _told(request: Request, model: Model, best: Fit | None, *, every: bool) -> tuple[Problem, ...]:
    if best is None:
        return (_no_offer(request, model),)
    return broken(request, model, best) if every and best.problems else best.problems


def _missing(name: str, pointer: str, catalogue: Catalogue) -> Problem:
    if gone := catalogue.retired(name):
        return ended_model(gone, pointer, catalogue)
    near = catalogue.suggest(name)
    told = f"Did you mean {listed(near)}?" if near else "GET /api/v1/videos/models lists those that are."
    return Problem(
        code="model_unknown",
        pointer=pointer,
        message=f"model: {shown(name)} is not known here. {told}",
        allowed=[model.id for model in catalogue],
        nearest=near[0] if near else None,
    )


def _unavailable(model: Model) -> Problem:
    providers = [offer.provider for offer in model.open_offers]
    text = f"it comes from {listed(providers)}, and no account or server set up here makes it."
    return Problem(code="model_unavailable", pointer="/model", message=f"model: {model.id} cannot be had here: {text}")


def _no_offer(request: Request, model: Model) -> Problem:
    providers = [offer.provider for offer in model.open_offers]
    field = "only" if request.routing.only else "ignore"
    text = f"{model.id} comes from {listed(providers, last='and')}, and none of them may be used for this request."
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
            message=f"references: no model takes {number}; at most {REFERENCES_MAX} are looked at. Send fewer.",
            allowed={"min": 0, "max": REFERENCES_MAX},
            nearest=REFERENCES_MAX,
        )
    if (number := len(request.models)) > FALLBACKS_MAX:
        yield Problem(
            code="too_many_fallbacks",
            pointer=f"/models/{FALLBACKS_MAX}",
            message=f"models: at most {FALLBACKS_MAX} fall-backs are taken, and this request has {number}. Send fewer.",
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
        text = "must be a number of US dollars, 0 or more. Leave it out for no cap."
        yield Problem(code="cost_cap_invalid", pointer="/max_cost_usd", message=f"max_cost_usd: {text}")
