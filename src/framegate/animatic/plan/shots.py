"""Value types of a shot list: moves, shots, and the plan of a whole video."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from framegate.animatic.prompt.scene import Angle, Framing, Look, SoundLayer


class Move(StrEnum):
    """Camera move. Left and right are the camera's: a pan to the right moves the content to the left.

    A pan and a tilt rotate the camera; a truck and a pedestal move it, so that near objects pass distant ones; an orbit
    circles the subject, which stays in the middle; an arc is a part of an orbit with a push-in.
    """

    PUSH_IN = "push-in"
    PULL_OUT = "pull-out"
    PAN_LEFT = "pan left"
    PAN_RIGHT = "pan right"
    TILT_UP = "tilt up"
    TILT_DOWN = "tilt down"
    TRUCK_LEFT = "truck left"
    TRUCK_RIGHT = "truck right"
    PEDESTAL_UP = "pedestal up"
    PEDESTAL_DOWN = "pedestal down"
    ORBIT_LEFT = "orbit left"
    ORBIT_RIGHT = "orbit right"
    ARC_LEFT = "arc left"
    ARC_RIGHT = "arc right"
    ROLL_LEFT = "roll left"
    ROLL_RIGHT = "roll right"
    LOCKED_OFF = "locked-off"


class Easing(StrEnum):
    """Speed curve of a move; every move starts and ends at rest."""

    SMOOTH = "smooth"
    GENTLE = "gentle"
    STEADY = "steady"


class Role(StrEnum):
    """Role of a shot's picture in the request; of a source video, the last frame is shown."""

    SOURCE = "source"
    FIRST_FRAME = "first_frame"
    REFERENCE = "reference"
    LAST_FRAME = "last_frame"
    TITLE = "title"


class Join(StrEnum):
    """How a shot follows the previous one."""

    OPENS = "opens"
    DISSOLVES = "dissolves"
    CUTS = "cuts"
    CONTINUES = "goes on"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """Camera moves over one picture. Times are in seconds from the start of the video.

    Shots that dissolve overlap: `start` is before the end of the previous shot. `index` counts the references
    from 0. `asked` is false for the default move of a picture without one in the prompt. A hold is a locked-off shot.
    `handheld` is the strength of the camera's sway, 0 to 1.
    """

    role: Role
    index: int
    moves: tuple[Move, ...]
    amount: float
    easing: Easing
    start: float
    end: float
    join: Join
    asked: bool
    words: str
    note: str = ""
    handheld: float = 0.0
    framing: Framing = Framing.AS_IS
    angle: Angle = Angle.LEVEL

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Placement of the subject of one reference in another one, the scene; indexes count from 0."""

    subject: int
    scene: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of a video; `notes` are sentences about unsupported requests in the prompt."""

    shots: tuple[Shot, ...]
    look: Look = field(default_factory=Look)
    sound_layers: tuple[SoundLayer, ...] = ()
    notes: tuple[str, ...] = ()
    placement: Placement | None = None

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON, for a check before the render."""
        return asdict(self)
