"""How a camera held by hand sways: seeded, smooth, and always around the place where it should be."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from framegate.engine.camera import Pose
from framegate.engine.framing import HELD_ROOM, Size

WAVES = 9
HERTZ_LEAST, HERTZ_MOST = 0.25, 3.2  # breath and stance; faster shaking is filtered by the mass of a camera
STEEPNESS = 1.25  # amplitudes fall as frequency to this power
REACH = HELD_ROOM / 2 * 0.8  # of the view's width at full amount; the rest of the room is for the roll
ROLL_RADIANS = 0.012


@dataclass(frozen=True)
class Sway:
    """The sway of one clip. The sum of its waves never reaches beyond the room that the framing left for it."""

    seed: int
    amount: float

    def applied(self, pose: Pose, second: float, within: Size, share: float = 1.0) -> Pose:
        """The pose as held by hand; `share` is less than 1 near frames that must be met exactly."""
        if not self.amount * share:
            return pose
        across, down, turn = (float(value) for value in self._at(second) * self.amount * share)
        view = pose.view.moved(across * REACH, down * REACH * view_shape(pose), within)
        lean = pose.lean.plus(type(pose.lean)(roll=turn * ROLL_RADIANS))
        return Pose(view.contained(lean.roll, within), lean)

    def _at(self, second: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        hertz, phase, weight = self._waves
        return (weight * np.sin(2 * math.pi * (hertz * second + phase))).sum(axis=1)

    @cached_property
    def _waves(self) -> tuple["np.ndarray[tuple[int, int], np.dtype[np.float64]]", ...]:
        chance = np.random.default_rng([self.seed, 0x5A])
        base = np.geomspace(HERTZ_LEAST, HERTZ_MOST, WAVES)
        hertz = base * chance.uniform(0.88, 1.12, (3, WAVES))
        weight = hertz**-STEEPNESS * chance.uniform(0.7, 1.3, (3, WAVES))
        return hertz, chance.random((3, WAVES)), weight / weight.sum(axis=1, keepdims=True)


def view_shape(pose: Pose) -> float:
    """A hand sways as far up and down as across, and upright views measure heights by their own height."""
    return min(pose.view.width / pose.view.height, 1.0)
