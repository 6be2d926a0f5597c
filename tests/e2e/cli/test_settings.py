"""What is said of settings that cannot be used, or that set nothing: where, which, and what would do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from framegate.config.settings import SettingsInvalid, idle_variables, load
from support.fake_gateway import Ran

Run = Callable[..., Ran]

FAL = '[[accounts]]\nprovider = "fal"\n'
ROW = "`[[accounts]]` number 1"
ADDRESS = "an address such as https://gate.example or http://10.0.0.5:8091/v1 is taken"
FAULTS = {
    "job_deadline_second = 5": "there is no setting `job_deadline_second`. Did you mean `job_deadline_seconds`?",
    'port = "many"': "`port` should be a valid integer.",
    'port = "many"\nhost = 5': "`port` should be a valid integer.",
    '[[account]]\nprovider = "fal"': "there is no setting `account`. Did you mean `accounts`?",
    '[accounts]\nprovider = "fal"': "`accounts` is written as `[[accounts]]`, with two brackets, once for each.",
    'allowed_hosts = "a.example"': '`allowed_hosts` should be a list, such as ["one.example", "two.example"].',
    f'{FAL}apikey = "SECRET"': f"there is no setting `apikey` of {ROW}. Did you mean `api_key`?",
    '[[accounts]]\nname = "a"': f"`provider` of {ROW} is missing.",
    '[[accounts]]\nprovider = "Fal"': f"`provider` of {ROW}: there is no provider 'Fal'; there are openrouter",
    f'{FAL}name = "Studio One"': f"`name` of {ROW}: 1 to 32 small letters, digits, `-` and `_` are taken",
    f"{FAL}api_key = 123456": f"`api_key` of {ROW} should be a valid string.",
    f'{FAL}api_key = "SECRET"\napi_key_env = "KEY"': f"{ROW}: it has both api_key and api_key_env; leave one",
    f'{FAL}base_url = "queue.fal.run"': f"`base_url` of {ROW}: {ADDRESS}.",
    f'{FAL}base_url = "https://"': f"`base_url` of {ROW}: {ADDRESS}.",
    f'{FAL}base_url = "http://127.0.0.1:99999"': f"`base_url` of {ROW}: {ADDRESS}.",
    f'{FAL}base_url = "https://a b/"': f"`base_url` of {ROW}: {ADDRESS}.",
    f'{FAL}base_url = "https://me:SECRET@a/"': f"{ADDRESS}, without a user, a password, `?` and `#`.",
    f'{FAL}base_url = "https://a/?key=SECRET"': f"{ADDRESS}, without a user, a password, `?` and `#`.",
    'public_url = "me.example"': f"`public_url`: {ADDRESS}.",
    'database_url = "mysql://me:SECRET@h/d"': "`database_url`: a URL that begins with postgresql+asyncpg:// or",
    '[model_deadline_seconds]\n"google/veo-3.1" = "soon"': "`google/veo-3.1` of `[model_deadline_seconds]` should be",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_in_framegate_toml_is_told_with_its_place_its_rule_and_no_secret(folder: Path, text: str):
    (folder / "framegate.toml").write_text(text)

    with pytest.raises(SettingsInvalid) as fault:
        load({})

    assert FAULTS[text] in fault.value.message
    assert fault.value.message.startswith("framegate.toml: ")
    assert "SECRET" not in fault.value.message
    assert "Input" not in fault.value.message
    assert "Value error" not in fault.value.message


def test_every_fault_is_told_at_once_each_where_it_was_written(folder: Path):
    (folder / "framegate.toml").write_text("hots = 1\nport = 1")

    with pytest.raises(SettingsInvalid) as fault:
        load({"FRAMEGATE_PORT": "many"})

    assert "FRAMEGATE_PORT: `port` should be a valid integer." in fault.value.message
    assert "framegate.toml: there is no setting `hots`. Did you mean `host`?" in fault.value.message


KEYS = {
    f'{FAL}api_key_env = "NO"': "The account `default` at fal has no key: NO is not set.",
    f'{FAL}api_key = ""': "The account `default` at fal has no key: it has no api_key or api_key_env.",
    '[[accounts]]\nprovider = "sglang"\napi_key_env = "NO"': "The account `default` at sglang has no key: NO is not",
}


@pytest.mark.parametrize("text", KEYS)
def test_an_account_whose_key_is_not_there_is_told_with_the_variable_that_lacks(folder: Path, text: str):
    (folder / "framegate.toml").write_text(text)

    with pytest.raises(SettingsInvalid) as fault:
        load({"NO": ""})

    assert KEYS[text] in fault.value.message


def test_a_bad_address_in_a_variable_is_told_by_the_variables_name():
    with pytest.raises(SettingsInvalid, match=r"^FRAMEGATE_FAL_BASE_URL: an address such as"):
        load({"FAL_KEY": "k", "FRAMEGATE_FAL_BASE_URL": "queue.fal.run"})


def test_a_driver_that_is_not_installed_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch):
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", nothing)

    with pytest.raises(SettingsInvalid, match=r"pip install 'framegate\[postgres\]'") as fault:
        load({"FRAMEGATE_DATABASE_URL": "postgresql+asyncpg://me:SECRET@h/d"})
    assert "SECRET" not in fault.value.message


def test_the_doctor_finds_what_the_gate_would_not_start_with_and_what_sets_nothing(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    (folder / "framegate.toml").write_text('[model_deadline_seconds]\n"google/veo-9" = 60')
    monkeypatch.setenv("FRAMEGATE_PROT", "SECRET")
    ran = run("doctor")

    assert ran.code == 1
    assert "fail  models        Setting `model_deadline_seconds`: 'google/veo-9' is not the id of a model." in ran.out
    assert "warn  variable      FRAMEGATE_PROT sets nothing: there is no such setting; did you mean" in ran.out
    assert "SECRET" not in ran.out


def test_a_variable_that_sets_nothing_is_told_with_the_reason_and_never_its_value(folder: Path):
    (folder / "framegate.toml").write_text(f'{FAL}api_key = "other"')
    environ = {
        "FAL_KEY": "SECRET",
        "FRAMEGATE_PHASEO_BASE_URL": "https://SECRET.example",
        "FRAMEGATE_PROT": "SECRET",
        "FRAMEGATE_PORT": "1",
        "FRAMEGATE_URL": "http://127.0.0.1:1",
        "OPENROUTER_API_KEY": "used",
    }

    assert dict(idle_variables(load(environ), environ)) == {
        "FAL_KEY": "the accounts at fal in framegate.toml have keys of their own",
        "FRAMEGATE_PHASEO_BASE_URL": "there is no PHASEO_API_KEY, so no account",
        "FRAMEGATE_PROT": "there is no such setting; did you mean FRAMEGATE_PORT?",
    }
