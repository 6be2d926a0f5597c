"""What fal's endpoint would refuse only after the order is refused by the check: the offer's limits say as much."""

from collections.abc import Iterator

import pytest

from framegate.catalogue import Limits, builtin
from framegate.catalogue.fal_schema import Field, endpoints

OFFERS = [offer for model in builtin() for offer in model.open_offers if offer.provider == "fal"]
VARIED = ("fal-ai/wan-vace-14b", "fal-ai/wan-22-vace-fun-a14b/pose")  # one of their endpoints needs no prompt


def loose(field: Field, limits: Limits) -> Iterator[str]:
    """Where the limits let pass what the field does not take."""
    prompt = limits.prompt
    if field.to == "prompt" and field.type == "string":
        if field.max is not None and (prompt.max_chars is None or prompt.max_chars > field.max):
            yield f"prompt: {field.max:g} characters"
        if field.max_bytes is not None and prompt.max_bytes != field.max_bytes:
            yield f"prompt: {field.max_bytes} bytes"
    elif field.to == "negative_prompt" and field.max is not None and limits.negative_prompt_max_chars != field.max:
        yield f"negative_prompt: {field.max:g} characters"
    elif field.to == "resolution" and not _lower(limits.resolutions) <= _lower(field.one_of):
        yield f"resolution: {field.one_of}"
    elif field.to == "aspect_ratio" and field.one_of and not set(limits.aspect_ratios or ()) <= set(field.one_of):
        yield f"aspect_ratio: {field.one_of}"
    elif field.to == "duration":
        yield from _lengths(field, limits)
    elif "." in field.to and field.type in ("urls", "named_images"):
        count = limits.references[field.role_and_kind[0]][field.role_and_kind[1]]
        if count.min < (field.min or 0) or (field.max is not None and (count.max is None or count.max > field.max)):
            yield f"{field.name}: {field.min} to {field.max}"


def _lower(names: tuple[str, ...] | None) -> set[str]:
    return {name.lower() for name in names or ()}


def _lengths(field: Field, limits: Limits) -> Iterator[str]:
    said = {int(str(one).removesuffix("s")) for one in field.one_of if one not in field.unset}
    most = field.max if field.max is not None else float("inf")
    for seconds in limits.durations or ():
        if seconds not in said if said else not (field.min or 0) <= seconds <= most:
            yield f"duration: {seconds} s"


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.id)
def test_the_check_lets_nothing_pass_that_the_endpoint_does_not_take(offer):
    fields = endpoints()[offer.id].fields
    assert [told for field in fields for told in loose(field, offer.limits)] == []


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.id not in VARIED], ids=lambda offer: offer.id)
def test_the_check_asks_for_the_prompt_that_the_endpoint_needs(offer):
    needed = any(field.to == "prompt" and field.required for field in endpoints()[offer.id].fields)
    assert bool(offer.limits.prompt.required) == needed
