"""The public record of a model, compared with OpenRouter's list of August 2026, and size conversion."""

import json
from typing import Any

import pytest

from framegate.catalogue import Model, builtin, record
from framegate.catalogue.dimensions import choices_of, every_size, size_of
from support.paths import OPENROUTER_MODELS

REQUIRED = (
    *("id", "canonical_slug", "name", "created", "supported_resolutions", "supported_aspect_ratios"),
    *("supported_sizes", "supported_durations", "supported_frame_images", "generate_audio", "seed"),
    *("upscale_factor", "creativity", "allowed_passthrough_parameters"),
)
MODELS = list(builtin())
OPENROUTER: list[dict[str, Any]] = json.loads(OPENROUTER_MODELS.read_text("utf-8"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_a_record_has_every_key_that_openrouters_clients_require(model: Model):
    document = json.loads(json.dumps(record(model)))

    assert [key for key in REQUIRED if key not in document] == []
    assert isinstance(document["created"], int)
    assert document["supported_durations"] is None or all(isinstance(n, int) for n in document["supported_durations"])
    assert document["pricing_skus"] is None or all(isinstance(usd, str) for usd in document["pricing_skus"].values())
    assert document["sources"]
    assert document["offers"]


def test_openrouters_own_client_parses_the_records():
    from openrouter.components import VideoModel

    for model in MODELS:
        assert VideoModel.model_validate(record(model)).id == model.id


@pytest.mark.parametrize("row", OPENROUTER, ids=lambda model_row: model_row["id"])
def test_an_offer_at_openrouter_has_the_limits_of_openrouters_list(row: dict[str, Any]):
    model = builtin().get(row["id"])
    assert model is not None
    offer = model.offer("openrouter")
    assert offer is not None
    limits = offer.limits

    assert model.canonical_slug == row["canonical_slug"]
    assert model.created == row["created"]
    assert model.name == row["name"]
    assert list(model.passthrough) == row["allowed_passthrough_parameters"]
    assert list(limits.durations or ()) == sorted(row["supported_durations"])
    assert set(limits.resolutions or ()) == set(row["supported_resolutions"])
    assert set(limits.aspect_ratios or ()) == set(row["supported_aspect_ratios"])
    assert limits.seed == row["seed"]
    assert (None if limits.audio is None else limits.audio != "never") == row["generate_audio"]
    assert {role for role in limits.references if role != "reference"} == set(row["supported_frame_images"])
    if limits.sizes_published:
        assert {size for size, _, _ in every_size(limits)} == set(row["supported_sizes"])
    else:
        assert row["supported_sizes"] is None


@pytest.mark.parametrize("row", OPENROUTER, ids=lambda model_row: model_row["id"])
def test_every_price_at_openrouter_is_in_its_list(row: dict[str, Any]):
    model = builtin().get(row["id"])
    assert model is not None
    offer = model.offer("openrouter")
    assert offer is not None

    listed = {float(usd) for usd in row["pricing_skus"].values()}
    listed |= {float(usd) / 100 for key, usd in row["pricing_skus"].items() if key.startswith("cents")}
    assert {float(price.usd) for price in offer.prices} <= listed


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_sizes_convert_to_resolution_and_ratio_and_back(model: Model):
    for size, resolution, ratio in every_size(model.limits):
        assert size_of(model.limits, resolution, ratio) == tuple(map(int, size.split("x")))
        assert choices_of(model.limits, size) == (resolution, ratio)


def test_a_record_has_the_limits_that_no_service_lists():
    document = record(MODELS[0])

    assert document["id"] == "framegate/animatic"
    assert document["supported_references"] == {
        "reference": {"image": {"min": 0, "max": 16}},
        "first_frame": {"image": {"min": 0, "max": 1}},
        "last_frame": {"image": {"min": 0, "max": 1}},
        "source": {"video": {"min": 0, "max": 1}},
    }
    assert document["extends_source"] is document["previous_job"] is True
    assert document["reference_combinations"]["references_with_frames"] is True
    assert document["prompt_limits"]["max_chars"] == 5000
    assert document["default"]["duration"] == 4
    assert document["pricing_skus"] == {"generate": "0.00"}
    assert document["offers"][0]["provider"] == "animatic"


def test_the_catalogue_has_the_reference_to_video_models():
    expected = (
        *("google/veo-3.1", "google/veo-3.1-fast", "google/veo-3.1-lite", "bytedance/seedance-2.0"),
        *("bytedance/seedance-2.0-fast", "bytedance/seedance-2.0-mini", "kwaivgi/kling-video-o1"),
        *("kwaivgi/kling-video-o3-pro", "vidu/vidu-q1", "vidu/vidu-q2-pro", "vidu/vidu-q3-mix"),
        *("pixverse/pixverse-5.5", "pixverse/pixverse-c1", "alibaba/wan-2.6", "alibaba/wan-2.7"),
        *("alibaba/happyhorse-1.0", "alibaba/happyhorse-1.1", "x-ai/grok-imagine-video", "minimax/hailuo-3"),
        *("wan/vace-14b", "wan/vace-1.3b", "framegate/animatic"),
    )

    assert [name for name in expected if builtin().get(name) is None] == []
    assert builtin() is builtin()
