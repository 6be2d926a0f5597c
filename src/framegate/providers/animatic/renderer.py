"""The contract of what renders animatics for the provider."""

from typing import Any, Protocol

from framegate.domain import Update


class Renderer(Protocol):
    """Renders at most `size` animatics at once; the rest wait in order."""

    @property
    def size(self) -> int:
        """Number of renders at once."""
        ...

    async def start(self, render_id: str, spec: dict[str, Any]) -> None:
        """Start a render; an earlier one of the same id is dropped first, since both would write one file."""
        ...

    def poll(self, render_id: str) -> Update:
        """Return how a render stands; `Lost` for an unknown one."""
        ...

    async def forget(self, render_id: str) -> None:
        """Drop a render, and stop it if it runs."""
        ...
