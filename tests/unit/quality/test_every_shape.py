"""Quality reports of videos of any frame size, including those whose decoded rows are padded."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from framegate.domain import Role, Target
from framegate.media.quality import ReferenceImage
from framegate.media.quality.verification import verify_file
from support.tiny_video import make_video

sides = st.integers(16, 540).map(lambda half: half * 2)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(width=sides, height=sides)
@example(width=480, height=832)
@example(width=704, height=1280)
@example(width=768, height=1344)
@example(width=512, height=896)
@example(width=854, height=480)
@example(width=1120, height=480)
def test_a_file_of_any_frame_size_is_measured_and_compared_with_its_references(
    width: int, height: int, tmp_path: Path, photos: tuple[Path, ...]
):
    target = Target(width=width, height=height, fps=24, duration=1, audio=False, seed=None)
    references = [
        ReferenceImage(path=photos[0], role=role, index=0, name=None) for role in (Role.FIRST_FRAME, Role.REFERENCE)
    ]
    path = make_video(tmp_path / "a.mp4", frames=5, width=width, height=height)

    verified = verify_file(path, target, references=references)

    assert verified.report.playable
    assert (verified.width, verified.height) == (width, height)
    assert verified.poster_jpeg


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_file_with_rotation_metadata_is_measured_too(rotation: int, tmp_path: Path):
    target = Target(width=480, height=832, fps=24, duration=1, audio=False, seed=None)
    assert verify_file(make_video(tmp_path / "a.mp4", width=832, height=480, rotation=rotation), target).report.playable
