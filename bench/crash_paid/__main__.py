"""`python -m bench.crash_paid --kills 1000`: SIGKILL while orders go out to a service that goes wrong in every way.

The service counts the orders that it accepts; at the end its count is compared with every job of the gateway. Most
kills are aimed: as an order arrives at the service, as it is answered, as a job is looked at, as a file is fetched.
Several gateways run side by side, each with a service and a data folder of its own. Exits 1 when a promise was broken.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.crash import checks
from bench.crash.__main__ import Run, look_for_leftovers, settle
from bench.crash.checks import Found
from bench.crash.gateway import Gateway
from bench.crash.load import Load, Wanted, picture
from bench.crash_paid import checks as paid_checks
from bench.crash_paid.checks import Paid
from bench.crash_paid.counting import Counting, counting
from bench.crash_paid.upstream import FRAMES

AIMS = {"any": 25, "ordered": 30, "answered": 20, "looked": 8, "fetched": 8, "accepted": 5, "starting": 4}
UP_SECONDS_MAX = 0.8  # from a start to the kill, where no moment is aimed at
AIM_SECONDS_MAX = 1.0  # a moment that does not come is not waited for longer
BURST_MAX = 5  # moments of a kind that pass before the kill
AFTER_SECONDS_MAX = 0.02  # a kill comes so soon behind the moment that it is aimed at
UNFINISHED_MAX = 40
SETTLE_SECONDS_MAX = 600.0  # waits between looks and downloads, and the pauses of an account that failed often
PICTURES = 0.3  # share of the jobs with a reference
# What a job may say that failed while its service did as it does here; anything else is a fault.
FORESEEN = {"submit_unsure", "provider_refused", "provider_failed", "provider_cancelled", "provider_expired"}


@dataclass(slots=True)
class Lane:
    """One gateway, its service, and what was found."""

    run: Run = field(default_factory=Run)
    found: Found = field(default_factory=Found)
    paid: Paid = field(default_factory=Paid)


def order(rng: random.Random, mark: str) -> Wanted:
    """A video that costs something."""
    body: dict[str, Any] = {
        "model": "google/veo-3.1",
        "prompt": f"slow push-in, take {mark}",
        "duration": 4,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "metadata": {"mark": mark},
    }
    if rng.random() < PICTURES:
        url = {"url": picture(rng)}
        body["frame_images"] = [{"type": "image_url", "image_url": url, "frame_type": "first_frame"}]
    return body, FRAMES


async def crash(folder: Path, *, kills: int, seed: int) -> Lane:
    """Kill one gateway so many times while it orders, let it finish, and hold its word against the service's count."""
    lane, rng = Lane(), random.Random(seed)
    run = lane.run
    service = counting(seed)
    gateway = Gateway(folder, workers=1, flags=(), environ=service.environ)
    load = Load(gateway, seed, run.broken, order, unfinished_max=UNFINISHED_MAX)
    try:
        gateway.spawn()
        load.start()
        for _ in range(kills):
            await kill_once(gateway, load, service, run, rng)
            load.check_alive()
        await gateway.ready()
        await service.heal()
        await settle(load, run, SETTLE_SECONDS_MAX)
        book = await service.book()
        await checks.through_the_api(gateway.url, load.asked, lane.found, run.broken)
        await paid_checks.through_the_api(gateway.url, gateway.data, book, lane.paid, run.broken)
        await load.close()
        await gateway.stop()
        await look_for_leftovers(gateway, run)
        book = await service.book()
    finally:
        await load.close()
        if gateway.alive:
            gateway.kill()
        await service.stop()
    checks.in_the_database(gateway.data, load.asked, lane.found, run.broken)
    paid_checks.of_the_service(book, lane.paid, run.broken)
    paid_checks.in_the_database(gateway.data, book, lane.paid, run.broken)
    lane.found.half_files += load.half_files
    run.broken += [f"the server said: {fault}" for fault in gateway.tracebacks()]
    strange = {code: count for code, count in lane.paid.codes.items() if code not in FORESEEN}
    run.broken += [f"{count} job(s) failed as {code}" for code, count in strange.items()]
    return lane


async def kill_once(gateway: Gateway, load: Load, service: Counting, run: Run, rng: random.Random) -> None:
    """Kill the server at the moment that comes next in the dice, and start it again."""
    aim = rng.choices(list(AIMS), list(AIMS.values()))[0]
    any_moment, after = rng.uniform(0, UP_SECONDS_MAX), rng.uniform(0, AFTER_SECONDS_MAX)
    began = time.monotonic()
    if aim == "starting":
        await asyncio.sleep(any_moment)
    else:
        await gateway.ready()
        run.recovery_seconds.append(time.monotonic() - began)
        if aim == "any":
            await asyncio.sleep(any_moment)
        else:
            for _ in range(rng.randint(1, BURST_MAX)):
                await reached(load, service, aim)
            await asyncio.sleep(after)
    gateway.kill()
    run.kills += 1
    run.aims[aim] += 1
    run.struck += checks.struck(gateway.data)
    gateway.spawn()


async def reached(load: Load, service: Counting, kind: str) -> None:
    """The next moment of that kind, if it comes soon."""
    if kind != "accepted":
        await service.next(kind, seconds_max=AIM_SECONDS_MAX)
        return
    try:
        async with asyncio.timeout(AIM_SECONDS_MAX):
            await load.moments.next(kind)
    except TimeoutError:
        return


async def crashes(folder: Path, *, kills: int, seed: int, gateways: int) -> list[Lane]:
    """Share the kills among gateways side by side."""
    folders = [folder / str(number) for number in range(gateways)]
    for one in folders:
        one.mkdir(parents=True, exist_ok=True)
    shares = [kills // gateways + (number < kills % gateways) for number in range(gateways)]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(crash(one, kills=share, seed=seed * 1000 + number))
            for number, (one, share) in enumerate(zip(folders, shares, strict=True))
        ]
    return [task.result() for task in tasks]


def report(lanes: list[Lane]) -> None:
    """Print the figures."""
    fates, codes, aims, struck, ends = (Counter[str]() for _ in range(5))
    for lane in lanes:
        fates += lane.paid.fates
        codes += lane.paid.codes
        aims += lane.run.aims
        struck += lane.run.struck
        ends += lane.found.ends
    figures = {
        "kills": sum(lane.run.kills for lane in lanes),
        "jobs accepted": sum(lane.found.accepted for lane in lanes),
        **{name: ends[name] for name in ("completed", "failed", "cancelled", "expired")},
        "orders sent": fates.total(),
        "orders taken": sum(lane.paid.taken for lane in lanes),
        "orders taken twice": sum(lane.paid.twice for lane in lanes),
        "unsure": sum(lane.paid.unsure for lane in lanes),
        "unsure and taken": sum(lane.paid.unsure_taken for lane in lanes),
        "ordered again": sum(lane.paid.again for lane in lanes),
        "jobs lost": sum(lane.found.lost for lane in lanes),
        "half files": sum(lane.found.half_files for lane in lanes),
        "foreign requests": sum(lane.paid.foreign for lane in lanes),
        "keys sent there": sum(lane.paid.keys_leaked for lane in lanes),
    }
    for name, figure in figures.items():
        print(f"{name:<20}{figure:>8,}")
    recovery = max([0, *(seconds for lane in lanes for seconds in lane.run.recovery_seconds)])
    print(f"{'longest recovery':<20}{recovery:>8.1f} s")
    print(f"{'all ended after':<20}{max(lane.run.settle_seconds for lane in lanes):>8.1f} s")
    for name, counter in {"aims": aims, "jobs struck": struck, "orders": fates, "failed as": codes}.items():
        print(f"{name + ':':<13}" + ", ".join(f"{what} {count}" for what, count in counter.most_common()))
    broken = [fault for lane in lanes for fault in lane.run.broken]
    for fault in broken:
        print(f"BROKEN: {fault}")
    print("every promise held" if not broken else f"{len(broken)} broken")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.crash_paid", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--gateways", type=int, default=2, help="gateways that run side by side; the kills are shared out"
    )
    parser.add_argument("--folder", type=Path, help="an empty folder that is kept; a temporary one otherwise")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="framegate-crash-") as name:
        began = time.monotonic()
        folder: Path = given.folder or Path(name)
        lanes = asyncio.run(crashes(folder, kills=given.kills, seed=given.seed, gateways=given.gateways))
        report(lanes)
        print(f"seed {given.seed}, {given.gateways} gateway(s), {time.monotonic() - began:.0f} s")
    return 1 if any(lane.run.broken for lane in lanes) else 0


if __name__ == "__main__":
    sys.exit(main())
