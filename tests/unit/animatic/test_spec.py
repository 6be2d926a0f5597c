from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from framegate.animatic import BadSpec, Spec


def test_a_spec_survives_a_json_round_trip(spec: Callable[..., Spec]):
    sent = spec(prompt="pan left", references=("a.png", "b.png"), names=("a", None), seed=2**63 - 1)
    sent = replace(sent, source="v.mp4", style="s.png", audio=True)

    assert Spec.from_json(sent.to_json()) == sent


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 641}, "width is 641: it must be even"),
        ({"height": 5000}, "height is 5000"),
        ({"fps": 61}, "fps is 61: it must be from 8 to 60"),
        ({"frames": 0}, "frames is 0"),
        ({"fps": 12, "frames": 721}, "frames is 721: it must be from 2 to 720 at 12 fps"),
        ({"seed": -1}, "seed is -1"),
        ({"references": ("a",) * 33}, "references has 33 pictures: the maximum is 32"),
        ({"references": ("a", "b"), "names": ("a",)}, "names must have one entry"),
        ({"prompt": "x" * 20_001}, "prompt has 20001 characters: the maximum is 20000"),
    ],
)
def test_an_invalid_field_is_rejected_by_name(spec: Callable[..., Spec], values: dict[str, Any], message: str):
    with pytest.raises(BadSpec, match=message):
        spec(**values)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "{}",
        '{"width": "320", "height": 180, "fps": 12, "frames": 12, "output": "x"}',
        '{"width": true, "height": 180, "fps": 12, "frames": 12, "output": "x"}',
        '{"width": 320, "height": 180, "fps": 12, "frames": 12, "output": null}',
        '{"width": 320, "height": 180, "fps": 12, "frames": 12, "output": "x", "zoom": 2}',
        '{"width": 320, "height": 180, "fps": 12, "frames": 12, "output": "x", "references": ["a", null]}',
        '{"width": 320, "height": 180, "fps": 12, "frames": 12, "output": "x", "references": "a"}',
        '{"width": 320, "height": 180, "fps": 12, "frames": 12, "output": "x", "audio": 1}',
        '{"width": 320, "height": 180, "fps": 12, "frames": 12, "output": "x", "source": ["v.mp4"]}',
    ],
)
def test_invalid_json_for_a_spec_is_rejected(text: str):
    with pytest.raises(BadSpec):
        Spec.from_json(text)
