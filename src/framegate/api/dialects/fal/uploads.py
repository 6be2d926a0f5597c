"""Storage of uploads: a folder per upload, with its record and the parts that have not been assembled yet."""

import hashlib
import json
import re
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from framegate.api.auth import Authenticator
from framegate.api.context import ApiContext
from framegate.api.http.signing import Signer
from framegate.domain import Blob, Problem
from framegate.domain.errors import Gone, InvalidRequest, NotFound, PrivateFile
from framegate.domain.machine import Machine
from framegate.storage.private import make_private_folder

UPLOAD_PURPOSE = "fal upload"
UNFINISHED_SECONDS_MAX = 24 * 3600
SWEEP_SECONDS = 3600
PARTS_MAX = 1_000  # each is three values of the JSON that completes the upload
PART_BYTES_MAX = 64 * 2**20
NAME_CHARS_MAX = 100
CHUNK_BYTES = 2**20
ID_BYTES = 16  # an id of 128 random bits cannot be guessed
ID = re.compile(r"[0-9a-f]{32}")
UNSAFE_CHARS = re.compile(r"[^A-Za-z0-9._-]+")
UPLOAD_PATH = re.compile(r"/files/([0-9a-f]{32})/[^/]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """File that a client uploads, from the request for an upload URL on."""

    id: str
    owner: str
    name: str
    created_at: float
    expires_at: float | None = None
    private: bool = False
    credential: str = ""  # of the key that uploads it: its public URL ends with the key
    sha256: str = ""  # empty until the upload is complete
    media_type: str = ""
    size_bytes: int = 0

    @property
    def path(self) -> str:
        """Path of the file below the base URL of the API."""
        return f"/cdn/files/{self.id}/{self.name}"

    def blob(self, *, now: float) -> Blob:
        """Return the stored file. Raises `NotFound` before it is complete, `Gone` once it has expired."""
        if not self.sha256:
            raise NotFound("The upload of this file is not complete.")
        if self.expires_at is not None and now >= self.expires_at:
            raise Gone("This file has expired.")
        return Blob(sha256=self.sha256, media_type=self.media_type, size_bytes=self.size_bytes)


class Uploads:
    """Uploads below the data folder."""

    def __init__(self, context: ApiContext) -> None:
        self._folder = context.settings.data_dir / "uploads"
        self._jobs = context.jobs
        self._machine = context.machine
        self._bytes_max = context.settings.video_bytes_max

    async def begin(
        self, owner: str, name: str, *, credential: str = "", retain_seconds: int | None = None, private: bool = False
    ) -> Upload:
        """Register an upload."""
        now = self._machine.now()
        upload = Upload(
            id=self._machine.random_bytes(ID_BYTES).hex(),
            owner=owner,
            name=UNSAFE_CHARS.sub("-", name)[-NAME_CHARS_MAX:].strip(".-") or "file",
            created_at=now,
            expires_at=None if retain_seconds is None else now + retain_seconds,
            private=private,
            credential=credential,
        )
        await self._machine.run_in_thread(self._sweep, now)
        await self._machine.run_in_thread(self._write, upload)
        return upload

    async def get(self, upload_id: str) -> Upload:
        """Return an upload. Raises `NotFound`."""
        return await self._machine.run_in_thread(self._read, upload_id)

    async def store(self, upload: Upload, stream: AsyncIterator[bytes], media_type: str) -> Upload:
        """Store the whole file; a repeated upload replaces the file.

        Raises what `JobService.add_asset` raises for a file that is no image, video or audio.
        """
        kind = media_type if media_type.startswith(("image/", "video/", "audio/")) else None
        blob = await self._jobs.add_asset(stream, owner=upload.owner, media_type=kind)
        upload = replace(upload, sha256=blob.sha256, media_type=blob.media_type, size_bytes=blob.size_bytes)
        await self._machine.run_in_thread(self._write, upload)
        return upload

    async def add_part(self, upload: Upload, number: int, stream: AsyncIterator[bytes]) -> str:
        """Store one part, numbered from 1; return its ETag. Raises `TooLarge`."""
        if not 1 <= number <= PARTS_MAX:
            raise _invalid_parts(f"Part number {number} is out of range: parts are numbered from 1 to {PARTS_MAX}.")
        path = self._part_path(upload, number)
        _, sha256 = await self._jobs.blobs.write_stream(stream, path, bytes_max=min(PART_BYTES_MAX, self._bytes_max))
        return f'"{sha256}"'

    async def complete(self, upload: Upload, parts: Sequence[tuple[int, str]]) -> Upload:
        """Assemble the parts. Raises `InvalidRequest` if a part is missing or has another ETag."""
        if upload.sha256:  # a repeated request, because the first response was lost
            return upload
        parts = sorted(parts)  # fal's Python client sends them in the order of their completion
        numbers = [number for number, _ in parts]
        if numbers != list(range(1, len(parts) + 1)):
            raise _invalid_parts("`parts` must list every part from 1 on, each once.")
        paths = [self._part_path(upload, number) for number in numbers]
        for path, (number, etag) in zip(paths, parts, strict=True):
            stored_etag = await self._machine.run_in_thread(_etag, path)
            if stored_etag is None or etag.strip('"') != stored_etag:
                raise _invalid_parts(f"Part {number} is missing or does not match its ETag. Send it again.")
        upload = await self.store(upload, _chunks(paths, self._machine), "")
        for path in paths:
            path.unlink(missing_ok=True)
        return upload

    def _part_path(self, upload: Upload, number: int) -> Path:
        return self._folder / upload.id / f"{number}.part"

    def _read(self, upload_id: str) -> Upload:
        if ID.fullmatch(upload_id):
            try:
                return Upload(**json.loads((self._folder / upload_id / "upload.json").read_text("utf-8")))
            except FileNotFoundError:
                pass
        raise NotFound("File not found.")

    def _write(self, upload: Upload) -> None:
        folder = self._folder / upload.id
        make_private_folder(folder)
        temporary = folder / f"{self._machine.random_bytes(4).hex()}.tmp"
        temporary.write_text(json.dumps(asdict(upload)), "utf-8")
        temporary.replace(folder / "upload.json")

    def _sweep(self, now: float) -> None:
        """Delete uploads that have expired or were never completed, at most once an hour."""
        marker = self._folder / "swept"
        try:
            swept_at = float(marker.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            swept_at = 0.0
        if now - swept_at < SWEEP_SECONDS:
            return
        make_private_folder(self._folder)
        marker.write_text(str(now), "utf-8")
        for folder in self._folder.iterdir():
            if not ID.fullmatch(folder.name):
                continue
            try:
                upload = self._read(folder.name)
            except NotFound:
                continue
            is_abandoned = not upload.sha256 and now - upload.created_at > UNFINISHED_SECONDS_MAX
            if is_abandoned or (upload.expires_at is not None and now > upload.expires_at):
                shutil.rmtree(folder, ignore_errors=True)


async def is_public(upload: Upload, keys: Authenticator) -> bool:
    """Whether the holder of an upload's URL may read it without a key."""
    return not upload.private and await keys.is_valid(upload.credential)


def sign_upload(signer: Signer, upload: Upload) -> str:
    """Return the signature that permits uploading a file without a key."""
    return signer.sign(UPLOAD_PURPOSE, upload.id)


async def uploaded_blob(context: ApiContext, path: str, owner: str) -> Blob | None:
    """Return the upload that the path of a URL names, if its owner or the public may read it; None for another URL.

    Raises `NotFound` for an incomplete one, `PrivateFile` and `Gone`.
    """
    match = UPLOAD_PATH.search(path)
    try:
        upload = await Uploads(context).get(match[1]) if match else None
    except NotFound:  # of another gateway
        return None
    if upload is None:
        return None
    if upload.owner != owner and not await is_public(upload, context.keys):
        raise PrivateFile
    return upload.blob(now=context.machine.now())


async def _chunks(paths: Sequence[Path], machine: Machine) -> AsyncGenerator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while chunk := await machine.run_in_thread(file.read, CHUNK_BYTES):
                yield chunk


def _etag(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _invalid_parts(message: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_value", pointer="/parts", message=message)])
