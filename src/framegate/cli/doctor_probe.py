"""What `doctor --ask` does: look at every account's service for nothing, at all of them at once."""

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

SECONDS_MAX = 10.0  # of one account, whose looks are shorter each
OK, NOT_OFFERED = "ok", "not_offered"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one account's service said: a word for programs and words for people."""

    code: str
    detail: str
    hint: str = ""


def ask(settings: "Settings", catalogue: "Catalogue") -> Sequence[Asked]:
    """Look at every account, in their order. Nothing is ordered."""

    async def go() -> list[Asked]:
        return await asyncio.gather(*(_ask(account, catalogue) for account in settings.accounts))

    return asyncio.run(go())


async def _ask(account: "Account", catalogue: "Catalogue") -> Asked:
    from framegate.providers.health import KEY_REFUSED, UNREACHABLE
    from framegate.providers.registry import ADAPTERS

    provider = ADAPTERS[account.provider](account)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            found = await provider.probe()
    except ProviderError as error:
        return Asked(error.code, error.message.rstrip("."), _key_hint(account) if error.code == KEY_REFUSED else "")
    except TimeoutError:
        return Asked(UNREACHABLE, f"it cannot be reached: no end within {SECONDS_MAX:g} s")
    finally:
        await provider.close()
    return Asked(OK, found) if provider.served_models is None else _offered(provider, found, catalogue)


def _offered(provider: "Provider", found: str, catalogue: "Catalogue") -> Asked:
    """For a server of one's own: the models as which what it serves can be ordered here."""
    from framegate.jobs.background.server_discovery import match_served_models

    offers = [(offer.id, model.id) for model in catalogue for offer in model.offers if offer.provider == provider.name]
    served = match_served_models(provider.served_models or (), [offer_id for offer_id, _ in offers])
    models = sorted({model for offer_id, model in offers if offer_id in served})
    if models:
        return Asked(OK, f"{found}, ordered here as {', '.join(models)}")
    fix = "rows of your own in models_dir can name it"
    return Asked(NOT_OFFERED, f"{found}, for which the catalogue has no offer", fix)


def _key_hint(account: "Account") -> str:
    """Where the key that was refused, or is missing, is written."""
    from framegate.config.accounts import KEY_VARIABLES
    from framegate.config.environment import environment

    variable = account.api_key_env or KEY_VARIABLES[account.provider]
    if account.api_key is None:
        return f"it asks for a key: set {variable}, or the account's api_key"
    named = account.api_key_env or environment().get(variable) == account.api_key
    return f"its key is in {variable}" if named else "its key is the account's api_key in framegate.toml"
