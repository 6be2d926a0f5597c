"""Shots prepared for drawing: each with its crop of the picture, its camera path, and its exact frames."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from framegate.animatic.camera import path as camera
from framegate.animatic.camera.framing import HANDHELD_ROOM, Size, View, fit_view
from framegate.animatic.camera.handheld import Sway
from framegate.animatic.camera.momentum import Momentum
from framegate.animatic.camera.path import Pose
from framegate.animatic.effects import grade
from framegate.animatic.output.source_video import SourceVideo
from framegate.animatic.picture import planes, viewport
from framegate.animatic.picture.arrays import floats, resize_map
from framegate.animatic.picture.cutout import Cutout
from framegate.animatic.picture.planes import Planes
from framegate.animatic.picture.prepared import PictureLoader, PreparedPicture
from framegate.animatic.picture.viewport import Crop
from framegate.animatic.plan.shots import Plan, Role, Shot
from framegate.animatic.prompt.scene import Look
from framegate.animatic.spec import Spec

_EXACT_ROLES = (Role.FIRST_FRAME, Role.LAST_FRAME)
ENLARGEMENT_MAX = 2.0
SETTLING_SECONDS = 1.0  # before and after an exact frame, in which sway and look fade


@dataclass(frozen=True)
class PreparedShot:
    """A shot with everything that its frames need.

    `full_view` is the whole picture fitted into the frame. `first_frame` and `last_frame` are exact frames; near them
    the look is mixed with `plain_crop`, the crop without a look.
    """

    shot: Shot
    path: camera.Path
    full_view: View
    crop: Crop
    sway: Sway
    momentum: Momentum | None = None
    plain_crop: Crop | None = None
    first_frame: Planes | None = None
    last_frame: Planes | None = None
    note: str = ""

    def share_at(self, second: float) -> float:
        return min(max((second - self.shot.start) / self.shot.seconds, 0.0), 1.0)

    def effect_strength_at(self, second: float) -> float:
        """Strength of sway and look: from 0 at an exact frame to 1 well away from it."""
        settling = min(SETTLING_SECONDS, self.shot.seconds / 2)
        distances = [1.0]
        if self.first_frame is not None:
            distances.append((second - self.shot.start) / settling)
        if self.last_frame is not None:
            distances.append((self.shot.end - second) / settling)
        return camera.ease(min(max(min(distances), 0.0), 1.0), 0.5)

    def pose_at(self, second: float) -> Pose:
        pose = self.path.pose_at(self.share_at(second))
        if self.momentum is not None:
            pose = self.momentum.apply(pose, second - self.shot.start, self.crop.picture)
        return self.sway.apply(pose, second, self.crop.picture, self.effect_strength_at(second))

    def exact_frame_at(self, second: float) -> Planes | None:
        """The exact frame at this second, if there is one."""
        share = self.share_at(second)
        return self.first_frame if share == 0 else self.last_frame if share == 1 else None


def prepare_shots(
    spec: Spec, plan: Plan, output: Size, source: SourceVideo | None = None, cutout: Cutout | None = None
) -> Iterator[PreparedShot]:
    """Prepare the shots of a plan, each when it is needed."""
    loader = PictureLoader(spec, plan, output, source, cutout)
    for (role, index), group in groupby(plan.shots, key=lambda shot: (shot.role, shot.index)):
        shots = list(group)
        picture = loader.load(role, index)
        paths = camera.plan_paths(shots, picture.size, output, picture.focus)
        for shot, path in zip(shots, paths, strict=True):
            opens, closes = shot is plan.shots[0], shot is plan.shots[-1]
            first_frame = planes.fit(picture.pixels, path.start, output) if opens and _starts_exactly(role) else None
            last_frame = planes.fit(picture.pixels, path.end, output) if closes and role is Role.LAST_FRAME else None
            look = Look() if role is Role.TITLE else plan.look
            has_look = not look.is_neutral or picture.style is not None
            is_exact = first_frame is not None or last_frame is not None
            yield PreparedShot(
                shot,
                path,
                fit_view(picture.size, output, picture.focus),
                _prepare_crop(picture, shot, path, output, look),
                Sway(spec.seed, shot.handheld),
                Momentum(source.drift) if opens and source is not None else None,
                _prepare_crop(picture, shot, path, output) if is_exact and has_look else None,
                first_frame,
                last_frame,
                _enlargement_note(picture, shot, path, output),
            )


def _starts_exactly(role: Role) -> bool:
    return role in (Role.FIRST_FRAME, Role.SOURCE)


def _prepare_crop(
    picture: PreparedPicture, shot: Shot, path: camera.Path, output: Size, look: Look | None = None
) -> Crop:
    """The visible part of the picture, with the look and style if a look is given."""
    scale = viewport.scale_for(path, output)
    exact_views = (fit_view(picture.size, output, picture.focus),) if shot.role in _EXACT_ROLES else ()
    box = viewport.visible_box(path, picture.size, scale, HANDHELD_ROOM * shot.handheld, exact_views)
    part, size = box.crop(picture.pixels), viewport.crop_size(box, scale)
    is_enlarged = size.width > part.shape[1]
    part = part if is_enlarged else planes.resize(part, size.width, size.height)
    if look is not None and not (look.is_neutral and picture.style is None):
        part = grade.apply_look(part, look, _picture_maps(picture, box, planes.size_of(part)), picture.style)
    # Enlarge last, so that the look is applied to the picture's own pixels only.
    part = planes.resize(part, size.width, size.height) if is_enlarged else part
    near = picture.relief.displacement if picture.relief is not None and path.has_depth else None
    return Crop(planes.to_planes(part), box, picture.size, near)


def _enlargement_note(picture: PreparedPicture, shot: Shot, path: camera.Path, output: Size) -> str:
    """Note on a picture with far fewer pixels than the output shows of it."""
    view_pixels = min(path.start.width, path.end.width) * picture.pixels_across / picture.size.width
    enlargement = output.width / max(view_pixels, 1.0)
    if shot.role is Role.TITLE or enlargement <= ENLARGEMENT_MAX:
        return ""
    picture_name = (
        f"reference {shot.index + 1}" if shot.role is Role.REFERENCE else f"the {shot.role.replace('_', ' ')}"
    )
    return (
        f"{picture_name} is {picture.pixels_across} pixels wide and was enlarged {enlargement:.1f} times, so it looks "
        f"soft: use a picture at least {math.ceil(picture.pixels_across * enlargement / 100) * 100} pixels wide"
    )


def _picture_maps(picture: PreparedPicture, box: viewport.Box, size: Size) -> grade.PictureMaps:
    if picture.relief is None:
        flat = floats([[1.0]])
        return grade.PictureMaps(resize_map(flat, size.width, size.height), resize_map(flat, size.width, size.height))
    near, sharp = (
        viewport.crop_map(field, box, picture.size, size) for field in (picture.relief.nearness, picture.relief.subject)
    )
    return grade.PictureMaps(near, sharp)
