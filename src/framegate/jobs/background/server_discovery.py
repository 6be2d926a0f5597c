"""Which model each server of one's own serves: asked at the start and then every minute, in the background."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from framegate.catalogue import Catalogue
from framegate.domain.clock import Clock
from framegate.domain.errors import FramegateError
from framegate.providers.base import ProviderRegistry
from framegate.providers.gpu.base import GpuServer

_log = logging.getLogger(__name__)

ASK_SECONDS = 60.0
START_SECONDS_MAX = 2.0  # a server that is not up holds nobody up
CACHED = "models--"  # begins the folder of a model in Hugging Face's cache: models--ORG--NAME


class ServerDiscovery:
    """Asks the servers, so that each is given only what it serves.

    One that cannot be asked keeps what it said last; one that was never asked is taken for what its offers name.
    """

    def __init__(self, offers: ProviderRegistry, catalogue: Catalogue, *, clock: Clock) -> None:
        self._engines = [provider for provider in offers if isinstance(provider, GpuServer)]
        self._known = [(offer.provider, offer.id) for model in catalogue for offer in model.offers]
        self._clock = clock
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Ask, and go on asking; what answers at once is known before anything is ordered."""
        if not self._engines:
            return
        self._task = asyncio.create_task(self._run(), name="framegate-servers")
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS_MAX):
                await self._asked.wait()

    async def stop(self) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ask(self) -> None:
        """Ask every server now."""
        await asyncio.gather(*map(self._ask, self._engines))
        self._asked.set()

    async def _run(self) -> None:
        while True:
            await self.ask()
            await self._clock.sleep(ASK_SECONDS)

    async def _ask(self, engine: GpuServer) -> None:
        try:
            names = await engine.names()
        except FramegateError as error:
            _log.info("What %s serves stays as it was: %s", engine.base_url, error)
            return
        ids = [offer_id for provider, offer_id in self._known if provider == engine.name]
        served = match_served_models(names, ids)
        if served != engine.served_models and served.isdisjoint(ids):
            _log.warning(
                "%s at %s serves %s, which is ordered for no model here.", engine.title, engine.base_url, names[0]
            )
        engine.served_name, engine.served_models = names[0], served


def match_served_models(names: Iterable[str], ids: Iterable[str]) -> frozenset[str]:
    """The names of what a server serves, and of the ids those that they stand for.

    Weights often lie in a folder, which is called as the model is: `/models/Wan2.2-I2V-A14B-Diffusers`.
    """
    names = tuple(names)
    folders = {folder.lower() for name in names for folder in _folders(name)}
    return frozenset(names) | {one for one in ids if one.rpartition("/")[2].lower() in folders}


def _folders(name: str) -> Iterable[str]:
    parts = name.replace("\\", "/").rstrip("/").split("/")
    yield parts[-1]
    yield from (part.rpartition("--")[2] for part in parts if part.startswith(CACHED))
