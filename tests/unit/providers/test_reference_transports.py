"""A reference that a provider cannot receive is reported by validation, before the order."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from framegate import catalogue
from framegate.config.accounts import Account
from framegate.domain import Blob, PreparedReference, Reference, Request, Role, Target
from framegate.jobs.routing import Router
from framegate.providers.registry import ProviderRegistry, build_provider

VEO = "google/veo-3.1"
DATA = "data:image/png;base64,AAAA"
HTTPS = "https://pictures.test/a.png"
TARGET = Target(width=1280, height=720, fps=24, duration=8, audio=True, seed=None)


def provider_of(name: str, *, has_public_url: bool = False) -> Any:
    provider = build_provider(Account(provider=name, api_key="k", base_url="https://service.test"))
    provider.reaches_gateway = has_public_url
    return provider


def problems(
    name: str,
    url: str,
    *,
    has_public_url: bool = False,
    fitted: bool = False,
    size: int = 1000,
    role: Role = Role.REFERENCE,
) -> list[str]:
    request = Request(model=VEO, references=(Reference(url=url, role=role),))
    blob = Blob(sha256="0" * 64, size_bytes=size, media_type="image/png")
    prepared = PreparedReference(reference=request.references[0], blob=blob, path="", fitted=fitted)
    preflight = provider_of(name, has_public_url=has_public_url).preflight(request, TARGET, (prepared,))
    return [problem.message for problem in preflight.problems] if preflight else []


@pytest.mark.parametrize("name", ["phaseo", "pictory"])
def test_a_service_that_downloads_references_needs_a_url_or_a_signed_url(name: str):
    assert problems(name, HTTPS) == []
    assert problems(name, DATA, has_public_url=True) == []
    [message] = problems(name, DATA)
    assert "cannot reach this one" in message
    assert "public_url" in message
    [message] = problems(name, HTTPS, fitted=True)
    assert "had to be changed for the model" in message


@pytest.mark.parametrize("name", ["fal", "vllm_omni"])
def test_a_service_with_uploads_accepts_any_file(name: str):
    assert problems(name, DATA, fitted=True, size=30 * 2**20) == []


def test_a_file_too_large_for_a_data_url_is_a_problem_with_both_sizes():
    assert problems("openrouter", DATA) == []
    [message] = problems("openrouter", DATA, size=21 * 2**20)
    assert "22,020,096 bytes exceed the limit for a request to OpenRouter" in message


def test_the_data_url_limit_holds_for_guides_at_sglang_and_not_for_frames():
    [message] = problems("sglang", DATA, size=21 * 2**20)
    assert "22,020,096 bytes exceed the limit for a request to SGLang" in message
    assert problems("sglang", DATA, size=21 * 2**20, role=Role.FIRST_FRAME) == []


def router(*names: str) -> Router:
    return Router(catalogue.builtin(), ProviderRegistry(provider_of(name) for name in names))


@pytest.fixture
def pictory_model() -> str:
    """A model that is available at Pictory and at fal."""
    return next(
        model.id
        for model in catalogue.builtin()
        if {"pictory", "fal"} <= {offer.provider for offer in model.open_offers}
    )


def test_a_request_uses_the_provider_that_can_receive_its_references(
    pictory_model: str, make_request: Callable[..., Request]
):
    request = make_request(pictory_model, DATA)
    alone = router("pictory").candidates(request).select()[0]
    assert [problem.code for problem in alone.problems] == ["reference_out_of_reach"]
    assert alone.problems[0].pointer == "/references/0"

    verdict, route = router("pictory", "fal").candidates(request).select()
    assert verdict.ok
    assert route is not None
    assert route.provider.name == "fal"


def test_the_estimate_is_that_of_the_chosen_route(make_request: Callable[..., Request]):
    request = replace(make_request("x-ai/grok-imagine-video", HTTPS), duration=2)
    verdict, route = router("fal", "openrouter").candidates(request).select()
    assert route is not None
    assert route.provider.name == "openrouter"  # whose price is known
    assert verdict.estimate is not None
    assert [warning.code for warning in verdict.warnings] == []

    unpriced = router("fal").candidates(request).select()[0]
    assert (unpriced.estimate, [warning.code for warning in unpriced.warnings]) == (None, ["price_unknown"])


@pytest.fixture
def make_request() -> Callable[..., Request]:
    def ask(model: str, url: str) -> Request:
        row = catalogue.builtin().get(model)
        assert row is not None
        return Request(model=model, prompt="a cat", references=(Reference(url=url),), duration=8)

    return ask
