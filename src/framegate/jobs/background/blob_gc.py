"""Removes the files that no job and no owner needs any more: once a day, in the background."""

import asyncio
import logging

import anyio.to_thread

from framegate.domain.clock import Clock
from framegate.domain.errors import Unavailable
from framegate.storage.blobs import BlobStore
from framegate.store import Store

_log = logging.getLogger(__name__)

SWEEP_SECONDS = 24 * 3600.0
FIRST_SECONDS = 600.0  # after the start, when whatever a crash left has been taken up
OLD_SECONDS = 24 * 3600.0  # a younger file may be on its way into a job


class BlobGarbageCollector:
    """Looks which files are mentioned nowhere: references that were only checked, and files of jobs that are gone."""

    def __init__(self, store: Store, blobs: BlobStore, *, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep from now on."""
        self._task = asyncio.create_task(self._run(), name="framegate-sweeper")

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> int:
        """Remove every old file that nobody mentions; says how many there were. Raises `Unavailable`."""
        old = await anyio.to_thread.run_sync(self._blobs.older_than, OLD_SECONDS)
        needed = await self._store.referenced_hashes() if old else frozenset[str]()
        removed = 0
        for sha256 in old - needed:
            # One that came again meanwhile is young again, or is mentioned by now.
            if not await self._store.is_referenced(sha256):
                removed += await anyio.to_thread.run_sync(self._blobs.remove_old, sha256, OLD_SECONDS)
        return removed

    async def _run(self) -> None:
        await self._clock.sleep(FIRST_SECONDS)
        while True:
            try:
                if removed := await self.sweep():
                    _log.info("Removed %d files that no job needs any more.", removed)
            except (Unavailable, OSError) as error:
                _log.warning("The files could not be swept: %s", error)
            await self._clock.sleep(SWEEP_SECONDS)
