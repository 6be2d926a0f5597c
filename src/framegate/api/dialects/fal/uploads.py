"""Uploaded files: a record and, until it is whole, its parts, each upload in a folder of its own."""

import hashlib
import hmac
import json
import re
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from framegate.api.context import ApiContext
from framegate.api.dialects.fal.responses import file_token
from framegate.domain import Blob, Problem, Reference, Request
from framegate.domain.errors import FramegateError, Gone, InvalidRequest, NotFound
from framegate.domain.machine import Machine

UNFINISHED_SECONDS_MAX = 24 * 3600
PARTS_MAX = 10_000
PART_BYTES_MAX = 64 * 2**20
NAME_CHARS_MAX = 100
PIECE_BYTES = 2**20
ID = re.compile(r"[0-9a-f]{32}")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
UPLOADED = re.compile(r"/cdn/files/([0-9a-f]{32})/[^/]+$")
MADE = re.compile(r"/cdn/files/([0-9a-f-]{36})/(\d{1,2})/([0-9a-f]{32})\.mp4$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that a client hands over, from its announcement on. Nobody can guess its id: 128 random bits."""

    id: str
    owner: str
    name: str
    created_at: float
    expires_at: float | None = None
    private: bool = False
    sha256: str = ""  # once it is whole
    media_type: str = ""
    size_bytes: int = 0

    @property
    def path(self) -> str:
        """Its address within the dialect."""
        return f"/cdn/files/{self.id}/{self.name}"

    def blob(self, *, now: float) -> Blob:
        """Return the stored file. Raises `NotFound` before it is complete, `Gone` once it has expired."""
        if not self.sha256:
            raise NotFound("This file was announced, but has not been uploaded yet.")
        if self.expires_at is not None and now >= self.expires_at:
            raise Gone("This file was uploaded to be kept for a while, which is over.")
        return Blob(sha256=self.sha256, media_type=self.media_type, size_bytes=self.size_bytes)


class Uploads:
    """The uploads below one folder."""

    def __init__(self, gate: ApiContext) -> None:
        self._folder = gate.settings.data_dir / "uploads"
        self._jobs = gate.jobs
        self._machine = gate.machine
        self._bytes_max = gate.settings.video_bytes_max

    async def begin(self, owner: str, name: str, *, keep_seconds: int | None = None, private: bool = False) -> Upload:
        """Announce a file."""
        now = self._machine.now()
        upload = Upload(
            id=self._machine.random_bytes(16).hex(),
            owner=owner,
            name=UNSAFE.sub("-", name)[-NAME_CHARS_MAX:].strip(".-") or "file",
            created_at=now,
            expires_at=None if keep_seconds is None else now + keep_seconds,
            private=private,
        )
        await self._machine.run_in_thread(self._sweep, now)
        await self._machine.run_in_thread(self._write, upload)
        return upload

    async def get(self, upload_id: str) -> Upload:
        """An upload by its id. Raises `NotFound`."""
        return await self._machine.run_in_thread(self._read, upload_id)

    async def fill(self, upload: Upload, stream: AsyncIterator[bytes], media_type: str) -> Upload:
        """Take the whole file; a second time, in the place of the first.

        Raises what `Jobs.add_asset` does of what is no picture, video or sound.
        """
        kind = media_type if media_type.startswith(("image/", "video/", "audio/")) else None
        blob = await self._jobs.add_asset(stream, owner=upload.owner, media_type=kind)
        whole = replace(upload, sha256=blob.sha256, media_type=blob.media_type, size_bytes=blob.size_bytes)
        await self._machine.run_in_thread(self._write, whole)
        return whole

    async def add_part(self, upload: Upload, number: int, stream: AsyncIterator[bytes]) -> str:
        """Take one part, numbered from 1; its ETag. Raises `TooLarge`."""
        if not 1 <= number <= PARTS_MAX:
            raise _refused(f"Parts are numbered from 1 to {PARTS_MAX}, not {number}.")
        path = self._folder / upload.id / f"{number}.part"
        _, sha256 = await self._jobs.blobs.write_stream(stream, path, bytes_max=min(PART_BYTES_MAX, self._bytes_max))
        return f'"{sha256}"'

    async def complete(self, upload: Upload, parts: Sequence[tuple[int, str]]) -> Upload:
        """Put the parts together. Raises `InvalidRequest` where they are not those that were taken."""
        if upload.sha256:  # asked again, since the first answer was lost
            return upload
        parts = sorted(parts)  # fal's Python client tells them in the order in which they were done
        numbers = [number for number, _ in parts]
        if numbers != list(range(1, len(parts) + 1)):
            raise _refused("`parts` must name every part from 1 on, each once.")
        paths = [self._folder / upload.id / f"{number}.part" for number in numbers]
        for path, (number, etag) in zip(paths, parts, strict=True):
            known = await self._machine.run_in_thread(_etag, path)
            if known is None or etag.strip('"') != known:
                raise _refused(f"Part {number} was not taken as it is told of. Send it again.")
        whole = await self.fill(upload, _pieces(paths, self._machine), "")
        for path in paths:
            path.unlink(missing_ok=True)
        return whole

    def _read(self, upload_id: str) -> Upload:
        if ID.fullmatch(upload_id):
            try:
                return Upload(**json.loads((self._folder / upload_id / "upload.json").read_text("utf-8")))
            except FileNotFoundError:
                pass
        raise NotFound("There is no such file here.")

    def _write(self, upload: Upload) -> None:
        folder = self._folder / upload.id
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{self._machine.random_bytes(4).hex()}.tmp"
        beside.write_text(json.dumps(asdict(upload)), "utf-8")
        beside.replace(folder / "upload.json")

    def _sweep(self, now: float) -> None:
        """Forget what was announced and never came, and what has expired."""
        marker = self._folder / "swept"
        if marker.is_file() and now - marker.stat().st_mtime < UNFINISHED_SECONDS_MAX / 24:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        marker.touch()
        for folder in self._folder.iterdir():
            if not ID.fullmatch(folder.name):
                continue
            try:
                upload = self._read(folder.name)
            except NotFound:
                continue
            late = not upload.sha256 and now - upload.created_at > UNFINISHED_SECONDS_MAX
            if late or (upload.expires_at is not None and now > upload.expires_at):
                shutil.rmtree(folder, ignore_errors=True)


def signature_of(upload: Upload, secret: bytes) -> str:
    """What permits filling an upload without a key."""
    return hmac.new(secret, f"fal upload\n{upload.id}".encode(), hashlib.sha256).hexdigest()


async def own_references(wanted: Request, gate: ApiContext, owner: str) -> Request:
    """The request with the addresses of our own files, uploaded or made, in the place of what would be fetched."""
    kept = [await _own(reference, gate, owner) for reference in wanted.references]
    return replace(wanted, references=tuple(kept))


async def _own(reference: Reference, gate: ApiContext, owner: str) -> Reference:
    blob = await _blob_at(reference.url, gate, owner)
    return reference if blob is None else replace(reference, url=await gate.jobs.share(blob, owner=owner))


async def _blob_at(url: str, gate: ApiContext, owner: str) -> Blob | None:
    """The file that an address of ours stands for; None for all others, which are fetched, or not, like any."""
    if not url[:8].lower().startswith(("http://", "https://")):
        return None
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    try:
        if uploaded := UPLOADED.search(path):
            upload = await Uploads(gate).get(uploaded[1])
            return upload.blob(now=gate.machine.now()) if upload.owner == owner or not upload.private else None
        made = MADE.search(path)
        if made and hmac.compare_digest(made[3], file_token(made[1], int(made[2]), gate.jobs.secret)):
            return (await gate.jobs.linked_output(made[1], index=int(made[2]))).blob
    except FramegateError:
        return None
    return None


async def _pieces(paths: Sequence[Path], machine: Machine) -> AsyncGenerator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while piece := await machine.run_in_thread(file.read, PIECE_BYTES):
                yield piece


def _etag(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_value", pointer="/parts", message=message)])
