"""The contract of an executor."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from framegate.providers.animatic.renderer import Renderer

T = TypeVar("T")


class Executor(Protocol):
    """Runs renders and file checks, here or elsewhere."""

    @property
    def renderer(self) -> Renderer:
        """What renders animatics."""
        ...

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run a file check; a cancelled caller does not wait for its end."""
        ...

    async def close(self) -> None:
        """Stop whatever still runs."""
        ...
