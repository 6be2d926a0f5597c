# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""How near things in a picture seem, without a learnt model, and smooth enough to shift a picture by without tears."""

from dataclasses import dataclass

import cv2
import numpy as np

from framegate.animatic.picture.arrays import Map, blur, floats, resize_map, smoothstep
from framegate.animatic.picture.planes import Pixels, small_copy
from framegate.animatic.picture.subject import Subject

SIDE_PIXELS = 192
GROUND, SHARPNESS, CLEARNESS = 0.55, 0.25, 0.2  # what speaks for being near, and how much
SUBJECT_GAIN, SUBJECT_NEARER = 1.8, 0.15
GUIDE_SHARE, GUIDE_NOISE = 0.06, 0.01  # radius in parts of the longer side, and variance that counts as one thing
SMOOTH_SHARE = 0.022
SLOPE_MAX = 6.5  # the steepest rise of nearness, over the whole of the longer side: no displacement used here folds
EDGE_SHARE = 0.09  # towards the borders nothing is displaced, so that nothing from beyond them is asked for


@dataclass(frozen=True)
class Relief:
    """Maps of the whole picture.

    `near` is what it is displaced by: from -0.5 to 0.5, 0 at the subject's distance and at the borders. `nearness`
    goes from 0 to 1. `whole` is 1 on the subject.
    """

    displacement: Map
    nearness: Map
    subject: Map


def estimate_relief(picture: Pixels, subject: Subject) -> Relief:
    """Nearness by a few weak signs, joined along the edges of the picture."""
    small = small_copy(picture, SIDE_PIXELS)
    height, width = small.shape[:2]
    grey = floats(small.mean(2))
    ground = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.3, width, axis=1)
    fine = blur(np.abs(floats(cv2.Laplacian(grey, cv2.CV_32F))), SIDE_PIXELS / 32)
    # Haze lightens even the darkest channel (He, Sun and Tang, CVPR 2009).
    dark = floats(cv2.erode(small.min(2), np.ones((7, 7), np.uint8)))
    rough = GROUND * ground + SHARPNESS * _normalize(fine) + CLEARNESS * (1 - _normalize(dark))
    # What stands upright is one thing at one distance, or it would lean over as the camera passes.
    subject_mask = np.clip(SUBJECT_GAIN * resize_map(subject.salience, width, height), 0, 1)
    distance = float((rough * subject_mask**2).sum() / (subject_mask**2).sum())
    rough += subject_mask * (distance + SUBJECT_NEARER - rough)
    nearness = _normalize(_smooth(_guided_filter(floats(rough), grey, round(GUIDE_SHARE * SIDE_PIXELS))))
    pivot = float((nearness * subject_mask**2).sum() / (subject_mask**2).sum())
    displacement = _limit_slope(np.clip(nearness - pivot, -0.5, 0.5) * _border_falloff(height, width))
    return Relief(floats(displacement), floats(nearness), floats(subject_mask))


def _guided_filter(values: Map, guide: Map, radius: int) -> Map:
    """The guided filter (He, Sun and Tang, ECCV 2010) with a grey guide."""
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
    """Smoothed until nowhere steeper than SLOPE_MOST."""
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
