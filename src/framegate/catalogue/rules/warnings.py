"""Warnings: what is legal but has no effect, or not the effect that the client may expect."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from framegate.catalogue.fit import Fit, RequestFits
from framegate.catalogue.model import Limits, Model, Offer
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.context import listed, pointer_to, quoted
from framegate.domain import Kind, Problem, Request, Role

PRICE_NAMES_MAX = 3  # in one warning
OFFER_CODES = ("price_unknown", "reference_unnamed")  # warnings that hold for one offer and not for another


def request_warnings(
    request: Request, model: Model, fit: Fit | None, request_fits: RequestFits, catalogue: Catalogue
) -> Iterator[Problem]:
    """The warnings about a request for a model; `fit` is that of its closest offer."""
    if fit:
        yield from offer_warnings(request, model.id, fit)
    for provider in dict.fromkeys((*request.routing.order, *request.routing.only)):
        if model.offer(provider) is None:
            text = f"{quoted(provider)} does not offer {model.id}."
            yield Problem(code="provider_unknown", pointer="/provider", message=f"provider: {text}")
    for index, name in enumerate(request.models):
        fallback = catalogue.get(name)
        if fallback is not None and not request_fits.accepted_by(fallback):
            text = f"{fallback.id} does not accept this request unchanged, so it cannot be a fallback for {model.id}."
            yield Problem(code="fallback_unfit", pointer=f"/models/{index}", message=f"models: {text}")
    yield from _options(request, model)


def offer_warnings(request: Request, model: str, fit: Fit) -> Iterator[Problem]:
    """The warnings about one offer that accepts the request."""
    if fit.target is None:
        return
    if fit.estimate is None:
        text = f"no price is known for such a video from {model} at {fit.offer.provider}{_unparsed(fit.offer)}."
        yield Problem(code="price_unknown", pointer="/model", message=f"model: {text}")
    yield from _unnamed(request, fit.offer.limits)


def for_offer(warnings: Sequence[Problem], request: Request, model: str, fit: Fit) -> tuple[Problem, ...]:
    """Warnings about a request, with those about one offer replaced by those about another."""
    general = (warning for warning in warnings if warning.code not in OFFER_CODES)
    return (*offer_warnings(request, model, fit), *general)


def _unparsed(offer: Offer) -> str:
    if not offer.unparsed_prices:
        return ""
    names = listed(map(quoted, offer.unparsed_prices[:PRICE_NAMES_MAX]), last="and")
    return f"; unsupported prices in its list: {names}"


def _unnamed(request: Request, limits: Limits) -> Iterator[Problem]:
    if "{name}" not in limits.prompt_tokens.get(Kind.IMAGE, ""):
        return
    for index, reference in enumerate(request.references):
        if reference.role is Role.REFERENCE and reference.name is None:
            pointer = pointer_to(request, index)
            text = "prompts of this model mention references by name, and this reference has none. Give it a name."
            yield Problem(code="reference_unnamed", pointer=pointer, message=f"references: {text}")


def _options(request: Request, model: Model) -> Iterator[Problem]:
    """Options without effect: OpenRouter uses provider slugs of its own, and forwards only the keys that it lists."""
    for slug, options in request.options.items():
        if model.offer(slug):
            continue
        pointer = f"/provider/options/{_escaped(slug)}"
        if model.offer("openrouter") is None:
            text = f"{quoted(slug)} does not offer {model.id}, so its options have no effect."
            yield Problem(code="options_unused", pointer=pointer, message=f"provider.options: {text}")
            continue
        for key in _keys(options):
            if key not in model.passthrough:
                text = f"OpenRouter does not forward {quoted(key)} to {model.id}."
                hint = f"It forwards {listed(model.passthrough, last='and')}." if model.passthrough else ""
                yield Problem(
                    code="option_unknown",
                    pointer=f"{pointer}/{_escaped(key)}",
                    message=f"provider.options: {text} {hint}".rstrip(),
                    allowed=list(model.passthrough),
                )


def _keys(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        if key == "parameters" and isinstance(value, Mapping):
            yield from map(str, cast("Mapping[Any, Any]", value))
        else:
            yield key


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
