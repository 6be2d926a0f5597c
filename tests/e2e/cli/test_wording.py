"""Messages of the API are shown with the flags of the command line."""

from collections.abc import Callable

import pytest

from framegate.cli import console
from framegate.domain import Problem
from support.fake_gateway import CommandResult

Run = Callable[..., CommandResult]


def test_a_provider_without_the_model_is_reported_with_its_flag(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAL_KEY", "not-a-real-key")
    result = run("check", "-m", "google/veo-3.1", "-p", "a cat", "--provider", "vllm_omni")
    assert "Change --provider." in result.err
    assert "provider.only" not in result.err


def test_an_unknown_model_is_reported_with_the_command_that_lists_models(run: Run):
    result = run("check", "-m", "qqqqqqqqqqqq", "-p", "a cat")
    assert result.err.splitlines()[:2] == [
        'error: model: "qqqqqqqqqqqq" is not a known model.',
        "hint: list all models with: framegate models",
    ]


def test_a_message_of_a_finished_job_is_a_note_not_a_warning(capsys: pytest.CaptureFixture[str]):
    console.show_warnings(
        [
            Problem(code="render_note", pointer="", message="Billable units at fal: 1."),
            Problem(code="price_unknown", pointer="/model", message="model: no price is known."),
        ]
    )
    assert capsys.readouterr().err.splitlines() == [
        "note: Billable units at fal: 1.",
        "warning: model: no price is known.",
    ]
