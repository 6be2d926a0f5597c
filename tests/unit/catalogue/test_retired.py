"""A model that is made no more is refused by that name, and what to ask for instead is told."""

from dataclasses import replace

import pytest

from framegate.catalogue import Catalogue, Ended, EndedModel, InvalidEntry, Model, builtin, check
from framegate.catalogue.loading import load_ended
from framegate.domain import Request, Routing


def ending(model_id: str, *providers: str, instead: tuple[str, ...] = ()) -> Catalogue:
    """The builtin catalogue with the offers of some providers of one model ended."""

    def told(model: Model) -> Model:
        if model.id != model_id:
            return model
        ended = Ended(successors=instead, delisted=True)
        offers = [replace(one, ended=ended) if one.provider in providers else one for one in model.offers]
        return replace(model, offers=tuple(offers))

    return Catalogue(map(told, builtin().models), builtin().ended)


@pytest.mark.parametrize("name", ["openai/sora-2", "sora-2", "sora-2-2025-12-08", "openai/sora-2-pro", "sora-2-pro"])
def test_sora_2_is_refused_with_what_to_ask_for_instead(name: str):
    (problem,) = check(Request(model=name, prompt="a cat"), catalogue=builtin()).problems

    assert (problem.code, problem.pointer, problem.nearest) == ("model_ended", "/model", "bytedance/seedance-2.0")
    assert "was retired on 2026-09-24. Use bytedance/seedance-2.0 or google/veo-3.1 instead." in problem.message


def test_an_ended_model_finds_others_that_take_the_request():
    verdict = check(Request(model="openai/sora-2", prompt="a cat", duration=8), catalogue=builtin())

    assert "google/veo-3.1" in verdict.alternatives


def test_an_ended_fall_back_is_refused_too():
    request = Request(model="framegate/animatic", prompt="a cat", models=("sora-2",))
    (problem,) = check(request, catalogue=builtin()).problems

    assert (problem.code, problem.pointer) == ("model_ended", "/models/0")
    assert problem.message.startswith("models: openai/sora-2 was retired")


def test_a_model_whose_only_service_has_ended_it_is_refused_and_listed_no_more():
    (problem,) = check(Request(model="bytedance/seedance-1-lite", prompt="x"), catalogue=builtin()).problems

    assert problem.code == "model_ended"
    assert problem.message == (
        "model: bytedance/seedance-1-lite was retired at fal. Use bytedance/seedance-2.0-mini instead."
    )
    assert "bytedance/seedance-1-lite" not in [model.id for model in builtin()]
    assert "bytedance/seedance-1-lite" not in builtin().suggest("bytedance/seedance-1-lit")
    assert builtin().get("bytedance/seedance-1-lite") is not None  # jobs of before are still told of by it


def test_where_one_service_ended_a_model_it_comes_from_another():
    book = ending("google/veo-3.1", "openrouter")

    assert check(Request(model="google/veo-3.1", prompt="a cat"), catalogue=book).ok
    only = Request(model="google/veo-3.1", prompt="a cat", routing=Routing(only=("openrouter",)))
    (problem,) = check(only, catalogue=book).problems
    assert problem.code == "provider_unsupported"
    assert problem.allowed == ["fal", "pictory", "phaseo"]


def test_a_model_that_its_only_service_has_paused_is_refused_as_such_with_others_named():
    def told(model: Model) -> Model:
        paused = Ended(paused=True, successors=("vidu/vidu-q3-mix",))
        offers = tuple(replace(one, ended=paused) for one in model.offers)
        return replace(model, offers=offers) if model.id == "vidu/vidu-q2-pro" else model

    book = Catalogue(map(told, builtin().models), builtin().ended)
    (problem,) = check(Request(model="vidu/vidu-q2-pro", prompt="a cat"), catalogue=book).problems

    assert problem.code == "model_paused"
    assert problem.message.startswith("model: vidu/vidu-q2-pro is paused at ")
    assert problem.message.endswith("Use vidu/vidu-q3-mix instead.")


def test_where_no_account_is_left_that_makes_it_the_others_are_named():
    book = ending("google/veo-3.1", "openrouter", instead=("google/veo-3.1-fast",))
    request = Request(model="google/veo-3.1", prompt="a cat")
    (problem,) = check(request, catalogue=book, usable=lambda offer: offer.provider == "openrouter").problems

    assert problem.code == "model_ended"
    assert problem.message == (
        "model: google/veo-3.1 is no longer listed at openrouter. It is still offered by fal, pictory or phaseo, "
        "but no account is configured there. Use google/veo-3.1-fast instead."
    )


def test_without_a_named_successor_the_nearest_of_the_same_vendor_are_named():
    book = ending("google/veo-3.1", "openrouter", "fal", "pictory", "phaseo", instead=("nobody/knows",))
    (problem,) = check(Request(model="google/veo-3.1", prompt="a cat"), catalogue=book).problems

    assert problem.nearest in ("google/veo-3.1-fast", "google/veo-3.1-lite")
    assert all(str(name).startswith("google/") for name in problem.allowed or ())


def test_an_end_tells_its_source_and_a_successor():
    with pytest.raises(InvalidEntry, match="`ended` needs `successors`"):
        load_ended('[[ended]]\nid = "a/b"\nsince = "2026-01-01"\n')
    with pytest.raises(InvalidEntry, match="both a current and an ended model"):
        Catalogue(builtin().models, [EndedModel(id="google/veo-3.1", ended=Ended())])


def test_every_named_successor_is_made():
    ends = [gone.ended for gone in builtin().ended]
    ends += [offer.ended for model in builtin().models for offer in model.offers if offer.ended]
    names = {name for ended in ends for name in ended.successors}

    assert names
    assert names <= {model.id for model in builtin()}
