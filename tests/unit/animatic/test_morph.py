"""Transition from a first to a last frame: a morph if they show the same things, else a dissolve."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from framegate.animatic import Spec, render
from framegate.animatic.picture import planes
from framegate.animatic.picture.morph import find_morph
from framegate.animatic.picture.planes import Planes


def part(photo: str, x: float, y: float, width: float, turn: float = 0.0):
    """A part of a photo, rotated by degrees, at 640 by 360."""
    picture = planes.load(photo)
    height = width * 9 / 16
    matrix = cv2.getRotationMatrix2D((x + width / 2, y + height / 2), turn, 640 / width)
    matrix[:, 2] += [320 - x - width / 2, 180 - y - height / 2]
    warped = cv2.warpAffine(picture, matrix, (640, 360), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, np.uint8)


def test_a_morph_is_found_between_parts_of_one_photo_and_not_between_photos(photos: list[str]):
    parts = [part(path, 20, 20, 380) for path in photos]
    for at, path in enumerate(photos):
        for related in (part(path, 45, 30, 360), part(path, 20, 20, 380, 4), part(path, 65, 22, 380)):
            assert find_morph(planes.to_planes(parts[at]), planes.to_planes(related)) is not None, path
        for unrelated in parts[:at] + parts[at + 1 :]:
            assert find_morph(planes.to_planes(parts[at]), planes.to_planes(unrelated)) is None, path


def test_displacements_never_fold_the_picture(rocket: str):
    a, b = planes.to_planes(part(rocket, 20, 20, 540)), planes.to_planes(part(rocket, 70, 50, 460, 5))
    morph = find_morph(a, b)

    assert morph is not None
    for share in (0.0, 0.3, 0.7, 1.0):
        for field in morph.displacements(share):
            width = field.x.shape[1]
            assert (1 + np.diff(field.x, axis=1) * width).min() > 0
            assert (1 + np.diff(field.y, axis=0) * width).min() > 0
    assert np.abs(morph.displacements(0.0)[0].x).max() == 0
    assert np.abs(morph.displacements(1.0)[1].x).max() == 0


def test_a_morph_moves_objects_instead_of_showing_them_twice(
    frames: Callable[..., list[Planes]], tmp_path: Path, coffee: str
):
    first, last = tmp_path / "first.png", tmp_path / "last.png"
    Image.fromarray(part(coffee, 10, 20, 540)).save(first)
    Image.fromarray(part(coffee, 55, 40, 500)).save(last)

    clip = frames(first_frame=str(first), last_frame=str(last), prompt="locked-off", width=640, height=360, frames=25)

    middle = clip[12].y
    halfway = planes.to_planes(part(coffee, 32, 30, 520)).y
    doubled = cv2.addWeighted(clip[0].y, 0.5, clip[-1].y, 0.5, 0)
    assert psnr(middle, halfway) > psnr(doubled, halfway) + 6


@pytest.mark.parametrize("prompt", ["slow push-in", "pan left, at night in the rain, handheld"])
def test_a_morph_meets_both_frames_exactly(
    spec: Callable[..., Spec], tmp_path: Path, rocket: str, prompt: str, decoded: Callable[[str], list[np.ndarray]]
):
    first, last = tmp_path / "first.png", tmp_path / "last.png"
    Image.fromarray(part(rocket, 20, 20, 540)).save(first)
    Image.fromarray(part(rocket, 60, 40, 500, 3)).save(last)

    clip = decoded(
        render(
            spec(prompt=prompt, first_frame=str(first), last_frame=str(last), width=640, height=360, fps=24, frames=48)
        ).path
    )

    for frame, still in ((clip[0], first), (clip[-1], last)):
        assert psnr(frame, planes.to_planes(np.asarray(Image.open(still))).y) > 40
    # No jumps in between.
    assert min(psnr(a, b) for a, b in pairwise(clip)) > 22


def psnr(a: np.ndarray, b: np.ndarray):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b.astype(float)) ** 2), 1e-9))
