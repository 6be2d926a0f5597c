"""Profiles: which faults happen in the life of a seed, and how often.

A seed is a name and a number, such as `cancel-17`: its profile has the faults of that name. The profile of `swarm-17`
has a random subset of all faults at random rates.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Rates and weights of faults, and what the clients do. Rates are probabilities, times are virtual seconds."""

    chaos_seconds: float = 900.0  # until all faults end
    clients: int = 8
    providers: tuple[str, ...] = ("openrouter", "relay", "phaseo", "fal", "pictory")
    submits: Weights = field(default_factory=dict)  # fates of a submit beside success
    submit_faults: float = 0.0
    polls: Weights = field(default_factory=dict)
    poll_faults: float = 0.0
    files: Weights = field(default_factory=dict)
    file_faults: float = 0.0
    ends: Weights = field(default_factory=dict)  # of orders, beside a finished video
    end_faults: float = 0.0
    receivers: Weights = field(default_factory=dict)
    receiver_faults: float = 0.0
    outages: int = 0  # of a provider
    kills: int = 0
    kill_seams_max: int = 1500
    stops: int = 0
    clock_jumps: tuple[float, ...] = ()
    failed_commits: float = 0.0
    slow_commits: float = 0.0
    database_outages: int = 0
    concurrency: int | None = None
    budget: bool = False
    cancels: float = 0.0
    cancel_seconds_max: float = 120.0
    broken_creates: float = 0.0
    keyed_creates: float = 0.3
    waits: float = 0.3
    deletes: float = 0.0
    render_seconds_max: float = 240.0


SUBMITS = (
    "slow", "too_slow", "connect_refused", "connect_timeout", "reset_before", "reset_after", "write_failed", "late",
    "error", "error_after", "bad_gateway_after", "gateway_timeout", "too_many", "too_early", "invalid", "unauthorized",
    "payment", "not_implemented", "conflict_after", "request_timeout", "cut_after", "no_id_after",
)  # fmt: skip
POLLS = ("error", "reset", "stall", "too_many", "not_json", "missing", "slow")
FILES = ("slow", "reset", "cut", "error", "not_found", "forbidden", "too_many", "stall", "refused", "late_reset")
WRONG_FILES = ("html", "empty", "json")
ENDS = ("failed", "vanished", "endless", "slow")
RECEIVERS = ("error", "slow", "timeout", "down", "gone", "redirect", "dropped")


def _even(names: tuple[str, ...]) -> Weights:
    return dict.fromkeys(names, 1.0)


BROKEN = (
    "reset_before", "reset_after", "write_failed", "late", "error", "error_after", "bad_gateway_after", "too_slow",
)  # fmt: skip

TARGETED: Mapping[str, Profile] = {
    "submit": Profile(submits=_even(SUBMITS), submit_faults=0.6, clients=7),
    "broken": Profile(submits=_even(BROKEN), submit_faults=0.7, clients=7),
    "kill": Profile(kills=5, kill_seams_max=700, submits=_even(("slow",)), submit_faults=0.6, clients=7),
    "stop": Profile(stops=4, kills=1, submits=_even(("slow",)), submit_faults=0.6, clients=7),
    "webhook": Profile(receivers=_even(RECEIVERS), receiver_faults=0.7, kills=1, clients=6, ends=_even(ENDS[:1])),
    "money": Profile(
        submits=_even(BROKEN), submit_faults=0.3, budget=True, ends=_even(("failed", "vanished")), end_faults=0.3,
        clients=10,
    ),
    "cancel": Profile(
        cancels=0.9, cancel_seconds_max=40.0, concurrency=1, clients=10, submits=_even(("slow", "too_many")),
        submit_faults=0.4, providers=("openrouter", "fal"),
    ),
    "commit": Profile(failed_commits=0.08, slow_commits=0.1, clients=7),
    "database": Profile(database_outages=6, clients=7, submits=_even(("slow", "invalid")), submit_faults=0.6),
    "file": Profile(files=_even(FILES), file_faults=0.6, clients=7),
    "wrong": Profile(files=_even(WRONG_FILES), file_faults=0.6, clients=7),
    "poll": Profile(polls=_even(POLLS), poll_faults=0.5, ends=_even(ENDS), end_faults=0.3, outages=2, clients=7),
    "clock": Profile(
        clock_jumps=(400.0, -300.0, 90.0, -90.0), submits=_even(("reset_before", "slow")), submit_faults=0.4, clients=7,
    ),
    "create": Profile(broken_creates=0.7, kills=3, slow_commits=0.3, clients=10, keyed_creates=0.4),
}  # fmt: skip


def profile_of(seed: str) -> Profile:
    """Return the profile of a seed. Raises `ValueError` for an unknown name."""
    name, _, number = seed.rpartition("-")
    chance = random.Random(f"{seed}/profile")
    if name in TARGETED:
        profile = TARGETED[name]
        return replace(profile, chaos_seconds=chance.uniform(300, 900))
    if name != "swarm" or not number.isdecimal():
        names = ", ".join(TARGETED)
        raise ValueError(f"A seed is a number, or one of swarm, {names} with a number, such as cancel-17.")
    return _swarm(chance)


def _swarm(chance: random.Random) -> Profile:
    def some(names: tuple[str, ...]) -> Weights:
        return {name: chance.choice((1, 1, 4)) for name in names if chance.random() < 0.4}

    def rate(high: float) -> float:
        return chance.choice((0.0, 0.0, 0.2, 0.5, 1.0)) * high

    return Profile(
        chaos_seconds=chance.uniform(600, 2400),
        clients=chance.randint(12, 24),
        submits=some(SUBMITS),
        submit_faults=rate(0.7),
        polls=some(POLLS),
        poll_faults=rate(0.6),
        files=some(FILES + WRONG_FILES),
        file_faults=rate(0.7),
        ends=some(ENDS),
        end_faults=rate(0.4),
        receivers=some(RECEIVERS),
        receiver_faults=rate(0.8),
        outages=chance.choice((0, 0, 1, 3)),
        kills=chance.choice((0, 0, 1, 4, 8)),
        kill_seams_max=chance.choice((200, 800, 3000)),
        stops=chance.choice((0, 0, 1, 3)),
        clock_jumps=tuple(
            chance.choice((-4000.0, -300.0, -70.0, -5.0, 5.0, 70.0, 300.0, 4000.0))
            for _ in range(chance.choice((0, 0, 0, 1, 3)))
        ),
        failed_commits=rate(0.1),
        slow_commits=rate(0.3),
        database_outages=chance.choice((0, 0, 0, 2, 5)),
        concurrency=chance.choice((None, None, 1, 2, 5)),
        budget=chance.random() < 0.5,
        cancels=rate(0.8),
        cancel_seconds_max=chance.choice((3.0, 60.0, 300.0)),
        broken_creates=rate(0.6),
        waits=rate(0.8),
        deletes=rate(0.5),
        render_seconds_max=chance.choice((20.0, 240.0, 600.0)),
    )
