# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Cut-out of a picture's subject, only if the mask is reliable."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.animatic.picture import subject
from framegate.animatic.picture.arrays import Map, blur, floats, resize_map
from framegate.animatic.picture.planes import Pixels, Plane

SIDE_PIXELS = 480  # of the copy in which the mask is searched
MODEL_PIXELS = 240  # of the copy for the color model, which is slow
AREA_MIN, AREA_MAX = 0.02, 0.85  # of the picture
PLAIN_BORDER_MIN = 0.9  # part of the border in the backdrop's color
LIGHT_TOLERANCE, HUE_TOLERANCE = 14.0, 7.0  # levels by which a plain backdrop may vary
SHADOW_DARKENING_MAX = 90.0  # levels by which the subject's shadow may darken the backdrop
SHADOW_STEP_MAX = 9  # levels between neighboring pixels: shadows are soft
LARGEST_PIECE_MIN, SOLID_MIN = (
    0.85,
    0.5,
)  # parts of the mask: in its largest piece, and left after an erosion by a pixel
AGREEMENT_MIN = 0.8  # overlap of salience and color model; below 0.6 on photos where they fail
BORDER_SHARE = 0.02


@dataclass(frozen=True)
class Cutout:
    """Colors and coverage of a subject, cropped to it; `method` names how the mask was found."""

    colors: Pixels
    coverage: Map
    method: str


def cut_out(picture: Pixels, alpha: Plane | None) -> Cutout | None:
    """Cut out the subject of a picture; None if no method is reliable."""
    if alpha is not None and _is_plausible(floats(alpha) / 255):
        return _crop(picture, floats(alpha) / 255, "transparency")
    small = _small_copy(picture)
    for method, find_mask in (
        ("plain backdrop", _mask_by_backdrop),
        ("agreement of two methods", _mask_by_agreement),
    ):
        mask = find_mask(small)
        if mask is not None and _is_plausible(mask):
            return _crop(picture, _full_size_coverage(mask, picture), method)
    return None


def _small_copy(picture: Pixels) -> Pixels:
    scale = min(SIDE_PIXELS / max(picture.shape[:2]), 1.0)
    size = max(round(picture.shape[1] * scale), 16), max(round(picture.shape[0] * scale), 16)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _is_plausible(mask: Map) -> bool:
    """Whether the mask has a plausible area, is mostly one piece, and is solid."""
    solid = np.asarray(mask > 0.5, np.uint8)
    if not AREA_MIN <= float(solid.mean()) <= AREA_MAX:
        return False
    if float(cv2.erode(solid, np.ones((3, 3), np.uint8)).sum()) < SOLID_MIN * float(solid.sum()):
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid)
    return float(stats[1:, cv2.CC_STAT_AREA].max()) >= LARGEST_PIECE_MIN * float(solid.sum())


def _mask_by_backdrop(small: Pixels) -> Map | None:
    """Everything that is not connected to the borders by the backdrop's color or a soft shadow."""
    colors = floats(
        cv2.transform(blur(floats(small), 1.2), floats([[0.3, 0.59, 0.11], [0.5, -0.5, 0], [0.25, 0.25, -0.5]]))
    )
    edge = _border_mask(small.shape[0], small.shape[1])
    middle = np.median(colors[edge], axis=0)
    light, hue = colors[..., 0] - middle[0], np.abs(colors[..., 1:] - middle[1:]).max(axis=2)
    plain = (np.abs(light) < LIGHT_TOLERANCE) & (hue < HUE_TOLERANCE)
    if float(plain[edge].mean()) < PLAIN_BORDER_MIN:
        return None
    step = floats(cv2.morphologyEx(colors[..., 0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    shadow = (
        (light < LIGHT_TOLERANCE) & (light > -SHADOW_DARKENING_MAX) & (hue < HUE_TOLERANCE) & (step < SHADOW_STEP_MAX)
    )
    _, labels = cv2.connectedComponents(np.asarray(plain | shadow, np.uint8), connectivity=4)
    components = np.asarray(labels, np.int32)
    outside = np.isin(components, np.unique(components[edge & plain])) & (components > 0)
    mask = cv2.morphologyEx(np.asarray(~outside, np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return floats(mask)


def _mask_by_agreement(small: Pixels) -> Map | None:
    """The salient region, if a color model that starts from it finds the same shape."""
    scale = min(MODEL_PIXELS / max(small.shape[:2]), 1.0)
    small = np.asarray(cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = small.shape[:2]
    salience = resize_map(subject.find_subject(small).salience, width, height)
    level = _otsu_threshold(salience)
    seed = salience > level
    labels = np.where(seed, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[_border_mask(height, width)] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(small, labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    foreground = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    union_area = float((foreground | seed).sum())
    if not union_area or float((foreground & seed).sum()) / union_area < AGREEMENT_MIN:
        return None
    return floats(foreground)


def _otsu_threshold(values: Map) -> float:
    level, _ = cv2.threshold(np.asarray(values * 255, np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(level) / 255


def _border_mask(height: int, width: int) -> NDArray[np.bool_]:
    deep = max(round(BORDER_SHARE * max(height, width)), 2)
    edge = np.ones((height, width), np.bool_)
    edge[deep:-deep, deep:-deep] = False
    return edge


def _full_size_coverage(mask: Map, picture: Pixels) -> Map:
    """The mask at the picture's size, slightly eroded, with an edge about two mask pixels wide."""
    tight = floats(cv2.erode(mask, np.ones((3, 3), np.uint8)))
    return np.clip(blur(resize_map(tight, picture.shape[1], picture.shape[0]), 1.2) * 1.4 - 0.2, 0, 1)


def _crop(picture: Pixels, cover: Map, method: str) -> Cutout:
    rows, columns = np.flatnonzero((cover > 0.02).any(axis=1)), np.flatnonzero((cover > 0.02).any(axis=0))
    part = np.s_[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
    return Cutout(np.ascontiguousarray(picture[part]), np.ascontiguousarray(cover[part]), method)
