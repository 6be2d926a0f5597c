"""How the adapter of an account is made: one row for each service."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from framegate.provider import Provider
from framegate.providers import openrouter
from framegate.providers.openrouter import OpenRouter
from framegate.settings import Account

MODELGATES_URL = "https://modelgates.ai/api/v1"


def _openrouter(account: Account) -> Provider:
    base_url = account.base_url or openrouter.BASE_URL
    return OpenRouter(account.name, account.api_key or "", base_url, concurrency=account.concurrency)


def _modelgates(account: Account) -> Provider:
    base_url = account.base_url or MODELGATES_URL
    key = account.api_key or ""
    return OpenRouter(account.name, key, base_url, name="modelgates", concurrency=account.concurrency)


ADAPTERS: Mapping[str, Callable[[Account], Provider]] = MappingProxyType(
    {"openrouter": _openrouter, "modelgates": _modelgates}
)
