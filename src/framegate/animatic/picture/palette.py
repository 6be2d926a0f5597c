"""Color transfer from one picture to another: mean and covariance, by one matrix."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from framegate.animatic.picture.arrays import Map, floats
from framegate.animatic.picture.planes import Pixels, small_copy

Matrix = NDArray[np.float64]

SIDE_PIXELS = 160
SPREAD_MIN = 4e-4  # variance added to every color axis, so that a gray picture does not become extreme
GAIN_MAX = 2.2  # maximum growth of a color difference
STRENGTH = 0.85


@dataclass(frozen=True)
class Palette:
    """Mean and covariance of a picture's colors, from 0 to 1."""

    mean: Matrix
    spread: Matrix

    @classmethod
    def of(cls, picture: Pixels, weight: Map | None = None) -> "Palette":
        """Measure a picture; `weight` is a map of any size."""
        small = small_copy(picture, SIDE_PIXELS)
        colors = small.reshape(-1, 3).astype(np.float64)
        if weight is None:
            weights = np.ones(len(colors))
        else:
            weights = np.asarray(cv2.resize(floats(weight), small.shape[1::-1], interpolation=cv2.INTER_AREA)).ravel()
        weights = weights / max(float(weights.sum()), 1e-9)
        mean = (colors * weights[:, None]).sum(axis=0)
        away = (colors - mean) * np.sqrt(weights)[:, None]
        return cls(mean, away.T @ away + SPREAD_MIN * np.eye(3))

    def transfer_matrix(self, target: "Palette", strength: float = STRENGTH) -> Map:
        """The 3x4 matrix that gives a picture with the target palette the colors of this one.

        The Monge-Kantorovich map between two normal distributions (Pitie and Kokaram, CVMP 2007).
        """
        root, inverse = _square_root(target.spread), np.linalg.inv(_square_root(target.spread))
        turn = inverse @ _square_root(root @ self.spread @ root) @ inverse
        gains, axes = np.linalg.eigh((turn + turn.T) / 2)
        turn = axes @ np.diag(np.clip(gains, 1 / GAIN_MAX, GAIN_MAX)) @ axes.T
        turn = strength * turn + (1 - strength) * np.eye(3)
        mean = strength * self.mean + (1 - strength) * target.mean
        return floats(np.column_stack([turn, mean - turn @ target.mean]))


def _square_root(matrix: Matrix) -> Matrix:
    values, axes = np.linalg.eigh(matrix)
    return axes @ np.diag(np.sqrt(np.maximum(values, 1e-9))) @ axes.T
