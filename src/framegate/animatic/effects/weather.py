# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Weather: rain, snow, dust, embers and drifting fog in the space before the camera, from a seed.

Lengths are in heights of the view at distance 1. Particles are between the distances NEAREST and FARTHEST.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.animatic.camera.framing import Size
from framegate.animatic.picture.arrays import Map, floats, resize_map, wide_blur
from framegate.animatic.picture.planes import Plane, Planes
from framegate.animatic.prompt.scene import Weather

NEAREST, FARTHEST = 1.0, 4.0
BLURRED_WITHIN = 1.5  # nearer particles are out of focus
FADE_OF_DEPTH = 0.12  # over which particles fade at both ends
SUBPIXEL_BITS = 4
SUBPIXEL = 1 << SUBPIXEL_BITS
BANDS = 4  # of distance, each drawn in one brightness

Positions = NDArray[np.float64]


@dataclass(frozen=True)
class Travel:
    """Travel of the camera since the start: right and down in heights of its view, and the logarithm of its zoom."""

    x: float = 0.0
    y: float = 0.0
    zoom_log: float = 0.0


@dataclass(frozen=True)
class _ParticleKind:
    """Look and motion of one kind of particle; `speed` and `sway` are per second."""

    count: int
    speed: tuple[float, float]  # across and down
    spread: float  # of the speed, between particles
    size: float  # radius at distance 1
    sway: float
    hertz: float
    alpha: float
    color: tuple[int, int, int]  # Y, Cb, Cr
    tail_seconds: float = 0.0
    twinkle: float = 0.0
    glow: float = 0.0


_KINDS = {
    Weather.RAIN: _ParticleKind(2800, (0.35, 4.2), 0.12, 0.0016, 0.0, 0.0, 0.62, (208, 130, 126), tail_seconds=1 / 42),
    Weather.SNOW: _ParticleKind(1100, (0.07, 0.30), 0.35, 0.0105, 0.05, 0.35, 0.92, (232, 129, 127)),
    Weather.DUST: _ParticleKind(600, (0.030, -0.008), 0.8, 0.0070, 0.05, 0.13, 0.55, (206, 120, 135), twinkle=0.7),
    Weather.EMBERS: _ParticleKind(
        420, (0.10, -0.32), 0.6, 0.0095, 0.09, 0.45, 1.0, (186, 48, 200), twinkle=0.6, glow=0.9
    ),
}


class Particles:
    """Particles of one kind of weather. The same seed gives the same particles at the same time."""

    def __init__(self, weather: Weather, amount: float, output: Size, seed: int, light: float = 1.0) -> None:
        self._kind = _KINDS[weather]
        # Embers emit light.
        self._color = self._kind.color if self._kind.glow else _dimmed(self._kind.color, (1 + light) / 2)
        self._output = output
        self._strength = 0.55 + 0.45 * amount
        rng = np.random.default_rng([seed, list(Weather).index(weather)])
        count = max(round(self._kind.count * amount * min(output.width / output.height, 2.0) / 1.78), 12)
        self._span = np.array([1.15 * FARTHEST * output.width / output.height, 1.15 * FARTHEST, FARTHEST - NEAREST])
        self._positions: Positions = rng.random((count, 3)) * self._span
        self._speed_factor = 1 + self._kind.spread * (rng.random(count) * 2 - 1)
        self._phase, self._size_factor = rng.random((count, 2)), rng.uniform(0.6, 1.3, count)
        self._mask = np.zeros((output.height, output.width), np.uint8)
        self._blurred_mask = np.zeros((output.height // 2, output.width // 2), np.uint8)

    def draw(self, planes: Planes, second: float, travel: Travel, strength: float) -> None:
        """Draw the particles of this second over the frame."""
        positions, depth = self._project(second, travel)
        tails = self._project(second - self._kind.tail_seconds, travel)[0] if self._kind.tail_seconds else None
        light = 255 * self._kind.alpha * self._strength * strength * self._brightness(second, depth)
        self._mask[:] = 0
        self._blurred_mask[:] = 0
        is_blurred = depth < BLURRED_WITHIN
        self._draw_particles(self._mask, positions, tails, depth, light, ~is_blurred)
        self._draw_particles(self._blurred_mask, positions, tails, depth, light * 0.7, is_blurred)
        sigma = max(0.0035 * self._output.height, 0.6)
        blurred = cv2.resize(
            cv2.GaussianBlur(self._blurred_mask, (0, 0), sigma), (self._mask.shape[1], self._mask.shape[0])
        )
        cv2.add(self._mask, blurred, dst=self._mask)
        if self._kind.glow:
            glow = wide_blur(floats(self._mask), 0.012 * self._output.height)
            cv2.add(self._mask, np.asarray(np.minimum(glow * 3 * self._kind.glow, 255), np.uint8), dst=self._mask)
        overlay_color(planes, self._mask, self._color)

    def _project(self, second: float, travel: Travel) -> tuple[Positions, Positions]:
        """Positions of the particles in the frame, in its heights from its middle, and their distances."""
        kind = self._kind
        offsets = np.outer(self._speed_factor * second, kind.speed)
        if kind.sway:
            offsets += kind.sway * np.sin(2 * np.pi * (kind.hertz * second * self._size_factor[:, None] + self._phase))
        # The camera's travel is measured at the picture, which is beyond the farthest particle.
        shifts = np.stack([offsets[:, 0] - FARTHEST * travel.x, offsets[:, 1] - FARTHEST * travel.y], axis=1)
        flat = np.mod(self._positions[:, :2] + shifts, self._span[:2]) - self._span[:2] / 2
        depth = np.mod(self._positions[:, 2] - FARTHEST * travel.zoom_log, self._span[2]) + NEAREST
        return flat / depth[:, None], depth

    def _brightness(self, second: float, depth: Positions) -> Positions:
        share = (depth - NEAREST) / (FARTHEST - NEAREST)
        fade = np.clip(np.minimum(share, 1 - share) / FADE_OF_DEPTH, 0, 1)
        wink = 1 - self._kind.twinkle * (
            0.5 + 0.5 * np.sin(2 * np.pi * (0.7 * self._size_factor * second + self._phase[:, 0]))
        )
        return fade * wink * (0.45 + 0.55 * (1 - share))

    def _draw_particles(
        self,
        mask: Plane,
        positions: Positions,
        tails: Positions | None,
        depth: Positions,
        light: Positions,
        selected: NDArray[np.bool_],
    ) -> None:
        height, width = mask.shape
        middle, edge = np.array([width, height]) / 2 - 0.5, 0.12 * height
        pixels = positions * height + middle
        inside = (pixels > -edge).all(axis=1) & (pixels < np.array([width, height]) + edge).all(axis=1)
        indexes = np.flatnonzero(selected & inside)
        radius = self._kind.size * height * self._size_factor[indexes] / depth[indexes]
        # Particles smaller than a pixel are drawn as one pixel, but fainter.
        levels = light[indexes] * np.clip(radius / 0.5, 0.3, 1)
        if tails is None:
            _draw_dots(mask, pixels[indexes], np.maximum(radius, 0.5), levels)
            return
        tail_pixels = tails[indexes] * height + middle
        # A particle that has just wrapped from the bottom to the top has no tail across the frame.
        is_unbroken = np.abs(pixels[indexes] - tail_pixels).max(axis=1) < height / 4
        band = np.clip((depth[indexes] - NEAREST) / (FARTHEST - NEAREST) * BANDS, 0, BANDS - 1).astype(int)
        lines = _fixed_point(np.stack([pixels[indexes], tail_pixels], axis=1))
        for number in range(BANDS - 1, -1, -1):
            in_band = is_unbroken & (band == number)
            if in_band.any():
                thick = max(round(2 * float(radius[in_band].mean())), 1)
                level = float(levels[in_band].mean())
                cv2.polylines(mask, list(lines[in_band]), False, level, thick, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_dots(mask: Plane, positions: Positions, radius: Positions, light: Positions) -> None:
    for at, size, level in zip(_fixed_point(positions), _fixed_point(radius), light, strict=True):
        cv2.circle(mask, at, int(size), float(level), cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def _fixed_point(values: Positions) -> NDArray[np.int32]:
    return np.round(values * SUBPIXEL).astype(np.int32)


class Fog:
    """Drifting fog in two layers; the fog that depends on depth is part of the grade."""

    TILE, COARSE = 256, 16
    COLOR = (196, 129, 127)

    def __init__(self, amount: float, output: Size, seed: int, light: float = 1.0) -> None:
        self._amount = amount
        self._color = _dimmed(self.COLOR, light)
        self._tiles = [_noise_tile(np.random.default_rng([seed, 0xF0, layer]), self.TILE) for layer in range(2)]
        size = max(output.width // self.COARSE, 8), max(output.height // self.COARSE, 8)
        rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
        self._x, self._y = columns * (self.COARSE / output.height), rows * (self.COARSE / output.height)
        self._ground_factor = 0.35 + 0.65 * (rows + 0.5) / size[1]

    def draw(self, planes: Planes, second: float, travel: Travel, strength: float) -> None:
        """Draw the fog of this second over the frame."""
        thickness = np.zeros_like(self._ground_factor)
        for tile, speed, size, near in zip(self._tiles, (0.035, -0.06), (1.1, 1.9), (1.0, 1.7), strict=True):
            x = (self._x + speed * second + near * travel.x) * (self.TILE / size)
            y = (self._y + near * travel.y + 0.004 * second) * (self.TILE / size)
            thickness += floats(cv2.remap(tile, floats(x), floats(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))
        alpha = np.clip(255 * strength * self._amount * 0.34 * thickness * self._ground_factor, 0, 190)
        height, width = planes.y.shape
        mask = np.asarray(resize_map(floats(alpha), width, height), np.uint8)
        overlay_color(planes, mask, self._color)


def overlay_color(planes: Planes, mask: Plane, color: tuple[int, int, int]) -> None:
    """Overlay a color on the frame with a mask from 0 to 255."""
    small = cv2.resize(mask, (planes.u.shape[1], planes.u.shape[0]), interpolation=cv2.INTER_AREA)
    for plane, cover, level in zip((planes.y, planes.u, planes.v), (mask, small, small), color, strict=True):
        # Saturating subtraction gives both differences without sign.
        target = np.full_like(plane, level)
        lacking, excess = cv2.subtract(target, plane), cv2.subtract(plane, target)
        cv2.add(plane, cv2.multiply(lacking, cover, scale=1 / 255), dst=plane)
        cv2.subtract(plane, cv2.multiply(excess, cover, scale=1 / 255), dst=plane)


def _dimmed(color: tuple[int, int, int], light: float) -> tuple[int, int, int]:
    return (round(16 + (color[0] - 16) * light), *color[1:])


def _noise_tile(rng: np.random.Generator, side: int) -> Map:
    """Seamless tile of cloudy noise from 0 to 1, filtered in the spectrum."""
    across = np.fft.fftfreq(side)
    frequency = np.hypot(across[:, None], across[None]) * side
    filtered = np.fft.fft2(rng.standard_normal((side, side))) * (frequency + 1.5) ** -1.9 * (frequency > 0)
    cloud = np.real(np.fft.ifft2(filtered))
    return floats(np.clip(0.5 + 0.22 * cloud / cloud.std(), 0, 1))
