# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Per-frame effects: weather, flicker, vignette, grain."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.animatic.camera.framing import Size
from framegate.animatic.effects.weather import Fog, Particles, Travel
from framegate.animatic.picture.arrays import smoothstep
from framegate.animatic.picture.planes import Plane, Planes
from framegate.animatic.prompt.scene import Light, Look, Weather

BLACK, GRAY = 16, 128  # luma and chroma in limited range
VIGNETTE_MAX = 0.5  # part of the light that the corners lose
DARK_LIGHT = 0.45  # brightness of weather at night
GRAIN_SIGMA = 5.0
GRAIN_MARGIN_PIXELS = 64  # the noise is larger than the frame by this, for a different offset in each frame
# Below a flash, which is a change of 10 % of full luminance and back (ITU-R BT.1702, WCAG 2.3.1).
FLICKER_MAX = 0.08
FLICKER_HERTZ = (0.9, 1.7, 2.6)


class FilmEffects:
    """Effects on every frame of a video, applied after the camera."""

    def __init__(self, look: Look, output: Size, seed: int) -> None:
        self._look = look
        self._seed = seed
        light = DARK_LIGHT if {Light.NIGHT, Light.NEON} & set(look.light) else 1.0
        self._particles = [
            Particles(kind, amount, output, seed, light) for kind, amount in look.weather if kind is not Weather.FOG
        ]
        self._fog = [Fog(amount, output, seed, light) for kind, amount in look.weather if kind is Weather.FOG]
        self._vignette = _vignette_planes(output, look.vignette) if look.vignette else None
        self._grain = _grain_plane(output, look.grain, seed) if look.grain else None
        self._phases = np.random.default_rng([seed, 0xF1]).random(len(FLICKER_HERTZ))

    def apply(self, planes: Planes, frame: int, second: float, travel: Travel, strength: float) -> None:
        """Apply the effects to a frame in place; at strength 0 it is unchanged."""
        if not strength:
            return
        if self._look.flicker:
            cv2.LUT(planes.y, self._flicker_table(second, strength), dst=planes.y)
        for fog in self._fog:
            fog.draw(planes, second, travel, strength)
        for particles in self._particles:
            particles.draw(planes, second, travel, strength)
        if self._vignette is not None:
            _apply_vignette(planes, self._vignette, strength)
        if self._grain is not None:
            offset = np.random.default_rng([self._seed, 0xF2, frame]).integers(0, GRAIN_MARGIN_PIXELS, 2)
            height, width = planes.y.shape
            grain = self._grain[offset[0] : offset[0] + height, offset[1] : offset[1] + width]
            cv2.addWeighted(planes.y, 1, grain, strength, -128 * strength, dst=planes.y)

    def _flicker_table(self, second: float, strength: float) -> Plane:
        """Lookup table of the luma; bright areas flicker most, like a lamp."""
        waves = [
            math.sin(2 * math.pi * (hertz * second + phase))
            for hertz, phase in zip(FLICKER_HERTZ, self._phases, strict=True)
        ]
        gain = FLICKER_MAX / 2 * self._look.flicker * strength * sum(waves) / len(waves)
        levels = np.arange(256)
        lit = np.clip((levels - BLACK) / 219, 0, 1)
        return np.asarray(np.clip(levels + gain * 219 * lit**1.5 + 0.5, 0, 255), np.uint8)


def _apply_vignette(planes: Planes, vignette: list[tuple[Plane, Plane]], strength: float) -> None:
    for plane, (factor, offset) in zip((planes.y, planes.u, planes.v), vignette, strict=True):
        dark = cv2.add(cv2.multiply(plane, factor, scale=1 / 255), offset)
        cv2.addWeighted(plane, 1 - strength, dark, strength, 0, dst=plane)


def _vignette_planes(output: Size, amount: float) -> list[tuple[Plane, Plane]]:
    """For each plane a factor (255 is 1) and an offset, which keep black and gray."""
    pairs: list[tuple[Plane, Plane]] = []
    for size, neutral in ((output, BLACK), *[(Size(output.width // 2, output.height // 2), GRAY)] * 2):
        x, y = (np.abs(np.linspace(-1, 1, side)) for side in (size.width, size.height))
        distance: NDArray[np.float64] = np.hypot(x[None], y[:, None]) / math.sqrt(2)
        share = 1 - VIGNETTE_MAX * amount * smoothstep(distance, 0.35, 1.05)
        factor = np.asarray(share * 255 + 0.5, np.uint8)
        pairs.append((factor, np.asarray(neutral * (1 - factor / 255) + 0.5, np.uint8)))
    return pairs


def _grain_plane(output: Size, amount: float, seed: int) -> Plane:
    rng = np.random.default_rng([seed, 0xF3])
    noise = rng.standard_normal((output.height + GRAIN_MARGIN_PIXELS, output.width + GRAIN_MARGIN_PIXELS), np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 0.6)
    return np.asarray(np.clip(128 + GRAIN_SIGMA * amount * soft / soft.std() + 0.5, 0, 255), np.uint8)
