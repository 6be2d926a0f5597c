"""Changes made by other processes: one query for all watched jobs, instead of one for each follower."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from framegate.domain.errors import Unavailable
from framegate.domain.machine import Machine
from framegate.store import Store
from framegate.store.notifier import Watch

POLL_SECONDS = 1.0


class ChangeFeed:
    """Wakes the followers of jobs, also for changes made elsewhere; it only polls while there are followers."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self._store = store
        self._machine = machine
        self._watches = 0
        self._polling: asyncio.Task[None] | None = None

    @contextmanager
    def watch(self, job_id: str) -> Generator[Watch]:
        """Watch one job. Set `version` of the watch to that of the job as it was last read."""
        with self._store.notifier.watch(job_id) as watch:
            self._watches += 1
            if self._polling is None or self._polling.done():
                self._polling = asyncio.create_task(self._poll())
            try:
                yield watch
            finally:
                self._watches -= 1
                if not self._watches:
                    self._polling.cancel()
                    self._polling = None

    async def _poll(self) -> None:
        while True:
            await self._machine.sleep(POLL_SECONDS)
            watched = self._store.notifier.watched()
            try:
                versions = await self._store.versions(watched)
            except Unavailable:
                continue
            self._store.notifier.compare(watched, versions)
