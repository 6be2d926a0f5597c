"""Clips for the report's tests: a camera over a photo, as frames that a test may spoil before they are written."""

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
    """A steady move to the right, each frame by `step` of the spare width; zero is a locked-off camera."""
    with Image.open(photo) as image:
        source = np.asarray(image.convert("RGB"))
    scale = max(WIDTH / source.shape[1], HEIGHT / source.shape[0]) * zoom
    spare = source.shape[1] * scale - WIDTH
    shots = []
    for at in range(frames):
        left = min(start + at * step, 1) * spare
        move = np.array([[scale, 0, -left], [0, scale, -(source.shape[0] * scale - HEIGHT) / 4]])
        shots.append(cv2.warpAffine(source, move, (WIDTH, HEIGHT), flags=cv2.INTER_AREA))
    return shots


def whole(photo: Path, frames: int = 1) -> list[Pixels]:
    """The photo, cropped to the clip's shape, standing still."""
    return pan(photo, frames=frames, step=0.0, start=0.5, zoom=1.0)


def dissolve(one: Sequence[Pixels], other: Sequence[Pixels], frames: int) -> list[Pixels]:
    """The end of one over the beginning of the other."""
    shares = np.linspace(0, 1, frames + 2)[1:-1]
    joined = [cv2.addWeighted(a, 1 - s, b, s, 0) for a, b, s in zip(one[-frames:], other, shares, strict=False)]
    return [*one[:-frames], *joined, *other[frames:]]


def write(path: Path, frames: Iterable[Pixels], crf: int = 20) -> Path:
    """The frames as an MP4."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for at, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
