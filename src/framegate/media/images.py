"""Pictures: looked at to their last byte, and made to fit what a model takes."""

import io
import math
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps, ImageStat

from framegate.domain import Adjustment
from framegate.domain.errors import ReferenceUnusable
from framegate.media.sniff import HEAD_BYTES, media_type_of

# Our own limit comes first, for each picture; Pillow's is one number for the whole process, and a warning.
Image.MAX_IMAGE_PIXELS = None
Image.init()  # registers the decoders; those not in DECODERS are never tried on a stranger's file

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG with a second picture behind it, as phones write it
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "GIF": "image/gif",
}
DECODERS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error)  # all that they raise
TAKEN = "JPEG, PNG, WebP, AVIF and GIF are taken."
JPEG_PASSES_MAX = 100  # encoders use about ten
CHUNK_BYTES = 2**16
TRACKING_SIDE_MAX = 2  # pixels
LOSSLESS_FIRST = ("image/png", "image/webp", "image/avif", "image/jpeg")
LOSSY_FIRST = ("image/jpeg", "image/webp", "image/avif", "image/png")
QUALITIES = (95, 90, 85, 80, 70, 60)
SHRINK = 0.85  # by which the sides shrink when no quality is small enough
COLOUR_STEP = 2  # of 255: an embedded profile that moves no colour further than this is sRGB in all but name

SRGB = cast("Any", ImageCms).createProfile("sRGB")  # untyped in Pillow
Refuse = Callable[[str, str], ReferenceUnusable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a picture is, measured after its EXIF orientation is applied."""

    format: str
    media_type: str
    width: int
    height: int
    alpha: bool
    oriented: bool  # the file lies on its side or is mirrored, and only its EXIF data tells
    frames: int  # more than one for an animation, of which the first is used; a GIF's are counted to two only


@dataclass(frozen=True, slots=True, kw_only=True)
class FitLimits:
    """What a model takes; None and empty mean no limit. A side is in pixels, a ratio is width over height."""

    min_side: int | None = None
    max_side: int | None = None
    max_pixels: int | None = None
    max_bytes: int | None = None
    min_ratio: float | None = None
    max_ratio: float | None = None
    formats: tuple[str, ...] = ()  # "image/png", or "png" as vendors write it
    alpha: bool = True  # whether a picture may have transparency

    def __post_init__(self) -> None:
        """Refuse limits that no picture can meet."""
        least, side, pixels = self.min_side or 1, self.max_side or math.inf, self.max_pixels or math.inf
        if least > side or least**2 > pixels or (self.min_ratio or 0) > (self.max_ratio or math.inf):
            raise ValueError(f"No picture fits {self}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A picture that fits; `data` is None where the file is usable as it is."""

    data: bytes | None
    media_type: str
    width: int
    height: int
    adjustments: list[Adjustment]


def look(path: Path, *, pixels_max: int, pointer: str = "") -> Picture:
    """Decode a picture to its end and say what it is.

    The size in the header is judged before anything is decoded. Raises `ReferenceUnusable`.
    """

    def refuse(code: str, message: str) -> ReferenceUnusable:
        return ReferenceUnusable(code, message, pointer=pointer)

    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    _check_kind(head, refuse)
    if head.startswith(b"\xff\xd8"):
        _check_passes(path, refuse)
    try:
        _check_size(_webp_size(head), pixels_max, refuse)
        with closing(Image.open(path, formats=DECODERS)) as image:
            _check_size(image.size, pixels_max, refuse)
            image.load()
            return _picture(image)
    except DECODE_ERRORS as error:
        message = "The picture is cut off or damaged: it cannot be decoded to its end. Send the whole file."
        raise refuse("reference_truncated", message) from error


def fit(path: Path, picture: Picture, limits: FitLimits, *, index: int) -> Fitted:
    """Make a picture fit: upright, in sRGB, and within the limits; `index` is the reference's place in the request.

    Enlarges only up to the smallest side, pads rather than crops, and lists every change. Without any change the bytes
    are None: the file is usable as it is. Raises `ReferenceUnusable` where the byte limit cannot be met.
    """
    fitting = _Fitting(picture, limits, index)
    with closing(Image.open(path, formats=DECODERS)) as image:
        fitting.upright(image)
        return fitting.encode(fitting.resize(fitting.opaque(fitting.colours(image))), path.stat().st_size)


def _check_kind(head: bytes, refuse: Refuse) -> None:
    media_type = media_type_of(head)
    if media_type in MEDIA_TYPES.values():
        return
    if not head:
        raise refuse("reference_is_empty", "The file is empty.")
    if media_type == "text/html":
        message = "That is a web page, not a picture. Use the address of the picture itself."
        raise refuse("reference_is_html", message)
    if media_type and media_type.startswith(("video/", "audio/")):
        message = f"That is a video or a sound ({media_type}), where a picture is wanted."
        raise refuse("reference_unsupported_format", message)
    if media_type:
        raise refuse("reference_unsupported_format", f"A file of type {media_type} is not taken. {TAKEN}")
    raise refuse("reference_not_an_image", f"That is not a picture of a known kind. {TAKEN}")


def _check_size(size: tuple[int, int], pixels_max: int, refuse: Refuse) -> None:
    width, height = size
    if width * height > pixels_max:
        message = f"The picture has {width:,} x {height:,} pixels; at most {pixels_max:,} in all are taken."
        raise refuse("reference_too_many_pixels", message)
    if 0 < width <= TRACKING_SIDE_MAX and 0 < height <= TRACKING_SIDE_MAX:
        message = f"The picture is {width} x {height} pixels: a tracking pixel or a place holder, not a reference."
        raise refuse("reference_tracking_pixel", message)


def _check_passes(path: Path, refuse: Refuse) -> None:
    """A progressive JPEG repaints the whole picture with each pass, so a small file can keep a decoder for hours."""
    with path.open("rb") as file:
        passes = sum(chunk.count(b"\xff\xda") for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))
    if passes > JPEG_PASSES_MAX:
        message = f"The JPEG paints its picture in {passes:,} passes; at most {JPEG_PASSES_MAX} are taken."
        raise refuse("reference_unsupported_format", message)


def _webp_size(head: bytes) -> tuple[int, int]:
    """A WebP's size by its header (RFC 9649); zero for other kinds. Pillow would set up the canvas just by opening."""
    kind = head[12:16] if head[:4] == b"RIFF" and len(head) >= 30 else b""
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _picture(image: Image.Image) -> Picture:
    orientation = _orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    return Picture(
        format="JPEG" if image.format == "MPO" else image.format or "",
        media_type=MEDIA_TYPES[image.format or ""],
        width=width,
        height=height,
        alpha=image.has_transparency_data,
        oriented=orientation != 1,
        frames=_frames(image),
    )


def _frames(image: Image.Image) -> int:
    if image.format == "GIF":  # counting them all means walking through the file, seconds of it where that is meant
        return 2 if getattr(image, "is_animated", False) else 1
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def _eight_bit_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bit grey, which Pillow would cut off at 255
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _in_srgb(image: Image.Image) -> Image.Image | None:
    """The picture in sRGB by its embedded profile; None without a profile, or with one that cannot be read."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _differs(first: Image.Image, second: Image.Image) -> bool:
    small = [image.convert("RGB").resize((64, 64)) for image in (first, second)]
    return any(high > COLOUR_STEP for _, high in ImageStat.Stat(ImageChops.difference(*small)).extrema)


def plan(size: tuple[int, int], limits: FitLimits) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size to which a picture is scaled, and that of the canvas on which it is then centred; pure arithmetic."""
    side_max, pixels_max = limits.max_side or math.inf, limits.max_pixels or math.inf
    width, height = _canvas(size, limits, padded=False)
    scale = min(1.0, side_max / max(width, height), math.sqrt(pixels_max / (width * height)))
    if limits.min_side and min(width, height) * scale < limits.min_side:
        room = min(side_max / max(width, height), math.sqrt(pixels_max / (width * height)))
        scale = min(limits.min_side / min(width, height), room)
    for _ in range(2000):  # whole pixels overshoot by one, and padding the shorter side may need room
        scaled = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        canvas = _canvas(scaled, limits, padded=True)
        if max(canvas) <= side_max and canvas[0] * canvas[1] <= pixels_max:
            return scaled, canvas
        scale *= 0.995
    raise ValueError(f"No picture of {_by(size)} fits {limits}.")


def _canvas(size: tuple[int, int], limits: FitLimits, *, padded: bool) -> tuple[int, int]:
    width, height = size
    if limits.max_ratio and width / height > limits.max_ratio:
        height = math.ceil(width / limits.max_ratio)
    elif limits.min_ratio and width / height < limits.min_ratio:
        width = math.ceil(height * limits.min_ratio)
    least = (limits.min_side or 1) if padded else 1
    return max(width, least), max(height, least)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _edge_colour(image: Image.Image) -> tuple[int, ...]:
    """The mean colour of the picture's border, so that what is padded does not jump to the eye."""
    width, height = image.size
    edges = ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
    means = [ImageStat.Stat(image.crop(edge)).mean for edge in edges]
    return tuple(round(sum(channel) / len(means)) for channel in zip(*means, strict=True))


def _encoded(image: Image.Image, media_type: str, quality: int = QUALITIES[0]) -> bytes:
    buffer = io.BytesIO()
    match media_type:
        case "image/jpeg":
            _on_white(image).save(buffer, "JPEG", quality=quality, optimize=True)
        case "image/png":
            image.save(buffer, "PNG")
        case "image/webp":
            image.save(buffer, "WEBP", quality=quality)
        case _:
            image.save(buffer, "AVIF", quality=quality)
    return buffer.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


class _Fitting:
    """One picture on its way to fit; it collects the adjustments."""

    def __init__(self, picture: Picture, limits: FitLimits, index: int) -> None:
        self.picture = picture
        self.limits = limits
        self.index = index
        self.changes: list[Adjustment] = []

    def note(self, what: str, before: str, after: str, reason: str) -> None:
        self.changes.append(Adjustment(reference=self.index, what=what, before=before, after=after, reason=reason))

    def upright(self, image: Image.Image) -> None:
        if self.picture.oriented:
            before = f"EXIF orientation {_orientation(image)}"
            self.note("oriented", before, "upright", "Not every model reads EXIF data.")
            ImageOps.exif_transpose(image, in_place=True)

    def colours(self, image: Image.Image) -> Image.Image:
        plain, exact = _eight_bit_rgb(image), _in_srgb(image)
        if image.mode == "CMYK":
            self.note("converted", "CMYK", "sRGB", "Models read RGB.")
            return exact or plain
        if exact and _differs(plain, exact):
            self.note("converted", "its own colour profile", "sRGB", "Models take every picture for sRGB.")
            return exact
        return plain

    def opaque(self, image: Image.Image) -> Image.Image:
        if image.mode != "RGBA" or self.limits.alpha:
            return image
        self.note("flattened", "transparency", "white", "The model takes no transparency.")
        return _on_white(image)

    def resize(self, image: Image.Image) -> Image.Image:
        size, canvas = plan(image.size, self.limits)
        if size != image.size:
            self.note("resized", _by(image.size), _by(size), self._size_rule(enlarged=size[0] > image.size[0]))
            image = image.resize(size, Image.Resampling.LANCZOS)
        if canvas != size:
            self.note("padded", _by(size), _by(canvas), "The model limits the aspect ratio; nothing is cropped.")
            padded = Image.new(image.mode, canvas, _edge_colour(image))
            padded.paste(image, ((canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2))
            image = padded
        return image

    def encode(self, image: Image.Image, bytes_before: int) -> Fitted:
        media_type = self._media_type(image)
        if media_type != self.picture.media_type or self.picture.frames > 1:
            before = f"animated {self.picture.media_type}" if self.picture.frames > 1 else self.picture.media_type
            reason = "Of an animation the first frame is used." if self.picture.frames > 1 else self._format_rule()
            self.note("converted", before, media_type, reason)
        bytes_max = self.limits.max_bytes or bytes_before
        if not self.changes and bytes_before <= bytes_max:
            return self._fitted(None, media_type, image.size)
        data, size = _encoded(image, media_type), image.size
        if self.limits.max_bytes and max(bytes_before, len(data)) > bytes_max:
            before = f"{max(bytes_before, len(data)):,} bytes"
            if len(data) > bytes_max:
                data, media_type, size = self._squeeze(image, media_type, bytes_max)
            self.note("recompressed", before, f"{len(data):,} bytes", f"The model takes at most {bytes_max:,} bytes.")
        return self._fitted(data, media_type, size)

    def _fitted(self, data: bytes | None, media_type: str, size: tuple[int, int]) -> Fitted:
        width, height = size
        return Fitted(data=data, media_type=media_type, width=width, height=height, adjustments=self.changes)

    def _allowed(self) -> tuple[str, ...]:
        names = (name.lower().removeprefix("image/") for name in self.limits.formats)
        return tuple(f"image/{'jpeg' if name == 'jpg' else name}" for name in names) or tuple(MEDIA_TYPES.values())

    def _media_type(self, image: Image.Image) -> str:
        """The picture's own type where that may stay, else the one that loses least."""
        own, allowed = self.picture.media_type, self._allowed()
        untouched = not self.changes and self.picture.frames == 1
        if own in allowed and (untouched or own in LOSSLESS_FIRST):
            return own
        lossless = image.mode == "RGBA" or own in ("image/png", "image/gif")
        for media_type in LOSSLESS_FIRST if lossless else LOSSY_FIRST:
            if media_type in allowed:
                return media_type
        message = f"The model takes only {', '.join(allowed)}, and no picture can be turned into that here."
        raise ReferenceUnusable("reference_unsupported_format", message)

    def _squeeze(self, image: Image.Image, media_type: str, bytes_max: int) -> tuple[bytes, str, tuple[int, int]]:
        """Lower the quality, then the size, until the bytes are few enough."""
        if media_type == "image/png":
            kinds = ("image/webp", "image/avif") if image.mode == "RGBA" else LOSSY_FIRST
            media_type = next((kind for kind in kinds if kind in self._allowed()), media_type)
        least = max(self.limits.min_side or 0, TRACKING_SIDE_MAX + 1)
        while min(image.size) >= least:
            for quality in QUALITIES if media_type != "image/png" else QUALITIES[:1]:
                data = _encoded(image, media_type, quality)
                if len(data) <= bytes_max:
                    return data, media_type, image.size
            image = image.resize((int(image.width * SHRINK), int(image.height * SHRINK)), Image.Resampling.LANCZOS)
        message = f"The picture cannot be brought under {bytes_max:,} bytes, the most that the model takes."
        raise ReferenceUnusable("reference_too_large", message)

    def _format_rule(self) -> str:
        own_taken = self.picture.media_type in self._allowed()
        return "The changed picture is written so." if own_taken else f"The model takes {', '.join(self._allowed())}."

    def _size_rule(self, *, enlarged: bool) -> str:
        limits = self.limits
        if enlarged:
            return f"The model wants at least {limits.min_side} pixels on the shorter side."
        sides = f"at most {limits.max_side:,} pixels on the longer side" if limits.max_side else ""
        pixels = f"at most {limits.max_pixels:,} pixels in all" if limits.max_pixels else ""
        return f"The model takes {' and '.join(filter(None, (sides, pixels)))}."
