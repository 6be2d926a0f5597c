"""Where the camera looks at each moment: views of a picture, eased from one to another. Numbers only."""

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

# At amount 1 over REFERENCE_SECONDS; longer shots go further, by the square root of their length.
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
# A reference whose shape is far from the output's is travelled along, by parts of the view.
WIDE_SHAPE = 0.3
TRAVEL_ACROSS = 0.13
TALL_SHAPE = 1.1
TRAVEL_UP = 0.18
# How far near things pass far ones, in parts of the view. Beyond 0.06 guessed depth shows as rubber.
PARALLAX = 0.05
PARALLAX_MAX = 0.06
PARALLAX_ZOOM = 0.5  # of the zoom's logarithm: near things grow by more than far ones
PARALLAX_ZOOM_MAX = 0.12
YAW = 0.05
PARALLAX_ROOM = 1.05  # how much closer a shot with passing things looks, so that the picture's pinned borders stay out

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
    """How the camera stands beside where it looks.

    `roll` is in radians, clockwise. `x` and `y` are how far the nearest things are passed against the farthest, in
    parts of the view's width; `zoom` how much more the nearest are enlarged; `yaw` how much larger the right edge
    of the view is than the left.
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
    """The way from one view to another, and from one lean to another."""

    start: View
    end: View
    easing: Easing
    perspective_start: Perspective = NEUTRAL
    perspective_end: Perspective = NEUTRAL

    def view_at(self, share: float) -> View:
        """The view at a share of the shot's time: the zoom grows evenly, and the centre stays in step with it."""
        return interpolate(self.start, self.end, ease(share, RAMPS[self.easing]))

    def pose_at(self, share: float) -> Pose:
        eased = ease(share, RAMPS[self.easing])
        perspective = self.perspective_start.plus(self.perspective_end.plus(self.perspective_start, -1), eased)
        return Pose(interpolate(self.start, self.end, eased), perspective)

    @property
    def has_depth(self) -> bool:
        """Whether near things pass far ones on this way."""
        return self.perspective_start.has_depth or self.perspective_end.has_depth


def interpolate(a: View, b: View, eased: float) -> View:
    ratio = b.width / a.width
    width = a.width * ratio**eased
    # A zoom about a fixed point moves the edges in proportion to the width, not to the time.
    center_share = eased if abs(ratio - 1) < 1e-6 else (width - a.width) / (b.width - a.width)
    x, y = a.x + (b.x - a.x) * center_share, a.y + (b.y - a.y) * center_share
    return View(x, y, width, width * a.height / a.width)


def ease(share: float, ramp: float) -> float:
    """From 0 to 1: speed rises over `ramp` as a smoothstep, stays, and falls likewise; at rest at both ends."""
    if share > 0.5:
        return 1 - ease(1 - share, ramp)
    if share >= ramp:
        return (share - ramp / 2) / (1 - ramp)
    x = max(share, 0.0) / ramp
    return ramp * (x**3 - x**4 / 2) / (1 - ramp)


def plan_paths(shots: Sequence[Shot], picture: Size, output: Size, focus: Focus | None = None) -> list[Path]:
    """The camera's way through the shots over one picture, each going on from where the one before it ends.

    A first frame is left from, and a last frame arrived at, whole; a shot that is cut to is composed anew.
    """
    full_view = compose_view(picture, output, focus)
    if shots[0].role is Role.LAST_FRAME:
        return _paths_to_end(shots, picture, full_view)
    paths: list[Path] = []
    for shot in shots:
        motion = _motion_of(shot, picture, full_view)
        if paths and shot.join is Join.GOES_ON:
            paths.append(_continued_path(paths[-1].end, paths[-1].perspective_end, shot, motion, picture, full_view))
        elif not paths and shot.role in (Role.FIRST_FRAME, Role.SOURCE):
            paths.append(_continued_path(full_view, NEUTRAL, shot, motion, picture, full_view))
        else:
            composed = compose_view(picture, output, focus, shot.framing, shot.angle)
            paths.append(_free_path(composed, motion, picture, shot, focus))
    return paths


@dataclass(frozen=True)
class _Motion:
    """What the moves come to: a change of zoom (natural logarithm), travel in parts of the view, and lean."""

    zoom_log: float = 0.0
    x: float = 0.0
    y: float = 0.0
    perspective: Perspective = NEUTRAL

    def reversed(self) -> "_Motion":
        return _Motion(-self.zoom_log, -self.x, -self.y, NEUTRAL.plus(self.perspective, -1))


def _motion_of(shot: Shot, picture: Size, full_view: View) -> _Motion:
    scale = shot.amount * math.sqrt(shot.seconds / REFERENCE_SECONDS)
    moves = set(shot.moves)

    def way(pair: tuple[Move, Move]) -> int:
        return (pair[1] in moves) - (pair[0] in moves)

    def limited(value: float, most: float) -> float:
        return math.copysign(min(abs(value), most), value)

    arc = way(_ARCS)
    zoom_log = limited(scale * (ZOOM_LOG * way(_ZOOMS) + ARC_ZOOM_LOG * abs(arc)), math.log(ZOOM_MAX))
    x = limited(scale * (PAN_OF_VIEW * way(_PANS) + TRUCK_OF_VIEW * (way(_TRUCKS) + arc / 2)), PAN_OF_VIEW_MAX)
    y = limited(scale * (TILT_OF_VIEW * way(_TILTS) + TRUCK_OF_VIEW * way(_PEDESTALS)), PAN_OF_VIEW_MAX)
    if not shot.asked and shot.role is Role.REFERENCE:
        x, y = _default_travel(picture, full_view, shot.seconds)
    orbit = way(_ORBITS) + arc
    perspective = Perspective(
        roll=limited(scale * ROLL_RADIANS * way(_ROLLS), ROLL_RADIANS_MAX),
        x=limited(scale * PARALLAX * (way(_TRUCKS) + 2 * orbit), 2 * PARALLAX_MAX),
        y=limited(scale * PARALLAX * way(_PEDESTALS), 2 * PARALLAX_MAX),
        zoom=limited(PARALLAX_ZOOM * zoom_log, PARALLAX_ZOOM_MAX),
        yaw=limited(scale * YAW * orbit, 2 * YAW),
    )
    return _Motion(zoom_log, x, y, perspective)


def _default_travel(picture: Size, full_view: View, seconds: float) -> tuple[float, float]:
    """The drift that shows more of a picture whose shape is far from the output's: across, or up to the head."""
    scale = min(math.sqrt(seconds / REFERENCE_SECONDS), 1.5)
    if picture.height / full_view.height - 1 > TALL_SHAPE:
        return 0.0, -TRAVEL_UP * scale
    width_beyond = picture.width / full_view.width - 1
    return (min(width_beyond, TRAVEL_ACROSS * scale), 0.0) if width_beyond > WIDE_SHAPE else (0.0, 0.0)


def _free_path(composed: View, motion: _Motion, picture: Size, shot: Shot, focus: Focus | None) -> Path:
    """A shot with no frame to meet: half of the travel lies on each side of the composition."""
    x, y = (
        _extended_travel(motion.x, picture.width / composed.width - 1),
        _extended_travel(motion.y, picture.height / composed.height - 1),
    )
    perspective_start, perspective_end = _perspective_ends(motion.perspective, dutch_roll(shot.angle))
    roll = max(abs(perspective_start.roll), abs(perspective_end.roll))
    margin = _view_margin(composed, perspective_start, perspective_end, roll, shot.handheld)
    # Just as much closer as gives the travel its room: small pictures are not magnified for nothing.
    room_x = picture.width / (composed.width * (1 + 2 * margin[0] + abs(x)))
    room_y = picture.height / (composed.height * (1 + 2 * margin[1] + abs(y)))
    wide = with_subject_top(composed.zoomed(1 / min(room_x, room_y, 1.0)), picture, focus)
    zoom = math.exp(abs(motion.zoom_log))
    # There and back again: near an edge, the whole travel is set off from the edge instead of being cut short.
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
    """Nearer, but not over the subject's head, unless the camera is to go up or down."""
    close = view.zoomed(zoom)
    return close if motion.y or zoom == 1 else with_subject_top(close, picture, focus)


def _perspective_ends(perspective: Perspective, roll: float) -> tuple[Perspective, Perspective]:
    """Passing goes half to each side; a roll begins upright; the closer end of a zoom has its depth."""
    half = replace(perspective, roll=0.0, zoom=0.0)
    start = replace(NEUTRAL.plus(half, -0.5), roll=roll, zoom=max(-perspective.zoom, 0.0))
    return start, replace(NEUTRAL.plus(half, 0.5), roll=roll + perspective.roll, zoom=max(perspective.zoom, 0.0))


def _view_margin(view: View, start: Perspective, end: Perspective, roll: float, handheld: float) -> tuple[float, float]:
    """What the view keeps from the picture's edges, in its own parts, for its corners, its sway and passing things."""
    has_parallax = any((start.x, start.y, start.yaw, end.x, end.y, end.yaw))
    room = ((PARALLAX_ROOM - 1 if has_parallax else 0.0) + HANDHELD_ROOM * handheld) / 2
    shape, lift, turn = view.width / view.height, (math.cos(roll) - 1) / 2, math.sin(roll) / 2
    return room + lift + turn / shape, room + lift + turn * shape


def _extended_travel(travel: float, room: float) -> float:
    """A picture that reaches well beyond the frame is panned over further, up to twice as far."""
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
    """Where the moves lead from a view that is given."""
    # A pan from a view without room beside it needs some zoom to make that room.
    missing = max(_missing_room(start, motion, picture), 0.0)
    zoom = max(math.exp(motion.zoom_log) * (1 + missing), start.width / full_view.width)
    end = start.zoomed(zoom)
    return end.shifted(motion.x, motion.y, picture)


def _missing_room(view: View, motion: _Motion, picture: Size) -> float:
    room_x = (picture.width - view.x - view.width if motion.x > 0 else view.x) / view.width
    room_y = (picture.height - view.y - view.height if motion.y > 0 else view.y) / view.height
    return max(abs(motion.x) - room_x, abs(motion.y) - room_y) if motion.x or motion.y else 0.0
