"""Fidelity: a reference that is in the clip is found and shown; one that is not is never said to be disproved."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from framegate.domain import Role
from framegate.media.quality import Finding, ReferencePicture, Verified, verify
from framegate.media.quality.features import features, inliers
from framegate.media.quality.likeness import as_frame, palette, palette_distance, part_palette
from framegate.media.quality.pictures import load
from support.clips import FPS, pan, whole, write


def judged(path: Path, *pictures: Path, roles: tuple[Role, ...] = (), prompt: str = "pan") -> Verified:
    named = [*roles, *[Role.REFERENCE] * len(pictures)]
    return verify(
        path,
        references=[ReferencePicture(path=one, role=named[at], index=at) for at, one in enumerate(pictures)],
        prompt=prompt,
    )


def found(verified: Verified, name: str) -> list[Finding]:
    return [finding for finding in verified.report.findings if finding.name == name]


@pytest.mark.parametrize("photo", range(5))
def test_a_reference_is_found_with_its_place_its_frames_and_its_colours(
    tmp_path: Path, photos: tuple[Path, ...], photo: int
):
    verified = judged(write(tmp_path / "a.mp4", pan(photos[photo], step=0.01)), photos[photo])

    (reference,), (colours,) = found(verified, "reference"), found(verified, "palette")
    assert (reference.verdict, colours.verdict) == ("pass", "pass")
    assert reference.value["inliers"] >= 8
    assert reference.value["decoy_inliers"] * 2 < reference.value["inliers"]
    assert len(reference.value["frames"]) == reference.value["frames_looked_at"] == 8
    assert reference.value["seconds"] == [[pytest.approx(0.083, abs=0.05), pytest.approx(0.95, abs=0.05)]]


@pytest.mark.parametrize("photo", range(5))
def test_a_wrong_reference_cannot_be_verified_and_is_not_failed(tmp_path: Path, photos: tuple[Path, ...], photo: int):
    wrong = [photos[(photo + 1) % 5], photos[(photo + 2) % 5]]
    verified = judged(write(tmp_path / "a.mp4", pan(photos[photo])), *wrong)

    assert [(one.verdict, one.value["inliers"]) for one in found(verified, "reference")] == [("unverifiable", 0)] * 2
    assert all("without a learned model" in one.sentence for one in found(verified, "reference"))
    assert not [one for one in found(verified, "palette") if one.verdict != "unverifiable"]
    assert verified.report.verdict != "fail"


def test_each_of_several_references_is_found_where_it_is(tmp_path: Path, photos: tuple[Path, ...]):
    shots = [*pan(photos[0], frames=24), *pan(photos[1], frames=24), *pan(photos[0], frames=24)]
    first, second = found(judged(write(tmp_path / "a.mp4", shots), photos[0], photos[1]), "reference")

    assert len(first.value["seconds"]) == 2
    ((start, end),) = second.value["seconds"]
    assert 24 / FPS <= start <= end < 48 / FPS
    assert "reference 2" not in first.sentence
    assert f"{start:.1f} to {end:.1f} s" in second.sentence


def test_the_frame_that_matches_best_is_kept_with_the_reference_beside_it(tmp_path: Path, photos: tuple[Path, ...]):
    shots = [*pan(photos[1], frames=24), *pan(photos[0], frames=24)]
    (match,) = judged(write(tmp_path / "a.mp4", shots), photos[0]).matches

    assert (match.reference, match.role) == (0, Role.REFERENCE)
    assert match.frame >= 24
    assert match.seconds == pytest.approx(match.frame / FPS, abs=0.01)
    with Image.open(io.BytesIO(match.jpeg)) as image:
        sheet = np.asarray(image.convert("RGB"))
    left, right = sheet[8:-8, 8:368], sheet[8:-8, 376:-8]
    original = load(photos[0])
    assert original is not None
    assert palette_distance(palette(np.ascontiguousarray(left)), palette(original)) < 5
    assert inliers(features(original), features(np.ascontiguousarray(right))) >= 8


def test_a_mirrored_reference_is_told_from_the_right_one(tmp_path: Path, photos: tuple[Path, ...]):
    mirrored = [np.ascontiguousarray(one[:, ::-1]) for one in pan(photos[2])]
    (reference,) = found(judged(write(tmp_path / "a.mp4", mirrored), photos[2]), "reference")

    assert reference.verdict == "warn"
    assert "mirrored" in reference.sentence


def test_a_pattern_that_is_its_own_mirror_image_proves_nothing(tmp_path: Path):
    tiles = np.kron(np.indices((9, 16)).sum(axis=0) % 2, np.ones((20, 20))).astype(np.uint8) * 200 + 20
    board = tmp_path / "board.png"
    Image.fromarray(np.dstack([tiles] * 3)).filter(ImageFilter.GaussianBlur(1)).save(board)
    verified = judged(write(tmp_path / "a.mp4", pan(board, step=0.01)), board)

    assert found(verified, "reference")[0].verdict == "unverifiable"


def test_a_plain_picture_is_said_to_be_too_plain(tmp_path: Path, photos: tuple[Path, ...]):
    plain = tmp_path / "plain.png"
    Image.new("RGB", (640, 360), (40, 90, 160)).save(plain)
    (reference,) = found(judged(write(tmp_path / "a.mp4", pan(photos[0])), plain), "reference")

    assert reference.verdict == "unverifiable"
    assert "too plain" in reference.sentence


def test_a_borrowed_style_is_seen_in_the_colours_and_proves_no_subject(tmp_path: Path, photos: tuple[Path, ...]):
    style = load(photos[2])
    assert style is not None
    blurred = cv2.resize(cv2.GaussianBlur(style, (0, 0), 25), (512, 288))
    frames = [np.ascontiguousarray(blurred[at : at + 180, at * 4 : at * 4 + 320]) for at in range(24)]
    verified = judged(write(tmp_path / "a.mp4", frames), photos[2])

    assert found(verified, "palette")[0].verdict == "pass"
    assert found(verified, "reference")[0].verdict == "unverifiable"


FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)


def test_first_and_last_frame_are_met(tmp_path: Path, photos: tuple[Path, ...]):
    path = write(tmp_path / "a.mp4", [*whole(photos[0]), *pan(photos[0]), *whole(photos[1])])
    verified = judged(path, photos[0], photos[1], roles=FRAMES)

    (first,), (last,) = found(verified, "first_frame"), found(verified, "last_frame")
    assert (first.verdict, last.verdict) == ("pass", "pass")
    assert min(first.value["ssim"], last.value["ssim"]) > 0.9
    assert min(first.value["psnr"], last.value["psnr"]) > 28
    assert (first.value["frame"], last.value["frame"]) == (0, 25)
    assert [match.role for match in verified.matches] == list(FRAMES)


def test_a_loop_begins_and_ends_with_one_picture(tmp_path: Path, photos: tuple[Path, ...]):
    path = write(tmp_path / "a.mp4", [*whole(photos[0]), *pan(photos[0]), *whole(photos[0])])
    verified = judged(path, photos[0], photos[0], roles=FRAMES)

    assert [one.verdict for one in (*found(verified, "first_frame"), *found(verified, "last_frame"))] == ["pass"] * 2


@pytest.mark.parametrize(
    ("given", "verdict", "said"),
    [
        ((1, 0), "fail", "but the picture given as the last frame"),
        ((2, 1), "warn", "is not the picture given as the first frame as it stands"),
    ],
)
def test_other_pictures_in_their_place_are_noticed(
    tmp_path: Path, photos: tuple[Path, ...], given: tuple[int, int], verdict: str, said: str
):
    path = write(tmp_path / "a.mp4", [*whole(photos[0]), *pan(photos[0]), *whole(photos[1])])
    (first,) = found(judged(path, *(photos[at] for at in given), roles=FRAMES), "first_frame")

    assert first.verdict == verdict
    assert said in first.sentence


def test_a_frame_that_shows_only_a_part_of_its_picture_is_noticed(tmp_path: Path, photos: tuple[Path, ...]):
    path = write(tmp_path / "a.mp4", pan(photos[0], zoom=2.2, start=0.3))
    (first,) = found(judged(path, photos[0], roles=FRAMES), "first_frame")

    assert first.verdict == "warn"
    assert "but not as it stands" in first.sentence


def test_a_picture_that_cannot_be_read_is_a_finding(tmp_path: Path, photos: tuple[Path, ...]):
    broken = tmp_path / "broken.png"
    broken.write_bytes(photos[0].read_bytes()[:900])
    verified = judged(write(tmp_path / "a.mp4", pan(photos[0])), broken, tmp_path / "none.png")

    assert [one.verdict for one in found(verified, "reference")] == ["unverifiable"] * 2
    assert verified.matches == ()


def test_masks_and_sources_are_not_looked_for(tmp_path: Path, photos: tuple[Path, ...]):
    path = write(tmp_path / "a.mp4", pan(photos[0]))
    verified = judged(path, photos[1], photos[2], roles=(Role.MASK, Role.SOURCE))

    assert {finding.group for finding in verified.report.findings} == {"conformance", "motion"}


@pytest.mark.parametrize("turn", ["upright", "small", "turned", "slanted", "night", "fog"])
def test_features_find_a_picture_however_it_is_shown(photos: tuple[Path, ...], turn: str):
    picture = load(photos[0])
    assert picture is not None
    height, width = picture.shape[:2]
    shown: Any = {
        "upright": lambda: picture,
        "small": lambda: cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA),
        "turned": lambda: np.ascontiguousarray(np.rot90(picture)),
        "slanted": lambda: cv2.warpPerspective(
            picture, np.array([[1, 0.2, 0], [0.05, 1, 0], [2e-4, 3e-4, 1]]), (width, height)
        ),
        "night": lambda: (picture * 0.15).astype(np.uint8),
        "fog": lambda: (picture * 0.2 + 180).astype(np.uint8),
    }[turn]()

    assert inliers(features(picture), features(shown)) > 30
    assert inliers(features(np.ascontiguousarray(picture[:, ::-1])), features(shown)) < 15


def test_a_picture_is_met_wherever_its_shape_was_cropped(photos: tuple[Path, ...]):
    picture = load(photos[0])
    assert picture is not None
    height, width = picture.shape[:2]
    for top in (0, height // 4, height - width * 9 // 16):
        assert as_frame(picture, np.ascontiguousarray(picture[top : top + width * 9 // 16])).ssim > 0.95
    assert as_frame(picture, cv2.resize(picture, (640, 360))).ssim > 0.9


@pytest.mark.parametrize("shape", [(2000, 4), (4, 2000), (1, 1)])
def test_a_picture_of_a_shape_beyond_all_measure_is_stretched_and_not_searched(
    photos: tuple[Path, ...], shape: tuple[int, int]
):
    strip = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for frame in (pan(photos[0], frames=1)[0], np.zeros((8, 512, 3), np.uint8)):
        assert as_frame(strip, frame).ssim < 0.7
        assert part_palette(strip, frame)[:, 0].sum() == pytest.approx(1)
