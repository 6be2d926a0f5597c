"""Cost estimates, to the millionth of a dollar."""

from typing import Any

import pytest

from framegate.catalogue import builtin, check
from framegate.domain import Kind, Reference, Request, Routing

IMAGE = Reference(url="https://pictures.test/a.jpg")
VIDEO = Reference(url="https://pictures.test/a.mp4", kind=Kind.VIDEO)


def fal(**options: object) -> dict[str, Any]:
    return {"routing": Routing(only=("fal",)), **options}


COSTS: list[tuple[str, dict[str, Any], int, str]] = [
    ("framegate/animatic", {}, 0, "free at animatic"),
    (
        "google/veo-3.1",
        fal(resolution="1080p", references=(IMAGE,)),
        3_200_000,
        "8 s x $0.40/s (1080p with audio) at fal",
    ),
    (
        "google/veo-3.1",
        {"resolution": "4K", "generate_audio": False},
        3_200_000,
        "8 s x $0.40/s (4K without audio) at openrouter",
    ),
    ("google/veo-3.1-fast", {"duration": 4}, 400_000, "4 s x $0.10/s (720p with audio) at openrouter"),
    (
        "bytedance/seedance-2.0",
        fal(duration=10),
        3_024_000,
        "216,000 tokens for 10 s x $0.014/1,000 tokens (720p with audio) at fal",
    ),
    (
        "bytedance/seedance-2.0",
        fal(duration=5, references=(VIDEO,)),
        3_628_800,
        "432,000 tokens for (5 s + up to 15 s of input) x $0.0084/1,000 tokens (720p with audio) at fal",
    ),
    ("vidu/vidu-q3-mix", {"references": (IMAGE,)}, 770_000, "5 s x $0.154/s (720p with audio) at fal"),
    (
        "pixverse/pixverse-c1",
        {"references": (IMAGE,), "resolution": "1080p"},
        475_000,
        "5 s x $0.095/s (1080p without audio) at fal",
    ),
    (
        "minimax/hailuo-3",
        {"references": (IMAGE, IMAGE)},
        730_000,
        "5 s x $0.13/s (2K with audio) + 2 images x $0.04 at openrouter",
    ),
    (
        "x-ai/grok-imagine-video",
        {"references": (IMAGE,)},
        402_000,
        "8 s x $0.05/s (480p without audio) + 1 image x $0.002 at openrouter",
    ),
    (
        "alibaba/wan-2.6-flash",
        {"references": (IMAGE,), "generate_audio": False},
        187_500,
        "5 s x $0.0375/s (1080p without audio) at fal",
    ),
    ("alibaba/wan-2.6", {"resolution": "720p"}, 400_000, "5 s x $0.08/s (720p with audio) at openrouter"),
]


@pytest.mark.parametrize(("model", "options", "micro_usd", "basis"), COSTS)
def test_an_estimate_states_the_amount_and_its_basis(model: str, options: dict[str, Any], micro_usd: int, basis: str):
    verdict = check(Request(model=model, prompt="A quiet street at dawn", **options), catalogue=builtin())

    assert verdict.problems == ()
    assert verdict.estimate is not None
    assert verdict.estimate.micro_usd == micro_usd
    assert verdict.estimate.basis == basis


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("vidu/vidu-q1", {"references": (IMAGE,)}),
        ("bytedance/seedance-2.0", fal(resolution="1080p")),
        ("alibaba/wan-2.7", fal(references=(VIDEO,))),
        ("kwaivgi/kling-video-o3-pro", {"references": (IMAGE,)}),
    ],
)
def test_without_a_known_price_there_is_a_warning_and_no_estimate(model: str, options: dict[str, Any]):
    verdict = check(Request(model=model, prompt="A quiet street at dawn", **options), catalogue=builtin())

    assert verdict.problems == ()
    assert verdict.estimate is None
    assert [warning.code for warning in verdict.warnings] == ["price_unknown"]


def test_the_estimate_is_that_of_the_first_provider_in_order():
    request = Request(model="alibaba/happyhorse-1.0", prompt="A street", references=(IMAGE,))
    at_fal = Request(
        model="alibaba/happyhorse-1.0", prompt="A street", references=(IMAGE,), routing=Routing(order=("fal",))
    )

    first, second = check(request, catalogue=builtin()).estimate, check(at_fal, catalogue=builtin()).estimate

    assert (first and first.micro_usd, second and second.micro_usd) == (847_000, 1_400_000)
