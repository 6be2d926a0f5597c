"""Local features: is one picture found in another, whole or in part, at any size, place, turn and slant?

RootSIFT (Arandjelovic and Zisserman, 2012), mutual nearest neighbours by the ratio test, and one homography that the
matches must agree on. Matches that agree prove that pixels were borrowed; none prove nothing.
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.media.quality.pictures import Floats, Pixels, floats_of, grey, pixels_of

FEATURES_MOST = 1500
RATIO = 0.8  # of distances: how much nearer the best match must be than the second
REACH = 4.0  # pixels by which a match may lie beside its place
MATCHES_LEAST = 8
CONTRAST_LEAST = 32  # levels of 255: what has less is plain, and only its noise would be raised
STRETCH_MOST = 12.0  # an area that shrinks or grows by more than its square is no view of the same picture
SLANT_MOST = 8.0


@dataclass(frozen=True, slots=True)
class Features:
    """The points of a picture that can be found again, and what each looks like."""

    points: Floats
    looks: Floats  # unit vectors

    @property
    def places(self) -> int:
        """How many there are, not counting several turns of one."""
        return _places(self.points)


def features(picture: Pixels) -> Features:
    """The most striking points of a picture; few or none in a plain one."""
    points, found = (
        cast("Any", cv2).SIFT_create(nfeatures=FEATURES_MOST).detectAndCompute(_stretched(grey(picture)), None)
    )
    if found is None or not len(points):
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    looks = floats_of(found)
    looks /= looks.sum(axis=1, keepdims=True) + 1e-7
    return Features(np.array([point.pt for point in points], np.float32), np.sqrt(looks))


def _stretched(luma: Pixels) -> Pixels:
    """Its brightness over the whole range: at night, or in fog, a picture has its points all the same."""
    low, high = (float(one) for one in np.percentile(luma, (1, 99)))
    gain = 255 / max(high - low, CONTRAST_LEAST)
    return pixels_of(np.clip((luma - low) * gain, 0, 255))


def inliers(one: Features, other: Features) -> int:
    """How many points of the two agree on one view of the same thing; fewer than 8 are told as none."""
    if min(len(one.points), len(other.points)) < MATCHES_LEAST:
        return 0
    here, there = _matches(one.looks, other.looks)
    if len(here) < MATCHES_LEAST:
        return 0
    found = cv2.findHomography(
        one.points[here], other.points[there], cv2.USAC_MAGSAC, REACH, maxIters=2000, confidence=0.999
    )
    view, mask = cast("tuple[Any, Any]", found)  # there may be none, which the annotations leave out
    if view is None or not _is_view(np.asarray(view, np.float64), one.points[here]):
        return 0
    agreed = np.asarray(mask).ravel().astype(bool)
    count = min(_places(one.points[here][agreed]), _places(other.points[there][agreed]))
    return count if count >= MATCHES_LEAST else 0


def _matches(one: Floats, other: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs that are each other's nearest, and much nearer than the next."""
    likeness = one @ other.T
    rows = np.arange(len(one))
    nearest = likeness.argmax(axis=1)
    mutual = likeness.argmax(axis=0)[nearest] == rows
    best = likeness[rows, nearest]
    likeness[rows, nearest] = -1.0
    second = likeness.max(axis=1)
    # The squared distance of unit vectors is 2 - 2 times their product.
    kept = mutual & (1 - best < RATIO**2 * (1 - second))
    return rows[kept], nearest[kept]


def _is_view(view: NDArray[np.float64], points: Floats) -> bool:
    """Whether a homography shows a flat thing as a camera could: not mirrored, not folded, not squeezed to a line."""
    low, high = points.min(axis=0), points.max(axis=0)
    corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]], np.float64)
    raised = np.c_[corners, np.ones(4)] @ view.T
    if np.any(raised[:, 2] * raised[0, 2] <= 0):
        return False
    flat: NDArray[np.float64] = raised[:, :2] / raised[:, 2:]
    sides = np.roll(flat, -1, axis=0) - flat
    after = np.roll(sides, -1, axis=0)
    turns: NDArray[np.float64] = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    if np.any(turns <= 0):  # convex, and the same way round
        return False
    box = max(float(high[0] - low[0]) * float(high[1] - low[1]), 1.0)
    area = float(np.sum(turns)) / 4
    stretch = math.sqrt(area / box)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    opposite = max(float(lengths[0] / lengths[2]), float(lengths[1] / lengths[3]))
    opposite = max(opposite, float(lengths[2] / lengths[0]), float(lengths[3] / lengths[1]))
    return 1 / STRETCH_MOST < stretch < STRETCH_MOST and opposite < SLANT_MOST


def _places(points: Floats) -> int:
    return len(np.unique(np.round(points), axis=0))
