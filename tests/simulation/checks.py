"""What must hold: after every commit, at every submit, and once all is quiet."""

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from framegate.jobs.state_machine.transition import order_key
from simulation.clients import Client
from simulation.world import FATES, PlacedOrder, World

RANK = {"queued": 0, "preparing": 1, "submitting": 2, "running": 3, "fetching": 4, "checking": 5}
BEFORE_AN_ORDER = ("queued", "preparing")
FINAL_ENTRIES = ("settled", "void", "held")
POLLS_PER_MINUTE_MAX = 30


@dataclass(slots=True)
class JobRow:
    """A job as it was committed."""

    client: str
    state: str = "queued"
    version: int = 0
    cancelled_early: bool = False  # a cancel was committed before its order was begun
    document: str = "{}"
    was_deleted: bool = False
    history: list[str] = field(default_factory=list)


class Checks:
    """Watches the database as another process would, and collects what must not be."""

    def __init__(self, world: World, database: Path) -> None:
        self._world, self._machine = world, world.machine
        self._database = sqlite3.connect(database, isolation_level=None)
        self.jobs: dict[str, JobRow] = {}
        self._entries: dict[str, tuple[str, int | None]] = {}
        self._job_of_key: dict[str, str] = {}
        self.doubtful: set[str] = set()  # jobs whose process ended while their order was submitted
        self.violations: list[str] = []
        self.commits = 0

    def violate(self, text: str) -> None:
        """Record a violation, once."""
        if text not in self.violations:
            self._machine.trace(f"VIOLATION {text}")
            self.violations.append(text)

    def job_of_key(self, key: str) -> str:
        return self._job_of_key.get(key, "")

    # -- after every commit

    def on_commit(self) -> None:
        try:
            rows = self._database.execute("SELECT id, state, version, cancel_requested, request, state_json FROM jobs")
            seen: set[str] = set()
            for job_id, state, version, cancel_requested, request, document in rows.fetchall():
                seen.add(job_id)
                if job_id not in self.jobs:
                    self.jobs[job_id] = JobRow(client=json.loads(request)["prompt"].rpartition(", says ")[2])
                    self._job_of_key[_key_of(job_id)] = job_id
                row = self.jobs[job_id]
                if version != row.version:
                    self._changed(job_id, row, state, version, document, cancel_requested=bool(cancel_requested))
            for job_id, row in self.jobs.items():
                row.was_deleted = job_id not in seen
            self._check_ledger()
        except sqlite3.OperationalError:  # before the schema
            return
        self.commits += 1

    def _changed(
        self, job_id: str, row: JobRow, state: str, version: int, document: str, *, cancel_requested: bool
    ) -> None:
        self._machine.trace(f"job {job_id[-6:]} v{version} {row.state} -> {state}{' cancel' * cancel_requested}")
        if version < row.version:
            self.violate(f"{_short(job_id)} went back from version {row.version} to {version}")
        if row.state not in RANK:
            self.violate(f"{_short(job_id)} changed after its end: {row.state} -> {state}")
        elif state in RANK and RANK[state] < RANK[row.state] and row.state != "submitting":
            self.violate(f"{_short(job_id)} went back: {row.state} -> {state}")
        if cancel_requested and state in BEFORE_AN_ORDER:
            row.cancelled_early = True
        row.state, row.version, row.document = state, version, document
        row.history.append(state)

    def _check_ledger(self) -> None:
        query = "SELECT job_id, state, settled_micro_usd, reserved_micro_usd, key_id FROM ledger"
        counted: Counter[str] = Counter()
        for job_id, state, settled, reserved, key_id in self._database.execute(query).fetchall():
            before = self._entries.get(job_id)
            if before and before[0] in FINAL_ENTRIES and before != (state, settled):
                self.violate(f"{_short(job_id)} was {before} in the ledger and became {(state, settled)}")
            if before is None or before[0] != state:
                self._machine.trace(f"ledger {job_id[-6:]} {state} {settled}")
            self._entries[job_id] = (state, settled)
            if key_id and state != "void":
                counted[key_id] += (settled if state == "settled" else reserved) or 0
        if counted:
            budgets = dict(self._database.execute("SELECT id, budget_micro_usd FROM keys").fetchall())
            for key_id, amount in counted.items():
                if budgets[key_id] is not None and amount > budgets[key_id]:
                    self.violate(f"the budget {budgets[key_id]} is exceeded: {amount}")

    # -- at every submit and every death

    def on_submit(self, job_id: str) -> None:
        row = self.jobs.get(job_id)
        if row is None:
            self.violate("a submit without a committed job")
            return
        if job_id in self.doubtful:
            return  # its process died while the order was under way, which arrives all the same
        if row.cancelled_early:
            self.violate(f"{_short(job_id)} was submitted after its cancel was committed")
        if row.state != "submitting":
            self.violate(f"{_short(job_id)} was submitted in state {row.state}")

    def on_end(self) -> None:
        self.doubtful |= {job_id for job_id, row in self.jobs.items() if row.state == "submitting"}

    # -- once all is quiet

    def open_jobs(self) -> list[str]:
        return [job_id for job_id, row in self.jobs.items() if row.state in RANK and not row.was_deleted]

    def waiting_deliveries(self) -> int:
        query = "SELECT count(*) FROM deliveries WHERE state = 'waiting'"
        return self._database.execute(query).fetchone()[0]

    def at_the_end(self, clients: list[Client], folder: Path) -> None:
        """Check everything that holds once no job is open."""
        orders: defaultdict[str, list[PlacedOrder]] = defaultdict(list)
        for order in self._world.orders:
            orders[order.job_id].append(order)
        for job_id, row in self.jobs.items():
            self._check_job(job_id, row, orders[job_id], folder)
        for client in clients:
            self._check_client(client)
        self._check_webhooks()
        for order in self._world.orders:
            self._check_polls(order)

    def _check_job(self, job_id: str, row: JobRow, orders: list[PlacedOrder], folder: Path) -> None:
        name = _short(job_id)
        document = json.loads(row.document)
        fault = document.get("fault") or {}
        if row.state in RANK:
            self.violate(f"{name} has not ended: {row.state}")
            return
        if len(orders) > 1:
            self.violate(f"{name} has {len(orders)} orders at {[order.service for order in orders]}")
        fates = self._submits(job_id)
        if fault.get("unsure") and all(FATES[fate].is_known for fate in fates) and job_id not in self.doubtful:
            self.violate(f"{name} is unsure, and its fate was known: {fates}")
        if fault.get("code") == "internal_error":
            self.violate(f"{name} ended with an internal error")
        if row.cancelled_early and row.state != "cancelled":
            self.violate(f"{name} was cancelled before its order, and ended {row.state} ({fault.get('code')})")
        self._check_bill(name, job_id, row, orders, document)
        finished = [order for order in orders if order.end == "done" and not order.is_cancelled]
        if row.state == "completed":
            self._check_file(name, document, orders, folder, is_deleted=row.was_deleted)
        elif row.state == "failed" and finished and not fault.get("unsure"):
            self.violate(f"{name} failed with {fault.get('code')}, and its provider made the video: {fates}")

    def _check_bill(
        self, name: str, job_id: str, row: JobRow, orders: list[PlacedOrder], document: dict[str, object]
    ) -> None:
        state, settled = self._entries.get(job_id, ("missing", None))
        billed = [order for order in orders if order.is_billed]
        reports = [order for order in billed if order.service != "queue.fal.run" and order.end == "done"]
        if state not in FINAL_ENTRIES:
            self.violate(f"{name} ended {row.state} and is {state} in the ledger")
        if state == "void" and billed:
            self.violate(f"{name} is void in the ledger, and its provider bills it ({document.get('fault')})")
        if state == "held" and not self._submits(job_id) and job_id not in self.doubtful:
            self.violate(f"{name} is held, and no order was begun")
        if state == "settled" and not billed:
            self.violate(f"{name} is settled, and its provider bills nothing")
        if row.state == "completed" and reports and settled != reports[0].bill_micro_usd:
            self.violate(f"{name} is settled at {settled}, and its provider bills {reports[0].bill_micro_usd}")

    def _submits(self, job_id: str) -> list[str]:
        return [submit.fate for submit in self._world.submits if submit.job_id == job_id]

    def _check_file(
        self, name: str, document: dict[str, list[dict[str, dict[str, str]]]], orders: list[PlacedOrder], folder: Path,
        *, is_deleted: bool,
    ) -> None:  # fmt: skip
        hashes = {hashlib.sha256(order.video).hexdigest() for order in orders}
        for output in document["outputs"]:
            sha256 = output["blob"]["sha256"]
            if sha256 not in hashes:
                self.violate(f"{name} has a file that its provider did not make")
            path = folder / "blobs" / sha256[:2] / sha256
            if not is_deleted and (not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256):
                self.violate(f"{name} has lost its file")

    def _check_client(self, client: Client) -> None:
        jobs = [job_id for job_id, row in self.jobs.items() if row.client == client.name]
        if client.refusal is None and len(client.answered) != 1:
            self.violate(f"{client.name} has no job")
        if len(jobs) > 1 and (client.has_key or not self._machine.profile.clock_jumps):
            self.violate(f"{client.name} sent one create, and there are {len(jobs)} jobs")
        for job_id in client.answered - set(jobs):
            self.violate(f"{_short(job_id)} was answered, and is not stored")
        if client.cancel_answered_at is None:
            return
        for submit in self._world.submits:
            if submit.job_id in client.answered and submit.at > client.cancel_answered_at:
                self.violate(f"{_short(submit.job_id)} was submitted after its cancel was answered")

    def _check_webhooks(self) -> None:
        query = "SELECT id, job_id, url, type, seq, state, attempts FROM deliveries ORDER BY job_id, url, seq, id"
        place: dict[str, tuple[str, int]] = {}
        terminal: Counter[str] = Counter()
        subscribed: set[str] = set()
        for number, (event_id, job_id, _, kind, _, state, _) in enumerate(self._database.execute(query).fetchall()):
            place[event_id] = (job_id, number)
            subscribed.add(job_id)
            terminal[job_id] += kind.rpartition(".")[2] in ("completed", "failed", "cancelled", "expired")
            if state == "waiting":
                self.violate(f"a webhook of {_short(job_id)} is never sent")
        for job_id in subscribed:
            if terminal[job_id] != 1:
                self.violate(f"{_short(job_id)} has {terminal[job_id]} webhooks of its end")
        newest: dict[str, int] = {}
        for hearing in self._world.hearings:
            if hearing.event_id in place:
                job_id, number = place[hearing.event_id]
                if number < newest.get(job_id, 0):
                    self.violate(f"the webhooks of {_short(job_id)} were sent out of order")
                newest[job_id] = max(number, newest.get(job_id, 0))

    def _check_polls(self, order: PlacedOrder) -> None:
        polls = order.polls
        for index in range(len(polls) - POLLS_PER_MINUTE_MAX):
            if polls[index + POLLS_PER_MINUTE_MAX] - polls[index] < 60:
                self.violate(f"{_short(order.job_id)} was polled more than {POLLS_PER_MINUTE_MAX} times in a minute")
                return


def _short(job_id: str) -> str:
    return f"job {job_id[-6:]}"


def _key_of(job_id: str) -> str:
    class _Named:
        id = job_id

    return order_key(_Named())  # pyright: ignore[reportArgumentType]
