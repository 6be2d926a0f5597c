"""Resumable downloads: which part of a file is on disk, and whether a response continues it.

Facts: RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range), 14.4 (Content-Range) and 15.5.17 (416).
"""

import email.utils
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from framegate.domain.json import as_object
from framegate.net import codings

CHUNK_BYTES = 2**20
NOTE_SUFFIX = ".note"  # the note beside a partial file: its validator and its total size
DATE_SECONDS_MIN = 1.0  # a Last-Modified younger than this cannot tell two versions of a file apart
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")


class Mismatch(Exception):
    """The response does not continue the partial file, which was deleted: the next try starts from the beginning."""


def note_path(path: Path) -> Path:
    """The path of the note beside a partial file."""
    return path.with_name(path.name + NOTE_SUFFIX)


def discard(path: Path) -> None:
    """Delete a partial file and its note."""
    path.unlink(missing_ok=True)
    note_path(path).unlink(missing_ok=True)


class ResumableFile:
    """The file at `path` during its download.

    If `resumable`, an interrupted download keeps its part, and the next try, in this process or another, continues
    there if the server confirms by an ETag or a date that it still has the same file. Otherwise each try starts anew.
    """

    def __init__(self, path: Path, *, resumable: bool = False) -> None:
        self.path = path
        self.resumable = resumable
        self.size = 0  # valid bytes on disk
        self.total: int | None = None  # size of the complete file, if the server reports it
        self._validator = ""
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None

    def request_headers(self) -> dict[str, str]:
        """Headers that request the missing part; none if there is nothing to continue."""
        note = self._note()
        validator, total = note.get("validator"), note.get("total")
        size = self.path.stat().st_size if note and self.path.is_file() else 0
        if isinstance(total, int):
            size = min(size, total - 1)  # of a complete file the last byte is requested again: a range is never empty
        if not isinstance(validator, str) or size <= 0:
            return {}
        self.size, self._validator, self.total = size, validator, total if isinstance(total, int) else None
        return {"range": f"bytes={size}-", "if-range": validator}

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Open the file where the body of this response belongs. Raises `Mismatch`."""
        if status in (206, 416):
            self._continue(status, headers)
            return
        length = headers.get("content-length", "")
        self.size, self.total = 0, int(length) if length.isdecimal() else None
        self._file = self.path.open("wb")  # truncated before the note changes: old bytes never meet a new note
        self._validator = _validator(headers)
        if self.resumable:
            note = {"validator": self._validator or None, "total": self.total}
            note_path(self.path).write_text(json.dumps(note), encoding="utf-8")

    def write(self, chunk: bytes) -> None:
        """Append a part of the body."""
        if self._file is None:
            raise ValueError("the file is not open")
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes on disk."""
        return self._digest.hexdigest()

    @property
    def is_complete(self) -> bool:
        """Whether the file has the size that the server reported, if it did."""
        return self.total is None or self.size == self.total

    def unpack(self, encoding: str, *, bytes_max: int) -> None:
        """Remove the content codings of the complete file. Raises `Unpackable`, after which nothing can be resumed."""
        try:
            unpacked = codings.unpack(self.path, encoding, bytes_max=bytes_max)
        except codings.Unpackable:
            discard(self.path)
            raise
        if unpacked is None:
            return
        note_path(self.path).unlink(missing_ok=True)  # first: the next try never continues other bytes
        unpacked.replace(self.path)
        self.size = self.total = self.path.stat().st_size
        with self.path.open("rb") as file:
            self._digest = hashlib.file_digest(file, hashlib.sha256)

    def discard_unless_resumable(self) -> None:
        """After an interrupted try: delete a file that no later try could continue."""
        if not (self.resumable and self._validator and self.path.is_file() and self.path.stat().st_size):
            discard(self.path)

    def _continue(self, status: int, headers: Mapping[str, str]) -> None:
        content_range = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        start = int(content_range[1]) if content_range else None
        total = int(content_range[2]) if content_range and content_range[2] != "*" else None
        has_other_size = self.total is not None and total not in (None, self.total)
        etag = headers.get("etag")
        has_other_etag = etag is not None and self._validator.startswith('"') and etag != self._validator
        if status == 416 or not self.size or start != self.size or has_other_size or has_other_etag:
            discard(self.path)
            raise Mismatch
        self.total = self.total if total is None else total
        self._file = file = self.path.open("r+b")
        file.truncate(self.size)
        while chunk := file.read(CHUNK_BYTES):
            self._digest.update(chunk)

    def _note(self) -> dict[str, Any]:
        if not self.resumable:
            return {}
        try:
            return as_object(json.loads(note_path(self.path).read_bytes()))
        except (OSError, ValueError):
            return {}


def _validator(headers: Mapping[str, str]) -> str:
    """The header value that identifies this version of the file; empty if there is none."""
    etag = headers.get("etag", "")
    if etag:
        return etag if re.fullmatch(r'"[\x21\x23-\x7e]{0,500}"', etag) else ""  # a weak one does not compare bytes
    try:
        changed_at = email.utils.parsedate_to_datetime(headers.get("last-modified", ""))
        sent_at = email.utils.parsedate_to_datetime(headers.get("date", ""))
        is_strong = (sent_at - changed_at).total_seconds() >= DATE_SECONDS_MIN
    except (ValueError, TypeError):
        return ""
    return headers["last-modified"] if is_strong else ""
