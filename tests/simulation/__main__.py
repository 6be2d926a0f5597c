"""Replay seeds: `python -m tests.simulation SEED...` prints what was violated, and with one seed its whole trace.

A seed is a number or a name with a number (`cancel-17`); `cancel-1..50` is a range. `cancel-1..50:cancel-ignored`
plants a bug that the simulation must find, and ends with the first seed that finds it.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of what is replayed
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(Path(__file__).parents[1])}
    os.execve(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]], environment)

from simulation.bugs import BUGS
from simulation.isolation import simulate_apart
from simulation.profiles import profile_of
from simulation.run import warm_up

SEEDS = re.compile(r"(?:([a-z]+)-)?(\d+)(?:\.\.(\d+))?(?::([a-z-]+))?")


def main() -> int:
    """Run the seeds; return 1 if one of them violates an invariant."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", nargs="+", metavar="SEED")
    parser.add_argument(
        "--first", action="store_true", help="end each range with the first seed that violates an invariant"
    )
    parser.add_argument("--list", action="store_true", help="list the seeds without a violation too")
    arguments = parser.parse_args()
    try:
        words = [list(_seeds(word)) for word in arguments.seeds]
    except ValueError as error:
        parser.error(str(error))
    is_one = len(words) == len(words[0]) == 1
    if not is_one:
        warm_up()
    began, run, found = time.monotonic(), 0, 0
    for seeds in words:
        for seed, bug in seeds:
            outcome = simulate_apart(seed, bug)
            if is_one and not arguments.list:
                print(*outcome.lines, sep="\n")
            if outcome.violations or is_one or arguments.list:
                print(f"{seed}{f':{bug}' if bug else ''}: {outcome.summary}")
                for violation in outcome.violations:
                    print(f"  {violation}", flush=True)
            run += 1
            found += bool(outcome.violations)
            if outcome.violations and (bug or arguments.first):
                break
    print(f"{run} seeds, {found} with violations, {time.monotonic() - began:.0f} s")
    return 1 if found else 0


def _seeds(word: str) -> Iterator[tuple[str, str | None]]:
    """Return the seeds of an argument, each with its bug. Raises `ValueError`."""
    parts = SEEDS.fullmatch(word)
    if parts is None:
        raise ValueError(f"{word!r} is not a seed: a number, a name with a number such as cancel-17, or a range 1..50.")
    name, first, last, bug = parts.groups()
    if bug is not None and bug not in BUGS:
        raise ValueError(f"Unknown bug {bug!r}: use one of {', '.join(BUGS)}.")
    for number in range(int(first), int(last or first) + 1):
        seed = f"{name or 'swarm'}-{number}"
        profile_of(seed)
        yield seed, bug


if __name__ == "__main__":
    sys.exit(main())
