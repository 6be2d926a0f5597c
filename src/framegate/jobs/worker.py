"""The runner: takes jobs that are due, and moves each one on until it ends or has long to wait."""

import asyncio
import logging
import math
from dataclasses import replace

from framegate.domain import Fault, Job, State
from framegate.domain.errors import BudgetExceeded, FramegateError, NotFound, Stale, Unavailable
from framegate.domain.ledger import ledger_change
from framegate.domain.machine import Machine
from framegate.jobs.background.periodic import wait_for_event
from framegate.jobs.concurrency import ConcurrencyLimiter
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.state_machine.transition import Transition, order_key, writable
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.store import ClaimedJob, Store
from framegate.store.job_writes import OrderState, next_version

_log = logging.getLogger(__name__)

HELD_JOBS_MAX = 2000  # jobs that one process moves at once; the rest wait in the store
LEASE_SECONDS = 60.0
HEARTBEAT_SECONDS = 15.0
HOLD_SECONDS = 5.0  # a longer wait is spent in the store, not in memory; but that of an order whose place is counted
LINE_SECONDS = 60.0  # until a job comes back that found too many waiting for a place
IDLE_SECONDS = 1.0  # how long to sleep at most: another process may have written
WATCH_SECONDS = 1.0
_ORDERED = (State.SUBMITTING, State.RUNNING)  # a job in these has a place at its provider
LAST_LOOK_SECONDS = 300.0  # how much longer than its deadline an order is asked for that cannot be asked
STOP_SECONDS = 20.0  # how long a stop waits for the answers to orders that are on their way
ASLEEP_SECONDS = 60.0  # a longer while in which nothing was seen is one that this process slept through
FETCH_SECONDS = 3600.0  # how much longer than its deadline a job may take to bring in the video that was made for it


class Worker:
    """One runner in one process. `sole`: nobody else works on this store, so whatever was held is free again."""

    def __init__(
        self,
        store: Store,
        state_machine: JobStateMachine,
        *,
        machine: Machine,
        webhook_dialects: WebhookDialects | None = None,
        sole: bool = True,
    ) -> None:
        self.worker = f"worker-{machine.random_bytes(6).hex()}"
        self._store = store
        self._state_machine = state_machine
        self._clock = machine
        self._webhook_dialects = webhook_dialects or WebhookDialects(machine=machine)
        self._sole = sole
        self._slots = ConcurrencyLimiter()
        self._drives: dict[str, asyncio.Task[None]] = {}
        self._ordering: set[str] = set()  # jobs whose order is on its way
        self._stopping = False
        self._deadlines: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._awake_since = self._seen_at = machine.now()
        self._keep_at = self._seen_at + HEARTBEAT_SECONDS

    async def start(self) -> None:
        """Take up whatever an earlier process left, then whatever comes."""
        if self._sole:
            await self._store.release_all()
        self._tasks = [
            asyncio.create_task(self._run(), name="framegate-runner"),
            asyncio.create_task(self._watch_over(), name="framegate-watch"),
        ]

    async def stop(self) -> None:
        """Put every job down where it stands; the next process takes them up.

        An order that is on its way gets some time to be answered: nobody could say what became of it otherwise.
        """
        self._stopping = True
        for task in (*self._tasks, *(drive for job_id, drive in self._drives.items() if job_id not in self._ordering)):
            task.cancel()
        if ordering := [self._drives[job_id] for job_id in self._ordering]:
            patience = asyncio.create_task(self._clock.sleep(STOP_SECONDS))
            answers = asyncio.gather(*ordering, return_exceptions=True)
            await asyncio.wait((answers, patience), return_when=asyncio.FIRST_COMPLETED)
            patience.cancel()
        for task in self._drives.values():
            task.cancel()
        await asyncio.gather(*self._tasks, *self._drives.values(), return_exceptions=True)
        await self._store.release_all(self.worker)

    @property
    def alive(self) -> bool:
        """Whether the runner runs."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    # -- taking jobs

    async def _run(self) -> None:
        while True:
            self._store.notifier.work_available.clear()
            try:
                wait = await self._take()
            except Unavailable as error:
                _log.warning("The store is away, trying again: %s", error.message)
                await self._clock.sleep(IDLE_SECONDS)
                continue
            if wait > 0:
                await wait_for_event(self._store.notifier.work_available, wait, clock=self._clock)

    async def _take(self) -> float:
        """Claim what is due; say for how long nothing more is."""
        room = HELD_JOBS_MAX - len(self._drives)
        now = self._clock.now()
        if room <= 0:
            return IDLE_SECONDS
        await self._keep(now)  # else a machine that slept would take its own jobs from itself
        claimed = await self._store.claim(self.worker, now=now, until=now + LEASE_SECONDS, limit=room)
        for held in claimed:  # orders that stand have their places before any other job takes a turn
            if held.job.state in _ORDERED:
                provider = self._state_machine.providers.for_job(held.job)
                self._slots.restore(held.job.id, _place(held.job), provider and provider.concurrency)
        for held in claimed:
            self._store.notifier.track(held.job.id)
            task = asyncio.create_task(self._drive(held), name=f"framegate-job-{held.job.id}")
            self._drives[held.job.id] = task
            task.add_done_callback(lambda over, job_id=held.job.id: self._dropped(job_id, over))
        if claimed:
            return 0.0
        due_at = await self._store.next_due()
        return IDLE_SECONDS if due_at is None else max(0.001, min(IDLE_SECONDS, due_at - now))

    def _dropped(self, job_id: str, over: "asyncio.Task[None]") -> None:
        if self._drives.get(job_id) is not over:
            return  # its lease had run out, and the job is in new hands here
        self._drives.pop(job_id, None)
        self._deadlines.pop(job_id, None)
        self._ordering.discard(job_id)
        self._slots.release(job_id)
        self._store.notifier.untrack(job_id)
        self._store.notifier.work_available.set()

    async def _watch_over(self) -> None:
        """Keep the leases of what is held, and interrupt what is too late."""
        while True:
            await self._clock.sleep(WATCH_SECONDS)
            now = self._now()
            for job_id, deadline_at in self._deadlines.items():
                if now >= deadline_at:
                    self._store.notifier.interrupt(job_id)
            try:
                await self._keep(now)
                if not self._sole and self._drives:
                    await self._heed_others(now)
            except Unavailable as error:
                _log.warning("The leases could not be kept: %s", error.message)

    def _now(self) -> float:
        """The time, with an eye on whether this process slept: late jobs are not ended before they had a chance."""
        now = self._clock.now()
        if now - self._seen_at > ASLEEP_SECONDS:
            self._awake_since = now
        self._seen_at = now
        return now

    async def _keep(self, now: float) -> None:
        """Keep the leases of what is held. What was put down is not among them: its lease is to run out."""
        if now >= self._keep_at and self._drives:
            await self._store.extend(self.worker, self._drives, until=now + LEASE_SECONDS)
            self._keep_at = now + HEARTBEAT_SECONDS

    async def _heed_others(self, now: float) -> None:
        """Interrupt what another process was asked to cancel."""
        for job_id in await self._store.cancelled(self.worker, now=now):
            self._store.notifier.interrupt(job_id)

    # -- moving one job

    async def _drive(self, held: ClaimedJob) -> None:
        job = held.job
        try:
            await self._move_on(held)
        except (Stale, NotFound):
            _log.info("Job %s is no longer ours.", job.id)
        except Unavailable as error:
            _log.warning("Job %s is put down until its lease runs out: %s", job.id, error.message)
        except Exception:  # noqa: BLE001 - the top of a job: a fault of ours puts this one down, and is seen
            _log.exception("Job %s met a fault of ours, and is put down until its lease runs out.", job.id)

    async def _move_on(self, held: ClaimedJob) -> None:
        job, found = held.job, True
        while not job.state.is_final:
            if self._store.notifier.pop_interrupt(job.id):
                job = await self._fresh(job)
                continue  # it may have ended
            late_at = self._late_at(job)
            self._deadlines[job.id] = late_at if self._now() < late_at else math.inf  # what is late already ends here
            step = await self._early_end(job, found=found) or await self._step(job, found=found)
            if step is None:  # interrupted
                continue
            if step.order == "sending":
                self._ordering.add(job.id)
            kept = step.changes.get("state", job.state) in _ORDERED and self._slots.is_limited(job.id)
            far = step.wait > HOLD_SECONDS and not kept
            if step.changes:
                job, step = await self._write(job, step, held.fence, release=far)
                found = False
            elif far:
                await self._store.release(ClaimedJob(job, held.fence), due_at=self._due(job, step.wait))
            self._let_go(job)
            if (far and not job.state.is_final) or (self._stopping and job.id not in self._ordering):
                return
            over = job.state.is_final or job.cancel_requested
            if step.wait and not over:
                await self._wait(job, step.wait)

    def _let_go(self, job: Job) -> None:
        """Give back what a job in this state does not need: its place, and the patience of a stop."""
        if job.state is not State.SUBMITTING or job.submit_unconfirmed:
            self._ordering.discard(job.id)
        if job.state not in _ORDERED:
            self._slots.release(job.id)

    async def _step(self, job: Job, *, found: bool) -> Transition | None:
        """The job's next move; None if it was interrupted. An order on its way is never interrupted."""
        if job.state is State.SUBMITTING:
            return await self._guarded(job, found=found)
        with self._store.notifier.cancellable(job.id):
            if provider := self._state_machine.orders_next(job):
                place, limit = _place(job), provider.concurrency
                if self._slots.is_saturated(place, limit):
                    return Transition(wait=LINE_SECONDS)
                await self._slots.acquire(job.id, place, limit, low=job.request.policy.low_priority)
            return await self._guarded(job, found=found)  # as things are now: the wait for a place may have been long
        return None

    async def _wait(self, job: Job, seconds: float) -> None:
        """Wait, unless interrupted."""
        with self._store.notifier.cancellable(job.id):
            await self._clock.sleep(max(0.0, self._due(job, seconds) - self._clock.now()))

    async def _early_end(self, job: Job, *, found: bool) -> Transition | None:
        if job.cancel_requested:
            cancelled = Fault(code="cancelled", message="The job was cancelled.")
            return await self._end(job, State.CANCELLED, cancelled, found=found)
        now, late_at = self._now(), self._late_at(job)
        if now < late_at:
            return None
        if now < job.deadline_at:
            seconds = f"{job.request.policy.start_seconds:g}"
            late = Fault(code="start_timeout", message=f"The job did not begin within {seconds} seconds, as was asked.")
        else:
            step = await self._last_look(job, found=found)
            patient = now < max(job.deadline_at, self._awake_since) + LAST_LOOK_SECONDS
            if step and (step.changes or patient):
                return step
            seconds = f"{late_at - job.created_at:.0f}"
            late = Fault(code="expired", message=f"The job did not end within {seconds} seconds of its acceptance.")
        return await self._end(job, State.EXPIRED, late, found=found)

    async def _last_look(self, job: Job, *, found: bool) -> Transition | None:
        try:
            return await self._state_machine.last_look(job, found=found)
        except Exception:  # noqa: BLE001 - the top of a job: a fault of ours does not keep it from its end
            _log.exception("Job %s met a fault of ours at its last look.", job.id)
            return None

    async def _end(self, job: Job, state: State, fault: Fault, *, found: bool) -> Transition:
        try:
            return await self._state_machine.end(job, state, fault, found=found)
        except Exception:  # noqa: BLE001 - the top of a job: a fault of ours does not keep it from its end
            _log.exception("Job %s met a fault of ours while its order was stopped.", job.id)
            said = f"{fault.message} Its order may not have been stopped: the provider may charge."
            return self._state_machine.fail(replace(fault, message=said, may_charge=True), state)

    async def _guarded(self, job: Job, *, found: bool) -> Transition:
        try:
            return await self._state_machine.step(job, found=found)
        except Unavailable:
            raise
        except FramegateError as error:
            return await self._state_machine.broken(job, Fault(code=error.code, message=error.message))
        except Exception:  # noqa: BLE001 - the top of a job: a fault of ours ends this job, not the runner
            _log.exception("Job %s met a fault of ours while %s.", job.id, job.state.value)
            message = "Framegate failed on this job; its log says why."
            return await self._state_machine.broken(job, Fault(code="internal_error", message=message))

    async def _write(self, job: Job, step: Transition, fence: int, *, release: bool) -> tuple[Job, Transition]:
        """Make the move durable, and say which it was; on a job that was changed meanwhile, the same move again.

        Where the key's budget does not reach for the way that the move takes, the one after it is taken.
        """
        while True:
            now = self._clock.now()
            after = next_version(job, now, **{name: writable(value) for name, value in step.changes.items()})
            order = OrderState(step.order, order_key(job), now) if step.order else None
            due_at = now if after.cancel_requested else self._due(after, step.wait)
            final = after.state.is_final
            told = self._webhook_dialects.deliveries(job, after)
            try:
                written = await self._store.apply(
                    after,
                    due_at=due_at,
                    fence=fence,
                    release=release or final,
                    order=order,
                    deliveries=told,
                    ledger_change=ledger_change(
                        job, after, allow_unpriced=self._state_machine.settings.allow_unpriced_jobs
                    ),
                )
            except BudgetExceeded as error:
                step = self._state_machine.fall_back_over_budget(job, step, error)
            except Stale:
                job = await self._ours(job, fence)
            else:
                return written, step

    async def _ours(self, job: Job, fence: int) -> Job:
        """The job as it now stands, if it is still in the same state and in our hands. Raises `Stale` if not."""
        held = await self._store.get_with_fence(job.id)
        if held is None or held.fence != fence or held.job.state is not job.state:
            raise Stale
        return held.job

    async def _fresh(self, job: Job) -> Job:
        fresh = await self._store.get(job.id)
        if fresh is None:
            raise NotFound
        return fresh

    def _due(self, job: Job, wait: float) -> float:
        now, late_at = self._clock.now(), self._late_at(job)
        return min(now + wait, late_at) if now < late_at else now + wait

    def _late_at(self, job: Job) -> float:
        """When a job has taken too long: to begin, while it has no order and its client set a limit, or else to end.

        A video that was made is paid for, and is not left behind because it was made late, or because nobody was there
        to fetch it.
        """
        if job.state in (State.FETCHING, State.CHECKING):
            return max(job.deadline_at, self._awake_since) + FETCH_SECONDS
        patience = job.request.policy.start_seconds
        if patience is None or job.state not in (State.QUEUED, State.PREPARING):
            return job.deadline_at
        return min(job.created_at + patience, job.deadline_at)


def _place(job: Job) -> str:
    """What a job's place is counted at: the account that it is ordered with."""
    return f"{job.provider}/{job.account}"
