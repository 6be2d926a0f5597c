"""A retired or paused model is rejected with successors."""

from dataclasses import replace

import pytest

from framegate.catalogue import Catalogue, Ended, EndedModel, InvalidEntry, Model, builtin, check
from framegate.catalogue.loading import load_ended
from framegate.domain import Request, Routing


def catalogue_without(model_id: str, *providers: str, successors: tuple[str, ...] = ()) -> Catalogue:
    """The built-in catalogue with the offers of some providers for one model ended."""

    def with_ended_offers(model: Model) -> Model:
        if model.id != model_id:
            return model
        ended = Ended(successors=successors, delisted=True)
        offers = [replace(offer, ended=ended) if offer.provider in providers else offer for offer in model.offers]
        return replace(model, offers=tuple(offers))

    return Catalogue(map(with_ended_offers, builtin().models), builtin().ended)


@pytest.mark.parametrize("name", ["openai/sora-2", "sora-2", "sora-2-2025-12-08", "openai/sora-2-pro", "sora-2-pro"])
def test_sora_2_is_rejected_with_its_successors(name: str):
    (problem,) = check(Request(model=name, prompt="a cat"), catalogue=builtin()).problems

    assert (problem.code, problem.pointer, problem.nearest) == ("model_ended", "/model", "bytedance/seedance-2.0")
    assert "was retired on 2026-09-24. Use bytedance/seedance-2.0 or google/veo-3.1 instead." in problem.message


def test_a_retired_model_has_alternatives_that_accept_the_request():
    verdict = check(Request(model="openai/sora-2", prompt="a cat", duration=8), catalogue=builtin())

    assert "google/veo-3.1" in verdict.alternatives


def test_a_retired_fallback_is_rejected_too():
    request = Request(model="framegate/animatic", prompt="a cat", models=("sora-2",))
    (problem,) = check(request, catalogue=builtin()).problems

    assert (problem.code, problem.pointer) == ("model_ended", "/models/0")
    assert problem.message.startswith("models: openai/sora-2 was retired")


def test_a_model_whose_only_offer_has_ended_is_rejected_and_not_listed():
    (problem,) = check(Request(model="bytedance/seedance-1-lite", prompt="x"), catalogue=builtin()).problems

    assert problem.code == "model_ended"
    assert problem.message == (
        "model: bytedance/seedance-1-lite was retired at fal. Use bytedance/seedance-2.0-mini instead."
    )
    assert "bytedance/seedance-1-lite" not in [model.id for model in builtin()]
    assert "bytedance/seedance-1-lite" not in builtin().suggest("bytedance/seedance-1-lit")
    assert builtin().get("bytedance/seedance-1-lite") is not None  # for its earlier jobs


def test_a_model_with_one_ended_offer_is_still_offered_by_others():
    catalogue = catalogue_without("google/veo-3.1", "openrouter")

    assert check(Request(model="google/veo-3.1", prompt="a cat"), catalogue=catalogue).ok
    only = Request(model="google/veo-3.1", prompt="a cat", routing=Routing(only=("openrouter",)))
    (problem,) = check(only, catalogue=catalogue).problems
    assert problem.code == "provider_unsupported"
    assert problem.allowed == ["fal", "pictory", "phaseo"]


def test_a_model_whose_only_offer_is_paused_is_rejected_as_paused_with_successors():
    def with_ended_offers(model: Model) -> Model:
        paused = Ended(paused=True, successors=("vidu/vidu-q3-mix",))
        offers = tuple(replace(offer, ended=paused) for offer in model.offers)
        return replace(model, offers=offers) if model.id == "vidu/vidu-q2-pro" else model

    catalogue = Catalogue(map(with_ended_offers, builtin().models), builtin().ended)
    (problem,) = check(Request(model="vidu/vidu-q2-pro", prompt="a cat"), catalogue=catalogue).problems

    assert problem.code == "model_paused"
    assert problem.message.startswith("model: vidu/vidu-q2-pro is paused at ")
    assert problem.message.endswith("Use vidu/vidu-q3-mix instead.")


def test_if_no_usable_offer_is_left_the_other_providers_are_named():
    catalogue = catalogue_without("google/veo-3.1", "openrouter", successors=("google/veo-3.1-fast",))
    request = Request(model="google/veo-3.1", prompt="a cat")
    (problem,) = check(request, catalogue=catalogue, usable=lambda offer: offer.provider == "openrouter").problems

    assert problem.code == "model_ended"
    assert problem.message == (
        "model: google/veo-3.1 is no longer listed at openrouter. It is still offered by fal, pictory or phaseo, "
        "but no account is configured there. Use google/veo-3.1-fast instead."
    )


def test_without_a_known_successor_the_most_similar_models_of_the_vendor_are_suggested():
    providers = ("openrouter", "fal", "pictory", "phaseo")
    catalogue = catalogue_without("google/veo-3.1", *providers, successors=("nobody/knows",))
    (problem,) = check(Request(model="google/veo-3.1", prompt="a cat"), catalogue=catalogue).problems

    assert problem.nearest in ("google/veo-3.1-fast", "google/veo-3.1-lite")
    assert all(str(name).startswith("google/") for name in problem.allowed or ())


def test_an_ended_entry_requires_a_source_and_a_successor():
    with pytest.raises(InvalidEntry, match="`ended` needs `successors`"):
        load_ended('[[ended]]\nid = "a/b"\nsince = "2026-01-01"\n')
    with pytest.raises(InvalidEntry, match="both a current and an ended model"):
        Catalogue(builtin().models, [EndedModel(id="google/veo-3.1", ended=Ended())])


def test_every_successor_is_offered():
    ends = [model.ended for model in builtin().ended]
    ends += [offer.ended for model in builtin().models for offer in model.offers if offer.ended]
    names = {name for ended in ends for name in ended.successors}

    assert names
    assert names <= {model.id for model in builtin()}
