"""The adapters can express what the catalogue offers, and the documentation names every provider."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from framegate import catalogue
from framegate.catalogue import Model, Offer
from framegate.catalogue.fal_schema import endpoint_for, endpoints
from framegate.config.accounts import KEY_VARIABLES
from framegate.domain import Kind, Role
from framegate.providers.fal.adapter import MASK_ENDPOINTS
from framegate.providers.fal.input import build_input
from framegate.providers.registry import ADAPTERS
from support.ordering import make_order
from support.pages import page

OFFERS = [(model, offer) for model in catalogue.builtin() for offer in model.offers]
# The limits of an offer with several endpoints depend on the references: test_fal_input.py tries them.
SEVERAL = {endpoint.task_of for endpoint in endpoints().values()} - {""}
FRAMES = {Role.FIRST_FRAME, Role.LAST_FRAME}


def offers_of(provider: str):
    offers = [(model, offer) for model, offer in OFFERS if offer.provider == provider]
    assert offers
    return pytest.mark.parametrize(("model", "offer"), offers, ids=[offer.id for _, offer in offers])


FAL = [(model, offer) for model, offer in OFFERS if offer.provider == "fal" and offer.id not in SEVERAL]
single_endpoint_offers = pytest.mark.parametrize(("model", "offer"), FAL, ids=[offer.id for _, offer in FAL])


def fal_body(model: Model, offer: Offer, folder: Path, references: list[dict[str, Any]], **target: Any) -> str:
    """fal's input for an order, as text; references that the endpoint requires are added."""
    present = {(row["role"], row["kind"]) for row in references}
    places = {(Role(role), Kind(kind)) for role, kind in present}
    has_mask = "mask" in {role for role, _ in present}
    endpoint = endpoint_for(MASK_ENDPOINTS.get(offer.id, offer.id) if has_mask else offer.id, places)
    assert endpoint is not None
    needed = [row for row in endpoint.fields if row.required and row.type in ("url", "urls", "named_images")]
    missing_rows = [{"role": row.role_and_kind[0].value, "kind": row.role_and_kind[1].value} for row in needed]
    rows = [*references, *(row for row in missing_rows if (row["role"], row["kind"]) not in present)]
    defaults = {"duration": model.defaults.duration, "fps": model.defaults.fps or 24, "resolution": None}
    order = make_order(
        folder, prompt="a cat", model_id=offer.id, references=rows, target={**defaults, "aspect_ratio": None, **target}
    )
    body, _ = build_input(endpoint, order, [row.reference.url for row in order.references])
    return str(body)


@single_endpoint_offers
def test_fal_input_expresses_every_duration_and_size_of_the_catalogue(model: Model, offer: Offer, tmp_path: Path):
    limits = offer.limits
    seconds = limits.durations or (model.defaults.duration,)
    for duration, resolution, ratio in product(seconds, limits.resolutions or (None,), limits.aspect_ratios or (None,)):
        shape = {"duration": duration, "resolution": resolution, "aspect_ratio": ratio}
        assert "a cat" in fal_body(model, offer, tmp_path, [], **shape)


@offers_of("fal")
def test_fal_input_has_a_field_for_every_reference_of_the_catalogue(model: Model, offer: Offer, tmp_path: Path):
    for role, kinds in offer.limits.references.items():
        for kind in kinds:
            row = {"role": role.value, "kind": kind.value, "url": "https://pictures.test/it"}
            needs_first = role is Role.LAST_FRAME and offer.limits.last_frame_needs_first
            first = [{"role": "first_frame", "kind": "image"}] if needs_first else []
            by_role = (rule.durations[0] for rule in offer.limits.duration_rules if rule.role is role)
            shape = {"duration": next(by_role, model.defaults.duration)}
            assert "https://pictures.test/it" in fal_body(model, offer, tmp_path, [*first, row], **shape), (role, kind)


@single_endpoint_offers
def test_validation_requires_the_references_that_a_fal_endpoint_requires(model: Model, offer: Offer):
    references = offer.limits.references
    for endpoint in {endpoints()[offer.id], endpoints()[MASK_ENDPOINTS.get(offer.id, offer.id)]}:
        needed = {
            row.role_and_kind for row in endpoint.fields if row.required and row.type in ("url", "urls", "named_images")
        }
        with_mask = {place for place in needed if offer.id in MASK_ENDPOINTS and place[0] is Role.MASK}
        beside = {row.of[0] for row in offer.limits.totals if row.min and row.when and row.when[0] is Role.MASK}
        with_mask |= beside if endpoint.id != offer.id else set()
        missing = {(role, kind) for role, kind in needed - with_mask if not references[role][kind].min}
        assert not missing, (endpoint.id, missing)


@offers_of("openrouter")
def test_no_offer_at_openrouter_allows_references_next_to_frames(model: Model, offer: Offer):
    roles = offer.limits.references.keys()
    both = Role.REFERENCE in roles and roles & FRAMES
    assert not both or offer.limits.references_exclude_frames


def test_every_provider_of_the_settings_has_an_adapter():
    assert set(ADAPTERS) == set(KEY_VARIABLES)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_the_documentation_names_every_provider_and_its_variable(name: str):
    assert f"`{name}`" in page("reference/providers.md")
    assert f"`{name}`" in page("guides/providers.md")
    assert f"`{KEY_VARIABLES[name]}`" in page("guides/providers.md")
