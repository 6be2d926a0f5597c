"""The takes of a clip as its time goes on, drawn frame by frame."""

import math
from collections.abc import Iterator

import cv2
import numpy as np

from framegate.engine import camera, pictures
from framegate.engine.camera import Pose
from framegate.engine.finish import Finish
from framegate.engine.framing import Size
from framegate.engine.pictures import Planes
from framegate.engine.sheets import Lens
from framegate.engine.shots import Role
from framegate.engine.takes import Take
from framegate.engine.weather import Travel

SHUTTER = 0.5  # of a frame's time, as a film camera's
SMEAR_SHARE = 0.005  # of the output's width: what moves farther while the shutter is open is smeared
SMEAR_STEPS_MOST = 8


class Reel:
    """Shows the take that is running, and the one before it while they overlap."""

    def __init__(self, takes: Iterator[Take], output: Size, frame_seconds: float, finish: Finish) -> None:
        self._takes = takes
        self._before: Take | None = None
        self._running = next(takes)
        self._next = next(takes, None)
        self._lens = Lens(output)
        self._frame_seconds = frame_seconds
        self._finish = finish
        self._frame = 0
        self._travel = Travel()
        self._seen: tuple[Take, Pose] | None = None
        self._spare = [pictures.blank(output) for _ in range(4)]
        self._sum = tuple(np.empty(plane.shape, np.uint16) for plane in pictures.each(self._spare[0]))

    def draw(self, second: float, into: Planes) -> None:
        """The next frame, which is shown at this second."""
        self._turn(second)
        self._picture(second, into)
        self._move(second)
        take = self._running
        strength = 0.0 if take.shot.role is Role.TITLE else take.freedom(second)
        self._finish.apply(into, self._frame, second, self._travel, strength)
        self._frame += 1

    def _turn(self, second: float) -> None:
        while self._next is not None and self._next.shot.start <= second:
            self._before, self._running, self._next = self._running, self._next, next(self._takes, None)

    def _picture(self, second: float, into: Planes) -> None:
        before, running = self._before, self._running
        if before is None or second >= before.shot.end:
            self._shoot(running, second, into)
            return
        self._shoot(before, second, self._spare[0])
        self._shoot(running, second, self._spare[1])
        share = (second - running.shot.start) / (before.shot.end - running.shot.start)
        pictures.blend(self._spare[0], self._spare[1], camera.ease(share, 0.5), into)

    def _move(self, second: float) -> None:
        """Add up the camera's ways through all takes, so that the air does not jump where pictures change."""
        pose = self._running.pose(second)
        if self._seen is not None and self._seen[0] is self._running:
            a, b = self._seen[1].view, pose.view
            x, y = b.x + b.width / 2 - a.x - a.width / 2, b.y + b.height / 2 - a.y - a.height / 2
            self._travel = Travel(
                self._travel.x + x / b.height,
                self._travel.y + y / b.height,
                self._travel.into + math.log(a.width / b.width),
            )
        self._seen = self._running, pose

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
