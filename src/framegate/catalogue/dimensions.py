"""Conversion between resolution with aspect ratio, and width with height."""

import re
from collections.abc import Iterator
from fractions import Fraction

from framegate.catalogue.model import Limits

SHORT_SIDE_PX = {"1K": 1024, "2K": 1440, "4K": 2160}

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_RESOLUTION = re.compile(r"([1-9]\d{1,3})p")
_RATIO = re.compile(r"([1-9]\d{0,2}):([1-9]\d{0,2})")


def canonical_resolution(resolution: str) -> str:
    """The usual spelling: `720p` for `720P`, `4K` for `4k`."""
    upper = resolution.upper()
    return upper if upper in SHORT_SIDE_PX else resolution.lower()


def pixels(size: str) -> tuple[int, int] | None:
    """Width and height of `1280x720`; None if the text is not a size."""
    match = _SIZE.fullmatch(size)
    return (int(match[1]), int(match[2])) if match else None


def short_side_px(resolution: str) -> int | None:
    """The shorter side of `720p` or `4K`; None if the text is not a resolution."""
    match = _RESOLUTION.fullmatch(resolution)
    return int(match[1]) if match else SHORT_SIDE_PX.get(resolution)


def ratio_of(aspect_ratio: str) -> Fraction | None:
    """Width over height of `16:9`; None if the text is not a ratio."""
    match = _RATIO.fullmatch(aspect_ratio)
    return Fraction(int(match[1]), int(match[2])) if match else None


def size_of(limits: Limits, resolution: str, aspect_ratio: str) -> tuple[int, int] | None:
    """Width and height of a resolution and a ratio: the short side is exact, the long one even."""
    if size := limits.sizes.get(f"{resolution} {aspect_ratio}"):
        return pixels(size)
    short, ratio = short_side_px(resolution), ratio_of(aspect_ratio)
    if short is None or ratio is None:
        return None
    long = _even(short * max(ratio, 1 / ratio))
    return (long, short) if ratio >= 1 else (short, long)


def _even(length: Fraction) -> int:
    return 2 * round(length / 2)


def every_size(limits: Limits) -> Iterator[tuple[str, str, str]]:
    """Each size that a model supports, with its resolution and aspect ratio."""
    for resolution in limits.resolutions or ():
        for aspect_ratio in limits.aspect_ratios or ():
            sides = size_of(limits, resolution, aspect_ratio)
            if sides and (size := f"{sides[0]}x{sides[1]}") not in limits.sizes_except:
                yield size, resolution, aspect_ratio


def choices_of(limits: Limits, size: str) -> tuple[str, str] | None:
    """The resolution and aspect ratio of a size; None if the model does not support it."""
    for supported, resolution, aspect_ratio in every_size(limits):
        if supported == size:
            return resolution, aspect_ratio
    sides = pixels(size)
    if sides is None or limits.aspect_ratios is not None:
        return None
    # Without a known list of ratios, every shape is accepted whose short side is a known resolution.
    shape = Fraction(*sides)
    aspect_ratio = f"{shape.numerator}:{shape.denominator}"
    for resolution in limits.resolutions or ():
        if size_of(limits, resolution, aspect_ratio) == sides:
            return resolution, aspect_ratio
    return None
