"""The takes of a clip as its time goes on, drawn frame by frame."""

import math
from collections.abc import Iterator

import cv2
import numpy as np

from framegate.engine import camera, pictures
from framegate.engine.framing import Size
from framegate.engine.pictures import Planes
from framegate.engine.sheets import Lens
from framegate.engine.takes import Take

SHUTTER = 0.5  # of a frame's time, as a film camera's
SMEAR_SHARE = 0.005  # of the output's width: what moves farther while the shutter is open is smeared
SMEAR_STEPS_MOST = 8


class Reel:
    """Shows the take that is running, and the one before it while they overlap."""

    def __init__(self, takes: Iterator[Take], output: Size, frame_seconds: float) -> None:
        self._takes = takes
        self._before: Take | None = None
        self._running = next(takes)
        self._next = next(takes, None)
        self._lens = Lens(output)
        self._frame_seconds = frame_seconds
        self._spare = [pictures.blank(output) for _ in range(4)]
        self._sum = tuple(np.empty(plane.shape, np.uint16) for plane in pictures.each(self._spare[0]))

    def draw(self, second: float, into: Planes) -> None:
        while self._next is not None and self._next.shot.start <= second:
            self._before, self._running, self._next = self._running, self._next, next(self._takes, None)
        before, running = self._before, self._running
        if before is None or second >= before.shot.end:
            self._shoot(running, second, into)
            return
        self._shoot(before, second, self._spare[0])
        self._shoot(running, second, self._spare[1])
        share = (second - running.shot.start) / (before.shot.end - running.shot.start)
        pictures.blend(self._spare[0], self._spare[1], camera.ease(share, 0.5), into)

    def _shoot(self, take: Take, second: float, into: Planes) -> None:
        if (still := take.still(second)) is not None:
            for source, out in zip(pictures.each(still), pictures.each(into), strict=True):
                out[:] = source
            return
        steps = self._steps(take, second)
        if steps == 1:
            self._expose(take, second, into)
            return
        for step in range(steps):
            at = second + ((step + 0.5) / steps - 0.5) * SHUTTER * self._frame_seconds
            self._expose(take, at, self._spare[2])
            for plane, total in zip(pictures.each(self._spare[2]), self._sum, strict=True):
                if step:
                    cv2.add(plane, total, dst=total, dtype=cv2.CV_16U)
                else:
                    total[:] = plane
        for total, out in zip(self._sum, pictures.each(into), strict=True):
            cv2.convertScaleAbs(total, dst=out, alpha=1 / steps)

    def _expose(self, take: Take, second: float, into: Planes) -> None:
        pose, freedom = take.pose(second), take.freedom(second)
        if take.plain is None or freedom == 1:
            self._lens.sample(take.sheet, pose, into)
            return
        self._lens.sample(take.plain, pose, into)
        if freedom:
            self._lens.sample(take.sheet, pose, self._spare[3])
            pictures.blend(into, self._spare[3], freedom, into)

    def _steps(self, take: Take, second: float) -> int:
        """How many exposures one frame needs, so that fast moves smear instead of stuttering."""
        half = SHUTTER * self._frame_seconds / 2
        a, b = (take.pose(at).view for at in (second - half, second + half))
        corners = (
            (b.x - a.x, b.y - a.y),
            (b.x + b.width - a.x - a.width, b.y + b.height - a.y - a.height),
        )
        moved = max(math.hypot(*corner) for corner in corners) / a.width
        return min(math.ceil(moved / SMEAR_SHARE), SMEAR_STEPS_MOST) or 1
