# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Subject detection by contrast to the borders, unusual structure and detail, without a learned model."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.animatic.camera.framing import Focus
from framegate.animatic.picture.arrays import Map, blur, floats, resize_map
from framegate.animatic.picture.planes import Pixels, small_copy

SIDE_PIXELS = 128  # of the analyzed copy: finer detail would only add noise
BORDER_SHARE = 0.06
# Lightness, red-green and yellow-blue, with distances close to CIELAB, whose lookup tables are slow to build.
OPPONENTS = floats([[21, 72, 7], [110, -110, 0], [50, 50, -100]])
COLOR_NOISE = 25.0  # variance below which border colors count as the same
SPECTRUM_PIXELS = 64
CENTRE_X, CENTRE_Y, SPREAD_X, SPREAD_Y = 0.5, 0.45, 0.35, 0.4  # typical position of a subject in photos
BOX_QUANTILES = 0.1, 0.9  # of the salience, between which the subject's box lies


@dataclass(frozen=True)
class Subject:
    """Likely subject of a picture; `salience` is a map of the whole picture, from 0 to 1."""

    focus: Focus
    salience: Map


def find_subject(picture: Pixels) -> Subject:
    """Find the likely subject: its position and box in parts of the picture, and the salience map."""
    small = small_copy(picture, SIDE_PIXELS)
    height, width = small.shape[:2]
    distinctness = 0.5 * _border_contrast(small) + 0.3 * _spectral_residual(small) + 0.2 * _detail(small)
    rows, columns = np.mgrid[0:height, 0:width]
    x, y = (columns + 0.5) / width, (rows + 0.5) / height
    prior = np.exp(-(((x - CENTRE_X) / SPREAD_X) ** 2 + ((y - CENTRE_Y) / SPREAD_Y) ** 2) / 2)
    salience = _normalize(blur(floats(distinctness * prior), SIDE_PIXELS / 50), 100)
    weight = salience**2 + 1e-9
    left, right = _quantiles(weight.sum(0))
    top, bottom = _quantiles(weight.sum(1))
    peak = weight**2
    middle = float((peak * x).sum() / peak.sum()), float((peak * y).sum() / peak.sum())
    return Subject(Focus(*middle, left, top, right, bottom), salience)


def _border_contrast(small: Map) -> Map:
    """Distance of each color from the colors of each border; the borders are modeled separately."""
    lab = blur(floats(cv2.transform(small, OPPONENTS)), 1.5)
    depth = max(round(BORDER_SHARE * SIDE_PIXELS), 2)
    total = np.zeros(small.shape[:2], np.float32)
    for side in (lab[:depth], lab[-depth:], lab[:, :depth], lab[:, -depth:]):
        colors = side.reshape(-1, 3)
        difference = lab - colors.mean(0)
        spread = cv2.mulTransposed(floats(colors - colors.mean(0)), True) / len(colors)
        inverse = cv2.invert(spread + np.eye(3) * COLOR_NOISE)[1]
        distance = (floats(cv2.transform(floats(difference), inverse)) * difference).sum(2)
        total += distance / (distance.mean() + 1e-6)
    return _normalize(np.sqrt(total), 98)


def _spectral_residual(small: Map) -> Map:
    """Spectral residual: structure that the smoothed spectrum does not predict (Hou and Zhang, CVPR 2007)."""
    gray = resize_map(floats(small.mean(2)), SPECTRUM_PIXELS, SPECTRUM_PIXELS)
    spectrum = np.fft.fft2(gray)
    height = np.log(np.abs(spectrum) + 1e-6)
    residual = height - np.asarray(cv2.blur(height, (3, 3)), np.float64)
    back = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    return _normalize(resize_map(blur(floats(back), 3), small.shape[1], small.shape[0]), 99)


def _detail(small: Map) -> Map:
    fine = np.abs(floats(cv2.Laplacian(floats(small.mean(2)), cv2.CV_32F)))
    return _normalize(blur(fine, SIDE_PIXELS / 40), 97)


def _normalize(values: Map, percentile: float) -> Map:
    return np.clip(values / max(float(np.percentile(values, percentile)), 1e-6), 0, 1)


def _quantiles(profile: NDArray[np.floating]) -> tuple[float, float]:
    along = np.cumsum(profile) / profile.sum()
    low, high = np.searchsorted(along, BOX_QUANTILES)
    return float(low) / len(profile), float(high + 1) / len(profile)
