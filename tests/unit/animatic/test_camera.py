from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.animatic import plan_shots
from framegate.animatic.camera.framing import Size, fit_view
from framegate.animatic.camera.path import ease, plan_paths

WIDE, TALL = Size(1280, 720), Size(720, 1280)
REFERENCE: dict[str, Any] = {}
FIRST: dict[str, Any] = {"reference_count": 0, "has_first": True}
LAST: dict[str, Any] = {"reference_count": 0, "has_last": True}
SIDES = st.integers(16, 6000)


def views(prompt: str, picture: Size, output: Size, **options: Any):  # any argument of `plan_shots`
    options = {"reference_count": 1, "seconds": 4, **options}
    shot = plan_shots(prompt, **options)[0]
    (path,) = plan_paths([shot], picture, output)
    return [path.view_at(step / 100) for step in range(101)]


@given(
    st.builds(Size, SIDES, SIDES),
    st.sampled_from([WIDE, TALL, Size(720, 720)]),
    st.sampled_from(
        [
            "push in",
            "dramatic zoom out",
            "extreme pan left",
            "fast tilt up",
            "pan right and push in",
            "tilt down, zoom out",
            "",
        ]
    ),
    st.sampled_from([REFERENCE, FIRST, LAST, {"seconds": 60}]),
)
def test_the_camera_never_leaves_the_picture(picture: Size, output: Size, prompt: str, options: dict[str, Any]):
    for view in views(prompt, picture, output, **options):
        slack = 1e-6 * max(picture.width, picture.height)
        assert view.x >= -slack
        assert view.y >= -slack
        assert view.x + view.width <= picture.width + slack
        assert view.y + view.height <= picture.height + slack
        assert view.width / view.height == pytest.approx(output.width / output.height)


@pytest.mark.parametrize("ramp", [0.12, 0.35, 0.5])
def test_easing_is_monotonic_and_starts_and_ends_at_rest(ramp: float):
    places = [ease(step / 1000, ramp) for step in range(1001)]

    assert places[0] == 0
    assert places[-1] == 1
    steps = [b - a for a, b in pairwise(places)]
    assert min(steps) >= 0
    assert steps[0] < 1e-5 > steps[-1]
    # No jerk: the speed changes little between steps.
    assert max(abs(b - a) for a, b in pairwise(steps)) < 0.03 * max(steps)


@pytest.mark.parametrize(
    ("prompt", "sign"), [("pan right", (1, 0)), ("pan left", (-1, 0)), ("tilt up", (0, -1)), ("tilt down", (0, 1))]
)
@pytest.mark.parametrize("picture", [Size(1600, 900), Size(3000, 1000), Size(1000, 3000), Size(500, 500)])
@pytest.mark.parametrize("options", [REFERENCE, FIRST, LAST])
def test_pans_and_tilts_go_in_their_direction(
    prompt: str, sign: tuple[int, int], picture: Size, options: dict[str, Any]
):
    path_views = views(prompt, picture, WIDE, **options)
    travel = (
        path_views[-1].x + path_views[-1].width / 2 - path_views[0].x - path_views[0].width / 2,
        path_views[-1].y + path_views[-1].height / 2 - path_views[0].y - path_views[0].height / 2,
    )

    assert travel[0] * sign[0] + travel[1] * sign[1] > 0.02 * path_views[0].height


def test_a_pan_with_enough_room_does_not_zoom_in():
    assert {round(view.width) for view in views("pan right", Size(3000, 1000), WIDE)} == {1778}


def test_a_push_in_ends_closer_and_a_pull_out_ends_with_the_full_view():
    push, pull = views("push in", Size(1600, 900), WIDE), views("pull out", Size(1600, 900), WIDE)

    assert push[0] == pull[-1] == fit_view(Size(1600, 900), WIDE)
    assert push[-1].width == pytest.approx(1600 / 1.197, rel=0.01)


def test_the_path_meets_first_and_last_frames_at_the_full_view():
    picture = Size(1000, 872)

    assert views("pan left", picture, WIDE, **FIRST)[0] == fit_view(picture, WIDE)
    assert views("pan left", picture, WIDE, **LAST)[-1] == fit_view(picture, WIDE)


@pytest.mark.parametrize("picture", [Size(512, 512), Size(600, 800), Size(1080, 1920)])
def test_the_head_of_an_upright_picture_stays_in_a_wide_frame(picture: Size):
    for view in views("", picture, WIDE)[50:]:
        eyes = 0.2 * picture.height
        assert view.y < eyes < view.y + view.height * 0.75


def test_the_default_move_goes_up_a_tall_picture_and_across_a_wide_one():
    up, across = views("", Size(1080, 1920), WIDE), views("", Size(3000, 1000), TALL)

    assert up[-1].y < up[0].y - 0.2 * up[0].height
    assert across[-1].x > across[0].x + 0.1 * across[0].width


@pytest.mark.parametrize("options", [REFERENCE, FIRST, LAST])
def test_moves_over_one_picture_are_continuous(options: dict[str, Any]):
    picture = Size(1600, 900)
    options = {"reference_count": 1, "seconds": 6, **options}
    shots = plan_shots("push in, then pan left, then tilt up", **options)

    camera_paths = plan_paths(shots, picture, WIDE)

    assert len(camera_paths) == 3
    assert all(before.end == after.start for before, after in pairwise(camera_paths))
    assert options is not FIRST or camera_paths[0].start == fit_view(picture, WIDE)
    assert options is not LAST or camera_paths[-1].end == fit_view(picture, WIDE)
