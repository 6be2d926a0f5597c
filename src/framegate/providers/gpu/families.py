"""What the open models of one make have in common, whichever server runs them.

Facts: the PyPI packages `vllm-omni` 0.30.0 and `sglang` 0.5.23.
"""

import re
from dataclasses import dataclass

from framegate.domain import Order, Role
from framegate.domain.errors import Refused

FRAME, LAST, GUIDE = Role.FIRST_FRAME, Role.LAST_FRAME, Role.REFERENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One make: how its frames are counted, how its sides are, and what its pictures are for."""

    name: str
    pattern: re.Pattern[str]  # what its models are called
    frame_multiple: int  # a clip has step * n + rest frames
    frame_offset: int = 1
    frames_max: int | None = None
    side_multiple: int  # width and height are multiples of it
    roles: frozenset[Role]
    pictures_min: int = 0
    pictures_max: int | None = 1

    def frames(self, wanted: int) -> int:
        """The least number of frames that can be made and that holds the clip."""
        return wanted + (self.frame_offset - wanted) % self.frame_multiple

    @property
    def rule(self) -> str:
        """How frames are counted, in words."""
        return f"{self.frame_multiple}n + {self.frame_offset}"


def _mark(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


H3 = Family(
    name="MiniMax H3",
    pattern=_mark(r"(?<![a-z0-9])(fast)?h3(?![a-z0-9])"),
    frame_multiple=17,
    frame_offset=5,
    frames_max=362,
    side_multiple=32,
    roles=frozenset({FRAME, LAST, GUIDE}),
    pictures_max=None,
)
VACE = Family(
    name="Wan VACE",
    pattern=_mark("vace"),
    frame_multiple=4,
    side_multiple=16,
    roles=frozenset({GUIDE}),
    pictures_max=None,
)
FAMILIES = (
    H3,
    VACE,
    Family(name="Wan TI2V", pattern=_mark("wan.*ti2v"), frame_multiple=4, side_multiple=32, roles=frozenset({FRAME})),
    Family(
        name="Wan I2V",
        pattern=_mark("wan.*i2v"),
        frame_multiple=4,
        side_multiple=16,
        roles=frozenset({FRAME}),
        pictures_min=1,
    ),
    Family(
        name="HunyuanVideo 1.5 I2V",
        pattern=_mark(r"hunyuanvideo-1\.5.*i2v"),
        frame_multiple=4,
        side_multiple=16,
        roles=frozenset({FRAME}),
        pictures_min=1,
    ),
    Family(name="LTX-2", pattern=_mark("ltx-?2"), frame_multiple=8, side_multiple=32, roles=frozenset({FRAME})),
)


def family_of(model_id: str) -> Family | None:
    """The make of a model by its id; None for one that is not known."""
    return next((family for family in FAMILIES if family.pattern.search(model_id)), None)


def family_for(order: Order, server: str) -> Family:
    """The make of an order's model, once the order is one that it can take. Raises `Refused`."""
    family, target, count = family_of(order.model_id), order.target, len(order.references)
    if family is None:
        raise Refused(f"How a {server} server takes orders for {order.model_id} is not known here.")
    if target.width % family.side_multiple or target.height % family.side_multiple:
        size = f"{target.width}x{target.height}"
        raise Refused(f"{family.name} makes sides that are multiples of {family.side_multiple}, and {size} has others.")
    if family.frames_max is not None and family.frames(target.frames) > family.frames_max:
        raise Refused(f"{family.name} makes at most {family.frames_max} frames, and {target.frames} are asked for.")
    for prepared in order.references:
        role = prepared.reference.role
        if role not in family.roles:
            taken = ", ".join(sorted(one.replace("_", " ") for one in family.roles))
            raise Refused(f"{family.name} at {server} takes no {role.replace('_', ' ')}, but: {taken}.")
    if count < family.pictures_min:
        raise Refused(f"{family.name} begins with a picture: send it as first_frame.")
    if family.pictures_max is not None and count > family.pictures_max:
        raise Refused(f"{family.name} takes one picture, and this order has {count}.")
    return family


def counted(order: Order, family: Family) -> list[str]:
    """That the clip has more frames than were asked for, where it has."""
    made, asked = family.frames(order.target.frames), order.target.frames
    return [] if made == asked else [f"The clip has {made} frames, not {asked}: the model makes {family.rule}."]
