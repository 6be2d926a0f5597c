"""The public record, against what OpenRouter itself answered in August 2026; sizes, there and back."""

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
def test_a_record_has_every_key_that_openrouter_s_clients_require(model: Model):
    shown = json.loads(json.dumps(record(model)))

    assert [key for key in REQUIRED if key not in shown] == []
    assert isinstance(shown["created"], int)
    assert shown["supported_durations"] is None or all(isinstance(n, int) for n in shown["supported_durations"])
    assert shown["pricing_skus"] is None or all(isinstance(usd, str) for usd in shown["pricing_skus"].values())
    assert shown["sources"]
    assert shown["offers"]


def test_openrouter_s_own_client_reads_the_records():
    from openrouter.components import VideoModel

    for model in MODELS:
        assert VideoModel.model_validate(record(model)).id == model.id


@pytest.mark.parametrize("theirs", OPENROUTER, ids=lambda row: row["id"])
def test_an_openrouter_offer_has_the_limits_that_openrouter_states(theirs: dict[str, Any]):
    model = builtin().get(theirs["id"])
    assert model is not None
    offer = model.offer("openrouter")
    assert offer is not None
    limits = offer.limits

    assert model.canonical_slug == theirs["canonical_slug"]
    assert model.created == theirs["created"]
    assert model.name == theirs["name"]
    assert list(model.passthrough) == theirs["allowed_passthrough_parameters"]
    assert list(limits.durations or ()) == sorted(theirs["supported_durations"])
    assert set(limits.resolutions or ()) == set(theirs["supported_resolutions"])
    assert set(limits.aspect_ratios or ()) == set(theirs["supported_aspect_ratios"])
    assert limits.seed == theirs["seed"]
    assert (None if limits.audio is None else limits.audio != "never") == theirs["generate_audio"]
    assert {role for role in limits.references if role != "reference"} == set(theirs["supported_frame_images"])
    if limits.sizes_published:
        assert {size for size, _, _ in every_size(limits)} == set(theirs["supported_sizes"])
    else:
        assert theirs["supported_sizes"] is None


@pytest.mark.parametrize("theirs", OPENROUTER, ids=lambda row: row["id"])
def test_no_price_is_other_than_openrouter_states(theirs: dict[str, Any]):
    model = builtin().get(theirs["id"])
    assert model is not None
    offer = model.offer("openrouter")
    assert offer is not None

    stated = {float(usd) for usd in theirs["pricing_skus"].values()}
    stated |= {float(usd) / 100 for key, usd in theirs["pricing_skus"].items() if key.startswith("cents")}
    assert {float(price.usd) for price in offer.prices} <= stated


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_a_size_and_its_resolution_and_ratio_stand_for_each_other(model: Model):
    for size, resolution, ratio in every_size(model.limits):
        assert size_of(model.limits, resolution, ratio) == tuple(map(int, size.split("x")))
        assert choices_of(model.limits, size) == (resolution, ratio)


def test_what_no_service_tells_is_told():
    shown = record(MODELS[0])

    assert shown["id"] == "framegate/animatic"
    assert shown["supported_references"] == {
        "reference": {"image": {"min": 0, "max": 16}},
        "first_frame": {"image": {"min": 0, "max": 1}},
        "last_frame": {"image": {"min": 0, "max": 1}},
        "source": {"video": {"min": 0, "max": 1}},
    }
    assert shown["extends_source"] is shown["previous_job"] is True
    assert shown["reference_combinations"]["references_with_frames"] is True
    assert shown["prompt_limits"]["max_chars"] == 5000
    assert shown["default"]["duration"] == 4
    assert shown["pricing_skus"] == {"generate": "0.00"}
    assert shown["offers"][0]["provider"] == "animatic"


def test_the_catalogue_holds_the_reference_to_video_models():
    named = (
        *("google/veo-3.1", "google/veo-3.1-fast", "google/veo-3.1-lite", "bytedance/seedance-2.0"),
        *("bytedance/seedance-2.0-fast", "bytedance/seedance-2.0-mini", "kwaivgi/kling-video-o1"),
        *("kwaivgi/kling-video-o3-pro", "vidu/vidu-q1", "vidu/vidu-q2-pro", "vidu/vidu-q3-mix"),
        *("pixverse/pixverse-5.5", "pixverse/pixverse-c1", "alibaba/wan-2.6", "alibaba/wan-2.7"),
        *("alibaba/happyhorse-1.0", "alibaba/happyhorse-1.1", "x-ai/grok-imagine-video", "minimax/hailuo-3"),
        *("wan/vace-14b", "wan/vace-1.3b", "framegate/animatic"),
    )

    assert [name for name in named if builtin().get(name) is None] == []
    assert builtin() is builtin()
