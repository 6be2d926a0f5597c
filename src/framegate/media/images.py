"""Reference images: inspection by full decoding, and fitting to the limits of a model."""

import functools
import importlib
import importlib.util
import io
import math
import struct
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageStat, PngImagePlugin

from framegate.domain import Adjustment
from framegate.domain.errors import ReferenceUnusable
from framegate.media.canvas import Size, center, edge_color, flatten, size_label
from framegate.media.containers import jpeg, png
from framegate.media.file_info import FitLimits, FittedImage, ImageInfo
from framegate.media.sniff import HEAD_BYTES, media_type_of

# `pixels_max` is checked per image instead; Pillow's limit applies to the whole process and only warns.
Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_CHUNK = png.PROFILE_BYTES_MAX  # also its limit for color profiles
Image.init()  # registers the decoders; only those in DECODERS are used on untrusted files

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG followed by a second image, as phones write it
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "GIF": "image/gif",
}
HEIF_TYPES = ("image/heic", "image/heif")
DECODERS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")
# What decoders raise on hostile files.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, LookupError, TypeError, struct.error)
SUPPORTED_FORMATS = "Supported formats: JPEG, PNG, WebP, AVIF and GIF."
HEIF_HINT = "Install the extra `heif` on the gateway, or save the picture as JPEG or PNG."
JPEG_SCANS_MAX = 100  # encoders use about ten
LOOK_SIDE = 1024  # pixels: an inspection decodes a JPEG at about this size
TRACKING_SIDE_MAX = 2  # pixels
LOSSLESS_FIRST = ("image/png", "image/webp", "image/avif", "image/jpeg")
LOSSY_FIRST = ("image/jpeg", "image/webp", "image/avif", "image/png")
QUALITIES = (95, 90, 85, 80, 70, 60)
SHRINK_FACTOR = 0.85  # of the sides, when no quality is small enough
COLOR_CHANGE_MAX = 2  # of 255: a profile that changes no color by more than this is treated as sRGB

ORIENTATIONS = {  # by the value of the EXIF tag
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SRGB = cast("Any", ImageCms).createProfile("sRGB")  # untyped in Pillow
MakeError = Callable[[str, str], ReferenceUnusable]  # of a code and a message


@functools.cache
def decoders() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are decoded; HEIF if its decoder is installed."""
    if importlib.util.find_spec("pillow_heif") is None:
        return DECODERS
    importlib.import_module("pillow_heif").register_heif_opener()
    return (*DECODERS, "HEIF")


def decoded_pixels(path: Path, *, pixels_max: int) -> int:
    """Return the number of pixels that `inspect_image` holds in memory; 0 if it decodes piece by piece.

    Raises `ReferenceUnusable`.
    """
    with _translated(""), _open(path, pixels_max, "") as opened:
        image = opened.image
        is_streamed = opened.png is not None or (image.format == "JPEG" and "progressive" not in image.info)
        return 0 if is_streamed else image.width * image.height


def inspect_image(path: Path, *, pixels_max: int, pointer: str = "") -> ImageInfo:
    """Decode an image completely and return its format and size.

    The size in the header is checked before anything is decoded, and JPEG and PNG files are decoded without their
    pixels in memory. Raises `ReferenceUnusable`.
    """
    with _translated(pointer), _open(path, pixels_max, pointer) as opened:
        info = opened.info()
        if opened.png is not None:
            png.check_pixels(opened.png)
            return info
        opened.image.draft(None, (LOOK_SIDE, LOOK_SIDE))
        opened.image.load()
        return info


@dataclass(frozen=True, slots=True)
class _Opened:
    """An image whose size is acceptable, not decoded yet."""

    image: Image.Image
    png: bytes | None  # the cleaned file, of a PNG
    frames: int  # of a PNG animation

    def info(self) -> ImageInfo:
        info = _image_info(self.image)
        return replace(info, frames=self.frames) if self.png is not None else info


@contextmanager
def _open(path: Path, pixels_max: int, pointer: str) -> Generator[_Opened]:
    """Open an image of a supported format and an acceptable size. Raises `ReferenceUnusable`, and `DECODE_ERRORS`."""

    def unusable(code: str, message: str) -> ReferenceUnusable:
        return ReferenceUnusable(code, message, pointer=pointer)

    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    _check_type(head, unusable)
    _check_size(_webp_size(head), pixels_max, unusable)
    source, clean_png, frames = _cleaned(path, head, unusable)
    with warnings.catch_warnings(action="ignore"), closing(Image.open(source, formats=decoders())) as image:
        _check_size(image.size, pixels_max, unusable)
        yield _Opened(image, clean_png, frames)


def _cleaned(path: Path, head: bytes, unusable: MakeError) -> tuple[io.BytesIO | Path, bytes | None, int]:
    """Return what Pillow may read: a JPEG or PNG without foreign data, other files as they are."""
    if head.startswith(b"\xff\xd8"):
        picture = jpeg.clean(path.read_bytes())
        if picture.scan_count > JPEG_SCANS_MAX:
            message = f"The progressive JPEG has {picture.scan_count:,} scans; the maximum is {JPEG_SCANS_MAX}."
            raise unusable("reference_unsupported_format", f"{message} Save it with fewer.")
        return io.BytesIO(picture.data), None, 1
    if head.startswith(png.SIGNATURE):
        cleaned = png.clean(path.read_bytes())
        return io.BytesIO(cleaned.data), cleaned.data, cleaned.frames
    return path, None, 1


@contextmanager
def _translated(pointer: str) -> Generator[None]:
    """Report what decoders raise as a damaged image."""
    try:
        yield
    except MemoryError:
        raise
    except ReferenceUnusable:
        raise
    except DECODE_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system, not of the file
            raise
        if "out of memory" in str(error):
            raise MemoryError from error
        message = "The image is truncated or damaged: it cannot be decoded to its end. Send the complete file."
        raise ReferenceUnusable("reference_truncated", message, pointer=pointer) from error


@contextmanager
def open_image(path: Path) -> Generator[Image.Image]:
    """Open an image that was inspected before, without its foreign data. Raises `DECODE_ERRORS` later."""
    with _open(path, sys.maxsize, "") as opened:
        yield opened.image


def upright_srgb(image: Image.Image) -> Image.Image:
    """Return an image as a viewer shows it: upright, in sRGB with 8 bits, with its transparency if it has one."""
    plain = _eight_bit(_upright(image))
    return _in_srgb(plain) or _as_rgb(plain)


def _upright(image: Image.Image) -> Image.Image:
    """Return an image with its EXIF orientation applied."""
    method = ORIENTATIONS.get(_orientation(image))
    if method is None:
        return image
    upright = image.transpose(method)
    upright.info.pop("exif", None)
    return upright


def fit(path: Path, info: ImageInfo, limits: FitLimits, *, index: int) -> FittedImage:
    """Fit an image to the limits: upright, in sRGB, resized or padded; `index` is the reference's place in the request.

    An image is enlarged only up to the minimum side and never cropped. Every change is listed. If there is none,
    `data` is None and the file can be used unchanged. Raises `ReferenceUnusable` if the byte limit cannot be met.
    """
    fitter = _Fitter(info, limits, index)
    with _translated(""), open_image(path) as image:
        opaque = fitter.remove_alpha(fitter.convert_colors(fitter.orient(image)))
        return fitter.encode(fitter.resize(opaque), path.stat().st_size)


def _check_type(head: bytes, unusable: MakeError) -> None:
    media_type = media_type_of(head)
    if media_type in MEDIA_TYPES.values() or (media_type in HEIF_TYPES and "HEIF" in decoders()):
        return
    if media_type in HEIF_TYPES:
        message = f"The file is a HEIF image ({media_type}), as phones take it; this gateway has no decoder for it."
        raise unusable("reference_unsupported_format", f"{message} {HEIF_HINT}")
    if not head:
        raise unusable("reference_is_empty", "The file is empty.")
    if media_type == "text/html":
        message = "The file is a web page, not an image. Use the URL of the image itself."
        raise unusable("reference_is_html", message)
    if media_type and media_type.startswith(("video/", "audio/")):
        message = f"The file is a video or audio file ({media_type}); an image is required."
        raise unusable("reference_unsupported_format", message)
    if media_type:
        message = f"Files of type {media_type} are not supported. {SUPPORTED_FORMATS}"
        raise unusable("reference_unsupported_format", message)
    raise unusable("reference_not_an_image", f"The file is not an image of a known format. {SUPPORTED_FORMATS}")


def _check_size(size: Size, pixels_max: int, unusable: MakeError) -> None:
    width, height = size
    if width * height > pixels_max:
        message = f"The image has {width:,} x {height:,} pixels; the maximum is {pixels_max:,} in total."
        raise unusable("reference_too_many_pixels", message)
    if 0 < width <= TRACKING_SIDE_MAX and 0 < height <= TRACKING_SIDE_MAX:
        message = f"The image is {width} x {height} pixels: a tracking pixel or a placeholder, not a reference."
        raise unusable("reference_tracking_pixel", message)


def _webp_size(head: bytes) -> Size:
    """Size of a WebP by its header (RFC 9649), 0 x 0 for other files; Pillow allocates the canvas on opening."""
    chunk_type = head[12:16] if head[:4] == b"RIFF" and len(head) >= 30 else b""
    if chunk_type == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if chunk_type == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk_type == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the picture to look for it elsewhere
    try:
        with warnings.catch_warnings(action="ignore"):
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODE_ERRORS:  # broken metadata; the picture itself can be whole
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _image_info(image: Image.Image) -> ImageInfo:
    orientation = _orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    return ImageInfo(
        format="JPEG" if image.format == "MPO" else image.format or "",
        media_type=MEDIA_TYPES.get(image.format or "", "image/heic"),
        width=width,
        height=height,
        has_alpha=image.has_transparency_data,
        is_reoriented=orientation != 1,
        frames=_frame_count(image),
    )


def _frame_count(image: Image.Image) -> int:
    if image.format == "GIF":  # counting all of them reads the whole file, which takes seconds for a hostile one
        return 2 if getattr(image, "is_animated", False) else 1
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return an image in a mode that color profiles apply to: L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        return _eight_bit_gray(image)
    if image.mode in ("LA", "RGBA"):
        return image
    if image.has_transparency_data:  # one transparent color, or a palette with transparent entries
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bit_gray(image: Image.Image) -> Image.Image:
    """Reduce 16-bit gray, which Pillow would clip at 255, and keep its transparent value exactly."""
    values = np.asarray(image).astype(np.uint16)
    gray = Image.fromarray((values >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    if profile := image.info.get("icc_profile"):
        gray.info["icc_profile"] = profile
    return gray


def _as_rgb(image: Image.Image) -> Image.Image:
    """Return an 8-bit image as RGB or RGBA, without a profile."""
    mode = "RGBA" if image.mode in ("LA", "RGBA") else "RGB"
    converted = image.copy() if image.mode == mode else image.convert(mode)
    converted.info.pop("icc_profile", None)
    return converted


def _in_srgb(image: Image.Image) -> Image.Image | None:
    """Convert an 8-bit image to sRGB by its embedded profile; None without a profile that fits the image."""
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    opaque = image.convert(image.mode[:-1]) if alpha else image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(opaque, source, SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if converted is not None and alpha is not None:
        converted.putalpha(alpha)
    return converted


def _differs(first: Image.Image, second: Image.Image) -> bool:
    thumbnails = [image.convert("RGB").resize((64, 64)) for image in (first, second)]
    extrema = ImageStat.Stat(ImageChops.difference(*thumbnails)).extrema
    return any(channel_max > COLOR_CHANGE_MAX for _, channel_max in extrema)


def plan_sizes(size: Size, limits: FitLimits) -> tuple[Size, Size]:
    """Compute the size to scale an image to, and the size of the canvas to center it on."""
    side_max, pixels_max = limits.max_side or math.inf, limits.max_pixels or math.inf
    width, height = _canvas_size(size, limits, padded=False)
    scale_max = min(side_max / max(width, height), math.sqrt(pixels_max / (width * height)))
    scale = min(1.0, scale_max)
    if limits.min_side and min(width, height) * scale < limits.min_side:
        scale = min(limits.min_side / min(width, height), scale_max)
    for _ in range(2000):  # rounding can exceed a limit by a pixel, and so can padding of the shorter side
        scaled = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        canvas = _canvas_size(scaled, limits, padded=True)
        if max(canvas) <= side_max and canvas[0] * canvas[1] <= pixels_max:
            return scaled, canvas
        scale *= 0.995
    raise ValueError(f"No image of {size_label(size)} fits {limits}.")


def _canvas_size(size: Size, limits: FitLimits, *, padded: bool) -> Size:
    width, height = size
    if limits.max_ratio and width / height > limits.max_ratio:
        height = math.ceil(width / limits.max_ratio)
    elif limits.min_ratio and width / height < limits.min_ratio:
        width = math.ceil(height * limits.min_ratio)
    side_min = (limits.min_side or 1) if padded else 1
    return max(width, side_min), max(height, side_min)


def _encode(image: Image.Image, media_type: str, quality: int = QUALITIES[0]) -> bytes:
    buffer = io.BytesIO()
    match media_type:
        case "image/jpeg":
            flatten(image).save(buffer, "JPEG", quality=quality, optimize=True)
        case "image/png":
            image.save(buffer, "PNG")
        case "image/webp":
            image.save(buffer, "WEBP", quality=quality)
        case _:
            image.save(buffer, "AVIF", quality=quality)
    return buffer.getvalue()


class _Fitter:
    """The steps that fit one image, and the list of its adjustments."""

    def __init__(self, info: ImageInfo, limits: FitLimits, index: int) -> None:
        self.info = info
        self.limits = limits
        self.index = index
        self.adjustments: list[Adjustment] = []

    def record(self, what: str, before: str, after: str, reason: str) -> None:
        self.adjustments.append(Adjustment(reference=self.index, what=what, before=before, after=after, reason=reason))

    def orient(self, image: Image.Image) -> Image.Image:
        if self.info.is_reoriented:
            before = f"EXIF orientation {_orientation(image)}"
            self.record("oriented", before, "upright", "Not every model reads EXIF data.")
        return _upright(image)

    def convert_colors(self, image: Image.Image) -> Image.Image:
        eight_bit = _eight_bit(image)
        plain, by_profile = _as_rgb(eight_bit), _in_srgb(eight_bit)
        if image.mode == "CMYK":
            self.record("converted", "CMYK", "sRGB", "Models read RGB.")
            return by_profile or plain
        if by_profile and _differs(plain, by_profile):
            self.record("converted", "embedded color profile", "sRGB", "Models treat every image as sRGB.")
            return by_profile
        return plain

    def remove_alpha(self, image: Image.Image) -> Image.Image:
        if image.mode != "RGBA" or self.limits.allows_alpha:
            return image
        self.record("flattened", "transparency", "white", "The model does not support transparency.")
        return flatten(image)

    def resize(self, image: Image.Image) -> Image.Image:
        size, canvas = plan_sizes(image.size, self.limits)
        if size != image.size:
            reason = self._size_rule(enlarged=size[0] > image.size[0])
            self.record("resized", size_label(image.size), size_label(size), reason)
            image = image.resize(size, Image.Resampling.LANCZOS)
        if canvas != size:
            reason = "The model limits the aspect ratio; nothing is cropped."
            self.record("padded", size_label(size), size_label(canvas), reason)
            image = center(image, canvas, edge_color(image))
        return image

    def encode(self, image: Image.Image, bytes_before: int) -> FittedImage:
        media_type = self._choose_media_type(image)
        is_animated = self.info.frames > 1
        if media_type != self.info.media_type or is_animated:
            before = f"animated {self.info.media_type}" if is_animated else self.info.media_type
            reason = "Only the first frame of an animation is used." if is_animated else self._format_rule()
            self.record("converted", before, media_type, reason)
        bytes_max = self.limits.max_bytes or bytes_before
        if not self.adjustments and bytes_before <= bytes_max:
            return self._result(None, media_type, image.size)
        data, size = _encode(image, media_type), image.size
        if self.limits.max_bytes and max(bytes_before, len(data)) > bytes_max:
            before = f"{max(bytes_before, len(data)):,} bytes"
            if len(data) > bytes_max:
                data, media_type, size = self._compress(image, media_type, bytes_max)
            reason = f"The model accepts at most {bytes_max:,} bytes."
            self.record("recompressed", before, f"{len(data):,} bytes", reason)
        return self._result(data, media_type, size)

    def _result(self, data: bytes | None, media_type: str, size: Size) -> FittedImage:
        width, height = size
        return FittedImage(data=data, media_type=media_type, width=width, height=height, adjustments=self.adjustments)

    def _allowed_types(self) -> tuple[str, ...]:
        names = (name.lower().removeprefix("image/") for name in self.limits.formats)
        return tuple(f"image/{'jpeg' if name == 'jpg' else name}" for name in names) or tuple(
            dict.fromkeys(MEDIA_TYPES.values())
        )

    def _choose_media_type(self, image: Image.Image) -> str:
        """Choose the image's own type if allowed, else the allowed type with the smallest loss."""
        original, allowed = self.info.media_type, self._allowed_types()
        is_unchanged = not self.adjustments and self.info.frames == 1
        if original in allowed and (is_unchanged or original in LOSSLESS_FIRST):
            return original
        is_lossless = image.mode == "RGBA" or original in ("image/png", "image/gif")
        for media_type in LOSSLESS_FIRST if is_lossless else LOSSY_FIRST:
            if media_type in allowed:
                return media_type
        message = f"The model accepts only {', '.join(allowed)}; images cannot be converted to that."
        raise ReferenceUnusable("reference_unsupported_format", message)

    def _compress(self, image: Image.Image, media_type: str, bytes_max: int) -> tuple[bytes, str, Size]:
        """Lower the quality, then the size, until the byte limit is met."""
        if media_type == "image/png":
            lossy_types = ("image/webp", "image/avif") if image.mode == "RGBA" else LOSSY_FIRST
            allowed = self._allowed_types()
            media_type = next((lossy for lossy in lossy_types if lossy in allowed), media_type)
        side_min = max(self.limits.min_side or 0, TRACKING_SIDE_MAX + 1)
        while min(image.size) >= side_min:
            for quality in QUALITIES if media_type != "image/png" else QUALITIES[:1]:
                data = _encode(image, media_type, quality)
                if len(data) <= bytes_max:
                    return data, media_type, image.size
            smaller = int(image.width * SHRINK_FACTOR), int(image.height * SHRINK_FACTOR)
            image = image.resize(smaller, Image.Resampling.LANCZOS)
        message = f"The image cannot be compressed to {bytes_max:,} bytes, the model's maximum. Send a smaller one."
        raise ReferenceUnusable("reference_too_large", message)

    def _format_rule(self) -> str:
        allowed = self._allowed_types()
        if self.info.media_type in allowed:
            return "The changed image is saved in this format."
        return f"The model accepts {', '.join(allowed)}."

    def _size_rule(self, *, enlarged: bool) -> str:
        limits = self.limits
        if enlarged:
            return f"The model requires at least {limits.min_side} pixels on the shorter side."
        sides = f"at most {limits.max_side:,} pixels on the longer side" if limits.max_side else ""
        pixels = f"at most {limits.max_pixels:,} pixels in total" if limits.max_pixels else ""
        return f"The model accepts {' and '.join(filter(None, (sides, pixels)))}."
