"""Load the settings: command line over environment over framegate.toml over defaults."""

import difflib
import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from framegate.config.accounts import KEY_VARIABLES, KEYLESS_PROVIDERS, Account, WebhookEndpoint
from framegate.config.environment import API_KEY_PATTERN
from framegate.config.settings import TABLES, Settings, SettingsInvalid

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "FRAMEGATE_"
OTHER_VARIABLES = frozenset({"FRAMEGATE_URL", "FRAMEGATE_CONFIG"})  # of the clients, and of the file itself
RENAMED = {  # old name: new name; the old ones work until 0.3.0
    "budget_unpriced": "allow_unpriced_jobs",
    "unanswered_seconds": "duplicate_create_window_seconds",
    "queue_jobs_max": "open_jobs_max",
    "link_seconds": "signed_url_ttl_seconds",
    "service_hosts": "vendor_hostnames",
    "models_dir": "catalogue_dir",
}
_log = logging.getLogger(__name__)


def load(environ: Mapping[str, str] | None = None, *, file: Path | None = None, **overrides: object) -> Settings:
    """Load the settings. Raises `SettingsInvalid` with every fault: where it is, which setting, and what is allowed."""
    environ = os.environ if environ is None else environ
    path = file or Path(environ.get("FRAMEGATE_CONFIG") or "framegate.toml")
    is_required = bool(file or environ.get("FRAMEGATE_CONFIG"))
    file_values = _read_file(path, is_required=is_required)
    variable_values = _read_variables(environ)
    values = {**file_values, **variable_values}
    origins = {name: str(path) for name in file_values} | {name: variable_name(name) for name in variable_values}
    faults = _use_new_names(values, origins)
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults += [_fault(detail, origins) for detail in details]
        raise SettingsInvalid(" ".join(faults)) from error
    if faults:
        raise SettingsInvalid(" ".join(faults))
    return settings.model_copy(update={"accounts": tuple(_accounts(settings, environ))})


def sources(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each setting that is not a default comes from: a file, or a variable. Raises `SettingsInvalid`."""
    environ = os.environ if environ is None else environ
    path = Path(environ.get("FRAMEGATE_CONFIG") or "framegate.toml")
    of_file = _read_file(path, is_required="FRAMEGATE_CONFIG" in environ)
    found = {RENAMED.get(name, name): str(path) for name in of_file}
    found |= {RENAMED.get(name, name): variable_name(name) for name in _read_variables(environ)}
    keys = [variable for variable in KEY_VARIABLES.values() if environ.get(variable)]
    if keys:
        found["accounts"] = ", ".join([*([found["accounts"]] if "accounts" in found else []), *keys])
    return found


def sandbox_variable(environ: Mapping[str, str] | None = None) -> bool:
    """Whether FRAMEGATE_SANDBOX asks for a sandbox. Raises `SettingsInvalid`."""
    text = (os.environ if environ is None else environ).get(variable_name("sandbox"))
    try:
        return bool(text) and TypeAdapter(bool).validate_python(text)
    except ValidationError as error:
        raise SettingsInvalid(f"{variable_name('sandbox')} should be a valid boolean, such as 1 or 0.") from error


def variable_name(setting: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{setting.upper()}"


def _read_file(path: Path, *, is_required: bool) -> dict[str, Any]:
    if not path.is_file():
        if is_required:
            raise SettingsInvalid(f"Settings file not found: {path}")
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path}: invalid TOML: {error}") from error


def _read_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    names = (Settings.model_fields.keys() | RENAMED.keys()) - TABLES
    texts = {name: text for name in names if (text := environ.get(variable_name(name)))}
    return {
        name: tuple(filter(None, text.split(","))) if name.startswith("allowed_") else text
        for name, text in texts.items()
    }


def _use_new_names(values: dict[str, Any], origins: dict[str, str]) -> list[str]:
    """Move each value under an old name to the new name, with a warning. Both names at once are a fault."""
    faults: list[str] = []
    for old, new in RENAMED.items():
        if old not in values:
            continue
        value, origin = values.pop(old), origins.pop(old)
        is_variable = origin == variable_name(old)
        old_name = origin if is_variable else f"{origin}: `{old}`"
        new_name = variable_name(new) if is_variable else f"`{new}`"
        if new in values:
            faults.append(
                f"{old_name} is the former name of {new_name}, which {origins[new]} sets too. Remove one of them."
            )
        else:
            values[new], origins[new] = value, origin
            _log.warning("%s was renamed to %s; the former name works until version 0.3.0.", old_name, new_name)
    return faults


def _fault(error: "ErrorDetails", origins: Mapping[str, str]) -> str:
    """One fault as a sentence: where it is, which setting, and what is allowed. Never the value."""
    path = list(error["loc"])
    top, last = str(path[0]), str(path[-1])
    row = f"`[[{top}]]` entry {int(path[1]) + 1}" if len(path) > 1 and isinstance(path[1], int) else ""
    table = row or (f"`[{top}]`" if len(path) > 1 else "")
    setting = table if row and len(path) == 2 else f"`{last}`" + (f" of {table}" if table else "")
    origin = f"{origins[top]}: " if top in origins else ""
    rule = error["msg"].removeprefix("Value error, ").partition(", unable to parse")[0].removeprefix("Input ")
    match error["type"]:
        case "extra_forbidden":
            row_models = {"accounts": Account, "webhook_endpoints": WebhookEndpoint}
            similar = difflib.get_close_matches(last, (row_models[top] if row else Settings).model_fields, n=1)
            return f"{origin}unknown setting {setting}." + (f" Did you mean `{similar[0]}`?" if similar else "")
        case "missing":
            return f"{origin}{setting} is missing."
        case "tuple_type" if top in TABLES:
            return f"{origin}{setting} must be written as `[[{top}]]`, with two brackets, once per entry."
        case "tuple_type":
            return f'{origin}{setting} should be a list, such as ["a.example", "b.example"].'
        case _:
            return f"{origin}{setting} {rule}."


def _accounts(settings: Settings, environ: Mapping[str, str]) -> list[Account]:
    """The accounts of framegate.toml with their keys filled in, and those that only the environment describes."""
    accounts: list[Account] = []
    for account in settings.accounts:
        key = (environ.get(account.api_key_env) if account.api_key_env else account.api_key) or None
        if key is None and (account.api_key_env or account.provider in KEY_VARIABLES.keys() - KEYLESS_PROVIDERS):
            reason = f"{account.api_key_env} is not set" if account.api_key_env else "set api_key or api_key_env"
            raise SettingsInvalid(f"Account {account.label} has no key: {reason}.")
        accounts.append(account.model_copy(update={"api_key": key}))
    accounts += _accounts_of_variables(environ, {account.provider for account in accounts})
    labels: set[str] = set()
    for account in accounts:
        if account.api_key is not None and not API_KEY_PATTERN.fullmatch(account.api_key):
            raise SettingsInvalid(
                f"The key of account {account.label} contains a space, a line break or a non-ASCII character."
            )
        if account.label in labels:
            raise SettingsInvalid(f"Two accounts are called {account.label}. Set a different `name` for each.")
        labels.add(account.label)
    return accounts


def _accounts_of_variables(environ: Mapping[str, str], configured: set[str]) -> Iterator[Account]:
    for provider, variable in KEY_VARIABLES.items():
        key, url = environ.get(variable) or None, environ.get(base_url_variable(provider)) or None
        if provider in configured or not (key or (url and provider in KEYLESS_PROVIDERS)):
            continue
        try:
            yield Account(provider=provider, api_key=key, base_url=url)
        except ValidationError as error:  # of the address only: the key is checked later
            rule = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise SettingsInvalid(f"{base_url_variable(provider)} {rule}.") from error


def base_url_variable(provider: str) -> str:
    """The environment variable of a provider's address."""
    return f"{PREFIX}{provider.upper()}_BASE_URL"


def unused_variables(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that look like settings and have no effect, each with the reason; never their values."""
    known = {variable_name(name) for name in Settings.model_fields.keys() - TABLES} | OTHER_VARIABLES
    for provider, variable in KEY_VARIABLES.items():
        accounts = [account for account in settings.accounts if account.provider == provider]
        key, url = environ.get(variable), environ.get(base_url_variable(provider))
        if key and key not in [account.api_key for account in accounts]:
            yield variable, f"the {provider} accounts in framegate.toml have their own keys"
        if url and url not in [account.base_url for account in accounts]:
            yield (
                base_url_variable(provider),
                f"framegate.toml sets the address of {provider}"
                if accounts
                else f"{variable} is not set, so there is no account",
            )
        known.add(base_url_variable(provider))
    former = {variable_name(name) for name in RENAMED}
    for name in sorted(name for name in environ if name.startswith(PREFIX) and name not in known | former):
        similar = difflib.get_close_matches(name, known, n=1)
        yield name, "unknown setting" + (f"; did you mean {similar[0]}?" if similar else "")
