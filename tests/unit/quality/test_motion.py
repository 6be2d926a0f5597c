"""Motion: what is said of a moving picture, and of every way in which one goes wrong."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from framegate.media.quality import Finding, ReferencePicture, Verdict, verify
from support.clips import Pixels, dissolve, pan, write

Frames = list[Pixels]


def motion(path: Path, prompt: str | None = "a slow pan", references: int = 1) -> dict[str, Finding]:
    nowhere = [ReferencePicture(path=path.with_name("none.png"), index=index) for index in range(references)]
    report = verify(path, references=nowhere, prompt=prompt).report
    return {finding.name: finding for finding in report.findings if finding.group == "motion"}


def odd(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: str(finding.verdict) for name, finding in findings.items() if finding.verdict is not Verdict.PASS}


def flickering(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [
        np.clip(one.astype(int) + (18 if at % 2 else -18), 0, 255).astype(np.uint8) for at, one in enumerate(frames)
    ]


def shuffled(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return random.Random(1).sample(frames, len(frames))


def noise(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    chance = np.random.default_rng(1)
    return [chance.integers(0, 256, one.shape, np.uint8) for one in frames]


def half_black(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [*frames[:12], *[np.zeros_like(frames[0])] * 12]


def half_grey(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [*frames[:12], *[np.full_like(frames[0], 120)] * 12]


def cut(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [*frames[:12], *pan(photos[1])[12:]]


def frozen(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [frames[5]] * 24


@pytest.mark.parametrize("photo", range(5))
def test_a_moving_camera_passes_every_check(tmp_path: Path, photos: tuple[Path, ...], photo: int):
    for step in (0.002, 0.03):
        assert odd(motion(write(tmp_path / "a.mp4", pan(photos[photo], step=step)))) == {}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (frozen, {"frozen": "warn"}),
        (half_black, {"black": "warn", "cuts": "warn"}),
        (half_grey, {"flat": "warn", "cuts": "warn"}),
        (flickering, {"flicker": "warn"}),
        (shuffled, {"jerk": "warn"}),
        (noise, {"jerk": "warn", "noise": "warn"}),
        (cut, {"cuts": "warn"}),
    ],
)
def test_each_fault_is_noticed_and_called_by_its_name(
    tmp_path: Path,
    photos: tuple[Path, ...],
    spoil: Callable[[Frames, tuple[Path, ...]], Frames],
    expected: dict[str, str],
):
    found = motion(write(tmp_path / "a.mp4", spoil(pan(photos[0], step=0.004), photos)))

    assert odd(found) == expected
    for finding in found.values():
        assert finding.sentence.endswith(".")
        assert finding.expected
        assert finding.value is not None


@pytest.mark.parametrize(
    ("spoil", "prompt", "name", "word"),
    [
        (frozen, "a locked-off shot of the cup", "frozen", "locked-off"),
        (frozen, "she stands perfectly still", "frozen", "still"),
        (half_black, "fade to black", "black", "fade to black"),
        (flickering, "lightning over the sea", "flicker", "lightning"),
        (cut, "first the cat, then the cup", "cuts", "then"),
        (noise, "old tape, full of grain", "noise", "grain"),
    ],
)
def test_what_the_prompt_asks_for_is_no_fault_and_the_sentence_says_so(
    tmp_path: Path,
    photos: tuple[Path, ...],
    spoil: Callable[[Frames, tuple[Path, ...]], Frames],
    prompt: str,
    name: str,
    word: str,
):
    finding = motion(write(tmp_path / "a.mp4", spoil(pan(photos[0], step=0.004), photos)), prompt)[name]

    assert finding.verdict == "pass"
    assert f"\u201c{word}\u201d" in finding.sentence


def test_a_still_coarsely_coded_is_still_a_still(tmp_path: Path, photos: tuple[Path, ...]):
    found = motion(write(tmp_path / "a.mp4", [pan(photos[1])[0]] * 36, crf=38))

    assert found["frozen"].verdict == "warn"
    assert found["frozen"].value == 1


def test_cuts_between_the_pictures_of_a_request_are_expected_and_one_more_is_not(
    tmp_path: Path, photos: tuple[Path, ...]
):
    three = [*pan(photos[0], frames=12), *pan(photos[1], frames=12), *pan(photos[2], frames=12)]
    path = write(tmp_path / "a.mp4", three)

    assert motion(path, references=3)["cuts"].verdict == "pass"
    assert motion(path, references=2)["cuts"].verdict == "warn"
    assert motion(path, references=2)["cuts"].value == {"cuts": 2, "frames": [12, 24]}
    assert motion(path, "one continuous take, then closer", references=1)["cuts"].verdict == "warn"


def test_without_any_request_nobody_knows_whether_a_cut_was_asked_for(tmp_path: Path, photos: tuple[Path, ...]):
    path = write(tmp_path / "a.mp4", cut(pan(photos[0]), photos))

    assert motion(path, None, references=0)["cuts"].verdict == "unverifiable"


def test_dissolves_and_flashes_are_no_cuts(tmp_path: Path, photos: tuple[Path, ...]):
    joined = dissolve(pan(photos[0]), pan(photos[1]), 10)
    flash = pan(photos[0])
    flash[11] = np.full_like(flash[11], 255)

    assert motion(write(tmp_path / "a.mp4", joined))["cuts"].value == {"cuts": 0, "frames": []}
    assert motion(write(tmp_path / "b.mp4", flash))["cuts"].value == {"cuts": 0, "frames": []}


@pytest.mark.parametrize("frames", [1, 2])
def test_of_too_few_frames_nothing_is_claimed(tmp_path: Path, photos: tuple[Path, ...], frames: int):
    found = motion(write(tmp_path / "a.mp4", pan(photos[0], frames=frames)))

    assert {"frozen", "flicker", "jerk"} <= odd(found).keys()
    assert set(odd(found).values()) == {"unverifiable"}
