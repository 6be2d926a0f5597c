"""Check at start that no account leads back to this gateway, as when a hosts file redirects a vendor's name."""

import asyncio
from contextlib import suppress

from framegate.domain.errors import ProviderError
from framegate.net.ssrf import Resolver, is_local_name, resolve_name
from framegate.providers.http import HttpProvider
from framegate.providers.registry import ProviderRegistry

SECONDS_MAX = 5.0


class LoopCheck:
    """Sends one request to each account whose public name resolves to an address of this machine or network.

    A gateway recognises its own requests, and the client logs it. Other accounts are not contacted.
    """

    def __init__(self, providers: ProviderRegistry, *, resolve: Resolver = resolve_name) -> None:
        self._accounts = [provider for provider in providers if isinstance(provider, HttpProvider)]
        self._resolve = resolve
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the check, which runs once in the background."""
        if self._accounts:
            self._task = asyncio.create_task(self.run(), name="framegate-loop-check")

    async def stop(self) -> None:
        """Stop the check."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Check every account now."""
        await asyncio.gather(*map(self._check, self._accounts))

    async def _check(self, account: HttpProvider) -> None:
        with suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(SECONDS_MAX):
                if await is_local_name(account.base_url, self._resolve):
                    await account.client.query("GET", "", any_status=True, seconds_max=SECONDS_MAX)
