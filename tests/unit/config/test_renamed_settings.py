"""Former names of settings: they work for one more release, with a warning."""

import logging
from pathlib import Path

import pytest

from framegate.config.loading import RENAMED, load
from framegate.config.settings import Settings, SettingsInvalid
from support.pages import page, rows

VALUES = {  # of each former name: as TOML, as a variable, and as the setting's value
    "budget_unpriced": ("true", "1", True),
    "unanswered_seconds": ("7", "7", 7),
    "queue_jobs_max": ("7", "7", 7),
    "link_seconds": ("77", "77", 77),
    "service_hosts": ("false", "0", False),
    "models_dir": ('"rows"', "rows", Path("rows")),
}


@pytest.mark.parametrize("old", RENAMED)
def test_a_former_name_in_framegate_toml_works_with_one_warning(
    folder: Path, old: str, caplog: pytest.LogCaptureFixture
):
    text, _, value = VALUES[old]
    (folder / "framegate.toml").write_text(f"{old} = {text}")

    assert getattr(load({}), RENAMED[old]) == value
    assert caplog.messages == [
        f"framegate.toml: `{old}` was renamed to `{RENAMED[old]}`; the former name works until version 0.3.0."
    ]
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("old", RENAMED)
def test_a_former_name_in_the_environment_works_with_one_warning(old: str, caplog: pytest.LogCaptureFixture):
    _, text, value = VALUES[old]
    variable, new_variable = f"FRAMEGATE_{old.upper()}", f"FRAMEGATE_{RENAMED[old].upper()}"

    assert getattr(load({variable: text}), RENAMED[old]) == value
    assert caplog.messages == [f"{variable} was renamed to {new_variable}; the former name works until version 0.3.0."]


@pytest.mark.parametrize("old", RENAMED)
@pytest.mark.parametrize("sources", ["file", "environment", "both"])
def test_a_former_and_a_new_name_at_once_are_an_error_that_names_both(
    folder: Path, old: str, sources: str, caplog: pytest.LogCaptureFixture
):
    new, (text, variable, _) = RENAMED[old], VALUES[old]
    environ = {"FRAMEGATE_PORT": "many"}
    if sources == "file":
        (folder / "framegate.toml").write_text(f"{old} = {text}\n{new} = {text}")
    elif sources == "environment":
        environ |= {f"FRAMEGATE_{old.upper()}": variable, f"FRAMEGATE_{new.upper()}": variable}
    else:
        (folder / "framegate.toml").write_text(f"{old} = {text}")
        environ[f"FRAMEGATE_{new.upper()}"] = variable

    with pytest.raises(SettingsInvalid) as fault:
        load(environ)

    assert old in fault.value.message.lower()
    assert new in fault.value.message.lower()
    assert "Remove one of them." in fault.value.message
    assert "FRAMEGATE_PORT: `port` should be a valid integer." in fault.value.message
    assert caplog.messages == []


def test_a_fault_in_a_value_under_a_former_name_is_reported_with_its_source(folder: Path):
    (folder / "framegate.toml").write_text("link_seconds = 1")

    with pytest.raises(SettingsInvalid, match=r"^framegate\.toml: `signed_url_ttl_seconds` should be greater"):
        load({})


def test_a_former_name_is_not_a_field(folder: Path):
    assert not RENAMED.keys() & Settings.model_fields.keys()
    assert set(RENAMED.values()) <= Settings.model_fields.keys()


def test_every_former_name_is_documented():
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows(page("reference/settings.md")) if len(row) == 2}

    assert RENAMED.items() <= documented.items()
