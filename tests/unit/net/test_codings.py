"""Files whose server names a content coding: whole bytes are taken, real ones are unpacked within the limit."""

import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain.errors import ReferenceUnusable
from framegate.net.codings import Unpackable, codings_of, unpack
from framegate.net.fetcher import Fetcher
from framegate.net.vendor_client import VendorClient
from support.web_server import Web, answer, listening

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
TEXT = b"neither a picture nor a video, " * 300
IGNORED = [
    "",
    "identity",
    "none",
    "binary",
    "utf-8",
    "aws-chunked",
    "identity, aws-chunked",
    "x" * 300,
    "Identity",
    " ",
]


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "X-GZip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": deflated,
    "gzip, aws-chunked": gzip.compress,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "deflate,gzip": lambda data: gzip.compress(zlib.compress(data)),
}


def unpacked(folder: Path, body: bytes, header: str, bytes_max: int = 2**20) -> bytes:
    path = folder / "file"
    path.write_bytes(body)
    result = unpack(path, header, bytes_max=bytes_max)
    assert {one.name for one in folder.iterdir()} == {"file", *({result.name} if result else ())}
    data = (result or path).read_bytes()
    if result:
        result.unlink()
    return data


@pytest.mark.parametrize("data", [PNG, TEXT], ids=["png", "text"])
@pytest.mark.parametrize("header", IGNORED + list(PACKED) + ["br", "zstd"])
def test_a_whole_file_is_taken_whatever_coding_is_named(tmp_path: Path, header: str, data: bytes):
    if header in ("br", "zstd") and data is TEXT:
        with pytest.raises(Unpackable, match="not supported"):
            unpacked(tmp_path, data, header)
    else:
        assert unpacked(tmp_path, data, header) == data


@pytest.mark.parametrize("data", [PNG, TEXT, b"short but not empty"], ids=["png", "text", "short"])
@pytest.mark.parametrize("header", PACKED)
def test_a_compressed_file_is_unpacked(tmp_path: Path, header: str, data: bytes):
    assert unpacked(tmp_path, PACKED[header](data), header) == data


def test_several_compressed_members_are_one_file(tmp_path: Path):
    assert unpacked(tmp_path, gzip.compress(PNG) + gzip.compress(TEXT), "gzip") == PNG + TEXT


DAMAGED: dict[str, tuple[bytes, str, str, bool]] = {
    "bomb": (gzip.compress(bytes(2**24)), "gzip", "limit", False),
    "bomb in a bomb": (gzip.compress(gzip.compress(bytes(2**24))), "gzip, gzip", "limit", False),
    "truncated": (gzip.compress(TEXT)[:-20], "gzip", "truncated", True),
    "damaged": (gzip.compress(TEXT)[:40] + b"\xff" * 40, "gzip", "damaged|truncated", True),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_bomb_or_a_damaged_file_is_no_file(tmp_path: Path, case: str):
    body, header, message, retryable = DAMAGED[case]
    with pytest.raises(Unpackable, match=message) as error:
        unpacked(tmp_path, body, header, bytes_max=2**20)

    assert error.value.retryable is retryable
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@given(st.text(max_size=200))
def test_any_header_is_read(header: str):
    assert set(codings_of(header)) <= {
        "gzip",
        "x-gzip",
        "deflate",
        "br",
        "zstd",
        "compress",
        "x-compress",
        "dcb",
        "dcz",
    }


@pytest.mark.anyio
@pytest.mark.parametrize("header", [*IGNORED, *PACKED])
async def test_references_and_finished_files_with_a_coding_are_downloaded(
    net: Fetcher, web: Web, tmp_path: Path, header: str
):
    body = PACKED.get(header, bytes)(PNG)
    url = web.says("/a.png", answer(body, content_encoding=header))
    fetched = await net.fetch(url, tmp_path / "reference", bytes_max=2**20, seconds_max=10)
    client = VendorClient(url.rpartition("/")[0], headers={})
    await client.download(url, tmp_path / "video", bytes_max=2**20)
    await client.close()

    assert (tmp_path / "reference").read_bytes() == (tmp_path / "video").read_bytes() == PNG
    assert fetched.size_bytes == len(PNG)


@pytest.mark.anyio
async def test_a_bomb_is_stopped_at_the_limit_of_a_reference(net: Fetcher, tmp_path: Path):
    async with listening(Web()) as web:
        url = web.says("/a.png", answer(gzip.compress(bytes(2**24)), content_encoding="gzip"))
        with pytest.raises(ReferenceUnusable) as error:
            await net.fetch(url, tmp_path / "file", bytes_max=2**20, seconds_max=10)

    assert error.value.code == "reference_too_large"
    assert not os.listdir(tmp_path)  # noqa: PTH208 - of an async function
