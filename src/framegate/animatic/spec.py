"""What a render is asked for and what it gives back; both travel as JSON to and from a worker."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from framegate.animatic.errors import BadSpec

SIDE_PIXELS_MIN = 64
SIDE_PIXELS_MAX = 4096
FPS_MIN, FPS_MAX = 8, 60
SECONDS_MAX = 60
REFERENCES_MAX = 32
PROMPT_CHARS_MAX = 20_000
SEED_MAX = 2**63 - 1

_REQUIRED = ("width", "height", "fps", "frames", "output")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One clip to make: pictures in order, what the camera does, and the exact file wanted.

    `names` goes with `references`: the name by which the prompt's `@name` means each, or None. `style` is a picture
    that lends only its colours. With a `source`, a video to go on from, the file is that video followed by `frames`
    new ones.
    """

    prompt: str | None = None
    references: tuple[str, ...] = ()
    first_frame: str | None = None
    last_frame: str | None = None
    names: tuple[str | None, ...] = ()
    source: str | None = None
    style: str | None = None
    audio: bool = False
    width: int
    height: int
    fps: int
    frames: int
    seed: int = 0
    output: str

    def __post_init__(self) -> None:
        for side, pixels in (("width", self.width), ("height", self.height)):
            if pixels % 2 or not SIDE_PIXELS_MIN <= pixels <= SIDE_PIXELS_MAX:
                raise BadSpec(
                    f"{side} is {pixels}: it must be even and from {SIDE_PIXELS_MIN} to {SIDE_PIXELS_MAX} pixels"
                )
        if not FPS_MIN <= self.fps <= FPS_MAX:
            raise BadSpec(f"fps is {self.fps}: it must be from {FPS_MIN} to {FPS_MAX}")
        if not 2 <= self.frames <= self.fps * SECONDS_MAX:
            raise BadSpec(f"frames is {self.frames}: it must be from 2 to {SECONDS_MAX} seconds' worth")
        if not 0 <= self.seed <= SEED_MAX:
            raise BadSpec(f"seed is {self.seed}: it must be from 0 to {SEED_MAX}")
        if self.prompt is not None and len(self.prompt) > PROMPT_CHARS_MAX:
            raise BadSpec(f"prompt is longer than {PROMPT_CHARS_MAX} characters")
        if len(self.references) > REFERENCES_MAX:
            raise BadSpec(f"references holds {len(self.references)} pictures: at most {REFERENCES_MAX}")
        if self.names and len(self.names) != len(self.references):
            raise BadSpec("names must hold one entry, a name or null, for each reference")

    @property
    def seconds(self) -> float:
        """How long the new frames are shown."""
        return self.frames / self.fps

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Spec":
        """The spec that `to_json` wrote. Raises BadSpec for anything else."""
        try:
            return cls.from_dict(json.loads(text))
        except ValueError as error:
            raise BadSpec("the spec is not JSON") from error

    @classmethod
    def from_dict(cls, values: object) -> "Spec":
        if not isinstance(values, dict):
            raise BadSpec("the spec is not a JSON object")
        data = cast("dict[str, Any]", values)
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        missing = [name for name in _REQUIRED if name not in data]
        if unknown or missing:
            raise BadSpec(f"the spec has unknown fields {unknown} or lacks {missing}")
        return cls(**{name: _validated(name, value) for name, value in data.items()})


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The finished file, as it lies on disk; `notes` are sentences about what was made otherwise than asked."""

    path: str
    frames: int
    width: int
    height: int
    fps: int
    seconds: float
    notes: tuple[str, ...] = ()


def _validated(name: str, value: object) -> Any:  # noqa: ANN401  # one JSON value becomes one field of any type
    if name in ("references", "names"):
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        holes = name == "names"
        if not isinstance(value, list) or not all(
            isinstance(entry, str) or (holes and entry is None) for entry in items
        ):
            raise BadSpec(f"{name} must be a list of strings")
        return tuple(items)
    if name in ("width", "height", "fps", "frames", "seed"):
        if type(value) is not int:
            raise BadSpec(f"{name} must be a whole number")
    elif name == "audio":
        if type(value) is not bool:
            raise BadSpec("audio must be true or false")
    elif not isinstance(value, str) and (value is not None or name == "output"):
        raise BadSpec(f"{name} must be a string")
    return value
