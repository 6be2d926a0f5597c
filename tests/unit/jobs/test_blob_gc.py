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
    gateway = world(looks=["done", Running()])
    async with gateway.open():
        blobs = gateway.jobs.blobs
        done = await gateway.end(await gateway.create())
        running = await gateway.create()
        await gateway.until(running, State.RUNNING)
        stray, upload = await kept(blobs, "only checked"), await kept(blobs, "uploaded")
        await gateway.store.keep_asset("default", upload, now=1.0)
        collector = BlobGarbageCollector(gateway.store, blobs, machine=gateway.clock)

        assert await collector.collect() == 0  # all of it is young
        aged(blobs, gateway.clock)
        young = await kept(blobs, "on its way into a job")
        assert await collector.collect() == 1
        assert not blobs.has(stray.sha256)
        needed = [out for one in done.outputs for out in (one.blob, one.poster, one.contact_sheet) if out]
        assert len(needed) == 3
        assert all(blobs.has(blob.sha256) for blob in (*needed, upload, young))
        mentioned = await gateway.store.referenced_hashes()
        assert {blob.sha256 for blob in (*needed, upload)} <= mentioned
        assert not mentioned & {stray.sha256, young.sha256}


async def test_a_blob_that_is_stored_again_during_collection_is_kept(world, monkeypatch):
    gateway = world()
    async with gateway.open(run=False):
        blobs = gateway.jobs.blobs
        again = await kept(blobs, "again")
        aged(blobs, gateway.clock)

        async def mentioned():
            await kept(blobs, "again")
            return frozenset()

        monkeypatch.setattr(gateway.store, "referenced_hashes", mentioned)
        assert await BlobGarbageCollector(gateway.store, blobs, machine=gateway.clock).collect() == 0
        assert blobs.has(again.sha256)
