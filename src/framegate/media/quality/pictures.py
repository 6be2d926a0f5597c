"""Pictures as fidelity compares them: small, upright, in RGB."""

import functools
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from framegate.domain import Role

SIDE_MOST = 512  # pixels: half of the work of 640, and as many pictures found
BESIDE_HEIGHT = 360
GAP = 8
QUALITY = 88
DECOYS = Path(__file__).parents[1] / "sample_photos"

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePicture:
    """A picture that the clip was to be made from; `index` is its place in the request."""

    path: Path
    role: Role = Role.REFERENCE
    index: int = 0
    name: str | None = None
    number: int = 0  # among the references alone, from 1; the report counts them

    @property
    def called(self) -> str:
        """What a sentence calls it."""
        if self.role is not Role.REFERENCE:
            return f"the picture given as the {self.role.replace('_', ' ')}"
        return f"reference {self.number}" + (f" (@{self.name})" if self.name else "")

    def as_json(self) -> dict[str, Any]:
        """Which one it is."""
        return {"reference": self.index} | ({"name": self.name} if self.name else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The frame that is most like a reference, as a JPEG with the reference at its left."""

    reference: int
    role: Role
    frame: int
    seconds: float
    jpeg: bytes

    def as_json(self) -> dict[str, Any]:
        """All but the picture."""
        return {"reference": self.reference, "role": str(self.role), "frame": self.frame, "seconds": self.seconds}


def pixels_of(array: object) -> Pixels:
    """What OpenCV and PyAV hand out, whose annotations leave the kind of number open; PyAV pads its rows."""
    return np.ascontiguousarray(array, np.uint8)


def floats_of(array: object) -> Floats:
    """The same with decimals."""
    return np.ascontiguousarray(array, np.float32)


def load(path: Path) -> Pixels | None:
    """A picture file, at most 512 pixels wide and high; None where it cannot be read."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (SIDE_MOST, SIDE_MOST))
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # grey of 16 bits, which Pillow would clip
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            plain.thumbnail((SIDE_MOST, SIDE_MOST), Image.Resampling.BOX, reducing_gap=None)
            if plain.mode == "RGBA":
                plain = Image.alpha_composite(Image.new("RGBA", plain.size, "white"), plain).convert("RGB")
            return np.array(plain)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


@functools.cache
def decoys() -> tuple[Pixels, ...]:
    """Pictures of our own that a clip is not expected to show: what comes with the demo."""
    loaded = [load(path) for path in sorted(DECOYS.glob("*.[jp][pn]g"))]
    return tuple(one for one in loaded if one is not None)


def shown(frame: VideoFrame) -> Pixels:
    """A frame as a player shows it, at most 512 pixels wide and high."""
    scale = min(1.0, SIDE_MOST / max(frame.width, frame.height))
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    pixels = pixels_of(frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray())
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90)) if frame.rotation else pixels


def resized(picture: Pixels, width: int, height: int) -> Pixels:
    """The picture at another size, its shape not kept."""
    smaller = width * height < picture.shape[0] * picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return pixels_of(cv2.resize(picture, (max(width, 1), max(height, 1)), interpolation=method))


def grey(picture: Pixels) -> Pixels:
    """Its brightness alone."""
    return pixels_of(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def beside(reference: Pixels, frame: Pixels, seconds: float) -> bytes:
    """The reference and the frame side by side, as a JPEG."""
    images = [ImageOps.contain(Image.fromarray(one), (2 * BESIDE_HEIGHT, BESIDE_HEIGHT)) for one in (reference, frame)]
    sheet = Image.new("RGB", (sum(one.width for one in images) + 3 * GAP, BESIDE_HEIGHT + 2 * GAP), "#181818")
    draw, font, left = ImageDraw.Draw(sheet), ImageFont.load_default(14), GAP
    for image, text in zip(images, ("reference", f"{seconds:.2f} s"), strict=True):
        sheet.paste(image, (left, GAP + (BESIDE_HEIGHT - image.height) // 2))
        box = draw.textbbox((left + 6, GAP + 5), text, font=font)
        draw.rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), fill="#000000")
        draw.text((left + 6, GAP + 5), text, font=font, fill="#ffffff")
        left += image.width + GAP
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()
