"""Camera paths: the view of a picture at each moment of a shot, eased from start to end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from framegate.animatic.camera.framing import (
    HANDHELD_ROOM,
    Focus,
    Size,
    View,
    compose_view,
    dutch_roll,
    with_subject_top,
)
from framegate.animatic.plan.shots import Easing, Join, Move, Role, Shot

# At amount 1 over REFERENCE_SECONDS; the travel grows with the square root of the shot's length.
ZOOM_LOG = 0.18
PAN_OF_VIEW = 0.18
TILT_OF_VIEW = 0.16
TRUCK_OF_VIEW = 0.13
ARC_ZOOM_LOG = 0.1
ROLL_RADIANS = 0.12
REFERENCE_SECONDS = 4.0
ZOOM_MAX = 2.0
PAN_OF_VIEW_MAX = 0.45
ROLL_RADIANS_MAX = 0.5
# Default travel over a reference whose shape differs much from the output's, in parts of the view.
WIDE_SHAPE = 0.3
TRAVEL_ACROSS = 0.13
TALL_SHAPE = 1.1
TRAVEL_UP = 0.18
# Parallax between the nearest and the farthest objects, in parts of the view; above 0.06 the picture looks elastic.
PARALLAX = 0.05
PARALLAX_MAX = 0.06
PARALLAX_ZOOM = 0.5  # of the zoom's logarithm: near objects grow more than distant ones
PARALLAX_ZOOM_MAX = 0.12
YAW = 0.05
PARALLAX_ROOM = 1.05  # extra zoom of a shot with parallax, because nothing is displaced at the picture's borders

RAMPS = {Easing.SMOOTH: 0.35, Easing.GENTLE: 0.5, Easing.STEADY: 0.12}

_PANS = (Move.PAN_LEFT, Move.PAN_RIGHT)
_TRUCKS = (Move.TRUCK_LEFT, Move.TRUCK_RIGHT)
_ORBITS = (Move.ORBIT_LEFT, Move.ORBIT_RIGHT)
_ARCS = (Move.ARC_LEFT, Move.ARC_RIGHT)
_ROLLS = (Move.ROLL_LEFT, Move.ROLL_RIGHT)
_TILTS = (Move.TILT_UP, Move.TILT_DOWN)
_PEDESTALS = (Move.PEDESTAL_UP, Move.PEDESTAL_DOWN)
_ZOOMS = (Move.PULL_OUT, Move.PUSH_IN)


@dataclass(frozen=True)
class Perspective:
    """Roll, parallax and yaw of the camera.

    `roll` is in radians, clockwise. `x` and `y` are the parallax between the nearest and the farthest objects, in parts
    of the view's width; `zoom` is the extra enlargement of the nearest objects; `yaw` the extra size of the right edge
    of the view.
    """

    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    zoom: float = 0.0
    yaw: float = 0.0

    def plus(self, addend: "Perspective", factor: float = 1.0) -> "Perspective":
        return Perspective(
            self.roll + factor * addend.roll,
            self.x + factor * addend.x,
            self.y + factor * addend.y,
            self.zoom + factor * addend.zoom,
            self.yaw + factor * addend.yaw,
        )

    @property
    def has_depth(self) -> bool:
        return bool(self.x or self.y or self.zoom or self.yaw)


NEUTRAL = Perspective()


@dataclass(frozen=True)
class Pose:
    view: View
    perspective: Perspective = NEUTRAL


@dataclass(frozen=True)
class Path:
    """Camera path of a shot, from one view and perspective to another."""

    start: View
    end: View
    easing: Easing
    perspective_start: Perspective = NEUTRAL
    perspective_end: Perspective = NEUTRAL

    def view_at(self, share: float) -> View:
        """The view at a fraction of the shot's time: the zoom is exponential, and the center follows the zoom."""
        return interpolate(self.start, self.end, ease(share, RAMPS[self.easing]))

    def pose_at(self, share: float) -> Pose:
        eased = ease(share, RAMPS[self.easing])
        perspective = self.perspective_start.plus(self.perspective_end.plus(self.perspective_start, -1), eased)
        return Pose(interpolate(self.start, self.end, eased), perspective)

    @property
    def has_depth(self) -> bool:
        """Whether near and distant objects move differently on this path."""
        return self.perspective_start.has_depth or self.perspective_end.has_depth


def interpolate(a: View, b: View, eased: float) -> View:
    ratio = b.width / a.width
    width = a.width * ratio**eased
    # A zoom about a fixed point moves the edges in proportion to the width, not to the time.
    center_share = eased if abs(ratio - 1) < 1e-6 else (width - a.width) / (b.width - a.width)
    x, y = a.x + (b.x - a.x) * center_share, a.y + (b.y - a.y) * center_share
    return View(x, y, width, width * a.height / a.width)


def ease(share: float, ramp: float) -> float:
    """Easing from 0 to 1: the speed rises over `ramp` as a smoothstep, stays, and falls in the same way."""
    if share > 0.5:
        return 1 - ease(1 - share, ramp)
    if share >= ramp:
        return (share - ramp / 2) / (1 - ramp)
    x = max(share, 0.0) / ramp
    return ramp * (x**3 - x**4 / 2) / (1 - ramp)


def plan_paths(shots: Sequence[Shot], picture: Size, output: Size, focus: Focus | None = None) -> list[Path]:
    """The camera paths of the shots over one picture; each continues where the previous one ends.

    The full view of the picture is the start of a first frame and the end of a last frame. A shot after a cut gets its
    own composition.
    """
    full_view = compose_view(picture, output, focus)
    if shots[0].role is Role.LAST_FRAME:
        return _paths_to_end(shots, picture, full_view)
    paths: list[Path] = []
    for shot in shots:
        motion = _motion_of(shot, picture, full_view)
        if paths and shot.join is Join.CONTINUES:
            paths.append(_continued_path(paths[-1].end, paths[-1].perspective_end, shot, motion, picture, full_view))
        elif not paths and shot.role in (Role.FIRST_FRAME, Role.SOURCE):
            paths.append(_continued_path(full_view, NEUTRAL, shot, motion, picture, full_view))
        else:
            composed = compose_view(picture, output, focus, shot.framing, shot.angle)
            paths.append(_free_path(composed, motion, picture, shot, focus))
    return paths


@dataclass(frozen=True)
class _Motion:
    """Combined motion of a shot's moves: zoom as a natural logarithm, travel in parts of the view, and perspective."""

    zoom_log: float = 0.0
    x: float = 0.0
    y: float = 0.0
    perspective: Perspective = NEUTRAL

    def reversed(self) -> "_Motion":
        return _Motion(-self.zoom_log, -self.x, -self.y, NEUTRAL.plus(self.perspective, -1))


def _motion_of(shot: Shot, picture: Size, full_view: View) -> _Motion:
    scale = shot.amount * math.sqrt(shot.seconds / REFERENCE_SECONDS)
    moves = set(shot.moves)

    def direction(pair: tuple[Move, Move]) -> int:
        return (pair[1] in moves) - (pair[0] in moves)

    def limited(value: float, maximum: float) -> float:
        return math.copysign(min(abs(value), maximum), value)

    arc = direction(_ARCS)
    zoom_log = limited(scale * (ZOOM_LOG * direction(_ZOOMS) + ARC_ZOOM_LOG * abs(arc)), math.log(ZOOM_MAX))
    x = limited(
        scale * (PAN_OF_VIEW * direction(_PANS) + TRUCK_OF_VIEW * (direction(_TRUCKS) + arc / 2)), PAN_OF_VIEW_MAX
    )
    y = limited(scale * (TILT_OF_VIEW * direction(_TILTS) + TRUCK_OF_VIEW * direction(_PEDESTALS)), PAN_OF_VIEW_MAX)
    if not shot.asked and shot.role is Role.REFERENCE:
        x, y = _default_travel(picture, full_view, shot.seconds)
    orbit = direction(_ORBITS) + arc
    perspective = Perspective(
        roll=limited(scale * ROLL_RADIANS * direction(_ROLLS), ROLL_RADIANS_MAX),
        x=limited(scale * PARALLAX * (direction(_TRUCKS) + 2 * orbit), 2 * PARALLAX_MAX),
        y=limited(scale * PARALLAX * direction(_PEDESTALS), 2 * PARALLAX_MAX),
        zoom=limited(PARALLAX_ZOOM * zoom_log, PARALLAX_ZOOM_MAX),
        yaw=limited(scale * YAW * orbit, 2 * YAW),
    )
    return _Motion(zoom_log, x, y, perspective)


def _default_travel(picture: Size, full_view: View, seconds: float) -> tuple[float, float]:
    """Default travel over a picture whose shape differs much from the output's: across, or up to the head."""
    scale = min(math.sqrt(seconds / REFERENCE_SECONDS), 1.5)
    if picture.height / full_view.height - 1 > TALL_SHAPE:
        return 0.0, -TRAVEL_UP * scale
    width_beyond = picture.width / full_view.width - 1
    return (min(width_beyond, TRAVEL_ACROSS * scale), 0.0) if width_beyond > WIDE_SHAPE else (0.0, 0.0)


def _free_path(composed: View, motion: _Motion, picture: Size, shot: Shot, focus: Focus | None) -> Path:
    """The path of a shot without an exact frame, centered on the composition."""
    x, y = (
        _extended_travel(motion.x, picture.width / composed.width - 1),
        _extended_travel(motion.y, picture.height / composed.height - 1),
    )
    perspective_start, perspective_end = _perspective_ends(motion.perspective, dutch_roll(shot.angle))
    roll = max(abs(perspective_start.roll), abs(perspective_end.roll))
    margin = _view_margin(composed, perspective_start, perspective_end, roll, shot.handheld)
    # Zoom in only as much as the travel needs: small pictures are not magnified unnecessarily.
    room_x = picture.width / (composed.width * (1 + 2 * margin[0] + abs(x)))
    room_y = picture.height / (composed.height * (1 + 2 * margin[1] + abs(y)))
    wide = with_subject_top(composed.zoomed(1 / min(room_x, room_y, 1.0)), picture, focus)
    zoom = math.exp(abs(motion.zoom_log))
    # Shift there and back: near an edge, the whole travel starts at the edge instead of being shortened.
    start = wide.shifted(x / 2, y / 2, picture, margin).shifted(-x, -y, picture, margin)
    end = start.shifted(x, y, picture, margin)
    if motion.zoom_log >= 0:
        end = _zoomed_in(end, zoom, picture, focus, motion)
    else:
        start = _zoomed_in(start, zoom, picture, focus, motion)
    return Path(
        start.contained(roll, picture), end.contained(roll, picture), shot.easing, perspective_start, perspective_end
    )


def _zoomed_in(view: View, zoom: float, picture: Size, focus: Focus | None, motion: _Motion) -> View:
    """The view zoomed in, with the top of the subject in it unless the camera moves up or down."""
    close = view.zoomed(zoom)
    return close if motion.y or zoom == 1 else with_subject_top(close, picture, focus)


def _perspective_ends(perspective: Perspective, roll: float) -> tuple[Perspective, Perspective]:
    """Start and end: half of the parallax each, the roll from upright, the zoom's parallax at the closer end."""
    half = replace(perspective, roll=0.0, zoom=0.0)
    start = replace(NEUTRAL.plus(half, -0.5), roll=roll, zoom=max(-perspective.zoom, 0.0))
    return start, replace(NEUTRAL.plus(half, 0.5), roll=roll + perspective.roll, zoom=max(perspective.zoom, 0.0))


def _view_margin(view: View, start: Perspective, end: Perspective, roll: float, handheld: float) -> tuple[float, float]:
    """Distance of the view from the picture's edges, in parts of the view, for its corners, sway and parallax."""
    has_parallax = any((start.x, start.y, start.yaw, end.x, end.y, end.yaw))
    room = ((PARALLAX_ROOM - 1 if has_parallax else 0.0) + HANDHELD_ROOM * handheld) / 2
    shape, lift, turn = view.width / view.height, (math.cos(roll) - 1) / 2, math.sin(roll) / 2
    return room + lift + turn / shape, room + lift + turn * shape


def _extended_travel(travel: float, room: float) -> float:
    """The travel, up to doubled over a picture that extends well beyond the frame."""
    return math.copysign(max(abs(travel), min(room, 2 * abs(travel))), travel)


def _paths_to_end(shots: Sequence[Shot], picture: Size, full_view: View) -> list[Path]:
    paths: list[Path] = []
    view, perspective = full_view, NEUTRAL
    for shot in reversed(shots):
        reversed_path = _continued_path(
            view, perspective, shot, _motion_of(shot, picture, full_view).reversed(), picture, full_view
        )
        paths.insert(0, Path(reversed_path.end, view, shot.easing, reversed_path.perspective_end, perspective))
        view, perspective = reversed_path.end, reversed_path.perspective_end
    return paths


def _continued_path(
    start: View, perspective_start: Perspective, shot: Shot, motion: _Motion, picture: Size, full_view: View
) -> Path:
    perspective_end = perspective_start.plus(motion.perspective)
    end = _end_view(start, motion, picture, full_view)
    return Path(
        start, end.contained(abs(perspective_end.roll), picture), shot.easing, perspective_start, perspective_end
    )


def _end_view(start: View, motion: _Motion, picture: Size, full_view: View) -> View:
    """The view at the end of a motion from this view."""
    # A pan needs room beside the view; if there is too little, zoom in to make it.
    missing = max(_missing_room(start, motion, picture), 0.0)
    zoom = max(math.exp(motion.zoom_log) * (1 + missing), start.width / full_view.width)
    end = start.zoomed(zoom)
    return end.shifted(motion.x, motion.y, picture)


def _missing_room(view: View, motion: _Motion, picture: Size) -> float:
    room_x = (picture.width - view.x - view.width if motion.x > 0 else view.x) / view.width
    room_y = (picture.height - view.y - view.height if motion.y > 0 else view.y) / view.height
    return max(abs(motion.x) - room_x, abs(motion.y) - room_y) if motion.x or motion.y else 0.0
