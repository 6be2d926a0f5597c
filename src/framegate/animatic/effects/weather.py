# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Rain, snow, dust, embers and drifting fog, as things in space before the lens. Seeded; the camera moves among them.

Lengths are in heights of the view at distance 1; the cloud of particles lies between distances NEAREST and FARTHEST.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.animatic.camera.framing import Size
from framegate.animatic.picture.arrays import Map, floats, glow_of, scaled
from framegate.animatic.picture.planes import Plane, Planes
from framegate.animatic.prompt.scene import Weather

NEAREST, FARTHEST = 1.0, 4.0
SOFT_WITHIN = 1.5  # what is nearer is out of focus
FADE = 0.12  # of the depth, over which particles come and go at both ends
SUBPIXEL_BITS = 4
SUBPIXEL = 1 << SUBPIXEL_BITS
BANDS = 4  # of distance, each drawn in one brightness

Places = NDArray[np.float64]


@dataclass(frozen=True)
class Travel:
    """How far the camera has gone since the start: right and down in heights of its view, and in by a logarithm."""

    x: float = 0.0
    y: float = 0.0
    into: float = 0.0


@dataclass(frozen=True)
class _Kind:
    """How one sort of particle looks and falls; `speed` and `sway` per second, `long` in seconds of its own way."""

    count: int
    speed: tuple[float, float]  # across and down
    spread: float  # of the speed, from one particle to the next
    size: float  # radius at distance 1
    sway: float
    hertz: float
    alpha: float
    colour: tuple[int, int, int]  # Y, Cb, Cr
    long: float = 0.0
    twinkle: float = 0.0
    glow: float = 0.0


_KINDS = {
    Weather.RAIN: _Kind(2800, (0.35, 4.2), 0.12, 0.0016, 0.0, 0.0, 0.62, (208, 130, 126), long=1 / 42),
    Weather.SNOW: _Kind(1100, (0.07, 0.30), 0.35, 0.0105, 0.05, 0.35, 0.92, (232, 129, 127)),
    Weather.DUST: _Kind(600, (0.030, -0.008), 0.8, 0.0070, 0.05, 0.13, 0.55, (206, 120, 135), twinkle=0.7),
    Weather.EMBERS: _Kind(420, (0.10, -0.32), 0.6, 0.0095, 0.09, 0.45, 1.0, (186, 48, 200), twinkle=0.6, glow=0.9),
}


class Particles:
    """One sort of weather over a clip. The same seed gives the same drops at the same seconds."""

    def __init__(self, weather: Weather, amount: float, output: Size, seed: int, light: float = 1.0) -> None:
        self._kind = _KINDS[weather]
        # Embers shine by themselves.
        self._colour = self._kind.colour if self._kind.glow else _under(self._kind.colour, (1 + light) / 2)
        self._output = output
        self._strength = 0.55 + 0.45 * amount
        chance = np.random.default_rng([seed, list(Weather).index(weather)])
        count = max(round(self._kind.count * amount * min(output.width / output.height, 2.0) / 1.78), 12)
        self._span = np.array([1.15 * FARTHEST * output.width / output.height, 1.15 * FARTHEST, FARTHEST - NEAREST])
        self._places: Places = chance.random((count, 3)) * self._span
        self._pace = 1 + self._kind.spread * (chance.random(count) * 2 - 1)
        self._phase, self._own = chance.random((count, 2)), chance.uniform(0.6, 1.3, count)
        self._mask = np.zeros((output.height, output.width), np.uint8)
        self._soft = np.zeros((output.height // 2, output.width // 2), np.uint8)

    def fall(self, planes: Planes, second: float, travel: Travel, strength: float) -> None:
        """Draw what is in the air at this second over the frame."""
        places, depth = self._seen(second, travel)
        tails = self._seen(second - self._kind.long, travel)[0] if self._kind.long else None
        light = 255 * self._kind.alpha * self._strength * strength * self._shine(second, depth)
        self._mask[:] = 0
        self._soft[:] = 0
        soft = depth < SOFT_WITHIN
        self._draw(self._mask, places, tails, depth, light, ~soft)
        self._draw(self._soft, places, tails, depth, light * 0.7, soft)
        sigma = max(0.0035 * self._output.height, 0.6)
        haze = cv2.resize(cv2.GaussianBlur(self._soft, (0, 0), sigma), (self._mask.shape[1], self._mask.shape[0]))
        cv2.add(self._mask, haze, dst=self._mask)
        if self._kind.glow:
            shine = glow_of(floats(self._mask), 0.012 * self._output.height)
            cv2.add(self._mask, np.asarray(np.minimum(shine * 3 * self._kind.glow, 255), np.uint8), dst=self._mask)
        veil(planes, self._mask, self._colour)

    def _seen(self, second: float, travel: Travel) -> tuple[Places, Places]:
        """Where the particles are in the frame, in its heights from its middle, and how far away."""
        kind = self._kind
        ways = np.outer(self._pace * second, kind.speed)
        if kind.sway:
            ways += kind.sway * np.sin(2 * np.pi * (kind.hertz * second * self._own[:, None] + self._phase))
        # The camera's way at the distance of the picture itself, which lies beyond the farthest particle.
        moved = np.stack([ways[:, 0] - FARTHEST * travel.x, ways[:, 1] - FARTHEST * travel.y], axis=1)
        flat = np.mod(self._places[:, :2] + moved, self._span[:2]) - self._span[:2] / 2
        depth = np.mod(self._places[:, 2] - FARTHEST * travel.into, self._span[2]) + NEAREST
        return flat / depth[:, None], depth

    def _shine(self, second: float, depth: Places) -> Places:
        share = (depth - NEAREST) / (FARTHEST - NEAREST)
        fade = np.clip(np.minimum(share, 1 - share) / FADE, 0, 1)
        wink = 1 - self._kind.twinkle * (0.5 + 0.5 * np.sin(2 * np.pi * (0.7 * self._own * second + self._phase[:, 0])))
        return fade * wink * (0.45 + 0.55 * (1 - share))

    def _draw(
        self, mask: Plane, places: Places, tails: Places | None, depth: Places, light: Places, chosen: NDArray[np.bool_]
    ) -> None:
        height, width = mask.shape
        middle, edge = np.array([width, height]) / 2 - 0.5, 0.12 * height
        at = places * height + middle
        inside = (at > -edge).all(axis=1) & (at < np.array([width, height]) + edge).all(axis=1)
        those = np.flatnonzero(chosen & inside)
        radius = self._kind.size * height * self._own[those] / depth[those]
        # What is smaller than a pixel is drawn as one, and fainter.
        shown = light[those] * np.clip(radius / 0.5, 0.3, 1)
        if tails is None:
            _dots(mask, at[those], np.maximum(radius, 0.5), shown)
            return
        ends = tails[those] * height + middle
        # A particle that has just come round from the bottom to the top has no tail across the frame.
        whole = np.abs(at[those] - ends).max(axis=1) < height / 4
        band = np.clip((depth[those] - NEAREST) / (FARTHEST - NEAREST) * BANDS, 0, BANDS - 1).astype(int)
        lines = _fixed(np.stack([at[those], ends], axis=1))
        for one in range(BANDS - 1, -1, -1):
            mine = whole & (band == one)
            if mine.any():
                thick = max(round(2 * float(radius[mine].mean())), 1)
                level = float(shown[mine].mean())
                cv2.polylines(mask, list(lines[mine]), False, level, thick, cv2.LINE_AA, SUBPIXEL_BITS)


def _dots(mask: Plane, places: Places, radius: Places, light: Places) -> None:
    for at, size, level in zip(_fixed(places), _fixed(radius), light, strict=True):
        cv2.circle(mask, at, int(size), float(level), cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def _fixed(values: Places) -> NDArray[np.int32]:
    return np.round(values * SUBPIXEL).astype(np.int32)


class Wisps:
    """Fog that drifts past in two sheets; the thickness that depends on depth is laid into the picture itself."""

    TILE, COARSE = 256, 16
    COLOUR = (196, 129, 127)

    def __init__(self, amount: float, output: Size, seed: int, light: float = 1.0) -> None:
        self._amount = amount
        self._colour = _under(self.COLOUR, light)
        self._tiles = [_tile(np.random.default_rng([seed, 0xF0, layer]), self.TILE) for layer in range(2)]
        size = max(output.width // self.COARSE, 8), max(output.height // self.COARSE, 8)
        rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
        self._x, self._y = columns * (self.COARSE / output.height), rows * (self.COARSE / output.height)
        self._low = 0.35 + 0.65 * (rows + 0.5) / size[1]

    def drift(self, planes: Planes, second: float, travel: Travel, strength: float) -> None:
        """Draw the fog of this second over the frame."""
        thick = np.zeros_like(self._low)
        for tile, speed, size, near in zip(self._tiles, (0.035, -0.06), (1.1, 1.9), (1.0, 1.7), strict=True):
            x = (self._x + speed * second + near * travel.x) * (self.TILE / size)
            y = (self._y + near * travel.y + 0.004 * second) * (self.TILE / size)
            thick += floats(cv2.remap(tile, floats(x), floats(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))
        alpha = np.clip(255 * strength * self._amount * 0.34 * thick * self._low, 0, 190)
        height, width = planes.y.shape
        mask = np.asarray(scaled(floats(alpha), width, height), np.uint8)
        veil(planes, mask, self._colour)


def veil(planes: Planes, mask: Plane, colour: tuple[int, int, int]) -> None:
    """Lay a colour over the frame, as thick as the mask says from 0 to 255."""
    small = cv2.resize(mask, (planes.u.shape[1], planes.u.shape[0]), interpolation=cv2.INTER_AREA)
    for plane, cover, level in zip((planes.y, planes.u, planes.v), (mask, small, small), colour, strict=True):
        # Saturating subtraction gives what is lacking and what is too much, each without sign.
        goal = np.full_like(plane, level)
        lacking, excess = cv2.subtract(goal, plane), cv2.subtract(plane, goal)
        cv2.add(plane, cv2.multiply(lacking, cover, scale=1 / 255), dst=plane)
        cv2.subtract(plane, cv2.multiply(excess, cover, scale=1 / 255), dst=plane)


def _under(colour: tuple[int, int, int], light: float) -> tuple[int, int, int]:
    return (round(16 + (colour[0] - 16) * light), *colour[1:])


def _tile(chance: np.random.Generator, side: int) -> Map:
    """Cloudy noise from 0 to 1 that repeats without a seam, since it is filtered in its own spectrum."""
    across = np.fft.fftfreq(side)
    frequency = np.hypot(across[:, None], across[None]) * side
    filtered = np.fft.fft2(chance.standard_normal((side, side))) * (frequency + 1.5) ** -1.9 * (frequency > 0)
    cloud = np.real(np.fft.ifft2(filtered))
    return floats(np.clip(0.5 + 0.22 * cloud / cloud.std(), 0, 1))
