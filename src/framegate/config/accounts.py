"""Provider accounts and webhook endpoints: the tables of framegate.toml."""

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

# The vendors' own names for their keys, by provider.
KEY_VARIABLES = {
    "openrouter": "OPENROUTER_API_KEY",
    "modelgates": "MODELGATES_API_KEY",
    "phaseo": "PHASEO_API_KEY",
    "pictory": "PICTORY_API_KEY",
    "fal": "FAL_KEY",
    "vllm_omni": "VLLM_OMNI_API_KEY",
    "sglang": "SGLANG_API_KEY",
}
KEYLESS_PROVIDERS = ("vllm_omni", "sglang")  # self-hosted servers: an address is enough
ACCOUNT_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
PROVIDER_GROUP = "framegate.providers"  # group of the entry points with which other packages add providers


def installed_providers() -> Mapping[str, EntryPoint]:
    """The providers that other packages add, by name. Nothing is imported."""
    return {entry_point.name: entry_point for entry_point in entry_points(group=PROVIDER_GROUP)}


def _account_name(text: str) -> str:
    if not ACCOUNT_NAME_PATTERN.fullmatch(text):
        raise ValueError("must be 1 to 32 lower-case letters, digits, `-` and `_`, starting with a letter or a digit")
    return text


def _address(text: str) -> str:
    """A base URL without credentials, which would appear wherever the address is shown."""
    rule = "must be an address such as https://gateway.example or http://10.0.0.5:8091/v1"
    try:
        parts = urlsplit(text)
        has_host = parts.hostname and parts.port != 0 and text.startswith(("https://", "http://"))
    except ValueError as error:
        raise ValueError(rule) from error
    if not has_host or re.search(r"\s", text):
        raise ValueError(rule)
    if parts.username is not None or "?" in text or "#" in text:
        raise ValueError(f"{rule}, without a user, a password, `?` and `#`")
    return text


AccountName = Annotated[str, AfterValidator(_account_name)]
Address = Annotated[str, AfterValidator(_address)]


class Account(BaseModel):
    """One account at a provider, or one self-hosted server.

    In framegate.toml a table of `[[accounts]]`, with the key itself (`api_key`) or the variable that holds it
    (`api_key_env`). From the environment by the vendors' own names, such as FAL_KEY, under the account name `default`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(description="One of " + ", ".join(f"`{name}`" for name in KEY_VARIABLES) + ".")
    name: AccountName = Field(
        default="default",
        description="1 to 32 lower-case letters, digits, `-` and `_`; default `default`. Stored with each job.",
    )
    api_key: str | None = Field(default=None, repr=False, description="The key.")
    api_key_env: str | None = Field(default=None, description="The environment variable that contains the key.")
    base_url: Address | None = Field(default=None, description="Another address than the service's own. It is trusted.")
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Maximum number of simultaneous orders."
    )
    requests_per_minute: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Maximum number of orders submitted per minute."
    )

    @property
    def label(self) -> str:
        """Provider and name, as messages show the account: `fal/default`."""
        return f"{self.provider}/{self.name}"

    @field_validator("provider")
    @classmethod
    def _check_provider(cls, name: str) -> str:
        if name not in KEY_VARIABLES and name not in (installed := installed_providers()):
            names = ", ".join([*KEY_VARIABLES, *installed])
            raise ValueError(f"must be one of {names}; there is no provider {name!r}")
        return name

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        if self.api_key is not None and self.api_key_env is not None:
            raise ValueError("has both api_key and api_key_env; remove one of them")
        return self


class WebhookEndpoint(BaseModel):
    """One receiver of webhooks that clients refer to by id, as Phaseo's do. A table of `[[webhook_endpoints]]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(description="The id that clients use: `we_…`.")
    url: Annotated[str, Field(pattern=r"^https?://")] = Field(description="The address to call.")
    events: tuple[str, ...] | None = Field(default=None, description="Events to send if the client does not list them.")
    secret: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, repr=False, description="Signs the calls; default: the secret of the job's owner."
    )
