"""Light, grade, weather and film effects measured in the frames."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest

from framegate.animatic.effects.film import FLICKER_MAX
from framegate.animatic.picture import planes as pictures
from framegate.animatic.picture.palette import Palette
from framegate.animatic.picture.planes import Planes
from framegate.animatic.plan.shots import Move, Plan, Role, Shot
from framegate.animatic.prompt.scene import Grade, Light, Look, Weather

Draw = Callable[..., list[Planes]]
Make = Callable[..., Shot]


def drawn(frames: Draw, shot: Make, photo: str, look: Look, **values: object):
    return frames(Plan(shots=(shot(),), look=look), references=(photo,), **values)


def color(planes: Planes):
    """Mean luma, and blue and red difference from gray."""
    return np.array([planes.y.mean(), planes.u.mean() - 128, planes.v.mean() - 128])


@pytest.fixture
def plain(frames: Draw, shot: Make, cat: str):
    return drawn(frames, shot, cat, Look())[5]


def test_night_is_dark_and_blue(frames: Draw, shot: Make, cat: str, plain: Planes):
    night = color(drawn(frames, shot, cat, Look(light=(Light.NIGHT,)))[5])

    assert night[0] < 0.6 * color(plain)[0]
    assert night[1] > color(plain)[1]


def test_a_dark_picture_stays_visible_at_night(frames: Draw, shot: Make, rocket: str):
    day, night = (drawn(frames, shot, rocket, look)[5] for look in (Look(), Look(light=(Light.NIGHT,))))

    assert night.y.std() > 0.4 * day.y.std()


@pytest.mark.parametrize(
    ("look", "warmer"),
    [
        (Look(light=(Light.GOLDEN_HOUR,)), True),
        (Look(grade=(Grade.WARM,)), True),
        (Look(grade=(Grade.SEPIA,)), True),
        (Look(grade=(Grade.COLD,)), False),
        (Look(light=(Light.OVERCAST,)), False),
    ],
)
def test_warm_looks_are_warmer_and_cold_ones_colder(frames: Draw, shot: Make, stars: str, look: Look, warmer: bool):
    before, after = (color(drawn(frames, shot, stars, one)[5]) for one in (Look(), look))

    balance = (after[2] - after[1]) - (before[2] - before[1])
    assert balance > 0.2 if warmer else balance < 0.2


def test_black_and_white_has_no_color(frames: Draw, shot: Make, coffee: str):
    grey = drawn(frames, shot, coffee, Look(grade=(Grade.BLACK_AND_WHITE,)))[5]

    assert np.abs(grey.u.astype(int) - 128).max() <= 1
    assert np.abs(grey.v.astype(int) - 128).max() <= 1


def test_vivid_has_more_color_and_faded_less(frames: Draw, shot: Make, cat: str, plain: Planes):
    vivid, faded = (drawn(frames, shot, cat, Look(grade=(one,)))[5] for one in (Grade.VIVID, Grade.FADED))

    assert vivid.v.std() > plain.v.std() > faded.v.std()


def test_fog_hides_distant_objects_more_than_near_ones(frames: Draw, shot: Make, astronaut: str):
    clear, foggy = (drawn(frames, shot, astronaut, look)[5] for look in (Look(), Look(weather=((Weather.FOG, 0.6),))))

    def detail_ratio(part: tuple[slice, slice]):
        return foggy.y[part].std() / clear.y[part].std()

    assert detail_ratio(np.s_[40:160, 110:190]) > detail_ratio(np.s_[20:140, 250:310])  # the astronaut, and the model


def test_depth_of_field_blurs_the_surroundings_and_not_the_subject(frames: Draw, shot: Make, astronaut: str):
    sharp, soft = (drawn(frames, shot, astronaut, look)[5] for look in (Look(), Look(blur=1.0)))

    def detail_ratio(part: tuple[slice, slice]):
        detail = [float(cv2.Laplacian(one.y[part], cv2.CV_32F).var()) for one in (soft, sharp)]
        return detail[0] / detail[1]

    assert detail_ratio(np.s_[20:140, 260:320]) < 0.4
    assert detail_ratio(np.s_[50:120, 110:170]) > 0.8


@pytest.mark.parametrize("weather", [Weather.RAIN, Weather.SNOW, Weather.DUST, Weather.EMBERS])
def test_weather_moves_and_depends_only_on_its_seed(frames: Draw, shot: Make, rocket: str, weather: Weather):
    look = Look(weather=((weather, 0.8),))
    first, again, other = (drawn(frames, shot, rocket, look, seed=seed) for seed in (1, 1, 2))

    assert all((a.y == b.y).all() for a, b in zip(first, again, strict=True))
    assert (first[5].y != other[5].y).mean() > 0.003
    assert (first[5].y != first[6].y).mean() > 0.003


def test_snow_falls_and_embers_rise(frames: Draw, shot: Make, stars: str):
    def fall(weather: Weather):
        clip = drawn(frames, shot, stars, Look(weather=((weather, 1.0),)), fps=30)
        base = np.min([one.y for one in clip], axis=0).astype(np.float32)
        window = cv2.createHanningWindow((320, 180), cv2.CV_32F)
        return np.median([cv2.phaseCorrelate(a.y - base, b.y - base, window)[0][1] for a, b in pairwise(clip)])

    assert fall(Weather.SNOW) > 0.2
    assert fall(Weather.EMBERS) < -0.2


def test_flicker_stays_below_the_limits_for_flashes(frames: Draw, shot: Make, astronaut: str):
    clip = frames(Plan(shots=(shot(end=4.0),), look=Look(flicker=1.0)), references=(astronaut,), fps=24, frames=96)

    light = np.array([one.y.mean() - 16 for one in clip]) / 219
    assert 0.005 < np.ptp(light) < FLICKER_MAX < 0.1  # a flash is 10 % or more
    turns = np.flatnonzero(np.diff(np.sign(np.diff(light))))
    assert len(turns) / 2 / 4 <= 3  # flashes per second


def test_grain_changes_only_the_brightness_and_differs_in_each_frame(frames: Draw, shot: Make, cat: str):
    clean, grainy = (drawn(frames, shot, cat, Look(grain=one)) for one in (0.0, 1.0))

    noise = [b.y.astype(int) - a.y for a, b in zip(clean, grainy, strict=True)]
    assert 1 < noise[3].std() < 8
    assert abs(noise[3].mean()) < 0.5
    assert (clean[3].u == grainy[3].u).all()
    assert abs(np.corrcoef(noise[3].ravel(), noise[4].ravel())[0, 1]) < 0.05


def test_a_vignette_darkens_only_the_corners(frames: Draw, shot: Make, coffee: str):
    clean, shaded = (drawn(frames, shot, coffee, Look(vignette=one))[5].y for one in (0.0, 1.0))

    assert shaded[:20, :20].mean() - 16 < 0.6 * (clean[:20, :20].mean() - 16)
    assert abs(shaded[80:100, 150:170].mean() - clean[80:100, 150:170].mean()) < 1.5


def test_a_first_frame_stays_exact_and_the_look_fades_in_after_it(frames: Draw, shot: Make, rocket: str):
    look = Look(light=(Light.NIGHT,), weather=((Weather.SNOW, 1.0),), vignette=1.0, grain=1.0)
    opens = shot(Move.PUSH_IN, role=Role.FIRST_FRAME, handheld=1.0)
    plain, dressed = (
        frames(Plan(shots=(opens,), look=one), first_frame=rocket, fps=24, frames=24) for one in (Look(), look)
    )

    assert (plain[0].y == dressed[0].y).all()
    levels = [float(one.y.mean()) for one in dressed]
    assert levels[-1] < 0.92 * levels[0]
    assert max(abs(b - a) for a, b in pairwise(levels)) < 6  # without a jump


def test_a_style_transfers_its_palette(frames: Draw, shot: Make, rocket: str, coffee: str):
    plan = Plan(shots=(shot(),))
    original, transferred = (frames(plan, references=(rocket,), style=style)[5] for style in (None, coffee))
    target = frames(plan, references=(coffee,))[5]

    def distance(planes: Planes):
        return np.abs(color(planes) - color(target)).sum()

    assert distance(transferred) < 0.35 * distance(original)


def test_a_palette_transferred_to_itself_changes_nothing(cat: str):
    original = Palette.of(pictures.load(cat))

    assert np.abs(original.transfer_matrix(original) - np.eye(3, 4)).max() < 1e-4
