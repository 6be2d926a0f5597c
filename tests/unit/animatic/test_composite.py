"""Composites of a subject in a scene, only with a reliable cut-out."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from framegate.animatic import Spec, render
from framegate.animatic.camera.framing import Size
from framegate.animatic.picture import planes
from framegate.animatic.picture.composite import compose
from framegate.animatic.picture.cutout import cut_out
from framegate.animatic.plan.director import direct
from framegate.animatic.plan.shots import Join, Placement
from framegate.animatic.prompt.placement import apply_placement, find_placement

BACKDROP = 226


@pytest.fixture
def cup(coffee: str):
    """The cup on its saucer, and its coverage."""
    picture = planes.load(coffee)
    cover = np.zeros(picture.shape[:2], np.uint8)
    cv2.ellipse(cover, (280, 208), (202, 178), 12, 0, 360, 255, cv2.FILLED, cv2.LINE_AA)
    return picture, cover


@pytest.fixture
def cup_png(cup: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    path = tmp_path / "cup.png"
    Image.fromarray(np.dstack(cup)).save(path)
    return str(path)


@pytest.fixture
def product(cup: tuple[np.ndarray, np.ndarray]):
    """The cup with a plain gray backdrop, noise, and a soft shadow on the ground."""
    picture, cover = cup
    rows, columns = np.mgrid[0:520, 0:760]
    shadow = np.exp(-(((columns - 380) / 190) ** 2 + ((rows - 420) / 30) ** 2))
    plate = np.repeat((BACKDROP * (1 - 0.3 * shadow))[..., None], 3, axis=2)
    share = cover[:400, 60:500, None] / 255
    plate[50:450, 160:600] += (picture[:400, 60:500] - plate[50:450, 160:600]) * share
    noisy = plate + np.random.default_rng(0).normal(0, 1.5, plate.shape)
    mask = np.zeros(plate.shape[:2])
    mask[50:450, 160:600] = share[..., 0]
    return np.clip(noisy, 0, 255).astype(np.uint8), mask


@pytest.mark.parametrize(
    ("prompt", "pair"),
    [
        ("Place @hero in @street, slow push-in", (0, 1)),
        ("@hero in the second image at dusk", (0, 1)),
        ("put the first image into the second image", (0, 1)),
        ("Set the product from image 2 on the table of image 1", None),
        ("set image 2 in image 1", (1, 0)),
        ("insert the person of the first photo into the scene of the second photo", (0, 1)),
        ("slow push-in on the first image, then the second image", None),
        ("@hero, then @street", None),
        ("", None),
    ],
)
def test_a_prompt_sets_the_subject_and_the_scene(prompt: str, pair: tuple[int, int] | None):
    placement = Placement(subject=pair[0], scene=pair[1]) if pair else None

    assert find_placement(prompt, 2, ("hero", "street")) == placement


def test_a_placed_subject_has_no_shot_of_its_own():
    plan = direct("", reference_count=3, seconds=6)
    placed = apply_placement(plan, Placement(subject=0, scene=1))

    assert [shot.index for shot in placed.shots] == [1, 2]
    assert placed.shots[0].join is Join.OPENS
    assert placed.shots[0].start == 0
    assert placed.shots[1].start < placed.shots[0].end < placed.shots[1].end == 6


def test_a_plain_backdrop_is_removed_with_its_shadow(product: tuple[np.ndarray, np.ndarray]):
    picture, mask = product
    cutout = cut_out(picture, None)

    assert cutout is not None
    assert cutout.method == "plain backdrop"
    assert abs(cutout.coverage.sum() / mask.sum() - 1) < 0.05
    assert abs(cutout.coverage.shape[0] - np.ptp(np.flatnonzero(mask.any(axis=1)))) < 16  # without the shadow below


def test_no_photo_without_a_plain_backdrop_is_cut_out(photos: list[str]):
    assert [path for path in photos if cut_out(planes.load(path), None) is not None] == []


def test_noisy_or_empty_transparency_is_not_a_cut_out(cup: tuple[np.ndarray, np.ndarray]):
    specks = np.where(np.random.default_rng(0).random(cup[1].shape) > 0.5, 255, 0).astype(np.uint8)

    assert cut_out(cup[0], specks) is None
    assert cut_out(cup[0], np.zeros_like(cup[1])) is None


@pytest.mark.parametrize("output", [Size(1280, 720), Size(720, 1280), Size(720, 720), Size(1680, 720)])
def test_the_whole_subject_is_in_the_scene_with_a_shadow_on_the_ground(
    cup: tuple[np.ndarray, np.ndarray], rocket: str, output: Size
):
    cutout = cut_out(*cup)
    assert cutout is not None
    scene = planes.load(rocket)

    composite = compose(cutout, scene, output)

    height, width = composite.coverage.shape
    mean_coverage = composite.coverage.sum() / (composite.coverage > 0.02).sum()
    assert mean_coverage > 0.7
    assert not composite.coverage[:, 0].any()
    assert not composite.coverage[:, -1].any()
    assert not composite.coverage[0].any()
    assert not composite.coverage[-1].any()
    bare = cv2.resize(scene, (width, height), interpolation=cv2.INTER_CUBIC).astype(float)
    foot, middle = round(composite.focus.bottom * height), round(composite.focus.x * width)
    below = np.s_[foot - 4 : foot + 6, middle - 15 : middle + 15]
    away = composite.coverage[below] < 0.02
    assert composite.picture[below][away].mean() < 0.9 * bare[below][away].mean()
    far = np.s_[: height // 8, : width // 8]
    assert np.abs(composite.picture[far] - bare[far]).mean() < 2


def test_a_cut_out_is_placed_in_the_scene_that_the_prompt_names(
    spec: Callable[..., Spec], frames: Callable[..., list], cup_png: str, rocket: str
):
    values = {"references": (cup_png, rocket), "names": ("cup", "pad"), "prompt": "Place @cup in @pad, locked-off"}

    rendered = render(spec(**values))

    assert not any("reference 1" in note and "has its own shot" in note for note in rendered.notes)
    together, alone = frames(**values)[5], frames(references=(rocket,), prompt="locked-off")[5]
    red = together.v.astype(int) - alone.v
    assert (red > 15).mean() > 0.04  # the red saucer
    assert (np.abs(red) < 4).mean() > 0.6  # the scene


def test_a_transparent_cut_out_is_placed_in_the_second_picture(
    frames: Callable[..., list], cup_png: str, rocket: str, cat: str
):
    first, last = (frames(references=(cup_png, rocket), prompt="locked-off")[at] for at in (0, -1))
    apart = frames(references=(cat, rocket), prompt="locked-off")

    assert np.abs(first.y.astype(int) - last.y).mean() < 1  # one shot
    assert np.abs(apart[0].y.astype(int) - apart[-1].y).mean() > 20  # two


def test_a_subject_that_cannot_be_cut_out_gets_its_own_shot_and_a_note(
    spec: Callable[..., Spec], astronaut: str, rocket: str
):
    rendered = render(spec(references=(astronaut, rocket), prompt="put the first image into the second image"))

    assert any("reference 1 has its own shot" in note for note in rendered.notes)


def test_a_strongly_enlarged_picture_is_reported_in_a_note(spec: Callable[..., Spec], cat: str, rocket: str):
    large = render(spec(references=(cat,), width=1280, height=720, frames=4)).notes
    small = render(spec(references=(rocket,))).notes

    assert any("reference 1 is 451 pixels wide and was enlarged" in note for note in large)
    assert not any("enlarged" in note for note in small)
