"""One seed from its start until all is quiet."""

import asyncio
import logging
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from unittest.mock import patch

from framegate.app import parts
from framegate.domain import BudgetPeriod
from framegate.domain.keys import new_key
from framegate.jobs import change_feed, worker
from framegate.jobs.webhooks import dispatcher
from simulation.bugs import planted
from simulation.checks import Checks
from simulation.clients import Client
from simulation.gateway import Gateway, SimulatedLock
from simulation.machine import SimulatedMachine, Stuck
from simulation.profiles import Profile, profile_of
from simulation.world import World
from support.virtual_machine import Deadlock, blocking_calls_on_the_loop

PATIENCE_SECONDS = 14_400.0  # virtual, after the last fault: twice the longest life of a job
WEBHOOK_SECONDS = 110_000.0  # a little longer than the longest schedule
IDLE_SECONDS, CALM_IDLE_SECONDS = 30.0, 60.0  # a sole process is woken by its notifier
WATCH_SECONDS = 5.0
BUDGET_MICRO_USD = 12_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a seed."""

    seed: str
    violations: tuple[str, ...]
    trace_hash: str
    lines: tuple[str, ...]
    jobs: int
    orders: int
    processes: int
    commits: int
    seconds: float  # virtual

    @property
    def summary(self) -> str:
        """What happened, in figures."""
        return (
            f"{self.jobs} jobs, {self.orders} orders, {self.processes} processes, {self.commits} commits, "
            f"{self.seconds:.0f} s, trace {self.trace_hash[:16]}"
        )


@cache
def warm_up() -> None:
    """Do once what every seed needs, before processes are forked."""
    simulate("submit-0")


def simulate(seed: str, bug: str | None = None) -> Outcome:
    """Run a seed, with a planted bug if one is named. Raises `ValueError` for an unknown seed."""
    profile = profile_of(seed)
    machine = SimulatedMachine(seed, profile)
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=shared if shared.is_dir() else None))
    try:
        with _polling_rarely(), planted(bug), blocking_calls_on_the_loop():
            return _run(_Life(seed, profile, machine, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(life: "_Life") -> Outcome:
    machine, loop = life.machine, life.machine.new_event_loop()
    loop.set_exception_handler(life.on_loop_error)
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        loop.run_until_complete(life.run())
    except (Stuck, Deadlock) as error:
        life.checks.violate(f"stuck: {error or 'deadlock'}")
    finally:
        logging.disable(previous)
        loop.close()
    return Outcome(
        seed=life.seed,
        violations=tuple(life.checks.violations),
        trace_hash=machine.trace_hash,
        lines=tuple(machine.lines),
        jobs=len(life.checks.jobs),
        orders=len(life.world.orders),
        processes=machine.processes,
        commits=life.checks.commits,
        seconds=machine.seconds,
    )


@contextmanager
def _polling_rarely() -> Iterator[None]:
    """Let idle loops sleep longer: in a sole process events end every wait."""
    with ExitStack() as stack:
        for module, name, seconds in (
            (worker, "IDLE_SECONDS", IDLE_SECONDS),
            (worker, "WATCH_SECONDS", WATCH_SECONDS),
            (dispatcher, "IDLE_SECONDS", IDLE_SECONDS),
        ):
            stack.enter_context(patch.object(module, name, seconds))
        stack.enter_context(patch.object(change_feed, "POLL_SECONDS", 20.0))
        stack.enter_context(patch.object(parts, "FolderLock", SimulatedLock))
        yield


class _Life:
    """The clients' life, the faults beside it, and the quiet after it."""

    def __init__(self, seed: str, profile: Profile, machine: SimulatedMachine, folder: Path) -> None:
        self.seed, self.profile, self.machine, self.folder = seed, profile, machine, folder
        self.chance = random.Random(f"{seed}/life")
        self.world = World(machine, seed)
        self.checks = Checks(self.world, folder / "framegate.db")
        machine.transport = self.world.transport
        machine.on_commit = self.checks.on_commit
        self.world.job_of_key, self.world.on_submit = self.checks.job_of_key, self.checks.on_submit
        self.gateway: Gateway
        self.clients: list[Client] = []
        self.kills_left = profile.kills
        self.is_over = False

    def on_loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        source = context.get("task") or context.get("future")
        name = source.get_name() if isinstance(source, asyncio.Task) else ""
        self.checks.violate(f"{context['message']}: {error!r} {name}")

    async def run(self) -> None:
        self.gateway = Gateway(self.machine, self.folder, self._settings())

        self.machine.on_end = self._ended
        keeper = asyncio.ensure_future(self._keep_running())
        key_id = await self._budget_key() if self.profile.budget else None
        self.clients = [
            Client(number, self.seed, self.gateway, self.profile, key_id if number % 2 else None)
            for number in range(self.profile.clients)
        ]
        lives = [asyncio.ensure_future(client.live()) for client in self.clients]
        faults = [asyncio.ensure_future(fault) for fault in self._faults()]
        await asyncio.sleep(self.profile.chaos_seconds)
        await asyncio.gather(*faults)
        self._calm_down()
        await self._until_quiet(lives)
        self.is_over = True
        keeper.cancel()
        await self.gateway.stop()
        for error in self.gateway.stop_errors:
            self.checks.violate(f"a stop failed: {error}")
        self.checks.at_the_end(self.clients, self.folder)

    def _settings(self) -> dict[str, object]:
        limit = {"concurrency": self.profile.concurrency} if self.profile.concurrency else {}
        relay = {"name": "relay", "api_key": "sk-relay-key", "base_url": "https://relay.example/api/v1"}
        table = {
            "openrouter": {"provider": "openrouter", "name": "main", "api_key": "sk-openrouter"},
            "relay": {"provider": "openrouter", **relay},
            "phaseo": {"provider": "phaseo", "api_key": "sk-phaseo-key"},
            "fal": {"provider": "fal", "api_key": "fal-key:secret"},
            "pictory": {"provider": "pictory", "api_key": "pictory-key"},
        }
        accounts = [{**table[name], **limit} for name in self.profile.providers]
        return {
            "accounts": accounts,
            "public_url": "https://gateway.example",
            "api_key": "sk-operator",
            "pictory_usd_per_credit": Decimal("0.01"),
            "allow_unpriced_jobs": True,
            "job_deadline_seconds": self.chance.choice((1800, 3600)),
        }

    async def _budget_key(self) -> str:
        def add(gateway_parts):
            _, key = new_key(
                now=self.machine.now(), budget_micro_usd=BUDGET_MICRO_USD, budget_period=BudgetPeriod.TOTAL
            )
            key = replace(key, id="budget")

            async def added():
                await gateway_parts.store.keys.add(key)

            return added()

        while True:
            try:
                await self.gateway.ask(add)
            except Exception:  # noqa: BLE001 - the database fails, or the key is there since before a kill
                rows = self.checks._database.execute("SELECT 1 FROM keys").fetchall()
                if not rows:
                    await asyncio.sleep(1.0)
                    continue
            return "budget"

    # -- processes

    def _ended(self) -> None:
        self.gateway.is_up.clear()
        self.checks.on_end()

    async def _keep_running(self) -> None:
        """Start the gateway again whenever it ended."""
        while not self.is_over:
            fuse = None
            if self.kills_left and not self.machine.calm and self.chance.random() < 0.8:
                self.kills_left -= 1
                fuse = self.chance.randint(1, self.profile.kill_seams_max)
            await self.gateway.start(fuse)
            assert self.gateway.process is not None
            await self.gateway.process.died.wait()
            if self.is_over:
                return
            await asyncio.sleep(self.chance.choice((0.1, 2.0, 20.0, 100.0)))

    # -- faults

    def _faults(self):
        profile = self.profile
        for _ in range(profile.stops):
            yield self._at_random(self.gateway.stop)
        for _ in range(profile.kills // 2):
            yield self._at_random(self._kill)
        for seconds in profile.clock_jumps:
            yield self._at_random(lambda seconds=seconds: self._jump(seconds))
        for _ in range(profile.outages):
            yield self._at_random(self._outage)
        for _ in range(profile.database_outages):
            yield self._at_random(self._database_outage)

    async def _at_random(self, do) -> None:
        await asyncio.sleep(self.chance.uniform(1.0, self.profile.chaos_seconds))
        result = do()
        if asyncio.iscoroutine(result):
            await result

    def _kill(self) -> None:
        if self.kills_left:
            self.kills_left -= 1
            self.gateway.kill()

    def _jump(self, seconds: float) -> None:
        self.machine.trace(f"the clock is set by {seconds:+}")
        self.machine.set_clock_forward(seconds)

    def _outage(self) -> None:
        host = self.chance.choice(list(self.world.services))
        self.world.down_until[host] = self.machine.seconds + self.chance.choice((5.0, 60.0, 300.0))
        self.machine.trace(f"outage of {host}")

    def _database_outage(self) -> None:
        self.machine.database_down_until = self.machine.seconds + self.chance.choice((0.5, 4.0, 20.0))
        self.machine.trace("outage of the database")

    # -- quiet

    def _calm_down(self) -> None:
        self.machine.trace("calm")
        self.machine.calm = True
        if self.gateway.process is not None:
            self.gateway.process.fuse = None

    async def _until_quiet(self, lives: "Sequence[asyncio.Future[None]]") -> None:
        end = self.machine.seconds + PATIENCE_SECONDS
        while (self.checks.open_jobs() or not all(life.done() for life in lives)) and self.machine.seconds < end:
            await asyncio.sleep(10.0)
        for life in lives:
            if life.done():
                life.result()
            else:
                life.cancel()
        dispatcher.IDLE_SECONDS = worker.IDLE_SECONDS = CALM_IDLE_SECONDS
        end = self.machine.seconds + WEBHOOK_SECONDS
        while self.checks.waiting_deliveries() and self.machine.seconds < end:
            await asyncio.sleep(300.0)
