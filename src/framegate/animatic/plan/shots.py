"""The nouns of a shot list: moves, shots, and the plan of a whole clip. Frozen values, no words and no pixels."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from framegate.animatic.prompt.scene import Angle, Framing, Look, SoundLayer


class Move(StrEnum):
    """What the camera does. Left and right are the camera's: a pan to the right moves the content to the left.

    A pan and a tilt turn the camera; a truck and a pedestal carry it, so that near things pass far ones; an orbit
    goes around the subject, which stays in the middle; an arc is a part of an orbit while closing in.
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
    """How the speed comes and goes; always from rest and back to rest."""

    SMOOTH = "smooth"
    GENTLE = "gentle"
    STEADY = "steady"


class Role(StrEnum):
    """Which of the request's pictures a shot shows; of a source video, its last frame."""

    SOURCE = "source"
    FIRST_FRAME = "first_frame"
    REFERENCE = "reference"
    LAST_FRAME = "last_frame"
    TITLE = "title"


class Join(StrEnum):
    """How a shot follows the one before it."""

    OPENS = "opens"
    DISSOLVES = "dissolves"
    CUTS = "cuts"
    GOES_ON = "goes on"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture for a while: what the camera does over it. Seconds count from the start of the clip.

    Shots that dissolve overlap: `start` lies before the end of the shot before. `index` counts the references
    from 0. `asked` tells a move read in the prompt from the one given to a picture without any. A hold is a
    locked-off shot. `handheld` is how far the camera sways besides its moves, 0 to 1.
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
    """One reference is a subject that is set into another, the scene; both count from 0."""

    subject: int
    scene: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a prompt was read as; `notes` are sentences about what it asks and this engine does not do."""

    shots: tuple[Shot, ...]
    look: Look = field(default_factory=Look)
    sound_layers: tuple[SoundLayer, ...] = ()
    notes: tuple[str, ...] = ()
    placement: Placement | None = None

    def as_json(self) -> dict[str, Any]:
        """The plan as people read it before anything is rendered."""
        return asdict(self)
