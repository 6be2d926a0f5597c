"""The calls that decode untrusted files: run them by a `Decoder`, never in the gateway's process.

Nothing is imported here but values. What decodes is imported by a call, so only by the process that makes it.
"""

from collections.abc import Sequence
from pathlib import Path

from framegate.domain import Kind, Target
from framegate.media.file_info import FileInfo, FitLimits, FittedImage, ImageInfo, JpegSet, PlayableFile, Size
from framegate.media.quality.report import ReferenceImage, Verification


def detect_kind(path: Path) -> Kind:
    """Return the kind of a file; see `inspection`."""
    from framegate.media import inspection

    return inspection.detect_kind(path)


def decoded_pixels(path: Path, pixels_max: int) -> int:
    """Return the number of pixels that the inspection of an image holds in memory; see `images`."""
    from framegate.media import images

    return images.decoded_pixels(path, pixels_max=pixels_max)


def inspect_image(path: Path, pixels_max: int) -> FileInfo:
    """Decode an image completely; see `inspection`."""
    from framegate.media import inspection

    return inspection.inspect_image(path, pixels_max)


def inspect_media(path: Path, kind: Kind) -> FileInfo:
    """Open a file that should be a video or a sound; see `inspection`."""
    from framegate.media import inspection

    return inspection.inspect_media(path, kind)


def fit_image(path: Path, info: ImageInfo, limits: FitLimits, index: int) -> FittedImage:
    """Fit an image to the limits of a model; see `images`."""
    from framegate.media import images

    return images.fit(path, info, limits, index=index)


def make_playable(path: Path, remuxed: Path) -> PlayableFile:
    """Write a finished file as MP4 with its index first to `remuxed`, if that is needed and possible; see `videos`."""
    from framegate.media import videos

    return videos.make_playable(path, remuxed)


def verify_output(
    path: Path, target: Target | None, references: Sequence[ReferenceImage], prompt: str | None, model_dir: Path | None
) -> Verification:
    """Verify a finished file; see `quality.verification`."""
    from framegate.media.quality import verification

    return verification.verify_file(path, target, references=references, prompt=prompt, model_dir=model_dir)


def describe_unverified(path: Path) -> Verification:
    """Describe a file by its own metadata; see `quality.verification`."""
    from framegate.media.quality import verification

    return verification.describe_unverified(path)


def last_frame_png(path: Path) -> bytes:
    """Encode the last frame of a video as PNG; see `thumbnails`."""
    from framegate.media import thumbnails

    return thumbnails.last_frame_png(path)


def frame_png(path: Path, size: Size) -> tuple[bytes, str | None]:
    """Bring an image to the size of a video frame, as PNG with a description of the change; see `letterbox`."""
    from framegate.media import letterbox

    image, change = letterbox.fit_frame(path, size)
    return letterbox.encode_png(image), change


def on_white_png(path: Path, size: Size) -> tuple[bytes, str | None]:
    """Center an image on white, as PNG with a description of the change; see `letterbox`."""
    from framegate.media import letterbox

    image, change = letterbox.fit_on_white(path, size)
    return letterbox.encode_png(image), change


def on_white_jpegs(paths: Sequence[Path], size: Size, bytes_max: int) -> JpegSet:
    """Center images on white, as JPEGs within a limit together; see `letterbox`."""
    from framegate.media import letterbox

    return letterbox.fit_jpegs_on_white(paths, size, bytes_max)
