"""Local features: recognize an image in another one, whole or in part, at any size, position, rotation and slant.

RootSIFT (Arandjelovic and Zisserman, 2012), mutual nearest neighbours by the ratio test, and one homography that the
matches must agree on. Agreeing matches prove that pixels were reused; their absence proves nothing.
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.media.quality.pixels import Floats, Pixels, floats_of, pixels_of, to_gray

FEATURES_MAX = 1500
RATIO_MAX = 0.8  # distance of the best match as a share of the distance of the second
REPROJECTION_ERROR_MAX = 4.0  # pixels
INLIERS_MIN = 8
CONTRAST_MIN = 32  # levels of 255: stretching less contrast would only amplify noise
STRETCH_MAX = 12.0  # of a side: a larger change of scale is not a view of the same image
SLANT_MAX = 8.0  # ratio of opposite sides


@dataclass(frozen=True, slots=True)
class Features:
    """Keypoints of an image, and their descriptors."""

    points: Floats
    descriptors: Floats  # unit vectors

    @property
    def point_count(self) -> int:
        """Number of distinct points; several orientations of one point count once."""
        return _distinct_count(self.points)


def extract_features(pixels: Pixels) -> Features:
    """Extract the strongest keypoints of an image; few or none of a plain one."""
    sift = cast("Any", cv2).SIFT_create(nfeatures=FEATURES_MAX)
    points, raw_descriptors = sift.detectAndCompute(_stretch_contrast(to_gray(pixels)), None)
    if raw_descriptors is None or not len(points):
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    descriptors = floats_of(raw_descriptors)
    descriptors /= descriptors.sum(axis=1, keepdims=True) + 1e-7
    return Features(np.array([point.pt for point in points], np.float32), np.sqrt(descriptors))


def _stretch_contrast(luma: Pixels) -> Pixels:
    """Stretch brightness to the whole range, so that images at night or in fog have features too."""
    low, high = map(float, np.percentile(luma, (1, 99)))
    gain = 255 / max(high - low, CONTRAST_MIN)
    return pixels_of(np.clip((luma - low) * gain, 0, 255))


def count_inliers(first: Features, second: Features) -> int:
    """Count the points of both that agree on one view of the same thing; fewer than 8 count as 0."""
    if min(len(first.points), len(second.points)) < INLIERS_MIN:
        return 0
    first_indices, second_indices = _match(first.descriptors, second.descriptors)
    if len(first_indices) < INLIERS_MIN:
        return 0
    first_points, second_points = first.points[first_indices], second.points[second_indices]
    result = cv2.findHomography(
        first_points, second_points, cv2.USAC_MAGSAC, REPROJECTION_ERROR_MAX, maxIters=2000, confidence=0.999
    )
    homography, mask = cast("tuple[Any, Any]", result)  # both can be None, which the annotations omit
    if homography is None or not _is_view(np.asarray(homography, np.float64), first_points):
        return 0
    agreed = np.asarray(mask).ravel().astype(bool)
    count = min(_distinct_count(first_points[agreed]), _distinct_count(second_points[agreed]))
    return count if count >= INLIERS_MIN else 0


def _match(first: Floats, second: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of pairs that are each other's nearest neighbours, and much nearer than the second nearest."""
    similarity = first @ second.T
    rows = np.arange(len(first))
    nearest = similarity.argmax(axis=1)
    is_mutual = similarity.argmax(axis=0)[nearest] == rows
    best = similarity[rows, nearest]
    similarity[rows, nearest] = -1.0
    runner_up = similarity.max(axis=1)
    # The squared distance of unit vectors is 2 - 2 times their product.
    selected = is_mutual & (1 - best < RATIO_MAX**2 * (1 - runner_up))
    return rows[selected], nearest[selected]


def _is_view(homography: NDArray[np.float64], points: Floats) -> bool:
    """Whether a camera could see a flat object this way: not mirrored, not folded, not squeezed to a line."""
    low, high = points.min(axis=0), points.max(axis=0)
    corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]], np.float64)
    projected = np.c_[corners, np.ones(4)] @ homography.T
    if np.any(projected[:, 2] * projected[0, 2] <= 0):
        return False
    quad: NDArray[np.float64] = projected[:, :2] / projected[:, 2:]
    sides = np.roll(quad, -1, axis=0) - quad
    next_sides = np.roll(sides, -1, axis=0)
    turns: NDArray[np.float64] = sides[:, 0] * next_sides[:, 1] - sides[:, 1] * next_sides[:, 0]
    if np.any(turns <= 0):  # must be convex, with the same orientation
        return False
    box_area = max(float(high[0] - low[0]) * float(high[1] - low[1]), 1.0)
    quad_area = float(np.sum(turns)) / 4
    stretch = math.sqrt(quad_area / box_area)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    slant = max(float(lengths[0] / lengths[2]), float(lengths[1] / lengths[3]))
    slant = max(slant, float(lengths[2] / lengths[0]), float(lengths[3] / lengths[1]))
    return 1 / STRETCH_MAX < stretch < STRETCH_MAX and slant < SLANT_MAX


def _distinct_count(points: Floats) -> int:
    return len(np.unique(np.round(points), axis=0))
