"""Length and file size of video and audio references."""

import pytest

from framegate import catalogue
from framegate.catalogue.rules import clips
from framegate.catalogue.rules.clips import Measured
from framegate.domain import Kind, Reference, Request

SEEDANCE = "bytedance/seedance-2.0"  # videos: from 2 s, 15 s in total, 50 MB each; audio: 15 s in total, 15 MB each


def codes(*files: tuple[Kind, float | None, int]) -> list[tuple[str, str, object]]:
    model = catalogue.builtin().get(SEEDANCE)
    assert model is not None
    request = Request(
        model=SEEDANCE,
        references=tuple(Reference(url=f"https://x.test/{n}", kind=kind) for n, (kind, _, _) in enumerate(files)),
    )
    measured = [Measured(size_bytes=size, seconds=seconds) for _, seconds, size in files]
    problems = clips.problems(request, measured, model.limits, model.id)
    return [(problem.code, problem.pointer, problem.nearest) for problem in problems]


@pytest.mark.parametrize("seconds", [1.95, 2.0, 14.9, 15.0, 15.04, None])
def test_a_clip_of_supported_length_has_no_problem(seconds: float | None):
    assert codes((Kind.VIDEO, seconds, 1_000_000)) == []


def test_a_clip_that_is_too_short_or_too_large_is_reported_with_the_limit():
    assert codes((Kind.IMAGE, None, 1), (Kind.VIDEO, 1.2, 60_000_000)) == [
        ("clip_length_unsupported", "/references/1", 2),
        ("reference_too_large", "/references/1", 50_000_000),
    ]


def test_clips_can_be_too_long_in_total_while_each_is_supported():
    assert codes((Kind.VIDEO, 8.0, 1), (Kind.VIDEO, 8.0, 1)) == [("clip_length_unsupported", "/references/1", 15)]
    assert codes((Kind.VIDEO, 8.0, 1), (Kind.AUDIO, 8.0, 1)) == []
    assert codes((Kind.AUDIO, 8.0, 1), (Kind.AUDIO, 8.0, 1)) == [("clip_length_unsupported", "/references/1", 15)]


def test_an_image_has_no_length():
    assert codes((Kind.IMAGE, None, 10**9)) == []
