"""The contract of an executor."""

from typing import Protocol

from framegate.media.decoder import Decoder
from framegate.providers.animatic.renderer import Renderer


class Executor(Decoder, Protocol):
    """Runs renders and decodes files, here or elsewhere; `run` is that of a `Decoder`."""

    @property
    def renderer(self) -> Renderer:
        """What renders animatics."""
        ...

    def stalled(self) -> str | None:
        """Return a sentence if calls wait and none ends; None if all is well."""
        ...

    async def close(self) -> None:
        """Stop whatever still runs."""
        ...
