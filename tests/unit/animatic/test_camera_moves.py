"""Camera moves measured in the frames."""

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import cv2
import numpy as np
import pytest

from framegate.animatic.camera.framing import Focus, Size, View, fit_view
from framegate.animatic.camera.handheld import Sway
from framegate.animatic.camera.path import PARALLAX_MAX, Path, Perspective, Pose, plan_paths
from framegate.animatic.picture import planes, subject
from framegate.animatic.picture.depth import estimate_relief
from framegate.animatic.picture.planes import Planes, blank_planes
from framegate.animatic.picture.viewport import Box, Crop, Sampler, crop_size, scale_for, visible_box
from framegate.animatic.plan.shots import Easing, Move, Plan, Shot
from framegate.animatic.prompt.scene import Angle, Framing

Draw = Callable[..., list[Planes]]
Make = Callable[..., Shot]
OUTPUT = Size(320, 180)


def shift(a: np.ndarray, b: np.ndarray):
    """Motion of the content between two pictures, to the right and down."""
    window = cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F)
    return np.array(cv2.phaseCorrelate(a.astype(np.float32), b.astype(np.float32), window)[0])


def flow(a: np.ndarray, b: np.ndarray):
    no_estimate = cast("np.ndarray", None)  # which OpenCV accepts and its types do not
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(a, b, no_estimate)


@pytest.mark.parametrize(
    ("move", "direction"),
    [
        (Move.PAN_RIGHT, (-1, 0)),
        (Move.TRUCK_LEFT, (1, 0)),
        (Move.TILT_UP, (0, 1)),
        (Move.PEDESTAL_DOWN, (0, -1)),
    ],
)
def test_a_move_goes_in_its_direction_and_comes_to_rest(
    frames: Draw, shot: Make, rocket: str, move: Move, direction: tuple[int, int]
):
    drawn = frames(Plan(shots=(shot(move, amount=0.5),)), references=(rocket,), fps=24, frames=24)

    steps = np.array([shift(a.y, b.y) for a, b in pairwise(drawn)]) @ np.array(direction)
    assert steps.sum() > 0.02 * OUTPUT.width
    assert steps[12] > 4 * max(abs(steps[0]), abs(steps[-1]))
    assert np.abs(np.diff(steps)).max() < 0.6  # pixels: no jerk, as far as phase correlation can tell


def test_an_orbit_moves_the_background_with_the_camera_and_keeps_the_subject(frames: Draw, shot: Make, astronaut: str):
    drawn = frames(Plan(shots=(shot(Move.ORBIT_RIGHT, amount=1.5),)), references=(astronaut,))

    motion = flow(drawn[2].y, drawn[-3].y)[..., 0]
    face = motion[70:110, 120:170].mean()
    behind = motion[20:60, 250:310].mean()
    assert behind > 1.5  # the camera orbits to the right, and the background moves with it
    assert abs(face) < behind / 2


def test_a_push_in_enlarges_the_subject_more_than_the_background(frames: Draw, shot: Make, astronaut: str):
    picture = planes.load(astronaut)
    near = estimate_relief(picture, subject.find_subject(picture)).displacement
    output, view = Size(512, 288), fit_view(Size(512, 512), Size(512, 288))
    flat, deep = blank_planes(output), blank_planes(output)
    whole = Crop(planes.to_planes(picture), box_of(picture), Size(512, 512), near)

    Sampler(output).sample(whole, Pose(view), flat)
    Sampler(output).sample(whole, Pose(view, Perspective(zoom=0.1)), deep)

    apart = flow(flat.y, deep.y)
    edge = apart[100:200, 440:480, 0].mean()
    assert edge < -0.5  # distant objects at the side move outwards less than the zoom, so inwards relative to it
    assert abs(apart[90:150, 200:260, 0].mean()) < 0.6


def box_of(picture: np.ndarray):
    return Box(0, 0, picture.shape[1], picture.shape[0])


def test_a_roll_to_the_right_turns_the_content_to_the_left(frames: Draw, shot: Make, rocket: str):
    drawn = frames(Plan(shots=(shot(Move.ROLL_RIGHT),)), references=(rocket,))

    motion = flow(drawn[0].y, drawn[-1].y)
    assert motion[20:60, 130:190, 0].mean() < -0.5  # above the middle, to the left
    assert motion[140:175, 60:250, 0].mean() > 0.5  # below it, to the right


def test_displacement_by_depth_never_folds_the_picture(photos: list[str]):
    for path in photos:
        picture = planes.load(path)
        near = estimate_relief(picture, subject.find_subject(picture)).displacement
        width = near.shape[1]

        slope = np.abs(np.diff(near, axis=1)).max() * width
        assert near[0].max() < 0.1
        assert np.abs(near[:, 0]).max() < 0.1
        # The parallax of a full orbit, over a view half as wide as the picture.
        assert 2 * PARALLAX_MAX * slope / 2 < 0.75, path
        assert np.abs(near).max() <= 0.5


def test_a_handheld_camera_sways_smoothly_around_its_view_and_stays_in_the_picture():
    picture, view = Size(1000, 600), View(30, 20, 940, 529)
    sway = Sway(7, 1.0)

    poses = [sway.apply(Pose(view), at / 24, picture) for at in range(24 * 20)]

    places = np.array([(pose.view.x, pose.view.y) for pose in poses]) - (view.x, view.y)
    steps = np.diff(places, axis=0)
    assert 2 < np.abs(places).max() < 0.03 * view.width
    assert np.abs(places.mean(axis=0)).max() < 0.3 * np.abs(places).max()  # no drift
    assert np.abs(np.diff(steps, axis=0)).max() < 0.5 * np.abs(steps).max() + 0.5  # band-limited
    assert all(pose.view.x >= 0 and pose.view.x + pose.view.width <= picture.width for pose in poses)
    assert poses[100] == Sway(7, 1.0).apply(Pose(view), 100 / 24, picture)
    assert poses[100] != Sway(8, 1.0).apply(Pose(view), 100 / 24, picture)


@pytest.mark.parametrize("output", [Size(1280, 720), Size(720, 1280), Size(720, 720), Size(1680, 720)])
@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("angle", list(Angle))
@pytest.mark.parametrize("move", [Move.PUSH_IN, Move.ROLL_LEFT, Move.ORBIT_LEFT, Move.PEDESTAL_UP])
def test_every_framing_stays_in_the_picture(shot: Make, output: Size, framing: Framing, angle: Angle, move: Move):
    picture = Size(1500, 1000)
    asked = shot(move, framing=framing, angle=angle, handheld=0.5)
    (path,) = plan_paths([asked], picture, output, Focus(0.8, 0.7, 0.7, 0.5, 0.95, 0.9))

    for step in range(21):
        pose = Sway(3, 0.5).apply(path.pose_at(step / 20), step / 10, picture)
        contained = pose.view.contained(pose.perspective.roll, picture)
        assert contained.width == pytest.approx(pose.view.width, rel=0.002)
        assert abs(contained.x - pose.view.x) + abs(contained.y - pose.view.y) < 0.002 * picture.width


@pytest.mark.parametrize("output", [Size(1280, 720), Size(720, 1280), Size(720, 720), Size(1680, 720), Size(720, 1680)])
def test_the_face_of_a_portrait_stays_in_the_frame_of_every_shape(astronaut: str, shot: Make, output: Size):
    picture = planes.load(astronaut)
    focus = subject.find_subject(picture).focus
    face = (178, 60, 265, 195)  # left, top, right, bottom: from the brow to the chin

    for move in (Move.PUSH_IN, Move.ORBIT_LEFT, Move.LOCKED_OFF):
        (path,) = plan_paths([shot(move, end=4.0)], Size(512, 512), output, focus)
        for step in range(11):
            view = path.view_at(step / 10)
            assert view.x <= face[0]
            assert view.y <= face[1]
            assert view.x + view.width >= face[2]
            assert view.y + view.height >= face[3]


def test_the_subject_is_found_in_each_photo(photos: list[str]):
    subjects = {"astronaut": (0.42, 0.4), "cat": (0.5, 0.45), "coffee": (0.47, 0.45), "rocket": (0.5, 0.6)}
    for path in photos:
        name = path.rsplit("/", 1)[-1].split(".")[0]
        if name in subjects:
            focus = subject.find_subject(planes.load(path)).focus
            assert abs(focus.x - subjects[name][0]) < 0.1, path
            assert focus.left < subjects[name][0] < focus.right
            assert focus.top < subjects[name][1] < focus.bottom


def test_parallax_without_depth_changes_nothing(rocket: str):
    picture = planes.load(rocket)
    size = planes.size_of(picture)
    view = View(40, 30, 480, 270)
    flat, bent = blank_planes(OUTPUT), blank_planes(OUTPUT)
    path = paths_like(view)
    scale = scale_for(path, OUTPUT)
    part = visible_box(path, size, scale)
    crop_pixels = crop_size(part, scale)
    sheet = Crop(
        planes.to_planes(planes.resize(part.crop(picture), crop_pixels.width, crop_pixels.height)),
        part,
        size,
        np.zeros((64, 96), np.float32),
    )

    Sampler(OUTPUT).sample(sheet, Pose(view), flat)
    Sampler(OUTPUT).sample(sheet, Pose(view, Perspective(x=0.05)), bent)

    for a, b in zip(planes.each(flat), planes.each(bent), strict=True):
        assert np.mean((a.astype(float) - b.astype(float)) ** 2) < 0.1  # above 58 dB


def paths_like(view: View):
    return Path(view, view, Easing.SMOOTH, Perspective(x=0.05), Perspective(x=0.05))


def test_fast_moves_are_blurred_and_slow_ones_stay_sharp(frames: Draw, shot: Make, rocket: str):
    def sharpness(amount: float):
        middle = frames(Plan(shots=(shot(Move.PAN_RIGHT, amount=amount),)), references=(rocket,), frames=12)[6].y
        return float(cv2.Laplacian(middle, cv2.CV_32F).var())

    assert sharpness(4.0) < 0.6 * sharpness(0.1)
