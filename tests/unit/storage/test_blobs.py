"""The content-addressed store."""

import asyncio
import hashlib
import os
import stat
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framegate.domain import Blob
from framegate.domain.errors import NotFound, TooLarge
from framegate.storage.blobs import BlobStore

pytestmark = pytest.mark.anyio

DATA = b"a picture" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
BLOB = Blob(sha256=SHA256, size_bytes=len(DATA), media_type="image/png")


async def streamed(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def leftovers(blobs: BlobStore) -> list[Path]:
    return list((blobs.root / "tmp").iterdir())


async def test_the_same_content_is_one_file_however_it_comes(blobs: BlobStore, tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    assert await blobs.add_bytes(DATA, "image/png") == BLOB
    assert await blobs.add_file(source, "image/png") == BLOB
    assert await blobs.add_stream(streamed(DATA[:10], b"", DATA[10:]), "image/png", bytes_max=len(DATA)) == BLOB
    assert source.exists()
    assert await blobs.add_file(source, "image/png", move=True) == BLOB
    assert not source.exists()
    assert blobs.path(SHA256) == blobs.root / SHA256[:2] / SHA256
    assert blobs.path(SHA256).read_bytes() == DATA
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == [blobs.path(SHA256)]


async def test_a_file_is_moved_across_filesystems_too(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    true_stat = Path.stat

    def elsewhere(path: Path, **options: bool) -> os.stat_result:
        found = true_stat(path, **options)
        return os.stat_result((*found[: stat.ST_DEV], -1, *found[stat.ST_DEV + 1 : 10])) if path == source else found

    monkeypatch.setattr(Path, "stat", elsewhere)
    assert await blobs.add_file(source, "image/png", move=True) == BLOB
    monkeypatch.undo()
    assert not source.exists()
    assert leftovers(blobs) == []


async def test_many_writers_of_one_content_do_not_disturb_each_other(blobs: BlobStore):
    assert await asyncio.gather(*(blobs.add_bytes(DATA, "image/png") for _ in range(20))) == [BLOB] * 20
    assert blobs.path(SHA256).read_bytes() == DATA
    assert leftovers(blobs) == []


async def test_a_stream_beyond_its_limit_is_refused_and_leaves_nothing(blobs: BlobStore):
    with pytest.raises(TooLarge, match="8,999 bytes"):
        await blobs.add_stream(streamed(DATA), "image/png", bytes_max=len(DATA) - 1)
    assert leftovers(blobs) == []
    assert not blobs.has(SHA256)


async def test_a_stream_that_breaks_off_leaves_nothing(blobs: BlobStore):
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.add_stream(broken(), "image/png", bytes_max=10**6)
    assert leftovers(blobs) == []


async def test_a_long_stream_does_not_fill_the_memory(blobs: BlobStore):
    chunk = b"\1" * 2**16
    tracemalloc.start()
    try:
        blob = await blobs.add_stream(streamed(*([chunk] * 512)), "video/mp4", bytes_max=2**30)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert blob.size_bytes == 2**25
    assert peak < 4 * 2**20


async def test_deleting_removes_the_file_once(blobs: BlobStore):
    await blobs.add_bytes(DATA, "image/png")
    assert blobs.has(SHA256)
    await blobs.delete(SHA256)
    await blobs.delete(SHA256)
    assert not blobs.has(SHA256)


@pytest.mark.parametrize("name", ["", "..", "../" * 10 + "etc/passwd", SHA256.upper(), SHA256[1:], SHA256 + "\n"])
async def test_what_is_no_hash_names_no_file(blobs: BlobStore, name: str):
    assert not blobs.has(name)
    with pytest.raises(NotFound):
        blobs.path(name)


async def test_leftovers_of_a_crash_are_cleaned_and_kept_files_are_not(blobs: BlobStore):
    await blobs.add_bytes(DATA, "image/png")
    blobs.scratch().write_bytes(b"half")
    again = BlobStore(blobs.root)
    assert again.clean() == 1
    assert leftovers(again) == []
    assert again.has(SHA256)


async def test_a_file_that_is_to_be_gone_on_with_outlives_a_restart_for_a_day(blobs: BlobStore):
    path = blobs.partial("job-0")
    path.write_bytes(b"half")
    again = BlobStore(blobs.root)
    assert again.clean() == 0
    assert again.partial("job-0") == path
    assert path.read_bytes() == b"half"

    os.utime(path, (0, 0))
    again.partial("job-1")
    assert not path.exists()
