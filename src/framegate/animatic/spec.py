"""Input and output of a render, exchanged with a worker process as JSON."""

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
    """Specification of one video: prompt, pictures in order, and the format of the file.

    `names` has one entry for each of `references`: its `@name` in the prompt, or None. `style` is a picture of which
    only the colors are used. With a `source`, a video to extend, the file is that video followed by `frames` new
    frames.
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
            raise BadSpec(f"frames is {self.frames}: it must be from 2 to {self.fps * SECONDS_MAX} at {self.fps} fps")
        if not 0 <= self.seed <= SEED_MAX:
            raise BadSpec(f"seed is {self.seed}: it must be from 0 to {SEED_MAX}")
        if self.prompt is not None and len(self.prompt) > PROMPT_CHARS_MAX:
            raise BadSpec(f"prompt has {len(self.prompt)} characters: the maximum is {PROMPT_CHARS_MAX}")
        if len(self.references) > REFERENCES_MAX:
            raise BadSpec(f"references has {len(self.references)} pictures: the maximum is {REFERENCES_MAX}")
        if self.names and len(self.names) != len(self.references):
            raise BadSpec("names must have one entry, a name or null, for each reference")

    @property
    def seconds(self) -> float:
        """Duration of the new frames."""
        return self.frames / self.fps

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Spec":
        """Parse the output of `to_json`. Raises BadSpec."""
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
            raise BadSpec(f"invalid fields in the spec: unknown {unknown}, missing {missing}")
        return cls(**{name: _validated(name, value) for name, value in data.items()})


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The finished file; `notes` say in sentences where it differs from the request."""

    path: str
    frames: int
    width: int
    height: int
    fps: int
    seconds: float
    notes: tuple[str, ...] = ()


def _validated(name: str, value: object) -> Any:  # noqa: ANN401  # a JSON value for a field of any type
    if name in ("references", "names"):
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        allows_null = name == "names"
        if not isinstance(value, list) or not all(
            isinstance(entry, str) or (allows_null and entry is None) for entry in items
        ):
            raise BadSpec(f"{name} must be a list of strings")
        return tuple(items)
    if name in ("width", "height", "fps", "frames", "seed"):
        if type(value) is not int:
            raise BadSpec(f"{name} must be an integer")
    elif name == "audio":
        if type(value) is not bool:
            raise BadSpec("audio must be true or false")
    elif not isinstance(value, str) and (value is not None or name == "output"):
        raise BadSpec(f"{name} must be a string")
    return value
