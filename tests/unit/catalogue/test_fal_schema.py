"""The limits of an offer at fal are at least as strict as the fields of its endpoint, so that fal rejects no order."""

from collections.abc import Iterator

import pytest

from framegate.catalogue import Limits, builtin
from framegate.catalogue.fal_schema import Field, endpoint_for, endpoints
from framegate.domain import Kind, Role

REFERENCE, FIRST, LAST = ((role, Kind.IMAGE) for role in (Role.REFERENCE, Role.FIRST_FRAME, Role.LAST_FRAME))
SOURCE = (Role.SOURCE, Kind.VIDEO)
# The rules of an offer with several endpoints depend on the references: test_fal_input.py tries them.
SEVERAL = {endpoint.task_of for endpoint in endpoints().values() if endpoint.task_of}
OFFERS = [offer for model in builtin() for offer in model.open_offers if offer.provider == "fal"]
VARIED = ("fal-ai/wan-vace-14b", "fal-ai/wan-22-vace-fun-a14b/pose")  # one of their endpoints needs no prompt


def unenforced(field: Field, limits: Limits) -> Iterator[str]:
    """The limits of a field that the limits of the offer do not enforce."""
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
        yield from _durations(field, limits)
    elif "." in field.to and field.type in ("urls", "named_images"):
        count = limits.references[field.role_and_kind[0]][field.role_and_kind[1]]
        if count.min < (field.min or 0) or (field.max is not None and (count.max is None or count.max > field.max)):
            yield f"{field.name}: {field.min} to {field.max}"


def _lower(names: tuple[str, ...] | None) -> set[str]:
    return {name.lower() for name in names or ()}


def _durations(field: Field, limits: Limits) -> Iterator[str]:
    choices = {int(str(choice).removesuffix("s")) for choice in field.one_of if choice not in field.unset}
    maximum = field.max if field.max is not None else float("inf")
    for seconds in limits.durations or ():
        if seconds not in choices if choices else not (field.min or 0) <= seconds <= maximum:
            yield f"duration: {seconds} s"


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.id not in SEVERAL], ids=lambda offer: offer.id)
def test_validation_enforces_every_limit_of_the_endpoint(offer):
    fields = endpoints()[offer.id].fields
    assert [limit for field in fields for limit in unenforced(field, offer.limits)] == []


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.id not in VARIED], ids=lambda offer: offer.id)
def test_validation_requires_a_prompt_exactly_if_the_endpoint_does(offer):
    is_required = any(field.to == "prompt" and field.required for field in endpoints()[offer.id].fields)
    assert bool(offer.limits.prompt.required) == is_required


@pytest.mark.parametrize(
    ("offer_id", "places", "endpoint_id"),
    [
        ("fal-ai/veo3.1/reference-to-video", set(), "fal-ai/veo3.1"),
        ("fal-ai/veo3.1/reference-to-video", {REFERENCE}, "fal-ai/veo3.1/reference-to-video"),
        ("fal-ai/veo3.1/reference-to-video", {FIRST}, "fal-ai/veo3.1/image-to-video"),
        ("fal-ai/veo3.1/reference-to-video", {FIRST, LAST}, "fal-ai/veo3.1/first-last-frame-to-video"),
        ("fal-ai/veo3.1/reference-to-video", {SOURCE}, "fal-ai/veo3.1/extend-video"),
        ("fal-ai/veo3.1/fast", {SOURCE}, "fal-ai/veo3.1/fast/extend-video"),
        ("fal-ai/veo3.1/lite", {FIRST}, "fal-ai/veo3.1/lite/image-to-video"),
        ("xai/grok-imagine-video/reference-to-video", {FIRST}, "xai/grok-imagine-video/reference-to-video"),
    ],
)
def test_an_order_goes_to_the_endpoint_that_takes_its_references(offer_id, places, endpoint_id):
    endpoint = endpoint_for(offer_id, places)

    assert endpoint is not None
    assert endpoint.id == endpoint_id
