"""A fake gateway and a client of it, without settings of the environment."""

from collections.abc import Iterator

import pytest

from framegate import Framegate
from support.fake_gateway import Plan, serve_plan


@pytest.fixture(autouse=True)
def no_gateway_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEGATE_URL", raising=False)
    monkeypatch.delenv("FRAMEGATE_API_KEY", raising=False)


@pytest.fixture
def plan() -> Plan:
    return Plan()


@pytest.fixture
def address(plan: Plan) -> Iterator[str]:
    with serve_plan(plan) as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[Framegate]:
    with Framegate(address) as client:
        yield client


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses take no time; the list has the length of each."""
    seconds: list[float] = []
    monkeypatch.setattr("framegate.client.transport.time.sleep", seconds.append)
    return seconds
