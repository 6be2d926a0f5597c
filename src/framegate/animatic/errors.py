"""What can go wrong in a render, as a small tree of its own:

EngineError
├── BadSpec             a value that no render can be made of
├── TooManyPictures     more pictures than the clip has time for
├── UnreadablePicture   a file that is not a picture we can decode
├── UnusableSource      a video that cannot be gone on from
├── OutputFailed        the file could not be written
└── Abandoned           the caller went away
"""


class EngineError(Exception):
    """The render failed."""

    code = "engine_error"


class BadSpec(EngineError):
    code = "bad_spec"


class TooManyPictures(EngineError):
    """`most` is how many shots the clip has time for."""

    code = "too_many_pictures"

    def __init__(self, message: str, most: int) -> None:
        super().__init__(message)
        self.most = most


class UnreadablePicture(EngineError):
    code = "unreadable_picture"


class UnusableSource(EngineError):
    code = "unusable_source"


class OutputFailed(EngineError):
    code = "output_failed"


class Abandoned(EngineError):
    code = "abandoned"
