"""Where the camera looks at each moment: views of a picture, eased from one to another. Numbers only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from framegate.animatic.camera.framing import HELD_ROOM, Focus, Size, View, below_top, compose, dutch
from framegate.animatic.plan.shots import Easing, Join, Move, Role, Shot

# At amount 1 over REFERENCE_SECONDS; longer shots go further, by the square root of their length.
ZOOM_LOG = 0.18
PAN_OF_VIEW = 0.18
TILT_OF_VIEW = 0.16
TRUCK_OF_VIEW = 0.13
ARC_ZOOM_LOG = 0.1
ROLL_RADIANS = 0.12
REFERENCE_SECONDS = 4.0
ZOOM_MOST = 2.0
PAN_OF_VIEW_MOST = 0.45
ROLL_RADIANS_MOST = 0.5
# A reference whose shape is far from the output's is travelled along, by parts of the view.
ODD_SHAPE = 0.3
TRAVEL_ACROSS = 0.13
TALL_SHAPE = 1.1
TRAVEL_UP = 0.18
# How far near things pass far ones, in parts of the view. Beyond 0.06 guessed depth shows as rubber.
PASSING = 0.05
PASSING_MOST = 0.06
NEARER_ZOOM = 0.5  # of the zoom's logarithm: near things grow by more than far ones
NEARER_ZOOM_MOST = 0.12
YAW = 0.05
PASSING_ROOM = 1.05  # how much closer a shot with passing things looks, so that the picture's pinned borders stay out

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
class Lean:
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

    def plus(self, other: "Lean", times: float = 1.0) -> "Lean":
        return Lean(
            self.roll + times * other.roll,
            self.x + times * other.x,
            self.y + times * other.y,
            self.zoom + times * other.zoom,
            self.yaw + times * other.yaw,
        )

    @property
    def deep(self) -> bool:
        return bool(self.x or self.y or self.zoom or self.yaw)


LEVEL = Lean()


@dataclass(frozen=True)
class Pose:
    view: View
    lean: Lean = LEVEL


@dataclass(frozen=True)
class Path:
    """The way from one view to another, and from one lean to another."""

    start: View
    end: View
    easing: Easing
    lean_start: Lean = LEVEL
    lean_end: Lean = LEVEL

    def at(self, share: float) -> View:
        """The view at a share of the shot's time: the zoom grows evenly, and the centre stays in step with it."""
        return between(self.start, self.end, ease(share, RAMPS[self.easing]))

    def pose(self, share: float) -> Pose:
        eased = ease(share, RAMPS[self.easing])
        lean = self.lean_start.plus(self.lean_end.plus(self.lean_start, -1), eased)
        return Pose(between(self.start, self.end, eased), lean)

    @property
    def deep(self) -> bool:
        """Whether near things pass far ones on this way."""
        return self.lean_start.deep or self.lean_end.deep


def between(a: View, b: View, eased: float) -> View:
    ratio = b.width / a.width
    width = a.width * ratio**eased
    # A zoom about a fixed point moves the edges in proportion to the width, not to the time.
    along = eased if abs(ratio - 1) < 1e-6 else (width - a.width) / (b.width - a.width)
    x, y = a.x + (b.x - a.x) * along, a.y + (b.y - a.y) * along
    return View(x, y, width, width * a.height / a.width)


def ease(share: float, ramp: float) -> float:
    """From 0 to 1: speed rises over `ramp` as a smoothstep, stays, and falls likewise; at rest at both ends."""
    if share > 0.5:
        return 1 - ease(1 - share, ramp)
    if share >= ramp:
        return (share - ramp / 2) / (1 - ramp)
    x = max(share, 0.0) / ramp
    return ramp * (x**3 - x**4 / 2) / (1 - ramp)


def paths(shots: Sequence[Shot], picture: Size, output: Size, focus: Focus | None = None) -> list[Path]:
    """The camera's way through the shots over one picture, each going on from where the one before it ends.

    A first frame is left from, and a last frame arrived at, whole; a shot that is cut to is composed anew.
    """
    whole = compose(picture, output, focus)
    if shots[0].role is Role.LAST_FRAME:
        return _arriving(shots, picture, whole)
    ways: list[Path] = []
    for shot in shots:
        steps = _steps(shot, picture, whole)
        if ways and shot.join is Join.GOES_ON:
            ways.append(_going_on(ways[-1].end, ways[-1].lean_end, shot, steps, picture, whole))
        elif not ways and shot.role in (Role.FIRST_FRAME, Role.SOURCE):
            ways.append(_going_on(whole, LEVEL, shot, steps, picture, whole))
        else:
            composed = compose(picture, output, focus, shot.framing, shot.angle)
            ways.append(_free(composed, steps, picture, shot, focus))
    return ways


@dataclass(frozen=True)
class _Steps:
    """What the moves come to: a change of zoom (natural logarithm), travel in parts of the view, and lean."""

    zoom_log: float = 0.0
    x: float = 0.0
    y: float = 0.0
    lean: Lean = LEVEL

    def reversed(self) -> "_Steps":
        return _Steps(-self.zoom_log, -self.x, -self.y, LEVEL.plus(self.lean, -1))


def _steps(shot: Shot, picture: Size, whole: View) -> _Steps:
    scale = shot.amount * math.sqrt(shot.seconds / REFERENCE_SECONDS)
    moves = set(shot.moves)

    def way(pair: tuple[Move, Move]) -> int:
        return (pair[1] in moves) - (pair[0] in moves)

    def limited(value: float, most: float) -> float:
        return math.copysign(min(abs(value), most), value)

    arc = way(_ARCS)
    zoom_log = limited(scale * (ZOOM_LOG * way(_ZOOMS) + ARC_ZOOM_LOG * abs(arc)), math.log(ZOOM_MOST))
    x = limited(scale * (PAN_OF_VIEW * way(_PANS) + TRUCK_OF_VIEW * (way(_TRUCKS) + arc / 2)), PAN_OF_VIEW_MOST)
    y = limited(scale * (TILT_OF_VIEW * way(_TILTS) + TRUCK_OF_VIEW * way(_PEDESTALS)), PAN_OF_VIEW_MOST)
    if not shot.asked and shot.role is Role.REFERENCE:
        x, y = _travel(picture, whole, shot.seconds)
    around = way(_ORBITS) + arc
    lean = Lean(
        roll=limited(scale * ROLL_RADIANS * way(_ROLLS), ROLL_RADIANS_MOST),
        x=limited(scale * PASSING * (way(_TRUCKS) + 2 * around), 2 * PASSING_MOST),
        y=limited(scale * PASSING * way(_PEDESTALS), 2 * PASSING_MOST),
        zoom=limited(NEARER_ZOOM * zoom_log, NEARER_ZOOM_MOST),
        yaw=limited(scale * YAW * around, 2 * YAW),
    )
    return _Steps(zoom_log, x, y, lean)


def _travel(picture: Size, whole: View, seconds: float) -> tuple[float, float]:
    """The drift that shows more of a picture whose shape is far from the output's: across, or up to the head."""
    pace = min(math.sqrt(seconds / REFERENCE_SECONDS), 1.5)
    if picture.height / whole.height - 1 > TALL_SHAPE:
        return 0.0, -TRAVEL_UP * pace
    across = picture.width / whole.width - 1
    return (min(across, TRAVEL_ACROSS * pace), 0.0) if across > ODD_SHAPE else (0.0, 0.0)


def _free(whole: View, steps: _Steps, picture: Size, shot: Shot, focus: Focus | None) -> Path:
    """A shot with no frame to meet: half of the travel lies on each side of the composition."""
    x, y = _further(steps.x, picture.width / whole.width - 1), _further(steps.y, picture.height / whole.height - 1)
    lean_start, lean_end = _leans(steps.lean, dutch(shot.angle))
    roll = max(abs(lean_start.roll), abs(lean_end.roll))
    margin = _margin(whole, lean_start, lean_end, roll, shot.handheld)
    # Just as much closer as gives the travel its room: small pictures are not magnified for nothing.
    room_x = picture.width / (whole.width * (1 + 2 * margin[0] + abs(x)))
    room_y = picture.height / (whole.height * (1 + 2 * margin[1] + abs(y)))
    wide = below_top(whole.zoomed(1 / min(room_x, room_y, 1.0)), picture, focus)
    zoom = math.exp(abs(steps.zoom_log))
    # There and back again: near an edge, the whole travel is set off from the edge instead of being cut short.
    start = wide.moved(x / 2, y / 2, picture, margin).moved(-x, -y, picture, margin)
    end = start.moved(x, y, picture, margin)
    if steps.zoom_log >= 0:
        end = _closer(end, zoom, picture, focus, steps)
    else:
        start = _closer(start, zoom, picture, focus, steps)
    return Path(start.contained(roll, picture), end.contained(roll, picture), shot.easing, lean_start, lean_end)


def _closer(view: View, zoom: float, picture: Size, focus: Focus | None, steps: _Steps) -> View:
    """Nearer, but not over the subject's head, unless the camera is to go up or down."""
    close = view.zoomed(zoom)
    return close if steps.y or zoom == 1 else below_top(close, picture, focus)


def _leans(lean: Lean, tilt: float) -> tuple[Lean, Lean]:
    """Passing goes half to each side; a roll begins upright; the closer end of a zoom has its depth."""
    half = replace(lean, roll=0.0, zoom=0.0)
    start = replace(LEVEL.plus(half, -0.5), roll=tilt, zoom=max(-lean.zoom, 0.0))
    return start, replace(LEVEL.plus(half, 0.5), roll=tilt + lean.roll, zoom=max(lean.zoom, 0.0))


def _margin(view: View, start: Lean, end: Lean, roll: float, handheld: float) -> tuple[float, float]:
    """What the view keeps from the picture's edges, in its own parts, for its corners, its sway and passing things."""
    passing = any((start.x, start.y, start.yaw, end.x, end.y, end.yaw))
    free = ((PASSING_ROOM - 1 if passing else 0.0) + HELD_ROOM * handheld) / 2
    shape, lift, turn = view.width / view.height, (math.cos(roll) - 1) / 2, math.sin(roll) / 2
    return free + lift + turn / shape, free + lift + turn * shape


def _further(travel: float, room: float) -> float:
    """A picture that reaches well beyond the frame is panned over further, up to twice as far."""
    return math.copysign(max(abs(travel), min(room, 2 * abs(travel))), travel)


def _arriving(shots: Sequence[Shot], picture: Size, whole: View) -> list[Path]:
    ways: list[Path] = []
    at, lean = whole, LEVEL
    for shot in reversed(shots):
        back = _going_on(at, lean, shot, _steps(shot, picture, whole).reversed(), picture, whole)
        ways.insert(0, Path(back.end, at, shot.easing, back.lean_end, lean))
        at, lean = back.end, back.lean_end
    return ways


def _going_on(start: View, lean: Lean, shot: Shot, steps: _Steps, picture: Size, whole: View) -> Path:
    end_lean = lean.plus(steps.lean)
    end = _leave(start, steps, picture, whole)
    return Path(start, end.contained(abs(end_lean.roll), picture), shot.easing, lean, end_lean)


def _leave(start: View, steps: _Steps, picture: Size, whole: View) -> View:
    """Where the moves lead from a view that is given."""
    # A pan from a view without room beside it needs some zoom to make that room.
    lacking = max(_lacking(start, steps, picture), 0.0)
    zoom = max(math.exp(steps.zoom_log) * (1 + lacking), start.width / whole.width)
    end = start.zoomed(zoom)
    return end.moved(steps.x, steps.y, picture)


def _lacking(view: View, steps: _Steps, picture: Size) -> float:
    room_x = (picture.width - view.x - view.width if steps.x > 0 else view.x) / view.width
    room_y = (picture.height - view.y - view.height if steps.y > 0 else view.y) / view.height
    return max(abs(steps.x) - room_x, abs(steps.y) - room_y) if steps.x or steps.y else 0.0
