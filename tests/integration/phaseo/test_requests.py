"""Rules of Phaseo's request bodies, the conversion to a `Request`, billing and status words."""

from typing import Any

import pytest

from framegate.api.dialects.phaseo.models import PARAMETER_BY_ALIAS
from framegate.api.dialects.phaseo.models import show as show_model
from framegate.api.dialects.phaseo.requests import UNION_TAGS, VideoRequest, to_request
from framegate.api.dialects.phaseo.responses import show
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.validation import validated
from framegate.catalogue import builtin
from framegate.config.accounts import WebhookEndpoint
from framegate.config.settings import Settings
from framegate.domain import Estimate, Fault, Job, Kind, Request, Role, State, Target
from framegate.domain.errors import InvalidRequest

A, B, C = (f"https://pictures.example/{name}" for name in "abc")
ENDPOINT = WebhookEndpoint(id="we_1", url="https://hooks.example/1", events=("video.completed",), secret="s")


def parsed(**fields: object) -> Request:
    body = {"model": "framegate/animatic", "prompt": "slow push in", **fields}
    settings = Settings(webhook_endpoints=(ENDPOINT,))
    return to_request(validated(VideoRequest, body, tags=UNION_TAGS), catalogue=builtin(), settings=settings)


def problems_of(**fields: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as error:
        parsed(**fields)
    return [(problem.code, problem.pointer) for problem in error.value.problems]


def image(url: str, **fields: object) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}, **fields}


def media(kind: str, url: str, **fields: object) -> dict[str, Any]:
    return {"type": f"{kind}_url", "media_url": {"url": url}, **fields}


def roles(*references: dict[str, Any]) -> list[tuple[Role, Kind]]:
    return [(reference.role, reference.kind) for reference in parsed(input_references=list(references)).references]


def test_the_first_image_without_a_role_is_the_first_frame_and_the_others_are_references():
    assert [role for role, _ in roles(image(A), image(B), image(C))] == [
        Role.FIRST_FRAME,
        Role.REFERENCE,
        Role.REFERENCE,
    ]


def test_an_explicit_role_wins_in_every_place():
    assert [role for role, _ in roles(image(A, role="reference"), image(B))] == [Role.REFERENCE, Role.REFERENCE]
    assert [role for role, _ in roles(image(A, role="last_frame"))] == [Role.LAST_FRAME]


def test_a_video_in_the_first_place_is_a_reference():
    assert roles(media("video", A), image(B)) == [(Role.REFERENCE, Kind.VIDEO), (Role.REFERENCE, Kind.IMAGE)]


def test_video_and_audio_references_have_their_url_in_media_url():
    assert [
        reference.url for reference in parsed(input_references=[media("video", A), media("audio", B)]).references
    ] == [A, B]
    assert ("missing", "/input_references/0/media_url") in problems_of(
        input_references=[{"type": "video_url", "video_url": {"url": A}}]
    )


def test_the_reference_forms_of_the_python_package_are_accepted():
    items = [
        {"type": "image", "url": A, "role": "reference", "reference_type": "style"},
        {"type": "image", "data": "AAAA", "mime_type": "image/png"},
        {"type": "image", "asset_id": "ab12"},
        {"type": "mask", "url": B},
        {"type": "video", "url": C, "role": "source"},
    ]
    request = parsed(input_references=items, duration_seconds=4)

    assert [reference.url for reference in request.references] == [
        A,
        "data:image/png;base64,AAAA",
        "asset://ab12",
        B,
        C,
    ]
    assert [reference.role for reference in request.references][3:] == [Role.MASK, Role.SOURCE]
    assert (request.references[0].reference_type, request.duration) == ("style", 4)
    assert problems_of(input_references=[{"type": "image"}]) == [("reference_address", "/input_references/0")]


def test_frame_images_and_openais_reference_are_first_and_last_frames():
    frame = {"type": "image_url", "image_url": {"url": A}, "frame_type": "last_frame"}
    request = parsed(frame_images=[frame], input_reference={"image_url": B})

    assert [(reference.role, reference.url) for reference in request.references] == [
        (Role.LAST_FRAME, A),
        (Role.FIRST_FRAME, B),
    ]
    assert problems_of(input_reference={"file_id": "file_1"}) == [("not_served", "/input_reference")]


@pytest.mark.parametrize("other", [{"resolution": "720p"}, {"aspect_ratio": "16:9"}])
def test_size_cannot_be_combined(other: dict[str, str]):
    assert problems_of(size="1280x720", **other) == [("size_combined", "/size")]


def test_seconds_is_an_alias_of_duration():
    assert parsed(seconds="8").duration == 8
    assert parsed(seconds="8", duration=8).duration == 8
    assert problems_of(seconds="8", duration=4) == [("duration_combined", "/duration")]
    assert problems_of(seconds="121") == [("invalid_value", "/seconds")]


def test_a_prompt_is_required_without_an_image_or_video():
    assert problems_of(prompt=None) == [("prompt_missing", "/prompt")]
    assert problems_of(prompt=" ", input_references=[media("audio", A)]) == [("prompt_missing", "/prompt")]
    assert parsed(prompt=None, input_references=[image(A)]).prompt is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duration", 0),
        ("duration", 121),
        ("sample_count", 5),
        ("compression_quality", 101),
        ("input_audio_duration", 1),
        ("input_video_duration", 3601),
        ("prompt", "x" * 32_001),
        ("output", {"access": "all"}),
    ],
)
def test_a_value_out_of_range_is_rejected(field: str, value: object):
    ((code, pointer),) = problems_of(**{field: value})
    assert code == "invalid_value"
    assert pointer.startswith(f"/{field}")


@pytest.mark.parametrize(
    "name",
    [
        "model",
        "Prompt",
        "duration_ms",
        "duration-seconds",
        "aspect_ratio",
        "AspectRatio",
        "sample-count",
        "callbackUrl",
    ],
)
def test_provider_params_may_have_no_top_level_field_at_any_depth(name: str):
    params = {"safety": {"list": [{"fine": 1}, {name: 1}]}}

    assert problems_of(provider_params=params) == [("param_not_allowed", f"/provider_params/safety/list/1/{name}")]


def test_phaseos_own_options_are_passed_to_phaseo():
    request = parsed(enhance_prompt=True, resize_mode="crop", provider_params={"safety": 1}, debug={"enabled": True})

    options = {
        "enhance_prompt": True,
        "resize_mode": "crop",
        "provider_params": {"safety": 1},
        "debug": {"enabled": True},
    }
    assert request.options == {"phaseo": options}
    assert parsed(provider_options={"fal": {"x": 1}}).options == {"fal": {"x": 1}}


def test_routing_is_applied_or_rejected():
    routing = parsed(provider={"order": ["fal"], "ignore": ["pictory"], "allow_fallbacks": True, "zdr": False}).routing
    assert (routing.order, routing.only, routing.ignore) == (("fal",), (), ("pictory",))
    assert parsed(provider={"order": ["fal"], "allow_fallbacks": False}).routing.only == ("fal",)
    assert problems_of(provider={"zdr": True, "sort": "price"}) == [
        ("not_served", "/provider/sort"),
        ("not_served", "/provider/zdr"),
    ]


def test_a_webhook_endpoint_is_named_by_its_id():
    request = parsed(webhook={"endpoint_id": "we_1"})

    assert (request.callback_url, request.callback_events) == ("https://hooks.example/1", ("completed",))
    assert parsed(webhook={"endpoint_id": "we_1", "events": ["job.failed"]}).callback_events == ("failed",)
    assert problems_of(webhook={"endpoint_id": "we_2"}) == [("webhook_unknown", "/webhook/endpoint_id")]
    assert problems_of(webhook={"endpoint_id": "we_1", "url": A}) == [("webhook_target", "/webhook")]


def test_webhook_events_without_an_event_of_a_video_are_rejected():
    assert problems_of(webhook={"url": A, "events": ["batch.completed"]}) == [("event_missing", "/webhook/events")]
    assert problems_of(webhook={"url": A, "events": []}) == [("event_missing", "/webhook/events")]
    assert problems_of(webhook={"url": A, "events": ["video.done"]}) == [("event_unknown", "/webhook/events/0")]
    assert problems_of(webhook={"url": "http://hooks.example"}) == [("invalid_value", "/webhook/url")]
    default_events = ("status_changed", "completed", "failed", "cancelled", "expired")
    assert parsed(webhook={"url": A}).callback_events == default_events


def test_the_filter_of_models_accepts_aliases_of_parameters():
    assert (PARAMETER_BY_ALIAS["size"], PARAMETER_BY_ALIAS["duration_seconds"]) == ("resolution", "duration")
    animatic = show_model(next(iter(builtin())))
    assert {"seed", "duration", "input_references"} <= set(animatic["supported_params"])
    assert "negative_prompt" not in animatic["supported_params"]
    assert animatic["supported_params"] == animatic["supported_parameters"]


# -- responses


def job(state: State, *, estimate: int | None = 1_600_000, cost: int | None = None, unsure: bool = False) -> Job:
    return Job(
        id="01a1fb7a-7dc2-7779-bb67-06c292bf39a1",
        owner="default",
        dialect="phaseo",
        request=Request(model="m"),
        model="m",
        target=Target(width=1280, height=720, fps=24, duration=4, audio=False, seed=None),
        created_at=0,
        updated_at=0,
        deadline_at=60,
        state=state,
        finished_at=9 if state.is_final else None,
        fault=Fault(code="c", message="It broke.", unsure=unsure) if state is State.FAILED else None,
        estimate=Estimate(micro_usd=estimate, basis="4 s x $0.40/s") if estimate is not None else None,
        cost_micro_usd=cost,
    )


@pytest.mark.parametrize(
    ("ended", "state", "settled", "charged"),
    [
        (job(State.QUEUED), "estimated", None, None),
        (job(State.RUNNING, estimate=None), "pending", None, None),
        (job(State.COMPLETED, cost=1_605_500), "settled", "1.6055", True),
        (job(State.COMPLETED, cost=0), "settled", "0.00", False),
        (job(State.COMPLETED), "settled", "1.60", True),  # the provider reports no cost: the estimate
        (job(State.COMPLETED, estimate=None), "pending", None, None),
        (job(State.FAILED), "void", "0.00", False),
        (job(State.FAILED, unsure=True), "pending", None, None),
        (job(State.CANCELLED), "void", "0.00", False),
        (job(State.EXPIRED), "void", "0.00", False),
    ],
)
def test_billing_reports_only_costs_that_are_known(ended: Job, state: str, settled: str | None, charged: bool | None):
    body = show(ended, base="https://gateway.example/phaseo/v1", signer=UrlSigner(secret=b"s", seconds=60))
    billing = body["billing"]

    assert (billing["state"], billing["settled_user_cost"], billing["charged"]) == (state, settled, charged)
    assert billing["estimated_user_cost"] in ("1.60", None)
    assert ("cost" in body["usage"]) == (settled is not None)


def test_statuses_have_phaseos_names():
    signer = UrlSigner(secret=b"s", seconds=60)
    for state, status, lifecycle in (
        (State.QUEUED, "queued", "pending"),
        (State.CHECKING, "processing", "running"),
        (State.EXPIRED, "expired", "expired"),
    ):
        body = show(job(state), base="https://gateway.example/phaseo/v1", signer=signer)
        assert (body["status"], body["lifecycle_status"]) == (status, lifecycle)
    assert body["websocket_url"] == f"wss://gateway.example/phaseo/v1/async/video/{body['id']}/ws"


OLDER = [
    ({"input": "a street", "prompt": None}, "prompt", "a street"),
    ({"ratio": "9:16"}, "aspect_ratio", "9:16"),
    ({"ratio": "9:16", "aspect_ratio": "9:16"}, "aspect_ratio", "9:16"),
    ({"quality": "1080p"}, "resolution", "1080p"),
    ({"quality": "4K"}, "resolution", "4K"),
    ({"seconds": 8}, "duration", 8),
    ({"seconds": "8"}, "duration", 8),
    ({"seconds": 8.0, "duration": 8}, "duration", 8),
]


@pytest.mark.parametrize(("fields", "name", "value"), OLDER)
def test_an_older_spelling_with_one_meaning_is_accepted(fields: dict[str, Any], name: str, value: object):
    assert getattr(parsed(**fields), name) == value


@pytest.mark.parametrize("written", [A, {"url": A}, {"image_url": {"url": A}}, {"image_url": A}])
@pytest.mark.parametrize(
    ("field", "role"),
    [("input_image", Role.FIRST_FRAME), ("first_frame", Role.FIRST_FRAME), ("last_frame", Role.LAST_FRAME)],
)
def test_an_older_field_for_one_image_has_its_role(field: str, role: Role, written: object):
    (reference,) = parsed(**{field: written}).references

    assert (reference.url, reference.role, reference.kind, reference.pointer) == (A, role, Kind.IMAGE, f"/{field}")


def test_older_reference_images_are_all_references():
    request = parsed(reference_images=[A, {"url": B}])

    assert [(item.url, item.role) for item in request.references] == [(A, Role.REFERENCE), (B, Role.REFERENCE)]


AMBIGUOUS = [
    ({"quality": "high"}, ("invalid_value", "/quality")),
    ({"ratio": "9:16", "aspect_ratio": "16:9"}, ("fields_combined", "/ratio")),
    ({"input": "another prompt"}, ("fields_combined", "/input")),
    ({"seconds": 0}, ("invalid_value", "/seconds")),
    ({"seconds": "8s"}, ("invalid_value", "/seconds")),
    ({"last_frame": 7}, ("wrong_type", "/last_frame")),
]


@pytest.mark.parametrize(("fields", "problem"), AMBIGUOUS)
def test_an_older_spelling_without_a_certain_meaning_is_refused(fields: dict[str, Any], problem: tuple[str, str]):
    assert problem in problems_of(**fields)


def test_an_image_cannot_be_the_source_and_the_message_names_the_roles_that_it_can_have():
    with pytest.raises(InvalidRequest) as error:
        parsed(input_references=[image(A, role="source")])

    (problem,) = error.value.problems
    assert problem.pointer == "/input_references/0/role"
    assert "`first_frame`" in problem.message
    assert "`reference`" in problem.message


def test_a_job_has_its_id_twice_and_no_null_for_a_time_that_is_to_come():
    body = show(job(State.RUNNING), base="https://gateway.example", signer=UrlSigner(secret=b"s", seconds=60))

    assert body["video_id"] == body["id"]
    assert "started_at" not in body
    assert "completed_at" not in body
