"""The error of a video or audio file that does not open or decode."""


class Unreadable(ValueError):
    """The file is not a video or audio file, or is too damaged to be opened."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code  # is_empty, is_html, not_media, truncated, too_many_pixels or bad_index
        super().__init__(message)
