"""What a provider says enters a job bounded, without control characters and without the key of any account."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from framegate.domain import Done, Failed, Fault, Lost, ProviderFile, Running
from framegate.domain.errors import ProviderError, Refused
from framegate.domain.ledger import EntryState
from framegate.domain.provider_text import register_secret
from support.world import World

pytestmark = pytest.mark.anyio
OTHER_KEY = "sk-of-another-account-123"
HOSTILE = f"The key {OTHER_KEY[:9]}\x00{OTHER_KEY[9:]}\x1b[31m is\u202e wrong\ud800."


@pytest.fixture(autouse=True)
def secret() -> None:
    register_secret(OTHER_KEY)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts_of(part)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


def done(world: World, **fields: Any) -> Callable[[Any], Any]:
    film = world.provider.film
    return Done(outputs=(ProviderFile(path=str(film)),), **fields)  # type: ignore[return-value]


@pytest.mark.parametrize("end", ["failed", "refused", "poll", "done"])
async def test_no_key_and_no_control_character_enters_a_job(end: str, world: Callable[..., World], caplog: Any):
    gateway = world()
    running = Running(progress=0.2, stage=HOSTILE + "x" * 300)
    match end:
        case "failed":
            gateway.provider.looks = [
                running,
                Failed(fault=Fault(code="provider_failed", message=HOSTILE, provider_code=HOSTILE)),
            ]
        case "refused":
            gateway.provider.submits = [Refused(HOSTILE)]
        case "poll":
            gateway.provider.looks = [
                *[ProviderError(HOSTILE)] * 6,
                running,
                Lost(message=HOSTILE, patience_seconds=1.0),
            ]
        case _:
            gateway.provider.looks = [
                running,
                done(gateway, notes=(HOSTILE,), metadata={HOSTILE: [HOSTILE, float("nan")]}),
            ]
    async with gateway.open():
        job = await gateway.end(await gateway.create())
        events = [event async for event in gateway.jobs.events(job.id, owner="default")]
    texts = texts_of(asdict(job)) + [event.stage for event in events] + [caplog.text]
    assert any("[key]" in text for text in texts)
    assert not [text for text in texts if OTHER_KEY in text or "\x00" in text or "\x1b" in text or "\u202e" in text]
    assert max(len(event.stage) for event in events) <= 64


@pytest.mark.parametrize("cost", [-1, 10**11, 10**400])
async def test_a_cost_that_cannot_be_right_settles_the_estimate(cost: int, world: Callable[..., World]):
    gateway = world()
    gateway.provider.looks = [done(gateway, cost_micro_usd=cost)]
    async with gateway.open():
        job = await gateway.end(await gateway.create())
        entry = await gateway.store.ledger.entry(job.id)
    assert job.cost_micro_usd is None
    assert "was not believed" in job.warnings[-1].message
    assert entry is not None
    assert entry.state is EntryState.SETTLED
    assert entry.settled_micro_usd == entry.reserved_micro_usd
    assert not entry.provider_reported


async def test_a_finished_order_without_a_file_is_polled_again_and_then_held(world: Callable[..., World]):
    missing = Lost(code="output_missing", message="No file.", patience_seconds=30.0)
    gateway = world(looks=[missing, missing, "done"])
    async with gateway.open():
        assert (await gateway.end(await gateway.create())).fault is None
        gateway.provider.looks = [missing]
        job = await gateway.end(await gateway.create())
        entry = await gateway.store.ledger.entry(job.id)
    assert job.fault is not None
    assert (job.fault.code, job.fault.may_charge) == ("output_missing", True)
    assert entry is not None
    assert entry.state is EntryState.HELD


async def test_the_ids_of_an_order_are_kept_as_they_are(world: Callable[..., World], tmp_path: Path):
    gateway = world()
    handle = {"id": f"\u202e\x00{OTHER_KEY}"}

    async def submit(order: Any) -> dict[str, str]:
        return handle

    gateway.provider.submit = submit
    gateway.provider.looks = [Failed(fault=Fault(code="provider_failed", message="No."))]
    async with gateway.open():
        job = await gateway.end(await gateway.create())
    assert job.handle == handle
