"""Animatic renderer: camera moves over still pictures, controlled by a prompt, without a generative model.

Parsing a prompt (`direct`) is cheap. `render` needs OpenCV and the encoder, so it is imported on first use.
"""

from typing import TYPE_CHECKING, Any

from framegate.animatic.errors import (
    Abandoned,
    AnimaticError,
    BadSpec,
    OutputFailed,
    TooManyPictures,
    UnreadablePicture,
    UnusableSource,
)
from framegate.animatic.plan.director import direct, plan_shots
from framegate.animatic.plan.shots import Easing, Join, Move, Plan, Role, Shot
from framegate.animatic.spec import Rendered, Spec

if TYPE_CHECKING:
    from framegate.animatic.renderer import render

__all__ = [
    "Abandoned",
    "AnimaticError",
    "BadSpec",
    "Easing",
    "Join",
    "Move",
    "OutputFailed",
    "Plan",
    "Rendered",
    "Role",
    "Shot",
    "Spec",
    "TooManyPictures",
    "UnreadablePicture",
    "UnusableSource",
    "direct",
    "plan_shots",
    "render",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a module attribute may be anything
    if name == "render":
        from framegate.animatic.renderer import render  # noqa: PLC0415  # defer the heavy imports

        return render
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
