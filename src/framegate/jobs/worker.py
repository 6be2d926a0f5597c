"""Worker: claims jobs that are due, and drives each until it ends or has long to wait."""

import asyncio
import logging
import math
from dataclasses import replace
from functools import partial

from framegate.domain import Fault, Job, State
from framegate.domain.errors import FramegateError, NotFound, Stale, Unavailable
from framegate.domain.machine import Machine
from framegate.jobs.background.periodic import PeriodicTask, wait_for_event
from framegate.jobs.concurrency import ConcurrencyLimiter
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.state_machine.submit import RECONCILE_SECONDS
from framegate.jobs.state_machine.transition import Transition
from framegate.jobs.transition_writer import TransitionWriter
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.net.submission import watch_submission
from framegate.store import ClaimedJob, Store

_log = logging.getLogger(__name__)

JOBS_MAX = 2000  # jobs that one process drives at once; the others wait in the store
LEASE_SECONDS = 60.0
HEARTBEAT_SECONDS = 15.0
WAIT_IN_MEMORY_SECONDS_MAX = 5.0  # a longer wait is spent in the store, except by a job with a counted slot
SATURATED_SECONDS = 60.0  # until a job returns to an account where too many jobs waited for a slot
REPEAT_SECONDS_MIN = 0.1  # before a step that changed nothing is repeated
CLAIM_SECONDS_MIN = 0.01  # between two claims that found nothing
IDLE_SECONDS = 1.0  # longest sleep: another process may have written
WATCH_SECONDS = 1.0
STOP_SECONDS_MAX = 20.0  # for the work that a stop finishes first
SUSPENDED_SECONDS_MIN = 60.0  # a longer gap between two looks at the clock: the machine was suspended
LAST_POLL_SECONDS_MAX = 300.0  # after its deadline, for an order whose provider cannot be asked
DOWNLOAD_SECONDS_MAX = 3600.0  # after its deadline, for a job whose video is ready
_HAS_ORDER = (State.SUBMITTING, State.RUNNING)  # states in which a job has a slot at its account


class Worker:
    """The worker of one process. `sole`: no other process uses the store, so every lease at the start is void."""

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
        self._clock = state_machine.clock
        dialects = webhook_dialects or WebhookDialects(machine=machine)
        self._writer = TransitionWriter(store, state_machine, dialects)
        self._sole = sole
        self._concurrency = ConcurrencyLimiter()
        self._jobs: dict[str, asyncio.Task[None]] = {}  # the task that drives each claimed job
        self._in_hand: set[str] = set()  # jobs that a stop gives time: see `_is_in_hand`
        self._deadlines: dict[str, float] = {}  # on the monotonic clock
        self._stopping = False
        self._claim_task: asyncio.Task[None] | None = None
        self._watch = PeriodicTask(
            "watch", self._watch_jobs, seconds=WATCH_SECONDS, first_seconds=WATCH_SECONDS, clock=machine
        )
        self._awake_since = self._seen_at = machine.monotonic()
        self._heartbeat_at = self._seen_at + HEARTBEAT_SECONDS
        self._was_set_back = False  # the wall clock, since the due times in the store were corrected

    async def start(self) -> None:
        """Start with the jobs that an earlier process left."""
        if self._sole:
            await self._store.release_all()
        self._claim_task = asyncio.create_task(self._claim_forever(), name="framegate-worker")
        self._watch.start()

    async def stop(self) -> None:
        """Release every job in its state; the next process continues it.

        An order that is being submitted gets time for its response, since its outcome would be unknown otherwise. Where
        other gateways share the store, a finished video is stored and checked first: they do not have its file.
        """
        self._stopping = True
        idle = (task for job_id, task in self._jobs.items() if job_id not in self._in_hand)
        for task in (*self._claim_tasks(), *idle):
            task.cancel()
        await self._watch.stop()
        if in_hand := [self._jobs[job_id] for job_id in self._in_hand if job_id in self._jobs]:
            timeout = asyncio.create_task(self._clock.sleep(STOP_SECONDS_MAX))
            responses = asyncio.gather(*in_hand, return_exceptions=True)
            await asyncio.wait((responses, timeout), return_when=asyncio.FIRST_COMPLETED)
            timeout.cancel()
        for task in self._jobs.values():
            task.cancel()
        await asyncio.gather(*self._claim_tasks(), *self._jobs.values(), return_exceptions=True)
        try:
            await self._store.release_all(self.worker)
        except Unavailable as error:
            _log.warning("Database unavailable; the jobs are released when their leases expire. %s", error.message)

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._claim_task is not None and not self._claim_task.done() and self._watch.is_running

    def _claim_tasks(self) -> tuple[asyncio.Task[None], ...]:
        return () if self._claim_task is None else (self._claim_task,)

    # -- claims and leases

    async def _claim_forever(self) -> None:
        while True:
            self._store.notifier.work_available.clear()
            try:
                wait = await self._claim_due()
            except Unavailable as error:  # the store logs an outage once
                _log.debug("No job is claimed: %s", error.message)
                await self._clock.sleep(IDLE_SECONDS)
                continue
            if wait > 0:
                await wait_for_event(self._store.notifier.work_available, wait, clock=self._clock)

    async def _claim_due(self) -> float:
        """Claim the jobs that are due; return the seconds until the next one is."""
        limit = JOBS_MAX - len(self._jobs)
        if limit <= 0:
            return IDLE_SECONDS
        self._observe_clocks()
        now = self._clock.now()
        await self._extend_leases()  # else a machine that was suspended would claim its own jobs
        claims = await self._store.claim(self.worker, now=now, until=now + LEASE_SECONDS, limit=limit)
        for claim in claims:  # open orders get their slots before any other job waits for one
            if claim.job.state in _HAS_ORDER:
                provider = self._state_machine.providers.for_job(claim.job)
                self._concurrency.restore(claim.job.id, _account(claim.job), provider and provider.concurrency)
        for claim in claims:
            job_id = claim.job.id
            self._store.notifier.track(job_id)
            task = asyncio.create_task(self._drive(claim), name=f"framegate-job-{job_id}")
            self._jobs[job_id] = task
            task.add_done_callback(lambda task, job_id=job_id: self._drop(job_id, task))
        if claims:
            return 0.0
        due_at = await self._store.next_due()
        return IDLE_SECONDS if due_at is None else max(CLAIM_SECONDS_MIN, min(IDLE_SECONDS, due_at - now))

    def _drop(self, job_id: str, task: "asyncio.Task[None]") -> None:
        if self._jobs.get(job_id) is not task:
            return  # its lease ran out, and this process claimed the job again
        self._jobs.pop(job_id, None)
        self._deadlines.pop(job_id, None)
        self._in_hand.discard(job_id)
        self._concurrency.release(job_id)
        self._store.notifier.untrack(job_id)
        self._store.notifier.work_available.set()

    async def _watch_jobs(self) -> None:
        """Interrupt jobs past their deadline and jobs that another process cancels; extend the leases."""
        monotonic = self._observe_clocks()
        for job_id, deadline_at in self._deadlines.items():
            if monotonic >= deadline_at:
                self._store.notifier.interrupt(job_id)
        await self._extend_leases()
        if self._was_set_back:
            await self._store.make_all_due(now=self._clock.now())
            self._was_set_back = False
        if not self._sole and self._jobs:
            for job_id in await self._store.cancelled(self.worker, now=self._clock.now()):
                self._store.notifier.interrupt(job_id)

    def _observe_clocks(self) -> float:
        """Return the monotonic clock. Notices a changed wall clock, and a machine or process that was suspended.

        After a suspension, late jobs get a chance before they expire. Leases are Unix times, so each change of the
        clock renews them; after a clock was set back, the jobs that wait in the store would wait too long.
        """
        monotonic, step = self._clock.monotonic(), self._clock.observe()
        if monotonic - self._seen_at > SUSPENDED_SECONDS_MIN or step > SUSPENDED_SECONDS_MIN:
            self._awake_since = monotonic
        if step:
            self._heartbeat_at = monotonic
        self._was_set_back = self._was_set_back or step < 0
        self._seen_at = monotonic
        return monotonic

    async def _extend_leases(self) -> None:
        """Extend the leases of the jobs that are driven. A job that was dropped after an error waits for its end."""
        if self._clock.monotonic() < self._heartbeat_at or not self._jobs:
            return
        # Set before the write: a change of the clock while it waits must make the next one due at once.
        self._heartbeat_at = self._clock.monotonic() + HEARTBEAT_SECONDS
        try:
            await self._store.extend(self.worker, self._jobs, until=self._clock.now() + LEASE_SECONDS)
        except Unavailable:
            self._heartbeat_at = self._clock.monotonic()
            raise

    # -- one job

    async def _drive(self, claim: ClaimedJob) -> None:
        job_id = claim.job.id
        try:
            await self._run_steps(claim)
        except (Stale, NotFound):
            _log.info("Job %s was taken over or deleted.", job_id)
        except Unavailable as error:
            _log.info("Job %s continues when its lease expires: %s", job_id, error.message)
        except Exception:  # noqa: BLE001 - top level of a job
            _log.exception("Job %s: internal error; will be retried when its lease expires.", job_id)

    async def _run_steps(self, claim: ClaimedJob) -> None:
        job, recovered = claim.job, True
        if job.state is not State.SUBMITTING and self._is_in_hand(job):
            self._in_hand.add(job.id)
        while not job.state.is_final:
            if self._store.notifier.pop_interrupt(job.id):
                job = await self._writer.until_available(job.id, partial(self._reload, job))
                continue  # it may have ended
            late_in = self._late_in(job)
            # A late job ends in this step.
            self._deadlines[job.id] = self._clock.monotonic() + late_in if late_in > 0 else math.inf
            transition = await self._early_end(job, recovered=recovered) or await self._step(job, recovered=recovered)
            if transition is None:  # interrupted
                continue
            if transition.order == "sending":
                self._in_hand.add(job.id)
            has_slot = transition.changes.get("state", job.state) in _HAS_ORDER and self._concurrency.is_limited(job.id)
            release = transition.wait > WAIT_IN_MEMORY_SECONDS_MAX and not has_slot
            if transition.changes:
                job, transition = await self._writer.write(
                    job, transition, claim.fence, due_at=self._due_at, release=release
                )
                recovered = False
            elif release:
                release_job = partial(
                    self._store.release, ClaimedJob(job, claim.fence), due_at=self._due_at(job, transition.wait)
                )
                await self._writer.until_available(job.id, release_job)
            self._release_resources(job)
            if (release and not job.state.is_final) or (self._stopping and job.id not in self._in_hand):
                return
            wait = transition.wait if transition.changes else max(transition.wait, REPEAT_SECONDS_MIN)
            if wait and not job.state.is_final and not job.cancel_requested:
                await self._wait(job, wait)

    def _release_resources(self, job: Job) -> None:
        """Release the job's concurrency slot and shutdown grace if its state no longer needs them."""
        (self._in_hand.add if self._is_in_hand(job) else self._in_hand.discard)(job.id)
        if job.state not in _HAS_ORDER:
            self._concurrency.release(job.id)

    def _is_in_hand(self, job: Job) -> bool:
        """Whether a stop gives a job time for its next step."""
        if job.state is State.SUBMITTING:
            return not job.submit_unconfirmed
        return not self._sole and job.state in (State.FETCHING, State.CHECKING)

    async def _step(self, job: Job, *, recovered: bool) -> Transition | None:
        """Return the job's next transition; None if it was interrupted. A submit is never interrupted."""
        if job.state is State.SUBMITTING:
            return await self._guarded_step(job, recovered=recovered)
        with self._store.notifier.cancellable(job.id):
            if provider := self._state_machine.next_submit(job):
                account, limit = _account(job), provider.concurrency
                if self._concurrency.is_saturated(account, limit):
                    return Transition(wait=SATURATED_SECONDS)
                low_priority = job.request.policy.low_priority
                await self._concurrency.acquire(job.id, account, limit, low_priority=low_priority)
            return await self._guarded_step(job, recovered=recovered)  # checks again: the slot may have taken long
        return None

    async def _wait(self, job: Job, seconds: float) -> None:
        """Wait, unless interrupted."""
        with self._store.notifier.cancellable(job.id):
            await self._clock.sleep(self._wait_seconds(job, seconds))

    async def _early_end(self, job: Job, *, recovered: bool) -> Transition | None:
        if job.cancel_requested:
            fault = Fault(code="cancelled", message="The job was cancelled.")
            return await self._end(job, State.CANCELLED, fault, recovered=recovered)
        if self._late_in(job) > 0:
            return None
        if self._deadline_in(job) > 0:
            seconds = f"{job.request.policy.start_seconds:g}"
            fault = Fault(
                code="start_timeout", message=f"The job did not start within the requested {seconds} seconds."
            )
        else:
            transition = await self._last_poll(job, recovered=recovered)
            may_wait = self._grace_in(job) + LAST_POLL_SECONDS_MAX > 0
            if transition and (transition.changes or may_wait):
                return transition
            seconds = f"{job.deadline_at - job.created_at:.0f}"
            fault = Fault(code="expired", message=f"The job did not end within {seconds} seconds of its acceptance.")
        return await self._end(job, State.EXPIRED, fault, recovered=recovered)

    async def _last_poll(self, job: Job, *, recovered: bool) -> Transition | None:
        try:
            return await self._state_machine.last_poll(job, recovered=recovered)
        except Exception:  # noqa: BLE001 - top level of a job, which ends all the same
            _log.exception("Job %s: internal error in its last poll.", job.id)
            return Transition(wait=RECONCILE_SECONDS)

    async def _end(self, job: Job, state: State, fault: Fault, *, recovered: bool) -> Transition:
        try:
            return await self._state_machine.end(job, state, fault, recovered=recovered)
        except Exception:  # noqa: BLE001 - top level of a job, which ends all the same
            _log.exception("Job %s: internal error while its order was cancelled.", job.id)
            message = f"{fault.message} Its order may not have been cancelled: the provider may charge for it."
            return self._state_machine.fail(replace(fault, message=message, may_charge=True), state)

    async def _guarded_step(self, job: Job, *, recovered: bool) -> Transition:
        with watch_submission() as submission:
            try:
                return await self._state_machine.step(job, recovered=recovered)
            except FramegateError as error:
                if isinstance(error, Unavailable) and job.state is not State.SUBMITTING:
                    return Transition(wait=IDLE_SECONDS)
                fault = Fault(code=error.code, message=error.message)
            except Exception as error:  # noqa: BLE001 - top level of a job
                if isinstance(error, OSError) and (waiting := self._state_machine.wait_for_disk(job, error)):
                    return waiting
                _log.exception("Job %s: internal error in state %s.", job.id, job.state.value)
                fault = Fault(code="internal_error", message="Internal error. See the log of the gateway.")
        may_have_order = recovered or job.submit_unconfirmed or submission.may_have_left
        return await self._state_machine.after_error(job, fault, may_have_order=may_have_order)

    async def _reload(self, job: Job) -> Job:
        stored = await self._store.get(job.id)
        if stored is None:
            raise NotFound
        return stored

    def _due_at(self, job: Job, wait: float) -> float:
        return self._clock.now() + self._wait_seconds(job, wait)

    def _wait_seconds(self, job: Job, wait: float) -> float:
        """Return a wait that ends when the job expires, if it has not."""
        late_in = self._late_in(job)
        return max(min(wait, late_in) if late_in > 0 else wait, 0.0)

    def _deadline_in(self, job: Job) -> float:
        """Seconds until the job's deadline."""
        return job.deadline_at - job.created_at - self._clock.elapsed(job.created_at)

    def _grace_in(self, job: Job) -> float:
        """Seconds until the deadline, or since the machine woke, whichever is later: what is paid for gets time."""
        return max(self._deadline_in(job), self._awake_since - self._clock.monotonic())

    def _late_in(self, job: Job) -> float:
        """Seconds until the job expires: at its deadline, or at the requested limit on its start while it has no order.

        A finished video is paid for and gets more time, also if the gateway was down when it was finished.
        """
        if job.state in (State.FETCHING, State.CHECKING):
            return self._grace_in(job) + DOWNLOAD_SECONDS_MAX
        start_seconds = job.request.policy.start_seconds
        if start_seconds is None or job.state not in (State.QUEUED, State.PREPARING):
            return self._deadline_in(job)
        return min(start_seconds - self._clock.elapsed(job.created_at), self._deadline_in(job))


def _account(job: Job) -> str:
    """Return the account whose slots the job uses."""
    return f"{job.provider}/{job.account}"
