"""A gate to talk to, and an environment that says nothing of another."""

from collections.abc import Iterator

import pytest

from framegate import Framegate
from support.fake_gateway import Plan, standing_in


@pytest.fixture(autouse=True)
def no_gate_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEGATE_URL", raising=False)
    monkeypatch.delenv("FRAMEGATE_API_KEY", raising=False)


@pytest.fixture
def plan() -> Plan:
    return Plan()


@pytest.fixture
def address(plan: Plan) -> Iterator[str]:
    with standing_in(plan) as url:
        yield url


@pytest.fixture
def gate(address: str) -> Iterator[Framegate]:
    with Framegate(address) as gate:
        yield gate


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses take no time; the list says how long each would have been."""
    pauses: list[float] = []
    monkeypatch.setattr("framegate.client.transport.time.sleep", pauses.append)
    return pauses
