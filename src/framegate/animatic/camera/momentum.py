# pyright: reportUnknownMemberType=false
# OpenCV leaves the element types of what it returns open.
"""Momentum: the camera drift at the end of a source video, and its decay in the shot that continues it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from framegate.animatic.camera.framing import Size, View
from framegate.animatic.camera.path import Pose
from framegate.animatic.picture.arrays import floats
from framegate.animatic.picture.planes import Pixels

MEASURED_SECONDS = 0.3  # at the end of the video, in which the drift is measured
PAIRS_MAX = 4
GRID_COLUMNS = 24  # points of the optical flow, from which the camera's motion is estimated
INLIERS_MIN = 0.5  # of the points must move together, or the motion is not the camera's
INLIER_PIXELS = 0.6
COASTING_SECONDS = 0.5  # in which the drift falls to about a third
COASTING_OF_VIEW_MAX = 0.03  # distance beyond the picture's edge, where the picture is mirrored
RETURN_SECONDS = 2.0  # in which the view returns into the picture


@dataclass(frozen=True)
class Drift:
    """Speed of the view over the picture per second: in parts of its sides, and as the logarithm of a zoom."""

    x: float = 0.0
    y: float = 0.0
    zoom_log: float = 0.0

    @property
    def is_still(self) -> bool:
        return not (self.x or self.y or self.zoom_log)


NO_DRIFT = Drift()


def measure_drift(tail: Sequence[tuple[float, Pixels]], source: Size, output: Size) -> Drift:
    """Measure the drift of the last frames; none after a cut, or if the frames have no common motion."""
    drifts: list[Drift] = []
    for (before, a), (after, b) in reversed(list(pairwise(tail))):
        motion = _camera_motion(a, b)
        if motion is None or after <= before or len(drifts) == PAIRS_MAX:
            break
        drifts.append(Drift(*(part / (after - before) for part in motion)))
    if not drifts:
        return NO_DRIFT
    x, y, zoom_log = (
        float(np.median(values)) for values in zip(*((d.x, d.y, d.zoom_log) for d in drifts), strict=True)
    )
    # From parts of the whole frame to parts of its visible area in the output.
    shape_ratio = source.width / source.height * output.height / output.width
    return Drift(x * max(shape_ratio, 1.0), y / min(shape_ratio, 1.0), zoom_log)


def _camera_motion(a: Pixels, b: Pixels) -> tuple[float, float, float] | None:
    """The camera's motion between two frames, or None if most of the picture has no common motion."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(a, b, np.zeros((*a.shape, 2), np.float32))
    height, width = a.shape
    gap = max(width // GRID_COLUMNS, 4)
    rows, columns = np.mgrid[gap // 2 : height : gap, gap // 2 : width : gap].reshape(2, -1)
    points = np.stack([columns, rows], axis=-1)
    targets = points + np.asarray(flow)[rows, columns]
    transform, inliers = cv2.estimateAffinePartial2D(
        floats(points), floats(targets), method=cv2.RANSAC, ransacReprojThreshold=INLIER_PIXELS
    )
    matrix = np.asarray(transform, np.float64)  # NaN if the estimate fails
    if matrix.shape != (2, 3) or np.asarray(inliers).mean() < INLIERS_MIN:
        return None
    across, down = matrix @ np.array([width / 2, height / 2, 1.0]) - np.array([width / 2, height / 2])
    return -across / width, -down / height, math.log(math.hypot(matrix[0, 0], matrix[1, 0]))


@dataclass(frozen=True)
class Momentum:
    """Drift of the camera at the start of a shot; it decays while the shot's own move begins."""

    drift: Drift

    def apply(self, pose: Pose, second: float, picture: Size) -> Pose:
        if self.drift.is_still or second <= 0:
            return pose
        x, y = (_coast(speed, second) for speed in (self.drift.x, self.drift.y))
        zoom_log = _coast(self.drift.zoom_log, second)
        view = pose.view
        width, height = view.width * math.exp(-zoom_log), view.height * math.exp(-zoom_log)
        middle_x, middle_y = view.x + view.width * (0.5 + x), view.y + view.height * (0.5 + y)
        return_share = _smoothstep(min(second / RETURN_SECONDS, 1.0))
        shrink_inside = min(
            1.0,
            2 * min(middle_x, picture.width - middle_x) / width,
            2 * min(middle_y, picture.height - middle_y) / height,
        )
        shrink = shrink_inside**return_share
        width, height = width * shrink, height * shrink
        return Pose(View(middle_x - width / 2, middle_y - height / 2, width, height), pose.perspective)


def _coast(speed: float, second: float) -> float:
    """Distance of a decaying drift, at most COASTING_OF_VIEW_MAX in total."""
    if not speed:
        return 0.0
    time = min(COASTING_SECONDS, COASTING_OF_VIEW_MAX / abs(speed))
    return speed * time * (1 - math.exp(-second / time))


def _smoothstep(share: float) -> float:
    return share * share * (3 - 2 * share)
