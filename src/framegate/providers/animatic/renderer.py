"""Interface of the renderer that the animatic provider uses."""

from typing import Any, Protocol

from framegate.domain import Update


class Renderer(Protocol):
    """Renders at most `size` animatics at the same time; the others wait in order."""

    @property
    def size(self) -> int:
        """Maximum number of simultaneous renders."""
        ...

    async def start(self, render_id: str, spec: dict[str, Any]) -> None:
        """Start a render. An earlier one with the same id is stopped first: both would write the same file."""
        ...

    def poll(self, render_id: str) -> Update:
        """Return the status of a render; `Lost` for an unknown id."""
        ...

    async def forget(self, render_id: str) -> None:
        """Remove a render, and stop it if it is running."""
        ...
