"""Errors of a render:

AnimaticError
├── BadSpec             invalid value in the spec
├── TooManyPictures     more shots than fit into the video
├── UnreadablePicture   file that cannot be decoded as a picture
├── UnusableSource      source video that cannot be extended
├── OutputFailed        the video file could not be written
└── Abandoned           the caller is gone
"""


class AnimaticError(Exception):
    """The render failed."""

    code = "engine_error"


class BadSpec(AnimaticError):
    code = "bad_spec"


class TooManyPictures(AnimaticError):
    """More shots than fit into the video; at most `shots_max` do."""

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
