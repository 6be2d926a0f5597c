"""The default executor: renders and decoding in child processes of this one."""

from collections.abc import Callable
from typing import TypeVar

from framegate.domain.machine import Machine
from framegate.jobs.executor.render_pool import RenderPool
from framegate.media.decoder import INSPECT, Budget, DecoderPool, Lane

T = TypeVar("T")

INSPECTORS = 2  # processes for references and uploads
DECODER_BYTES_MAX = 2**30


class LocalExecutor:
    """Runs at most `render_workers` renders and `check_workers` checks of finished files at once."""

    def __init__(
        self,
        machine: Machine,
        *,
        render_workers: int,
        check_workers: int = 1,
        decoder_bytes_max: int = DECODER_BYTES_MAX,
    ) -> None:
        sizes = {Lane.INSPECT: INSPECTORS, Lane.CHECK: check_workers}
        self.renderer = RenderPool(render_workers)
        self._decoders = DecoderPool(sizes, memory_bytes_max=decoder_bytes_max, clock=machine)

    def warm(self) -> None:
        """Start one process for renders and one for references ahead of the first job."""
        self.renderer.warm()
        self._decoders.warm(Lane.INSPECT)

    async def run(self, function: Callable[..., T], *args: object, budget: Budget = INSPECT) -> T:
        """Call a function in a decoder process; see `Decoder.run`."""
        return await self._decoders.run(function, *args, budget=budget)

    def stalled(self) -> str | None:
        """Return a sentence if calls wait and none ends; None if all is well."""
        return self._decoders.stalled()

    async def close(self) -> None:
        """Kill every process."""
        await self.renderer.close()
        await self._decoders.close()
