"""`python -m bench.crash --kills 200`: SIGKILL at random moments under load, then the reckoning.

Half of the moments are any moment; the others are aimed: right behind a 202, in the middle of a render, of fetching, of
checking, of a start. The same seed gives the same requests and the same aims; when each thing happens is the machine's.
Exits 1 when a promise was broken.
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

from bench.crash import checks
from bench.crash.checks import Found
from bench.crash.gateway import Gateway
from bench.crash.load import Load, render

AIMS = {"any": 50, "accepted": 12, "running": 12, "fetching": 8, "checking": 8, "starting": 10}
UP_SECONDS_MAX = 3.0  # from a start to the kill, where no moment is aimed at
AIM_SECONDS_MAX = 6.0  # a moment that does not come is not waited for longer
AFTER_SECONDS_MAX = 0.05  # a kill comes so soon behind the moment that it is aimed at
SETTLE_SECONDS_MAX = 180.0  # in which everything accepted must end, once nobody kills any more


@dataclass(slots=True)
class Run:
    """What happened while the gateway was killed."""

    kills: int = 0
    orphans: int = 0
    recovery_seconds: list[float] = field(default_factory=list[float])
    settle_seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter[str])
    aims: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])


async def crash(folder: Path, *, kills: int, seed: int) -> tuple[Run, Load, Found]:
    """Kill a gateway so many times under load, let it finish, and check everything."""
    rng, run, found = random.Random(seed), Run(), Found()
    gateway = Gateway(folder)
    load = Load(gateway, seed, run.broken, render)
    try:
        gateway.spawn()
        load.start()
        for _ in range(kills):
            await kill_once(gateway, load, run, rng)
            load.check_alive()
        await gateway.ready()
        await settle(load, run)
        await checks.through_the_api(gateway.url, load.asked, found, run.broken)
        await load.close()
        await gateway.stop()
        await look_for_leftovers(gateway, run)
    finally:
        await load.close()
        if gateway.alive:
            gateway.kill()
    checks.in_the_database(gateway.data, load.asked, found, run.broken)
    found.half_files += load.half_files
    for fault in gateway.tracebacks():
        run.broken.append(f"the server said: {fault}")
    for fault, count in found.faults.items():  # nothing in the load can fail by itself
        run.broken.append(f"{count} job(s) failed: {fault}")
    return run, load, found


async def kill_once(gateway: Gateway, load: Load, run: Run, rng: random.Random) -> None:
    """Let the server come up and work, kill it at the moment that comes next in the dice, and start it again."""
    aim = rng.choices(list(AIMS), list(AIMS.values()))[0]
    any_moment, after = rng.uniform(0, UP_SECONDS_MAX), rng.uniform(0, AFTER_SECONDS_MAX)
    began = time.monotonic()
    if aim == "starting":
        await asyncio.sleep(any_moment / 2)
    else:
        await gateway.ready()
        run.recovery_seconds.append(time.monotonic() - began)
        if aim == "any":
            await asyncio.sleep(any_moment)
        else:
            await reached(load, aim)
            await asyncio.sleep(after)
    gateway.kill()
    run.kills += 1
    run.aims[aim] += 1
    run.struck += checks.struck(gateway.data)
    orphans = await gateway.orphans()
    if orphans:
        run.orphans += orphans
        run.broken.append(f"{orphans} render process(es) outlived kill {run.kills}")
    gateway.spawn()


async def reached(load: Load, kind: str) -> None:
    """The next moment of that kind, if it comes soon."""
    try:
        async with asyncio.timeout(AIM_SECONDS_MAX):
            await load.moments.next(kind)
    except TimeoutError:
        return


async def settle(load: Load, run: Run, seconds_max: float = SETTLE_SECONDS_MAX) -> None:
    """Nobody posts or kills any more: everything accepted ends by itself."""
    began = time.monotonic()
    load.closing = True
    while not load.idle and time.monotonic() - began < seconds_max:
        load.check_alive()
        await asyncio.sleep(0.05)
    run.settle_seconds = time.monotonic() - began


async def look_for_leftovers(gateway: Gateway, run: Run) -> None:
    """A start after all is over finds nothing to do, and leaves no unfinished file."""
    gateway.spawn()
    await gateway.ready()
    for left in checks.leftovers(gateway.data):
        run.broken.append(f"{left} is left over")
    await gateway.stop()


def report(run: Run, load: Load, found: Found) -> None:
    """Print the figures."""
    figures = {
        "kills": run.kills,
        "jobs accepted": found.accepted,
        "completed": found.ends["completed"],
        "cancelled": found.ends["cancelled"],
        "failed": found.ends["failed"] + found.ends["expired"],
        "repeated renders": found.repeated_renders,
        "duplicates": found.duplicates,
        "lost": found.lost,
        "half files": found.half_files,
        "orphans": run.orphans,
    }
    for name, figure in figures.items():
        print(f"{name:<20}{figure:>8,}")
    print(f"{'longest recovery':<20}{max(run.recovery_seconds, default=0):>8.1f} s")
    print(f"{'all ended after':<20}{run.settle_seconds:>8.1f} s")
    print("aims:        " + ", ".join(f"{name} {count}" for name, count in run.aims.most_common()))
    print("jobs struck: " + ", ".join(f"{state} {count}" for state, count in run.struck.most_common()))
    print(f"looks at videos of unfinished jobs: {load.peeks:,}")
    for fault in run.broken:
        print(f"BROKEN: {fault}")
    print("every promise held" if not run.broken else f"{len(run.broken)} broken")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="an empty folder that is kept; a temporary one otherwise")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="framegate-crash-") as name:
        folder: Path = given.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        run, load, found = asyncio.run(crash(folder, kills=given.kills, seed=given.seed))
        report(run, load, found)
        print(f"seed {given.seed}, {time.monotonic() - began:.0f} s")
    return 1 if run.broken else 0


if __name__ == "__main__":
    sys.exit(main())
