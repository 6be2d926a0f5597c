"""The measurement of the state machine runs the real one to its end."""

import asyncio

import pytest
from bench.state_machine import measure


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("group_max", [1, 512])
async def test_every_job_of_the_benchmark_ends(group_max: int):
    async with asyncio.timeout(30):
        rate, cpu_ms = await measure(6, group_max)
    assert rate > 0
    assert cpu_ms > 0
