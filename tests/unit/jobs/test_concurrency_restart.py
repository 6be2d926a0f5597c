"""Places at a provider after a restart, when more orders stand than it may have."""

import asyncio

import pytest

from framegate.jobs.concurrency import ConcurrencyLimiter

pytestmark = pytest.mark.anyio
LIMIT = 2


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_no_waiter_gets_a_slot_while_open_orders_exceed_the_limit():
    slots = ConcurrencyLimiter()
    for number in range(LIMIT + 2):
        slots.restore(f"found {number}", "fal")
    waiting = [asyncio.create_task(slots.acquire(f"new {number}", "fal", LIMIT)) for number in range(2)]
    await asyncio.sleep(0)

    slots.release("found 0")
    slots.release("found 1")
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [False, False]

    slots.release("found 2")
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, False]

    slots.release("new 0")
    await asyncio.gather(*waiting)


async def test_the_slot_of_a_cancelled_waiter_goes_to_the_next():
    slots = ConcurrencyLimiter()
    await slots.acquire("first", "fal", 1)
    given_up, patient = (asyncio.create_task(slots.acquire(name, "fal", 1)) for name in ("given up", "patient"))
    await asyncio.sleep(0)

    slots.release("first")  # its turn has come, and it is broken off before it wakes
    given_up.cancel()

    async with asyncio.timeout(5):
        await patient
    assert given_up.cancelled()
