"""Looking at pictures, and making them fit."""

import io
import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from framegate.domain.errors import ReferenceUnusable
from framegate.media import images
from framegate.media.images import FitLimits, Picture, fit, look, plan
from support.broken_images import png

PIXELS_MAX = 10**7


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def placed(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(data)
    return path


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    chance = random.Random(1)
    return Image.frombytes(mode, (width, height), chance.randbytes(width * height * len(mode)))


def halves(width: int = 60, height: int = 40) -> Image.Image:
    """Red on the left, blue on the right: it shows which way is up."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


@pytest.mark.parametrize("name", ["astronaut.png", "cat.png", "coffee.png", "deep-field.jpg", "rocket.jpg"])
def test_photos_are_what_they_are(photo_dir: Path, name: str):
    picture = look(photo_dir / name, pixels_max=PIXELS_MAX)
    assert picture.media_type == ("image/png" if name.endswith("png") else "image/jpeg")
    assert (picture.alpha, picture.oriented, picture.frames) == (False, False, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_every_kind_is_decoded_and_named(tmp_path: Path, kind: str):
    picture = look(placed(tmp_path, saved(halves(), kind)), pixels_max=PIXELS_MAX)
    assert picture == Picture(
        format=kind,
        media_type=f"image/{kind.lower()}",
        width=60,
        height=40,
        alpha=False,
        oriented=False,
        frames=1,
    )


@pytest.mark.parametrize("lossless", [True, False])
def test_both_codings_of_webp_are_measured_by_their_header(tmp_path: Path, lossless: bool):
    path = placed(tmp_path, saved(halves(300, 200), "WEBP", lossless=lossless))
    assert images._webp_size(path.read_bytes()) == (300, 200)
    with pytest.raises(ReferenceUnusable, match="300 x 200 pixels"):
        look(path, pixels_max=300 * 200 - 1)


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
def test_every_colour_mode_decodes_and_comes_out_as_eight_bit_rgb(tmp_path: Path, mode: str, kind: str, alpha: bool):
    image = Image.new("I;16", (64, 48), 40_000) if mode == "I;16" else halves(64, 48).convert(mode)
    if alpha:
        image.putalpha(Image.linear_gradient("L").resize((64, 48)))
    path = placed(tmp_path, saved(image, kind))
    picture = look(path, pixels_max=PIXELS_MAX)
    assert picture.alpha is alpha
    fitted = fit(path, picture, FitLimits(max_side=32, formats=("image/png",)), index=0)
    assert fitted.data
    with Image.open(io.BytesIO(fitted.data)) as small:
        assert (small.mode, small.size) == ("RGBA" if alpha else "RGB", (32, 24))
        if mode == "I;16":
            assert small.getpixel((5, 5)) == (156, 156, 156)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_cut_off_picture_says_so(tmp_path: Path, photo_dir: Path, kind: str, share: float):
    with Image.open(photo_dir / "cat.png") as cat:
        whole = saved(cat.convert("RGB"), kind)
    path = placed(tmp_path, whole[: int(len(whole) * share)])
    with pytest.raises(ReferenceUnusable) as caught:
        look(path, pixels_max=PIXELS_MAX, pointer="/input_references/0")
    assert caught.value.code == "reference_truncated"
    assert caught.value.problems[0].pointer == "/input_references/0"


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
        (saved(Image.new("RGB", (1, 1)), "PNG"), "reference_tracking_pixel"),
        (saved(Image.new("L", (1, 1)), "GIF"), "reference_tracking_pixel"),
        (saved(Image.new("RGB", (2, 2)), "JPEG"), "reference_tracking_pixel"),
    ],
)
def test_each_file_that_is_no_picture_has_its_own_error(tmp_path: Path, data: bytes, code: str):
    with pytest.raises(ReferenceUnusable) as caught:
        look(placed(tmp_path, data), pixels_max=PIXELS_MAX)
    assert caught.value.code == code


def webp_canvas(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + (width - 1).to_bytes(3, "little")
    body += (height - 1).to_bytes(3, "little") + b"VP8 " + struct.pack("<I", 10) + b"\0" * 10
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_claiming(width: int, height: int) -> bytes:
    data = bytearray(saved(halves(), "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def gif_claiming(width: int, height: int) -> bytes:
    data = bytearray(saved(halves(), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


@pytest.mark.parametrize(
    "bomb",
    [
        png(50_000, 50_000, zlib.compress(b"\0" * 3_000_000)[:4000]),
        png(2**31 - 1, 2**31 - 1),
        webp_canvas(16_384, 16_384),
        jpeg_claiming(65_000, 65_000),
        gif_claiming(65_000, 65_000),
    ],
    ids=["png", "largest png", "webp", "jpeg", "gif"],
)
def test_a_bomb_is_refused_by_its_header_with_memory_flat(tmp_path: Path, bomb: bytes):
    assert len(bomb) < 5000
    path = placed(tmp_path, bomb)
    tracemalloc.start()
    try:
        with pytest.raises(ReferenceUnusable) as caught:
            look(path, pixels_max=100_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == "reference_too_many_pixels"
    assert peak < 2**20


def test_a_jpeg_of_endless_passes_is_refused_before_it_is_decoded(tmp_path: Path):
    data = saved(noise(512, 512), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert look(placed(tmp_path, data), pixels_max=PIXELS_MAX).width == 512
    with pytest.raises(ReferenceUnusable, match="passes") as caught:
        look(placed(tmp_path, data[:-2] + data[last:-2] * 200 + data[-2:]), pixels_max=PIXELS_MAX)
    assert caught.value.code == "reference_unsupported_format"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_used_and_said_so(tmp_path: Path, kind: str):
    more = [Image.new("RGB", (60, 40), colour) for colour in ("green", "white")]
    path = placed(tmp_path, saved(halves(), kind, save_all=True, append_images=more))
    picture = look(path, pixels_max=PIXELS_MAX)
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
def test_a_picture_that_only_exif_holds_upright_is_made_upright(tmp_path: Path, orientation: int):
    upright = Image.new("RGB", (60, 40), "white")
    upright.paste("red", (0, 0, 30, 20))  # the corner tells all eight apart
    upright.paste("blue", (30, 0, 60, 20))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    lying = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = placed(tmp_path, saved(lying, "PNG", exif=exif))
    picture = look(path, pixels_max=PIXELS_MAX)
    assert (picture.width, picture.height, picture.oriented) == (60, 40, orientation > 1)
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
def test_a_model_that_takes_no_transparency_is_given_the_picture_on_white(tmp_path: Path, formats: tuple[str, ...]):
    glass = Image.new("RGBA", (60, 40), (255, 0, 0, 0))
    glass.paste((0, 0, 255, 255), (0, 0, 30, 40))
    path = placed(tmp_path, saved(glass, "PNG"))
    fitted = fit(path, look(path, pixels_max=PIXELS_MAX), FitLimits(formats=formats, alpha=False), index=1)
    assert fitted.data
    assert ("flattened", 1) in [(change.what, change.reference) for change in fitted.adjustments]
    with Image.open(io.BytesIO(fitted.data)) as plain:
        assert not plain.has_transparency_data
        left, right = (plain.convert("RGB").getpixel((x, 20)) for x in (10, 50))
    assert max(abs(a - b) for a, b in zip(left + right, (0, 0, 255, 255, 255, 255), strict=True)) < 12
    kept = fit(path, look(path, pixels_max=PIXELS_MAX), FitLimits(formats=("image/png",)), index=1)
    assert (kept.data, kept.adjustments) == (None, [])


def test_a_picture_that_fits_is_left_alone(photo_dir: Path):
    picture = look(photo_dir / "cat.png", pixels_max=PIXELS_MAX)
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
def test_each_limit_is_met_and_each_change_is_named(
    tmp_path: Path, photo_dir: Path, limits: FitLimits, size: tuple[int, int] | None, changes: list[str]
):
    picture = look(photo_dir / "cat.png", pixels_max=PIXELS_MAX)
    fitted = fit(photo_dir / "cat.png", picture, limits, index=2)
    assert [change.what for change in fitted.adjustments] == changes
    for change in fitted.adjustments:
        assert change.reference == 2
        assert change.before != change.after
        assert change.reason.endswith(".")
    assert fitted.data
    again = look(placed(tmp_path, fitted.data), pixels_max=PIXELS_MAX)
    assert (again.width, again.height, again.media_type) == (fitted.width, fitted.height, fitted.media_type)
    assert size is None or size == (again.width, again.height)
    assert len(fitted.data) <= (limits.max_bytes or 10**7)
    assert not limits.formats or again.media_type in limits.formats


def test_formats_may_be_named_as_vendors_name_them(photo_dir: Path):
    cat = photo_dir / "cat.png"
    picture = look(cat, pixels_max=PIXELS_MAX)
    assert fit(cat, picture, FitLimits(formats=("jpeg", "PNG", "bmp")), index=0).data is None
    assert fit(cat, picture, FitLimits(formats=("jpg",)), index=0).media_type == "image/jpeg"


def test_padding_keeps_the_whole_picture_in_the_colour_of_its_border(tmp_path: Path):
    image = Image.new("RGB", (100, 50), (10, 200, 30))
    image.putpixel((50, 25), (255, 0, 0))
    path = placed(tmp_path, saved(image, "PNG"))
    fitted = fit(path, look(path, pixels_max=PIXELS_MAX), FitLimits(max_ratio=1.0), index=0)
    assert fitted.data
    with Image.open(io.BytesIO(fitted.data)) as padded:
        assert padded.size == (100, 100)
        assert padded.getpixel((50, 50)) == (255, 0, 0)
        assert padded.getpixel((0, 0)) == padded.getpixel((99, 99)) == (10, 200, 30)


def test_transparency_turns_white_only_where_the_model_takes_nothing_better(tmp_path: Path):
    path = placed(tmp_path, saved(Image.new("RGBA", (50, 50), (255, 0, 0, 0)), "PNG"))
    picture = look(path, pixels_max=PIXELS_MAX)
    assert fit(path, picture, FitLimits(formats=("image/jpeg", "image/webp")), index=0).media_type == "image/webp"
    fitted = fit(path, picture, FitLimits(formats=("image/jpeg",)), index=0)
    assert fitted.data
    with Image.open(io.BytesIO(fitted.data)) as flat:
        assert flat.getpixel((25, 25)) == (255, 255, 255)


def test_a_wide_gamut_picture_is_turned_into_srgb_and_an_srgb_one_is_not_touched(tmp_path: Path, photo_dir: Path):
    rocket = photo_dir / "rocket.jpg"  # in Adobe RGB
    fitted = fit(rocket, look(rocket, pixels_max=PIXELS_MAX), FitLimits(), index=0)
    assert [change.before for change in fitted.adjustments] == ["its own colour profile"]
    assert fitted.data
    assert "icc_profile" not in Image.open(io.BytesIO(fitted.data)).info
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = placed(tmp_path, saved(halves(), "PNG", icc_profile=srgb))
    assert fit(path, look(path, pixels_max=PIXELS_MAX), FitLimits(), index=0).data is None


def test_a_broken_colour_profile_is_ignored(tmp_path: Path):
    path = placed(tmp_path, saved(halves(), "PNG", icc_profile=b"not a profile"))
    assert fit(path, look(path, pixels_max=PIXELS_MAX), FitLimits(), index=0).data is None


def test_a_byte_limit_that_nothing_meets_is_refused(tmp_path: Path):
    path = placed(tmp_path, saved(noise(64, 64), "PNG"))
    with pytest.raises(ReferenceUnusable) as caught:
        fit(path, look(path, pixels_max=PIXELS_MAX), FitLimits(max_bytes=50), index=0)
    assert caught.value.code == "reference_too_large"


def test_a_format_that_cannot_be_written_is_refused(tmp_path: Path):
    path = placed(tmp_path, saved(halves(), "PNG"))
    with pytest.raises(ReferenceUnusable) as caught:
        fit(path, look(path, pixels_max=PIXELS_MAX), FitLimits(formats=("image/gif",)), index=0)
    assert caught.value.code == "reference_unsupported_format"


@pytest.mark.parametrize(
    "limits",
    [{"min_side": 500, "max_side": 400}, {"min_side": 500, "max_pixels": 499**2}, {"min_ratio": 2, "max_ratio": 1}],
)
def test_limits_that_contradict_each_other_are_a_fault_of_ours(limits: dict[str, int]):
    with pytest.raises(ValueError, match="No picture fits"):
        FitLimits(**limits)


@given(
    st.tuples(st.integers(3, 8000), st.integers(3, 8000)),
    st.integers(1, 512) | st.none(),
    st.integers(1024, 4096) | st.none(),
    st.integers(512 * 2048, 4096**2) | st.none(),
    st.sampled_from([(None, None), (0.4, 2.5), (0.5, 2.0), (1.0, 1.0), (None, 1.778)]),
)
def test_whatever_the_picture_the_plan_keeps_every_limit(
    size: tuple[int, int],
    min_side: int | None,
    max_side: int | None,
    max_pixels: int | None,
    ratios: tuple[float | None, float | None],
):
    limits = FitLimits(
        min_side=min_side, max_side=max_side, max_pixels=max_pixels, min_ratio=ratios[0], max_ratio=ratios[1]
    )
    scaled, canvas = plan(size, limits)
    assert all(inner <= outer for inner, outer in zip(scaled, canvas, strict=True))
    assert min(canvas) >= (min_side or 1)
    assert max(canvas) <= (max_side or 10**9)
    assert canvas[0] * canvas[1] <= (max_pixels or 10**12)
    assert canvas[0] / canvas[1] <= (ratios[1] or 10**6)
    assert canvas[0] / canvas[1] >= (ratios[0] or 0)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow tells of damaged EXIF data, which spoils no picture
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "AVIF", "GIF"]),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6),
)
def test_whatever_is_damaged_a_picture_is_used_or_refused(tmp_path: Path, kind: str, patches: list[tuple[int, bytes]]):
    data = bytearray(saved(halves(), kind))
    for offset, patch in patches:
        data[offset % len(data) : offset % len(data) + len(patch)] = patch
    path = placed(tmp_path, bytes(data))
    try:
        picture = look(path, pixels_max=10**6)
    except ReferenceUnusable:
        return
    fitted = fit(path, picture, FitLimits(max_side=30, formats=("image/jpeg",)), index=0)
    assert max(fitted.width, fitted.height) <= 30
