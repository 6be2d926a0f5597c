"""How the adapter of an account is made: one row for each service."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from framegate.config.accounts import Account
from framegate.config.settings import Settings
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.providers import openrouter, pictory
from framegate.providers.base import Provider
from framegate.providers.fal import adapter as fal
from framegate.providers.gpu import sglang, vllm_omni
from framegate.providers.http import HttpProvider
from framegate.providers.phaseo import adapter as phaseo

MODELGATES_URL = "https://modelgates.ai/api/v1"

Make = Callable[..., Provider]  # account name, key and base URL; `machine` by keyword


def _adapter(make: Make, base_url: str, account: Account, machine: Machine = REAL_MACHINE) -> Provider:
    key = (account.api_key or "").strip()  # one out of a file ends with a line break, which no header takes
    provider = make(account.name, key, account.base_url or base_url, machine=machine)
    provider.concurrency = account.concurrency or provider.concurrency
    provider.requests_per_minute = account.requests_per_minute
    return provider


def _fetches(service: type[HttpProvider]) -> bool:
    return not {"data", "upload"} & set(service.reference_transports)


ROWS: Mapping[str, tuple[Make, str]] = {
    "openrouter": (openrouter.OpenRouter, openrouter.BASE_URL),
    "modelgates": (partial(openrouter.OpenRouter, name="modelgates", title="ModelGates"), MODELGATES_URL),
    "phaseo": (phaseo.Phaseo, phaseo.BASE_URL),
    "pictory": (pictory.Pictory, pictory.BASE_URL),
    "fal": (fal.Fal, fal.BASE_URL),
    "vllm_omni": (vllm_omni.VllmOmni, vllm_omni.BASE_URL),
    "sglang": (sglang.SGLang, sglang.BASE_URL),
}
BASE_URLS: Mapping[str, str] = MappingProxyType({name: base_url for name, (_, base_url) in ROWS.items()})
# Those that fetch every reference themselves: what has no address of its own needs a link of ours.
FETCHING = frozenset(
    service.name for service in (fal.Fal, openrouter.OpenRouter, phaseo.Phaseo, pictory.Pictory) if _fetches(service)
)
ADAPTERS: Mapping[str, Callable[..., Provider]] = MappingProxyType(
    {name: partial(_adapter, make, base_url) for name, (make, base_url) in ROWS.items()}
)


def build_provider(account: Account, settings: Settings, machine: Machine) -> Provider:
    """Return the provider of a configured account."""
    provider = ADAPTERS[account.provider](account, machine)
    if isinstance(provider, pictory.Pictory):
        provider.usd_per_credit = settings.pictory_usd_per_credit
    provider.reaches_gateway = settings.public_url is not None
    return provider
