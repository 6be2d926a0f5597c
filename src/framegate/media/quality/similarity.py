"""Whole-image similarity: color palettes, SSIM and PSNR."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from framegate.media.quality.pixels import Floats, Pixels, floats_of, resize, to_gray

PALETTE_COLORS = 24
PALETTE_SIDE_MAX = 96  # pixels
FRAME_SIDE_MAX = 320
CROP_STRETCH_MAX = 8.0  # a longer image, compared with the frame's shape, is stretched instead of cropped
SIGMA = 1.5  # pixels; like the constants below, from Wang et al., 2004
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
PSNR_MAX = 99.0  # dB: of identical images


@dataclass(frozen=True, slots=True)
class Similarity:
    """Similarity of two images of one size: `ssim` of their brightness, from -1 to 1, and `psnr` of their RGB in dB."""

    ssim: float
    psnr: float


def extract_palette(pixels: Pixels) -> Floats:
    """Extract the colors of an image by median cut, as rows of weight, L, a and b."""
    thumbnail = Image.fromarray(pixels)
    thumbnail.thumbnail((PALETTE_SIDE_MAX, PALETTE_SIDE_MAX))
    quantized = thumbnail.quantize(PALETTE_COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    counts = np.bincount(np.asarray(quantized).ravel(), minlength=PALETTE_COLORS)[:PALETTE_COLORS]
    colors = np.zeros((PALETTE_COLORS, 3), np.float32)
    entries = np.array(quantized.getpalette() or [], np.float32).reshape(-1, 3)[:PALETTE_COLORS] / 255
    colors[: len(entries)] = entries
    lab = floats_of(cv2.cvtColor(colors[None], cv2.COLOR_RGB2LAB))[0]
    return np.c_[counts / counts.sum(), lab].astype(np.float32)[counts > 0]


def palette_distance(first: Floats, second: Floats) -> float:
    """Earth mover's distance of two palettes, in dE76."""
    return float(cv2.EMD(first, second, cv2.DIST_L2)[0])


def compare_frame(image: Pixels, frame: Pixels) -> Similarity:
    """Compare a frame with the image that it should be, cropped where it fits best, or stretched."""
    scale = FRAME_SIDE_MAX / max(frame.shape[:2])
    height, width = (max(16, round(side * scale)) for side in frame.shape[:2])
    small_frame = resize(frame, width, height)
    candidates = [_best_crop(image, small_frame), resize(image, width, height)]
    return max((_similarity(candidate, small_frame) for candidate in candidates), key=lambda result: result.ssim)


def extract_crop_palette(image: Pixels, frame: Pixels) -> Floats:
    """Extract the colors of the part of an image that is most similar to the frame."""
    scale = PALETTE_SIDE_MAX / max(frame.shape[:2])
    width, height = (max(16, round(side * scale)) for side in frame.shape[1::-1])
    return extract_palette(_best_crop(image, resize(frame, width, height)))


def _best_crop(image: Pixels, frame: Pixels) -> Pixels:
    """Crop an image to the frame's size and shape, where it is most similar to the frame."""
    height, width = frame.shape[:2]
    scale = max(width / image.shape[1], height / image.shape[0])
    cover_width, cover_height = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
    if cover_width > CROP_STRETCH_MAX * width or cover_height > CROP_STRETCH_MAX * height:
        return resize(image, width, height)
    cover = resize(image, cover_width, cover_height)
    scores = cv2.matchTemplate(to_gray(cover), to_gray(frame), cv2.TM_CCOEFF_NORMED)
    x, y = cv2.minMaxLoc(scores)[3]
    return cover[y : y + height, x : x + width]


def _similarity(first: Pixels, second: Pixels) -> Similarity:
    error = float(np.mean((floats_of(first) - floats_of(second)) ** 2))
    psnr = PSNR_MAX if error == 0 else min(PSNR_MAX, 10 * float(np.log10(255**2 / error)))
    return Similarity(ssim=_ssim(floats_of(to_gray(first)), floats_of(to_gray(second))), psnr=psnr)


def _ssim(first: Floats, second: Floats) -> float:
    a, b = _blur(first), _blur(second)
    aa, bb, ab = _blur(first * first) - a * a, _blur(second * second) - b * b, _blur(first * second) - a * b
    return float(np.mean((2 * a * b + C1) * (2 * ab + C2) / ((a * a + b * b + C1) * (aa + bb + C2))))


def _blur(values: Floats) -> Floats:
    return floats_of(cv2.GaussianBlur(values, (11, 11), SIGMA))
