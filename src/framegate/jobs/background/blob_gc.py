"""Blob garbage collection: deletes files that no job and no tenant references, once a day."""

import logging

from framegate.domain.machine import Machine
from framegate.jobs.background.periodic import PeriodicTask
from framegate.storage.blobs import BlobStore
from framegate.store import Store

_log = logging.getLogger(__name__)

PERIOD_SECONDS = 24 * 3600.0
FIRST_SECONDS = 600.0  # after the start, when the jobs of a crashed process have been recovered
MINIMUM_AGE_SECONDS = 24 * 3600.0  # a younger file may be about to be referenced


class BlobGarbageCollector:
    """Deletes unreferenced blobs: references that were only validated, and files of deleted jobs."""

    def __init__(self, store: Store, blobs: BlobStore, *, machine: Machine) -> None:
        self._store = store
        self._blobs = blobs
        self._machine = machine
        self._task = PeriodicTask(
            "blob-gc", self.collect, seconds=PERIOD_SECONDS, first_seconds=FIRST_SECONDS, clock=machine
        )

    async def start(self) -> None:
        """Start collecting."""
        self._task.start()

    async def stop(self) -> None:
        """Stop collecting."""
        await self._task.stop()

    async def collect(self) -> int:
        """Delete every old blob that is not referenced; return their number. Raises `Unavailable`."""
        old = await self._machine.run_in_thread(self._blobs.older_than, MINIMUM_AGE_SECONDS)
        referenced = await self._store.referenced_hashes() if old else frozenset[str]()
        deleted = 0
        for sha256 in old - referenced:
            # A blob that was stored again meanwhile is young, or is referenced by now.
            if not await self._store.is_referenced(sha256):
                deleted += await self._machine.run_in_thread(self._blobs.remove_old, sha256, MINIMUM_AGE_SECONDS)
        if deleted:
            _log.info("Deleted %d unreferenced files.", deleted)
        return deleted
