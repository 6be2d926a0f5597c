"""Interrupted downloads are resumed if the server can, and never mix two versions of a file."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framegate.config.settings import Settings
from framegate.domain.errors import FramegateError, ReferenceUnusable
from framegate.net.fetcher import Fetcher
from framegate.net.resume import note_path
from framegate.net.vendor_client import VendorClient
from support.soak import examples
from support.web_server import Web, answer, listening

BODY = bytes(range(256)) * 3000
OTHER = BODY[::-1]
AT = "Thu, 01 Jan 2026 00:00:00 GMT"
NOW = "Thu, 01 Jan 2026 00:00:01 GMT"
Get = Callable[[str, Path], Awaitable[object]]


class Files:
    """A server of one file, cut off after so many bytes of each answer; `ranges`: whether it can go on."""

    def __init__(self, web: Web, cuts: Sequence[int], *, ranges: bool = True, known_by: str = "etag") -> None:
        self.web, self.cuts, self.ranges, self.known_by = web, list(cuts), ranges, known_by
        self.body, self.version, self.sent = BODY, 1, 0
        self.url = web.does("/film.mp4", self.write)

    def validator(self) -> tuple[str, str]:
        if self.known_by == "etag":
            return "etag", f'"v{self.version}"'
        return ("last-modified", AT) if self.known_by == "date" else ("etag", 'W/"weak"')

    async def write(self) -> AsyncIterator[bytes]:
        headers = dict(line.split(": ", 1) for line in self.web.requests[-1].lower().split("\r\n")[1:] if ": " in line)
        name, value = self.validator()
        start = 0
        if self.ranges and headers.get("if-range") == value.lower():
            start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
        body = self.body[start:]
        status = "206 Partial Content" if start else "200 OK"
        head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", f"{name}: {value}", f"date: {NOW}"]
        if start:
            head.append(f"content-range: bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        is_complete = not self.cuts
        part = body if is_complete else body[: self.cuts.pop(0)]
        self.sent += len(part)
        yield "\r\n".join([*head, "connection: close", "", ""]).encode() + part


async def by_fetcher(url: str, into: Path) -> None:
    async with Fetcher(Settings(data_dir=into.parent / "data"), blocked_reason=lambda _: None) as net:
        await net.fetch(url, into, bytes_max=10**7, seconds_max=20, resume=True)


async def by_vendor_client(url: str, into: Path) -> None:
    client = VendorClient(url.rpartition("/")[0], headers={})
    try:
        await client.download(url, into, bytes_max=10**7)
    finally:
        await client.close()


DOWNLOADERS: dict[str, Get] = {"fetcher": by_fetcher, "vendor client": by_vendor_client}


async def tries(get: Get, url: str, into: Path, *, most: int = 20) -> int:
    """Fetch until it is there; how often that took."""
    for count in range(1, most + 1):
        try:
            await get(url, into)
        except FramegateError:
            continue
        return count
    raise AssertionError("It never came.")


@pytest.mark.parametrize("client", DOWNLOADERS)
@examples(15)
@given(
    cuts=st.lists(st.integers(0, len(BODY) - 1), max_size=6),
    ranges=st.booleans(),
    known_by=st.sampled_from(["etag", "date", "nothing"]),
    changes_after=st.integers(0, 6),
)
@example(cuts=[len(BODY) - 1, 0], ranges=True, known_by="etag", changes_after=6)
def test_a_download_interrupted_anywhere_yields_one_complete_version(
    client: str, cuts: list[int], ranges: bool, known_by: str, changes_after: int
):
    async def play() -> None:
        async with listening(Web()) as web:
            files = Files(web, cuts, ranges=ranges, known_by=known_by)
            with tempfile.TemporaryDirectory() as folder:
                into = Path(folder) / "film.part"
                for count in range(20):
                    if known_by == "etag" and count == changes_after:
                        files.body, files.version = OTHER, 2
                    try:
                        await DOWNLOADERS[client](files.url, into)
                    except FramegateError:
                        continue
                    break
                assert into.read_bytes() == files.body

    asyncio.run(play())


@pytest.mark.anyio
@pytest.mark.parametrize("client", DOWNLOADERS)
@pytest.mark.parametrize("known_by", ["etag", "date"])
async def test_a_resumed_download_requests_only_the_rest(web: Web, tmp_path: Path, client: str, known_by: str):
    files = Files(web, [300_000, 300_000], known_by=known_by)
    assert await tries(DOWNLOADERS[client], files.url, tmp_path / "film") == 3
    assert (tmp_path / "film").read_bytes() == BODY
    assert files.sent == len(BODY)


@pytest.mark.anyio
@pytest.mark.parametrize("client", DOWNLOADERS)
async def test_a_server_without_ranges_sends_the_whole_file_again(web: Web, tmp_path: Path, client: str):
    files = Files(web, [300_000], ranges=False)
    assert await tries(DOWNLOADERS[client], files.url, tmp_path / "film") == 2
    assert (tmp_path / "film").read_bytes() == BODY
    assert files.sent == len(BODY) + 300_000


@pytest.mark.anyio
@pytest.mark.parametrize("client", DOWNLOADERS)
async def test_resuming_a_complete_file_transfers_one_byte(web: Web, tmp_path: Path, client: str):
    files = Files(web, [])
    for _ in range(2):
        await DOWNLOADERS[client](files.url, tmp_path / "film")
    assert (tmp_path / "film").read_bytes() == BODY
    assert files.sent == len(BODY) + 1


@pytest.mark.anyio
@pytest.mark.parametrize("client", DOWNLOADERS)
@pytest.mark.parametrize(
    "headers",
    [
        {"content_range": "bytes 7-767999/768000"},  # from elsewhere
        {"content_range": "bytes 300000-767999/999999"},  # of another length
        {"content_range": "lines 1-2/3"},
        {},
        {"content_range": "bytes 300000-767999/768000", "etag": '"v2"'},
    ],
)
async def test_a_range_that_does_not_continue_the_file_is_rejected(
    web: Web, tmp_path: Path, client: str, headers: dict[str, str]
):
    files, into = Files(web, [300_000]), tmp_path / "film"
    with pytest.raises(FramegateError):
        await DOWNLOADERS[client](files.url, into)
    assert into.stat().st_size == 300_000
    web.says("/film.mp4", answer(BODY[300_000:], "206 Partial Content", **headers))
    with pytest.raises(FramegateError):
        await DOWNLOADERS[client](files.url, into)
    assert not into.exists()
    web.does("/film.mp4", files.write)
    await DOWNLOADERS[client](files.url, into)
    assert into.read_bytes() == BODY


@pytest.mark.anyio
@pytest.mark.parametrize("client", DOWNLOADERS)
async def test_an_unsatisfiable_range_restarts_the_download(web: Web, tmp_path: Path, client: str):
    files, into = Files(web, [300_000]), tmp_path / "film"
    with pytest.raises(FramegateError):
        await DOWNLOADERS[client](files.url, into)
    web.says("/film.mp4", answer(b"", "416 Range Not Satisfiable", content_range="bytes */7"))
    with pytest.raises(FramegateError):
        await DOWNLOADERS[client](files.url, into)
    assert not into.exists()


@pytest.mark.anyio
async def test_a_truncated_note_is_ignored(web: Web, tmp_path: Path):
    files, into = Files(web, [300_000]), tmp_path / "film"
    with pytest.raises(ReferenceUnusable):
        await by_fetcher(files.url, into)
    note_path(into).write_bytes(note_path(into).read_bytes()[:9])
    await by_fetcher(files.url, into)
    assert into.read_bytes() == BODY
    assert "range" not in web.requests[-1].lower()


@pytest.mark.anyio
async def test_a_range_that_was_not_requested_is_rejected(net: Fetcher, web: Web, tmp_path: Path):
    url = web.says("/a", answer(BODY[5:], "206 Partial Content", content_range="bytes 5-9/10"))
    with pytest.raises(ReferenceUnusable, match="206"):
        await net.fetch(url, tmp_path / "a", bytes_max=10**7, seconds_max=10, resume=True)
    assert not (tmp_path / "a").exists()
