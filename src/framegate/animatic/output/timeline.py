"""Timeline: draws the prepared shots of a video frame by frame."""

import math
from collections.abc import Iterator
from typing import TypeVar

import cv2
import numpy as np

from framegate.animatic.camera import path
from framegate.animatic.camera.framing import Size
from framegate.animatic.camera.path import Pose
from framegate.animatic.effects.film import FilmEffects
from framegate.animatic.effects.weather import Travel
from framegate.animatic.output.prepared_shots import PreparedShot
from framegate.animatic.picture import planes
from framegate.animatic.picture.morph import Morph, find_morph
from framegate.animatic.picture.planes import Planes
from framegate.animatic.picture.viewport import Displacement, Sampler
from framegate.animatic.plan.shots import Role

_AnyShot = TypeVar("_AnyShot", PreparedShot, PreparedShot | None)

SHUTTER = 0.5  # open for this part of a frame's time, like a film camera's
BLUR_STEP_OF_WIDTH = 0.005  # a longer motion while the shutter is open is blurred
BLUR_STEPS_MAX = 8


class Timeline:
    """Draws the current shot, and the previous one while they overlap."""

    def __init__(self, shots: Iterator[PreparedShot], output: Size, frame_seconds: float, effects: FilmEffects) -> None:
        self._shots = shots
        self._previous: PreparedShot | None = None
        self.notes: list[str] = []  # on the shots so far
        self._current = self._with_notes(next(shots))
        self._next = self._with_notes(next(shots, None))
        self._sampler = Sampler(output)
        self._frame_seconds = frame_seconds
        self._effects = effects
        self._frame = 0
        self._morph: Morph | None = None
        self._travel = Travel()
        self._last_pose: tuple[PreparedShot, Pose] | None = None
        self._buffers = [planes.blank_planes(output) for _ in range(4)]
        self._sum = tuple(np.empty(plane.shape, np.uint16) for plane in planes.each(self._buffers[0]))

    def _with_notes(self, shot: _AnyShot) -> _AnyShot:
        if shot is not None and shot.note and shot.note not in self.notes:
            self.notes.append(shot.note)
        return shot

    def draw(self, second: float, into: Planes) -> None:
        """Draw the next frame, which is shown at this second."""
        self._advance(second)
        self._draw_picture(second, into)
        self._update_travel(second)
        shot = self._current
        strength = 0.0 if shot.shot.role is Role.TITLE else shot.effect_strength_at(second)
        self._effects.apply(into, self._frame, second, self._travel, strength)
        self._frame += 1

    def _advance(self, second: float) -> None:
        while self._next is not None and self._next.shot.start <= second:
            self._previous, self._current, self._next = (
                self._current,
                self._next,
                self._with_notes(next(self._shots, None)),
            )
            self._morph = self._find_morph(self._previous, self._current)

    def _find_morph(self, previous: PreparedShot, current: PreparedShot) -> Morph | None:
        """The morph from a first frame to a last frame, if they show the same things."""
        if (previous.shot.role, current.shot.role) != (Role.FIRST_FRAME, Role.LAST_FRAME):
            return None
        for shot, buffer in zip((previous, current), self._buffers, strict=False):
            self._sampler.sample(shot.plain_crop or shot.crop, Pose(shot.full_view), buffer)
        return find_morph(self._buffers[0], self._buffers[1])

    def _draw_picture(self, second: float, into: Planes) -> None:
        previous, current = self._previous, self._current
        if previous is None or second >= previous.shot.end:
            self._draw_shot(current, second, into)
            return
        share = path.ease((second - current.shot.start) / (previous.shot.end - current.shot.start), 0.5)
        if self._morph is not None:
            self._draw_morph(self._morph, previous, current, second, share)
        else:
            self._draw_shot(previous, second, self._buffers[0])
            self._draw_shot(current, second, self._buffers[1])
        planes.blend_planes(self._buffers[0], self._buffers[1], share, into)

    def _draw_morph(
        self, morph: Morph, previous: PreparedShot, current: PreparedShot, second: float, share: float
    ) -> None:
        """Draw both pictures from a shared camera between the two paths, each displaced towards the other."""
        output = self._sampler.output
        previous_pose, current_pose = previous.pose_at(second), current.pose_at(second)
        perspective = previous_pose.perspective.plus(
            current_pose.perspective.plus(previous_pose.perspective, -1), share
        )
        shared_view = path.interpolate(
            previous_pose.view.relative_to(previous.full_view, output),
            current_pose.view.relative_to(current.full_view, output),
            share,
        )
        for shot, field, buffer in zip((previous, current), morph.displacements(share), self._buffers, strict=False):
            view = shared_view.resolved_in(shot.full_view, output).contained(perspective.roll, shot.crop.picture)
            pose = Pose(view.relative_to(shot.full_view, output), perspective)
            zoom = output.width / pose.view.width
            x, y = (self._sampler.sample_map(component, output, pose) * zoom for component in (field.x, field.y))
            self._expose(shot, second, buffer, Pose(view, perspective), Displacement(x, y))

    def _update_travel(self, second: float) -> None:
        """Add up the camera's travel over all shots, so that weather does not jump between pictures."""
        pose = self._current.pose_at(second)
        if self._last_pose is not None and self._last_pose[0] is self._current:
            a, b = self._last_pose[1].view, pose.view
            x, y = b.x + b.width / 2 - a.x - a.width / 2, b.y + b.height / 2 - a.y - a.height / 2
            self._travel = Travel(
                self._travel.x + x / b.height,
                self._travel.y + y / b.height,
                self._travel.zoom_log + math.log(a.width / b.width),
            )
        self._last_pose = self._current, pose

    def _draw_shot(self, shot: PreparedShot, second: float, into: Planes) -> None:
        if (exact_frame := shot.exact_frame_at(second)) is not None:
            for source, out in zip(planes.each(exact_frame), planes.each(into), strict=True):
                out[:] = source
            return
        steps, open_seconds = self._exposures(shot, second)
        if steps == 1:
            self._expose(shot, second, into)
            return
        for step in range(steps):
            at = second + ((step + 0.5) / steps - 0.5) * open_seconds
            self._expose(shot, at, self._buffers[2])
            for plane, total in zip(planes.each(self._buffers[2]), self._sum, strict=True):
                if step:
                    cv2.add(plane, total, dst=total, dtype=cv2.CV_16U)
                else:
                    total[:] = plane
        for total, out in zip(self._sum, planes.each(into), strict=True):
            cv2.convertScaleAbs(total, dst=out, alpha=1 / steps)

    def _expose(
        self,
        shot: PreparedShot,
        second: float,
        into: Planes,
        pose: Pose | None = None,
        displacement: Displacement | None = None,
    ) -> None:
        pose, strength = pose or shot.pose_at(second), shot.effect_strength_at(second)
        if shot.plain_crop is None or strength == 1:
            self._sampler.sample(shot.crop, pose, into, displacement)
            return
        self._sampler.sample(shot.plain_crop, pose, into, displacement)
        if strength:
            self._sampler.sample(shot.crop, pose, self._buffers[3], displacement)
            planes.blend_planes(into, self._buffers[3], strength, into)

    def _exposures(self, shot: PreparedShot, second: float) -> tuple[int, float]:
        """Number of exposures of one frame and their time span, for the motion blur of fast moves."""
        open_seconds = SHUTTER * self._frame_seconds
        a, b = (shot.pose_at(at).view for at in (second - open_seconds / 2, second + open_seconds / 2))
        corners = (
            (b.x - a.x, b.y - a.y),
            (b.x + b.width - a.x - a.width, b.y + b.height - a.y - a.height),
        )
        steps = max(math.hypot(*corner) for corner in corners) / a.width / BLUR_STEP_OF_WIDTH
        if steps <= 1:
            return 1, 0.0
        # The open time grows gradually, or the sharpness would jump.
        return min(math.ceil(steps), BLUR_STEPS_MAX), open_seconds * min(steps - 1, 1.0)
