"""A disk that is full, read-only or gone delays jobs; it fails none, orders nothing twice, and is said once."""

import errno
import os
import shutil

import pytest

from framegate.domain import State
from framegate.domain.errors import StorageFull, Unavailable
from framegate.storage.blobs import BlobStore
from framegate.storage.disk import disk_error

pytestmark = pytest.mark.anyio
STAGES = {
    errno.ENOSPC: "waiting for disk space",
    errno.EDQUOT: "waiting for disk space",
    errno.EROFS: "waiting for the data folder",
    errno.EIO: "waiting for the data folder",
}


@pytest.mark.parametrize("code", STAGES)
async def test_a_finished_video_waits_until_the_disk_takes_it(world, monkeypatch, caplog, code):
    store, failures = BlobStore._add_file, [code] * 30
    gateway = world()

    def add_file(self, *arguments):
        if failures:
            raise OSError(failures.pop(), os.strerror(code), "/a/path")
        return store(self, *arguments)

    monkeypatch.setattr(BlobStore, "_add_file", add_file)
    async with gateway.open():
        job = await gateway.create()
        await gateway.until_stage(job, STAGES[code])
        ended = await gateway.end(job)

        assert ended.state is State.COMPLETED
        assert gateway.provider.orders == [job.id]
        assert await gateway.orders(job) == ["accepted"]
    lines = [record.getMessage() for record in caplog.records if record.name == "framegate.telemetry.outage"]
    assert len(lines) == 2
    assert f"Job {job.id} waits" in lines[0]
    assert "failed calls: 30" in lines[1]
    assert not [record for record in caplog.records if record.exc_info]


async def test_nothing_is_accepted_or_ordered_without_room_and_waiting_jobs_go_on(world):
    gateway = world()
    async with gateway.open():
        blobs = gateway.parts.jobs.blobs
        blobs.free_bytes_min = 2**80
        with pytest.raises(StorageFull):
            await gateway.create()
        blobs.free_bytes_min = 0
        job = await gateway.create()
        blobs.free_bytes_min = 2**80
        await gateway.until_stage(job, "waiting for disk space")
        assert gateway.provider.orders == []

        blobs.free_bytes_min = 0
        assert (await gateway.end(job)).state is State.COMPLETED
        assert gateway.provider.orders == [job.id]


async def test_a_deleted_data_folder_is_said_and_takes_no_jobs(world):
    gateway = world()
    async with gateway.open():
        shutil.rmtree(gateway.settings.data_dir / "blobs")

        with pytest.raises(Unavailable) as raised:
            await gateway.create()

        assert raised.value.code == "storage_unavailable"
        assert str(gateway.settings.data_dir) not in raised.value.message


def test_an_error_that_is_not_about_the_disk_is_not_taken_for_one():
    assert disk_error(OSError(errno.EMFILE, "too many open files")) is None
    assert disk_error(ConnectionResetError(errno.ECONNRESET, "reset")) is None
    assert disk_error(TimeoutError()) is None
