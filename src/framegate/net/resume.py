"""A file that comes in over several tries: what of it is here, and whether a server's answer goes on from there.

Facts: RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range), 14.4 (Content-Range) and 15.5.17 (416).
"""

import email.utils
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

CHUNK_BYTES = 2**20
NOTE = ".note"  # what is known of a partial file lies beside it, under its name with this
CLOCK_SECONDS = 1.0  # a date of the last change is too coarse to tell versions apart when it is younger than this
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")


class Mismatch(Exception):
    """The answer does not go on from what is here, which is forgotten: the next try begins anew."""


def note_of(path: Path) -> Path:
    """Where what is known of a partial file lies."""
    return path.with_name(path.name + NOTE)


def discard(path: Path) -> None:
    """Remove a partial file, and what is known of it."""
    path.unlink(missing_ok=True)
    note_of(path).unlink(missing_ok=True)


class ResumableFile:
    """The file at `path` while it comes in.

    With `kept`, what has come stays when a try breaks off, and the next one, in this process or another, goes on from
    there if the server says by an ETag or a date that it still has the same file. Else each try begins anew.
    """

    def __init__(self, path: Path, *, kept: bool = False) -> None:
        self.path = path
        self.kept = kept
        self.size = 0  # bytes that are here and good
        self.total: int | None = None  # bytes of the whole, where the server says
        self._validator = ""
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None

    def request_headers(self) -> dict[str, str]:
        """The headers that ask for the rest; none where there is nothing to go on from."""
        note = self._note()
        validator, total = note.get("validator"), note.get("total")
        here = self.path.stat().st_size if note and self.path.is_file() else 0
        if isinstance(total, int):
            here = min(here, total - 1)  # of a file that is all here the last byte is asked for again: nothing is not
        if not isinstance(validator, str) or here <= 0:
            return {}
        self.size, self._validator, self.total = here, validator, total if isinstance(total, int) else None
        return {"range": f"bytes={here}-", "if-range": validator}

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Make ready to write this answer's body where it belongs. Raises `Mismatch`."""
        if status in (206, 416):
            self._go_on(status, headers)
            return
        length = headers.get("content-length", "")
        self.size, self.total = 0, int(length) if length.isdecimal() else None
        self._file = self.path.open("wb")  # emptied before the note changes: never old bytes under a new one
        self._validator = _validator(headers)
        if self.kept:
            note = {"validator": self._validator or None, "total": self.total}
            note_of(self.path).write_text(json.dumps(note), encoding="utf-8")

    def write(self, part: bytes) -> None:
        """Add what has come."""
        if self._file is None:
            raise ValueError("The file is not open.")
        self._file.write(part)
        self._digest.update(part)
        self.size += len(part)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    @property
    def sha256(self) -> str:
        """The SHA-256 of all that is here."""
        return self._digest.hexdigest()

    @property
    def is_complete(self) -> bool:
        """Whether as much is here as the server said there is, if it did."""
        return self.total is None or self.size == self.total

    def discard_unless_resumable(self) -> None:
        """End a try that broke off: what no later one could go on from is removed."""
        if not (self.kept and self._validator and self.path.is_file() and self.path.stat().st_size):
            discard(self.path)

    def _go_on(self, status: int, headers: Mapping[str, str]) -> None:
        told = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        start, total = (int(told[1]), None if told[2] == "*" else int(told[2])) if told else (None, None)
        other = self.total is not None and total not in (None, self.total)
        etag = headers.get("etag")
        changed = etag is not None and self._validator.startswith('"') and etag != self._validator
        if status == 416 or not self.size or start != self.size or other or changed:
            discard(self.path)
            raise Mismatch
        self.total = self.total if total is None else total
        self._file = file = self.path.open("r+b")
        file.truncate(self.size)
        while chunk := file.read(CHUNK_BYTES):
            self._digest.update(chunk)

    def _note(self) -> dict[str, Any]:
        if not self.kept:
            return {}
        try:
            value: object = json.loads(note_of(self.path).read_bytes())
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _validator(headers: Mapping[str, str]) -> str:
    """What tells this version of the file from every other; empty where the server gives nothing that does."""
    etag = headers.get("etag", "")
    if etag:
        return etag if re.fullmatch(r'"[\x21\x23-\x7e]{0,500}"', etag) else ""  # a weak one does not hold for bytes
    try:
        changed = email.utils.parsedate_to_datetime(headers.get("last-modified", ""))
        answered = email.utils.parsedate_to_datetime(headers.get("date", ""))
        old = (answered - changed).total_seconds() >= CLOCK_SECONDS
    except (ValueError, TypeError):
        return ""
    return headers["last-modified"] if old else ""
