"""Properties of validation that hold for every request."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.catalogue import PROBLEMS, WARNINGS, Model, builtin, check
from framegate.domain import Kind, Reference, Request, Role, Routing

MODELS = list(builtin())
NAMES = [name for model in MODELS for name in model.names]
WORDS = st.sampled_from(["@hero ", "@Image2 ", "the third image ", "image 2 ", "character4 ", "a@b.com ", "snow ", "é"])

references = st.builds(
    Reference,
    url=st.just("https://pictures.test/a.jpg"),
    kind=st.sampled_from(Kind),
    role=st.sampled_from(Role),
    name=st.none() | st.sampled_from(["hero", "dog"]) | st.text(max_size=5),
)
pictures = st.builds(
    Reference,
    url=st.just("https://pictures.test/a.jpg"),
    role=st.sampled_from([Role.REFERENCE, Role.REFERENCE, Role.FIRST_FRAME, Role.LAST_FRAME]),
)
prompts = st.none() | st.lists(WORDS, max_size=6).map("".join) | st.text(max_size=40) | st.just("p" * 6000)


def optional(values: list[Any], invalid: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values) | invalid


requests = st.builds(
    Request,
    model=st.sampled_from(NAMES) | st.text(max_size=20),
    prompt=prompts,
    references=st.lists(references | pictures, max_size=18).map(tuple),
    duration=optional([4, 5, 8, 10], st.integers()),
    resolution=optional(["720p", "1080p", "4k", "2K"], st.text(max_size=6)),
    aspect_ratio=optional(["16:9", "1:1", "5:4", "0:1"], st.text(max_size=6)),
    size=optional(["1280x720", "832x480", "99999x1"], st.text(max_size=9)),
    fps=optional([16, 24], st.integers()),
    seed=st.none() | st.integers(),
    generate_audio=st.none() | st.booleans(),
    negative_prompt=st.none() | st.text(max_size=600),
    models=st.lists(st.sampled_from(NAMES) | st.text(max_size=5), max_size=2).map(tuple),
    routing=st.builds(Routing, only=st.just(()) | st.sampled_from([("fal",), ("nobody",), ("fal", "openrouter")])),
    options=st.dictionaries(st.sampled_from(["fal", "google-vertex", "a/b"]), st.just({"parameters": {"x~": 1}})),
    max_cost_usd=st.none() | st.floats(),
    previous_job_id=st.none() | st.just("job"),
)


@settings(max_examples=200, deadline=None)
@given(request=requests)
def test_every_request_gets_a_verdict(request: Request):
    verdict = check(request, catalogue=builtin())

    assert verdict.ok == (verdict.target is not None)
    assert verdict.ok or verdict.estimate is None
    assert {problem.code for problem in verdict.problems} <= set(PROBLEMS)
    assert {warning.code for warning in verdict.warnings} <= set(WARNINGS)
    for problem in (*verdict.problems, *verdict.warnings):
        assert problem.pointer.startswith("/")
        assert ": " in problem.message
        assert problem.message.endswith((".", "?")), problem.message
    if verdict.estimate is not None:
        assert isinstance(verdict.estimate.micro_usd, int)
        assert verdict.estimate.micro_usd >= 0


@settings(max_examples=60, deadline=None)
@given(request=requests)
def test_every_alternative_accepts_the_request_unchanged(request: Request):
    verdict = check(request, catalogue=builtin())

    for other in verdict.alternatives:
        assert check(replace(request, model=other, models=()), catalogue=builtin()).problems == ()
    assert verdict.model not in verdict.alternatives


scalars = st.builds(
    Request,
    model=st.sampled_from([model.id for model in MODELS]),
    prompt=st.just("A quiet street at dawn"),
    duration=st.none() | st.integers(-5, 100),
    resolution=optional(["720p", "1080p", "4k", "2K"], st.text(max_size=6)),
    aspect_ratio=optional(["16:9", "1:1", "5:4"], st.text(max_size=6)),
    size=optional(["1280x720", "832x480", "10x10"], st.text(max_size=9)),
    fps=st.none() | st.integers(-5, 100),
    seed=st.none() | st.integers(),
    generate_audio=st.none() | st.booleans(),
    negative_prompt=st.none() | st.just("rain"),
    previous_job_id=st.none() | st.just("job"),
)


def required_references(model: Model) -> tuple[Reference, ...]:
    """The minimum of references that the first offer of a model requires."""
    limits = model.offers[0].limits
    minimums = [(role, kind, count.min) for role, kinds in limits.references.items() for kind, count in kinds.items()]
    minimums += [(*total.of[0], total.min) for total in limits.totals if total.when is None]
    return tuple(
        Reference(url="https://pictures.test/a.jpg", role=role, kind=kind)
        for role, kind, number in minimums
        for _ in range(number)
    )


@settings(max_examples=200, deadline=None)
@given(request=scalars)
def test_a_request_with_every_nearest_value_becomes_valid(request: Request):
    model = builtin().get(request.model)
    assert model is not None
    request = replace(request, references=required_references(model))

    for _ in range(5):  # one change can reveal another problem
        verdict = check(request, catalogue=builtin())
        if verdict.ok:
            return
        changes = {problem.pointer[1:]: problem.nearest for problem in verdict.problems}
        if changes.pop("input_references", None) is not None:  # the closest offer requires references
            each = (required_references(replace(model, offers=(offer,))) for offer in model.offers)
            changes["references"] = next(minimums for minimums in each if minimums)
        request = replace(request, **changes)

    verdict = check(request, catalogue=builtin())
    assert verdict.ok, f"still not valid: {verdict.problems}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_offer_accepts_a_minimal_request(model: Model):
    for offer in model.open_offers:
        request = Request(
            model=model.id,
            prompt="A quiet street at dawn",
            references=required_references(replace(model, offers=(offer,))),
            routing=Routing(only=(offer.provider,)),
        )

        verdict = check(request, catalogue=builtin())

        assert [problem.message for problem in verdict.problems] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_the_limits_of_a_model_are_those_of_its_offers_together(model: Model):
    for name in ("durations", "resolutions", "aspect_ratios"):
        per_offer = [getattr(offer.limits, name) for offer in model.offers]
        assert set(getattr(model.limits, name) or ()) == {value for values in per_offer for value in values or ()}
    accepted = [
        {(role, kind, count.max) for role, kinds in limits.references.items() for kind, count in kinds.items()}
        for limits in (model.limits, *(offer.limits for offer in model.offers))
    ]
    assert accepted[0] == set[Any]().union(*accepted[1:])
