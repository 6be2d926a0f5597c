"""What the catalogue says can be ordered can be written, and the documents tell of every provider."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from framegate import catalogue
from framegate.catalogue import Model, Offer
from framegate.catalogue.fal_schema import endpoints
from framegate.config.accounts import KEY_VARIABLES
from framegate.domain import Role
from framegate.providers.fal.adapter import MASK_ENDPOINTS
from framegate.providers.fal.input import build_input
from framegate.providers.registry import ADAPTERS
from support.ordering import order
from support.pages import page

OFFERS = [(model, offer) for model in catalogue.builtin() for offer in model.offers]
FRAMES = {Role.FIRST_FRAME, Role.LAST_FRAME}


def of(provider: str):
    those = [(model, offer) for model, offer in OFFERS if offer.provider == provider]
    assert those
    return pytest.mark.parametrize(("model", "offer"), those, ids=[offer.id for _, offer in those])


def fal_body(model: Model, offer: Offer, folder: Path, references: list[dict[str, Any]], **target: Any) -> str:
    """What fal is sent of an order, as text; what the endpoint needs besides is there."""
    here = {(one["role"], one["kind"]) for one in references}
    endpoint = endpoints()[MASK_ENDPOINTS.get(offer.id, offer.id) if "mask" in {role for role, _ in here} else offer.id]
    needed = [one for one in endpoint.fields if one.required and one.type in ("url", "urls", "named_images")]
    more = [{"role": one.role_and_kind[0].value, "kind": one.role_and_kind[1].value} for one in needed]
    given = [*references, *(one for one in more if (one["role"], one["kind"]) not in here)]
    usual = {"duration": model.defaults.duration, "fps": model.defaults.fps or 24, "resolution": None}
    wanted = order(
        folder, prompt="a cat", model_id=offer.id, references=given, target={**usual, "aspect_ratio": None, **target}
    )
    sent, _ = build_input(endpoint, wanted, [one.reference.url for one in wanted.references])
    return str(sent)


@of("fal")
def test_fal_input_expresses_every_duration_and_size_of_the_catalogue(model: Model, offer: Offer, tmp_path: Path):
    limits = offer.limits
    seconds = limits.durations or (model.defaults.duration,)
    for duration, resolution, ratio in product(seconds, limits.resolutions or (None,), limits.aspect_ratios or (None,)):
        shape = {"duration": duration, "resolution": resolution, "aspect_ratio": ratio}
        assert "a cat" in fal_body(model, offer, tmp_path, [], **shape)


@of("fal")
def test_fal_input_has_a_field_for_every_reference_of_the_catalogue(model: Model, offer: Offer, tmp_path: Path):
    for role, kinds in offer.limits.references.items():
        for kind in kinds:
            one = {"role": role.value, "kind": kind.value, "url": "https://pictures.test/it"}
            assert "https://pictures.test/it" in fal_body(model, offer, tmp_path, [one]), (role, kind)


@of("fal")
def test_validation_requires_the_references_that_a_fal_endpoint_requires(model: Model, offer: Offer):
    references = offer.limits.references
    for endpoint in {endpoints()[offer.id], endpoints()[MASK_ENDPOINTS.get(offer.id, offer.id)]}:
        needed = {
            one.role_and_kind for one in endpoint.fields if one.required and one.type in ("url", "urls", "named_images")
        }
        with_mask = {place for place in needed if offer.id in MASK_ENDPOINTS and place[0] is Role.MASK}
        beside = {one.of[0] for one in offer.limits.totals if one.min and one.when and one.when[0] is Role.MASK}
        with_mask |= beside if endpoint.id != offer.id else set()
        missing = {(role, kind) for role, kind in needed - with_mask if not references[role][kind].min}
        assert not missing, (endpoint.id, missing)


@of("openrouter")
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
