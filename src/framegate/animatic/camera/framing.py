"""Framing: sizes, views of a picture, and the composition that keeps heads and subjects in the frame."""

import math
from dataclasses import dataclass

from framegate.animatic.prompt.scene import Angle, Framing

# Center of a zoom, as a part of the view's height from its top: a little above the middle, where faces are.
EYE_LINE = 0.42
# Typical height of the face in an upright picture; the view puts it at EYE_LINE.
FACE_LINE = 0.23
HEADROOM = 0.25  # other pictures: this part of the surplus height is above the view
ABOVE_SUBJECT = 0.1  # of the view, between its top and that of the subject's box, which leaves out the outer 10 %
FRAMING_ZOOM = {Framing.MEDIUM: 1.25, Framing.CLOSE: 1.7, Framing.EXTREME_CLOSE: 2.4}
ANGLE_SHIFT_OF_VIEW = 0.12  # a low angle shows more of the upper part
ANGLE_ZOOM = 1.12  # makes room for the shift
DUTCH_RADIANS = 0.12
HANDHELD_ROOM = 0.06  # extra zoom of a handheld shot, so that its sway stays inside the picture


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True)
class Focus:
    """Position of the subject and the box around most of it, as parts of the picture's sides.

    With `is_face`, `x` and `y` are the probable position of a face.
    """

    x: float
    y: float
    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0
    is_face: bool = False


@dataclass(frozen=True)
class View:
    """A rectangle of the picture in the output's shape, in picture pixels measured at their edges."""

    x: float
    y: float
    width: float
    height: float

    def zoomed(self, zoom: float) -> "View":
        width, height = self.width / zoom, self.height / zoom
        return View(self.x + (self.width - width) / 2, self.y + (self.height - height) * EYE_LINE, width, height)

    def shifted(self, x: float, y: float, within: Size, margin: tuple[float, float] = (0.0, 0.0)) -> "View":
        """The view shifted by parts of its sides, but not beyond the picture less a margin."""
        left, top = margin[0] * self.width, margin[1] * self.height
        return View(
            min(max(self.x + x * self.width, left), within.width - self.width - left),
            min(max(self.y + y * self.height, top), within.height - self.height - top),
            self.width,
            self.height,
        )

    def relative_to(self, outer: "View", output: Size) -> "View":
        """This view in output pixels, where the outer view fills the output."""
        scale = output.width / outer.width
        return View((self.x - outer.x) * scale, (self.y - outer.y) * scale, self.width * scale, self.height * scale)

    def resolved_in(self, outer: "View", output: Size) -> "View":
        """The inverse of `relative_to`."""
        scale = outer.width / output.width
        return View(outer.x + self.x * scale, outer.y + self.y * scale, self.width * scale, self.height * scale)

    def contained(self, roll: float, within: Size) -> "View":
        """The view shrunk and shifted to stay inside the picture when rolled by `roll` radians."""
        cos, sin = abs(math.cos(roll)), abs(math.sin(roll))
        across, down = self.width * cos + self.height * sin, self.width * sin + self.height * cos
        shrink = min(1.0, within.width / across, within.height / down)
        half_x, half_y = across * shrink / 2, down * shrink / 2
        x = min(max(self.x + self.width / 2, half_x), within.width - half_x)
        y = min(max(self.y + self.height / 2, half_y), within.height - half_y)
        width, height = self.width * shrink, self.height * shrink
        return View(x - width / 2, y - height / 2, width, height)


def fit_view(picture: Size, output: Size, focus: Focus | None = None) -> View:
    """The largest view in the output's shape, with the subject in it and less cropped above than below."""
    width = min(float(picture.width), picture.height * output.width / output.height)
    height = width * output.height / output.width
    x = (focus.x if focus else 0.5) * picture.width - width / 2
    y = _top_of_view(picture, height, focus)
    return View(min(max(x, 0.0), picture.width - width), min(max(y, 0.0), picture.height - height), width, height)


def compose_view(
    picture: Size,
    output: Size,
    focus: Focus | None = None,
    framing: Framing = Framing.AS_IS,
    angle: Angle = Angle.LEVEL,
) -> View:
    """The view for a framing and a camera angle."""
    view = fit_view(picture, output, focus)
    if framing in FRAMING_ZOOM:
        view = _zoomed_view(view, FRAMING_ZOOM[framing], picture, focus)
    if angle in (Angle.LOW, Angle.HIGH):
        view = view.zoomed(ANGLE_ZOOM).shifted(
            0, -ANGLE_SHIFT_OF_VIEW if angle is Angle.LOW else ANGLE_SHIFT_OF_VIEW, picture
        )
    return view


def with_subject_top(view: View, picture: Size, focus: Focus | None) -> View:
    """The view, raised if necessary to include the top of the subject; upright pictures and faces stay."""
    if focus is None or focus.is_face or picture.height >= picture.width:
        return view
    top = max(focus.top * picture.height - ABOVE_SUBJECT * view.height, 0.0)
    return View(view.x, min(view.y, top), view.width, view.height)


def dutch_roll(angle: Angle) -> float:
    return DUTCH_RADIANS if angle is Angle.DUTCH else 0.0


def _top_of_view(picture: Size, height: float, focus: Focus | None) -> float:
    if focus and focus.is_face:
        return focus.y * picture.height - EYE_LINE * height
    if picture.height >= picture.width:
        return FACE_LINE * picture.height - EYE_LINE * height
    if focus is None:
        return HEADROOM * (picture.height - height)
    middle = (focus.top + focus.bottom) / 2 * picture.height - height / 2
    return min(middle, focus.top * picture.height - ABOVE_SUBJECT * height)


def _zoomed_view(view: View, zoom: float, picture: Size, focus: Focus | None) -> View:
    width, height = view.width / zoom, view.height / zoom
    upright = picture.height >= picture.width
    center = focus or Focus(0.5, EYE_LINE)
    y = FACE_LINE if upright and not center.is_face else center.y
    view_close = View(center.x * picture.width - width / 2, y * picture.height - EYE_LINE * height, width, height)
    return view_close.shifted(0, 0, picture)
