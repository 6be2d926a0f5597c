"""The gateway in a simulated world, where what must hold is checked after every commit; see `simulation.checks`."""

import os
import subprocess
import sys

import pytest

from simulation.bugs import BUGS
from simulation.profiles import TARGETED
from support.paths import ROOT, TESTS
from support.soak import amount

# One seed for each planted bug that is known to find it; a change of the gateway may need another seed.
SEED_OF_BUG = {
    "broken-is-not-sent": "broken-1",
    "recovered-ignored": "kill-1",
    "webhook-order": "webhook-1",
    "held-is-void": "money-1",
    "no-budget": "money-2",
    "cancel-ignored": "cancel-1",
    "accepted-dropped": "commit-2",
    "download-once": "file-1",
    "settled-twice": "money-1",
}
SEEDS_PER_PROFILE = amount(2, 50)
REPLAYED = "kill-2"
FOUND = ("stop-4", "swarm-3")  # seeds that have found a fault, beside those of the profiles


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
    lines: dict[str, list[str]] = {}
    found: list[str] = []
    for line in simulation(*clean, *FOUND, *(f"{seed}:{bug}" for bug, seed in SEED_OF_BUG.items()))[:-1]:
        if line.startswith("  "):
            found.append(line.strip())
        else:
            seed, _, summary = line.partition(": ")
            found = lines[seed] = [summary]
    return lines


def test_nothing_is_violated_whatever_the_world_does(report):
    violations = {seed: found[1:] for seed, found in report.items() if ":" not in seed and found[1:]}
    assert violations == {}


def test_every_planted_bug_is_found_by_a_seed_that_is_clean_without_it(report):
    assert SEED_OF_BUG.keys() == BUGS.keys()
    assert [bug for bug, seed in SEED_OF_BUG.items() if not report[f"{seed}:{bug}"][1:]] == []
    assert set(SEED_OF_BUG.values()) <= set(report)


def test_a_seed_replays_to_the_same_trace_in_another_process(report):
    (figures, _) = simulation(REPLAYED)
    assert figures == f"{REPLAYED}: {report[REPLAYED][0]}"


@pytest.mark.soak
def test_nothing_is_violated_in_swarms_of_faults():
    seeds = f"1..{amount(1, 2000)}"
    assert [line for line in simulation(seeds) if line.startswith("  ")] == []
