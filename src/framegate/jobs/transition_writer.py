"""Write the transitions of claimed jobs, and again until each is durable."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from framegate.domain import Job, State
from framegate.domain.errors import BudgetExceeded, NotWritable, Stale, Unavailable
from framegate.domain.ledger import ledger_change
from framegate.jobs.job_log import log_change
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.state_machine.transition import Transition, order_key
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.store import Store
from framegate.store.job_writes import OrderState, next_version
from framegate.store.serialization import storable_changes

T = TypeVar("T")

_log = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0)  # between two tries; the last one repeats
_HAS_ORDER = (State.SUBMITTING, State.RUNNING, State.FETCHING, State.CHECKING)  # an order was begun and not ruled out


class TransitionWriter:
    """Writes transitions under the claim of this process.

    A write that fails is repeated until it succeeds or the claim is lost: a transition may carry what only this
    process knows, such as the id of an order that is paid for.
    """

    def __init__(self, store: Store, state_machine: JobStateMachine, webhook_dialects: WebhookDialects) -> None:
        self._store = store
        self._state_machine = state_machine
        self._clock = state_machine.clock
        self._webhook_dialects = webhook_dialects

    async def write(
        self,
        job: Job,
        transition: Transition,
        fence: int,
        *,
        due_at: Callable[[Job, float], float],
        release: bool,
    ) -> tuple[Job, Transition]:
        """Make a transition durable; return the job after it, and the transition that was written.

        If the job was changed meanwhile in the same state, the transition is applied to that. If the key's budget does
        not cover the transition's route, the next one is used. `due_at` returns when a job is due after a wait.
        Raises `Stale` if the claim is lost.
        """
        claim_fence: int | None = fence
        while True:
            after = self._after(job, transition)
            due = after.updated_at if after.cancel_requested else due_at(after, transition.wait)
            try:
                stored = await self._apply(job, after, transition, claim_fence, due_at=due, release=release)
            except BudgetExceeded as error:
                transition = self._state_machine.fall_back_over_budget(job, transition, error)
            except Stale:
                claim = await self.until_available(job.id, partial(self._store.get_with_fence, job.id))
                if claim is None or claim.job.state is not job.state:
                    raise
                if claim.fence != fence and not _is_news(claim.job, job, transition):
                    raise
                claim_fence = fence if claim.fence == fence else None
                job = claim.job
            else:
                log_change(job, stored)
                return stored, transition

    async def until_available(self, job_id: str, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a call of the store, repeated while the store is unavailable."""
        failures = 0
        while True:
            try:
                return await call()
            except NotWritable:
                raise
            except Unavailable as error:
                await self._back_off(job_id, failures, error)
                failures += 1

    async def _apply(
        self, job: Job, after: Job, transition: Transition, fence: int | None, *, due_at: float, release: bool
    ) -> Job:
        """Write one version of a job. A failed commit may be durable all the same, which its event tells."""
        order = OrderState(transition.order, order_key(job), after.updated_at) if transition.order else None
        deliveries = self._webhook_dialects.deliveries(job, after)
        change = ledger_change(job, after, allow_unpriced=self._state_machine.settings.allow_unpriced_jobs)
        failures = 0
        while True:
            try:
                return await self._store.apply(
                    after,
                    due_at=due_at,
                    fence=fence,
                    release=release or after.state.is_final,
                    order=order,
                    deliveries=deliveries,
                    ledger_change=change,
                )
            except NotWritable:
                raise
            except Unavailable as error:
                await self._back_off(job.id, failures, error)
                failures += 1
            except Stale:
                if not await self.until_available(job.id, partial(self._is_written, after)):
                    raise
                return await self.until_available(job.id, partial(self._stored, after))

    async def _back_off(self, job_id: str, failures: int, error: Unavailable) -> None:
        if not failures:
            _log.info("Job %s: a call of the database is repeated: %s", job_id, error.message)
        await self._clock.sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])

    async def _is_written(self, after: Job) -> bool:
        """Whether this version of a job is the one that this process tried to write."""
        events = await self._store.events(after.id, after=after.version - 1)
        return any(
            (event.seq, event.at, event.state, event.stage)
            == (after.version, after.updated_at, after.state, after.stage)
            for event in events
        )

    async def _stored(self, after: Job) -> Job:
        """Return the written job, which may be marked for cancellation by now."""
        stored = await self._store.get(after.id)
        if stored is None or stored.state is not after.state:
            raise Stale
        return stored

    def _after(self, job: Job, transition: Transition) -> Job:
        changes = storable_changes(transition.changes)
        after = next_version(job, self._clock.now(), **changes)
        fault = after.fault
        if fault is None or (job.state in _HAS_ORDER and transition.order not in ("refused", "not_sent")):
            return after
        return replace(after, fault=replace(fault, unsure=False, may_charge=False))  # no order: nothing is held


def _is_news(stored: Job, job: Job, transition: Transition) -> bool:
    """Whether a transition tells the outcome of a job's open order, which stays true after a loss of the claim."""
    return job.state is State.SUBMITTING and stored.attempts == job.attempts and transition.order == "accepted"
