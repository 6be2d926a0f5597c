"""Pixel arrays for comparisons: images and frames as small, upright RGB arrays."""

from pathlib import Path

import cv2
import numpy as np
from av import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from framegate.domain.errors import ReferenceUnusable
from framegate.media.canvas import flatten
from framegate.media.images import DECODE_ERRORS, open_image, upright_srgb

SIDE_MAX = 512  # pixels: half the work of 640, and as many references recognized

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def pixels_of(array: object) -> Pixels:
    """Convert an array of OpenCV or PyAV, which are typed loosely and can have padded rows, to contiguous bytes."""
    return np.ascontiguousarray(array, np.uint8)


def floats_of(array: object) -> Floats:
    """Convert an array of OpenCV or PyAV to contiguous floats."""
    return np.ascontiguousarray(array, np.float32)


def load_image(path: Path) -> Pixels | None:
    """Load an image file, at most 512 pixels wide and high; None if it cannot be read."""
    try:
        with open_image(path) as image:
            image.draft(None, (SIDE_MAX, SIDE_MAX))
            if image.mode in ("RGB", "RGBA") and not image.info.get("transparency"):
                image.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.BOX, reducing_gap=None)
            shown = upright_srgb(image)
            shown.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.BOX, reducing_gap=None)
            return np.array(flatten(shown))
    except (*DECODE_ERRORS, ReferenceUnusable):
        return None


def frame_pixels(frame: VideoFrame) -> Pixels:
    """Convert a frame to pixels as a player shows it, at most 512 wide and high."""
    scale = min(1.0, SIDE_MAX / max(frame.width, frame.height))
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    pixels = pixels_of(frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray())
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90)) if frame.rotation else pixels


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize without keeping the aspect ratio."""
    is_smaller = width * height < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    return pixels_of(cv2.resize(pixels, (max(width, 1), max(height, 1)), interpolation=method))


def to_gray(pixels: Pixels) -> Pixels:
    """Convert RGB to brightness."""
    return pixels_of(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
