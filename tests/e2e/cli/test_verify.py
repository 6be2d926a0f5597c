"""`framegate verify`: a video file against its pictures and prompt."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from framegate.animatic import Spec, render
from support.fake_gateway import CommandResult
from support.paths import PHOTOS

Run = Callable[..., CommandResult]
CAT, CUP = PHOTOS / "cat.png", PHOTOS / "coffee.png"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the cat to the cup."""
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    spec = Spec(
        prompt="a slow change",
        width=320,
        height=180,
        fps=24,
        frames=24,
        output=str(path),
        first_frame=str(CAT),
        last_frame=str(CUP),
    )
    render(spec)
    return path


def test_matching_pictures_pass_with_findings_by_group(run: Run, video: Path):
    result = run("verify", video, "--first-frame", CAT, "--last-frame", CUP, "-p", "a slow change")

    lines = result.out.splitlines()
    assert result.code == 0
    assert [line for line in lines if not line.startswith(" ")][:-1] == ["conformance:", "motion:", "fidelity:"]
    assert lines[-1] == f"pass: {video}"
    (first,) = [line for line in lines if " first_frame " in line]
    assert first.split()[0] == "pass"
    assert "SSIM" in first


def test_swapped_frames_fail(run: Run, video: Path):
    result = run("verify", video, "--first-frame", CUP, "--last-frame", CAT, "--json")

    verdicts = {one["name"]: one["verdict"] for one in json.loads(result.out)["findings"]}
    assert result.code == 1
    assert (verdicts["first_frame"], verdicts["last_frame"]) == ("fail", "fail")


def test_a_reference_that_is_not_found_is_unverifiable_and_not_a_failure(run: Run, video: Path):
    result = run("verify", video, "-r", f"hero={PHOTOS / 'rocket.jpg'}")

    assert result.code == 0
    assert "No part of reference 1 (@hero) is found" in result.out
    assert result.out.splitlines()[-1] == f"pass: {video} (2 could not be verified)"


def test_the_best_matches_are_saved(run: Run, video: Path, folder: Path):
    result = run("verify", video, "-r", CUP, "--matches", folder, "--json")

    (match,) = json.loads(result.out)["matches"]
    assert (match["reference"], match["path"]) == (0, str(folder / "a-match-0.jpg"))
    assert (folder / "a-match-0.jpg").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-r", "none.png"), 4, "File not found: none.png. References must be local files."),
        (("--first-frame", "page.png"), 3, "page.png: The file is a web page, not an image."),
        (("--matches", "nowhere"), 2, "Folder not found: nowhere"),
    ],
)
def test_files_that_cannot_be_compared_are_reported(
    run: Run, video: Path, folder: Path, arguments: tuple[str, ...], code: int, said: str
):
    (folder / "page.png").write_text("<!doctype html><title>Sign in</title>", encoding="utf-8")
    result = run("verify", video, *arguments)

    assert result.code == code
    assert said in result.err
