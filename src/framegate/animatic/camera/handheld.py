"""Handheld sway of the camera: seeded, smooth, and centered on the planned view."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from framegate.animatic.camera.framing import HANDHELD_ROOM, Size, View
from framegate.animatic.camera.path import Perspective, Pose

WAVES = 9
HERTZ_MIN, HERTZ_MAX = 0.25, 3.2  # breath and stance; the mass of a camera filters faster shaking
STEEPNESS = 1.25  # amplitudes fall with the frequency to this power
SHIFT_OF_VIEW_MAX = HANDHELD_ROOM / 2 * 0.66  # at full amount; the remaining room is for the roll
ROLL_RADIANS_MAX = 0.012


@dataclass(frozen=True)
class Sway:
    """The sway of one video. Its waves never add up to more than the room that the framing reserves."""

    seed: int
    amount: float

    def apply(self, pose: Pose, second: float, within: Size, strength: float = 1.0) -> Pose:
        """Add the sway to a pose; `strength` is less than 1 near exact frames."""
        if not self.amount * strength:
            return pose
        across, down, turn = (float(value) for value in self._offsets_at(second) * self.amount * strength)
        view = pose.view
        # Near the picture's edge the sway is smaller, because a stop at the edge would be visible.
        cos, sin = abs(math.cos(pose.perspective.roll)), abs(math.sin(pose.perspective.roll))
        half_x, half_y = (view.width * cos + view.height * sin) / 2, (view.width * sin + view.height * cos) / 2
        middle_x, middle_y = view.x + view.width / 2, view.y + view.height / 2
        room_x = max(min(middle_x, within.width - middle_x) - half_x, 0.0)
        room_y = max(min(middle_y, within.height - middle_y) - half_y, 0.0)
        # The roll moves the corners, which takes a third of the room.
        roll = turn * min(ROLL_RADIANS_MAX, 0.66 * room_x / view.height, 0.66 * room_y / view.width)
        x = across * min(SHIFT_OF_VIEW_MAX * view.width, 0.66 * room_x / self.amount)
        y = down * min(SHIFT_OF_VIEW_MAX * min(view.width, view.height), 0.66 * room_y / self.amount)
        swayed = View(view.x + x, view.y + y, view.width, view.height)
        return Pose(swayed, pose.perspective.plus(Perspective(roll=roll)))

    def _offsets_at(self, second: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        hertz, phase, weight = self._waves
        return (weight * np.sin(2 * math.pi * (hertz * second + phase))).sum(axis=1)

    @cached_property
    def _waves(self) -> tuple["np.ndarray[tuple[int, int], np.dtype[np.float64]]", ...]:
        rng = np.random.default_rng([self.seed, 0x5A])
        base = np.geomspace(HERTZ_MIN, HERTZ_MAX, WAVES)
        hertz = base * rng.uniform(0.88, 1.12, (3, WAVES))
        weight = hertz**-STEEPNESS * rng.uniform(0.7, 1.3, (3, WAVES))
        return hertz, rng.random((3, WAVES)), weight / weight.sum(axis=1, keepdims=True)
