"""Every request that validation accepts at fal can be expressed as an input of its endpoint, with every reference."""

from random import Random

import pytest

from framegate.catalogue import Model, builtin, check
from framegate.catalogue.prompts.rewrite import rewrite_prompt
from framegate.domain import Blob, Order, PreparedReference, Reference, Request, Target
from framegate.providers.fal.adapter import endpoint_of
from framegate.providers.fal.input import build_input

MODELS = [model for model in builtin() if any(offer.provider == "fal" for offer in model.open_offers)]
REQUESTS_PER_MODEL = 60
URL = "https://h/x"


def random_request(model: Model, random: Random) -> Request:
    """A request within the limits of each field; their combination may be invalid."""
    offer = model.offer("fal")
    assert offer is not None
    limits, references = offer.limits, list[Reference]()
    for role, kinds in limits.references.items():
        for kind, count in kinds.items():
            most = min(9, 4 if count.max is None else count.max) if count.min or random.random() < 0.5 else 0
            for number in range(random.randint(min(count.min, most), most)):
                name = f"{role.value[0]}{kind.value[0]}{number}" if random.random() < 0.5 else None
                references.append(Reference(url=URL, role=role, kind=kind, name=name))
    random.shuffle(references)
    return Request(
        model=model.id,
        prompt=" ".join(("a cat and a dog", *(f"@{reference.name}" for reference in references if reference.name))),
        references=tuple(references),
        duration=random.choice((None, *(limits.durations or ()))),
        resolution=random.choice((None, *(limits.resolutions or ()))),
        aspect_ratio=random.choice((None, *(limits.aspect_ratios or ()))),
        seed=random.choice((None, 7)) if limits.seed else None,
        negative_prompt=random.choice((None, "blur")) if limits.negative_prompt else None,
        generate_audio=random.choice((None, True, False)) if limits.audio == "optional" else None,
    )


def order_of(request: Request, target: Target) -> Order:
    model = builtin().get(request.model)
    offer = model.offer("fal") if model else None
    assert offer is not None
    blob = Blob(sha256="", size_bytes=1, media_type="")
    references = tuple(PreparedReference(reference=reference, blob=blob, path="") for reference in request.references)
    return Order(
        job_id="j",
        key="k",
        request=request,
        model=request.model,
        model_id=offer.id,
        prompt=rewrite_prompt(request, offer.limits.prompt_tokens),
        target=target,
        references=references,
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_valid_request_has_an_input_with_all_references(model: Model):
    random = Random(model.id)
    requests = [random_request(model, random) for _ in range(REQUESTS_PER_MODEL)]
    verdicts = [
        check(request, catalogue=builtin(), usable=lambda offer: offer.provider == "fal") for request in requests
    ]
    pairs = zip(requests, verdicts, strict=True)
    orders = [order_of(request, verdict.target) for request, verdict in pairs if verdict.target]
    assert orders
    for order in orders:
        body, _ = build_input(endpoint_of(order), order, [prepared.reference.url for prepared in order.references])
        assert str(body).count(URL) == len(order.references)
