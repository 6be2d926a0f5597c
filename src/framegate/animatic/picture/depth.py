# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Depth estimation without a learned model, smooth enough to displace a picture without tears."""

from dataclasses import dataclass

import cv2
import numpy as np

from framegate.animatic.picture.arrays import Map, blur, floats, resize_map, smoothstep
from framegate.animatic.picture.planes import Pixels, small_copy
from framegate.animatic.picture.subject import Subject

SIDE_PIXELS = 192
GROUND, SHARPNESS, CLEARNESS = 0.55, 0.25, 0.2  # weights of the depth cues
SUBJECT_GAIN, SUBJECT_NEARER = 1.8, 0.15
GUIDE_SHARE, GUIDE_NOISE = 0.06, 0.01  # radius in parts of the longer side, and variance inside one object
SMOOTH_SHARE = 0.022
SLOPE_MAX = 6.5  # maximum slope of nearness per longer side: no displacement in use folds the picture
EDGE_SHARE = 0.09  # displacement falls to 0 at the borders, because there are no pixels beyond them


@dataclass(frozen=True)
class Relief:
    """Maps of the whole picture.

    `displacement` is from -0.5 to 0.5, and 0 at the subject's distance and at the borders. `nearness` is from 0 to 1.
    `subject` is 1 on the subject.
    """

    displacement: Map
    nearness: Map
    subject: Map


def estimate_relief(picture: Pixels, subject: Subject) -> Relief:
    """Estimate nearness from several weak cues, filtered along the edges of the picture."""
    small = small_copy(picture, SIDE_PIXELS)
    height, width = small.shape[:2]
    gray = floats(small.mean(2))
    ground = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.3, width, axis=1)
    fine = blur(np.abs(floats(cv2.Laplacian(gray, cv2.CV_32F))), SIDE_PIXELS / 32)
    # Haze lightens even the darkest channel (He, Sun and Tang, CVPR 2009).
    dark = floats(cv2.erode(small.min(2), np.ones((7, 7), np.uint8)))
    rough = GROUND * ground + SHARPNESS * _normalize(fine) + CLEARNESS * (1 - _normalize(dark))
    # The subject gets one distance; an upright object with a gradient would lean over as the camera passes.
    subject_mask = np.clip(SUBJECT_GAIN * resize_map(subject.salience, width, height), 0, 1)
    distance = float((rough * subject_mask**2).sum() / (subject_mask**2).sum())
    rough += subject_mask * (distance + SUBJECT_NEARER - rough)
    nearness = _normalize(_smooth(_guided_filter(floats(rough), gray, round(GUIDE_SHARE * SIDE_PIXELS))))
    pivot = float((nearness * subject_mask**2).sum() / (subject_mask**2).sum())
    displacement = _limit_slope(np.clip(nearness - pivot, -0.5, 0.5) * _border_falloff(height, width))
    return Relief(floats(displacement), floats(nearness), floats(subject_mask))


def _guided_filter(values: Map, guide: Map, radius: int) -> Map:
    """Guided filter with a gray guide (He, Sun and Tang, ECCV 2010)."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(array: Map) -> Map:
        return floats(cv2.blur(array, size, borderType=cv2.BORDER_REFLECT))

    mean_guide, mean_values = mean(guide), mean(values)
    shared = mean(guide * values) - mean_guide * mean_values
    slope = shared / (mean(guide * guide) - mean_guide * mean_guide + GUIDE_NOISE)
    return mean(slope) * guide + mean(mean_values - slope * mean_guide)


def _smooth(values: Map) -> Map:
    return blur(values, SMOOTH_SHARE * SIDE_PIXELS)


def _limit_slope(displacement: Map) -> Map:
    """Smooth until no slope is above SLOPE_MAX."""
    longer = max(displacement.shape)
    while max(float(np.abs(np.diff(displacement, axis=axis)).max()) for axis in (0, 1)) * longer > SLOPE_MAX:
        displacement = _smooth(displacement)
    return displacement


def _normalize(values: Map) -> Map:
    low, high = np.percentile(values, (1, 99))
    return np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)


def _border_falloff(height: int, width: int) -> Map:
    band = max(round(EDGE_SHARE * max(height, width)), 1)
    rows, columns = (
        smoothstep(floats(np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5)), 0, band)
        for side in (height, width)
    )
    return rows[:, None] * columns[None]
