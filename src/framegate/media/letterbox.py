"""Letterboxing: images brought to the size of the video without cropping, for servers that would stretch them."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from framegate.media.canvas import WHITE, Color, Size, center, edge_color, flatten, size_label
from framegate.media.file_info import JpegSet
from framegate.media.images import open_image, upright_srgb

STRETCH_MAX = 1.03  # some models call 832x480 16:9; such a stretch is invisible, bars are not
STRETCH_MIN = 1.001  # a smaller stretch is not worth a note
QUALITIES = (95, 90, 85, 80, 70, 60, 50)  # of JPEG, tried in this order until the result is small enough


def fit_on_white(path: Path, size: Size) -> tuple[Image.Image, str | None]:
    """Scale an image to fit the size, centered on white; return it with a description of the change, if any."""
    image = _open_rgb(path)
    scaled_size = _size_within(image.size, size)
    change = None if scaled_size == size else f"placed on white, {size_label(size)}"
    return _scale_and_center(image, scaled_size, size, WHITE), change


def fit_frame(path: Path, size: Size) -> tuple[Image.Image, str | None]:
    """Bring an image to the size of a video frame; return it with a description of the change, if any.

    An image of nearly the same shape fills the frame. Any other is padded with the color of its own edges: nothing is
    cropped.
    """
    image = _open_rgb(path)
    stretch = image.width * size[1] / (image.height * size[0])
    stretch = max(stretch, 1 / stretch)
    if stretch <= STRETCH_MAX:
        change = f"stretched by {stretch - 1:.1%} to {size_label(size)}" if stretch >= STRETCH_MIN else None
        return image.resize(size, Image.Resampling.LANCZOS), change
    scaled_size = _size_within(image.size, size)
    has_side_bars = scaled_size[0] < size[0]
    color = edge_color(image, left_right=has_side_bars, top_bottom=not has_side_bars)
    change = f"padded with its edge color to {size_label(size)}"
    return _scale_and_center(image, scaled_size, size, color), change


def encode_png(image: Image.Image) -> bytes:
    """Encode an image as PNG, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def encode_jpegs(images: Sequence[Image.Image], bytes_max: int) -> tuple[list[bytes], int] | None:
    """Encode images as JPEG at the best quality at which they have at most `bytes_max` bytes together.

    Return them with the quality, or None if they are too large at every quality.
    """
    for quality in QUALITIES:
        encoded = [encode_jpeg(image, quality) for image in images]
        if sum(map(len, encoded)) <= bytes_max:
            return encoded, quality
    return None


def fit_jpegs_on_white(paths: Sequence[Path], size: Size, bytes_max: int) -> JpegSet:
    """Center images on white and encode them as JPEG, at most `bytes_max` bytes together."""
    fitted = [fit_on_white(path, size) for path in paths]
    images, changes = [image for image, _ in fitted], tuple(change for _, change in fitted)
    if encoded := encode_jpegs(images, bytes_max):
        sizes = tuple(map(len, encoded[0]))
        return JpegSet(images=tuple(encoded[0]), sizes_bytes=sizes, quality=encoded[1], changes=changes)
    sizes = tuple(len(encode_jpeg(image, QUALITIES[-1])) for image in images)
    return JpegSet(images=(), sizes_bytes=sizes, quality=QUALITIES[-1], changes=changes)


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode an image as JPEG at the given quality."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _open_rgb(path: Path) -> Image.Image:
    with open_image(path) as image:
        return flatten(upright_srgb(image))


def _size_within(size: Size, limit: Size) -> Size:
    scale = min(limit[0] / size[0], limit[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scale_and_center(image: Image.Image, scaled_size: Size, size: Size, color: Color) -> Image.Image:
    return center(image.resize(scaled_size, Image.Resampling.LANCZOS), size, color)
