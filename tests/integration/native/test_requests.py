"""What clients write becomes a request whole, or is refused by name."""

from typing import Any

import pytest

from framegate.api.dialects.native.requests import UNION_TAGS, VideoRequest, to_request
from framegate.api.http.validation import validated
from framegate.config.settings import Settings
from framegate.domain import Kind, Problem, Reference, Request, Role, Routing
from framegate.domain.errors import InvalidRequest

SETTINGS = Settings()
URL = "https://example.com/a.png"
IMAGE = {"type": "image_url", "image_url": {"url": URL}}


def read(settings: Settings = SETTINGS, **body: object) -> Request:
    return to_request(validated(VideoRequest, {"model": "m", **body}, tags=UNION_TAGS), settings)


def problems(settings: Settings = SETTINGS, **body: object) -> list[Problem]:
    with pytest.raises(InvalidRequest) as refused:
        read(settings, **body)
    return list(refused.value.problems)


def test_every_field_arrives():
    request = read(
        prompt="p",
        duration=4.0,
        resolution="720p",
        aspect_ratio="16:9",
        size="1280x720",
        fps=25,
        seed=-1,
        generate_audio=False,
        negative_prompt="n",
        models=["a", "b"],
        provider={"options": {"x": {"y": [1]}}, "order": ["o"], "only": ["p"], "ignore": ["q"]},
        max_cost_usd=1,
        metadata={"k": "v"},
        callback_url="https://example.com/cb",
        previous_job_id="j",
        session_id="s",
        user="u",
        trace={"trace_id": "t"},
    )

    assert request == Request(
        model="m",
        prompt="p",
        duration=4,
        resolution="720p",
        aspect_ratio="16:9",
        size="1280x720",
        fps=25,
        seed=-1,
        generate_audio=False,
        negative_prompt="n",
        models=("a", "b"),
        routing=Routing(order=("o",), only=("p",), ignore=("q",)),
        options={"x": {"y": [1]}},
        max_cost_usd=1,
        metadata={"k": "v"},
        callback_url="https://example.com/cb",
        previous_job_id="j",
        session_id="s",
        user="u",
        trace={"trace_id": "t"},
    )


def test_references_keep_their_kind_role_name_and_place():
    request = read(
        frame_images=[{**IMAGE, "frame_type": "last_frame"}],
        input_references=[
            IMAGE,
            {"type": "video_url", "video_url": {"url": URL}, "role": "source"},
            {"type": "audio_url", "audio_url": {"url": URL}, "name": "song"},
            {**IMAGE, "reference_type": "style"},
        ],
    )

    assert request.references == (
        Reference(url=URL, role=Role.LAST_FRAME, pointer="/frame_images/0/image_url/url"),
        Reference(url=URL, pointer="/input_references/0/image_url/url"),
        Reference(url=URL, kind=Kind.VIDEO, role=Role.SOURCE, pointer="/input_references/1/video_url/url"),
        Reference(url=URL, kind=Kind.AUDIO, name="song", pointer="/input_references/2/audio_url/url"),
        Reference(url=URL, reference_type="style", pointer="/input_references/3/image_url/url"),
    )


def test_what_is_not_said_is_not_made_up():
    assert read() == Request(model="m")
    nothing: dict[str, Any] = dict.fromkeys(VideoRequest.model_fields.keys() - {"model"})
    assert read(**nothing) == Request(model="m")


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"model": None}, "/model", "`model` should be a valid string"),
        ({"prompts": "x"}, "/prompts", "Did you mean `prompt`?"),
        ({"zzz": 1}, "/zzz", "Unknown field: `zzz`."),
        ({"duration": "4"}, "/duration", "integer"),
        ({"duration": 4.5}, "/duration", "integer"),
        ({"duration": 1e20}, "/duration", "should be a 64-bit integer"),
        ({"seed": 1e300}, "/seed", "should be a 64-bit integer"),
        ({"duration": True}, "/duration", "integer"),
        ({"duration": 0}, "/duration", "greater than or equal to 1"),
        ({"generate_audio": 1}, "/generate_audio", "boolean"),
        ({"max_cost_usd": -1}, "/max_cost_usd", "greater than or equal to 0"),
        ({"metadata": {"a": 1}}, "/metadata/a", "string"),
        ({"provider": {"ordr": ["x"]}}, "/provider/ordr", "Did you mean `order`?"),
        ({"provider": {"options": {"x": 1}}}, "/provider/options/x", "object"),
        ({"input_references": [URL]}, "/input_references/0", "whose `type` is one of image_url, video_url, audio_url"),
        ({"input_references": [{"type": "file"}]}, "/input_references/0", "type"),
        ({"input_references": [{"type": "image_url", "image_url": URL}]}, "/input_references/0/image_url", "object"),
        ({"input_references": [IMAGE, {**IMAGE, "rol": "x"}]}, "/input_references/1/rol", "Did you mean `role`?"),
        ({"input_references": [{**IMAGE, "role": "hero"}]}, "/input_references/0/role", "'first_frame'"),
        ({"input_references": [{"type": "image_url"}]}, "/input_references/0/image_url", "required"),
        ({"frame_images": [IMAGE]}, "/frame_images/0/frame_type", "required"),
        ({"upscale_factor": 2}, "/upscale_factor", "not supported"),
        ({"creativity": 1}, "/creativity", "not supported"),
        ({"callback_url": "http://example.com"}, "/callback_url", "https"),
        ({"callback_url": "http://127.0.0.1:1/"}, "/callback_url", "https"),
        ({"callback_url": "https://"}, "/callback_url", "https"),
        ({"callback_url": "https://[::1"}, "/callback_url", "https"),
        ({"callback_url": "https://h:99999/"}, "/callback_url", "https"),
    ],
)
def test_what_breaks_a_rule_is_named_with_its_place(body: dict[str, Any], pointer: str, says: str):
    (problem,) = problems(**body)

    assert problem.pointer == pointer
    assert says in problem.message


def test_every_broken_rule_is_told_at_once():
    found = problems(prompts="x", duration="4", input_references=[URL])

    assert {problem.pointer for problem in found} == {"/prompts", "/duration", "/input_references/0"}


@pytest.mark.parametrize("body", [[], "x", 1, None, True])
def test_a_body_that_is_no_object_is_refused(body: object):
    with pytest.raises(InvalidRequest, match="must be a JSON object"):
        validated(VideoRequest, body, tags=UNION_TAGS)


def test_a_callback_on_this_machine_is_taken_where_private_addresses_are():
    settings = Settings(allow_private_addresses=True)

    assert read(settings, callback_url="http://127.0.0.1:9/x").callback_url == "http://127.0.0.1:9/x"
    assert problems(settings, callback_url="http://example.com")[0].pointer == "/callback_url"
