"""Stills of a video, taken while it is decoded anyway: a poster and a contact sheet."""

import io
import math
from collections import deque
from pathlib import Path

import av
from av import VideoFrame
from PIL import Image, ImageDraw, ImageFont

STILLS = 8
POSTER_SIDE_MAX = 1280  # pixels
POSTER_AT = 1 / 3  # of the duration: past a fade-in, before the end
COLUMNS = 4
CELL_WIDTH = 392  # pixels: four cells and five gaps are 1598
GAP = 6
QUALITY = 85


class Stills:
    """Picks a poster and eight frames, evenly spread, out of frames that come in order.

    Holds those and the first, scaled, and nothing else, however long the video is.
    """

    def __init__(self, duration: float | None) -> None:
        length = duration or 0.0
        self._due = [length * (index + 0.5) / STILLS for index in range(STILLS)]
        self._poster_due = length * POSTER_AT
        self._cells: list[tuple[float, Image.Image]] = []
        self._poster: Image.Image | None = None
        self._first: Image.Image | None = None  # for a file that is shorter than it claims

    def take(self, frame: VideoFrame, time: float) -> None:
        """Look at the next frame, shown at `time` seconds; keep a copy of it if its turn has come."""
        if self._first is None:
            self._first = _scaled(frame, POSTER_SIDE_MAX)
        if self._poster is None and time >= self._poster_due:
            self._poster = _scaled(frame, POSTER_SIDE_MAX)
        reached = 0
        while reached < len(self._due) and self._due[reached] <= time:
            reached += 1
        if reached:
            del self._due[:reached]
            self._cells.append((time, _scaled(frame, CELL_WIDTH)))

    def poster_jpeg(self) -> bytes | None:
        """The frame at a third of the video; None if there was none."""
        poster = self._poster or self._first
        return poster and _jpeg(poster)

    def contact_sheet_jpeg(self) -> bytes | None:
        """The frames in a grid, each with its time; None if there were none."""
        cells = self._cells or ([(0.0, _thumbnail(self._first))] if self._first else [])
        if not cells:
            return None
        width, height = max(cell.width for _, cell in cells), max(cell.height for _, cell in cells)
        columns = min(COLUMNS, len(cells))
        rows = math.ceil(len(cells) / columns)
        sheet = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), "#181818")
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
        for index, (time, cell) in enumerate(cells):
            left, top = GAP + index % columns * (width + GAP), GAP + index // columns * (height + GAP)
            sheet.paste(cell, (left, top))
            text = f"{time:.2f} s"
            box = draw.textbbox((left + 6, top + 5), text, font=font)
            draw.rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), fill="#000000")
            draw.text((left + 6, top + 5), text, font=font, fill="#ffffff")
        return _jpeg(sheet)


def last_frame_png(path: Path) -> bytes:
    """The very last frame of a video that is known to decode, in its own size; read from the last key frame on."""
    with av.open(path) as container:
        container.seek(max(0, (container.duration or 0) - 1))
        last = deque(container.decode(video=0), maxlen=1)
        if not last:
            container.seek(0)
            last = deque(container.decode(video=0), maxlen=1)
    buffer = io.BytesIO()
    _scaled(last[0], max(last[0].width, last[0].height)).save(buffer, "PNG")
    return buffer.getvalue()


def _thumbnail(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((CELL_WIDTH, CELL_WIDTH))
    return small


def _scaled(frame: VideoFrame, side_max: int) -> Image.Image:
    scale = min(1.0, side_max / max(frame.width, frame.height))
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    rgb = frame.reformat(*size, format="rgb24").to_ndarray()
    image = Image.fromarray(rgb)
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()
