"""Imports of everything that decodes, for a decoder process that is started ahead of its first call."""


def load() -> None:
    """Import the decoding libraries, which takes half a second."""
    from framegate.media import images, letterbox, thumbnails, videos  # noqa: F401, PLC0415
    from framegate.media.quality import verification  # noqa: F401, PLC0415
