"""Still pictures: decoding, resizing, conversion to the three planes of the video, and the title card."""

import textwrap
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from framegate.animatic.camera.framing import Size, View
from framegate.animatic.errors import UnreadablePicture
from framegate.animatic.picture.arrays import Map, floats

Plane: TypeAlias = NDArray[np.uint8]
Pixels: TypeAlias = NDArray[np.uint8]

PIXELS_MAX = 80_000_000
TITLE_SCALE = 1.25
TITLE_CHARS_MAX = 240
MISSING_CHARS_MAX = 0.1  # part of the text
TITLE_POINTS_MIN = 8

# From full-range 8-bit RGB to ITU-R BT.709 in limited range: rows are Y, Cb, Cr; the last column is the offset.
_BT709 = np.array(
    [
        [0.2126 * 219 / 255, 0.7152 * 219 / 255, 0.0722 * 219 / 255, 16],
        [-0.2126 / 1.8556 * 224 / 255, -0.7152 / 1.8556 * 224 / 255, 0.9278 / 1.8556 * 224 / 255, 128],
        [0.7874 / 1.5748 * 224 / 255, -0.7152 / 1.5748 * 224 / 255, -0.0722 / 1.5748 * 224 / 255, 128],
    ]
)
_LEFT_SITED = np.array([[0.25, 0.5, 0.25]])


@dataclass(frozen=True)
class Planes:
    """A picture in 4:2:0 with left-sited chroma as in H.264; both luma sides are even."""

    y: Plane
    u: Plane
    v: Plane


def load(path: str) -> Pixels:
    """Load a picture as upright RGB, on white where it is transparent. Raises UnreadablePicture."""
    return load_with_alpha(path)[0]


def load_with_alpha(path: str) -> tuple[Pixels, Plane | None]:
    """Load a picture like `load`, with its alpha channel if any part is transparent."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > PIXELS_MAX:
                raise UnreadablePicture(
                    f"{Path(path).name} has too many pixels: the maximum is {PIXELS_MAX // 1_000_000} million"
                )
            upright = ImageOps.exif_transpose(image)
            alpha = None
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                alpha = np.asarray(upright.getchannel("A"))
                plain = Image.new("RGBA", upright.size, "white")
                plain.alpha_composite(upright)
                upright = plain
            if upright.mode.startswith("I"):  # 16-bit gray, which Pillow would clip
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            return np.asarray(upright.convert("RGB")), alpha if alpha is not None and alpha.min() < 255 else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePicture(f"{Path(path).name} cannot be read as a picture: {error}") from error


def has_alpha(path: str) -> bool:
    """Whether a file declares transparency, without decoding it."""
    try:
        with Image.open(path) as image:
            return image.has_transparency_data
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False  # `load` will raise the error


def size_of(picture: Pixels) -> Size:
    return Size(picture.shape[1], picture.shape[0])


def fit(picture: Pixels, view: View, output: Size) -> Planes:
    """The view at the output's size, without the camera's sampling."""
    box = (view.x, view.y, view.x + view.width, view.y + view.height)
    still = Image.fromarray(picture).resize((output.width, output.height), Image.Resampling.BICUBIC, box=box)
    return to_planes(np.asarray(still))


def resize(picture: Pixels, width: int, height: int) -> Pixels:
    smaller = width < picture.shape[1] or height < picture.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return _as_uint8(cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=method))


def small_copy(picture: Pixels, side: int) -> Map:
    """A copy for analysis with a longer side of `side` pixels, in values from 0 to 1."""
    scale = side / max(picture.shape[:2])
    size = max(round(picture.shape[1] * scale), 8), max(round(picture.shape[0] * scale), 8)
    return floats(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)) / 255


def to_planes(picture: Pixels) -> Planes:
    """Convert RGB to BT.709 4:2:0. OpenCV's conversion to I420 supports only BT.601."""
    full = cv2.transform(picture, _BT709)
    y, u, v = cv2.split(full)
    return Planes(_as_uint8(y), _subsample(_as_uint8(u)), _subsample(_as_uint8(v)))


def blank_planes(output: Size) -> Planes:
    half = (output.height // 2, output.width // 2)
    return Planes(np.empty((output.height, output.width), np.uint8), np.empty(half, np.uint8), np.empty(half, np.uint8))


def each(planes: Planes) -> tuple[Plane, Plane, Plane]:
    return planes.y, planes.u, planes.v


def copy_planes(a: Planes, into: Planes) -> None:
    for source, out in zip(each(a), each(into), strict=True):
        out[:] = source


def blend_planes(a: Planes, b: Planes, share: float, into: Planes) -> None:
    """Blend two frames: `share` of b over a."""
    for plane_a, plane_b, out in zip(each(a), each(b), each(into), strict=True):
        cv2.addWeighted(plane_a, 1 - share, plane_b, share, 0, dst=out)


def draw_title_card(prompt: str | None, output: Size, seed: int) -> Pixels:
    """Draw the title card with the prompt, for a video without pictures.

    The card has no text if the built-in font lacks the prompt's script.
    """
    width, height = round(output.width * TITLE_SCALE), round(output.height * TITLE_SCALE)
    rng = np.random.default_rng(seed)
    tint = np.array([6, 8, 12]) + rng.integers(0, 10, 3)
    rows, columns = np.mgrid[0:height, 0:width]
    distance = np.hypot((columns / width - 0.5) * 1.1, rows / height - 0.45)
    light = np.clip(66 - 52 * distance, 10, 70)[..., None]
    grain = rng.random((height, width, 1))  # avoids banding of the gradient
    plate = Image.fromarray((light + tint + grain).astype(np.uint8))
    text = " ".join((prompt or "").replace("\\@", "@").split())
    if len(text) > TITLE_CHARS_MAX:
        text = text[: TITLE_CHARS_MAX - 1] + "\u2026"
    if text_in_font := _text_in_font(text):
        _draw_text(plate, text_in_font)
    return np.asarray(plate)


def _text_in_font(text: str) -> str:
    """The text in characters of the built-in font, for example without accents; empty if too many are missing."""
    missing = _draw_glyph("\uffff")
    replacements = {character: _replacement(character, missing) for character in set(text)}
    missing_count = sum(not replacements[character] for character in text)
    return (
        "" if missing_count > MISSING_CHARS_MAX * len(text) else "".join(replacements[character] for character in text)
    )


def _replacement(character: str, missing: bytes) -> str:
    decomposed = "-" if unicodedata.category(character) == "Pd" else unicodedata.normalize("NFKD", character)
    return next(
        (candidate for candidate in (character, *decomposed) if candidate == " " or _draw_glyph(candidate) != missing),
        "",
    )


def _draw_glyph(character: str) -> bytes:
    tile = Image.new("L", (48, 48))
    ImageDraw.Draw(tile).text((8, 8), character, font=ImageFont.load_default(20), fill=255)
    return tile.tobytes()


def _draw_text(plate: Image.Image, text: str) -> None:
    """Draw the text in the middle, as large as fits into three quarters of the width."""
    draw = ImageDraw.Draw(plate)
    points = min(plate.size) // 11
    while not _draw_if_fits(draw, plate, text, points) and points > TITLE_POINTS_MIN:
        points = max(points * 9 // 10, TITLE_POINTS_MIN)


def _draw_if_fits(draw: ImageDraw.ImageDraw, plate: Image.Image, text: str, points: int) -> bool:
    font = ImageFont.load_default(points)
    lines = "\n".join(textwrap.wrap(text, max(int(plate.width * 0.72 / (points * 0.52)), 8)))
    spacing = points * 0.45
    left, top, right, bottom = draw.multiline_textbbox((0, 0), lines, font=font, spacing=spacing, align="center")
    fits = right - left <= plate.width * 0.76 and bottom - top <= plate.height * 0.6
    if fits or points == TITLE_POINTS_MIN:
        middle = (plate.width / 2, plate.height / 2)
        ink = (226, 226, 222)
        draw.multiline_text(middle, lines, font=font, fill=ink, anchor="mm", spacing=spacing, align="center")
    return fits


def _subsample(chroma: Plane) -> Plane:
    across = cv2.sepFilter2D(chroma, -1, _LEFT_SITED, np.ones((1, 1)), borderType=cv2.BORDER_REPLICATE)
    pairs = across[:, ::2].astype(np.uint16)
    return ((pairs[::2] + pairs[1::2] + 1) // 2).astype(np.uint8)


def _as_uint8(array: object) -> Plane:
    return np.asarray(array, np.uint8)
