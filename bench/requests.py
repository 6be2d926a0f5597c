"""`python -m bench requests [--litellm VENV]`: what creates and looks cost a gateway, in CPU time.

A create is counted with all that it brings about until the service has taken the order: at Framegate the check, the
reservation and three durable moves. A look is a client's question how far a job is. The service takes every order
and never ends one, so nothing else is done meanwhile. CPU time, the median of some rounds, for wall time is noisy.

Targets: a look costs at most a third of what it does at LiteLLM, where that is measured, and a create no more.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.side_by_side.gateways import Gateway, framegate, litellm
from bench.side_by_side.service import Service, serving

CASE = "unending"
AT_ONCE = 8
ROUNDS = 5
CREATES = 200
LOOKS = 600
WARM = 40
STILL_SECONDS_MAX = 60.0  # without another order: then one is lost, however busy the machine is
LOOK_RATIO_MAX = 1 / 3
CREATE_RATIO_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of CPU for one create and for one look, and how many of each went through in a second."""

    create_ms: float
    look_ms: float
    creates_per_second: float
    looks_per_second: float


async def _many(count: int, one: Callable[[int], Awaitable[None]]) -> float:
    """Do it so often, some at once; the seconds that it took."""
    numbers, began = iter(range(count)), time.perf_counter()

    async def work() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def _round(gateway: Gateway, service: Service, creates: int, looks: int) -> Cost:
    ids: list[str] = []

    async def create(_: int) -> None:
        answer = await gateway.create(gateway.body(CASE))
        ids.append(answer.raise_for_status().json()["id"])

    async def look(number: int) -> None:
        (await gateway.http.get(f"/videos/{ids[number % len(ids)]}")).raise_for_status()

    taken, cpu = service.taken(CASE) + creates, gateway.cpu_seconds()
    wall = await _many(creates, create)
    await _until_taken(service, taken)
    middle = gateway.cpu_seconds()
    looking = await _many(looks, look)
    end = gateway.cpu_seconds()
    return Cost((middle - cpu) / creates * 1000, (end - middle) / looks * 1000, creates / wall, looks / looking)


async def _until_taken(service: Service, count: int) -> None:
    """Wait until the service has taken so many orders. Raises `RuntimeError` once no more of them arrive."""
    taken, since = service.taken(CASE), time.monotonic()
    while taken < count:
        if time.monotonic() - since > STILL_SECONDS_MAX:
            raise RuntimeError(f"of {count} orders, {taken} arrived, and no other within {STILL_SECONDS_MAX:.0f} s")
        await asyncio.sleep(0.05)
        if (now := service.taken(CASE)) > taken:
            taken, since = now, time.monotonic()


async def measure(venv: Path | None) -> dict[str, Cost]:
    """What each gateway costs, by its name."""
    found: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("framegate", "litellm") if venv else ("framegate",):
            (folder := Path(scratch, name)).mkdir()
            async with serving() as service:
                opened = (
                    framegate(folder, service.url)
                    if venv is None or name == "framegate"
                    else litellm(folder, service.url, venv)
                )
                async with opened as gateway:
                    await _round(gateway, service, WARM, WARM)
                    rounds = [await _round(gateway, service, CREATES, LOOKS) for _ in range(ROUNDS)]
            fields = ("create_ms", "look_ms", "creates_per_second", "looks_per_second")
            found[gateway.name] = Cost(*(statistics.median(getattr(one, field) for one in rounds) for field in fields))
    return found


def main() -> int:
    """Measure, print, and return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench requests")
    parser.add_argument("--litellm", type=Path, metavar="VENV", help="a virtual environment with LiteLLM's proxy in it")
    given = parser.parse_args()
    costs = asyncio.run(measure(given.litellm))
    print(f"{AT_ONCE} clients at once, medians of {ROUNDS} rounds of {CREATES} creates and {LOOKS} looks")
    for name, cost in costs.items():
        print(f"{name:16} create {cost.create_ms:6.2f} ms of CPU, {cost.creates_per_second:5.0f} a second")
        print(f"{'':16} look   {cost.look_ms:6.2f} ms of CPU, {cost.looks_per_second:5.0f} a second")
    if len(costs) == 1:
        print("LiteLLM was not measured, so there is nothing to hold this against: name an environment with --litellm.")
        return 0
    ours, theirs = costs.values()
    create, look = ours.create_ms / theirs.create_ms, ours.look_ms / theirs.look_ms
    print(f"of LiteLLM's     create {create:.2f} (at most {CREATE_RATIO_MAX:g}), look {look:.2f} (at most a third)")
    return int(create > CREATE_RATIO_MAX or look > LOOK_RATIO_MAX)


if __name__ == "__main__":
    raise SystemExit(main())
