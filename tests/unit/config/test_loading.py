"""Messages about settings that are not valid: where the fault is, which setting, and what is allowed."""

from pathlib import Path

import pytest

from framegate.config.loading import load, unused_variables
from framegate.config.settings import SettingsInvalid

FAL = '[[accounts]]\nprovider = "fal"\n'
ROW = "`[[accounts]]` entry 1"
ADDRESS = "must be an address such as https://gateway.example or http://10.0.0.5:8091/v1"
FAULTS = {
    "job_deadline_second = 5": "unknown setting `job_deadline_second`. Did you mean `job_deadline_seconds`?",
    'port = "many"': "`port` should be a valid integer.",
    'port = "many"\nhost = 5': "`port` should be a valid integer.",
    '[[account]]\nprovider = "fal"': "unknown setting `account`. Did you mean `accounts`?",
    '[accounts]\nprovider = "fal"': "`accounts` must be written as `[[accounts]]`, with two brackets, once per entry.",
    'allowed_hosts = "a.example"': '`allowed_hosts` should be a list, such as ["a.example", "b.example"].',
    f'{FAL}apikey = "SECRET"': f"unknown setting `apikey` of {ROW}. Did you mean `api_key`?",
    '[[accounts]]\nname = "a"': f"`provider` of {ROW} is missing.",
    '[[accounts]]\nprovider = "Fal"': f"`provider` of {ROW} must be one of openrouter, ",
    f'{FAL}name = "Studio One"': f"`name` of {ROW} must be 1 to 32 lower-case letters, digits, `-` and `_`,",
    f"{FAL}api_key = 123456": f"`api_key` of {ROW} should be a valid string.",
    f'{FAL}api_key = "SECRET"\napi_key_env = "KEY"': f"{ROW} has both api_key and api_key_env; remove one of them.",
    f'{FAL}base_url = "queue.fal.run"': f"`base_url` of {ROW} {ADDRESS}.",
    f'{FAL}base_url = "https://"': f"`base_url` of {ROW} {ADDRESS}.",
    f'{FAL}base_url = "http://127.0.0.1:99999"': f"`base_url` of {ROW} {ADDRESS}.",
    f'{FAL}base_url = "https://a b/"': f"`base_url` of {ROW} {ADDRESS}.",
    f'{FAL}base_url = "https://me:SECRET@a/"': f"{ADDRESS}, without a user, a password, `?` and `#`.",
    f'{FAL}base_url = "https://a/?key=SECRET"': f"{ADDRESS}, without a user, a password, `?` and `#`.",
    'public_url = "me.example"': f"`public_url` {ADDRESS}.",
    'database_url = "mysql://me:SECRET@h/d"': "`database_url` must begin with postgresql+asyncpg:// or",
    '[model_deadline_seconds]\n"google/veo-3.1" = "soon"': "`google/veo-3.1` of `[model_deadline_seconds]` should be",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_in_framegate_toml_is_reported_with_its_place_and_rule_and_without_secrets(folder: Path, text: str):
    (folder / "framegate.toml").write_text(text)

    with pytest.raises(SettingsInvalid) as fault:
        load({})

    assert FAULTS[text] in fault.value.message
    assert fault.value.message.startswith("framegate.toml: ")
    assert "SECRET" not in fault.value.message
    assert "Input" not in fault.value.message
    assert "Value error" not in fault.value.message


def test_all_faults_are_reported_at_once_each_with_its_source(folder: Path):
    (folder / "framegate.toml").write_text("hots = 1\nport = 1")

    with pytest.raises(SettingsInvalid) as fault:
        load({"FRAMEGATE_PORT": "many"})

    assert "FRAMEGATE_PORT: `port` should be a valid integer." in fault.value.message
    assert "framegate.toml: unknown setting `hots`. Did you mean `host`?" in fault.value.message


KEYS = {
    f'{FAL}api_key_env = "NO"': "Account fal/default has no key: NO is not set.",
    f'{FAL}api_key = ""': "Account fal/default has no key: set api_key or api_key_env.",
    '[[accounts]]\nprovider = "sglang"\napi_key_env = "NO"': "Account sglang/default has no key: NO is not set.",
}


@pytest.mark.parametrize("text", KEYS)
def test_an_account_without_a_key_is_reported_with_the_missing_variable(folder: Path, text: str):
    (folder / "framegate.toml").write_text(text)

    with pytest.raises(SettingsInvalid) as fault:
        load({"NO": ""})

    assert KEYS[text] in fault.value.message


def test_two_accounts_of_one_name_are_rejected(folder: Path):
    (folder / "framegate.toml").write_text(f'{FAL}api_key = "a"\n{FAL}api_key = "b"')

    with pytest.raises(SettingsInvalid, match=r"Two accounts are called fal/default\."):
        load({})


def test_a_bad_address_in_a_variable_is_reported_with_the_name_of_the_variable():
    with pytest.raises(SettingsInvalid, match=r"^FRAMEGATE_FAL_BASE_URL must be an address such as"):
        load({"FAL_KEY": "k", "FRAMEGATE_FAL_BASE_URL": "queue.fal.run"})


def test_a_driver_that_is_not_installed_is_reported_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
):
    def not_installed(_: str) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", not_installed)

    with pytest.raises(SettingsInvalid, match=r"pip install '\.\[postgres\]' in a checkout") as fault:
        load({"FRAMEGATE_DATABASE_URL": "postgresql+asyncpg://me:SECRET@h/d"})
    assert "SECRET" not in fault.value.message


def test_the_command_line_wins_over_the_environment_and_the_environment_over_the_file(folder: Path):
    (folder / "framegate.toml").write_text('host = "file"\nport = 1\nopen_jobs_max = 1')
    settings = load({"FRAMEGATE_PORT": "2", "FRAMEGATE_HOST": "environment"}, host="flag", port=None)

    assert (settings.host, settings.port, settings.open_jobs_max) == ("flag", 2, 1)


def test_a_list_in_a_variable_is_separated_by_commas():
    assert load({"FRAMEGATE_ALLOWED_HOSTS": "a.example,,b.example"}).allowed_hosts == ("a.example", "b.example")


def test_an_empty_variable_is_not_set():
    assert load({"FRAMEGATE_PORT": "", "FRAMEGATE_CONFIG": ""}) == load({})


@pytest.mark.parametrize("text", ["port = = 1", "port = 1\nport = 2", b"\xff"])
def test_a_file_that_is_not_toml_is_reported_with_its_path(folder: Path, text: str | bytes):
    (folder / "mine.toml").write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(SettingsInvalid, match=r"^mine\.toml: invalid TOML: "):
        load({"FRAMEGATE_CONFIG": "mine.toml"})


def test_a_named_file_that_does_not_exist_is_reported_with_its_path():
    with pytest.raises(SettingsInvalid, match=r"^Settings file not found: mine\.toml$"):
        load({"FRAMEGATE_CONFIG": "mine.toml"})


def test_a_variable_without_effect_is_reported_with_the_reason_and_without_its_value(folder: Path):
    (folder / "framegate.toml").write_text(f'{FAL}api_key = "other"')
    environ = {
        "FAL_KEY": "SECRET",
        "FRAMEGATE_PHASEO_BASE_URL": "https://SECRET.example",
        "FRAMEGATE_PROT": "SECRET",
        "FRAMEGATE_PORT": "1",
        "FRAMEGATE_URL": "http://127.0.0.1:1",
        "FRAMEGATE_LINK_SECONDS": "60",
        "OPENROUTER_API_KEY": "used",
    }

    assert dict(unused_variables(load(environ), environ)) == {
        "FAL_KEY": "the fal accounts in framegate.toml have their own keys",
        "FRAMEGATE_PHASEO_BASE_URL": "PHASEO_API_KEY is not set, so there is no account",
        "FRAMEGATE_PROT": "unknown setting; did you mean FRAMEGATE_PORT?",
    }
