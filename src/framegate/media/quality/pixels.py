"""Pixel arrays for comparisons: images and frames as small, upright RGB arrays."""

from pathlib import Path

import cv2
import numpy as np
from av import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageOps

from framegate.media.canvas import flatten

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
        with Image.open(path) as image:
            image.draft("RGB", (SIDE_MAX, SIDE_MAX))
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16-bit gray, which Pillow would clip
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            converted = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            converted.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.BOX, reducing_gap=None)
            return np.array(flatten(converted))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
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
