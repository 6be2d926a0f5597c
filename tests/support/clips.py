"""Clips for tests of the quality report: a camera moving over a photo, as frames that a test can change."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT, FPS = 320, 180, 24
Pixels = NDArray[np.uint8]


def pan(photo: Path, *, frames: int = 24, step: float = 0.01, start: float = 0.0, zoom: float = 1.6) -> list[Pixels]:
    """Frames of a steady pan to the right by `step` of the spare width per frame; 0 is a locked-off camera."""
    with Image.open(photo) as image:
        source = np.asarray(image.convert("RGB"))
    scale = max(WIDTH / source.shape[1], HEIGHT / source.shape[0]) * zoom
    spare = source.shape[1] * scale - WIDTH
    views = []
    for index in range(frames):
        x = min(start + index * step, 1) * spare
        transform = np.array([[scale, 0, -x], [0, scale, -(source.shape[0] * scale - HEIGHT) / 4]])
        views.append(cv2.warpAffine(source, transform, (WIDTH, HEIGHT), flags=cv2.INTER_AREA))
    return views


def still(photo: Path, frames: int = 1) -> list[Pixels]:
    """Frames of a still camera: the photo, cropped to the shape of the clip."""
    return pan(photo, frames=frames, step=0.0, start=0.5, zoom=1.0)


def dissolve(first: Sequence[Pixels], second: Sequence[Pixels], frames: int) -> list[Pixels]:
    """Frames of two clips, with a dissolve between them."""
    shares = np.linspace(0, 1, frames + 2)[1:-1]
    mixed = [
        np.asarray(cv2.addWeighted(a, 1 - s, b, s, 0), np.uint8)
        for a, b, s in zip(first[-frames:], second, shares, strict=False)
    ]
    return [*first[:-frames], *mixed, *second[frames:]]


def write_clip(path: Path, frames: Iterable[Pixels], crf: int = 20) -> Path:
    """Write frames to an MP4."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
