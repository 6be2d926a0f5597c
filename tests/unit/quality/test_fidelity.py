"""Fidelity: a reference in the clip is recognized; one that is not in it is unverifiable, never disproved."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from framegate.domain import Role
from framegate.media.quality import Finding, ReferenceImage, Verification
from framegate.media.quality.features import count_inliers, extract_features
from framegate.media.quality.pixels import load_image
from framegate.media.quality.similarity import (
    compare_frame,
    extract_crop_palette,
    extract_palette,
    palette_distance,
)
from framegate.media.quality.verification import verify_file
from support.clips import FPS, pan, still, write_clip


def verify_clip(path: Path, *images: Path, roles: tuple[Role, ...] = (), prompt: str = "pan") -> Verification:
    image_roles = [*roles, *[Role.REFERENCE] * len(images)]
    return verify_file(
        path,
        references=[ReferenceImage(path=path, role=image_roles[at], index=at) for at, path in enumerate(images)],
        prompt=prompt,
    )


def findings_of(verification: Verification, name: str) -> list[Finding]:
    return [finding for finding in verification.report.findings if finding.name == name]


@pytest.mark.parametrize("photo", range(5))
def test_a_reference_is_recognized_with_its_frames_times_and_colors(
    tmp_path: Path, photos: tuple[Path, ...], photo: int
):
    verified = verify_clip(write_clip(tmp_path / "a.mp4", pan(photos[photo], step=0.01)), photos[photo])

    (reference,), (palette,) = findings_of(verified, "reference"), findings_of(verified, "palette")
    assert (reference.verdict, palette.verdict) == ("pass", "pass")
    assert reference.value["inliers"] >= 8
    assert reference.value["decoy_inliers"] * 2 < reference.value["inliers"]
    assert len(reference.value["frames"]) == reference.value["frames_looked_at"] == 8
    assert reference.value["seconds"] == [[pytest.approx(0.083, abs=0.05), pytest.approx(0.95, abs=0.05)]]


@pytest.mark.parametrize("photo", range(5))
def test_a_wrong_reference_is_unverifiable_and_does_not_fail(tmp_path: Path, photos: tuple[Path, ...], photo: int):
    wrong = [photos[(photo + 1) % 5], photos[(photo + 2) % 5]]
    verified = verify_clip(write_clip(tmp_path / "a.mp4", pan(photos[photo])), *wrong)

    references, palettes = findings_of(verified, "reference"), findings_of(verified, "palette")
    assert [(finding.verdict, finding.value["inliers"]) for finding in references] == [("unverifiable", 0)] * 2
    assert all("without a learned model" in finding.sentence for finding in references)
    assert {finding.verdict for finding in palettes} <= {"unverifiable"}
    assert verified.report.verdict != "fail"


def test_each_of_several_references_is_recognized_in_its_own_time_ranges(tmp_path: Path, photos: tuple[Path, ...]):
    shots = [*pan(photos[0], frames=24), *pan(photos[1], frames=24), *pan(photos[0], frames=24)]
    first, second = findings_of(verify_clip(write_clip(tmp_path / "a.mp4", shots), photos[0], photos[1]), "reference")

    assert len(first.value["seconds"]) == 2
    ((start, end),) = second.value["seconds"]
    assert 24 / FPS <= start <= end < 48 / FPS
    assert "reference 2" not in first.sentence
    assert f"{start:.1f} to {end:.1f} s" in second.sentence


def test_the_best_matching_frame_is_shown_next_to_the_reference(tmp_path: Path, photos: tuple[Path, ...]):
    shots = [*pan(photos[1], frames=24), *pan(photos[0], frames=24)]
    (match,) = verify_clip(write_clip(tmp_path / "a.mp4", shots), photos[0]).matches

    assert (match.reference, match.role) == (0, Role.REFERENCE)
    assert match.frame >= 24
    assert match.seconds == pytest.approx(match.frame / FPS, abs=0.01)
    with Image.open(io.BytesIO(match.jpeg)) as image:
        sheet = np.asarray(image.convert("RGB"))
    left, right = sheet[8:-8, 8:368], sheet[8:-8, 376:-8]
    original = load_image(photos[0])
    assert original is not None
    assert palette_distance(extract_palette(np.ascontiguousarray(left)), extract_palette(original)) < 5
    assert count_inliers(extract_features(original), extract_features(np.ascontiguousarray(right))) >= 8


def test_a_mirrored_reference_is_a_warning(tmp_path: Path, photos: tuple[Path, ...]):
    mirrored = [np.ascontiguousarray(frame[:, ::-1]) for frame in pan(photos[2])]
    (reference,) = findings_of(verify_clip(write_clip(tmp_path / "a.mp4", mirrored), photos[2]), "reference")

    assert reference.verdict == "warn"
    assert "mirrored" in reference.sentence


def test_a_pattern_that_equals_its_mirror_image_is_unverifiable(tmp_path: Path):
    tiles = np.kron(np.indices((9, 16)).sum(axis=0) % 2, np.ones((20, 20))).astype(np.uint8) * 200 + 20
    board = tmp_path / "board.png"
    Image.fromarray(np.dstack([tiles] * 3)).filter(ImageFilter.GaussianBlur(1)).save(board)
    verified = verify_clip(write_clip(tmp_path / "a.mp4", pan(board, step=0.01)), board)

    assert findings_of(verified, "reference")[0].verdict == "unverifiable"


def test_a_plain_image_is_unverifiable_because_it_is_too_plain(tmp_path: Path, photos: tuple[Path, ...]):
    plain = tmp_path / "plain.png"
    Image.new("RGB", (640, 360), (40, 90, 160)).save(plain)
    (reference,) = findings_of(verify_clip(write_clip(tmp_path / "a.mp4", pan(photos[0])), plain), "reference")

    assert reference.verdict == "unverifiable"
    assert "too plain" in reference.sentence


def test_a_copied_style_passes_the_palette_and_does_not_prove_the_subject(tmp_path: Path, photos: tuple[Path, ...]):
    style = load_image(photos[2])
    assert style is not None
    blurred = np.asarray(cv2.resize(cv2.GaussianBlur(style, (0, 0), 25), (512, 288)), np.uint8)
    frames = [np.ascontiguousarray(blurred[at : at + 180, at * 4 : at * 4 + 320]) for at in range(24)]
    verified = verify_clip(write_clip(tmp_path / "a.mp4", frames), photos[2])

    assert findings_of(verified, "palette")[0].verdict == "pass"
    assert findings_of(verified, "reference")[0].verdict == "unverifiable"


FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)


def test_matching_first_and_last_frames_pass(tmp_path: Path, photos: tuple[Path, ...]):
    path = write_clip(tmp_path / "a.mp4", [*still(photos[0]), *pan(photos[0]), *still(photos[1])])
    verified = verify_clip(path, photos[0], photos[1], roles=FRAMES)

    (first,), (last,) = findings_of(verified, "first_frame"), findings_of(verified, "last_frame")
    assert (first.verdict, last.verdict) == ("pass", "pass")
    assert min(first.value["ssim"], last.value["ssim"]) > 0.9
    assert min(first.value["psnr"], last.value["psnr"]) > 28
    assert (first.value["frame"], last.value["frame"]) == (0, 25)
    assert [match.role for match in verified.matches] == list(FRAMES)


def test_a_loop_can_have_the_same_first_and_last_frame(tmp_path: Path, photos: tuple[Path, ...]):
    path = write_clip(tmp_path / "a.mp4", [*still(photos[0]), *pan(photos[0]), *still(photos[0])])
    verified = verify_clip(path, photos[0], photos[0], roles=FRAMES)

    findings = [*findings_of(verified, "first_frame"), *findings_of(verified, "last_frame")]
    assert [finding.verdict for finding in findings] == ["pass"] * 2


@pytest.mark.parametrize(
    ("photo_numbers", "verdict", "text"),
    [
        ((1, 0), "fail", "but the given last frame"),
        ((2, 1), "warn", "does not match the given first frame"),
    ],
)
def test_a_wrong_first_frame_is_detected(
    tmp_path: Path, photos: tuple[Path, ...], photo_numbers: tuple[int, int], verdict: str, text: str
):
    path = write_clip(tmp_path / "a.mp4", [*still(photos[0]), *pan(photos[0]), *still(photos[1])])
    (first,) = findings_of(verify_clip(path, *(photos[at] for at in photo_numbers), roles=FRAMES), "first_frame")

    assert first.verdict == verdict
    assert text in first.sentence


def test_a_first_frame_that_shows_only_a_part_of_the_image_is_a_warning(tmp_path: Path, photos: tuple[Path, ...]):
    path = write_clip(tmp_path / "a.mp4", pan(photos[0], zoom=2.2, start=0.3))
    (first,) = findings_of(verify_clip(path, photos[0], roles=FRAMES), "first_frame")

    assert first.verdict == "warn"
    assert "but not unchanged" in first.sentence


def test_an_unreadable_image_is_unverifiable(tmp_path: Path, photos: tuple[Path, ...]):
    broken = tmp_path / "broken.png"
    broken.write_bytes(photos[0].read_bytes()[:900])
    verified = verify_clip(write_clip(tmp_path / "a.mp4", pan(photos[0])), broken, tmp_path / "none.png")

    assert [finding.verdict for finding in findings_of(verified, "reference")] == ["unverifiable"] * 2
    assert verified.matches == ()


def test_masks_and_sources_are_not_searched_for(tmp_path: Path, photos: tuple[Path, ...]):
    path = write_clip(tmp_path / "a.mp4", pan(photos[0]))
    verified = verify_clip(path, photos[1], photos[2], roles=(Role.MASK, Role.SOURCE))

    assert {finding.group for finding in verified.report.findings} == {"conformance", "motion"}


@pytest.mark.parametrize("view", ["upright", "small", "rotated", "slanted", "night", "fog"])
def test_features_recognize_an_image_in_any_view(photos: tuple[Path, ...], view: str):
    image = load_image(photos[0])
    assert image is not None
    height, width = image.shape[:2]
    transformed: Any = {
        "upright": lambda: image,
        "small": lambda: cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA),
        "rotated": lambda: np.ascontiguousarray(np.rot90(image)),
        "slanted": lambda: cv2.warpPerspective(
            image, np.array([[1, 0.2, 0], [0.05, 1, 0], [2e-4, 3e-4, 1]]), (width, height)
        ),
        "night": lambda: (image * 0.15).astype(np.uint8),
        "fog": lambda: (image * 0.2 + 180).astype(np.uint8),
    }[view]()

    assert count_inliers(extract_features(image), extract_features(transformed)) > 30
    assert count_inliers(extract_features(np.ascontiguousarray(image[:, ::-1])), extract_features(transformed)) < 15


def test_an_image_matches_any_crop_of_it(photos: tuple[Path, ...]):
    image = load_image(photos[0])
    assert image is not None
    height, width = image.shape[:2]
    for top in (0, height // 4, height - width * 9 // 16):
        assert compare_frame(image, np.ascontiguousarray(image[top : top + width * 9 // 16])).ssim > 0.95
    assert compare_frame(image, np.asarray(cv2.resize(image, (640, 360)), np.uint8)).ssim > 0.9


@pytest.mark.parametrize("shape", [(2000, 4), (4, 2000), (1, 1)])
def test_an_image_of_an_extreme_shape_is_stretched_and_not_cropped(photos: tuple[Path, ...], shape: tuple[int, int]):
    strip = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for frame in (pan(photos[0], frames=1)[0], np.zeros((8, 512, 3), np.uint8)):
        assert compare_frame(strip, frame).ssim < 0.7
        assert extract_crop_palette(strip, frame)[:, 0].sum() == pytest.approx(1)
