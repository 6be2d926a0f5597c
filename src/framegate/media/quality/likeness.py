"""How near two pictures are as wholes: palette, SSIM and PSNR."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from framegate.media.quality.pictures import Floats, Pixels, floats_of, grey, resized

COLOURS = 24
PALETTE_SIDE = 96  # pixels
FRAME_SIDE = 320
COVER_MOST = 8.0  # a picture that is so many times longer than the frame's shape is not searched for a part of it
SIGMA = 1.5  # pixels; with the constants below, from Wang et al., 2004
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
PSNR_MOST = 99.0  # dB: of pictures that do not differ


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two pictures of one size, pixel by pixel: `ssim` of their brightness from -1 to 1, `psnr` of their RGB in dB."""

    ssim: float
    psnr: float


def palette(picture: Pixels) -> Floats:
    """The colours of a picture by median cut: rows of weight, L, a, b."""
    small = Image.fromarray(picture)
    small.thumbnail((PALETTE_SIDE, PALETTE_SIDE))
    cut = small.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    counts = np.bincount(np.asarray(cut).ravel(), minlength=COLOURS)[:COLOURS]
    colours = np.zeros((COLOURS, 3), np.float32)
    said = np.array(cut.getpalette() or [], np.float32).reshape(-1, 3)[:COLOURS] / 255
    colours[: len(said)] = said
    lab = floats_of(cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB))[0]
    return np.c_[counts / counts.sum(), lab].astype(np.float32)[counts > 0]


def palette_distance(one: Floats, other: Floats) -> float:
    """How far the colours of one must be moved to be those of the other: the earth mover's distance, in dE76."""
    return float(cv2.EMD(one, other, cv2.DIST_L2)[0])


def as_frame(picture: Pixels, frame: Pixels) -> Likeness:
    """How near a frame is to the picture that it was to be, cropped to its shape where it fits best, or stretched."""
    scale = FRAME_SIDE / max(frame.shape[:2])
    height, width = (max(16, round(side * scale)) for side in frame.shape[:2])
    small = resized(frame, width, height)
    fits = [_covering(picture, small), resized(picture, width, height)]
    return max((_likeness(fit, small) for fit in fits), key=lambda one: one.ssim)


def part_palette(picture: Pixels, frame: Pixels) -> Floats:
    """The colours of that part of the picture which the frame shows, if it shows one."""
    scale = PALETTE_SIDE / max(frame.shape[:2])
    return palette(_covering(picture, resized(frame, *(max(16, round(side * scale)) for side in frame.shape[1::-1]))))


def _covering(picture: Pixels, frame: Pixels) -> Pixels:
    """The part of the picture that covers the frame's shape, at its size, and is most like it."""
    height, width = frame.shape[:2]
    scale = max(width / picture.shape[1], height / picture.shape[0])
    wide, high = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    if wide > COVER_MOST * width or high > COVER_MOST * height:
        return resized(picture, width, height)
    cover = resized(picture, wide, high)
    fits = cv2.matchTemplate(grey(cover), grey(frame), cv2.TM_CCOEFF_NORMED)
    left, top = cv2.minMaxLoc(fits)[3]
    return cover[top : top + height, left : left + width]


def _likeness(one: Pixels, other: Pixels) -> Likeness:
    error = float(np.mean((floats_of(one) - floats_of(other)) ** 2))
    psnr = PSNR_MOST if error == 0 else min(PSNR_MOST, 10 * float(np.log10(255**2 / error)))
    return Likeness(ssim=_ssim(floats_of(grey(one)), floats_of(grey(other))), psnr=psnr)


def _ssim(one: Floats, other: Floats) -> float:
    a, b = _blur(one), _blur(other)
    aa, bb, ab = _blur(one * one) - a * a, _blur(other * other) - b * b, _blur(one * other) - a * b
    return float(np.mean((2 * a * b + C1) * (2 * ab + C2) / ((a * a + b * b + C1) * (aa + bb + C2))))


def _blur(values: Floats) -> Floats:
    return floats_of(cv2.GaussianBlur(values, (11, 11), SIGMA))
