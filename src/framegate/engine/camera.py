"""Where the camera looks at each moment: views of a picture, eased from one to another. Numbers only."""

import math
from dataclasses import dataclass

from framegate.engine.direction import Join, Role, Shot
from framegate.engine.vocabulary import OPPOSITE, Easing, Move

# At amount 1 over REFERENCE_SECONDS; longer shots go further, by the square root of their length.
ZOOM_LOG = 0.18
PAN_OF_VIEW = 0.16
TILT_OF_VIEW = 0.16
REFERENCE_SECONDS = 4.0
ZOOM_MOST = 2.0
PAN_OF_VIEW_MOST = 0.45
# A picture much taller or wider than the output is travelled along, by at most this part of the view.
ODD_SHAPE = 0.3
TRAVEL_OF_VIEW = 0.3
HEADROOM = 1 / 3  # of the height left over goes above the view, where heads are

RAMPS = {Easing.SMOOTH: 0.35, Easing.GENTLE: 0.5, Easing.STEADY: 0.12}


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
        return View(self.x + (self.width - width) / 2, self.y + (self.height - height) / 2, width, height)

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
    """The largest view: it fills the output, centred across, and leaves two thirds of what it cuts off below."""
    width = min(float(picture.width), picture.height * output.width / output.height)
    height = width * output.height / output.width
    return View((picture.width - width) / 2, max(picture.height - height, 0.0) * HEADROOM, width, height)


def path(shot: Shot, picture: Size, output: Size, before: View | None = None) -> Path:
    """The camera's way through one shot; `before` is where the shot before it left the camera, on the same picture."""
    whole = fit_view(picture, output)
    steps = _steps(shot, picture, whole)
    if shot.role is Role.LAST_FRAME:
        return Path(_leave(whole, steps.reversed(), picture, whole), whole, shot.easing)
    if shot.role is Role.FIRST_FRAME and before is None:
        before = whole
    if before is not None and (shot.join is Join.GOES_ON or shot.role is Role.FIRST_FRAME):
        return Path(before, _leave(before, steps, picture, whole), shot.easing)
    return _free(whole, steps, picture, shot.easing)


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
    x = pan * ((Move.PAN_RIGHT in moves) - (Move.PAN_LEFT in moves))
    y = tilt * ((Move.TILT_DOWN in moves) - (Move.TILT_UP in moves))
    if not shot.asked and shot.role is Role.REFERENCE:
        x, y = _travel(picture, whole, shot.seconds)
    return _Steps(zoom_log * ((Move.PUSH_IN in moves) - (Move.PULL_OUT in moves)), x, y)


def _travel(picture: Size, whole: View, seconds: float) -> tuple[float, float]:
    """The drift that shows more of a picture whose shape is far from the output's: up, towards heads, or across."""
    most = TRAVEL_OF_VIEW * min(math.sqrt(seconds / REFERENCE_SECONDS), 1.5)
    above, across = picture.height / whole.height - 1, picture.width / whole.width - 1
    if above > ODD_SHAPE:
        return 0.0, -min(above * HEADROOM * 1.5, most)
    if across > ODD_SHAPE:
        return min(across, most), 0.0
    return 0.0, 0.0


def _free(whole: View, steps: _Steps, picture: Size, easing: Easing) -> Path:
    """A shot with no frame to meet: half of the travel lies on each side of the composition."""
    # Just as much closer as gives the travel its room: small pictures are not magnified for nothing.
    room_x = picture.width / (whole.width * (1 + abs(steps.x)))
    room_y = picture.height / (whole.height * (1 + abs(steps.y)))
    wide = whole.zoomed(1 / min(room_x, room_y, 1.0))
    tight = wide.zoomed(math.exp(abs(steps.zoom_log)))
    start, end = (wide, tight) if steps.zoom_log >= 0 else (tight, wide)
    # Travel of the eventual, smaller view, so that a push-in with a pan keeps the pan's pace.
    middle = wide.moved(0, 0, picture)
    low = _centred(middle.moved(-steps.x / 2, -steps.y / 2, picture), start, picture)
    high = _centred(low_end(middle, steps, picture), end, picture)
    return Path(low, high, easing)


def low_end(middle: View, steps: _Steps, picture: Size) -> View:
    return middle.moved(steps.x / 2, steps.y / 2, picture)


def _centred(place: View, shape: View, picture: Size) -> View:
    moved = View(
        place.x + (place.width - shape.width) / 2,
        place.y + (place.height - shape.height) / 2,
        shape.width,
        shape.height,
    )
    return moved.moved(0, 0, picture)


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


def reverse(moves: tuple[Move, ...]) -> tuple[Move, ...]:
    return tuple(OPPOSITE[move] for move in moves)
