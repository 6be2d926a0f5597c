"""A service's model list replaces limits and prices of the catalogue; a model missing from it is rejected."""

import json
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.catalogue import Catalogue, Model, Offer, builtin, check, record
from framegate.catalogue.listing import InvalidListing, Listing, apply_listings, records_by_id
from framegate.catalogue.pricing import estimate
from framegate.domain import Kind, Reference, Request, Role, Routing, Target
from support.paths import OPENROUTER_MODELS

LIST: list[dict[str, Any]] = json.loads(OPENROUTER_MODELS.read_text("utf-8"))
URL = "https://openrouter.ai/api/v1/videos/models"


def with_list(rows: list[dict[str, Any]], provider: str = "openrouter", *, is_complete: bool = True) -> Catalogue:
    records = {row["id"]: row for row in rows}
    listing = Listing(provider=provider, url=URL, read="2026-11", records=records, is_complete=is_complete)
    return apply_listings(builtin(), [listing])


def with_changes(model_id: str, **fields: Any) -> Catalogue:
    return with_list([{**row, **fields} if row["id"] == model_id else row for row in LIST])


def at_openrouter(model: str, **options: Any) -> Request:
    return Request(model=model, prompt="a cat", routing=Routing(only=("openrouter",)), **options)


def codes(catalogue: Catalogue, request: Request) -> list[str]:
    return [problem.code for problem in check(request, catalogue=catalogue).problems]


OFFERED = [model for model in builtin() if model.offer("openrouter")]


@pytest.mark.parametrize("model", OFFERED, ids=lambda model: model.id)
def test_the_list_that_the_catalogue_was_read_from_changes_no_limit_and_no_estimate(model: Model):
    catalogue = with_list(LIST)
    new = catalogue.get(model.id)
    assert new is not None
    assert record(new)["supported_sizes"] == record(model)["supported_sizes"]
    before, after = model.offer("openrouter"), new.offer("openrouter")
    assert before is not None
    assert after is not None
    assert (after.limits, new.limits, new.defaults) == (before.limits, model.limits, model.defaults)
    picture = Reference(url="https://pictures.test/a.jpg")
    clip = Reference(url="https://pictures.test/a.mp4", kind=Kind.VIDEO)
    for references, sound, resolution in product(
        ((), (picture,), (picture, clip)), (None, True, False), before.limits.resolutions or (None,)
    ):
        request = at_openrouter(model.id, references=references, generate_audio=sound, resolution=resolution)
        old, now = check(request, catalogue=builtin()), check(request, catalogue=catalogue)
        assert (now.problems, now.target) == (old.problems, old.target)
        assert (now.estimate and now.estimate.micro_usd) == (old.estimate and old.estimate.micro_usd)


def test_listed_durations_resolutions_and_ratios_replace_those_of_the_catalogue():
    catalogue = with_changes(
        "google/veo-3.1",
        supported_durations=[10, 6],
        supported_resolutions=["1080p"],
        supported_aspect_ratios=["16:9", "1:1"],
        supported_sizes=["1920x1080", "1080x1080"],
    )
    assert check(at_openrouter("google/veo-3.1", duration=10, aspect_ratio="1:1"), catalogue=catalogue).ok
    assert codes(catalogue, at_openrouter("google/veo-3.1", duration=8)) == ["duration_unsupported"]
    assert codes(catalogue, at_openrouter("google/veo-3.1", resolution="720p")) == ["resolution_unsupported"]
    assert codes(catalogue, at_openrouter("google/veo-3.1", aspect_ratio="9:16")) == ["aspect_ratio_unsupported"]
    verdict = check(at_openrouter("google/veo-3.1"), catalogue=catalogue)
    assert verdict.target is not None
    assert verdict.target.duration in (6, 10)


def test_offers_of_other_providers_are_unchanged():
    before = builtin().get("google/veo-3.1")
    after = with_changes("google/veo-3.1", supported_durations=[10]).get("veo3.1")
    assert before is not None
    assert after is not None
    assert after.offer("fal") is before.offer("fal")
    assert after.offer("pictory") is before.offer("pictory")


def test_listed_audio_seed_and_frames_replace_those_of_the_catalogue():
    catalogue = with_changes("google/veo-3.1", generate_audio=False, seed=False, supported_frame_images=["first_frame"])
    frames = tuple(
        Reference(url="https://pictures.test/a.jpg", role=role) for role in (Role.FIRST_FRAME, Role.LAST_FRAME)
    )
    request = at_openrouter("google/veo-3.1", generate_audio=True, seed=1, references=frames)
    assert sorted(codes(catalogue, request)) == ["audio_unsupported", "role_unsupported", "seed_unsupported"]


def test_a_listed_size_of_the_same_shape_replaces_the_usual_one():
    sizes = ["848x480" if size == "854x480" else size for size in LIST[4]["supported_sizes"]]
    catalogue = with_changes("bytedance/seedance-2.0", supported_sizes=sizes)
    assert LIST[4]["id"] == "bytedance/seedance-2.0"
    verdict = check(at_openrouter("bytedance/seedance-2.0", resolution="480p"), catalogue=catalogue)
    assert verdict.target is not None
    assert (verdict.target.width, verdict.target.height) == (848, 480)
    assert codes(catalogue, at_openrouter("bytedance/seedance-2.0", size="854x480")) == ["size_unsupported"]


def test_a_listed_price_is_used_for_estimates():
    catalogue = with_changes("alibaba/wan-2.7", pricing_skus={"duration_seconds": "0.2", "duration_seconds_1080p": 0.5})
    costs = [
        check(at_openrouter("alibaba/wan-2.7", duration=5, resolution=name), catalogue=catalogue).estimate
        for name in ("720p", "1080p")
    ]
    assert [cost and cost.micro_usd for cost in costs] == [1_000_000, 2_500_000]


@pytest.mark.parametrize("skus", [{"cents_per_megapixel_second_precise": "7"}, {"duration_seconds": "x"}, None, []])
def test_an_invalid_price_leaves_those_of_the_catalogue(skus: object):
    new = with_changes("alibaba/wan-2.7", pricing_skus=skus).get("alibaba/wan-2.7")
    old = builtin().get("alibaba/wan-2.7")
    assert new is not None
    assert old is not None
    assert new.prices == old.prices


def at_newcomer(model_id: str, skus: object) -> Catalogue:
    return with_list([{"id": model_id, "pricing_skus": skus}], "newcomer")


def newcomer_offer(catalogue: Catalogue, model_id: str) -> Offer:
    model = catalogue.get(model_id)
    offer = model.offer("newcomer") if model else None
    assert offer is not None
    return offer


def cost(catalogue: Catalogue, **options: Any) -> int | None:
    request = Request(model="alibaba/wan-2.7", prompt="a cat", routing=Routing(only=("newcomer",)), **options)
    total = check(request, catalogue=catalogue).estimate
    return total and total.micro_usd


@pytest.mark.parametrize("model", [model for model in builtin() if model.prices], ids=lambda model: model.id)
def test_the_prices_in_a_gateways_own_list_give_the_same_estimates(model: Model):
    offer = newcomer_offer(at_newcomer(model.id, record(model)["pricing_skus"]), model.id)
    original = next(known for known in model.offers if known.prices)
    assert offer.unparsed_prices == ()
    picture = Reference(url="https://pictures.test/a.jpg")
    clip = Reference(url="https://pictures.test/a.mp4", kind=Kind.VIDEO)
    for references, sound, name in product(
        ((), (picture,), (picture, clip)), (True, False), original.limits.resolutions or (None,)
    ):
        request = Request(model=model.id, prompt="a cat", references=references)
        target = Target(width=1280, height=720, fps=24, duration=5, audio=sound, seed=None, resolution=name)
        expected, actual = (estimate(model, target, request, offer=known) for known in (original, offer))
        assert (actual and actual.micro_usd) == (expected and expected.micro_usd)


@pytest.mark.parametrize("name", ["reference_images", "reference_image"])
def test_a_price_per_image_is_accepted_in_the_plural_and_in_the_singular(name: str):
    catalogue = at_newcomer("alibaba/wan-2.7", {"duration_seconds": "0.1", name: "0.04"})
    frame = Reference(url="https://pictures.test/a.jpg", role=Role.FIRST_FRAME)
    assert [cost(catalogue, duration=5), cost(catalogue, duration=5, references=(frame,))] == [500_000, 540_000]


def test_a_minimum_charge_applies_if_the_video_costs_less():
    catalogue = at_newcomer("alibaba/wan-2.7", {"cents_per_second_output": "10", "minimum_cents_per_generation": "45"})
    assert [cost(catalogue, duration=seconds) for seconds in (2, 5)] == [450_000, 500_000]
    offer = newcomer_offer(catalogue, "alibaba/wan-2.7")
    assert record(replace(builtin().models[0], offers=(offer,)))["pricing_skus"] == {
        "duration_seconds": "0.10",
        "minimum_cents_per_generation": "45.00",
    }


def test_a_price_for_continuing_a_video_applies_to_video_input_only():
    skus = {"cents_per_second_output": "17", "cents_per_second_video_continuation_720p": "41"}
    offer = newcomer_offer(at_newcomer("alibaba/wan-2.7", skus), "alibaba/wan-2.7")
    assert [(price.input, price.resolutions, str(price.usd)) for price in offer.prices] == [
        ("video", ("720p",), "0.41"),
        (None, (), "0.17"),
    ]


def test_with_an_unsupported_listed_price_no_estimate_is_made_and_the_warning_names_it():
    catalogue = at_newcomer("alibaba/wan-2.7", {"duration_seconds": "0.1", "pixie_dust": "3"})
    request = Request(model="alibaba/wan-2.7", prompt="a cat", routing=Routing(only=("newcomer",)))
    verdict = check(request, catalogue=catalogue)
    (warning,) = [warning for warning in verdict.warnings if warning.code == "price_unknown"]
    assert verdict.estimate is None
    assert warning.message.endswith(' from alibaba/wan-2.7 at newcomer; unsupported prices in its list: "pixie_dust".')


def test_a_model_that_is_no_longer_listed_is_rejected_there_and_still_offered_elsewhere():
    catalogue = with_list([row for row in LIST if row["id"] != "google/veo-3.1"])
    assert check(Request(model="google/veo-3.1", prompt="a cat"), catalogue=catalogue).ok
    request = Request(model="google/veo-3.1", prompt="a cat")
    (problem,) = check(request, catalogue=catalogue, usable=lambda offer: offer.provider == "openrouter").problems
    assert problem.code == "model_ended"
    assert "google/veo-3.1 is no longer listed at openrouter" in problem.message
    assert problem.nearest in ("google/veo-3.1-fast", "google/veo-3.1-lite")


def test_an_incomplete_list_retires_no_model():
    catalogue = with_list([row for row in LIST if row["id"] != "google/veo-3.1"], is_complete=False)
    assert check(at_openrouter("google/veo-3.1"), catalogue=catalogue).ok


def test_a_service_without_offers_gets_one_for_every_known_model_that_it_lists():
    rows = [{**LIST[0], "supported_durations": [3, 4, 5]}, {"id": "nobody/knows"}]
    catalogue = with_list(rows, "newcomer")
    model = catalogue.get("alibaba/happyhorse-1.0")
    assert model is not None
    offer = model.offer("newcomer")
    assert offer is not None
    assert (offer.id, offer.limits.durations, offer.has_own_limits) == ("alibaba/happyhorse-1.0", (3, 4, 5), True)
    assert offer.prices
    assert catalogue.get("nobody/knows") is None


def test_a_new_service_accepts_no_reference_that_openrouter_would_drop():
    catalogue = with_list(LIST, "newcomer")
    clip = Reference(url="https://h/c.mp4", kind=Kind.VIDEO)
    frame_and_reference = (Reference(url="https://h/a.png", role=Role.FIRST_FRAME), Reference(url="https://h/b.png"))

    def problem_codes(model: str, *references: Reference) -> list[str]:
        only = Routing(only=("newcomer",))
        return codes(catalogue, Request(model=model, prompt="a cat", references=references, routing=only))

    assert problem_codes("alibaba/wan-2.6", clip) == ["role_unsupported"]
    assert problem_codes("google/veo-3.1", replace(clip, role=Role.SOURCE)) == ["role_unsupported"]
    assert problem_codes("kwaivgi/kling-video-o1", *frame_and_reference) == ["references_exclude_frames"]


@pytest.mark.parametrize("data", [None, {}, [], "x", [1, 2], [{"id": 1}], LIST[:3]])
def test_a_response_that_is_not_the_services_list_is_rejected(data: object):
    with pytest.raises(InvalidListing):
        records_by_id(data, "openrouter", builtin())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None)
@given(
    fields=st.dictionaries(st.sampled_from(sorted(LIST[0])), anything, max_size=6), row=st.integers(0, len(LIST) - 1)
)
def test_no_list_breaks_validation(fields: dict[str, Any], row: int):
    rows = [dict(listed) for listed in LIST]
    rows[row] |= {**fields, "id": rows[row]["id"]}
    catalogue = apply_listings(
        builtin(),
        [Listing(provider="openrouter", url=URL, read="2026-11", records=records_by_id(rows, "openrouter", builtin()))],
    )
    verdict = check(at_openrouter(rows[row]["id"]), catalogue=catalogue)
    assert verdict.ok == (verdict.target is not None)
    for model in catalogue:
        json.dumps(record(replace(model)))
