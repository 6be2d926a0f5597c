"""References in: data URLs, assets, uploads, and what the way out brings."""

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
from framegate.media.images import FitLimits
from framegate.storage.blobs import BlobStore
from framegate.storage.ingest import IngestedReference, ingest, ingest_upload, prepare, read_data_url
from support.tiny_video import make

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Copied:
    path: Path


@dataclass
class Disk:
    """A way out that finds one file, and notes its limits."""

    source: Path
    limits: tuple[int, float] = (0, 0)

    async def fetch(self, url: str, into: Path, *, bytes_max: int, seconds_max: float) -> Copied:
        if not self.source.exists():
            raise ReferenceUnusable("reference_not_found", "There is nothing.", retryable=True)
        self.limits = (bytes_max, seconds_max)
        shutil.copy(self.source, into)
        return Copied(into)


async def no_asset(sha256: str) -> Blob | None:
    return None


async def taken(
    reference: Reference, blobs: BlobStore, settings: Settings, source: Path = Path("none")
) -> IngestedReference:
    return await ingest(reference, index=3, net=Disk(source), blobs=blobs, settings=settings, has_asset=no_asset)


def empty(blobs: BlobStore) -> bool:
    return not any(path.is_file() for path in blobs.root.rglob("*"))


async def test_a_fetched_picture_is_kept_under_its_true_type(blobs: BlobStore, settings: Settings, photo_dir: Path):
    disk = Disk(photo_dir / "cat.png")
    reference = Reference(url="https://pictures.example/cat.jpg")
    found = await ingest(reference, index=0, net=disk, blobs=blobs, settings=settings, has_asset=no_asset)
    assert found.blob.media_type == "image/png"
    assert found.picture
    assert (found.picture.width, found.picture.height) == (451, 300)
    assert blobs.path(found.blob.sha256).read_bytes() == (photo_dir / "cat.png").read_bytes()
    assert disk.limits == (settings.reference_bytes_max, settings.fetch_timeout_seconds)
    assert list((blobs.root / "tmp").iterdir()) == []


@pytest.mark.parametrize(("pointer", "shown"), [("", "/references/3"), ("/frame_images/0/url", "/frame_images/0/url")])
async def test_an_error_names_the_place_in_the_request(blobs: BlobStore, settings: Settings, pointer: str, shown: str):
    with pytest.raises(ReferenceUnusable) as caught:
        await taken(Reference(url="https://pictures.example/a.png", pointer=pointer), blobs, settings)
    assert caught.value.problems[0].pointer == shown
    assert (caught.value.code, caught.value.retryable) == ("reference_not_found", True)
    assert empty(blobs)


async def test_a_data_url_is_a_reference(blobs: BlobStore, settings: Settings, photo_dir: Path):
    data = (photo_dir / "rocket.jpg").read_bytes()
    url = "data:image/png;base64," + base64.b64encode(data).decode()  # whatever it is called, it is a JPEG
    found = await taken(Reference(url=url), blobs, settings)
    assert found.blob.media_type == "image/jpeg"
    assert blobs.path(found.blob.sha256).read_bytes() == data


@given(st.binary(max_size=2000))
async def test_every_data_url_gives_back_its_bytes(data: bytes):
    coded = base64.b64encode(data).decode()
    assert read_data_url(f"data:;base64,{coded}", 2000) == data
    assert read_data_url(f"DATA:image/png;name=a;BASE64,{coded.replace('+', '%2B').replace('=', '%3D')}", 2000) == data
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
async def test_a_data_url_is_read_strictly(blobs: BlobStore, settings: Settings, url: str):
    with pytest.raises(ReferenceUnusable) as caught:
        await taken(Reference(url=url), blobs, settings)
    assert caught.value.code == "reference_bad_data_url"
    assert empty(blobs)


@pytest.mark.parametrize("url", ["data:;base64," + "A" * 1372, "data:," + "a" * 1025, "data:," + "%41" * 1025])
def test_a_data_url_beyond_the_limit_is_refused_before_it_is_decoded(url: str):
    with pytest.raises(ReferenceUnusable) as caught:
        read_data_url(url, 1024)
    assert caught.value.code == "reference_too_large"


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "reference_is_empty"), ("hello", "reference_not_an_image"), ("<html>", "reference_is_html")],
)
async def test_a_data_url_of_no_picture_has_its_own_error(blobs: BlobStore, settings: Settings, body: str, code: str):
    with pytest.raises(ReferenceUnusable) as caught:
        await taken(Reference(url=f"data:,{body}"), blobs, settings)
    assert caught.value.code == code


async def test_an_asset_is_found_only_by_those_who_have_it(blobs: BlobStore, settings: Settings, photo_dir: Path):
    blob = await blobs.add_file(photo_dir / "cat.png", "image/png")

    async def mine(sha256: str) -> Blob | None:
        return blob if sha256 == blob.sha256 else None

    reference = Reference(url=f"asset://{blob.sha256}")
    disk = Disk(Path("none"))
    found = await ingest(reference, index=0, net=disk, blobs=blobs, settings=settings, has_asset=mine)
    assert found.blob == blob
    assert found.picture
    strangers = [reference, Reference(url="asset://" + "0" * 64), Reference(url="asset://../../etc/passwd")]
    for stranger in strangers:
        with pytest.raises(ReferenceUnusable) as caught:
            await taken(stranger, blobs, settings)
        assert caught.value.code == "reference_unknown_asset"
    await blobs.delete(blob.sha256)
    with pytest.raises(ReferenceUnusable, match="Upload the file again"):
        await ingest(reference, index=0, net=disk, blobs=blobs, settings=settings, has_asset=mine)


async def test_videos_and_sounds_are_kept_and_probed(blobs: BlobStore, settings: Settings, tmp_path: Path):
    clip = make(tmp_path / "clip", container="webm", codec="libvpx-vp9")
    found = await taken(Reference(url="https://x.example/a", kind=Kind.VIDEO), blobs, settings, clip)
    assert (found.blob.media_type, found.picture) == ("video/webm", None)
    song = make(tmp_path / "song", frames=0, sound=True)
    found = await taken(Reference(url="https://x.example/a", kind=Kind.AUDIO), blobs, settings, song)
    assert (found.blob.media_type, found.picture) == ("audio/mp4", None)


async def test_a_file_of_another_kind_than_said_is_refused(
    blobs: BlobStore, settings: Settings, photo_dir: Path, tmp_path: Path
):
    clip, song = make(tmp_path / "clip"), make(tmp_path / "song", frames=0, sound=True)
    cut = tmp_path / "cut"
    cut.write_bytes(clip.read_bytes()[:-100])
    for kind, path, code in (
        (Kind.IMAGE, clip, "reference_unsupported_format"),
        (Kind.VIDEO, photo_dir / "cat.png", "reference_unsupported_format"),
        (Kind.VIDEO, song, "reference_unsupported_format"),
        (Kind.AUDIO, clip, "reference_unsupported_format"),
        (Kind.VIDEO, cut, "reference_truncated"),
    ):
        with pytest.raises(ReferenceUnusable) as caught:
            await taken(Reference(url="https://x.example/a", kind=kind), blobs, settings, path)
        assert caught.value.code == code
    assert empty(blobs)


async def stream(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def test_an_upload_is_kept_under_its_true_type(
    blobs: BlobStore, settings: Settings, photo_dir: Path, tmp_path: Path
):
    cat = (photo_dir / "cat.png").read_bytes()
    for claimed in (None, "image/png", "image/jpeg", "application/octet-stream"):
        blob = await ingest_upload(stream(cat), claimed, blobs=blobs, settings=settings)
        assert blob.media_type == "image/png"
    clip = make(tmp_path / "clip").read_bytes()
    assert (await ingest_upload(stream(clip), blobs=blobs, settings=settings)).media_type == "video/mp4"
    song = make(tmp_path / "song", frames=0, sound=True).read_bytes()
    assert (await ingest_upload(stream(song), blobs=blobs, settings=settings)).media_type == "audio/mp4"


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
async def test_an_upload_that_is_of_no_use_is_refused_and_not_kept(
    blobs: BlobStore, tmp_path: Path, data: bytes, media_type: str | None, error: type[Exception], code: str
):
    tight = Settings(data_dir=tmp_path, reference_bytes_max=1024, video_bytes_max=4096)
    with pytest.raises(error) as caught:
        await ingest_upload(stream(data), media_type, blobs=blobs, settings=tight)
    assert getattr(caught.value, "code", "") == code
    assert empty(blobs)


async def test_a_reference_is_prepared_within_the_limits_and_the_changes_are_told(
    blobs: BlobStore, settings: Settings, photo_dir: Path
):
    reference = Reference(url="https://x.example/a", name="rocket")
    found = await taken(reference, blobs, settings, photo_dir / "rocket.jpg")
    prepared, changes = await prepare(found, reference, 1, blobs, FitLimits(max_side=320))
    assert (prepared.width, prepared.height, prepared.reference) == (320, 214, reference)
    assert [(change.what, change.reference) for change in changes] == [("converted", 1), ("resized", 1)]
    with Image.open(prepared.path) as image:
        assert image.size == (320, 214)
    assert prepared.blob != found.blob
    assert prepared.fitted
    assert blobs.has(prepared.blob.sha256)

    told, again = await prepare(found, reference, 1, blobs, FitLimits(max_side=300), keep=False)
    assert (told.width, told.fitted, told.path, len(again)) == (300, True, "", 2)


async def test_a_reference_that_fits_is_handed_on_as_it_is(
    blobs: BlobStore, settings: Settings, photo_dir: Path, tmp_path: Path
):
    reference = Reference(url="https://x.example/a")
    found = await taken(reference, blobs, settings, photo_dir / "cat.png")
    prepared, changes = await prepare(found, reference, 0, blobs, FitLimits(max_side=1000))
    assert (prepared.blob, prepared.width, prepared.height, changes) == (found.blob, 451, 300, [])
    assert not prepared.fitted
    clip = Reference(url="https://x.example/a", kind=Kind.VIDEO)
    found = await taken(clip, blobs, settings, make(tmp_path / "clip"))
    prepared, changes = await prepare(found, clip, 0, blobs, FitLimits(max_side=10))
    assert (prepared.blob, prepared.width, changes) == (found.blob, None, [])
