"""Provider registry: the built-in adapters, those that other packages add, and the configured accounts."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import cast

from framegate.config.accounts import Account, installed_providers
from framegate.config.settings import Settings, SettingsInvalid
from framegate.domain import Job
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.net.user_agent import user_agent
from framegate.providers.base import Provider
from framegate.providers.fal.adapter import Fal
from framegate.providers.gpu.sglang import SGLang
from framegate.providers.gpu.vllm_omni import VllmOmni
from framegate.providers.http import HttpProvider
from framegate.providers.openrouter import ModelGates, OpenRouter
from framegate.providers.phaseo.adapter import Phaseo
from framegate.providers.pictory import Pictory

# By the name that accounts and catalog entries use. `KEY_VARIABLES` in `config` has the variable of each one's key.
ADAPTERS: Mapping[str, type[HttpProvider]] = MappingProxyType(
    {
        "openrouter": OpenRouter,
        "modelgates": ModelGates,
        "phaseo": Phaseo,
        "pictory": Pictory,
        "fal": Fal,
        "vllm_omni": VllmOmni,
        "sglang": SGLang,
    }
)
# What the import or the constructor of another package's adapter may raise.
ADAPTER_ERRORS = (
    ImportError, SyntaxError, AttributeError, LookupError, TypeError, ValueError, OSError, RuntimeError,
)  # fmt: skip

_log = logging.getLogger(__name__)


class ProviderRegistry:
    """The providers of this gateway, one per account; in the sandbox, one that replaces all."""

    def __init__(self, providers: Iterable[Provider], *, sandbox: Provider | None = None) -> None:
        self._providers = {(provider.name, provider.account): provider for provider in providers}
        self._sandbox = sandbox

    def __iter__(self) -> Iterator[Provider]:
        yield from self._providers.values()
        if self._sandbox is not None:
            yield self._sandbox

    def get(self, name: str, account: str) -> Provider | None:
        """The account with this name at a provider; if there is none, its only account."""
        accounts = [provider for provider in self._providers.values() if provider.name == name]
        return self._providers.get((name, account)) or (accounts[0] if len(accounts) == 1 else None)

    def for_job(self, job: Job) -> Provider | None:
        """The account that received a job's order, even if its name or its key has changed since.

        It is identified by its key, which several accounts may share, else by its name, else as the only one. The base
        URL must be the same, because another server does not know the order; a free order is submitted again there.
        """
        if self._sandbox is not None and job.provider == self._sandbox.name:
            return self._sandbox
        accounts = [
            provider
            for provider in self._providers.values()
            if provider.name == job.provider and (provider.resubmittable or job.account_url in ("", provider.base_url))
        ]
        same_key = [
            provider for provider in accounts if job.account_key and provider.key_fingerprint == job.account_key
        ]
        same_name = [provider for provider in accounts if provider.account == job.account]
        if same_key:
            return same_name[0] if same_name and same_name[0] in same_key else same_key[0]
        return next((candidates[0] for candidates in (same_name, accounts) if len(candidates) == 1), None)

    def for_offer(self, name: str, model_id: str) -> tuple[Provider, ...]:
        """The accounts at a provider that make a model, by the provider's model id, in their configured order."""
        accounts = tuple(provider for provider in self._providers.values() if provider.name == name)
        if not accounts:
            return (self._sandbox,) if self._sandbox is not None else ()
        return tuple(
            provider for provider in accounts if provider.served_models is None or model_id in provider.served_models
        )


def adapter_class(name: str) -> type[Provider]:
    """The adapter of a provider: a built-in one, else that of another package's entry point.

    Raises `SettingsInvalid` if the package's adapter cannot be used. A package is only imported here, so only if
    an account names its provider.
    """
    if name in ADAPTERS:
        return ADAPTERS[name]
    entry_point = installed_providers()[name]
    try:
        adapter: object = entry_point.load()
    except ADAPTER_ERRORS as error:
        raise _broken(name, entry_point.value, f"the import failed with {error!r}") from error
    if not (isinstance(adapter, type) and issubclass(adapter, Provider)):
        raise _broken(name, entry_point.value, "it is not a subclass of `framegate.providers.base.Provider`")
    if getattr(adapter, "name", None) != name:
        raise _broken(name, entry_point.value, f"its `name` must be `{name}`")
    return adapter


def only_accepts_urls(adapter: type[Provider]) -> bool:
    """Whether the provider downloads every reference itself, so that local files need the gateway's public URL."""
    return issubclass(adapter, HttpProvider) and not {"data", "upload"} & set(adapter.reference_transports)


def build_provider(
    account: Account,
    settings: Settings | None = None,
    machine: Machine = REAL_MACHINE,
    *,
    gateway_id: str = "",
) -> Provider:
    """The provider of an account, whose requests carry `gateway_id`.

    Raises `SettingsInvalid` if another package's adapter cannot be used.
    """
    adapter = adapter_class(account.provider)
    key = (account.api_key or "").strip()  # a key from a file ends with a line break, which a header cannot contain
    try:
        provider = cast("Callable[..., Provider]", adapter)(account.name, key, account.base_url or "", machine=machine)
    except ADAPTER_ERRORS as error:
        if account.provider in ADAPTERS:
            raise
        value = installed_providers()[account.provider].value
        raise _broken(account.provider, value, f"the constructor failed with {error!r}") from error
    provider.concurrency = account.concurrency or provider.concurrency
    provider.requests_per_minute = account.requests_per_minute
    if isinstance(provider, HttpProvider):
        for client in provider.clients:
            client.gateway_id = gateway_id
            client.user_agent = user_agent(settings)
            client.ca_bundle = settings.ca_bundle if settings else None
    if settings is not None:
        provider.reaches_gateway = settings.public_url is not None
        if isinstance(provider, Pictory):
            provider.usd_per_credit = settings.pictory_usd_per_credit
    return provider


def build_providers(settings: Settings, machine: Machine, *, gateway_id: str = "") -> Iterator[Provider]:
    """The providers of the configured accounts. An account whose adapter cannot be used is logged and left out."""
    for account in settings.accounts:
        try:
            yield build_provider(account, settings, machine, gateway_id=gateway_id)
        except SettingsInvalid as error:
            _log.error("Account %s is not available. %s", account.label, error.message)


def _broken(name: str, value: str, reason: str) -> SettingsInvalid:
    return SettingsInvalid(f"The adapter `{value}` of the provider `{name}` cannot be used: {reason}.")
