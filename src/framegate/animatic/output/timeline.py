"""The takes of a clip as its time goes on, drawn frame by frame."""

import math
from collections.abc import Iterator
from typing import TypeVar

import cv2
import numpy as np

from framegate.animatic.camera import path
from framegate.animatic.camera.framing import Size
from framegate.animatic.camera.path import Pose
from framegate.animatic.effects.film import Finish
from framegate.animatic.effects.weather import Travel
from framegate.animatic.output.shot_renderer import Take
from framegate.animatic.picture import planes
from framegate.animatic.picture.morph import Morph, relate
from framegate.animatic.picture.planes import Planes
from framegate.animatic.picture.viewport import Bend, Lens
from framegate.animatic.plan.shots import Role

_AnyTake = TypeVar("_AnyTake", Take, Take | None)

SHUTTER = 0.5  # of a frame's time, as a film camera's
SMEAR_SHARE = 0.005  # of the output's width: what moves farther while the shutter is open is smeared
SMEAR_STEPS_MOST = 8


class Reel:
    """Shows the take that is running, and the one before it while they overlap."""

    def __init__(self, takes: Iterator[Take], output: Size, frame_seconds: float, finish: Finish) -> None:
        self._takes = takes
        self._before: Take | None = None
        self.notes: list[str] = []  # about the takes so far
        self._running = self._noted(next(takes))
        self._next = self._noted(next(takes, None))
        self._lens = Lens(output)
        self._frame_seconds = frame_seconds
        self._finish = finish
        self._frame = 0
        self._morph: Morph | None = None
        self._travel = Travel()
        self._seen: tuple[Take, Pose] | None = None
        self._spare = [planes.blank(output) for _ in range(4)]
        self._sum = tuple(np.empty(plane.shape, np.uint16) for plane in planes.each(self._spare[0]))

    def _noted(self, take: _AnyTake) -> _AnyTake:
        if take is not None and take.note and take.note not in self.notes:
            self.notes.append(take.note)
        return take

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
            self._before, self._running, self._next = self._running, self._next, self._noted(next(self._takes, None))
            self._morph = self._related(self._before, self._running)

    def _related(self, before: Take, running: Take) -> Morph | None:
        """The flow from the first frame to the last, as they fill the output, where they show the same things."""
        if (before.shot.role, running.shot.role) != (Role.FIRST_FRAME, Role.LAST_FRAME):
            return None
        for take, spare in zip((before, running), self._spare, strict=False):
            self._lens.sample(take.plain or take.sheet, Pose(take.whole), spare)
        return relate(self._spare[0], self._spare[1])

    def _picture(self, second: float, into: Planes) -> None:
        before, running = self._before, self._running
        if before is None or second >= before.shot.end:
            self._shoot(running, second, into)
            return
        share = path.ease((second - running.shot.start) / (before.shot.end - running.shot.start), 0.5)
        if self._morph is not None:
            self._bend(self._morph, before, running, second, share)
        else:
            self._shoot(before, second, self._spare[0])
            self._shoot(running, second, self._spare[1])
        planes.blend(self._spare[0], self._spare[1], share, into)

    def _bend(self, morph: Morph, before: Take, running: Take, second: float, share: float) -> None:
        """Both pictures from one camera, which goes over from the one's way to the other's, each bent to the other."""
        output = self._lens.output
        here, there = before.pose(second), running.pose(second)
        lean = here.lean.plus(there.lean.plus(here.lean, -1), share)
        seen = path.between(here.view.within(before.whole, output), there.view.within(running.whole, output), share)
        for take, field, spare in zip((before, running), morph.bends(share), self._spare, strict=False):
            view = seen.onto(take.whole, output).contained(lean.roll, take.sheet.picture)
            at = Pose(view.within(take.whole, output), lean)
            closer = output.width / at.view.width
            x, y = (self._lens.over(one, output, at) * closer for one in (field.x, field.y))
            self._expose(take, second, spare, Pose(view, lean), Bend(x, y))

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
            for source, out in zip(planes.each(still), planes.each(into), strict=True):
                out[:] = source
            return
        steps, opened = self._exposures(take, second)
        if steps == 1:
            self._expose(take, second, into)
            return
        for step in range(steps):
            at = second + ((step + 0.5) / steps - 0.5) * opened
            self._expose(take, at, self._spare[2])
            for plane, total in zip(planes.each(self._spare[2]), self._sum, strict=True):
                if step:
                    cv2.add(plane, total, dst=total, dtype=cv2.CV_16U)
                else:
                    total[:] = plane
        for total, out in zip(self._sum, planes.each(into), strict=True):
            cv2.convertScaleAbs(total, dst=out, alpha=1 / steps)

    def _expose(
        self, take: Take, second: float, into: Planes, pose: Pose | None = None, bend: Bend | None = None
    ) -> None:
        pose, freedom = pose or take.pose(second), take.freedom(second)
        if take.plain is None or freedom == 1:
            self._lens.sample(take.sheet, pose, into, bend)
            return
        self._lens.sample(take.plain, pose, into, bend)
        if freedom:
            self._lens.sample(take.sheet, pose, self._spare[3], bend)
            planes.blend(into, self._spare[3], freedom, into)

    def _exposures(self, take: Take, second: float) -> tuple[int, float]:
        """How many exposures one frame needs, over how many seconds, so that fast moves smear instead of stuttering."""
        opened = SHUTTER * self._frame_seconds
        a, b = (take.pose(at).view for at in (second - opened / 2, second + opened / 2))
        corners = (
            (b.x - a.x, b.y - a.y),
            (b.x + b.width - a.x - a.width, b.y + b.height - a.y - a.height),
        )
        smear = max(math.hypot(*corner) for corner in corners) / a.width / SMEAR_SHARE
        if smear <= 1:
            return 1, 0.0
        # The shutter opens by and by, or the sharpness would jump.
        return min(math.ceil(smear), SMEAR_STEPS_MOST), opened * min(smear - 1, 1.0)
