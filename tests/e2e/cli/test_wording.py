"""What the gate says in the API's words is said on the command line in the words that are typed there."""

from collections.abc import Callable

import pytest

from framegate.cli import console
from framegate.domain import Problem
from support.fake_gateway import CommandResult

Run = Callable[..., CommandResult]


def test_a_provider_that_does_not_have_the_model_is_changed_by_the_flag_that_was_typed(
    run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FAL_KEY", "not-a-real-key")
    ran = run("check", "-m", "google/veo-3.1", "-p", "a cat", "--provider", "vllm_omni")
    assert "Change --provider." in ran.err
    assert "provider.only" not in ran.err


def test_a_model_that_nothing_is_like_is_answered_with_the_command_that_lists_them(run: Run):
    ran = run("check", "-m", "qqqqqqqqqqqq", "-p", "a cat")
    assert ran.err.splitlines()[:2] == [
        'error: model: "qqqqqqqqqqqq" is not a known model.',
        "hint: framegate models lists those that are known.",
    ]


def test_what_a_finished_job_has_to_tell_is_a_note_and_no_warning(capsys: pytest.CaptureFixture[str]):
    console.show_warnings(
        [
            Problem(code="render_note", pointer="", message="fal billed it as 1 of its units."),
            Problem(code="price_unknown", pointer="/model", message="model: no price is known."),
        ]
    )
    assert capsys.readouterr().err.splitlines() == [
        "note: fal billed it as 1 of its units.",
        "warning: model: no price is known.",
    ]
