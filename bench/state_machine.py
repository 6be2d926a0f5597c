"""The state machine alone: whole jobs per second with a provider that does nothing, in groups and one by one.

SQLite with synchronous=FULL, every job accepted, moved through all of its states and ended, each move durable with its
event. Targets: at least 500 jobs per second, and at least 10 times the same machine with one write per commit.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import cast

import uuid_utils

from framegate.config.settings import Settings
from framegate.domain import Fault, Job, Request, State, Target
from framegate.domain.machine import Machine
from framegate.jobs.clock import JobClock
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.state_machine.transition import Transition
from framegate.jobs.worker import Worker
from framegate.providers.registry import ProviderRegistry
from framegate.store import Store
from framegate.store.engine import sqlite_url

JOBS = 2000
JOBS_ALONE = 200  # one by one is slow: fewer jobs, the same rate
REPEATS = 3
JOBS_PER_SECOND_LEAST = 500
RATIO_LEAST = 10
WAY = (
    State.QUEUED,
    State.PREPARING,
    State.SUBMITTING,
    State.RUNNING,
    State.FETCHING,
    State.CHECKING,
    State.COMPLETED,
)
NEXT: dict[State, State] = dict(itertools.pairwise(WAY))


class InstantStates:
    """Every state leads to the next, at once; the order is written down as a real one is."""

    providers = ProviderRegistry(())
    settings = Settings()
    clock = JobClock(Machine())

    async def step(self, job: Job, *, recovered: bool) -> Transition:
        state = NEXT[job.state]
        order = {State.SUBMITTING: "sending", State.RUNNING: "accepted"}.get(state)
        attempts = job.attempts + (order == "sending")
        return Transition({"state": state, "stage": state.value, "attempts": attempts}, order=order)

    def next_submit(self, _job: Job) -> None:
        """No submit needs a slot."""

    def fail(self, fault: Fault, state: State = State.FAILED) -> Transition:
        return Transition({"state": state, "fault": fault})

    async def end(self, job: Job, state: State, fault: Fault, *, recovered: bool) -> Transition:
        return self.fail(fault, state)


def make_job() -> Job:
    now = time.time()
    return Job(
        id=str(uuid_utils.uuid7()),
        owner="default",
        dialect="native",
        request=Request(model="framegate/animatic", prompt="a slow push-in on a rocket at dusk", duration=4),
        model="framegate/animatic",
        target=Target(width=1280, height=720, fps=24, duration=4, audio=False, seed=None),
        created_at=now,
        updated_at=now,
        deadline_at=now + 3600,
    )


async def measure(jobs: int, group_max: int) -> tuple[float, float]:
    """Jobs per second, and milliseconds of CPU per job."""
    with tempfile.TemporaryDirectory() as folder:
        async with Store(sqlite_url(Path(folder)), group_max=group_max) as store:
            worker = Worker(store, cast("JobStateMachine", InstantStates()), machine=Machine())
            await worker.start()
            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(store.insert(make_job()) for _ in range(jobs)))
            while await store.count_active():
                await asyncio.sleep(0.02)
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
            await worker.stop()
            page = await store.list(owner="default", limit=1, states=(State.COMPLETED,))
            assert len(page.jobs) == 1
    return jobs / wall, cpu / jobs * 1000


def main() -> int:
    import uvloop

    grouped = [uvloop.run(measure(JOBS, 512)) for _ in range(REPEATS)]
    alone = [uvloop.run(measure(JOBS_ALONE, 1)) for _ in range(REPEATS)]
    rate = statistics.median(rate for rate, _ in grouped)
    rate_alone = statistics.median(rate for rate, _ in alone)
    cpu = statistics.median(cpu for _, cpu in grouped)
    ratio = rate / rate_alone
    print(f"state machine, {JOBS} jobs at once, seven durable moves each, SQLite synchronous=FULL")
    print(f"  in groups      {rate:8.0f} jobs/s   {cpu:.2f} ms of CPU per job   (at least {JOBS_PER_SECOND_LEAST})")
    print(f"  one by one     {rate_alone:8.0f} jobs/s")
    print(f"  ratio          {ratio:8.1f}            (at least {RATIO_LEAST})")
    good = rate >= JOBS_PER_SECOND_LEAST and ratio >= RATIO_LEAST
    print("  " + ("reached" if good else "MISSED"))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
