"""Inspection of references and uploads of any kind."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from framegate.domain import Kind
from framegate.domain.errors import ReferenceUnusable, UnsupportedMediaType
from framegate.media import images, videos
from framegate.media.file_info import FileInfo
from framegate.media.sniff import HEAD_BYTES, media_type_of
from framegate.media.unreadable import Unreadable


def detect_kind(path: Path) -> Kind:
    """Return the kind of a file; video and audio files are told apart by their tracks.

    Raises `UnsupportedMediaType`, and `ReferenceUnusable` for a damaged file.
    """
    with path.open("rb") as file:
        media_type = media_type_of(file.read(HEAD_BYTES)) or ""
    if media_type in videos.DEMUXERS:
        with _translate_unreadable():
            return Kind.VIDEO if videos.probe(path).codec else Kind.AUDIO
    if media_type.startswith("image/") or path.stat().st_size == 0:
        return Kind.IMAGE
    detected = f"is {media_type}" if media_type else "has an unknown format"
    raise UnsupportedMediaType(f"The file must be an image, a video or an audio file; it {detected}.")


def inspect_image(path: Path, pixels_max: int) -> FileInfo:
    """Decode an image completely. Raises `ReferenceUnusable`."""
    image = images.inspect_image(path, pixels_max=pixels_max)
    return FileInfo(kind=Kind.IMAGE, media_type=image.media_type, image=image)


def inspect_media(path: Path, kind: Kind) -> FileInfo:
    """Open a file that should be a video or a sound. Raises `ReferenceUnusable`."""
    with _translate_unreadable():
        probe = videos.probe(path)
    if probe.container in ("mp4", "mov") and (fault := videos.read_boxes(path).fault):
        raise ReferenceUnusable("reference_truncated", fault)
    if (kind is Kind.VIDEO and not probe.codec) or (kind is Kind.AUDIO and not probe.has_audio):
        message = f"The reference must be of kind {kind}, but the file has no {kind} track ({probe.media_type})."
        raise ReferenceUnusable("reference_unsupported_format", message)
    return FileInfo(kind=kind, media_type=probe.media_type, seconds=probe.duration)


@contextmanager
def _translate_unreadable() -> Generator[None]:
    try:
        yield
    except Unreadable as error:
        code = {"not_media": "unsupported_format", "bad_index": "truncated"}.get(error.code, error.code)
        raise ReferenceUnusable(f"reference_{code}", str(error)) from error
