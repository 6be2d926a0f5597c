"""Motion: findings about good clips, and about every kind of faulty motion."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from framegate.media.quality import Finding, ReferenceImage, Verdict
from framegate.media.quality.verification import verify_file
from support.clips import Pixels, dissolve, pan, write_clip

Frames = list[Pixels]


def motion_of(path: Path, prompt: str | None = "a slow pan", references: int = 1) -> dict[str, Finding]:
    missing = [ReferenceImage(path=path.with_name("none.png"), index=index) for index in range(references)]
    report = verify_file(path, references=missing, prompt=prompt).report
    return {finding.name: finding for finding in report.findings if finding.group == "motion"}


def not_passed(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: str(finding.verdict) for name, finding in findings.items() if finding.verdict is not Verdict.PASS}


def flickering(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [
        np.clip(frame.astype(int) + (18 if index % 2 else -18), 0, 255).astype(np.uint8)
        for index, frame in enumerate(frames)
    ]


def shuffled(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return random.Random(1).sample(frames, len(frames))


def noise(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 256, frame.shape, np.uint8) for frame in frames]


def half_black(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [*frames[:12], *[np.zeros_like(frames[0])] * 12]


def half_gray(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [*frames[:12], *[np.full_like(frames[0], 120)] * 12]


def cut(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [*frames[:12], *pan(photos[1])[12:]]


def frozen(frames: Frames, photos: tuple[Path, ...]) -> Frames:
    return [frames[5]] * 24


@pytest.mark.parametrize("photo", range(5))
def test_a_moving_camera_passes_every_check(tmp_path: Path, photos: tuple[Path, ...], photo: int):
    for step in (0.002, 0.03):
        assert not_passed(motion_of(write_clip(tmp_path / "a.mp4", pan(photos[photo], step=step)))) == {}


@pytest.mark.parametrize(
    ("break_frames", "expected"),
    [
        (frozen, {"frozen": "warn"}),
        (half_black, {"black": "warn", "cuts": "warn"}),
        (half_gray, {"flat": "warn", "cuts": "warn"}),
        (flickering, {"flicker": "warn"}),
        (shuffled, {"jerk": "warn"}),
        (noise, {"jerk": "warn", "noise": "warn"}),
        (cut, {"cuts": "warn"}),
    ],
)
def test_each_fault_results_in_its_own_finding(
    tmp_path: Path,
    photos: tuple[Path, ...],
    break_frames: Callable[[Frames, tuple[Path, ...]], Frames],
    expected: dict[str, str],
):
    findings = motion_of(write_clip(tmp_path / "a.mp4", break_frames(pan(photos[0], step=0.004), photos)))

    assert not_passed(findings) == expected
    for finding in findings.values():
        assert finding.sentence.endswith(".")
        assert finding.expected
        assert finding.value is not None


@pytest.mark.parametrize(
    ("break_frames", "prompt", "name", "word"),
    [
        (frozen, "a locked-off shot of the cup", "frozen", "locked-off"),
        (frozen, "she stands perfectly still", "frozen", "still"),
        (half_black, "fade to black", "black", "fade to black"),
        (flickering, "lightning over the sea", "flicker", "lightning"),
        (cut, "first the cat, then the cup", "cuts", "then"),
        (noise, "old tape, full of grain", "noise", "grain"),
    ],
)
def test_what_the_prompt_asks_for_passes_and_the_sentence_quotes_it(
    tmp_path: Path,
    photos: tuple[Path, ...],
    break_frames: Callable[[Frames, tuple[Path, ...]], Frames],
    prompt: str,
    name: str,
    word: str,
):
    finding = motion_of(write_clip(tmp_path / "a.mp4", break_frames(pan(photos[0], step=0.004), photos)), prompt)[name]

    assert finding.verdict == "pass"
    assert f"\u201c{word}\u201d" in finding.sentence


def test_a_still_with_coding_noise_is_frozen(tmp_path: Path, photos: tuple[Path, ...]):
    findings = motion_of(write_clip(tmp_path / "a.mp4", [pan(photos[1])[0]] * 36, crf=38))

    assert findings["frozen"].verdict == "warn"
    assert findings["frozen"].value == 1


def test_cuts_between_the_images_of_a_request_are_expected_and_more_are_not(tmp_path: Path, photos: tuple[Path, ...]):
    shots = [*pan(photos[0], frames=12), *pan(photos[1], frames=12), *pan(photos[2], frames=12)]
    path = write_clip(tmp_path / "a.mp4", shots)

    assert motion_of(path, references=3)["cuts"].verdict == "pass"
    assert motion_of(path, references=2)["cuts"].verdict == "warn"
    assert motion_of(path, references=2)["cuts"].value == {"cuts": 2, "frames": [12, 24]}
    assert motion_of(path, "one continuous take, then closer", references=1)["cuts"].verdict == "warn"


def test_without_a_request_cuts_are_unverifiable(tmp_path: Path, photos: tuple[Path, ...]):
    path = write_clip(tmp_path / "a.mp4", cut(pan(photos[0]), photos))

    assert motion_of(path, None, references=0)["cuts"].verdict == "unverifiable"


def test_dissolves_and_flashes_are_not_cuts(tmp_path: Path, photos: tuple[Path, ...]):
    dissolving = dissolve(pan(photos[0]), pan(photos[1]), 10)
    flash = pan(photos[0])
    flash[11] = np.full_like(flash[11], 255)

    assert motion_of(write_clip(tmp_path / "a.mp4", dissolving))["cuts"].value == {"cuts": 0, "frames": []}
    assert motion_of(write_clip(tmp_path / "b.mp4", flash))["cuts"].value == {"cuts": 0, "frames": []}


@pytest.mark.parametrize("frames", [1, 2])
def test_too_few_frames_are_unverifiable(tmp_path: Path, photos: tuple[Path, ...], frames: int):
    findings = motion_of(write_clip(tmp_path / "a.mp4", pan(photos[0], frames=frames)))

    assert {"frozen", "flicker", "jerk"} <= not_passed(findings).keys()
    assert set(not_passed(findings).values()) == {"unverifiable"}
