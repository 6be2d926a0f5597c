# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Composite of a subject in a scene, with a plausible size and place, the scene's light, and a shadow."""

from dataclasses import dataclass

import cv2
import numpy as np

from framegate.animatic.camera.framing import Focus, Size, View, fit_view
from framegate.animatic.picture import subject
from framegate.animatic.picture.arrays import Map, blur, floats, resize_map, wide_blur
from framegate.animatic.picture.cutout import Cutout
from framegate.animatic.picture.palette import Palette
from framegate.animatic.picture.planes import Pixels, resize, size_of

SUBJECT_HEIGHT, SUBJECT_WIDTH_MAX = 0.56, 0.5  # of the view
FOOT_OF_VIEW = 0.9  # height of the subject's foot, from the view's top
PLACES = (0.5, 0.32, 0.68)  # horizontal; the first one unless the scene's own subject is there
MIDDLE_SALIENCE_RATIO_MAX = 1.2  # salience of the middle against the sides, above which the subject goes to a side
COLOR_MATCH = 0.45
SHADOW = 0.6
WRAP_SHARE, WRAP = 0.018, 0.45
SCENE_OVERSAMPLING = 1.3  # scene pixels per output pixel, so that a small scene does not lower the subject's resolution


@dataclass(frozen=True)
class Composite:
    """A composed picture with the subject's focus and coverage."""

    picture: Pixels
    focus: Focus
    coverage: Map


def compose(cutout: Cutout, scene: Pixels, output: Size) -> Composite:
    """Compose the subject into the scene."""
    scene = _enlarge_scene(scene, output)
    size = size_of(scene)
    scene_subject = subject.find_subject(scene)
    view = fit_view(size, output, scene_subject.focus)
    height, width = cutout.coverage.shape
    scale = min(SUBJECT_HEIGHT * view.height / height, SUBJECT_WIDTH_MAX * view.width / width)
    width, height = max(round(width * scale), 2), max(round(height * scale), 2)
    x = round(view.x + _choose_place(scene_subject.salience, view, size, width) * view.width - width / 2)
    y = round(view.y + FOOT_OF_VIEW * view.height - height)
    colors, cover = _place_subject(cutout, (x, y, width, height), size)
    lit = _match_light(colors, cover, scene)
    shaded = floats(scene) / 255 * (1 - SHADOW * _draw_shadow(cover, y + height, width, height))[..., None]
    wrap = np.clip(blur(1 - cover, WRAP_SHARE * width), 0, 1) * cover * WRAP
    lit += (wide_blur(shaded, WRAP_SHARE * 2 * width) - lit) * wrap[..., None]
    mixed = shaded + (lit - shaded) * cover[..., None]
    focus = Focus(
        (x + width / 2) / size.width,
        (y + 0.4 * height) / size.height,
        x / size.width,
        y / size.height,
        (x + width) / size.width,
        (y + height) / size.height,
    )
    return Composite(np.asarray(np.clip(mixed, 0, 1) * 255 + 0.5, np.uint8), focus, cover)


def _enlarge_scene(scene: Pixels, output: Size) -> Pixels:
    view = fit_view(size_of(scene), output)
    scale = max(SCENE_OVERSAMPLING * output.width / view.width, 1.0)
    return resize(scene, round(scene.shape[1] * scale), round(scene.shape[0] * scale))


def _choose_place(salience: Map, view: View, size: Size, width: float) -> float:
    """Horizontal place of the subject: the middle, or a third if the scene's own subject is in the middle."""
    scale = salience.shape[1] / size.width
    rows = salience[int(view.y * scale) : max(int((view.y + view.height) * scale), int(view.y * scale) + 1)]

    def stands_out(place: float) -> float:
        middle = view.x + place * view.width
        left, right = int(max(middle - width / 2, 0) * scale), int((middle + width / 2) * scale)
        return float(rows[:, left : max(right, left + 1)].mean())

    middle, *sides = (stands_out(place) for place in PLACES)
    best = min(range(2), key=lambda side: sides[side])
    return PLACES[1 + best] if middle > MIDDLE_SALIENCE_RATIO_MAX * sides[best] else PLACES[0]


def _place_subject(cutout: Cutout, box: tuple[int, int, int, int], size: Size) -> tuple[Map, Map]:
    """The subject's colors and coverage in the coordinates of the scene."""
    x, y, width, height = box
    colors, cover = np.zeros((size.height, size.width, 3), np.float32), np.zeros((size.height, size.width), np.float32)
    small, mask = floats(resize(cutout.colors, width, height)) / 255, resize_map(cutout.coverage, width, height)
    left, top = max(-x, 0), max(-y, 0)
    right, bottom = min(size.width - x, width), min(size.height - y, height)
    colors[y + top : y + bottom, x + left : x + right] = small[top:bottom, left:right]
    cover[y + top : y + bottom, x + left : x + right] = np.clip(mask[top:bottom, left:right], 0, 1)
    return colors, cover


def _match_light(colors: Map, cover: Map, scene: Pixels) -> Map:
    """Shift the subject's colors partly to those of the scene."""
    palette = Palette.of(np.asarray(colors * 255, np.uint8), cover)
    matrix = Palette.of(scene).transfer_matrix(palette, COLOR_MATCH)
    return np.clip(floats(cv2.transform(floats(colors), matrix)), 0, 1)


def _draw_shadow(cover: Map, foot: int, width: int, height: int) -> Map:
    """Contact shadow under the subject and a soft shadow around its foot."""
    pool = np.zeros_like(cover)
    across = cover[max(foot - max(height // 8, 2), 0) : foot].max(axis=0) if foot > 0 else cover[0]
    inside = np.flatnonzero(across > 0.3)
    if len(inside):
        middle, half = (inside[0] + inside[-1]) / 2, (inside[-1] - inside[0]) / 2
        at = round(middle), round(foot - 0.02 * height)
        axes = max(round(half * 1.04), 1), max(round(half * 0.16), 1)
        cv2.ellipse(pool, at, axes, 0, 0, 360, 1.0, cv2.FILLED, cv2.LINE_AA)
    wide = wide_blur(pool, max(0.06 * width, 1.0))
    near = wide_blur(pool, max(0.02 * width, 0.7))
    return np.clip(0.55 * wide + 0.6 * near, 0, 1)
