"""The only reader of the environment and of framegate.toml."""

import difflib
import importlib.util
import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from framegate.domain.errors import FramegateError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "FRAMEGATE_"
TABLES = frozenset({"accounts", "webhook_endpoints", "model_deadline_seconds"})  # written in framegate.toml alone


class SettingsInvalid(FramegateError):
    """The settings cannot be used."""

    code = "settings_invalid"


def default_data_dir() -> Path:
    """The user's own data folder for Framegate."""
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed when a folder is given

    return user_data_path("framegate", appauthor=False)


# The vendors' own names for their keys, each with the provider that it belongs to.
KEY_VARIABLES = {
    "openrouter": "OPENROUTER_API_KEY",
    "modelgates": "MODELGATES_API_KEY",
    "phaseo": "PHASEO_API_KEY",
    "pictory": "PICTORY_API_KEY",
    "fal": "FAL_KEY",
    "vllm_omni": "VLLM_OMNI_API_KEY",
    "sglang": "SGLANG_API_KEY",
}
KEY = re.compile(r"[!-~]+")  # what may stand in a header as it is
KEYLESS = ("vllm_omni", "sglang")  # servers of one's own: an address is enough
OTHER_VARIABLES = frozenset({"FRAMEGATE_URL", "FRAMEGATE_CONFIG"})  # of the clients, and of the file itself
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def _account_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError("1 to 32 small letters, digits, `-` and `_` are taken, the first a letter or a digit")
    return text


def _address(text: str) -> str:
    """A base URL that says where, and nothing else; a key in it would be shown wherever the address is."""
    rule = "an address such as https://gate.example or http://10.0.0.5:8091/v1 is taken"
    try:
        parts = urlsplit(text)
        there = parts.hostname and parts.port != 0 and text.startswith(("https://", "http://"))
    except ValueError as error:
        raise ValueError(rule) from error
    if not there or re.search(r"\s", text):
        raise ValueError(rule)
    if parts.username is not None or "?" in text or "#" in text:
        raise ValueError(f"{rule}, without a user, a password, `?` and `#`")
    return text


AccountName = Annotated[str, AfterValidator(_account_name)]
Address = Annotated[str, AfterValidator(_address)]


class Account(BaseModel):
    """One account at one service, or one server of one's own.

    In framegate.toml a table of `[[accounts]]`, with the key itself (`api_key`) or the variable that holds it
    (`api_key_env`). From the environment by the vendors' own names, such as FAL_KEY, under the account name `default`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(description="Which service: " + ", ".join(KEY_VARIABLES) + ".")
    name: AccountName = Field(default="default", description="How the account is called here; jobs remember it.")
    api_key: str | None = Field(default=None, repr=False, description="The key.")
    api_key_env: str | None = Field(default=None, description="The environment variable that holds the key.")
    base_url: Address | None = Field(default=None, description="Another address than the service's own; it is trusted.")
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = Field(default=None, description="Orders at once.")
    requests_per_minute: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Orders begun in a minute."
    )

    @field_validator("provider")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in KEY_VARIABLES:
            raise ValueError(f"there is no provider {name!r}; there are {', '.join(KEY_VARIABLES)}")
        return name

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.api_key is not None and self.api_key_env is not None:
            raise ValueError("it has both api_key and api_key_env; leave one of them out")
        return self


class WebhookEndpoint(BaseModel):
    """One receiver of webhooks that clients name by its id, as Phaseo's do. A table of `[[webhook_endpoints]]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(description="What clients name it by: we_….")
    url: Annotated[str, Field(pattern=r"^https?://")] = Field(description="Where it is called.")
    events: tuple[str, ...] | None = Field(default=None, description="What it is told, if the client does not say.")
    secret: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, repr=False, description="What signs its calls; else the secret of the job's owner."
    )


class Settings(BaseModel):
    """Everything that an operator can set.

    Each field is read from `FRAMEGATE_` and its name in capitals, then from the same name in framegate.toml, then
    from the default here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(
        default_factory=default_data_dir, description="Folder of the database, the files and the lock."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8787, description="Port to listen on; 0 takes a free one.")
    public_url: Address | None = Field(
        None, description="Base URL by which clients reach the gate, if not by the Host header."
    )
    database_url: str | None = Field(
        None,
        description="SQLAlchemy URL; SQLite in the data folder when empty. postgresql+asyncpg://… is taken too.",
    )
    api_key: str | None = Field(
        None,
        repr=False,
        description="The operator's own key. Without it and `framegate keys`: loopback only, open.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Host names by which the gate may be called besides its own address."
    )
    allowed_origins: tuple[str, ...] = Field((), description="Web origins whose pages may call the gate.")
    vendor_hostnames: bool = Field(
        default=True,
        description="With a key: called by a service's own host name (api.phaseo.app), speak that service's API there.",
    )
    sandbox: bool = Field(
        default=False, description="Every model answers by its own limits; our renderer makes the file."
    )
    duplicate_create_window_seconds: Annotated[int, Field(ge=0)] = Field(
        600, description="How long a create whose answer never left belongs to the next identical one; 0 never."
    )
    render_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) // 2),
        description="Renders at once, each in its own process.",
    )
    allow_unpriced_jobs: bool = Field(
        default=False,
        description="Let a key with a budget place jobs for which no price is known; they count as nothing.",
    )
    pictory_usd_per_credit: Annotated[Decimal, Field(gt=0, le=1000, max_digits=12)] | None = Field(
        None, description="What an AI credit costs on your plan at Pictory; without it, its prices are unknown."
    )
    job_deadline_seconds: Annotated[int, Field(ge=1)] = Field(
        3600, description="A job that has not ended by then is expired."
    )
    model_deadline_seconds: Mapping[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict[str, int],
        description="The same for single models, as a table of `[model_deadline_seconds]` in framegate.toml.",
    )
    open_jobs_max: Annotated[int, Field(ge=1)] = Field(
        10_000, description="Unfinished jobs at once; more are answered 429."
    )
    body_bytes_max: Annotated[int, Field(ge=1024)] = Field(
        32 * 2**20, description="Largest JSON body, data URLs included."
    )
    reference_bytes_max: Annotated[int, Field(ge=1024)] = Field(50 * 2**20, description="Largest reference picture.")
    reference_pixels_max: Annotated[int, Field(ge=1)] = Field(
        100_000_000, description="Most pixels in a reference picture."
    )
    video_bytes_max: Annotated[int, Field(ge=1024)] = Field(
        2 * 2**30, description="Largest video, fetched or uploaded."
    )
    fetch_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Longest time to fetch one reference."
    )
    download_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        900.0, description="Longest time to fetch a finished video from its provider."
    )
    fetch_redirects_max: Annotated[int, Field(ge=0, le=20)] = Field(
        5, description="Redirects followed for one reference."
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Let references come from private and loopback addresses, and webhooks go there, by http too.",
    )
    accounts: tuple[Account, ...] = Field((), description="Accounts at services, as `[[accounts]]` in framegate.toml.")
    webhook_endpoints: tuple[WebhookEndpoint, ...] = Field(
        (), description="Receivers that clients name by id, as `[[webhook_endpoints]]` in framegate.toml."
    )
    catalogue_dir: Path | None = Field(
        None, description="Folder of TOML files with rows of the catalogue of your own: models, or other prices."
    )
    quality_model_dir: Path | None = Field(
        default=None,
        description="Folder of a DINOv2 or CLIP model by which references are looked for too; nothing is downloaded.",
    )
    signed_url_ttl_seconds: Annotated[int, Field(ge=60)] = Field(
        24 * 3600, description="How long a signed link to a file works."
    )

    @field_validator("database_url")
    @classmethod
    def _has_a_driver(cls, url: str | None) -> str | None:
        scheme = (url or "").partition("://")[0]
        if url and scheme not in ("sqlite+aiosqlite", "postgresql+asyncpg"):  # the URL itself may hold a password
            raise ValueError("a URL that begins with postgresql+asyncpg:// or sqlite+aiosqlite:// is taken")
        if scheme == "postgresql+asyncpg" and not importlib.util.find_spec("asyncpg"):
            raise ValueError("PostgreSQL needs asyncpg, which is not installed here: pip install 'framegate[postgres]'")
        return url

    def deadline_seconds(self, model: str) -> int:
        """How long a job of a model may take, by the model's canonical id."""
        return self.model_deadline_seconds.get(model, self.job_deadline_seconds)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_protected(settings: Settings, *, needs_key: bool) -> None:
    """Refuse to listen for other machines without a key. Raises `SettingsInvalid`."""
    if not needs_key and not is_loopback(settings.host):
        raise SettingsInvalid(
            f"Without a key the gate listens on loopback only, and {settings.host} is not. "
            "Make a key first: framegate keys create"
        )


def environment() -> Mapping[str, str]:
    """The process's environment, for those few who hand it on to a child or look for a switch such as NO_COLOR."""
    return os.environ


def load(environ: Mapping[str, str] | None = None, *, file: Path | None = None, **overrides: object) -> Settings:
    """Read the settings: command line over environment over framegate.toml over defaults.

    Raises `SettingsInvalid`, which names the setting, the value's fault and where it came from.
    """
    environ = os.environ if environ is None else environ
    path = file or (Path(environ["FRAMEGATE_CONFIG"]) if environ.get("FRAMEGATE_CONFIG") else Path("framegate.toml"))
    values: dict[str, Any] = {}
    if path.is_file():
        try:
            values |= tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsInvalid(f"{path} is not TOML: {error}") from error
    elif file or environ.get("FRAMEGATE_CONFIG"):
        raise SettingsInvalid(f"There is no settings file at {path}.")
    origins = dict.fromkeys(values, str(path))
    for name in Settings.model_fields.keys() - TABLES:
        text = environ.get(f"{PREFIX}{name.upper()}")
        if text:
            values[name] = tuple(filter(None, text.split(","))) if name.startswith("allowed_") else text
            origins[name] = f"{PREFIX}{name.upper()}"
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**{**values, **given})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise SettingsInvalid(" ".join(_said(one, origins) for one in found)) from error
    return _with_accounts(settings, environ)


def _said(error: "ErrorDetails", origins: Mapping[str, str]) -> str:
    """One fault as a sentence: where it is written, which setting it is, and what would do. Never the value."""
    place = list(error["loc"])
    top, last = str(place[0]), str(place[-1])
    row = f"`[[{top}]]` number {int(place[1]) + 1}" if len(place) > 1 and isinstance(place[1], int) else ""
    inside = row or (f"`[{top}]`" if len(place) > 1 else "")
    what = inside if row and len(place) == 2 else f"`{last}`" + (f" of {inside}" if inside else "")
    where = f"{origins[top]}: " if top in origins else ""
    rule = error["msg"].removeprefix("Value error, ").partition(", unable to parse")[0].removeprefix("Input ")
    match error["type"]:
        case "extra_forbidden":
            rows = {"accounts": Account, "webhook_endpoints": WebhookEndpoint}
            close = difflib.get_close_matches(last, (rows[top] if row else Settings).model_fields, n=1)
            return f"{where}there is no setting {what}." + (f" Did you mean `{close[0]}`?" if close else "")
        case "missing":
            return f"{where}{what} is missing."
        case "tuple_type" if top in TABLES:
            return f"{where}{what} is written as `[[{top}]]`, with two brackets, once for each."
        case "tuple_type":
            return f'{where}{what} should be a list, such as ["one.example", "two.example"].'
        case "value_error":
            return f"{where}{what}: {rule}."
        case _:
            return f"{where}{what} {rule}."


def _with_accounts(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The settings with every account's key in place, and with the accounts that the environment alone tells of."""
    accounts: list[Account] = []
    for account in settings.accounts:
        key = (environ.get(account.api_key_env) if account.api_key_env else account.api_key) or None
        if key is None and (account.api_key_env or account.provider not in KEYLESS):
            missing = f"{account.api_key_env} is not set" if account.api_key_env else "it has no api_key or api_key_env"
            raise SettingsInvalid(f"The account `{account.name}` at {account.provider} has no key: {missing}.")
        accounts.append(account.model_copy(update={"api_key": key}))
    accounts += _of_variables(environ, {account.provider for account in accounts})
    unfit = [one for one in accounts if one.api_key is not None and not KEY.fullmatch(one.api_key)]
    if unfit:
        who = f"`{unfit[0].name}` at {unfit[0].provider}"
        raise SettingsInvalid(f"The key of the account {who} has a blank, a line break or a letter beyond ASCII in it.")
    twice = [a for i, a in enumerate(accounts) if (a.provider, a.name) in {(b.provider, b.name) for b in accounts[:i]}]
    if twice:
        raise SettingsInvalid(f"Two accounts at {twice[0].provider} are called `{twice[0].name}`. Give each its name.")
    return settings.model_copy(update={"accounts": tuple(accounts)})


def _of_variables(environ: Mapping[str, str], named: set[str]) -> Iterator[Account]:
    for provider, variable in KEY_VARIABLES.items():
        key, url = environ.get(variable) or None, environ.get(_base_url_of(provider)) or None
        if provider in named or not (key or (url and provider in KEYLESS)):
            continue
        try:
            yield Account(provider=provider, api_key=key, base_url=url)
        except ValidationError as error:  # of the address alone: a key may be any text here
            rule = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise SettingsInvalid(f"{_base_url_of(provider)}: {rule}.") from error


def _base_url_of(provider: str) -> str:
    return f"{PREFIX}{provider.upper()}_BASE_URL"


def idle_variables(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that look as if they set something here and do not, each with the reason; never their values."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields.keys() - TABLES} | OTHER_VARIABLES
    for provider, variable in KEY_VARIABLES.items():
        there = [account for account in settings.accounts if account.provider == provider]
        key, url = environ.get(variable), environ.get(_base_url_of(provider))
        if key and key not in [account.api_key for account in there]:
            yield variable, f"the accounts at {provider} in framegate.toml have keys of their own"
        if url and url not in [account.base_url for account in there]:
            why = f"framegate.toml says where {provider} is" if there else f"there is no {variable}, so no account"
            yield _base_url_of(provider), why
        known.add(_base_url_of(provider))
    for name in sorted(name for name in environ if name.startswith(PREFIX) and name not in known):
        close = difflib.get_close_matches(name, known, n=1)
        yield name, "there is no such setting" + (f"; did you mean {close[0]}?" if close else "")


def client_defaults(environ: Mapping[str, str] | None = None) -> tuple[str | None, str | None]:
    """The server and the key that the SDK and the CLI use when none is given: FRAMEGATE_URL and FRAMEGATE_API_KEY."""
    environ = os.environ if environ is None else environ
    return environ.get("FRAMEGATE_URL") or None, environ.get("FRAMEGATE_API_KEY") or None
