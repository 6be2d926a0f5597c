"""The rules of each model, one line each: a request and its problems."""

from dataclasses import replace
from typing import Any

import pytest

from framegate.catalogue import builtin, check
from framegate.domain import Kind, Reference, Request, Role, Routing


def refs(images: int = 0, *, videos: int = 0, audios: int = 0, first: bool = False, last: bool = False):
    references = [Reference(url=f"https://pictures.test/{n}.jpg") for n in range(images)]
    references += [Reference(url=f"https://pictures.test/{n}.mp4", kind=Kind.VIDEO) for n in range(videos)]
    references += [Reference(url=f"https://pictures.test/{n}.mp3", kind=Kind.AUDIO) for n in range(audios)]
    references += [Reference(url="https://pictures.test/first.jpg", role=Role.FIRST_FRAME)] * first
    references += [Reference(url="https://pictures.test/last.jpg", role=Role.LAST_FRAME)] * last
    return tuple(references)


def source(kind: str = "video"):
    return Reference(url="https://pictures.test/source", kind=Kind(kind), role=Role.SOURCE)


def verdict_on(model: str, **options: Any):
    options.setdefault("prompt", "A quiet street at dawn")
    return check(Request(model=model, **options), catalogue=builtin())


VALID: list[tuple[str, dict[str, Any]]] = [
    ("framegate/animatic", {}),
    ("framegate/animatic", {"references": refs(16, first=True, last=True), "duration": 60, "fps": 60, "seed": 1}),
    ("framegate/animatic", {"references": refs(last=True), "prompt": None}),
    ("framegate/animatic", {"references": (source(), *refs(2, last=True)), "generate_audio": True}),
    ("framegate/animatic", {"references": (source(),), "prompt": None}),
    ("framegate/animatic", {"prompt": "on", "previous_job_id": "j"}),
    ("framegate/animatic", {"generate_audio": False, "size": "1920x1080", "resolution": "1080p"}),
    ("google/veo-3.1", {"references": refs(3)}),
    ("google/veo-3.1", {"duration": 4, "references": refs(first=True, last=True), "seed": 7}),
    ("google/veo-3.1", {"resolution": "4k", "duration": 8, "negative_prompt": "rain"}),
    ("veo3.1", {"references": refs(1), "generate_audio": False}),
    ("fal-ai/veo3.1/reference-to-video", {"references": refs(3), "routing": Routing(only=("fal",))}),
    ("google/veo-3.1", {"references": (source(),), "duration": 7, "routing": Routing(only=("fal",))}),
    (
        "google/veo-3.1",
        {"references": refs(first=True, last=True), "resolution": "4K", "routing": Routing(only=("fal",))},
    ),
    ("google/veo-3.1-lite", {"generate_audio": False, "routing": Routing(only=("fal",))}),
    ("google/veo-3.1-lite", {"references": refs(first=True), "generate_audio": True}),
    ("bytedance/seedance-2.0", {"references": refs(9, videos=3)}),
    ("bytedance/seedance-2.0", {"references": refs(1, audios=3), "duration": 15, "resolution": "4K"}),
    ("kwaivgi/kling-video-o1", {"references": refs(7), "duration": 3}),
    ("kwaivgi/kling-video-o1", {"references": refs(first=True, last=True), "duration": 10, "generate_audio": True}),
    ("kwaivgi/kling-video-o3-pro", {"references": refs(3, videos=1, first=True, last=True), "generate_audio": True}),
    ("vidu/vidu-q1", {"references": refs(7), "duration": 5}),
    ("vidu/vidu-q2-pro", {"references": refs(4, videos=2), "aspect_ratio": "5:4", "duration": 7}),
    ("vidu/vidu-q3-mix", {"references": refs(4), "duration": 16}),
    ("pixverse/pixverse-5.5", {"references": refs(3), "duration": 8}),
    ("pixverse/pixverse-c1", {"references": refs(12), "prompt": "é" * 1024}),
    ("alibaba/wan-2.6", {"references": refs(videos=3), "duration": 10}),
    ("alibaba/wan-2.6", {"references": refs(first=True)}),
    ("alibaba/wan-2.6-flash", {"references": refs(3, videos=2)}),
    ("alibaba/wan-2.7", {"references": refs(2, videos=3), "negative_prompt": "n" * 500}),
    ("alibaba/happyhorse-1.1", {"references": refs(9), "aspect_ratio": "5:4"}),
    ("x-ai/grok-imagine-video", {"references": refs(7), "duration": 1}),
    ("minimax/hailuo-3", {"references": refs(9, videos=2, audios=1), "resolution": "2k"}),
    ("minimax/s2v-01", {"references": refs(1)}),
    ("wan/vace-14b", {"references": refs(2, first=True, last=True), "duration": 5, "fps": 16}),
    ("wan/vace-1.3b", {"references": refs(4), "size": "832x480"}),
]


@pytest.mark.parametrize(("model", "options"), VALID)
def test_a_model_accepts_what_its_vendor_documents(model: str, options: dict[str, Any]):
    verdict = verdict_on(model, **options)

    assert [problem.message for problem in verdict.problems] == []
    assert verdict.target is not None


MASK = Reference(url="https://h/m.png", role=Role.MASK)
AT_FAL = Routing(only=("fal",))
INVALID: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("wan/vace-14b", {"generate_audio": True}, [("audio_unsupported", "/generate_audio")]),
    ("framegate/animatic", {"negative_prompt": "x"}, [("negative_prompt_unsupported", "/negative_prompt")]),
    ("framegate/animatic", {"references": refs(17)}, [("too_many_references", "/references/16")]),
    (
        "framegate/animatic",
        {"duration": 61, "fps": 7},
        [("duration_unsupported", "/duration"), ("fps_unsupported", "/fps")],
    ),
    ("framegate/animatic", {"prompt": "p" * 5001}, [("prompt_too_long", "/prompt")]),
    ("framegate/animatic", {"prompt": None}, [("prompt_required", "/prompt")]),
    ("framegate/animatic", {"references": refs(videos=1)}, [("kind_unsupported", "/references/0/kind")]),
    ("framegate/animatic", {"references": (source("image"),)}, [("kind_unsupported", "/references/0/kind")]),
    ("framegate/animatic", {"references": (source(), source())}, [("too_many_references", "/references/1")]),
    ("google/veo-3.1-lite", {"references": (source(),)}, [("role_unsupported", "/references/0/role")]),
    ("google/veo-3.1", {"references": refs(1, first=True)}, [("references_exclude_frames", "/references/1")]),
    ("google/veo-3.1", {"references": refs(1), "duration": 4}, [("duration_unsupported", "/duration")]),
    ("google/veo-3.1", {"resolution": "1080p", "duration": 6}, [("duration_unsupported", "/duration")]),
    ("google/veo-3.1", {"references": refs(last=True)}, [("last_frame_needs_first", "/references/0")]),
    ("google/veo-3.1", {"references": refs(4)}, [("too_many_references", "/references/3")]),
    ("google/veo-3.1", {"prompt": " ", "references": refs(1)}, [("prompt_required", "/prompt")]),
    ("google/veo-3.1", {"fps": 24}, [("fps_unsupported", "/fps")]),
    ("google/veo-3.1", {"previous_job_id": "j"}, [("previous_job_unsupported", "/previous_job_id")]),
    ("google/veo-3.1-lite", {"references": refs(1)}, [("role_unsupported", "/references/0/role")]),
    ("google/veo-3.1-lite", {"resolution": "4K"}, [("resolution_unsupported", "/resolution")]),
    (
        "google/veo-3.1-lite",
        {"generate_audio": False, "routing": Routing(ignore=("fal",))},
        [("audio_required", "/generate_audio")],
    ),
    (
        "google/veo-3.1",
        {"references": (source(),), "duration": 8, "routing": Routing(only=("fal",))},
        [("duration_unsupported", "/duration")],
    ),
    (
        "google/veo-3.1",
        {"references": (source(),), "resolution": "1080p", "routing": Routing(only=("fal",))},
        [("duration_unsupported", "/duration")],
    ),
    (
        "google/veo-3.1",
        {"size": "3840x2160", "duration": 8, "routing": Routing(only=("fal",))},
        [("size_unsupported", "/size")],
    ),
    (
        "google/veo-3.1",
        {"references": refs(1), "seed": 7, "negative_prompt": "blur", "routing": Routing(only=("fal",))},
        [("negative_prompt_unsupported", "/negative_prompt"), ("seed_unsupported", "/seed")],
    ),
    (
        "bytedance/seedance-2.0",
        {"references": refs(9, videos=3, audios=1)},
        [("too_many_references", "/references/12")],
    ),
    ("bytedance/seedance-2.0", {"references": refs(audios=1)}, [("audio_reference_alone", "/references/0")]),
    ("bytedance/seedance-2.0-mini", {"resolution": "1080p"}, [("resolution_unsupported", "/resolution")]),
    (
        "kwaivgi/kling-video-o1",
        {"references": refs(7, first=True)},
        [("too_many_references", "/references/7"), ("references_exclude_frames", "/references/7")],
    ),
    ("kwaivgi/kling-video-o1", {"seed": 4}, [("seed_unsupported", "/seed")]),
    ("kwaivgi/kling-video-o3-pro", {"references": refs(4, videos=1)}, [("too_many_references", "/references/4")]),
    ("kwaivgi/kling-video-o3-pro", {"resolution": "720p"}, [("resolution_unsupported", "/resolution")]),
    ("vidu/vidu-q1", {"references": refs(8)}, [("too_many_references", "/references/7")]),
    ("vidu/vidu-q1", {"references": refs(1), "duration": 8}, [("duration_unsupported", "/duration")]),
    ("vidu/vidu-q1", {}, [("too_few_references", "/input_references")]),
    ("vidu/vidu-q2-pro", {"references": refs(5, videos=1)}, [("too_many_references", "/references/4")]),
    (
        "vidu/vidu-q2-pro",
        {"references": refs(1), "aspect_ratio": "wide"},
        [("aspect_ratio_unsupported", "/aspect_ratio")],
    ),
    ("pixverse/pixverse-c1", {"references": refs(1), "prompt": "é" * 1025}, [("prompt_too_long", "/prompt")]),
    ("pixverse/pixverse-5.5", {"prompt": "cat"}, [("prompt_too_short", "/prompt")]),
    ("alibaba/wan-2.6", {"references": refs(1)}, [("kind_unsupported", "/references/0/kind")]),
    ("alibaba/wan-2.7", {"references": refs(3, videos=3)}, [("too_many_references", "/references/5")]),
    ("alibaba/wan-2.7", {"negative_prompt": "n" * 501}, [("negative_prompt_too_long", "/negative_prompt")]),
    ("alibaba/happyhorse-1.0", {"references": refs(10)}, [("too_many_references", "/references/9")]),
    ("alibaba/happyhorse-1.0", {"aspect_ratio": "5:4"}, [("aspect_ratio_unsupported", "/aspect_ratio")]),
    ("minimax/s2v-01", {"references": refs(1), "duration": 6}, [("duration_unsupported", "/duration")]),
    ("wan/vace-14b", {"duration": 16}, [("duration_unsupported", "/duration")]),
    ("wan/vace-14b", {"references": (MASK,), "routing": AT_FAL}, [("too_few_references", "/input_references")]),
    ("wan/vace-fun-2.2-a14b", {"references": (source(), source())}, [("too_many_references", "/references/1")]),
    ("wan/vace-1.3b", {"references": refs(1, first=True)}, [("role_unsupported", "/references/1/role")]),
]


@pytest.mark.parametrize(("model", "options", "expected"), INVALID)
def test_a_model_rejects_what_its_vendor_rejects(model: str, options: dict[str, Any], expected: list[tuple[str, str]]):
    verdict = verdict_on(model, **options)

    assert [(problem.code, problem.pointer) for problem in verdict.problems] == expected
    assert verdict.target is None
    assert verdict.estimate is None


def test_all_broken_rules_are_reported_at_once():
    verdict = verdict_on(
        "google/veo-3.1-lite",
        prompt="",
        duration=5,
        resolution="8K",
        aspect_ratio="2:1",
        fps=30,
        generate_audio=False,
        previous_job_id="j",
        references=refs(2),
        routing=Routing(ignore=("fal",)),
    )

    assert {problem.code for problem in verdict.problems} == {
        "duration_unsupported",
        "resolution_unsupported",
        "aspect_ratio_unsupported",
        "fps_unsupported",
        "role_unsupported",
        "prompt_required",
        "audio_required",
        "previous_job_unsupported",
    }


def test_a_problem_has_the_field_the_rule_and_the_nearest_value():
    (problem,) = verdict_on("google/veo-3.1", duration=5).problems

    assert problem.message == "duration: google/veo-3.1 supports 4, 6 or 8 s, not 5 s. The nearest is 4 s."
    assert problem.allowed == [4, 6, 8]
    assert problem.nearest == 4


def test_a_restricted_choice_is_explained():
    (problem,) = verdict_on("google/veo-3.1", duration=5, resolution="1080p", references=refs(1)).problems

    assert problem.message.startswith("duration: google/veo-3.1 supports 8 s at 1080p and with a reference, not 5 s.")


def test_the_pointer_to_a_reference_is_where_the_client_wrote_it():
    frame = Reference(url="https://pictures.test/a.jpg", role=Role.LAST_FRAME, pointer="/frame_images/0")

    (problem,) = verdict_on("google/veo-3.1", references=(frame,)).problems

    assert problem.pointer == "/frame_images/0"


def test_equal_references_are_told_apart_by_index():
    (problem,) = verdict_on("google/veo-3.1", references=refs(1) * 4).problems

    assert problem.pointer == "/references/3"


def test_an_unknown_model_is_rejected_with_similar_names():
    verdict = verdict_on("google/veo-3.2")

    assert verdict.model == "google/veo-3.2"
    assert verdict.problems[0].code == "model_unknown"
    assert verdict.problems[0].nearest == "google/veo-3.1"
    assert "Did you mean google/veo-3.1" in verdict.problems[0].message
    assert "framegate/animatic" in verdict.alternatives


def test_model_names_match_exactly_including_case():
    assert builtin().get("Google/Veo-3.1") is None
    assert builtin().get("veo") is None
    assert builtin().get("google/veo-3.1-20260320") is builtin().get("google/veo-3.1")


def test_an_unavailable_model_is_validated_too():
    request = Request(model="google/veo-3.1", prompt="A street", duration=5)

    verdict = check(request, catalogue=builtin(), available=lambda model: model.id == "framegate/animatic")

    assert [problem.code for problem in verdict.problems] == ["model_unavailable", "duration_unsupported"]
    assert verdict.alternatives == ("framegate/animatic",)


def test_an_offer_without_an_account_is_not_considered():
    request = Request(model="google/veo-3.1", prompt="A street", duration=4, references=refs(1))

    verdict = check(request, catalogue=builtin(), usable=lambda offer: offer.provider == "fal")

    assert {problem.code for problem in verdict.problems} == {"duration_unsupported"}
    assert "google/veo-3.1 at fal supports 8 s with a reference, not 4 s" in verdict.problems[0].message


def test_a_rule_of_every_offer_is_reported_for_the_model():
    (problem,) = verdict_on("wan/vace-14b", duration=16).problems

    assert problem.message == "duration: wan/vace-14b supports 1 to 15 s, not 16 s. The nearest is 15 s."


def test_routing_selects_the_offers_whose_limits_apply():
    assert verdict_on("google/veo-3.1", seed=1, references=refs(1)).ok
    assert not verdict_on("google/veo-3.1", seed=1, references=refs(1), routing=Routing(only=("fal",))).ok
    assert verdict_on("google/veo-3.1", routing=Routing(ignore=("openrouter", "fal", "pictory", "phaseo"))).problems[
        0
    ].code == ("provider_unsupported")


def test_fallbacks_are_the_first_alternatives_and_must_be_known_models():
    verdict = verdict_on("google/veo-3.1", duration=10, models=("x-ai/grok-imagine-video", "nobody/knows"))

    assert verdict.alternatives[0] == "x-ai/grok-imagine-video"
    assert [(problem.code, problem.pointer) for problem in verdict.problems] == [
        ("duration_unsupported", "/duration"),
        ("model_unknown", "/models/1"),
    ]


def test_references_and_fallbacks_beyond_the_general_limits_are_not_validated():
    verdict = verdict_on("framegate/animatic", references=refs(5000), models=("nobody/knows",) * 5000)

    assert [(problem.code, problem.pointer) for problem in verdict.problems[:3]] == [
        ("too_many_references", "/references/16"),
        ("too_many_references", "/references/64"),
        ("too_many_fallbacks", "/models/8"),
    ]
    assert len(verdict.problems) == 3 + 8
    assert verdict.alternatives == ()


def test_a_size_that_contradicts_its_resolution_is_a_problem():
    (problem,) = verdict_on("google/veo-3.1", size="1920x1080", resolution="720p").problems

    assert problem.code == "size_conflict"
    assert problem.nearest == "1280x720"
    assert verdict_on("google/veo-3.1", size="1920x1080", resolution="1080p", aspect_ratio="16:9").ok


@pytest.mark.parametrize("cap", [float("nan"), float("inf"), -1.0])
def test_a_cost_cap_must_be_an_amount(cap: float):
    assert [problem.code for problem in verdict_on("google/veo-3.1", max_cost_usd=cap).problems] == ["cost_cap_invalid"]


def test_a_cost_cap_below_the_estimate_is_a_problem_that_states_the_estimate():
    (problem,) = verdict_on("google/veo-3.1", max_cost_usd=3.19).problems

    assert problem.code == "cost_over_cap"
    assert "about $3.20 (8 s x $0.40/s (720p with audio) at openrouter)" in problem.message
    assert problem.nearest == 3.2
    assert verdict_on("google/veo-3.1", max_cost_usd=3.2).ok


def test_a_cost_cap_without_a_known_price_is_a_problem():
    verdict = verdict_on("vidu/vidu-q1", references=refs(1), max_cost_usd=100.0)

    assert [problem.code for problem in verdict.problems] == ["cost_unknown"]


def test_options_without_effect_are_warnings():
    verdict = verdict_on(
        "vidu/vidu-q1",
        references=refs(1),
        models=("google/veo-3.1-lite",),
        routing=Routing(order=("nobody",)),
        options={"pictory": {"x": 1}},
    )

    assert verdict.ok
    assert [(warning.code, warning.pointer) for warning in verdict.warnings] == [
        ("price_unknown", "/model"),
        ("provider_unknown", "/provider"),
        ("fallback_unfit", "/models/0"),
        ("options_unused", "/provider/options/pictory"),
    ]


def test_options_that_openrouter_does_not_forward_are_warnings():
    options = {"google-vertex": {"parameters": {"negativePrompt": "x", "steps": 4}}}

    (warning,) = verdict_on("google/veo-3.1", options=options).warnings

    assert (warning.code, warning.pointer) == ("option_unknown", "/provider/options/google-vertex/steps")


def test_the_number_of_warnings_is_limited():
    options = {"google-vertex": {f"option{n}": n for n in range(1000)}}

    assert len(verdict_on("google/veo-3.1", options=options).warnings) == 32


def test_a_reference_without_a_name_is_a_warning_if_prompts_mention_names():
    assert [warning.code for warning in verdict_on("pixverse/pixverse-c1", references=refs(1)).warnings] == [
        "reference_unnamed"
    ]


def test_an_extended_video_is_as_long_as_its_source_and_the_new_part():
    target = verdict_on("framegate/animatic", references=(source(),), duration=6, fps=24).target

    assert target is not None
    assert (target.duration, target.frames, target.source_seconds) == (6, 144, 0.0)
    measured = replace(target, source_seconds=2.5)
    assert (measured.file_frames, measured.file_seconds) == (204, 8.5)


def test_a_transformed_source_does_not_add_to_the_length():
    target = verdict_on("wan/vace-14b", references=(source(),)).target

    assert target is not None
    assert target.source_seconds is None
    assert target.file_frames == target.frames


def test_the_target_has_the_defaults():
    target = verdict_on("framegate/animatic").target

    assert target is not None
    assert (target.width, target.height, target.fps, target.duration, target.audio) == (1280, 720, 24, 4, False)
    assert (target.resolution, target.aspect_ratio, target.frames) == ("720p", "16:9", 96)


def test_the_target_lacks_a_choice_that_the_model_does_not_offer():
    target = verdict_on("minimax/s2v-01", references=refs(1)).target

    assert target is not None
    assert (target.resolution, target.aspect_ratio) == (None, None)


@pytest.mark.parametrize(
    ("model", "is_accepted"),
    [("bytedance/seedance-2.0", True), ("alibaba/wan-2.7", False), ("minimax/hailuo-3", False)],
)
def test_openrouter_accepts_videos_only_for_models_to_which_it_forwards_them(model: str, is_accepted: bool):
    clip = Reference(url="https://h/c.mp4", kind=Kind.VIDEO)
    request = Request(model=model, prompt="a cat", references=(clip,), routing=Routing(only=("openrouter",)))
    codes = [problem.code for problem in check(request, catalogue=builtin()).problems]
    assert codes == ([] if is_accepted else ["kind_unsupported"])


@pytest.mark.parametrize(
    ("model", "changes", "first"),
    [
        ("kwaivgi/kling-video-o1", {"duration": 11}, "kwaivgi/kling-video-o3-4k"),  # its vendor's, of a known price
        ("google/veo-3.2", {}, "google/veo-3.1-lite"),  # though no such model is known
        ("x-ai/grok-imagine-video", {"resolution": "1080p", "duration": 4}, "alibaba/wan-2.7"),  # the cheapest
        ("openai/sora-2", {"duration": 8}, "bytedance/seedance-2.0"),  # what it is replaced by
    ],
)
def test_the_most_similar_alternative_is_first_and_the_animatic_last(model: str, changes: dict[str, Any], first: str):
    request = Request(model=model, prompt="A street", **changes)

    alternatives = check(request, catalogue=builtin(), usable=lambda offer: offer.provider != "vllm_omni").alternatives

    assert (alternatives[0], alternatives[-1]) == (first, "framegate/animatic")
    assert len(set(alternatives)) == len(alternatives)


def test_alternatives_have_a_usable_offer():
    request = Request(model="google/veo-3.1", prompt="A street", duration=5)

    verdict = check(request, catalogue=builtin(), usable=lambda offer: offer.provider in ("fal", "animatic"))
    alternatives = verdict.alternatives

    assert alternatives[-1] == "framegate/animatic"
    for model_id in alternatives:
        model = builtin().get(model_id)
        assert model is not None
        assert {"fal", "animatic"} & {offer.provider for offer in model.offers}


@pytest.mark.parametrize(("duration", "text"), [(10**308, "1e308"), (-(10**20), "-1e20"), (61, "61")])
def test_a_number_with_many_digits_is_shortened(duration: int, text: str):
    (problem,) = verdict_on("framegate/animatic", duration=duration).problems
    assert f"not {text} s." in problem.message
