"""Blob storage: content-addressed files, each complete or absent."""

import hashlib
import math
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import anyio

from framegate.domain import Blob
from framegate.domain.errors import NotFound, TooLarge, Unavailable
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.storage import disk
from framegate.storage.private import FILE_MODE, make_private_folder
from framegate.telemetry.outage import OutageLog

CHUNK_BYTES = 2**20
PARTIAL = ".part"
PARTIAL_SECONDS_MAX = 24 * 3600.0
SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Local folder of blobs, each at `root/ab/abcdef…`.

    A file is written under a temporary name, flushed to disk and renamed: a crash leaves no partial file under a hash,
    and two writers of the same content do not conflict.
    """

    def __init__(self, root: Path, *, machine: Machine = REAL_MACHINE, free_bytes_min: int = 0) -> None:
        self.root = root
        self.machine = machine
        self.free_bytes_min = free_bytes_min
        self.outage = OutageLog("Data folder", machine.monotonic)
        self._tmp = root / "tmp"
        make_private_folder(self._tmp)

    async def trouble(self) -> Unavailable | None:
        """Return why nothing new should begin: the folder is gone, read-only or nearly full. None if all is well."""
        return await self.machine.run_in_thread(disk.trouble, self._tmp, self.free_bytes_min)

    async def check_room(self) -> None:
        """Raise what `trouble` returns."""
        if trouble := await self.trouble():
            raise trouble

    def path(self, sha256: str) -> Path:
        """Return the path of a blob, stored or not. Raises `NotFound` if `sha256` is not a hash."""
        if not SHA256.fullmatch(sha256):
            raise NotFound("A file is named by its SHA-256: 64 characters of 0-9 and a-f.")
        return self.root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether a blob is stored."""
        return bool(SHA256.fullmatch(sha256)) and self.path(sha256).is_file()

    def partial(self, name: str) -> Path:
        """Return the path of a resumable download, the same for every attempt.

        It survives a crash; one that is not continued for a day is removed.
        """
        now = self.machine.now()
        for path in self._tmp.glob(f"*{PARTIAL}*"):
            with suppress(FileNotFoundError):  # removed by another process
                if now - path.stat().st_mtime > PARTIAL_SECONDS_MAX:
                    path.unlink()
        return self._tmp / f"{name}{PARTIAL}"

    def scratch(self, suffix: str = "") -> Path:
        """Return a new temporary path; `clean` removes what a crash leaves."""
        handle, name = tempfile.mkstemp(suffix=suffix, dir=self._tmp)
        os.close(handle)
        return Path(name)

    async def add_bytes(self, data: bytes, media_type: str) -> Blob:
        """Store bytes."""

        def add() -> Blob:
            path = self.scratch()
            try:
                with path.open("wb") as file:
                    file.write(data)
                    _flush(file)
                return self._commit(path, hashlib.sha256(data).hexdigest(), len(data), media_type)
            finally:
                path.unlink(missing_ok=True)

        return await self.machine.run_in_thread(add)

    async def add_file(self, path: Path, media_type: str, *, move: bool = False) -> Blob:
        """Store a copy of a file, or with `move` the file itself."""
        return await self.machine.run_in_thread(self._add_file, path, media_type, move)

    async def add_stream(self, stream: AsyncIterator[bytes], media_type: str, *, bytes_max: int) -> Blob:
        """Store a stream. Raises `TooLarge` and stores nothing if it exceeds `bytes_max`."""
        path = await self.machine.run_in_thread(self.scratch)
        try:
            size, sha256 = await self.write_stream(stream, path, bytes_max=bytes_max)
            return await self.machine.run_in_thread(self._commit, path, sha256, size, media_type)
        finally:
            with anyio.CancelScope(shield=True):
                await self.machine.run_in_thread(_unlink, path)

    async def delete(self, sha256: str) -> None:
        """Delete a blob, if it is stored."""
        await self.machine.run_in_thread(_unlink, self.path(sha256))

    def older_than(self, seconds: float) -> frozenset[str]:
        """Return the hashes of the blobs last stored at least `seconds` ago."""
        before = self.machine.now() - seconds
        paths = (path for path in self.root.glob("[0-9a-f][0-9a-f]/*") if SHA256.fullmatch(path.name))
        return frozenset(path.name for path in paths if _stored_at(path) < before)

    def remove_old(self, sha256: str, seconds: float) -> bool:
        """Delete a blob unless it was stored again in the last `seconds`; return whether it was old."""
        path = self.path(sha256)
        old = _stored_at(path) < self.machine.now() - seconds
        if old:
            path.unlink(missing_ok=True)
        return old

    def clean(self) -> int:
        """Delete the temporary files that a crash left, except resumable downloads; return their number.

        Only for the process that owns the folder, at start.
        """
        leftovers = [path for path in self._tmp.iterdir() if path.is_file() and PARTIAL not in path.name]
        for path in leftovers:
            path.unlink(missing_ok=True)
        return len(leftovers)

    async def write_stream(self, stream: AsyncIterator[bytes], path: Path, *, bytes_max: int) -> tuple[int, str]:
        """Write a stream into a file and flush it to disk; return its size and SHA-256. Raises `TooLarge`."""
        digest, size = hashlib.sha256(), 0
        file: BinaryIO = await self.machine.run_in_thread(lambda: path.open("wb"))

        def write(chunk: bytes) -> None:
            digest.update(chunk)
            file.write(chunk)

        try:
            async for chunk in stream:
                size += len(chunk)
                if size > bytes_max:
                    raise TooLarge(f"The file is larger than the maximum of {bytes_max:,} bytes.")
                await self.machine.run_in_thread(write, chunk)
            await self.machine.run_in_thread(_flush, file)
        finally:
            file.close()
        return size, digest.hexdigest()

    def _add_file(self, source: Path, media_type: str, move: bool) -> Blob:
        if move and source.stat().st_dev == self._tmp.stat().st_dev:
            with source.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                _flush(file)
            return self._commit(source, sha256, source.stat().st_size, media_type)
        path = self.scratch()
        try:
            digest, size = hashlib.sha256(), 0
            with source.open("rb") as read, path.open("wb") as write:
                while chunk := read.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += write.write(chunk)
                _flush(write)
            blob = self._commit(path, digest.hexdigest(), size, media_type)
        finally:
            path.unlink(missing_ok=True)
        if move:
            source.unlink(missing_ok=True)
        return blob

    def _commit(self, path: Path, sha256: str, size: int, media_type: str) -> Blob:
        place = self.path(sha256)
        if not place.parent.is_dir():
            make_private_folder(place.parent)
            _flush_folder(self.root)
        path.chmod(FILE_MODE)
        path.replace(place)
        _flush_folder(place.parent)
        self.outage.worked()
        return Blob(sha256=sha256, size_bytes=size, media_type=media_type)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _stored_at(path: Path) -> float:
    """Return when a file was last stored; infinity for a missing one."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
