"""What an inspection says about a file, and the limits that an image is fitted to; nothing here decodes."""

import math
from dataclasses import dataclass

from framegate.domain import Adjustment, Kind

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """Format and size of an image, after its EXIF orientation is applied."""

    format: str
    media_type: str
    width: int
    height: int
    has_alpha: bool
    is_reoriented: bool  # the stored pixels are rotated or mirrored, and EXIF data corrects that
    frames: int  # more than one for an animation, of which only the first is used; at most 2 for a GIF


@dataclass(frozen=True, slots=True, kw_only=True)
class FitLimits:
    """Limits of a model for images: sides in pixels, ratios as width over height. None and empty mean no limit."""

    min_side: int | None = None
    max_side: int | None = None
    max_pixels: int | None = None
    max_bytes: int | None = None
    min_ratio: float | None = None
    max_ratio: float | None = None
    formats: tuple[str, ...] = ()  # "image/png", or "png" as vendors write it
    allows_alpha: bool = True

    def __post_init__(self) -> None:
        """Reject limits that no image can meet."""
        side_min, side_max, pixels_max = self.min_side or 1, self.max_side or math.inf, self.max_pixels or math.inf
        if side_min > side_max or side_min**2 > pixels_max or (self.min_ratio or 0) > (self.max_ratio or math.inf):
            raise ValueError(f"No image fits {self}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedImage:
    """An image within the limits; `data` is None if the original file fits unchanged."""

    data: bytes | None
    media_type: str
    width: int
    height: int
    adjustments: list[Adjustment]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """Inspected file: an image has `image`, a video or audio file has `seconds` if its length is stated."""

    kind: Kind
    media_type: str  # as detected
    image: ImageInfo | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayableFile:
    """A finished file as it is stored: its media type, and whether a copy in another container replaces it."""

    media_type: str
    is_remuxed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegSet:
    """Images encoded at one quality, or only their sizes at the lowest one if they exceed the limit together."""

    images: tuple[bytes, ...]  # empty if they exceed the limit
    sizes_bytes: tuple[int, ...]
    quality: int
    changes: tuple[str | None, ...]  # what was done to each image
