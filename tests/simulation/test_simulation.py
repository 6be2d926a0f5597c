"""The gateway in a simulated world, where what must hold is checked after every commit; see `simulation.checks`."""

import os
import subprocess
import sys

import pytest

from simulation.bugs import BUGS
from simulation.profiles import TARGETED
from support.paths import ROOT, TESTS
from support.soak import amount

# Seeds that find each planted bug, one of the first in most cases.
SEEDS_OF_BUG = {
    "broken-is-not-sent": "broken",
    "recovered-ignored": "kill",
    "webhook-order": "webhook",
    "held-is-void": "money",
    "no-budget": "money",
    "cancel-ignored": "cancel",
    "accepted-dropped": "commit",
    "download-once": "file",
    "settled-twice": "money",
}
SEEDS_PER_BUG = 20
SEEDS_PER_PROFILE = amount(2, 50)
REPLAYED = "kill-2"
FOUND = ("stop-4", "swarm-3", "swarm-188")  # seeds that have found a fault, beside those of the profiles


def simulation(*arguments: str) -> list[str]:
    """Run seeds in a process without threads, which forks for each seed; return the lines of the report."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "simulation", "--list", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def report() -> dict[str, list[str]]:
    """The figures and the violations of every seed, with and without bugs, from one process."""
    clean = [f"{name}-1..{SEEDS_PER_PROFILE}" for name in TARGETED]
    bugs = [f"{name}-1..{SEEDS_PER_BUG}:{bug}" for bug, name in SEEDS_OF_BUG.items()]
    lines: dict[str, list[str]] = {}
    found: list[str] = []
    for line in simulation(*clean, *FOUND, *bugs)[:-1]:
        if line.startswith("  "):
            found.append(line.strip())
        else:
            seed, _, summary = line.partition(": ")
            found = lines[seed] = [summary]
    return lines


def test_nothing_is_violated_whatever_the_world_does(report):
    violations = {seed: found[1:] for seed, found in report.items() if ":" not in seed and found[1:]}
    assert violations == {}


def test_every_planted_bug_is_found(report):
    found = {seed.partition(":")[2] for seed, lines in report.items() if ":" in seed and lines[1:]}
    assert SEEDS_OF_BUG.keys() == BUGS.keys()
    assert BUGS.keys() - found == set()


def test_a_seed_replays_to_the_same_trace_in_another_process(report):
    (figures, _) = simulation(REPLAYED)
    assert figures == f"{REPLAYED}: {report[REPLAYED][0]}"


@pytest.mark.soak
def test_nothing_is_violated_in_swarms_of_faults():
    seeds = f"1..{amount(1, 2000)}"
    assert [line for line in simulation(seeds) if line.startswith("  ")] == []
