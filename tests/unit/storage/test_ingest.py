"""Ingest of data URLs, assets, uploads and fetched references."""

import base64
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from framegate.config.settings import Settings
from framegate.domain import Blob, Kind, Reference
from framegate.domain.errors import ReferenceUnusable, TooLarge, UnsupportedMediaType
from framegate.media.file_info import FitLimits
from framegate.storage.blobs import BlobStore
from framegate.storage.ingest import (
    IngestedReference,
    ingest_reference,
    ingest_upload,
    prepare_reference,
    read_data_url,
)
from support.inline_decoder import InlineDecoder
from support.tiny_video import make_video

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class CopiedFile:
    path: Path


@dataclass
class FileFetcher:
    """Fetcher that copies one file and records the limits it was called with."""

    source: Path
    limits: tuple[int, float] = (0, 0)

    async def fetch(self, url: str, into: Path, *, bytes_max: int, seconds_max: float) -> CopiedFile:
        if not self.source.exists():
            raise ReferenceUnusable("reference_not_found", "Not found.", retryable=True)
        self.limits = (bytes_max, seconds_max)
        shutil.copy(self.source, into)
        return CopiedFile(into)


async def no_asset(sha256: str) -> Blob | None:
    return None


async def ingest(
    reference: Reference, blobs: BlobStore, settings: Settings, source: Path = Path("none")
) -> IngestedReference:
    return await ingest_reference(
        reference,
        index=3,
        fetcher=FileFetcher(source),
        blobs=blobs,
        decoder=InlineDecoder(),
        settings=settings,
        find_asset=no_asset,
    )


def is_empty(blobs: BlobStore) -> bool:
    return not any(path.is_file() for path in blobs.root.rglob("*"))


async def test_a_fetched_image_is_stored_with_its_detected_type(blobs: BlobStore, settings: Settings, photo_dir: Path):
    fetcher = FileFetcher(photo_dir / "cat.png")
    reference = Reference(url="https://pictures.example/cat.jpg")
    ingested = await ingest_reference(
        reference,
        index=0,
        fetcher=fetcher,
        blobs=blobs,
        decoder=InlineDecoder(),
        settings=settings,
        find_asset=no_asset,
    )
    assert ingested.blob.media_type == "image/png"
    assert ingested.image
    assert (ingested.image.width, ingested.image.height) == (451, 300)
    assert blobs.path(ingested.blob.sha256).read_bytes() == (photo_dir / "cat.png").read_bytes()
    assert fetcher.limits == (settings.reference_bytes_max, settings.fetch_timeout_seconds)
    assert list((blobs.root / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("pointer", "reported"), [("", "/references/3"), ("/frame_images/0/url", "/frame_images/0/url")]
)
async def test_an_error_points_to_the_reference_in_the_request(
    blobs: BlobStore, settings: Settings, pointer: str, reported: str
):
    with pytest.raises(ReferenceUnusable) as error_info:
        await ingest(Reference(url="https://pictures.example/a.png", pointer=pointer), blobs, settings)
    assert error_info.value.problems[0].pointer == reported
    assert (error_info.value.code, error_info.value.retryable) == ("reference_not_found", True)
    assert is_empty(blobs)


async def test_a_data_url_is_stored_with_its_detected_type(blobs: BlobStore, settings: Settings, photo_dir: Path):
    data = (photo_dir / "rocket.jpg").read_bytes()
    url = "data:image/png;base64," + base64.b64encode(data).decode()  # a JPEG, despite its declared type
    ingested = await ingest(Reference(url=url), blobs, settings)
    assert ingested.blob.media_type == "image/jpeg"
    assert blobs.path(ingested.blob.sha256).read_bytes() == data


@given(st.binary(max_size=2000))
async def test_every_data_url_decodes_to_its_bytes(data: bytes):
    encoded = base64.b64encode(data).decode()
    assert read_data_url(f"data:;base64,{encoded}", 2000) == data
    assert (
        read_data_url(f"DATA:image/png;name=a;BASE64,{encoded.replace('+', '%2B').replace('=', '%3D')}", 2000) == data
    )
    assert read_data_url("data:," + "".join(f"%{byte:02x}" for byte in data), 2000) == data


@pytest.mark.parametrize(
    "url",
    [
        "data:",
        "data:image/png;base64",
        "data:image/png;base64,a",
        "data:image/png;base64,aGVsbG8",
        "data:image/png;base64,aGVs\nbG8=",
        "data:image/png;base64,aGVs_-8=",
        "data:image/png;base64,aGVsbG8=aGVsbG8=",
        "data:image/png;base64,aGVsbG8\u00e9",
        "data:image/png,%zz",
        "data:image/png,%",
        "data:" + "a" * 300 + ",x",
    ],
)
async def test_an_invalid_data_url_is_rejected(blobs: BlobStore, settings: Settings, url: str):
    with pytest.raises(ReferenceUnusable) as error_info:
        await ingest(Reference(url=url), blobs, settings)
    assert error_info.value.code == "reference_bad_data_url"
    assert is_empty(blobs)


@pytest.mark.parametrize("url", ["data:;base64," + "A" * 1372, "data:," + "a" * 1025, "data:," + "%41" * 1025])
def test_a_data_url_beyond_the_limit_is_rejected_before_it_is_decoded(url: str):
    with pytest.raises(ReferenceUnusable) as error_info:
        read_data_url(url, 1024)
    assert error_info.value.code == "reference_too_large"


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "reference_is_empty"), ("hello", "reference_not_an_image"), ("<html>", "reference_is_html")],
)
async def test_a_data_url_without_an_image_has_its_own_error_code(
    blobs: BlobStore, settings: Settings, body: str, code: str
):
    with pytest.raises(ReferenceUnusable) as error_info:
        await ingest(Reference(url=f"data:,{body}"), blobs, settings)
    assert error_info.value.code == code


async def test_an_asset_is_available_only_to_its_owner(blobs: BlobStore, settings: Settings, photo_dir: Path):
    blob = await blobs.add_file(photo_dir / "cat.png", "image/png")

    async def own_asset(sha256: str) -> Blob | None:
        return blob if sha256 == blob.sha256 else None

    reference = Reference(url=f"asset://{blob.sha256}")
    fetcher = FileFetcher(Path("none"))
    ingested = await ingest_reference(
        reference,
        index=0,
        fetcher=fetcher,
        blobs=blobs,
        decoder=InlineDecoder(),
        settings=settings,
        find_asset=own_asset,
    )
    assert ingested.blob == blob
    assert ingested.image
    foreign_references = [reference, Reference(url="asset://" + "0" * 64), Reference(url="asset://../../etc/passwd")]
    for foreign in foreign_references:
        with pytest.raises(ReferenceUnusable) as error_info:
            await ingest(foreign, blobs, settings)
        assert error_info.value.code == "reference_unknown_asset"
    await blobs.delete(blob.sha256)
    with pytest.raises(ReferenceUnusable, match="Upload the file again"):
        await ingest_reference(
            reference,
            index=0,
            fetcher=fetcher,
            blobs=blobs,
            decoder=InlineDecoder(),
            settings=settings,
            find_asset=own_asset,
        )


async def test_video_and_audio_references_are_stored_and_probed(blobs: BlobStore, settings: Settings, tmp_path: Path):
    clip = make_video(tmp_path / "clip", container="webm", codec="libvpx-vp9")
    ingested = await ingest(Reference(url="https://x.example/a", kind=Kind.VIDEO), blobs, settings, clip)
    assert (ingested.blob.media_type, ingested.image) == ("video/webm", None)
    song = make_video(tmp_path / "song", frames=0, sound=True)
    ingested = await ingest(Reference(url="https://x.example/a", kind=Kind.AUDIO), blobs, settings, song)
    assert (ingested.blob.media_type, ingested.image) == ("audio/mp4", None)


async def test_a_file_of_another_kind_than_declared_is_rejected(
    blobs: BlobStore, settings: Settings, photo_dir: Path, tmp_path: Path
):
    clip, song = make_video(tmp_path / "clip"), make_video(tmp_path / "song", frames=0, sound=True)
    truncated = tmp_path / "truncated"
    truncated.write_bytes(clip.read_bytes()[:-100])
    for kind, path, code in (
        (Kind.IMAGE, clip, "reference_unsupported_format"),
        (Kind.VIDEO, photo_dir / "cat.png", "reference_unsupported_format"),
        (Kind.VIDEO, song, "reference_unsupported_format"),
        (Kind.AUDIO, clip, "reference_unsupported_format"),
        (Kind.VIDEO, truncated, "reference_truncated"),
    ):
        with pytest.raises(ReferenceUnusable) as error_info:
            await ingest(Reference(url="https://x.example/a", kind=kind), blobs, settings, path)
        assert error_info.value.code == code
    assert is_empty(blobs)


async def stream(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def test_an_upload_is_stored_with_its_detected_type(
    blobs: BlobStore, settings: Settings, photo_dir: Path, tmp_path: Path
):
    cat = (photo_dir / "cat.png").read_bytes()
    for declared in (None, "image/png", "image/jpeg", "application/octet-stream"):
        blob = await ingest_upload(stream(cat), declared, blobs=blobs, decoder=InlineDecoder(), settings=settings)
        assert blob.media_type == "image/png"
    clip = make_video(tmp_path / "clip").read_bytes()
    assert (
        await ingest_upload(stream(clip), blobs=blobs, decoder=InlineDecoder(), settings=settings)
    ).media_type == "video/mp4"
    song = make_video(tmp_path / "song", frames=0, sound=True).read_bytes()
    assert (
        await ingest_upload(stream(song), blobs=blobs, decoder=InlineDecoder(), settings=settings)
    ).media_type == "audio/mp4"


@pytest.mark.parametrize(
    ("data", "media_type", "error", "code"),
    [
        (b"", None, ReferenceUnusable, "reference_is_empty"),
        (b"hello", "image/png", UnsupportedMediaType, "unsupported_media_type"),
        (b"<html>", "text/html", UnsupportedMediaType, "unsupported_media_type"),
        (b"%PDF-1.7", None, UnsupportedMediaType, "unsupported_media_type"),
        (b"II*\0" + b"\0" * 50, "image/tiff", ReferenceUnusable, "reference_unsupported_format"),
        (b"\x89PNG\r\n\x1a\n", "image/png", ReferenceUnusable, "reference_truncated"),
        (b"\x89PNG\r\n\x1a\n", "video/mp4", UnsupportedMediaType, "unsupported_media_type"),
        (b"\xff\xd8\xff" + b"x" * 2000, None, TooLarge, "too_large"),
        (b"x" * 5000, None, TooLarge, "too_large"),
    ],
)
async def test_an_unusable_upload_is_rejected_and_not_stored(
    blobs: BlobStore, tmp_path: Path, data: bytes, media_type: str | None, error: type[Exception], code: str
):
    small_limits = Settings(data_dir=tmp_path, reference_bytes_max=1024, video_bytes_max=4096)
    with pytest.raises(error) as error_info:
        await ingest_upload(stream(data), media_type, blobs=blobs, decoder=InlineDecoder(), settings=small_limits)
    assert getattr(error_info.value, "code", "") == code
    assert is_empty(blobs)


async def test_a_reference_is_prepared_within_the_limits_and_the_changes_are_listed(
    blobs: BlobStore, settings: Settings, photo_dir: Path
):
    reference = Reference(url="https://x.example/a", name="rocket")
    ingested = await ingest(reference, blobs, settings, photo_dir / "rocket.jpg")
    prepared, changes = await prepare_reference(
        ingested, reference, 1, blobs, FitLimits(max_side=320), decoder=InlineDecoder()
    )
    assert (prepared.width, prepared.height, prepared.reference) == (320, 214, reference)
    assert [(change.what, change.reference) for change in changes] == [("converted", 1), ("resized", 1)]
    with Image.open(prepared.path) as image:
        assert image.size == (320, 214)
    assert prepared.blob != ingested.blob
    assert prepared.fitted
    assert blobs.has(prepared.blob.sha256)

    measured, adjustments = await prepare_reference(
        ingested, reference, 1, blobs, FitLimits(max_side=300), decoder=InlineDecoder(), keep=False
    )
    assert (measured.width, measured.fitted, measured.path, len(adjustments)) == (300, True, "", 2)


async def test_a_reference_within_the_limits_is_not_changed(
    blobs: BlobStore, settings: Settings, photo_dir: Path, tmp_path: Path
):
    reference = Reference(url="https://x.example/a")
    ingested = await ingest(reference, blobs, settings, photo_dir / "cat.png")
    prepared, changes = await prepare_reference(
        ingested, reference, 0, blobs, FitLimits(max_side=1000), decoder=InlineDecoder()
    )
    assert (prepared.blob, prepared.width, prepared.height, changes) == (ingested.blob, 451, 300, [])
    assert not prepared.fitted
    clip = Reference(url="https://x.example/a", kind=Kind.VIDEO)
    ingested = await ingest(clip, blobs, settings, make_video(tmp_path / "clip"))
    prepared, changes = await prepare_reference(
        ingested, clip, 0, blobs, FitLimits(max_side=10), decoder=InlineDecoder()
    )
    assert (prepared.blob, prepared.width, changes) == (ingested.blob, None, [])
