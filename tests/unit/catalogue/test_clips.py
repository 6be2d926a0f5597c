"""Videos and sounds among the references, held against what the model takes of them."""

import pytest

from framegate import catalogue
from framegate.catalogue.rules import clips
from framegate.catalogue.rules.clips import Measured
from framegate.domain import Kind, Reference, Request

SEEDANCE = "bytedance/seedance-2.0"  # videos from 2 s, 15 s and 50 MB in all; sounds of 15 s together and 15 MB


def codes(*found: tuple[Kind, float | None, int]) -> list[tuple[str, str, object]]:
    model = catalogue.builtin().get(SEEDANCE)
    assert model is not None
    request = Request(
        model=SEEDANCE,
        references=tuple(Reference(url=f"https://x.test/{n}", kind=one[0]) for n, one in enumerate(found)),
    )
    measured = [Measured(size_bytes=size, seconds=seconds) for _, seconds, size in found]
    problems = clips.problems(request, measured, model.limits, model.id)
    return [(one.code, one.pointer, one.nearest) for one in problems]


@pytest.mark.parametrize("seconds", [1.95, 2.0, 14.9, 15.0, 15.04, None])
def test_a_clip_of_a_length_that_the_model_takes_is_no_problem(seconds: float | None):
    assert codes((Kind.VIDEO, seconds, 1_000_000)) == []


def test_a_clip_that_is_too_short_or_too_large_is_named_with_what_would_do():
    assert codes((Kind.IMAGE, None, 1), (Kind.VIDEO, 1.2, 60_000_000)) == [
        ("clip_length_unsupported", "/references/1", 2),
        ("reference_too_large", "/references/1", 50_000_000),
    ]


def test_clips_are_too_long_together_though_each_would_do():
    assert codes((Kind.VIDEO, 8.0, 1), (Kind.VIDEO, 8.0, 1)) == [("clip_length_unsupported", "/references/1", 15)]
    assert codes((Kind.VIDEO, 8.0, 1), (Kind.AUDIO, 8.0, 1)) == []
    assert codes((Kind.AUDIO, 8.0, 1), (Kind.AUDIO, 8.0, 1)) == [("clip_length_unsupported", "/references/1", 15)]


def test_a_picture_has_no_length():
    assert codes((Kind.IMAGE, None, 10**9)) == []
