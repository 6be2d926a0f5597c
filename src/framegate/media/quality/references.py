"""Reference images of a clip, their best matching frames, and the decoys that they are compared with."""

import functools
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from framegate.domain import Role
from framegate.media.quality.pixels import Pixels, load_image

SHEET_HEIGHT = 360
GAP = 8
QUALITY = 88
DECOYS = Path(__file__).parents[1] / "sample_photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceImage:
    """An image that the clip should show; `index` is its place in the request."""

    path: Path
    role: Role = Role.REFERENCE
    index: int = 0
    name: str | None = None
    number: int = 0  # among those with the role `reference`, from 1; used in sentences

    @property
    def label(self) -> str:
        """Name of the image within a sentence."""
        if self.role is not Role.REFERENCE:
            return f"the given {self.role.replace('_', ' ')}"
        return f"reference {self.number}" + (f" (@{self.name})" if self.name else "")

    def as_json(self) -> dict[str, Any]:
        """Return the index and name as JSON values."""
        return {"reference": self.index} | ({"name": self.name} if self.name else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The frame that is most similar to a reference, as a JPEG with the reference to its left."""

    reference: int
    role: Role
    frame: int
    seconds: float
    jpeg: bytes

    def as_json(self) -> dict[str, Any]:
        """Return everything but the JPEG as JSON values."""
        return {"reference": self.reference, "role": str(self.role), "frame": self.frame, "seconds": self.seconds}


@functools.cache
def load_decoys() -> tuple[Pixels, ...]:
    """Load the decoys: sample photos that a clip is not expected to show."""
    photos = [load_image(path) for path in sorted(DECOYS.glob("*.[jp][pn]g"))]
    return tuple(photo for photo in photos if photo is not None)


def side_by_side_jpeg(reference: Pixels, frame: Pixels, seconds: float) -> bytes:
    """Encode the reference and the frame, side by side, as a JPEG."""
    cell_size = 2 * SHEET_HEIGHT, SHEET_HEIGHT
    images = [ImageOps.contain(Image.fromarray(pixels), cell_size) for pixels in (reference, frame)]
    sheet_width = sum(image.width for image in images) + 3 * GAP
    sheet = Image.new("RGB", (sheet_width, SHEET_HEIGHT + 2 * GAP), "#181818")
    draw, font, x = ImageDraw.Draw(sheet), ImageFont.load_default(14), GAP
    for image, text in zip(images, ("reference", f"{seconds:.2f} s"), strict=True):
        sheet.paste(image, (x, GAP + (SHEET_HEIGHT - image.height) // 2))
        box = draw.textbbox((x + 6, GAP + 5), text, font=font)
        draw.rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), fill="#000000")
        draw.text((x + 6, GAP + 5), text, font=font, fill="#ffffff")
        x += image.width + GAP
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()
