"""Image inspection, and fitting to the limits of a model."""

import io
import random
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from framegate.domain.errors import ReferenceUnusable
from framegate.media import images
from framegate.media.images import FitLimits, ImageInfo, fit, inspect_image, plan_sizes
from support.broken_images import png

PIXELS_MAX = 10**7


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def write_file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(data)
    return path


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    generator = random.Random(1)
    return Image.frombytes(mode, (width, height), generator.randbytes(width * height * len(mode)))


def halves(width: int = 60, height: int = 40) -> Image.Image:
    """An image that is red on the left and blue on the right, so that its orientation is visible."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


@pytest.mark.parametrize("name", ["astronaut.png", "cat.png", "coffee.png", "deep-field.jpg", "rocket.jpg"])
def test_photos_are_identified(photo_dir: Path, name: str):
    picture = inspect_image(photo_dir / name, pixels_max=PIXELS_MAX)
    assert picture.media_type == ("image/png" if name.endswith("png") else "image/jpeg")
    assert (picture.has_alpha, picture.is_reoriented, picture.frames) == (False, False, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_every_format_is_decoded_and_identified(tmp_path: Path, kind: str):
    picture = inspect_image(write_file(tmp_path, encoded(halves(), kind)), pixels_max=PIXELS_MAX)
    assert picture == ImageInfo(
        format=kind,
        media_type=f"image/{kind.lower()}",
        width=60,
        height=40,
        has_alpha=False,
        is_reoriented=False,
        frames=1,
    )


@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_of_lossless_and_lossy_webp_is_read_from_the_header(tmp_path: Path, lossless: bool):
    path = write_file(tmp_path, encoded(halves(300, 200), "WEBP", lossless=lossless))
    assert images._webp_size(path.read_bytes()) == (300, 200)
    with pytest.raises(ReferenceUnusable, match="300 x 200 pixels"):
        inspect_image(path, pixels_max=300 * 200 - 1)


@pytest.mark.parametrize(
    ("mode", "kind", "alpha"),
    [
        ("L", "PNG", False),
        ("1", "PNG", False),
        ("LA", "PNG", True),
        ("P", "PNG", False),
        ("I;16", "PNG", False),
        ("RGBA", "PNG", True),
        ("RGBA", "WEBP", True),
        ("RGBA", "AVIF", True),
        ("CMYK", "JPEG", False),
        ("L", "JPEG", False),
    ],
)
def test_every_color_mode_is_converted_to_eight_bit_rgb(tmp_path: Path, mode: str, kind: str, alpha: bool):
    image = Image.new("I;16", (64, 48), 40_000) if mode == "I;16" else halves(64, 48).convert(mode)
    if alpha:
        image.putalpha(Image.linear_gradient("L").resize((64, 48)))
    path = write_file(tmp_path, encoded(image, kind))
    picture = inspect_image(path, pixels_max=PIXELS_MAX)
    assert picture.has_alpha is alpha
    fitted = fit(path, picture, FitLimits(max_side=32, formats=("image/png",)), index=0)
    assert fitted.data
    with Image.open(io.BytesIO(fitted.data)) as small:
        assert (small.mode, small.size) == ("RGBA" if alpha else "RGB", (32, 24))
        if mode == "I;16":
            assert small.getpixel((5, 5)) == (156, 156, 156)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_image_is_rejected_as_truncated(tmp_path: Path, photo_dir: Path, kind: str, share: float):
    with Image.open(photo_dir / "cat.png") as cat:
        data = encoded(cat.convert("RGB"), kind)
    path = write_file(tmp_path, data[: int(len(data) * share)])
    with pytest.raises(ReferenceUnusable) as error_info:
        inspect_image(path, pixels_max=PIXELS_MAX, pointer="/input_references/0")
    assert error_info.value.code == "reference_truncated"
    assert error_info.value.problems[0].pointer == "/input_references/0"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "reference_is_empty"),
        (b"hello", "reference_not_an_image"),
        (b'{"error": "no"}', "reference_not_an_image"),
        (b"\0" * 5000, "reference_not_an_image"),
        (b"<!doctype html><html></html>", "reference_is_html"),
        (b"  <HTML><body>", "reference_is_html"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "reference_unsupported_format"),
        (b"%PDF-1.7\n", "reference_unsupported_format"),
        (b"II*\0" + b"\0" * 100, "reference_unsupported_format"),
        (b"BM" + b"\0" * 100, "reference_unsupported_format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "reference_unsupported_format"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "reference_unsupported_format"),
        (b"\x89PNG\r\n\x1a\n", "reference_truncated"),
        (b"\xff\xd8\xff", "reference_truncated"),
        (b"GIF89a", "reference_truncated"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "reference_truncated"),
        (png(100, 100, b"not deflate at all"), "reference_truncated"),
        (png(0, 0), "reference_truncated"),
        (encoded(Image.new("RGB", (1, 1)), "PNG"), "reference_tracking_pixel"),
        (encoded(Image.new("L", (1, 1)), "GIF"), "reference_tracking_pixel"),
        (encoded(Image.new("RGB", (2, 2)), "JPEG"), "reference_tracking_pixel"),
    ],
)
def test_each_kind_of_unusable_file_has_its_own_error_code(tmp_path: Path, data: bytes, code: str):
    with pytest.raises(ReferenceUnusable) as error_info:
        inspect_image(write_file(tmp_path, data), pixels_max=PIXELS_MAX)
    assert error_info.value.code == code


def webp_canvas(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + (width - 1).to_bytes(3, "little")
    body += (height - 1).to_bytes(3, "little") + b"VP8 " + struct.pack("<I", 10) + b"\0" * 10
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_with_header_size(width: int, height: int) -> bytes:
    data = bytearray(encoded(halves(), "JPEG"))
    offset = data.index(b"\xff\xc0") + 5
    data[offset : offset + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def gif_with_header_size(width: int, height: int) -> bytes:
    data = bytearray(encoded(halves(), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


@pytest.mark.parametrize(
    "bomb",
    [
        png(50_000, 50_000, zlib.compress(b"\0" * 3_000_000)[:4000]),
        png(2**31 - 1, 2**31 - 1),
        webp_canvas(16_384, 16_384),
        jpeg_with_header_size(65_000, 65_000),
        gif_with_header_size(65_000, 65_000),
    ],
    ids=["png", "largest png", "webp", "jpeg", "gif"],
)
def test_a_decompression_bomb_is_rejected_by_its_header_without_using_memory(tmp_path: Path, bomb: bytes):
    assert len(bomb) < 5000
    path = write_file(tmp_path, bomb)
    tracemalloc.start()
    try:
        with pytest.raises(ReferenceUnusable) as error_info:
            inspect_image(path, pixels_max=100_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error_info.value.code == "reference_too_many_pixels"
    assert peak < 2**20


def test_a_jpeg_with_too_many_scans_is_rejected_before_it_is_decoded(tmp_path: Path):
    data = encoded(noise(512, 512), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert inspect_image(write_file(tmp_path, data), pixels_max=PIXELS_MAX).width == 512
    with pytest.raises(ReferenceUnusable, match="scans") as error_info:
        inspect_image(write_file(tmp_path, data[:-2] + data[last:-2] * 200 + data[-2:]), pixels_max=PIXELS_MAX)
    assert error_info.value.code == "reference_unsupported_format"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_only_the_first_frame_of_an_animation_is_used_and_the_change_is_listed(tmp_path: Path, kind: str):
    further_frames = [Image.new("RGB", (60, 40), color) for color in ("green", "white")]
    path = write_file(tmp_path, encoded(halves(), kind, save_all=True, append_images=further_frames))
    picture = inspect_image(path, pixels_max=PIXELS_MAX)
    assert picture.frames == (2 if kind == "GIF" else 3)
    fitted = fit(path, picture, FitLimits(), index=4)
    assert fitted.data
    assert [(change.what, change.reference) for change in fitted.adjustments] == [("converted", 4)]
    with Image.open(io.BytesIO(fitted.data)) as still:
        assert getattr(still, "n_frames", 1) == 1
        red = still.convert("RGB").getpixel((5, 5))
        assert isinstance(red, tuple)
        assert red[0] > 200
        assert red[1] < 60


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_the_pixels(tmp_path: Path, orientation: int):
    upright = Image.new("RGB", (60, 40), "white")
    upright.paste("red", (0, 0, 30, 20))  # the corner distinguishes all eight orientations
    upright.paste("blue", (30, 0, 60, 20))
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(inverse[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write_file(tmp_path, encoded(stored, "PNG", exif=exif))
    picture = inspect_image(path, pixels_max=PIXELS_MAX)
    assert (picture.width, picture.height, picture.is_reoriented) == (60, 40, orientation > 1)
    fitted = fit(path, picture, FitLimits(), index=0)
    assert (fitted.width, fitted.height) == (60, 40)
    if orientation == 1:
        assert (fitted.data, fitted.adjustments) == (None, [])
        return
    assert [change.what for change in fitted.adjustments] == ["oriented"]
    assert fitted.data
    with Image.open(io.BytesIO(fitted.data)) as turned:
        assert turned.tobytes() == upright.tobytes()
        assert 0x0112 not in turned.getexif()


@pytest.mark.parametrize("formats", [("image/png",), ("image/jpeg", "image/png"), ("image/webp",)])
def test_transparency_becomes_white_for_a_model_that_does_not_support_it(tmp_path: Path, formats: tuple[str, ...]):
    transparent = Image.new("RGBA", (60, 40), (255, 0, 0, 0))
    transparent.paste((0, 0, 255, 255), (0, 0, 30, 40))
    path = write_file(tmp_path, encoded(transparent, "PNG"))
    fitted = fit(
        path, inspect_image(path, pixels_max=PIXELS_MAX), FitLimits(formats=formats, allows_alpha=False), index=1
    )
    assert fitted.data
    assert ("flattened", 1) in [(change.what, change.reference) for change in fitted.adjustments]
    with Image.open(io.BytesIO(fitted.data)) as plain:
        assert not plain.has_transparency_data
        left, right = (cast("tuple[int, int, int]", plain.convert("RGB").getpixel((x, 20))) for x in (10, 50))
    assert max(abs(a - b) for a, b in zip(left + right, (0, 0, 255, 255, 255, 255), strict=True)) < 12
    unchanged = fit(path, inspect_image(path, pixels_max=PIXELS_MAX), FitLimits(formats=("image/png",)), index=1)
    assert (unchanged.data, unchanged.adjustments) == (None, [])


def test_an_image_within_the_limits_is_not_changed(photo_dir: Path):
    picture = inspect_image(photo_dir / "cat.png", pixels_max=PIXELS_MAX)
    limits = FitLimits(
        min_side=100, max_side=1000, max_bytes=10**6, min_ratio=0.5, max_ratio=2.0, formats=("image/png",)
    )
    fitted = fit(photo_dir / "cat.png", picture, limits, index=0)
    assert (fitted.data, fitted.media_type, fitted.width, fitted.height) == (None, "image/png", 451, 300)
    assert fitted.adjustments == []


@pytest.mark.parametrize(
    ("limits", "size", "changes"),
    [
        (FitLimits(max_side=100), (100, 67), ["resized"]),
        (FitLimits(max_pixels=20_000), (173, 115), ["resized"]),
        (FitLimits(min_side=600), (902, 600), ["resized"]),
        (FitLimits(max_ratio=1.0), (451, 451), ["padded"]),
        (FitLimits(min_ratio=2.0), (600, 300), ["padded"]),
        (FitLimits(max_side=200, max_ratio=1.0), (200, 200), ["resized", "padded"]),
        (FitLimits(min_side=300, max_side=400), (400, 300), ["resized", "padded"]),
        (FitLimits(formats=("image/jpeg",)), (451, 300), ["converted"]),
        (FitLimits(max_bytes=30_000, formats=("image/png", "image/jpeg")), (451, 300), ["recompressed"]),
        (FitLimits(max_bytes=20_000, formats=("image/png",)), None, ["recompressed"]),
    ],
)
def test_each_limit_is_met_and_each_change_is_listed(
    tmp_path: Path, photo_dir: Path, limits: FitLimits, size: tuple[int, int] | None, changes: list[str]
):
    picture = inspect_image(photo_dir / "cat.png", pixels_max=PIXELS_MAX)
    fitted = fit(photo_dir / "cat.png", picture, limits, index=2)
    assert [change.what for change in fitted.adjustments] == changes
    for change in fitted.adjustments:
        assert change.reference == 2
        assert change.before != change.after
        assert change.reason.endswith(".")
    assert fitted.data
    result = inspect_image(write_file(tmp_path, fitted.data), pixels_max=PIXELS_MAX)
    assert (result.width, result.height, result.media_type) == (fitted.width, fitted.height, fitted.media_type)
    assert size is None or size == (result.width, result.height)
    assert len(fitted.data) <= (limits.max_bytes or 10**7)
    assert not limits.formats or result.media_type in limits.formats


def test_formats_are_accepted_as_short_names_and_media_types(photo_dir: Path):
    cat = photo_dir / "cat.png"
    picture = inspect_image(cat, pixels_max=PIXELS_MAX)
    assert fit(cat, picture, FitLimits(formats=("jpeg", "PNG", "bmp")), index=0).data is None
    assert fit(cat, picture, FitLimits(formats=("jpg",)), index=0).media_type == "image/jpeg"


def test_padding_has_the_edge_color_and_crops_nothing(tmp_path: Path):
    image = Image.new("RGB", (100, 50), (10, 200, 30))
    image.putpixel((50, 25), (255, 0, 0))
    path = write_file(tmp_path, encoded(image, "PNG"))
    fitted = fit(path, inspect_image(path, pixels_max=PIXELS_MAX), FitLimits(max_ratio=1.0), index=0)
    assert fitted.data
    with Image.open(io.BytesIO(fitted.data)) as padded:
        assert padded.size == (100, 100)
        assert padded.getpixel((50, 50)) == (255, 0, 0)
        assert padded.getpixel((0, 0)) == padded.getpixel((99, 99)) == (10, 200, 30)


def test_transparency_becomes_white_only_if_no_allowed_format_supports_it(tmp_path: Path):
    path = write_file(tmp_path, encoded(Image.new("RGBA", (50, 50), (255, 0, 0, 0)), "PNG"))
    picture = inspect_image(path, pixels_max=PIXELS_MAX)
    assert fit(path, picture, FitLimits(formats=("image/jpeg", "image/webp")), index=0).media_type == "image/webp"
    fitted = fit(path, picture, FitLimits(formats=("image/jpeg",)), index=0)
    assert fitted.data
    with Image.open(io.BytesIO(fitted.data)) as flat:
        assert flat.getpixel((25, 25)) == (255, 255, 255)


def test_a_wide_gamut_image_is_converted_to_srgb_and_an_srgb_one_is_not_changed(tmp_path: Path, photo_dir: Path):
    rocket = photo_dir / "rocket.jpg"  # in Adobe RGB
    fitted = fit(rocket, inspect_image(rocket, pixels_max=PIXELS_MAX), FitLimits(), index=0)
    assert [change.before for change in fitted.adjustments] == ["embedded color profile"]
    assert fitted.data
    assert "icc_profile" not in Image.open(io.BytesIO(fitted.data)).info
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = write_file(tmp_path, encoded(halves(), "PNG", icc_profile=srgb))
    assert fit(path, inspect_image(path, pixels_max=PIXELS_MAX), FitLimits(), index=0).data is None


def test_an_invalid_color_profile_is_ignored(tmp_path: Path):
    path = write_file(tmp_path, encoded(halves(), "PNG", icc_profile=b"not a profile"))
    assert fit(path, inspect_image(path, pixels_max=PIXELS_MAX), FitLimits(), index=0).data is None


def test_an_image_that_cannot_meet_the_byte_limit_is_rejected(tmp_path: Path):
    path = write_file(tmp_path, encoded(noise(64, 64), "PNG"))
    with pytest.raises(ReferenceUnusable) as error_info:
        fit(path, inspect_image(path, pixels_max=PIXELS_MAX), FitLimits(max_bytes=50), index=0)
    assert error_info.value.code == "reference_too_large"


def test_an_unsupported_output_format_is_rejected(tmp_path: Path):
    path = write_file(tmp_path, encoded(halves(), "PNG"))
    with pytest.raises(ReferenceUnusable) as error_info:
        fit(path, inspect_image(path, pixels_max=PIXELS_MAX), FitLimits(formats=("image/gif",)), index=0)
    assert error_info.value.code == "reference_unsupported_format"


@pytest.mark.parametrize(
    "limits",
    [{"min_side": 500, "max_side": 400}, {"min_side": 500, "max_pixels": 499**2}, {"min_ratio": 2, "max_ratio": 1}],
)
def test_contradictory_limits_raise_a_value_error(limits: dict[str, Any]):
    with pytest.raises(ValueError, match="No image fits"):
        FitLimits(**limits)


@given(
    st.tuples(st.integers(3, 8000), st.integers(3, 8000)),
    st.integers(1, 512) | st.none(),
    st.integers(1024, 4096) | st.none(),
    st.integers(512 * 2048, 4096**2) | st.none(),
    st.sampled_from([(None, None), (0.4, 2.5), (0.5, 2.0), (1.0, 1.0), (None, 1.778)]),
)
def test_the_planned_sizes_keep_every_limit_for_any_image(
    size: tuple[int, int],
    min_side: int | None,
    max_side: int | None,
    max_pixels: int | None,
    ratios: tuple[float | None, float | None],
):
    limits = FitLimits(
        min_side=min_side, max_side=max_side, max_pixels=max_pixels, min_ratio=ratios[0], max_ratio=ratios[1]
    )
    scaled, canvas = plan_sizes(size, limits)
    assert all(inner <= outer for inner, outer in zip(scaled, canvas, strict=True))
    assert min(canvas) >= (min_side or 1)
    assert max(canvas) <= (max_side or 10**9)
    assert canvas[0] * canvas[1] <= (max_pixels or 10**12)
    assert canvas[0] / canvas[1] <= (ratios[1] or 10**6)
    assert canvas[0] / canvas[1] >= (ratios[0] or 0)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow warns about damaged EXIF data, which does not matter
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "AVIF", "GIF"]),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6),
)
def test_a_damaged_image_is_either_used_or_rejected(tmp_path: Path, kind: str, patches: list[tuple[int, bytes]]):
    data = bytearray(encoded(halves(), kind))
    for offset, patch in patches:
        data[offset % len(data) : offset % len(data) + len(patch)] = patch
    path = write_file(tmp_path, bytes(data))
    try:
        picture = inspect_image(path, pixels_max=10**6)
    except ReferenceUnusable:
        return
    fitted = fit(path, picture, FitLimits(max_side=30, formats=("image/jpeg",)), index=0)
    assert max(fitted.width, fitted.height) <= 30
