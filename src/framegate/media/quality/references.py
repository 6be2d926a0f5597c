"""Reference images of a clip, their best matching frames, and the decoys that they are compared with."""

import functools
import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from framegate.media.quality.pixels import Pixels, load_image

SHEET_HEIGHT = 360
GAP = 8
QUALITY = 88
DECOYS = Path(__file__).parents[1] / "sample_photos"


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
