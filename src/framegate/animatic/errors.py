"""What can go wrong in a render, as a small tree of its own:

EngineError
├── BadSpec             a value that no render can be made of
├── TooManyPictures     more pictures than the clip has time for
├── UnreadablePicture   a file that is not a picture we can decode
├── UnusableSource      a video that cannot be gone on from
├── OutputFailed        the file could not be written
└── Abandoned           the caller went away
"""


class AnimaticError(Exception):
    """The render failed."""

    code = "engine_error"


class BadSpec(AnimaticError):
    code = "bad_spec"


class TooManyPictures(AnimaticError):
    """`most` is how many shots the clip has time for."""

    code = "too_many_pictures"

    def __init__(self, message: str, shots_max: int) -> None:
        super().__init__(message)
        self.shots_max = shots_max


class UnreadablePicture(AnimaticError):
    code = "unreadable_picture"


class UnusableSource(AnimaticError):
    code = "unusable_source"


class OutputFailed(AnimaticError):
    code = "output_failed"


class Abandoned(AnimaticError):
    code = "abandoned"
