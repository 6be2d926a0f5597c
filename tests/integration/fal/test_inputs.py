"""Every endpoint has its own fields, types, defaults and limits; each broken rule is reported with its location."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.api.dialects.fal.endpoints import Endpoint, Field, app_of, endpoints, find
from framegate.api.dialects.fal.errors import Detail, Unprocessable
from framegate.api.dialects.fal.requests import parse
from framegate.catalogue import builtin, check
from framegate.domain import Kind, Role, Verdict

PICTURE = "https://example.com/a.png"
ENDPOINT_IDS = sorted(endpoints())
VEO = endpoints()["fal-ai/veo3.1/reference-to-video"]
KLING_O3 = endpoints()["fal-ai/kling-video/o3/pro/reference-to-video"]


def minimal_input(endpoint: Endpoint) -> dict[str, Any]:
    """The smallest input that the endpoint accepts."""
    document: dict[str, Any] = {"prompt": "a quiet street"}
    document |= {field.name: value_of(field) for field in endpoint.fields if field.required and field.name != "prompt"}
    lists = [field for field in endpoint.fields if field.type == "urls" and field.to != "reference.audio"]
    if lists and not any(field.name in document for field in endpoint.fields if field.to.startswith("reference.")):
        document[lists[0].name] = [PICTURE]
    return document


def value_of(field: Field) -> object:
    named_image = {"image_url": PICTURE, "ref_name": "hero", "type": "subject"}
    return {"urls": [PICTURE], "url": PICTURE, "named_images": [named_image]}[field.type]


def reported(endpoint: Endpoint, **fields: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """The location and type of each detail of a rejected input."""
    with pytest.raises(Unprocessable) as error:
        parse(endpoint, {**minimal_input(endpoint), **fields})
    return [(detail.loc[1:], detail.type) for detail in error.value.details]


def broken_rules(verdict: Verdict) -> list[str]:
    """The rules of its model that a request breaks, apart from the retirement of the model."""
    return [problem.message for problem in verdict.problems if problem.code != "model_ended"]


@pytest.mark.parametrize("endpoint_id", ENDPOINT_IDS)
def test_every_endpoint_is_an_alias_of_a_model_and_accepts_a_minimal_input(endpoint_id: str):
    request = parse(endpoints()[endpoint_id], minimal_input(endpoints()[endpoint_id]))
    verdict = check(request, catalogue=builtin())

    assert broken_rules(verdict) == []
    model = builtin().get(endpoint_id)
    assert model is not None
    assert verdict.model == model.id
    assert model.offer("fal") is not None


@pytest.mark.parametrize("endpoint_id", ENDPOINT_IDS)
def test_every_choice_of_every_endpoint_is_supported_by_its_model(endpoint_id: str):
    endpoint = endpoints()[endpoint_id]
    for field in endpoint.fields:
        if field.to not in ("duration", "resolution", "aspect_ratio", "generate_audio"):
            continue
        choices = field.one_of or ((field.min, field.max) if field.type == "integer" else ())
        for value in (choice for choice in choices if choice is not None):
            choice = int(value) if isinstance(value, float) else value
            verdict = check(parse(endpoint, {**minimal_input(endpoint), field.name: choice}), catalogue=builtin())
            assert broken_rules(verdict) == [], (field.name, choice)


@pytest.mark.parametrize("endpoint_id", ENDPOINT_IDS)
def test_every_endpoint_has_a_schema(endpoint_id: str):
    schema = endpoints()[endpoint_id].schema()

    assert set(schema["required"]) <= set(schema["properties"])
    assert all("type" in field for field in schema["properties"].values())
    assert schema["additionalProperties"] is False


def test_every_reference_to_video_endpoint_and_every_task_of_veo_is_known():
    assert len(ENDPOINT_IDS) == 57
    apps = {app_of(endpoint_id) for endpoint_id in ENDPOINT_IDS}
    assert apps >= {"fal-ai/veo3.1", "bytedance/seedance-2.0", "wan/v2.6", "minimax/h3"}


def test_the_endpoints_defaults_are_used():
    request = parse(VEO, {"prompt": "x", "image_urls": [PICTURE]})

    assert (request.duration, request.resolution, request.aspect_ratio, request.generate_audio) == (
        8,
        "720p",
        "16:9",
        True,
    )
    assert request.options == {}


@pytest.mark.parametrize("duration", ["8s", "8", 8, 8.0, " 8 s "])
def test_every_spelling_of_a_duration_is_accepted(duration: object):
    assert parse(VEO, {"prompt": "x", "image_urls": [PICTURE], "duration": duration}).duration == 8


@pytest.mark.parametrize("duration", ["5s", "5", 5, 5.0])
def test_every_spelling_of_an_integer_duration_is_accepted(duration: object):
    endpoint = endpoints()["fal-ai/vidu/q3/reference-to-video/mix"]
    assert parse(endpoint, {**minimal_input(endpoint), "duration": duration}).duration == 5


def test_a_value_that_leaves_the_choice_to_the_model_is_passed_through():
    endpoint = endpoints()["bytedance/seedance-2.0/reference-to-video"]
    request = parse(endpoint, {**minimal_input(endpoint), "duration": "auto", "aspect_ratio": "auto"})

    assert (request.duration, request.aspect_ratio) == (None, None)
    assert request.options == {"fal": {"duration": "auto", "aspect_ratio": "auto"}}


def test_a_field_without_a_part_of_the_request_is_passed_through():
    request = parse(VEO, {**minimal_input(VEO), "auto_fix": True, "safety_tolerance": 2})

    assert request.options == {"fal": {"auto_fix": True, "safety_tolerance": "2"}}
    assert request.routing.order == ("fal",)


def test_an_alias_of_a_field_is_accepted():
    endpoint = endpoints()["wan/v2.6/reference-to-video/flash"]
    assert parse(endpoint, {**minimal_input(endpoint), "enable_audio": False}).generate_audio is False


def test_a_number_of_frames_must_be_whole_seconds():
    vace, lite = endpoints()["fal-ai/wan-vace-14b"], endpoints()["fal-ai/bytedance/seedance/v1/lite/reference-to-video"]

    assert parse(vace, {**minimal_input(vace), "num_frames": 97}).duration == 6
    assert parse(lite, {**minimal_input(lite), "num_frames": 72, "duration": "5"}).duration == 3
    with pytest.raises(Unprocessable, match="The nearest is 97"):
        parse(vace, {**minimal_input(vace), "num_frames": 100})


def test_an_element_is_one_reference_with_several_views():
    element = {"frontal_image_url": PICTURE, "reference_image_urls": [PICTURE, PICTURE]}
    body = {"prompt": "@Element1 meets @Element2 in @Image1", "image_urls": [PICTURE], "elements": [element, element]}
    endpoint = endpoints()["fal-ai/kling-video/o1/reference-to-video"]
    request = parse(endpoint, body)

    assert [(reference.name, reference.same_subject_as) for reference in request.references] == [
        (None, None),
        ("Element1", None),
        ("Element1-2", "Element1"),
        ("Element1-3", "Element1"),
        ("Element2", None),
        ("Element2-2", "Element2"),
        ("Element2-3", "Element2"),
    ]
    assert check(request, catalogue=builtin()).problems == ()
    seven_elements = {**body, "elements": [element] * 7}
    verdict = check(parse(endpoint, seven_elements), catalogue=builtin())
    assert {problem.code for problem in verdict.problems} == {"too_many_references"}


def test_at_most_one_element_has_a_video_and_its_voice_is_passed_through():
    element = {"frontal_image_url": PICTURE, "video_url": "https://example.com/a.mp4", "voice_id": "v1"}
    request = parse(KLING_O3, {"prompt": "@Element1 speaks", "elements": [element]})

    assert [reference.kind for reference in request.references] == [Kind.IMAGE, Kind.VIDEO]
    assert request.options == {"fal": {"elements": [{"element": "Element1", "voice_id": "v1"}]}}
    assert reported(KLING_O3, elements=[element, element]) == [(("elements", 1, "video_url"), "value_error")]


def test_kling_accepts_frames_and_shots():
    shots = [{"prompt": "she enters", "duration": "2"}, {"prompt": "she sits"}]
    request = parse(KLING_O3, {"multi_prompt": shots, "start_image_url": PICTURE, "end_image_url": PICTURE})

    assert request.prompt == "she enters\nshe sits"
    assert request.options["fal"]["multi_prompt"][1] == {"prompt": "she sits", "duration": "5"}
    assert [reference.role for reference in request.references] == [Role.FIRST_FRAME, Role.LAST_FRAME]
    assert reported(KLING_O3, multi_prompt=shots) == [(("multi_prompt",), "value_error")]


def test_pixverse_accepts_named_images():
    endpoint = endpoints()["fal-ai/pixverse/c1/reference-to-video"]
    pictures = [
        {"image_url": PICTURE, "ref_name": "hero", "type": "subject"},
        {"image_url": PICTURE, "ref_name": "beach", "type": "background"},
    ]
    request = parse(endpoint, {"prompt": "@hero on the @beach", "image_references": pictures})

    assert [reference.name for reference in request.references] == ["hero", "beach"]
    assert check(request, catalogue=builtin()).problems == ()
    verdict = check(parse(endpoint, {"prompt": "@villain", "image_references": pictures}), catalogue=builtin())
    assert [problem.code for problem in verdict.problems] == ["reference_name_unknown"]


@pytest.mark.parametrize(
    ("endpoint_id", "prompt", "is_valid"),
    [
        ("alibaba/happy-horse/reference-to-video", "character1 runs", True),
        ("alibaba/happy-horse/reference-to-video", "character2 runs", False),
        ("google/gemini-omni-flash/reference-to-video", "<IMAGE_REF_0> runs", True),
        ("google/gemini-omni-flash/reference-to-video", "<IMAGE_REF_1> runs", False),
        ("bytedance/seedance-2.0/reference-to-video", "@Image1 runs", True),
        ("bytedance/seedance-2.0/reference-to-video", "@Image2 runs", False),
        ("minimax/h3/reference-to-video", "Image 2 runs", False),
    ],
)
def test_a_prompt_mentions_references_by_the_models_own_token(endpoint_id: str, prompt: str, *, is_valid: bool):
    endpoint = endpoints()[endpoint_id]
    verdict = check(parse(endpoint, {**minimal_input(endpoint), "prompt": prompt}), catalogue=builtin())
    assert verdict.ok is is_valid


@pytest.mark.parametrize(
    ("fields", "loc", "error_type"),
    [
        ({"seedling": 1}, ("seedling",), "extra_forbidden"),
        ({"prompt": None}, ("prompt",), "missing"),
        ({"prompt": 5}, ("prompt",), "string_type"),
        ({"image_urls": PICTURE}, ("image_urls",), "list_type"),
        ({"image_urls": []}, ("image_urls",), "sequence_too_short"),
        ({"image_urls": [PICTURE] * 4}, ("image_urls",), "sequence_too_long"),
        ({"image_urls": [7]}, ("image_urls", 0), "string_type"),
        ({"image_urls": [" "]}, ("image_urls", 0), "value_error"),
        ({"image_urls": [f"https://e.x/{'a' * 9000}"]}, ("image_urls", 0), "string_too_long"),
        ({"duration": "9s"}, ("duration",), "one_of"),
        ({"duration": "soon"}, ("duration",), "one_of"),
        ({"duration": True}, ("duration",), "string_type"),
        ({"resolution": "8k"}, ("resolution",), "one_of"),
        ({"generate_audio": "maybe"}, ("generate_audio",), "bool_type"),
        ({"safety_tolerance": "7"}, ("safety_tolerance",), "one_of"),
    ],
)
def test_each_rule_has_its_own_error_type_and_location(
    fields: dict[str, Any], loc: tuple[str | int, ...], error_type: str
):
    assert reported(VEO, **fields) == [(loc, error_type)]


def test_values_outside_their_bounds_are_rejected():
    endpoint = endpoints()["fal-ai/vidu/q3/reference-to-video/mix"]
    assert reported(endpoint, duration=0) == [(("duration",), "greater_than_equal")]
    assert reported(endpoint, duration=17) == [(("duration",), "less_than_equal")]
    assert reported(endpoint, duration="x") == [(("duration",), "int_type")]
    assert reported(endpoint, prompt="x" * 2001) == [(("prompt",), "string_too_long")]


def test_all_broken_rules_are_reported_at_once():
    locs = [loc for loc, _ in reported(VEO, image_urls=[], duration="1s", nothing=1, resolution="x")]
    assert sorted(locs, key=str) == [("duration",), ("image_urls",), ("nothing",), ("resolution",)]


def test_the_echo_of_a_data_uri_is_shortened():
    with pytest.raises(Unprocessable) as error:
        parse(VEO, {"prompt": "x", "image_urls": [f"data:image/png;base64,{'A' * 9999}"] * 4})
    (detail,) = error.value.details
    assert all(len(url) < 300 for url in detail.to_json()["input"])


def test_every_model_of_the_catalogue_is_an_endpoint():
    for name in ("framegate/animatic", "google/veo-3.1", "fal-ai/google/veo-3.1-fast", "fal-ai/veo3.1/lite"):
        endpoint = find(name, builtin())
        assert endpoint is not None
        assert endpoint.field("prompt") is not None
    seedance = find("fal-ai/bytedance/seedance-2.0/reference-to-video", builtin())
    assert seedance is not None
    assert seedance.id == "bytedance/seedance-2.0/reference-to-video"
    assert find("nobody/nothing", builtin()) is None


SINGLE_IMAGE = [
    ("fal-ai/veo3.1/reference-to-video", Role.REFERENCE),
    ("xai/grok-imagine-video/reference-to-video", Role.REFERENCE),
    ("fal-ai/minimax/video-01-subject-reference", Role.REFERENCE),
    ("fal-ai/veo3.1/image-to-video", Role.FIRST_FRAME),
    ("google/veo-3.1", Role.FIRST_FRAME),
]


@pytest.mark.parametrize(("endpoint_id", "role"), SINGLE_IMAGE)
def test_image_url_is_one_reference_where_no_field_has_that_name(endpoint_id: str, role: Role):
    endpoint = find(endpoint_id, builtin())
    assert endpoint is not None

    (reference,) = parse(endpoint, {"prompt": "x", "image_url": PICTURE}).references

    assert (reference.url, reference.role, reference.pointer) == (PICTURE, role, "/image_url")


def test_two_names_of_one_field_are_not_chosen_between():
    endpoint = find("fal-ai/veo3.1/reference-to-video", builtin())
    assert endpoint is not None
    with pytest.raises(Unprocessable) as error:
        parse(endpoint, {"prompt": "x", "image_url": PICTURE, "image_urls": [PICTURE]})

    assert [detail.msg for detail in error.value.details] == [
        "`image_url` means the same as `image_urls`. Send only `image_urls`."
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({field.name for endpoint in endpoints().values() for field in endpoint.fields} | {"frontal_image_url"})


@settings(max_examples=300, deadline=None)
@given(endpoint_id=st.sampled_from(ENDPOINT_IDS), body=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8) | JSON)
def test_any_json_is_parsed_or_rejected(endpoint_id: str, body: Any):
    details: tuple[Detail, ...] = ()
    try:
        request = parse(endpoints()[endpoint_id], body)
    except Unprocessable as error:
        details = error.details
    else:
        assert check(request, catalogue=builtin()).model
    assert all(detail.msg and detail.loc[0] == "body" and json.dumps(detail.to_json()) for detail in details)
