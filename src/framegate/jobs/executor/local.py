"""The default executor: renders in child processes, file checks in threads of this process."""

from collections.abc import Callable
from typing import TypeVar

from framegate.domain.machine import Machine
from framegate.jobs.executor.render_pool import RenderPool

T = TypeVar("T")


class LocalExecutor:
    """Runs at most `render_workers` renders at once."""

    def __init__(self, machine: Machine, *, render_workers: int) -> None:
        self._machine = machine
        self.renderer = RenderPool(render_workers)

    def warm(self) -> None:
        """Start one render process ahead of the first render."""
        self.renderer.warm()

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run a file check in a thread; a cancelled caller does not wait for its end."""
        return await self._machine.run_in_thread(function, *args, abandon_on_cancel=True)

    async def close(self) -> None:
        """Kill every render process."""
        await self.renderer.close()
