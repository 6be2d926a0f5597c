"""Light, color grade and depth of field, applied once to a shot's picture: no cost per frame."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from framegate.animatic.picture.arrays import Map, floats, smoothstep, wide_blur
from framegate.animatic.picture.planes import Pixels
from framegate.animatic.prompt.scene import Grade, Light, Look, Weather

LUMA = floats([0.2126, 0.7152, 0.0722])
FOG_COLOR, DUST_COLOR = floats([0.78, 0.80, 0.83]), floats([0.72, 0.60, 0.44])
AIR_LIGHT_MIN = 0.12
RAIN_OVERCAST, SNOW_OVERCAST = 0.25, 0.15  # part of the overcast light at amount 0
BLUR_SHARE = 0.014  # of the crop's width, at full strength
GLOW_SHARE, LAMP_SHARE = 0.02, 0.05
NIGHT_LUMA, NIGHT_GAIN_MIN = 0.2, 0.5  # mean brightness of a night; dark pictures get less darkening


@dataclass(frozen=True)
class PictureMaps:
    """Maps of the crop at its size, from 0 to 1: `near` is nearness, `sharp` the subject."""

    near: Map
    sharp: Map


def apply_look(part: Pixels, look: Look, maps: PictureMaps, style: Map | None = None) -> Pixels:
    """Apply a look's depth of field, light, weather and grade to a crop of a picture.

    `style` is a 3x4 matrix for the transfer of another picture's palette; it is applied first.
    """
    colors = floats(part) / 255
    if style is not None:
        colors = floats(cv2.transform(floats(colors), style))
    if look.blur:
        colors = _defocus(colors, maps.sharp, look.blur)
    luma_before = float(_luma(colors).mean())
    for light in look.light:
        colors = _LIGHTS[light](colors, maps)
    # Weather has the light of the scene: fog at night is dark.
    air_light = float(np.clip(_luma(colors).mean() / max(luma_before, 0.02), AIR_LIGHT_MIN, 1.0)) if look.light else 1.0
    for weather, amount in look.weather:
        if weather in _AIRS:
            colors = _AIRS[weather](colors, maps, amount, air_light)
    for grade in look.grade:
        colors = _GRADES[grade](colors)
    return np.asarray(np.clip(colors, 0, 1) * 255 + 0.5, np.uint8)


def _mix_channels(colors: Map, red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...]) -> Map:
    return floats(cv2.transform(colors, floats([red, green, blue])))


def _luma(colors: Map) -> Map:
    return floats(colors @ LUMA)


def _saturate(colors: Map, amount: float) -> Map:
    gray = (1 - amount) * LUMA
    return floats(cv2.transform(colors, floats(np.eye(3) * amount + gray[None])))


def _add_contrast(colors: Map, amount: float, middle: float = 0.45) -> Map:
    """An S-curve: steeper around the middle by `amount`, unchanged at both ends."""
    x = np.clip(colors, 0, 1)
    bend = x * (1 - x) * (x - middle)
    return floats(x + 4 * amount * bend)


def _add_glow(colors: Map, threshold: float, strength: float, tint: tuple[float, float, float]) -> Map:
    """Add a glow around bright areas."""
    bright = smoothstep(colors.max(axis=2), threshold, 1.0)[..., None] * colors
    halo = wide_blur(bright, GLOW_SHARE * colors.shape[1])
    return floats(1 - (1 - np.clip(colors, 0, 1)) * (1 - np.clip(strength * halo * floats(tint), 0, 1)))


def _horizontal_ramp(colors: Map, direction: float) -> Map:
    """Ramp from 0 at one side to 1 at the other; `direction` is 1 for left to right."""
    ramp = np.linspace(0, 1, colors.shape[1], dtype=np.float32)
    return np.broadcast_to(ramp if direction > 0 else 1 - ramp, colors.shape[:2])[..., None]


def _night(colors: Map, maps: PictureMaps) -> Map:
    del maps
    bright = colors.max(axis=2)
    # A lamp is brighter than its surroundings, unlike a white wall.
    around = wide_blur(bright, LAMP_SHARE * colors.shape[1])
    lamps = (smoothstep(bright, 0.75, 0.97) * smoothstep(bright - around, 0.18, 0.4))[..., None]
    dark = _mix_channels(_saturate(colors, 0.5), (0.78, 0, 0), (0, 0.88, 0), (0, 0.04, 1.12))
    gain = float(np.clip(NIGHT_LUMA / max(float(_luma(dark).mean()), 1e-6), NIGHT_GAIN_MIN, 0.9))
    dark = gain * _add_contrast(dark, 0.3) ** 1.15 + floats([0.004, 0.008, 0.022])
    warm = colors * floats([0.80, 0.70, 0.54])
    return _add_glow(floats(dark * (1 - 0.75 * lamps) + 0.75 * lamps * warm), 0.55, 0.45, (1.0, 0.86, 0.62))


def _neon(colors: Map, maps: PictureMaps) -> Map:
    del maps
    light = _luma(colors)[..., None]
    dark = _saturate(colors, 0.75) ** 1.2 * floats([0.62, 0.50, 0.72])
    side = _horizontal_ramp(colors, 1)
    pink, cyan = floats([1.0, 0.16, 0.62]), floats([0.05, 0.72, 1.0])
    lit = light**1.1 * ((1 - side) ** 1.5 * pink + side**1.5 * cyan)
    night = 1 - (1 - np.clip(dark, 0, 1)) * (1 - 0.62 * np.clip(lit, 0, 1)) + floats([0.012, 0.0, 0.03])
    return _add_glow(_add_contrast(floats(night), 0.35), 0.6, 0.5, (1.0, 0.75, 1.0))


def _golden(colors: Map, maps: PictureMaps) -> Map:
    warm = _mix_channels(colors, (1.10, 0.06, 0), (0.03, 0.97, 0), (0, 0.03, 0.72)) + floats([0.035, 0.016, 0.0])
    sun = _horizontal_ramp(colors, -1) ** 2 * (0.35 + 0.65 * (1 - maps.near[..., None]))
    haze = 0.2 * sun * floats([1.0, 0.70, 0.34])
    return _add_glow(floats(1 - (1 - np.clip(warm, 0, 1)) * (1 - haze)), 0.7, 0.3, (1.0, 0.8, 0.5))


def _dawn(colors: Map, maps: PictureMaps) -> Map:
    cool = _mix_channels(_saturate(colors, 0.8), (0.94, 0, 0.04), (0, 0.91, 0.03), (0, 0.04, 1.0)) * 0.88 + 0.03
    rose = 0.28 * (1 - maps.near[..., None]) ** 1.2 * floats([1.0, 0.62, 0.62])
    return floats(1 - (1 - np.clip(cool, 0, 1)) * (1 - rose))


def _overcast(colors: Map, maps: PictureMaps | None = None) -> Map:
    del maps
    flat = 0.06 + 0.82 * _saturate(colors, 0.62)
    return floats(flat * floats([0.95, 0.98, 1.02]))


def _black_and_white(colors: Map) -> Map:
    gray = colors @ floats([0.30, 0.58, 0.12])
    return floats(np.repeat(_add_contrast(floats(gray), 0.35)[..., None], 3, axis=2))


def _sepia(colors: Map) -> Map:
    gray = _add_contrast(floats(colors @ LUMA), 0.1)[..., None]
    return floats(gray * floats([1.0, 0.86, 0.66]) + (1 - gray) * floats([0.075, 0.045, 0.02]))


def _warm(colors: Map) -> Map:
    return _mix_channels(colors, (1.07, 0.02, 0), (0.01, 1.0, 0), (0, 0.02, 0.84))


def _cold(colors: Map) -> Map:
    return _mix_channels(_saturate(colors, 0.9), (0.87, 0, 0.02), (0, 0.98, 0.02), (0, 0.03, 1.12))


def _contrast(colors: Map) -> Map:
    return _add_contrast(colors, 0.75)


def _faded(colors: Map) -> Map:
    return floats(0.10 + 0.80 * _saturate(colors, 0.62) * floats([1.0, 0.98, 0.94]))


def _vivid(colors: Map) -> Map:
    return _add_contrast(_saturate(colors, 1.38), 0.25)


def _foggy(colors: Map, maps: PictureMaps, amount: float, air_light: float) -> Map:
    """Fog by the law of attenuation: hides distant objects and lowers the saturation of near ones."""
    thickness = 1 - np.exp(-amount * (0.12 + 1.9 * (1 - maps.near)))
    return floats(colors + (FOG_COLOR * air_light - colors) * thickness[..., None])


def _rainy(colors: Map, maps: PictureMaps, amount: float, air_light: float) -> Map:
    overcast = _overcast(colors) * 0.9
    share = min(RAIN_OVERCAST + 0.6 * amount, 0.85) * air_light
    return _foggy(floats(colors + (overcast - colors) * share), maps, 0.16 * amount, air_light)


def _snowy(colors: Map, maps: PictureMaps, amount: float, air_light: float) -> Map:
    share = min(SNOW_OVERCAST + 0.5 * amount, 0.7) * air_light
    return _foggy(floats(colors + (_overcast(colors) - colors) * share), maps, 0.3 * amount, air_light)


def _dusty(colors: Map, maps: PictureMaps, amount: float, air_light: float) -> Map:
    thickness = 1 - np.exp(-0.7 * amount * (0.2 + (1 - maps.near)))
    return floats(colors + (DUST_COLOR * air_light - colors) * thickness[..., None] * 0.7)


def _defocus(colors: Map, sharp: Map, amount: float) -> Map:
    """Blur outside the subject, mixed from two blurs to avoid double edges."""
    sigma = amount * BLUR_SHARE * colors.shape[1]
    half_blurred, blurred = wide_blur(colors, sigma * 0.45), wide_blur(colors, sigma)
    soft = 1 - sharp[..., None]
    first = np.clip(2 * soft, 0, 1)
    second = np.clip(2 * soft - 1, 0, 1)
    return floats((colors * (1 - first) + half_blurred * first) * (1 - second) + blurred * second)


_LIGHTS: dict[Light, Callable[[Map, PictureMaps], Map]] = {
    Light.NIGHT: _night,
    Light.NEON: _neon,
    Light.GOLDEN_HOUR: _golden,
    Light.DAWN: _dawn,
    Light.OVERCAST: _overcast,
}
_GRADES: dict[Grade, Callable[[Map], Map]] = {
    Grade.BLACK_AND_WHITE: _black_and_white,
    Grade.SEPIA: _sepia,
    Grade.WARM: _warm,
    Grade.COLD: _cold,
    Grade.CONTRAST: _contrast,
    Grade.FADED: _faded,
    Grade.VIVID: _vivid,
}
_AIRS: dict[Weather, Callable[[Map, PictureMaps, float, float], Map]] = {
    Weather.RAIN: _rainy,
    Weather.SNOW: _snowy,
    Weather.FOG: _foggy,
    Weather.DUST: _dusty,
}
