"""Structure of files: what a decoder sees of a JPEG and a PNG, and which indexes of MP4 files are refused."""

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from framegate.media import images
from framegate.media.containers import jpeg, mp4_index, png
from framegate.media.unreadable import Unreadable
from support.tiny_video import make_video

PIXELS_MAX = 10_000_000


def picture(mode: str = "RGB") -> Image.Image:
    values = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(30, 40, 3) * 7 % 256
    return Image.fromarray(values.astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


JPEG = encoded(picture(), "JPEG", quality=90)
PNG = encoded(picture(), "PNG")


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


@given(tail=st.binary(max_size=300) | st.just(b"\xff\xda" * 200) | st.just(JPEG))
def test_what_follows_the_end_of_a_jpeg_is_ignored(tail: bytes):
    assert jpeg.clean(JPEG + tail) == jpeg.clean(JPEG)


@given(
    marker=st.sampled_from([*range(0xE0, 0xF0), 0xFE]),
    payload=st.binary(max_size=200).map(lambda data: data + b"\xff\xda\0\x08" * 120),
)
def test_bytes_of_metadata_are_no_scans_of_a_jpeg(marker: int, payload: bytes):
    cleaned = jpeg.clean(JPEG[:2] + segment(marker, payload) + JPEG[2:])
    assert cleaned.scan_count == 1
    assert Image.open(io.BytesIO(cleaned.data)).tobytes() == Image.open(io.BytesIO(JPEG)).tobytes()


def test_the_scans_of_a_progressive_jpeg_are_counted():
    assert 2 < jpeg.clean(encoded(picture(), "JPEG", progressive=True)).scan_count < 20


@given(cut=st.integers(0, len(JPEG) - 1))
def test_a_jpeg_that_is_cut_anywhere_is_cleaned_without_an_error(cut: int):
    assert JPEG.startswith(jpeg.clean(JPEG[:cut]).data[:2])


def inspect(tmp_path: Path, data: bytes):
    path = tmp_path / "picture"
    path.write_bytes(data)
    return images.inspect_image(path, pixels_max=PIXELS_MAX)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2_000_000))),
        chunk(b"iCCP", b"p\0\0not compressed"),
        chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
        chunk(b"tEXt", b"k\0text", crc=1),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 9\nzz")),
        chunk(b"vpAg", bytes(100), crc=7),
    ],
    ids=["zTXt", "iTXt", "large-iCCP", "broken-iCCP", "eXIf", "bad-crc", "raw-exif", "unknown"],
)
def test_metadata_of_a_png_never_makes_a_whole_picture_unusable(tmp_path, extra):
    data = PNG[:33] + extra + PNG[33:]
    info = inspect(tmp_path, data)
    assert (info.width, info.height) == (40, 30)
    with images.open_image(tmp_path / "picture") as opened:
        assert images.upright_srgb(opened).tobytes() == picture().tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_broken_exif_never_makes_a_whole_picture_unusable(tmp_path, kind):
    info = inspect(tmp_path, encoded(picture(), kind, exif=b"Exif\0\0MM\0*\xff\xff\xff\x00broken"))
    assert (info.width, info.height, info.is_reoriented) == (40, 30, False)


@given(mode=st.sampled_from(["RGB", "RGBA", "L", "LA", "P", "1"]), cut=st.integers(45, 5000))
def test_a_png_is_complete_exactly_if_its_pixels_are(mode: str, cut: int):
    data = encoded(picture(mode), "PNG")
    end = data.rindex(b"IDAT") + 4 + struct.unpack(">I", data[data.rindex(b"IDAT") - 4 : data.rindex(b"IDAT")])[0]
    png.check_pixels(data)
    if cut < end - 8:
        with pytest.raises(png.Damaged):
            png.check_pixels(data[:cut])


def test_the_rows_of_an_interlaced_png_are_counted_by_pass():
    width, height = 13, 9
    rows = b"".join(
        b"\0" + bytes(3 * -(-(width - x) // dx))
        for x, y, dx, dy in png._PASSES
        for _ in range(-(-(height - y) // dy))
        if width > x
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    start = png.SIGNATURE + chunk(b"IHDR", header)
    png.check_pixels(start + chunk(b"IDAT", zlib.compress(rows)))
    with pytest.raises(png.Damaged):
        png.check_pixels(start + chunk(b"IDAT", zlib.compress(rows[:-1])))
    with pytest.raises(png.Damaged):
        png.check_pixels(start + chunk(b"IDAT", zlib.compress(b"\5" + rows[1:])))


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "1"])
def test_colors_are_right_in_every_mode_with_a_profile(tmp_path, mode):
    image = picture(mode)
    expected = image.convert("RGBA" if mode in ("LA", "RGBA") else "RGB")
    (tmp_path / "a.png").write_bytes(encoded(image, "PNG", icc_profile=srgb_profile()))
    with images.open_image(tmp_path / "a.png") as opened:
        shown = images.upright_srgb(opened)
    assert shown.mode == expected.mode
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(expected)).max() <= 2


def test_gray_of_sixteen_bits_keeps_its_brightness_and_its_transparent_value(tmp_path):
    values = (np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(values), "PNG", transparency=int(values[3, 4])))
    with images.open_image(tmp_path / "a.png") as opened:
        shown = np.asarray(images.upright_srgb(opened))
    assert (shown[..., 0] == values >> 8).all()
    assert (shown[..., 3] == 0).sum() == 1
    assert shown[3, 4, 3] == 0


# -- indexes of MP4 files


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def table(kind: bytes, *numbers: int) -> bytes:
    return box(kind, struct.pack(f">{len(numbers) + 1}I", 0, *numbers))


def track(*tables: bytes) -> bytes:
    return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", *tables)))))


def fragment(flags: int, count: int, size: int) -> bytes:
    header = box(b"tfhd", struct.pack(">III", 0x10, 1, size))
    return box(b"moof", box(b"traf", header, box(b"trun", struct.pack(">II", flags, count))))


HOSTILE = {
    "one size for all": track(table(b"stsz", 1, 50_000_000)),
    "no size": track(table(b"stsz", 0, 50_000_000)),
    "sizes that overlap": track(table(b"stsz", 0, 3, 900, 900, 900)),
    "compact sizes": track(table(b"stz2", 8, 50_000_000)),
    "chunks at one offset": track(table(b"stsz", 1, 100), table(b"stco", 2, 8, 8), table(b"stsc", 1, 1, 5_000_000, 1)),
    "chunks that are not there": track(table(b"stco", 50_000_000)),
    "times of nothing": track(table(b"stsz", 1, 100), table(b"stts", 1, 50_000_000, 1)),
    "offsets of nothing": track(table(b"stsz", 1, 100), table(b"ctts", 1, 50_000_000, 1)),
    "edits": track(table(b"stsz", 0, 9000, *[0] * 9000), box(b"edts", table(b"elst", 900, *[0] * 2700))),
    "fragments without sizes": fragment(0, 50_000_000, 0),
    "fragments of one size": fragment(0, 1000, 5000),
    "a fragment that states sizes": fragment(0x200, 50_000_000, 0),
    "a compressed index": box(b"moov", box(b"cmov", bytes(20))),
    "deep boxes": box(b"moov", box(b"trak", box(b"trak", box(b"trak", box(b"trak", box(b"trak", box(b"trak",
        box(b"trak", box(b"trak", box(b"trak", box(b"trak", bytes(8)))))))))))),
}  # fmt: skip


@pytest.mark.parametrize("index", HOSTILE.values(), ids=HOSTILE)
def test_an_index_that_expands_is_refused_before_a_demuxer_opens_the_file(tmp_path, index):
    path = tmp_path / "small.mp4"
    path.write_bytes(box(b"ftyp", b"isom\0\0\2\0isom") + index)
    with pytest.raises(Unreadable, match="index of the file") as error:
        mp4_index.check_index(path)
    assert error.value.code == "bad_index"


@given(data=st.binary(max_size=400))
def test_any_bytes_are_judged_without_another_error(tmp_path_factory, data: bytes):
    path = tmp_path_factory.getbasetemp() / "any.mp4"
    path.write_bytes(data + box(b"moov", data))
    with suppress(Unreadable):
        mp4_index.check_index(path)


@pytest.mark.parametrize(
    "options",
    [{}, {"container": "mov"}, {"b_frames": True, "sound": True}, {"sound": True, "frames": 0}, {"faststart": False}],
)
def test_indexes_of_real_files_are_accepted(tmp_path, options):
    mp4_index.check_index(make_video(tmp_path / "a", **options))
