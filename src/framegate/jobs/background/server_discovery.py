"""Discovery of what each GPU server of the operator serves: at the start, then every minute."""

import asyncio
import logging
from contextlib import suppress

from framegate.catalogue import Catalogue
from framegate.domain.errors import FramegateError
from framegate.domain.machine import Clock
from framegate.domain.provider_text import clean_line
from framegate.jobs.background.periodic import PeriodicTask
from framegate.providers.gpu.base import GpuServer, match_served_models
from framegate.providers.registry import ProviderRegistry

_log = logging.getLogger(__name__)

PERIOD_SECONDS = 60.0
NAME_CHARS_MAX = 200  # of a model, in the log
START_SECONDS_MAX = 2.0  # a server that is down does not delay the start


class ServerDiscovery:
    """Asks the servers what they serve, so that each receives only such orders.

    A server that cannot be asked keeps its last answer, and is asked again before each order. One that never answered
    gets no orders.
    """

    def __init__(self, providers: ProviderRegistry, catalogue: Catalogue, *, clock: Clock) -> None:
        self._servers = [provider for provider in providers if isinstance(provider, GpuServer)]
        self._offers = [(offer.provider, offer.id) for model in catalogue for offer in model.offers]
        self._answered = asyncio.Event()
        self._task = PeriodicTask("server-discovery", self.refresh, seconds=PERIOD_SECONDS, clock=clock)

    async def start(self) -> None:
        """Start asking; servers that answer at once are known before anything is ordered."""
        if not self._servers:
            return
        self._task.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS_MAX):
                await self._answered.wait()

    async def stop(self) -> None:
        """Stop asking."""
        await self._task.stop()

    async def refresh(self) -> None:
        """Ask every server now."""
        await asyncio.gather(*map(self._ask, self._servers))
        self._answered.set()

    async def _ask(self, server: GpuServer) -> None:
        try:
            names = await server.names()
        except FramegateError as error:
            _log.info("%s did not say what it serves; its last answer holds: %s", server.base_url, error)
            return
        ids = [offer_id for provider, offer_id in self._offers if provider == server.name]
        served = match_served_models(names, ids)
        if served != server.served_models and served.isdisjoint(ids):
            name = clean_line(names[0], NAME_CHARS_MAX)
            _log.warning("%s at %s serves %s, which no model uses.", server.title, server.base_url, name)
        server.served_name, server.served_models = names[0], served
