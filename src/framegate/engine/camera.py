"""Where the camera looks at each moment: views of a picture, eased from one to another. Numbers only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from framegate.engine.shots import Easing, Move, Role, Shot

# At amount 1 over REFERENCE_SECONDS; longer shots go further, by the square root of their length.
ZOOM_LOG = 0.18
PAN_OF_VIEW = 0.18
TILT_OF_VIEW = 0.16
REFERENCE_SECONDS = 4.0
ZOOM_MOST = 2.0
PAN_OF_VIEW_MOST = 0.45
# Where a push-in heads for, in parts of the view from its top: a little above the middle, where faces are.
FOCUS = 0.42
# In an upright picture the face is about here, in parts of its height; in the view it goes to FOCUS.
FACE_LINE = 0.25
HEADROOM = 0.25  # other pictures: this part of the height left over goes above the view
# A reference whose shape is far from the output's is travelled along, by parts of the view.
ODD_SHAPE = 0.3
TRAVEL_ACROSS = 0.13
TALL_SHAPE = 1.1
TRAVEL_UP = 0.18

RAMPS = {Easing.SMOOTH: 0.35, Easing.GENTLE: 0.5, Easing.STEADY: 0.12}

_LEFT = {Move.PAN_LEFT, Move.TRUCK_LEFT, Move.ORBIT_LEFT, Move.ARC_LEFT}
_RIGHT = {Move.PAN_RIGHT, Move.TRUCK_RIGHT, Move.ORBIT_RIGHT, Move.ARC_RIGHT}
_UP = {Move.TILT_UP, Move.PEDESTAL_UP}
_DOWN = {Move.TILT_DOWN, Move.PEDESTAL_DOWN}


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True)
class View:
    """A rectangle of the picture, of the output's shape, in the picture's pixels measured at their edges."""

    x: float
    y: float
    width: float
    height: float

    def zoomed(self, zoom: float) -> "View":
        width, height = self.width / zoom, self.height / zoom
        return View(self.x + (self.width - width) / 2, self.y + (self.height - height) * FOCUS, width, height)

    def moved(self, x: float, y: float, within: Size) -> "View":
        """The view moved by parts of its own width and height, as far as the picture goes."""
        return View(
            min(max(self.x + x * self.width, 0.0), within.width - self.width),
            min(max(self.y + y * self.height, 0.0), within.height - self.height),
            self.width,
            self.height,
        )


@dataclass(frozen=True)
class Path:
    """The way from one view to another."""

    start: View
    end: View
    easing: Easing

    def at(self, share: float) -> View:
        """The view at a share of the shot's time: the zoom grows evenly, and the centre stays in step with it."""
        eased = ease(share, RAMPS[self.easing])
        a, b = self.start, self.end
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


def fit_view(picture: Size, output: Size) -> View:
    """The largest view: it fills the output, centred across, and cuts off less above than below."""
    width = min(float(picture.width), picture.height * output.width / output.height)
    height = width * output.height / output.width
    spare = max(picture.height - height, 0.0)
    upright = picture.height >= picture.width
    top = FACE_LINE * picture.height - FOCUS * height if upright else HEADROOM * spare
    return View((picture.width - width) / 2, min(max(top, 0.0), spare), width, height)


def paths(shots: Sequence[Shot], picture: Size, output: Size) -> list[Path]:
    """The camera's way through the shots over one picture, each going on from where the one before it ends.

    A first frame is left from, and a last frame arrived at, whole.
    """
    whole = fit_view(picture, output)
    ways: list[Path] = []
    if shots[0].role is Role.LAST_FRAME:
        at = whole
        for shot in reversed(shots):
            back = _leave(at, _steps(shot, picture, whole).reversed(), picture, whole)
            ways.insert(0, Path(back, at, shot.easing))
            at = back
        return ways
    at = whole if shots[0].role is Role.FIRST_FRAME else None
    for shot in shots:
        steps = _steps(shot, picture, whole)
        if at is None:
            ways.append(_free(whole, steps, picture, shot.easing))
        else:
            ways.append(Path(at, _leave(at, steps, picture, whole), shot.easing))
        at = ways[-1].end
    return ways


@dataclass(frozen=True)
class _Steps:
    """What the moves come to: a change of zoom (natural logarithm), and travel in parts of the view."""

    zoom_log: float = 0.0
    x: float = 0.0
    y: float = 0.0

    def reversed(self) -> "_Steps":
        return _Steps(-self.zoom_log, -self.x, -self.y)


def _steps(shot: Shot, picture: Size, whole: View) -> _Steps:
    scale = shot.amount * math.sqrt(shot.seconds / REFERENCE_SECONDS)
    zoom_log = min(ZOOM_LOG * scale, math.log(ZOOM_MOST))
    pan, tilt = min(PAN_OF_VIEW * scale, PAN_OF_VIEW_MOST), min(TILT_OF_VIEW * scale, PAN_OF_VIEW_MOST)
    moves = set(shot.moves)
    x = pan * (bool(moves & _RIGHT) - bool(moves & _LEFT))
    y = tilt * (bool(moves & _DOWN) - bool(moves & _UP))
    if not shot.asked and shot.role is Role.REFERENCE:
        x, y = _travel(picture, whole, shot.seconds)
    return _Steps(zoom_log * ((Move.PUSH_IN in moves) - (Move.PULL_OUT in moves)), x, y)


def _travel(picture: Size, whole: View, seconds: float) -> tuple[float, float]:
    """The drift that shows more of a picture whose shape is far from the output's: across, or up to the head."""
    pace = min(math.sqrt(seconds / REFERENCE_SECONDS), 1.5)
    if picture.height / whole.height - 1 > TALL_SHAPE:
        return 0.0, -TRAVEL_UP * pace
    across = picture.width / whole.width - 1
    return (min(across, TRAVEL_ACROSS * pace), 0.0) if across > ODD_SHAPE else (0.0, 0.0)


def _free(whole: View, steps: _Steps, picture: Size, easing: Easing) -> Path:
    """A shot with no frame to meet: half of the travel lies on each side of the composition."""
    x, y = _further(steps.x, picture.width / whole.width - 1), _further(steps.y, picture.height / whole.height - 1)
    steps = _Steps(steps.zoom_log, x, y)
    # Just as much closer as gives the travel its room: small pictures are not magnified for nothing.
    room_x = picture.width / (whole.width * (1 + abs(steps.x)))
    room_y = picture.height / (whole.height * (1 + abs(steps.y)))
    wide = whole.zoomed(1 / min(room_x, room_y, 1.0))
    zoom = math.exp(abs(steps.zoom_log))
    # There and back again: near an edge, the whole travel is set off from the edge instead of being cut short.
    start = wide.moved(steps.x / 2, steps.y / 2, picture).moved(-steps.x, -steps.y, picture)
    end = start.moved(steps.x, steps.y, picture)
    return Path(start, end.zoomed(zoom), easing) if steps.zoom_log >= 0 else Path(start.zoomed(zoom), end, easing)


def _further(travel: float, room: float) -> float:
    """A picture that reaches well beyond the frame is panned over further, up to twice as far."""
    return math.copysign(max(abs(travel), min(room, 2 * abs(travel))), travel)


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
