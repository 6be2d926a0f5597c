"""An unknown field is matched to the field with its meaning, in every API; its spelling comes second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.api.dialects.fal.endpoints import endpoints
from framegate.api.dialects.native.requests import VideoRequest as NativeRequest
from framegate.api.dialects.phaseo.requests import VideoRequest as PhaseoRequest
from framegate.api.dialects.pictory.requests import FIELDS as PICTORY
from framegate.domain.field_names import MEANINGS, hint_for, similar_fields

NATIVE = list(NativeRequest.model_fields)
PHASEO = list(PhaseoRequest.model_fields)
FAL = [field.name for field in endpoints()["fal-ai/veo3.1/reference-to-video"].fields]

SUGGESTED = [
    (NATIVE, "reference_images", ["input_references"]),
    (NATIVE, "image_urls", ["input_references"]),
    (NATIVE, "referenceImageUrls", ["input_references"]),
    (NATIVE, "image", ["input_references", "frame_images"]),
    (NATIVE, "last_frame", ["frame_images"]),
    (NATIVE, "ratio", ["aspect_ratio"]),
    (NATIVE, "aspectRatio", ["aspect_ratio"]),
    (NATIVE, "seconds", ["duration"]),
    (NATIVE, "webhook_url", ["callback_url"]),
    (NATIVE, "webhook", ["callback_url"]),
    (NATIVE, "quality", ["resolution"]),
    (NATIVE, "audio", ["generate_audio"]),
    (NATIVE, "duratoin", ["duration"]),
    (PHASEO, "n", ["sample_count"]),
    (PHASEO, "callback_url", ["webhook"]),
    (PICTORY, "aspect_ratio", ["aspectRatio"]),
    (PICTORY, "image_urls", ["referenceImageUrls"]),
    (PICTORY, "callbackUrl", ["webhook"]),
    (PICTORY, "video_url", ["extendVideoUrl"]),
    (FAL, "reference_image_urls", ["image_urls"]),
    (FAL, "ratio", ["aspect_ratio"]),
    (FAL, "audio", ["generate_audio"]),
    (FAL, "negative_prompt", []),  # nothing of that meaning, and nothing that only looks like it
]


@pytest.mark.parametrize(("known", "name", "suggested"), SUGGESTED)
def test_an_unknown_field_is_matched_by_meaning_before_spelling(known: list[str], name: str, suggested: list[str]):
    assert similar_fields(name, known) == suggested


def test_the_number_of_videos_is_explained_where_no_field_has_it():
    assert hint_for("n", NATIVE) == (" One job makes one video: create one job for each video.", None)
    assert hint_for("n", PHASEO) == (" Did you mean `sample_count`?", "sample_count")


@given(st.sampled_from(MEANINGS), st.data(), st.sampled_from([NATIVE, PHASEO, PICTORY, FAL]))
def test_a_known_name_never_suggests_a_field_of_another_meaning(
    row: tuple[str, ...], data: st.DataObject, known: list[str]
):
    name = data.draw(st.sampled_from(row))
    meanings = {other for meaning in MEANINGS if name in meaning for other in meaning}

    for field in similar_fields(name, known):
        assert field.replace("_", "").lower() in meanings


@given(st.text(max_size=300))
def test_any_name_gets_at_most_a_few_known_fields(name: str):
    assert set(similar_fields(name, NATIVE)) <= set(NATIVE)
