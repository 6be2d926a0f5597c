"""What the check says of a model that is made no more, or not for now: that it is over, and what to ask for instead."""

from collections.abc import Callable
from difflib import get_close_matches

from framegate.catalogue.model import Ended, EndedModel, Model, Offer
from framegate.catalogue.registry import Catalogue
from framegate.catalogue.rules.context import listed
from framegate.domain import Problem

SUCCESSORS_MAX = 3


def ended_model(gone: EndedModel, pointer: str, catalogue: Catalogue) -> Problem:
    """The problem with a model that nobody makes any more."""
    text = f"{gone.id} {_over(gone.ended)}."
    return _problem("model_ended", text, gone.id, gone.ended.successors, pointer, catalogue)


def ended_offers(model: Model, catalogue: Catalogue, usable: Callable[[Offer], bool]) -> Problem | None:
    """The problem with a model whose usable offers have all ended; None where one has not, or none was ever usable."""
    if any(map(usable, model.open_offers)):
        return None
    over = [offer for offer in model.offers if offer.ended and (usable(offer) or not model.open_offers)]
    if not over:
        return None
    text = " and ".join(f"{_over(offer.ended)} at {offer.provider}" for offer in over if offer.ended)
    rest = [offer.provider for offer in model.open_offers]
    elsewhere = f" It can still be had from {listed(rest)}, where no account is set up." if rest else ""
    instead = [name for offer in over if offer.ended for name in offer.ended.successors]
    code = "model_paused" if all(offer.ended and offer.ended.paused for offer in over) else "model_ended"
    return _problem(code, f"{model.id} {text}.{elsewhere}", model.id, tuple(instead), "/model", catalogue)


def _over(ended: Ended) -> str:
    if ended.paused:
        return f"is paused since {ended.since}" if ended.since else "is paused"
    return "is listed no more" if ended.delisted else f"ended on {ended.since}" if ended.since else "has ended"


def _problem(code: str, text: str, name: str, instead: tuple[str, ...], pointer: str, catalogue: Catalogue) -> Problem:
    named = [one for one in dict.fromkeys(instead) if (model := catalogue.get(one)) and model.open_offers]
    successors = named or _kin(name, catalogue)
    told = f"Ask for {listed(successors)} instead." if successors else ""
    return Problem(
        code=code,
        pointer=pointer,
        message=f"{pointer.split('/')[1]}: {text} {told}".rstrip(),
        allowed=successors,
        nearest=successors[0] if successors else None,
    )


def _kin(name: str, catalogue: Catalogue) -> list[str]:
    """The models of the same vendor that are nearest by name; where it has no other, those of any."""
    others = [model.id for model in catalogue if model.id != name]
    vendor = name.partition("/")[0] + "/"
    family = [other for other in others if other.startswith(vendor)]
    return get_close_matches(name, family or others, n=SUCCESSORS_MAX, cutoff=0.0)
