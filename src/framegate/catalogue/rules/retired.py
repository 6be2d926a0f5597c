"""Problems of retired or paused models, with suggested successors."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches

from framegate.catalogue.model import Ended, EndedModel, Model, Offer
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.context import listed
from framegate.domain import Problem

SUCCESSORS_MAX = 3


def ended_model(model: EndedModel, pointer: str, catalogue: Catalogue) -> Problem:
    """The problem of a model that no provider offers any more."""
    text = f"{model.id} {_status(model.ended)}."
    return _problem("model_ended", text, model.id, model.ended.successors, pointer, catalogue)


def ended_offers(model: Model, catalogue: Catalogue, usable: Callable[[Offer], bool]) -> Problem | None:
    """The problem of a model whose usable offers have all ended; None if one has not, or if none was ever usable."""
    if any(map(usable, model.open_offers)):
        return None
    endings = {
        offer.provider: offer.ended
        for offer in model.offers
        if offer.ended and (usable(offer) or not model.open_offers)
    }
    if not endings:
        return None
    text = " and ".join(f"{_status(end)} at {provider}" for provider, end in endings.items())
    open_providers = [offer.provider for offer in model.open_offers]
    elsewhere = f" It is still offered by {listed(open_providers)}, but no account is configured there."
    code = "model_paused" if all(end.paused for end in endings.values()) else "model_ended"
    successors = [name for end in endings.values() for name in end.successors]
    text = f"{model.id} {text}.{elsewhere if open_providers else ''}"
    return _problem(code, text, model.id, successors, "/model", catalogue)


def _status(ended: Ended) -> str:
    if ended.paused:
        return f"has been paused since {ended.since}" if ended.since else "is paused"
    if ended.delisted:
        return "is no longer listed"
    return f"was retired on {ended.since}" if ended.since else "was retired"


def _problem(code: str, text: str, name: str, successors: Iterable[str], pointer: str, catalogue: Catalogue) -> Problem:
    models = ((successor, catalogue.get(successor)) for successor in dict.fromkeys(successors))
    suggestions = [successor for successor, model in models if model and model.open_offers] or _similar(name, catalogue)
    hint = f"Use {listed(suggestions)} instead." if suggestions else ""
    return Problem(
        code=code,
        pointer=pointer,
        message=f"{pointer.split('/')[1]}: {text} {hint}".rstrip(),
        allowed=suggestions,
        nearest=suggestions[0] if suggestions else None,
    )


def _similar(name: str, catalogue: Catalogue) -> list[str]:
    """The models of the same vendor with the most similar names; if it has no other, those of any vendor."""
    candidates = [model.id for model in catalogue if model.id != name]
    vendor = name.partition("/")[0] + "/"
    family = [candidate for candidate in candidates if candidate.startswith(vendor)]
    return get_close_matches(name, family or candidates, n=SUCCESSORS_MAX, cutoff=0.0)
