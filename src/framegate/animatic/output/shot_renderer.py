"""Shots made ready to be drawn: each with its picture, its sheet, its way, and the frames it must meet exactly."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from framegate.animatic.camera import path as camera
from framegate.animatic.camera.framing import HELD_ROOM, Size, View, fit_view
from framegate.animatic.camera.handheld import Sway
from framegate.animatic.camera.momentum import Momentum
from framegate.animatic.camera.path import Pose
from framegate.animatic.effects import grade
from framegate.animatic.output.source_video import Source
from framegate.animatic.picture import planes, viewport
from framegate.animatic.picture.arrays import floats, scaled
from framegate.animatic.picture.cutout import Cutout
from framegate.animatic.picture.planes import Planes
from framegate.animatic.picture.prepared import Scene, Stage
from framegate.animatic.picture.viewport import Sheet
from framegate.animatic.plan.shots import Plan, Role, Shot
from framegate.animatic.prompt.scene import Look
from framegate.animatic.spec import Spec

_FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)
ENLARGED_MOST = 2.0
SETTLING_SECONDS = 1.0  # before and after a frame met exactly, in which sway and look come and go


@dataclass(frozen=True)
class Take:
    """A shot with all that its frames need.

    `whole` is the picture fitted into the frame. `first` and `last` are stills to be met exactly; near them `plain`,
    the sheet without any look, shows through.
    """

    shot: Shot
    path: camera.Path
    whole: View
    sheet: Sheet
    sway: Sway
    momentum: Momentum | None = None
    plain: Sheet | None = None
    first: Planes | None = None
    last: Planes | None = None
    note: str = ""

    def share(self, second: float) -> float:
        return min(max((second - self.shot.start) / self.shot.seconds, 0.0), 1.0)

    def freedom(self, second: float) -> float:
        """From 0 where a frame must be met exactly to 1 well away from it."""
        settling = min(SETTLING_SECONDS, self.shot.seconds / 2)
        away = [1.0]
        if self.first is not None:
            away.append((second - self.shot.start) / settling)
        if self.last is not None:
            away.append((self.shot.end - second) / settling)
        return camera.ease(min(max(min(away), 0.0), 1.0), 0.5)

    def pose(self, second: float) -> Pose:
        pose = self.path.pose(self.share(second))
        if self.momentum is not None:
            pose = self.momentum.applied(pose, second - self.shot.start, self.sheet.picture)
        return self.sway.applied(pose, second, self.sheet.picture, self.freedom(second))

    def still(self, second: float) -> Planes | None:
        """The picture that must be met exactly at this second, if one must."""
        share = self.share(second)
        return self.first if share == 0 else self.last if share == 1 else None


def takes(
    spec: Spec, plan: Plan, output: Size, source: Source | None = None, cutout: Cutout | None = None
) -> Iterator[Take]:
    """The shots of a plan, each made ready when its turn comes."""
    stage = Stage(spec, plan, output, source, cutout)
    for (role, index), group in groupby(plan.shots, key=lambda shot: (shot.role, shot.index)):
        same = list(group)
        scene = stage.scene(role, index)
        ways = camera.paths(same, scene.size, output, scene.focus)
        for shot, path in zip(same, ways, strict=True):
            opens, closes = shot is plan.shots[0], shot is plan.shots[-1]
            first = planes.fitted(scene.picture, path.start, output) if opens and _opening(role) else None
            last = planes.fitted(scene.picture, path.end, output) if closes and role is Role.LAST_FRAME else None
            own = Look() if role is Role.TITLE else plan.look
            dressed = not own.plain or scene.style is not None
            exact = first is not None or last is not None
            yield Take(
                shot,
                path,
                fit_view(scene.size, output, scene.focus),
                _sheet(scene, shot, path, output, own),
                Sway(spec.seed, shot.handheld),
                Momentum(source.drift) if opens and source is not None else None,
                _sheet(scene, shot, path, output) if exact and dressed else None,
                first,
                last,
                _enlarged(scene, shot, path, output),
            )


def _opening(role: Role) -> bool:
    return role in (Role.FIRST_FRAME, Role.SOURCE)


def _sheet(scene: Scene, shot: Shot, path: camera.Path, output: Size, own: Look | None = None) -> Sheet:
    """The part of the picture that the shot shows, under its look and style if `own` is given."""
    scale = viewport.scale_for(path, output)
    met = (fit_view(scene.size, output, scene.focus),) if shot.role in _FRAMES else ()
    box = viewport.box(path, scene.size, scale, HELD_ROOM * shot.handheld, met)
    part, size = box.of(scene.picture), viewport.size_of(box, scale)
    larger = size.width > part.shape[1]
    part = part if larger else planes.resized(part, size.width, size.height)
    if own is not None and not (own.plain and scene.style is None):
        part = grade.dressed(part, own, _ground(scene, box, planes.size_of(part)), scene.style)
    # Enlarged last, so that the look costs no more than the picture's own pixels.
    part = planes.resized(part, size.width, size.height) if larger else part
    near = scene.relief.near if scene.relief is not None and path.deep else None
    return Sheet(planes.planes(part), box, scene.size, near)


def _enlarged(scene: Scene, shot: Shot, path: camera.Path, output: Size) -> str:
    """What to say of a picture that has far fewer pixels than are shown of it."""
    view = min(path.start.width, path.end.width) * scene.pixels_across / scene.size.width
    times = output.width / max(view, 1.0)
    if shot.role is Role.TITLE or times <= ENLARGED_MOST:
        return ""
    which = f"reference {shot.index + 1}" if shot.role is Role.REFERENCE else f"the {shot.role.replace('_', ' ')}"
    return (
        f"{which} is {scene.pixels_across} pixels wide and was enlarged {times:.1f} times, so it looks soft: "
        f"give it {math.ceil(scene.pixels_across * times / 100) * 100} pixels across for a sharp picture"
    )


def _ground(scene: Scene, box: viewport.Box, size: Size) -> grade.Ground:
    if scene.relief is None:
        flat = floats([[1.0]])
        return grade.Ground(scaled(flat, size.width, size.height), scaled(flat, size.width, size.height))
    near, sharp = (
        viewport.part_of(field, box, scene.size, size) for field in (scene.relief.nearness, scene.relief.whole)
    )
    return grade.Ground(near, sharp)
