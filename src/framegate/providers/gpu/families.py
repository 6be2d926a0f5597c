"""Families of open models, and what their members have in common on every server.

Facts: the PyPI packages `vllm-omni` 0.30.0 and `sglang` 0.5.23.
"""

import re
from dataclasses import dataclass

from framegate.domain import Order, Role
from framegate.domain.errors import Refused

FRAME, LAST, GUIDE = Role.FIRST_FRAME, Role.LAST_FRAME, Role.REFERENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family: the rules for the number of frames, the size, and the pictures."""

    name: str
    pattern: re.Pattern[str]  # matches the ids of its models
    frame_multiple: int  # a clip has frame_multiple * n + frame_offset frames
    frame_offset: int = 1
    frames_max: int | None = None
    side_multiple: int  # width and height are multiples of it
    roles: frozenset[Role]
    pictures_min: int = 0
    pictures_max: int | None = 1

    def frames(self, frames_min: int) -> int:
        """The smallest number of frames that the model can make and that covers the clip."""
        return frames_min + (self.frame_offset - frames_min) % self.frame_multiple

    @property
    def frame_rule(self) -> str:
        """The possible numbers of frames, as a formula."""
        return f"{self.frame_multiple}n + {self.frame_offset}"


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


H3 = Family(
    name="MiniMax H3",
    pattern=_pattern(r"(?<![a-z0-9])(fast)?h3(?![a-z0-9])"),
    frame_multiple=17,
    frame_offset=5,
    frames_max=362,
    side_multiple=32,
    roles=frozenset({FRAME, LAST, GUIDE}),
    pictures_max=None,
)
VACE = Family(
    name="Wan VACE",
    pattern=_pattern("vace"),
    frame_multiple=4,
    side_multiple=16,
    roles=frozenset({GUIDE}),
    pictures_max=None,
)
FAMILIES = (
    H3,
    VACE,
    Family(
        name="Wan TI2V", pattern=_pattern("wan.*ti2v"), frame_multiple=4, side_multiple=32, roles=frozenset({FRAME})
    ),
    Family(
        name="Wan I2V",
        pattern=_pattern("wan.*i2v"),
        frame_multiple=4,
        side_multiple=16,
        roles=frozenset({FRAME}),
        pictures_min=1,
    ),
    Family(
        name="HunyuanVideo 1.5 I2V",
        pattern=_pattern(r"hunyuanvideo-1\.5.*i2v"),
        frame_multiple=4,
        side_multiple=16,
        roles=frozenset({FRAME}),
        pictures_min=1,
    ),
    Family(name="LTX-2", pattern=_pattern("ltx-?2"), frame_multiple=8, side_multiple=32, roles=frozenset({FRAME})),
)


def family_of(model_id: str) -> Family | None:
    """The family of a model by its id; None if it is unknown."""
    return next((family for family in FAMILIES if family.pattern.search(model_id)), None)


def family_for(order: Order, server: str) -> Family:
    """The family of an order's model, after a check that it can make the order. Raises `Refused`."""
    family, target, count = family_of(order.model_id), order.target, len(order.references)
    if family is None:
        raise Refused(f"Unsupported model on a {server} server: {order.model_id}. It belongs to no known family.")
    if target.width % family.side_multiple or target.height % family.side_multiple:
        size = f"{target.width}x{target.height}"
        raise Refused(f"{family.name} requires a width and height in multiples of {family.side_multiple}, not {size}.")
    if family.frames_max is not None and family.frames(target.frames) > family.frames_max:
        raise Refused(f"{family.name} makes at most {family.frames_max} frames, and this order has {target.frames}.")
    for prepared in order.references:
        role = prepared.reference.role
        if role not in family.roles:
            supported = ", ".join(sorted(role.replace("_", " ") for role in family.roles))
            raise Refused(
                f"{family.name} on {server} does not accept a {role.replace('_', ' ')}. Supported: {supported}."
            )
    if count < family.pictures_min:
        raise Refused(f"{family.name} requires a picture with the role first_frame.")
    if family.pictures_max is not None and count > family.pictures_max:
        raise Refused(f"{family.name} accepts one picture, and this order has {count}.")
    return family


def frame_count_notes(order: Order, family: Family) -> list[str]:
    """A note if the clip gets more frames than requested."""
    frames, requested = family.frames(order.target.frames), order.target.frames
    if frames == requested:
        return []
    return [f"The clip has {frames} frames instead of {requested}: the model makes {family.frame_rule}."]
