"""Pictures brought to the shape of the video, for servers that would stretch them to it, and made small enough."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageStat

WHITE = (255, 255, 255)
STRETCH_MAX = 1.03  # what is called 16:9 is 832x480 to some models; nobody sees so little, and everybody sees bars
QUALITIES = (95, 90, 85, 80, 70, 60, 50)  # of JPEG: the first that is small enough is taken

Size = tuple[int, int]


def on_white(path: Path, size: Size) -> tuple[Image.Image, str | None]:
    """The whole picture, as large as it fits, centred on white, and what that changed; for what guides a video."""
    whole = _opened(path)
    inside = _inside(whole.size, size)
    return _centred(whole, inside, size, WHITE), None if inside == size else f"laid on white in {_by(size)}"


def as_frame(path: Path, size: Size) -> tuple[Image.Image, str | None]:
    """The picture in the size of the video, and what that changed; for a frame of it.

    The whole picture fills the frame where its shape is nearly the video's. Where it is not, bars in the colour of its
    own edges stand at its sides: nothing is cropped.
    """
    whole = _opened(path)
    stretch = whole.width * size[1] / (whole.height * size[0])
    stretch = max(stretch, 1 / stretch)
    if stretch <= STRETCH_MAX:
        told = f"stretched by {stretch - 1:.1%} to {_by(size)}" if stretch >= 1.001 else None
        return whole.resize(size, Image.Resampling.LANCZOS), told
    inside = _inside(whole.size, size)
    colour = _edge_colour(whole, at_the_sides=inside[0] < size[0])
    return _centred(whole, inside, size, colour), f"padded in the colour of its edges to {_by(size)}"


def png(image: Image.Image) -> bytes:
    """The picture as it is."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def small(images: Sequence[Image.Image], bytes_max: int) -> tuple[list[bytes], int] | None:
    """All pictures as JPEG, and the best quality at which they have no more bytes together; None where none does."""
    for quality in QUALITIES:
        encoded = [jpeg(image, quality) for image in images]
        if sum(map(len, encoded)) <= bytes_max:
            return encoded, quality
    return None


def jpeg(image: Image.Image, quality: int) -> bytes:
    """The picture with what that quality leaves of it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        whole = image.convert("RGBA")
    white = Image.new("RGBA", whole.size, WHITE)
    return Image.alpha_composite(white, whole).convert("RGB")


def _inside(size: Size, room: Size) -> Size:
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _centred(whole: Image.Image, inside: Size, size: Size, colour: tuple[int, ...]) -> Image.Image:
    scaled = whole.resize(inside, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", size, colour)
    canvas.paste(scaled, ((size[0] - inside[0]) // 2, (size[1] - inside[1]) // 2))
    return canvas


def _edge_colour(image: Image.Image, *, at_the_sides: bool) -> tuple[int, ...]:
    """The mean colour of the two edges at which bars stand, so that these do not jump to the eye."""
    width, height = image.size
    sides, ends = ((0, 0, 1, height), (width - 1, 0, width, height)), ((0, 0, width, 1), (0, height - 1, width, height))
    means = [ImageStat.Stat(image.crop(edge)).mean for edge in (sides if at_the_sides else ends)]
    return tuple(round(sum(channel) / len(means)) for channel in zip(*means, strict=True))


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
