"""The content-addressed store: a file lies under its own SHA-256, whole or not at all."""

import hashlib
import math
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread

from framegate.domain import Blob
from framegate.domain.errors import NotFound, TooLarge

CHUNK_BYTES = 2**20
PARTIAL = ".part"
PARTIAL_SECONDS_MAX = 24 * 3600.0
SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Files under `root`, each at `root/ab/abcdef…`.

    A file is written beside its place, forced to disk and then renamed, so a crash leaves no half file under a hash,
    and two writers of the same content do not disturb each other.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tmp = root / "tmp"
        self._tmp.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the file with this hash lies, if it is kept. Raises `NotFound` for what is no hash."""
        if not SHA256.fullmatch(sha256):
            raise NotFound("A file is named by its SHA-256: 64 digits of 0-9 and a-f.")
        return self.root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the file with this hash is kept."""
        return bool(SHA256.fullmatch(sha256)) and self.path(sha256).is_file()

    def partial(self, name: str) -> Path:
        """Where a file comes in that may take several tries, by a name that is the same at each.

        A crash leaves it there; one that nobody has gone on with for a day is removed.
        """
        now = time.time()
        for path in self._tmp.glob(f"*{PARTIAL}*"):
            with suppress(FileNotFoundError):  # another process was here first
                if now - path.stat().st_mtime > PARTIAL_SECONDS_MAX:
                    path.unlink()
        return self._tmp / f"{name}{PARTIAL}"

    def scratch(self, suffix: str = "") -> Path:
        """A new name for a file that is still being made; `clean` removes what a crash leaves there."""
        handle, name = tempfile.mkstemp(suffix=suffix, dir=self._tmp)
        os.close(handle)
        return Path(name)

    async def add_bytes(self, data: bytes, media_type: str) -> Blob:
        """Keep these bytes."""

        def add() -> Blob:
            path = self.scratch()
            try:
                with path.open("wb") as file:
                    file.write(data)
                    _to_disk(file)
                return self._settle(path, hashlib.sha256(data).hexdigest(), len(data), media_type)
            finally:
                path.unlink(missing_ok=True)

        return await anyio.to_thread.run_sync(add)

    async def add_file(self, path: Path, media_type: str, *, move: bool = False) -> Blob:
        """Keep a copy of the file, or with `move` the file itself, which is then gone from where it lay."""
        return await anyio.to_thread.run_sync(self._add_file, path, media_type, move)

    async def add_stream(self, stream: AsyncIterator[bytes], media_type: str, *, bytes_max: int) -> Blob:
        """Keep what the stream brings. Raises `TooLarge`, and keeps nothing, once it exceeds `bytes_max`."""
        path = await anyio.to_thread.run_sync(self.scratch)
        try:
            size, sha256 = await write_stream(stream, path, bytes_max=bytes_max)
            return await anyio.to_thread.run_sync(self._settle, path, sha256, size, media_type)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.Path(path).unlink(missing_ok=True)

    async def delete(self, sha256: str) -> None:
        """Remove the file with this hash, if it is kept."""
        await anyio.Path(self.path(sha256)).unlink(missing_ok=True)

    def older_than(self, seconds: float) -> frozenset[str]:
        """The hashes of the files that were last kept so long ago."""
        before = time.time() - seconds
        kept = (path for path in self.root.glob("[0-9a-f][0-9a-f]/*") if SHA256.fullmatch(path.name))
        return frozenset(path.name for path in kept if _kept_at(path) < before)

    def remove_old(self, sha256: str, seconds: float) -> bool:
        """Remove the file with this hash, unless it was kept anew in the last so many seconds; says whether it was."""
        path = self.path(sha256)
        old = _kept_at(path) < time.time() - seconds
        if old:
            path.unlink(missing_ok=True)
        return old

    def clean(self) -> int:
        """Remove the unfinished files that a crash left, but those to be gone on with; returns their number.

        Only for the owner, at its start.
        """
        leftovers = [path for path in self._tmp.iterdir() if path.is_file() and PARTIAL not in path.name]
        for path in leftovers:
            path.unlink(missing_ok=True)
        return len(leftovers)

    def _add_file(self, source: Path, media_type: str, move: bool) -> Blob:
        if move and source.stat().st_dev == self._tmp.stat().st_dev:
            with source.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                _to_disk(file)
            return self._settle(source, sha256, source.stat().st_size, media_type)
        path = self.scratch()
        try:
            digest, size = hashlib.sha256(), 0
            with source.open("rb") as read, path.open("wb") as write:
                while chunk := read.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += write.write(chunk)
                _to_disk(write)
            blob = self._settle(path, digest.hexdigest(), size, media_type)
        finally:
            path.unlink(missing_ok=True)
        if move:
            source.unlink(missing_ok=True)
        return blob

    def _settle(self, path: Path, sha256: str, size: int, media_type: str) -> Blob:
        place = self.path(sha256)
        if not place.parent.is_dir():
            place.parent.mkdir(exist_ok=True)
            _folder_to_disk(self.root)
        path.replace(place)
        _folder_to_disk(place.parent)
        return Blob(sha256=sha256, size_bytes=size, media_type=media_type)


async def write_stream(stream: AsyncIterator[bytes], path: Path, *, bytes_max: int) -> tuple[int, str]:
    """Write a stream into a file and force it to disk; returns its size and SHA-256. Raises `TooLarge`."""
    digest, size = hashlib.sha256(), 0
    file = await anyio.to_thread.run_sync(lambda: path.open("wb"))

    def write(chunk: bytes) -> None:
        digest.update(chunk)
        file.write(chunk)

    try:
        async for chunk in stream:
            size += len(chunk)
            if size > bytes_max:
                raise TooLarge(f"The file is larger than {bytes_max:,} bytes, the most that is taken here.")
            await anyio.to_thread.run_sync(write, chunk)
        await anyio.to_thread.run_sync(_to_disk, file)
    finally:
        file.close()
    return size, digest.hexdigest()


def _kept_at(path: Path) -> float:
    """When a file was last kept; the end of time for one that is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
