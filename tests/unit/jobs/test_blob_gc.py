"""The files that nobody needs any more are removed, and no other."""

import os

import pytest

from framegate.domain import Blob, Running, State
from framegate.domain.machine import Clock
from framegate.jobs.background.blob_gc import MINIMUM_AGE_SECONDS, BlobGarbageCollector
from framegate.storage.blobs import BlobStore

pytestmark = pytest.mark.anyio


def aged(blobs: BlobStore, clock: Clock) -> None:
    """Make every kept file an old one."""
    then = clock.now() - MINIMUM_AGE_SECONDS - 60
    for file in blobs.root.glob("??/*"):
        os.utime(file, (then, then))


async def kept(blobs: BlobStore, text: str) -> Blob:
    return await blobs.add_bytes(text.encode(), "image/png")


async def test_an_unreferenced_blob_is_deleted_once_it_is_old(world, monkeypatch):
    gate = world(looks=["done", Running()])
    async with gate.open():
        blobs = gate.jobs.blobs
        done = await gate.end(await gate.create())
        running = await gate.create()
        await gate.until(running, State.RUNNING)
        stray, upload = await kept(blobs, "only checked"), await kept(blobs, "uploaded")
        await gate.store.keep_asset("default", upload, now=1.0)
        collector = BlobGarbageCollector(gate.store, blobs, machine=gate.clock)

        assert await collector.collect() == 0  # all of it is young
        aged(blobs, gate.clock)
        young = await kept(blobs, "on its way into a job")
        assert await collector.collect() == 1
        assert not blobs.has(stray.sha256)
        needed = [out for one in done.outputs for out in (one.blob, one.poster, one.contact_sheet) if out]
        assert len(needed) == 3
        assert all(blobs.has(blob.sha256) for blob in (*needed, upload, young))
        mentioned = await gate.store.referenced_hashes()
        assert {blob.sha256 for blob in (*needed, upload)} <= mentioned
        assert not mentioned & {stray.sha256, young.sha256}


async def test_a_blob_that_is_stored_again_during_collection_is_kept(world, monkeypatch):
    gate = world()
    async with gate.open(run=False):
        blobs = gate.jobs.blobs
        again = await kept(blobs, "again")
        aged(blobs, gate.clock)

        async def mentioned():
            await kept(blobs, "again")
            return frozenset()

        monkeypatch.setattr(gate.store, "referenced_hashes", mentioned)
        assert await BlobGarbageCollector(gate.store, blobs, machine=gate.clock).collect() == 0
        assert blobs.has(again.sha256)
