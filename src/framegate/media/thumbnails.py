"""Thumbnails of a video: the poster, the contact sheet and the last frame."""

import io
import math
from collections import deque
from pathlib import Path

from av import VideoFrame
from PIL import Image, ImageDraw, ImageFont

from framegate.media.unreadable import Unreadable
from framegate.media.videos import open_media

CELLS = 8
POSTER_SIDE_MAX = 1280  # pixels
POSTER_POSITION = 1 / 3  # of the duration: past a fade-in, before the end
COLUMNS = 4
CELL_SIDE_MAX = 392  # pixels: four cells and five gaps are 1598
GAP = 6
QUALITY = 85


class Stills:
    """Poster and contact sheet, collected frame by frame while a video is decoded.

    Memory use does not depend on the length of the video: only scaled copies of the chosen frames are stored.
    """

    def __init__(self, duration: float | None) -> None:
        length = duration or 0.0
        self._due = [length * (index + 0.5) / CELLS for index in range(CELLS)]
        self._poster_due = length * POSTER_POSITION
        self._cells: list[tuple[float, Image.Image]] = []
        self._poster: Image.Image | None = None
        self._first: Image.Image | None = None  # used if the file is shorter than its stated duration

    def add_frame(self, frame: VideoFrame, time: float) -> None:
        """Store a copy of the next frame, shown at `time` seconds, if it is due."""
        if self._first is None:
            self._first = _scaled(frame, POSTER_SIDE_MAX)
        if self._poster is None and time >= self._poster_due:
            self._poster = _scaled(frame, POSTER_SIDE_MAX)
        due_count = 0
        while due_count < len(self._due) and self._due[due_count] <= time:
            due_count += 1
        if due_count:
            del self._due[:due_count]
            self._cells.append((time, _scaled(frame, CELL_SIDE_MAX)))

    def poster_jpeg(self) -> bytes | None:
        """Encode the frame at a third of the video as JPEG; None without any frame."""
        poster = self._poster or self._first
        return poster and _jpeg(poster)

    def contact_sheet_jpeg(self) -> bytes | None:
        """Encode the frames as a JPEG grid, each with its time; None without any frame."""
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
    """Encode the last frame of a decodable video as PNG, at full size; decoding starts at the last key frame."""
    with open_media(path) as (container, _):
        container.seek(max(0, (container.duration or 0) - 1))
        frames = deque(container.decode(video=0), maxlen=1)
        if not frames:
            container.seek(0)
            frames = deque(container.decode(video=0), maxlen=1)
    if not frames:
        raise Unreadable("truncated", "The video has no frame that can be decoded.")
    buffer = io.BytesIO()
    _scaled(frames[0], max(frames[0].width, frames[0].height)).save(buffer, "PNG")
    return buffer.getvalue()


def _thumbnail(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((CELL_SIDE_MAX, CELL_SIDE_MAX))
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
