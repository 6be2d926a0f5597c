"""Offers that a service's own data describes and does not route: not offered until its list has them as available."""

from types import MappingProxyType
from typing import Any

import pytest

from framegate import catalogue
from framegate.catalogue import Catalogue, check
from framegate.catalogue.listing import Listing, apply_listings
from framegate.domain import Kind, Reference, Request, Role
from framegate.providers.phaseo.model_list import record

UNROUTED = {"minimax/h3": "minimax/minimax-h3", "x-ai/grok-imagine-video": "spacex-ai/grok-imagine-video"}
MODELS = [model.id for model in catalogue.builtin().models if (model.offer("phaseo") or model.offers[0]).needs_listing]


def with_list(*rows: dict[str, Any], is_complete: bool = True) -> Catalogue:
    records = MappingProxyType({row["model"]: record(row) for row in rows})
    listing = Listing(
        provider="phaseo", url="https://api.phaseo.app", read="2026-11", records=records, is_complete=is_complete
    )
    return apply_listings(catalogue.builtin(), [listing])


def is_offered(models: Catalogue, name: str) -> bool:
    model = models.get(name)
    assert model is not None
    return any(offer.provider == "phaseo" for offer in model.open_offers)


@pytest.mark.parametrize("name", UNROUTED.values())
def test_an_unrouted_model_is_offered_once_the_list_has_it_as_available(name: str):
    listed = {"model": name, "status": "active"}

    assert not is_offered(catalogue.builtin(), name)
    assert not is_offered(with_list({"model": "google/veo-3.1-preview"}), name)
    assert not is_offered(with_list(listed | {"status": "disabled"}), name)
    assert not is_offered(with_list(listed | {"is_active_gateway": False}), name)
    assert not is_offered(with_list(listed | {"providers": [{"is_active_gateway": False}]}), name)
    assert is_offered(with_list(listed), name)
    assert is_offered(with_list(listed | {"providers": [{"is_active_gateway": False}, {"id": "x"}]}), name)


def test_only_these_two_wait_for_the_list():
    assert len(MODELS) == len(UNROUTED)


@pytest.mark.parametrize("name", ["google/veo-3.1", "google/veo-3.1-fast"])
@pytest.mark.parametrize(("resolution", "accepted"), [("720p", True), ("1080p", False), ("4K", False)])
def test_veo_at_phaseo_extends_a_video_at_720p_only(name: str, resolution: str, *, accepted: bool):
    source = Reference(url="https://clips.test/a.mp4", kind=Kind.VIDEO, role=Role.SOURCE)
    request = Request(model=name, prompt="it goes on", references=(source,), duration=8, resolution=resolution)
    verdict = check(request, catalogue=catalogue.builtin(), usable=lambda offer: offer.provider == "phaseo")

    assert verdict.ok is accepted, verdict.problems
    if not accepted:
        assert "only without a source" in verdict.problems[0].message
        assert verdict.problems[0].nearest == "720p"
