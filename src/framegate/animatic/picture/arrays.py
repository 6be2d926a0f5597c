# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open; these functions declare it.
"""Typed operations on floating-point pictures and maps."""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Map: TypeAlias = NDArray[np.floating[Any]]


def floats(values: object) -> Map:
    return np.asarray(values, np.float32)


def blur(values: Map, sigma: float) -> Map:
    return floats(cv2.GaussianBlur(values, (0, 0), sigma))


def resize_map(values: Map, width: int, height: int) -> Map:
    smaller = width < values.shape[1]
    return floats(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))


def wide_blur(values: Map, sigma: float) -> Map:
    """Gaussian blur on a small copy, fast at any sigma."""
    height, width = values.shape[:2]
    shrink = max(sigma / 4, 1.0)
    small = resize_map(values, max(round(width / shrink), 4), max(round(height / shrink), 4))
    return resize_map(blur(small, sigma / shrink), width, height)


def smoothstep(values: Map, low: float, high: float) -> Map:
    x = np.clip((values - low) / (high - low), 0, 1)
    return x * x * (3 - 2 * x)
