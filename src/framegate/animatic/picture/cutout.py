# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""A subject cut out of its picture, but only where the cut can be trusted."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.animatic.picture import subject
from framegate.animatic.picture.arrays import Map, blur, floats, resize_map
from framegate.animatic.picture.planes import Pixels, Plane

SIDE_PIXELS = 480  # at which a mask is looked for
MODEL_PIXELS = 240  # and at which colours are modelled, which takes long
AREA_MIN, AREA_MAX = 0.02, 0.85  # of the picture
PLAIN_BORDER_MIN = 0.9  # of the border must be the backdrop's colour
LIGHT_TOLERANCE, HUE_TOLERANCE = 14.0, 7.0  # levels by which a plain backdrop may differ from place to place
SHADOW_DARKENING_MAX = 90.0  # how much darker the backdrop may be where the subject's own shadow falls
SHADOW_STEP_MAX = 9  # levels from one pixel to the next: shadows are soft
LARGEST_PIECE_MIN, SOLID_MIN = 0.85, 0.5  # of the mask, and of it when drawn in by a pixel
AGREEMENT_MIN = 0.8  # salience and colour models must find the same shape; on photos that fail they stay below 0.6
BORDER_SHARE = 0.02


@dataclass(frozen=True)
class Cutout:
    """A subject's colours and how much it covers, cropped to it; `way` says how the cut was made."""

    colours: Pixels
    cover: Map
    method: str


def cut_out(picture: Pixels, alpha: Plane | None) -> Cutout | None:
    """The subject of a picture, or nothing where no method can be trusted."""
    if alpha is not None and _is_plausible(floats(alpha) / 255):
        return _crop(picture, floats(alpha) / 255, "its transparency")
    small = _small_copy(picture)
    for method, find_mask in (
        ("its plain backdrop", _mask_by_backdrop),
        ("two methods that agree", _mask_by_agreement),
    ):
        mask = find_mask(small)
        if mask is not None and _is_plausible(mask):
            return _crop(picture, _full_size_cover(mask, picture), method)
    return None


def _small_copy(picture: Pixels) -> Pixels:
    scale = min(SIDE_PIXELS / max(picture.shape[:2]), 1.0)
    size = max(round(picture.shape[1] * scale), 16), max(round(picture.shape[0] * scale), 16)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _is_plausible(mask: Map) -> bool:
    """Neither a speck nor the whole picture, in one piece, and no lace."""
    solid = np.asarray(mask > 0.5, np.uint8)
    if not AREA_MIN <= float(solid.mean()) <= AREA_MAX:
        return False
    if float(cv2.erode(solid, np.ones((3, 3), np.uint8)).sum()) < SOLID_MIN * float(solid.sum()):
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid)
    return float(stats[1:, cv2.CC_STAT_AREA].max()) >= LARGEST_PIECE_MIN * float(solid.sum())


def _mask_by_backdrop(small: Pixels) -> Map | None:
    """All that is not joined to the borders by the backdrop's colour, or by its soft shadow."""
    colours = floats(
        cv2.transform(blur(floats(small), 1.2), floats([[0.3, 0.59, 0.11], [0.5, -0.5, 0], [0.25, 0.25, -0.5]]))
    )
    edge = _border_mask(small.shape[0], small.shape[1])
    middle = np.median(colours[edge], axis=0)
    light, hue = colours[..., 0] - middle[0], np.abs(colours[..., 1:] - middle[1:]).max(axis=2)
    plain = (np.abs(light) < LIGHT_TOLERANCE) & (hue < HUE_TOLERANCE)
    if float(plain[edge].mean()) < PLAIN_BORDER_MIN:
        return None
    step = floats(cv2.morphologyEx(colours[..., 0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    shadow = (
        (light < LIGHT_TOLERANCE) & (light > -SHADOW_DARKENING_MAX) & (hue < HUE_TOLERANCE) & (step < SHADOW_STEP_MAX)
    )
    _, labels = cv2.connectedComponents(np.asarray(plain | shadow, np.uint8), connectivity=4)
    components = np.asarray(labels, np.int32)
    outside = np.isin(components, np.unique(components[edge & plain])) & (components > 0)
    mask = cv2.morphologyEx(np.asarray(~outside, np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return floats(mask)


def _mask_by_agreement(small: Pixels) -> Map | None:
    """What stands out, if a colour model that starts from it comes to the same shape."""
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


def _full_size_cover(mask: Map, picture: Pixels) -> Map:
    """The mask at the picture's size, drawn in a little, and soft over about two of its own pixels."""
    tight = floats(cv2.erode(mask, np.ones((3, 3), np.uint8)))
    return np.clip(blur(resize_map(tight, picture.shape[1], picture.shape[0]), 1.2) * 1.4 - 0.2, 0, 1)


def _crop(picture: Pixels, cover: Map, method: str) -> Cutout:
    rows, columns = np.flatnonzero((cover > 0.02).any(axis=1)), np.flatnonzero((cover > 0.02).any(axis=0))
    part = np.s_[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
    return Cutout(np.ascontiguousarray(picture[part]), np.ascontiguousarray(cover[part]), method)
