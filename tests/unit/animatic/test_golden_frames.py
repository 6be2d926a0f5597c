"""Golden frames: frames against reviewed brightness values, with a tolerance for libraries and codecs."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from framegate.animatic import Spec, render
from framegate.animatic.picture.planes import Planes

GOLDEN = Path(__file__).parent / "data" / "golden_frames.json"
TILES = (16, 9)
LEVELS_OFF_MAX = 2.0  # of brightness, on average over the tiles of a frame
CLIPS = {
    "push-in": {"prompt": "slow push-in", "photos": ("astronaut",)},
    "orbit at night": {"prompt": "orbit left at night, handheld", "photos": ("rocket",)},
    "snow": {"prompt": "locked-off, heavy snow", "photos": ("coffee",)},
    "two shots": {"prompt": "pan right, then a close-up", "photos": ("cat", "rocket")},
}


def tiles(luma: np.ndarray):
    return np.asarray(cv2.resize(luma, TILES, interpolation=cv2.INTER_AREA), int)


@pytest.mark.parametrize("name", CLIPS)
def test_a_video_matches_its_golden_frames(
    spec: Callable[..., Spec], photos: list[str], decoded: Callable[[str], list[np.ndarray]], name: str
):
    by_name = {Path(path).stem: path for path in photos}
    request = CLIPS[name]
    video_spec = spec(
        prompt=request["prompt"], references=tuple(by_name[photo] for photo in request["photos"]), frames=24, seed=5
    )

    clip = decoded(render(video_spec).path)

    golden = json.loads(GOLDEN.read_text())[name]
    for at, expected in golden.items():
        off = np.abs(tiles(clip[int(at)]) - np.array(expected)).mean()
        assert off < LEVELS_OFF_MAX, f"frame {at} is {off:.1f} levels off"


@pytest.mark.parametrize(
    "prompt", ["slow push-in", "orbit right at golden hour", "truck left, faded, handheld", "roll left in thick fog"]
)
def test_videos_have_no_flicker_and_no_jerks(frames: Callable[..., list[Planes]], photos: list[str], prompt: str):
    for photo in photos:
        clip = [planes.y.astype(float) for planes in frames(prompt=prompt, references=(photo,), fps=24, frames=48)]

        light = np.array([luma.mean() for luma in clip])
        assert np.abs(np.diff(light, 2)).max() < 0.6, photo  # levels
        change = np.array([np.abs(b - a).mean() for a, b in pairwise(clip)])
        assert np.abs(np.diff(change)).max() < 0.35 * change.max() + 0.2, photo
