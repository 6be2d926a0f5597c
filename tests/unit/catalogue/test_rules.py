"""Each model's own rules, one line each: the request, and the problems that it has."""

from dataclasses import replace
from typing import Any

import pytest

from framegate.catalogue import builtin, check
from framegate.domain import Kind, Reference, Request, Role, Routing


def refs(images: int = 0, *, videos: int = 0, audios: int = 0, first: bool = False, last: bool = False):
    made = [Reference(url=f"https://pictures.test/{n}.jpg") for n in range(images)]
    made += [Reference(url=f"https://pictures.test/{n}.mp4", kind=Kind.VIDEO) for n in range(videos)]
    made += [Reference(url=f"https://pictures.test/{n}.mp3", kind=Kind.AUDIO) for n in range(audios)]
    made += [Reference(url="https://pictures.test/first.jpg", role=Role.FIRST_FRAME)] * first
    made += [Reference(url="https://pictures.test/last.jpg", role=Role.LAST_FRAME)] * last
    return tuple(made)


def source(kind: str = "video"):
    return Reference(url="https://pictures.test/source", kind=Kind(kind), role=Role.SOURCE)


def judged(model: str, **asked: object):
    asked.setdefault("prompt", "A quiet street at dawn")
    return check(Request(model=model, **asked), catalogue=builtin())


LEGAL: list[tuple[str, dict[str, Any]]] = [
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


@pytest.mark.parametrize(("model", "asked"), LEGAL)
def test_a_model_takes_what_its_vendor_says_it_takes(model: str, asked: dict[str, Any]):
    verdict = judged(model, **asked)

    assert [problem.message for problem in verdict.problems] == []
    assert verdict.target is not None


MASK = Reference(url="https://h/m.png", role=Role.MASK)
AT_FAL = Routing(only=("fal",))
BROKEN: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
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
    ("google/veo-3.1-lite", {"generate_audio": False}, [("audio_required", "/generate_audio")]),
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


@pytest.mark.parametrize(("model", "asked", "broken"), BROKEN)
def test_a_model_refuses_what_its_vendor_refuses(model: str, asked: dict[str, Any], broken: list[tuple[str, str]]):
    verdict = judged(model, **asked)

    assert [(problem.code, problem.pointer) for problem in verdict.problems] == broken
    assert verdict.target is None
    assert verdict.estimate is None


def test_every_broken_rule_is_told_at_once():
    verdict = judged(
        "google/veo-3.1-lite",
        prompt="",
        duration=5,
        resolution="8K",
        aspect_ratio="2:1",
        fps=30,
        generate_audio=False,
        previous_job_id="j",
        references=refs(2),
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


def test_a_problem_names_the_field_the_rule_and_what_would_do():
    (problem,) = judged("google/veo-3.1", duration=5).problems

    assert problem.message == "duration: google/veo-3.1 supports 4, 6 or 8 s, not 5 s. The nearest is 4 s."
    assert problem.allowed == [4, 6, 8]
    assert problem.nearest == 4


def test_a_rule_that_narrows_another_says_why():
    (problem,) = judged("google/veo-3.1", duration=5, resolution="1080p", references=refs(1)).problems

    assert problem.message.startswith("duration: google/veo-3.1 supports 8 s at 1080p and with a reference, not 5 s.")


def test_a_reference_is_pointed_at_where_the_client_wrote_it():
    frame = Reference(url="https://pictures.test/a.jpg", role=Role.LAST_FRAME, pointer="/frame_images/0")

    (problem,) = judged("google/veo-3.1", references=(frame,)).problems

    assert problem.pointer == "/frame_images/0"


def test_the_same_reference_twice_is_pointed_at_by_its_place():
    (problem,) = judged("google/veo-3.1", references=refs(1) * 4).problems

    assert problem.pointer == "/references/3"


def test_an_unknown_model_is_answered_with_those_that_look_like_it():
    verdict = judged("google/veo-3.2")

    assert verdict.model == "google/veo-3.2"
    assert verdict.problems[0].code == "model_unknown"
    assert verdict.problems[0].nearest == "google/veo-3.1"
    assert "Did you mean google/veo-3.1" in verdict.problems[0].message
    assert "framegate/animatic" in verdict.alternatives


def test_names_are_matched_whole_and_by_case():
    assert builtin().get("Google/Veo-3.1") is None
    assert builtin().get("veo") is None
    assert builtin().get("google/veo-3.1-20260320") is builtin().get("google/veo-3.1")


def test_a_model_that_cannot_be_had_is_judged_all_the_same():
    request = Request(model="google/veo-3.1", prompt="A street", duration=5)

    verdict = check(request, catalogue=builtin(), available=lambda model: model.id == "framegate/animatic")

    assert [problem.code for problem in verdict.problems] == ["model_unavailable", "duration_unsupported"]
    assert verdict.alternatives == ("framegate/animatic",)


def test_an_offer_that_is_not_usable_does_not_count():
    request = Request(model="google/veo-3.1", prompt="A street", duration=4)

    verdict = check(request, catalogue=builtin(), usable=lambda offer: offer.provider == "fal")

    assert {problem.code for problem in verdict.problems} == {"duration_unsupported", "too_few_references"}
    assert "google/veo-3.1 at fal supports 8 s, not 4 s" in verdict.problems[0].message


def test_a_rule_that_every_offer_keeps_is_told_in_the_model_s_own_words():
    (problem,) = judged("wan/vace-14b", duration=16).problems

    assert problem.message == "duration: wan/vace-14b supports 1 to 15 s, not 16 s. The nearest is 15 s."


def test_routing_decides_by_whose_limits_a_request_is_judged():
    assert judged("google/veo-3.1", seed=1, references=refs(1)).ok
    assert not judged("google/veo-3.1", seed=1, references=refs(1), routing=Routing(only=("fal",))).ok
    assert judged("google/veo-3.1", routing=Routing(ignore=("openrouter", "fal", "pictory", "phaseo"))).problems[
        0
    ].code == ("provider_unsupported")


def test_fall_backs_come_first_among_the_alternatives_and_must_be_known():
    verdict = judged("google/veo-3.1", duration=10, models=("x-ai/grok-imagine-video", "nobody/knows"))

    assert verdict.alternatives[0] == "x-ai/grok-imagine-video"
    assert [(problem.code, problem.pointer) for problem in verdict.problems] == [
        ("duration_unsupported", "/duration"),
        ("model_unknown", "/models/1"),
    ]


def test_what_no_model_takes_is_not_looked_at_to_the_end():
    verdict = judged("framegate/animatic", references=refs(5000), models=("nobody/knows",) * 5000)

    assert [(problem.code, problem.pointer) for problem in verdict.problems[:3]] == [
        ("too_many_references", "/references/16"),
        ("too_many_references", "/references/64"),
        ("too_many_fallbacks", "/models/8"),
    ]
    assert len(verdict.problems) == 3 + 8
    assert verdict.alternatives == ()


def test_a_size_that_contradicts_its_resolution_is_a_problem():
    (problem,) = judged("google/veo-3.1", size="1920x1080", resolution="720p").problems

    assert problem.code == "size_conflict"
    assert problem.nearest == "1280x720"
    assert judged("google/veo-3.1", size="1920x1080", resolution="1080p", aspect_ratio="16:9").ok


@pytest.mark.parametrize("cap", [float("nan"), float("inf"), -1.0])
def test_a_cap_that_is_no_sum_of_money_is_a_problem(cap: float):
    assert [problem.code for problem in judged("google/veo-3.1", max_cost_usd=cap).problems] == ["cost_cap_invalid"]


def test_a_cap_below_the_estimate_is_a_problem_and_names_the_sum():
    (problem,) = judged("google/veo-3.1", max_cost_usd=3.19).problems

    assert problem.code == "cost_over_cap"
    assert "about $3.20 (8 s x $0.40/s (720p with audio) at openrouter)" in problem.message
    assert problem.nearest == 3.2
    assert judged("google/veo-3.1", max_cost_usd=3.2).ok


def test_a_cap_cannot_be_kept_where_no_price_is_known():
    verdict = judged("vidu/vidu-q1", references=refs(1), max_cost_usd=100.0)

    assert [problem.code for problem in verdict.problems] == ["cost_unknown"]


def test_what_has_no_effect_is_a_warning():
    verdict = judged(
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


def test_options_that_openrouter_does_not_hand_on_are_a_warning():
    options = {"google-vertex": {"parameters": {"negativePrompt": "x", "steps": 4}}}

    (warning,) = judged("google/veo-3.1", options=options).warnings

    assert (warning.code, warning.pointer) == ("option_unknown", "/provider/options/google-vertex/steps")


def test_warnings_are_told_up_to_a_limit():
    options = {"google-vertex": {f"option{n}": n for n in range(1000)}}

    assert len(judged("google/veo-3.1", options=options).warnings) == 32


def test_a_reference_without_a_name_is_a_warning_where_prompts_call_by_name():
    assert [warning.code for warning in judged("pixverse/pixverse-c1", references=refs(1)).warnings] == [
        "reference_unnamed"
    ]


def test_a_video_that_goes_on_from_a_source_is_as_long_as_both():
    target = judged("framegate/animatic", references=(source(),), duration=6, fps=24).target

    assert target is not None
    assert (target.duration, target.frames, target.source_seconds) == (6, 144, 0.0)
    measured = replace(target, source_seconds=2.5)
    assert (measured.file_frames, measured.file_seconds) == (204, 8.5)


def test_a_source_that_is_to_be_changed_is_not_gone_on_from():
    target = judged("wan/vace-14b", references=(source(),)).target

    assert target is not None
    assert target.source_seconds is None
    assert target.file_frames == target.frames


def test_the_defaults_settle_the_target():
    target = judged("framegate/animatic").target

    assert target is not None
    assert (target.width, target.height, target.fps, target.duration, target.audio) == (1280, 720, 24, 4, False)
    assert (target.resolution, target.aspect_ratio, target.frames) == ("720p", "16:9", 96)


def test_a_choice_that_the_model_does_not_have_is_not_in_the_target():
    target = judged("minimax/s2v-01", references=refs(1)).target

    assert target is not None
    assert (target.resolution, target.aspect_ratio) == (None, None)


@pytest.mark.parametrize(
    ("model", "takes"), [("bytedance/seedance-2.0", True), ("alibaba/wan-2.7", False), ("minimax/hailuo-3", False)]
)
def test_openrouter_is_handed_videos_only_for_a_model_that_it_hands_them_on_to(model: str, takes: bool):
    clip = Reference(url="https://h/c.mp4", kind=Kind.VIDEO)
    request = Request(model=model, prompt="a cat", references=(clip,), routing=Routing(only=("openrouter",)))
    codes = [problem.code for problem in check(request, catalogue=builtin()).problems]
    assert codes == ([] if takes else ["kind_unsupported"])


@pytest.mark.parametrize(
    ("model", "wrong", "first"),
    [
        ("kwaivgi/kling-video-o1", {"duration": 11}, "kwaivgi/kling-video-o3-4k"),  # its vendor's, of a known price
        ("google/veo-3.2", {}, "google/veo-3.1-lite"),  # though no such model is known
        ("x-ai/grok-imagine-video", {"resolution": "1080p", "duration": 4}, "alibaba/wan-2.7"),  # the cheapest
        ("openai/sora-2", {"duration": 8}, "bytedance/seedance-2.0"),  # what it is replaced by
    ],
)
def test_alternatives_are_told_the_likest_first_and_our_own_renderer_last(
    model: str, wrong: dict[str, object], first: str
):
    request = Request(model=model, prompt="A street", **wrong)

    found = check(request, catalogue=builtin(), usable=lambda offer: offer.provider != "vllm_omni").alternatives

    assert (found[0], found[-1]) == (first, "framegate/animatic")
    assert len(set(found)) == len(found)


def test_no_alternative_is_told_that_cannot_be_had_here():
    request = Request(model="google/veo-3.1", prompt="A street", duration=5)

    found = check(request, catalogue=builtin(), usable=lambda offer: offer.provider in ("fal", "animatic")).alternatives

    assert found[-1] == "framegate/animatic"
    assert all({"fal", "animatic"} & {offer.provider for offer in builtin().get(one).offers} for one in found)


@pytest.mark.parametrize(("asked", "said"), [(10**308, "1e308"), (-(10**20), "-1e20"), (61, "61")])
def test_a_number_of_very_many_digits_is_told_in_short(asked: int, said: str):
    (problem,) = judged("framegate/animatic", duration=asked).problems
    assert f"not {said} s." in problem.message
