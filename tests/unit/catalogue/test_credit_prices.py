"""Credits are converted to dollars at the configured price only."""

import json
from decimal import Decimal

import pytest

from framegate import catalogue
from framegate.api.dialects.pictory.requests import STUDIO
from framegate.catalogue.pricing import CREDITS_PER_SECOND, with_credit_prices
from framegate.config.loading import load
from framegate.domain import Done, Request
from framegate.domain.errors import FramegateError
from framegate.net.answers import Response
from framegate.providers.pictory import Pictory

RATE = Decimal("0.05")
AT_PICTORY = Request(model="google/veo-3.1", prompt="a cat walks", duration=8)


@pytest.mark.parametrize(("rate", "micro_usd"), [(RATE, 8_000_000), (None, None)])
def test_a_job_at_pictory_has_an_estimate_if_a_credit_has_a_price(rate: Decimal | None, micro_usd: int | None):
    priced = with_credit_prices(catalogue.builtin(), {"pictory": rate})
    model = priced.get("google/veo-3.1")
    builtin_model = catalogue.builtin().get("google/veo-3.1")
    assert model is not None
    assert builtin_model is not None
    assert [known.id for known in priced.models] == [known.id for known in catalogue.builtin().models]
    assert priced.ended == catalogue.builtin().ended
    [fit] = [fit for fit in catalogue.fits(AT_PICTORY, model) if fit.offer.provider == "pictory"]

    assert (fit.estimate.micro_usd if fit.estimate else None) == micro_usd
    assert [offer.prices for offer in model.offers if offer.provider != "pictory"] == [
        offer.prices for offer in builtin_model.offers if offer.provider != "pictory"
    ]


def test_the_credits_per_second_are_those_that_the_pictory_dialect_returns():
    credits_per_second = {model: Decimal(str(studio.credits_per_second)) for model, studio in STUDIO.items()}

    assert credits_per_second == CREDITS_PER_SECOND["pictory"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("rate", "credit", "cost"),
    [
        (RATE, 160, 8_000_000),
        (RATE, 12.8, 640_000),
        (None, 160, None),
        (RATE, True, None),
        (RATE, "160", 8_000_000),
        (RATE, float("inf"), None),
        (RATE, float("nan"), None),
        (RATE, -1, None),
        (RATE, None, None),
    ],
)
async def test_a_charge_in_credits_is_settled_at_its_price(
    rate: Decimal | None, credit: object, cost: int | None, monkeypatch: pytest.MonkeyPatch
):
    pictory = Pictory("main", "key")
    pictory.usd_per_credit = rate
    job = {"status": "completed", "url": "https://h/v.mp4", "aiCreditsUsed": credit}

    async def query(*_: object) -> Response:
        return Response(200, {}, json.dumps({"success": True, "data": job}).encode())

    monkeypatch.setattr(pictory.client, "query", query)
    done = await pictory.poll({"id": "x"})
    await pictory.close()

    assert isinstance(done, Done)
    assert done.cost_micro_usd == cost


def test_the_price_of_a_credit_is_read_from_the_environment_and_must_be_positive():
    assert load({"FRAMEGATE_PICTORY_USD_PER_CREDIT": "0.05"}).pictory_usd_per_credit == RATE
    assert load({}).pictory_usd_per_credit is None
    for invalid in ("0", "-1", "free", "NaN"):
        with pytest.raises(FramegateError, match="pictory_usd_per_credit"):
            load({"FRAMEGATE_PICTORY_USD_PER_CREDIT": invalid})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
