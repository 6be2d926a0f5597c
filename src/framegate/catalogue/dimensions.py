"""Resolution and aspect ratio on one side, width and height on the other."""

import re
from collections.abc import Iterator
from fractions import Fraction

from framegate.catalogue.model import Limits

SHORT_SIDE_PX = {"1K": 1024, "2K": 1440, "4K": 2160}

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_RESOLUTION = re.compile(r"([1-9]\d{1,3})p")
_RATIO = re.compile(r"([1-9]\d{0,2}):([1-9]\d{0,2})")


def canonical(resolution: str) -> str:
    """The usual spelling: `720p` for `720P`, `4K` for `4k`."""
    upper = resolution.upper()
    return upper if upper in SHORT_SIDE_PX else resolution.lower()


def pixels(size: str) -> tuple[int, int] | None:
    """Width and height of "1280x720"; `None` if it is not written so."""
    match = _SIZE.fullmatch(size)
    return (int(match[1]), int(match[2])) if match else None


def short_side_px(resolution: str) -> int | None:
    """The shorter side that a resolution names."""
    match = _RESOLUTION.fullmatch(resolution)
    return int(match[1]) if match else SHORT_SIDE_PX.get(resolution)


def ratio_of(aspect_ratio: str) -> Fraction | None:
    """Width over height of "16:9"; `None` if it is not written so."""
    match = _RATIO.fullmatch(aspect_ratio)
    return Fraction(int(match[1]), int(match[2])) if match else None


def size_of(limits: Limits, resolution: str, aspect_ratio: str) -> tuple[int, int] | None:
    """Width and height that a resolution and a ratio stand for: the short side is exact, the long one even."""
    if stated := limits.sizes.get(f"{resolution} {aspect_ratio}"):
        return pixels(stated)
    short, ratio = short_side_px(resolution), ratio_of(aspect_ratio)
    if short is None or ratio is None:
        return None
    long = _even(short * max(ratio, 1 / ratio))
    return (long, short) if ratio >= 1 else (short, long)


def _even(length: Fraction) -> int:
    return 2 * round(length / 2)


def every_size(limits: Limits) -> Iterator[tuple[str, str, str]]:
    """Each size that a model makes, with its resolution and aspect ratio."""
    for resolution in limits.resolutions or ():
        for aspect_ratio in limits.aspect_ratios or ():
            made = size_of(limits, resolution, aspect_ratio)
            if made and (size := f"{made[0]}x{made[1]}") not in limits.sizes_except:
                yield size, resolution, aspect_ratio


def named_by(limits: Limits, size: str) -> tuple[str, str] | None:
    """The resolution and aspect ratio that a size stands for, if the model makes it."""
    for made, resolution, aspect_ratio in every_size(limits):
        if made == size:
            return resolution, aspect_ratio
    both = pixels(size)
    if both is None or limits.aspect_ratios is not None:
        return None
    # No list of ratios is known: any shape will do whose short side is a known resolution.
    shape = Fraction(*both)
    aspect_ratio = f"{shape.numerator}:{shape.denominator}"
    for resolution in limits.resolutions or ():
        if size_of(limits, resolution, aspect_ratio) == both:
            return resolution, aspect_ratio
    return None
