"""`doctor --ask`: contact the services of all accounts in parallel, without cost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framegate.domain.errors import ProviderError

if TYPE_CHECKING:
    from framegate.catalogue import Catalogue
    from framegate.config.accounts import Account
    from framegate.config.settings import Settings
    from framegate.providers.base import Provider

SECONDS_MAX = 10.0  # for one account; its requests have shorter timeouts
RESOLVE_SECONDS_MAX = 3.0
OK, NOT_OFFERED = "ok", "not_offered"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result for one account: a code for programs, and a text."""

    code: str
    detail: str
    hint: str = ""


def redirected_accounts(settings: "Settings") -> Sequence[tuple[str, str]]:
    """The label and host of each account whose public name resolves to an address of this machine or network."""
    from framegate.config.settings import SettingsInvalid
    from framegate.net.ssrf import is_local_name
    from framegate.providers.registry import adapter_class

    async def redirected(account: "Account") -> bool:
        try:
            url = account.base_url or adapter_class(account.provider).base_url
            async with asyncio.timeout(RESOLVE_SECONDS_MAX):
                return await is_local_name(url)
        except (SettingsInvalid, TimeoutError):
            return False

    async def check_all() -> list[bool]:
        return await asyncio.gather(*map(redirected, settings.accounts))

    marks = zip(settings.accounts, asyncio.run(check_all()), strict=True)
    return [(account.label, _host(account)) for account, is_redirected in marks if is_redirected]


def _host(account: "Account") -> str:
    from urllib.parse import urlsplit

    from framegate.providers.registry import adapter_class

    return urlsplit(account.base_url or adapter_class(account.provider).base_url).hostname or ""


def probe_accounts(settings: "Settings", catalogue: "Catalogue", *, gateway_id: str = "") -> Sequence[ProbeResult]:
    """Contact the service of every account. Places no order. The results are in the order of the accounts.

    `gateway_id` is this gateway's: an account whose address leads back to it says so.
    """

    async def probe_all() -> list[ProbeResult]:
        probes = (_probe(account, settings, catalogue, gateway_id) for account in settings.accounts)
        return await asyncio.gather(*probes)

    return asyncio.run(probe_all())


async def _probe(account: "Account", settings: "Settings", catalogue: "Catalogue", gateway_id: str) -> ProbeResult:
    from framegate.config.settings import SettingsInvalid
    from framegate.providers.health import KEY_REFUSED, UNREACHABLE
    from framegate.providers.registry import build_provider

    try:
        provider = build_provider(account, settings, gateway_id=gateway_id)
    except SettingsInvalid as error:
        return ProbeResult(error.code, error.message)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            detail = await provider.probe()
    except ProviderError as error:
        return ProbeResult(
            error.code, error.message.rstrip("."), _key_hint(account) if error.code == KEY_REFUSED else ""
        )
    except TimeoutError:
        return ProbeResult(UNREACHABLE, f"it cannot be reached: no response within {SECONDS_MAX:g} s")
    finally:
        await provider.close()
    return ProbeResult(OK, detail) if provider.served_models is None else _offered(provider, detail, catalogue)


def _offered(provider: "Provider", detail: str, catalogue: "Catalogue") -> ProbeResult:
    """For a self-hosted server: the catalogue's models that it serves."""
    from framegate.providers.gpu.base import match_served_models

    offers = [(offer.id, model.id) for model in catalogue for offer in model.offers if offer.provider == provider.name]
    served = match_served_models(provider.served_models or (), [offer_id for offer_id, _ in offers])
    models = sorted({model for offer_id, model in offers if offer_id in served})
    if models:
        return ProbeResult(OK, f"{detail}, available as {', '.join(models)}")
    hint = "add a catalog entry in catalogue_dir"
    return ProbeResult(NOT_OFFERED, f"{detail}, for which the catalogue has no offer", hint)


def _key_hint(account: "Account") -> str:
    """Where the rejected key is set, or where a missing key belongs."""
    from framegate.config.accounts import KEY_VARIABLES
    from framegate.config.environment import environment

    variable = account.api_key_env or KEY_VARIABLES.get(account.provider)
    if account.api_key is None:
        return f"it requires a key: set {variable or 'api_key_env'}, or the account's api_key"
    is_variable = account.api_key_env or (variable and environment().get(variable) == account.api_key)
    return f"its key is in {variable}" if is_variable else "its key is the account's api_key in framegate.toml"
