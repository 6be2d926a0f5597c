"""A picture laid on white in the size of the video, for engines that would stretch it to that size."""

import io
from pathlib import Path

from PIL import Image

WHITE = (255, 255, 255)


def letterboxed(path: Path, width: int, height: int) -> bytes:
    """The whole picture, as large as it fits, centred on white: a PNG of exactly this size."""
    with Image.open(path) as image:
        whole = image.convert("RGBA")
    scale = min(width / whole.width, height / whole.height)
    inside = max(1, round(whole.width * scale)), max(1, round(whole.height * scale))
    scaled = whole.resize(inside, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (width, height), WHITE)
    canvas.paste(scaled, ((width - scaled.width) // 2, (height - scaled.height) // 2), mask=scaled)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG")
    return buffer.getvalue()
