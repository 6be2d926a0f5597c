"""The preview of an animatic: shots and warnings before anything is rendered."""

from typing import Any

import pytest

from framegate.domain import Kind, Preflight, Reference, Request, Role, Target
from framegate.providers.animatic.adapter import Animatic, Sandbox
from framegate.providers.animatic.preflight import preflight_of

TARGET: dict[str, Any] = {"width": 640, "height": 360, "fps": 24, "duration": 4, "audio": False, "seed": None}


def preview_of(prompt: str | None, *references: Reference, **target: Any) -> Preflight:
    request = Request(model="framegate/animatic", prompt=prompt, references=references)
    return preflight_of(request, Target(**TARGET | target))


def test_the_preview_lists_shots_with_time_and_description():
    preview = preview_of("hold on @b for one second, then push in", Reference(url="a"), Reference(url="b", name="b"))

    assert [(shot["start"], shot["end"], shot["words"]) for shot in preview.shots] == [
        (0.0, 1.15, "hold on reference 2 (@b)"),
        (0.85, 4.0, "push-in on reference 1"),
    ]
    assert preview.problems == preview.warnings == ()


def test_each_unsupported_request_of_the_prompt_is_a_warning():
    preview = preview_of("dolly zoom while she turns her head", Reference(url="a"))

    assert [(warning.code, warning.pointer) for warning in preview.warnings] == [("prompt_not_made", "/prompt")] * 2
    assert preview.warnings[0].message == "prompt: not supported by the animatic renderer: a dolly zoom."


def test_too_many_pictures_for_the_duration_are_a_problem_with_the_possible_number():
    (problem,) = preview_of("", *(Reference(url=str(number)) for number in range(6)), duration=1).problems

    assert (problem.code, problem.pointer, problem.nearest) == ("too_many_references", "/input_references", 4)
    assert problem.allowed == {"min": 0, "max": 4}
    assert "at least 1.5 s" in problem.message


def test_too_many_moves_for_the_duration_are_a_problem_of_the_prompt():
    (problem,) = preview_of("push in, then pan left, then right, then tilt up, then hold", duration=1).problems

    assert (problem.code, problem.pointer, problem.nearest) == ("too_many_shots", "/prompt", 4)


def test_only_visible_pictures_count_as_shots():
    preview = preview_of(
        "",
        Reference(url="first", role=Role.FIRST_FRAME),
        Reference(url="a"),
        Reference(url="style", reference_type="style"),
        Reference(url="v", kind=Kind.VIDEO, role=Role.SOURCE),
        source_seconds=0.0,
    )

    assert [shot["role"] for shot in preview.shots] == ["source", "first_frame", "reference"]


@pytest.mark.parametrize("provider", [Animatic, Sandbox])
def test_the_sandbox_has_no_preview_of_other_models(provider: type[Animatic]):
    preview = provider.preflight(object.__new__(provider), Request(model="m"), Target(**TARGET))

    assert (preview is None) == (provider is Sandbox)
