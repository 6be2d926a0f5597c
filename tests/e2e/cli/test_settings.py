"""How `framegate` reports settings that are not valid or have no effect."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.fake_gateway import CommandResult

Run = Callable[..., CommandResult]


def test_doctor_reports_invalid_settings_and_variables_without_effect(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    (folder / "framegate.toml").write_text('[model_deadline_seconds]\n"google/veo-9" = 60')
    monkeypatch.setenv("FRAMEGATE_PROT", "SECRET")
    result = run("doctor")

    assert result.code == 1
    assert (
        "fail  models        Setting `model_deadline_seconds`: 'google/veo-9' is not the id of a model." in result.out
    )
    assert (
        "warn  variable      FRAMEGATE_PROT has no effect: unknown setting; did you mean FRAMEGATE_PORT?" in result.out
    )
    assert "SECRET" not in result.out


def test_a_former_name_of_a_setting_is_a_warning_on_stderr(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "rows").mkdir()
    monkeypatch.setenv("FRAMEGATE_MODELS_DIR", "rows")
    result = run("doctor")

    assert result.code == 0
    [line] = result.err.splitlines()
    assert line.startswith("warning: FRAMEGATE_MODELS_DIR was renamed to FRAMEGATE_CATALOGUE_DIR; the former name ")
    assert "FRAMEGATE_MODELS_DIR" not in result.out
