"""One move of a job: what it changes, and how long until the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from framegate.types import Fault, State


@dataclass(frozen=True, slots=True)
class Step:
    """What one move changes; nothing to change is another look later. `wait` is seconds until the next move."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wait: float = 0.0
    order: str | None = None  # how the newest order now stands


def failed(fault: Fault, *, at: float, state: State = State.FAILED) -> Step:
    """The move to an end without a video."""
    return Step({"state": state, "stage": state.value, "fault": fault, "finished_at": at})
