"""Index of an MP4 or QuickTime file, judged before a demuxer builds it: a small file can state a huge one.

The tables of a track state its samples in few bytes: their number, one size for all, runs of chunks and of times
(ISO/IEC 14496-12, 8.6 to 8.8). A demuxer expands them to one entry for each sample.
"""

import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from framegate.media.unreadable import Unreadable

SAMPLES_MAX = 2_000_000  # of all tracks; an hour of 60 frames per second with sound has 400,000
BOXES_MAX = 100_000
DEPTH_MAX = 8
EDITS_MAX = 4_000_000  # entries of an edit list times samples of its track
TIMES_SLACK = 1_000  # samples that the table of times may state too many
_PARENTS = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"}
    | {b"dinf", b"tref", b"udta", b"sinf", b"schi", b"gmhd"}  # where demuxers would read tables too
)
_ENTRY_BYTES = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8, b"stss": 4, b"stps": 4}
_TRUN_FIELDS = (0x100, 0x200, 0x400, 0x800)  # duration, size, flags and time offset of each sample
_TRUN_SIZES = 0x200


@dataclass(slots=True)
class _Track:
    samples: int = 0
    chunks: int = 0
    chunk_runs: tuple[tuple[int, int], ...] = ()  # first chunk, samples in each chunk
    timed: int = 0  # samples in the larger table of times
    edits: int = 0
    unit_duration: bool = False  # one run in which every sample lasts one unit, as in PCM audio


def check_index(path: Path) -> None:
    """Raise `Unreadable` if the index states more samples than the file can hold or a player would take."""
    with path.open("rb") as file:
        _Index(file, path.stat().st_size).check()


class _Index:
    def __init__(self, file: BinaryIO, file_size: int) -> None:
        self._file = file
        self._file_size = file_size
        self._tracks: list[_Track] = []
        self._fragment_samples = 0
        self._default_bytes = 0  # the smallest default sample size of the fragments so far
        self._boxes = 0

    def check(self) -> None:
        self._walk(0, self._file_size, 0)
        listed = 0
        for track in self._tracks:
            self._check_track(track)
            listed += track.chunks if track.unit_duration else track.samples
        if listed + self._fragment_samples > SAMPLES_MAX:
            raise _bad(f"it lists {listed + self._fragment_samples:,} samples; the maximum is {SAMPLES_MAX:,}")

    def _walk(self, start: int, end: int, depth: int) -> None:
        while start + 8 <= end:
            self._boxes += 1
            if self._boxes > BOXES_MAX or depth > DEPTH_MAX:
                raise _bad(f"it has more than {BOXES_MAX:,} boxes, or boxes nested more than {DEPTH_MAX} deep")
            header = self._read(start, 16)
            size, kind, body = int.from_bytes(header[:4], "big"), header[4:8], start + 8
            if size == 1:
                size, body = int.from_bytes(header[8:16], "big"), start + 16
            elif size == 0:
                size = end - start
            if size < body - start:
                return
            self._box(kind, body, min(start + size, end), depth)
            start += size

    def _box(self, kind: bytes, body: int, end: int, depth: int) -> None:
        if kind == b"trak":
            self._tracks.append(_Track())
        if kind in _PARENTS:
            self._walk(body, end, depth + 1)
        elif kind == b"cmov":
            raise _bad("it is compressed")
        elif kind == b"trun":
            self._fragment_run(body, end)
        elif kind in (b"tfhd", b"trex"):
            self._fragment_defaults(kind, body)
        elif self._tracks:
            self._table(self._tracks[-1], kind, body, end)

    def _table(self, track: _Track, kind: bytes, body: int, end: int) -> None:
        if kind in (b"stsz", b"stz2"):
            track.samples = max(track.samples, self._sizes(kind, body, end))
        elif kind == b"elst":
            version, track.edits = self._read(body, 1), self._number(body + 4)
            self._require_room(kind, track.edits * (20 if version == b"\1" else 12), body + 8, end)
        elif kind in _ENTRY_BYTES:
            count = self._number(body + 4)
            self._require_room(kind, count * _ENTRY_BYTES[kind], body + 8, end)
            if kind in (b"stco", b"co64"):
                track.chunks = max(track.chunks, count)
            elif kind in (b"stts", b"ctts"):
                runs = self._numbers(body + 8, count * 2)
                track.timed = max(track.timed, sum(runs[::2]))
                track.unit_duration = track.unit_duration or (kind == b"stts" and count == 1 and runs[1] == 1)
            elif kind == b"stsc":
                runs = self._numbers(body + 8, count * 3)
                track.chunk_runs = tuple(zip(runs[::3], runs[1::3], strict=True))

    def _sizes(self, kind: bytes, body: int, end: int) -> int:
        """Return the number of samples, whose sizes together fit into the file."""
        size, count = self._number(body + 4), self._number(body + 8)
        if kind == b"stz2":
            self._require_room(kind, count * (size & 0xFF) // 8, body + 12, end)
            return count
        if size == 0:
            self._require_room(kind, count * 4, body + 12, end)
            total = sum(self._numbers(body + 12, count))
        else:
            total = size * count
        if total > self._file_size:
            raise _bad(f"its samples have {total:,} bytes, and the whole file {self._file_size:,}")
        return count

    def _check_track(self, track: _Track) -> None:
        if track.timed > 2 * track.samples + TIMES_SLACK:
            raise _bad(f"it states times for {track.timed:,} samples, and lists {track.samples:,}")
        if track.edits * track.samples > EDITS_MAX and track.edits > 2:
            raise _bad(f"it has {track.edits:,} edits of {track.samples:,} samples")
        ends = [*(first for first, _ in track.chunk_runs[1:]), track.chunks + 1]
        in_chunks = sum(
            max(0, min(end, track.chunks + 1) - first) * samples
            for (first, samples), end in zip(track.chunk_runs, ends, strict=False)
        )
        largest = max((samples for _, samples in track.chunk_runs), default=0)
        if in_chunks > track.samples + largest or largest > max(track.samples, 1):
            raise _bad(f"its chunks have {in_chunks:,} samples, and it lists {track.samples:,}")

    def _fragment_defaults(self, kind: bytes, body: int) -> None:
        if kind == b"trex":
            size = self._number(body + 16)
        else:
            flags = self._number(body) & 0xFFFFFF
            if not flags & 0x10:
                return
            size = self._number(body + 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2) + 4 * bool(flags & 8))
        self._default_bytes = size

    def _fragment_run(self, body: int, end: int) -> None:
        flags, count = self._number(body) & 0xFFFFFF, self._number(body + 4)
        start = body + 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
        fields = sum(bool(flags & field) for field in _TRUN_FIELDS)
        self._require_room(b"trun", count * 4 * fields, start, end)
        if not flags & _TRUN_SIZES and count * self._default_bytes > self._file_size:
            raise _bad(f"a fragment has {count * self._default_bytes:,} bytes, and the whole file {self._file_size:,}")
        self._fragment_samples += count
        if self._fragment_samples > SAMPLES_MAX:
            raise _bad(f"it lists more than {SAMPLES_MAX:,} samples")

    def _require_room(self, kind: bytes, size: int, start: int, end: int) -> None:
        if size > max(0, end - start):
            raise _bad(f"the table `{kind.decode('latin-1')}` states more entries than it has")

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def _number(self, offset: int) -> int:
        return int.from_bytes(self._read(offset, 4), "big")

    def _numbers(self, offset: int, count: int) -> "array[int]":
        if count > 3 * SAMPLES_MAX:
            raise _bad(f"a table has more than {SAMPLES_MAX:,} entries")
        numbers = array("I")
        numbers.frombytes(self._read(offset, 4 * count))
        if len(numbers) < count:
            raise _bad("a table is cut off")
        if sys.byteorder == "little":
            numbers.byteswap()
        return numbers


def _bad(reason: str) -> Unreadable:
    return Unreadable("bad_index", f"The index of the file is damaged or too large: {reason}.")
