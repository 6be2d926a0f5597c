"""State machine of a job: the one transition from each state, and how a job ends early."""

from contextlib import suppress
from dataclasses import dataclass, replace

from framegate.domain import Done, Failed, Fault, Handle, Job, State
from framegate.domain.errors import BudgetExceeded, FramegateError, OutcomeUnknown
from framegate.jobs.state_machine.context import StepContext
from framegate.jobs.state_machine.fallback import fall_back_over_budget
from framegate.jobs.state_machine.finalize import PERMANENT_ATTEMPTS_MAX
from framegate.jobs.state_machine.poll import check, download, ended, next_poll, poll
from framegate.jobs.state_machine.submit import INTERRUPTED, RECONCILE_SECONDS, prepare, retry_submit, submit
from framegate.jobs.state_machine.transition import Transition, accepted, waiting_for_disk
from framegate.media.unreadable import Unreadable
from framegate.providers.base import Provider
from framegate.storage.disk import disk_error

UNCHARGED = "Nothing is charged."
CHARGED = "The video was already made and is charged."


@dataclass(frozen=True, slots=True)
class JobStateMachine(StepContext):
    """Each step looks at a job and returns what changes; none of them writes.

    `recovered` says that the job was found in its state after a restart or a lost lease: this process did not bring it
    there.
    """

    async def step(self, job: Job, *, recovered: bool) -> Transition:
        """Return the transition from the job's state."""
        match job.state:
            case State.QUEUED:
                changes = {"state": State.PREPARING, "stage": "preparing", "started_at": self.clock.now()}
                return Transition(changes)
            case State.PREPARING:
                return await prepare(self, job)
            case State.SUBMITTING:
                return await submit(self, job, recovered=recovered)
            case State.RUNNING:
                return await poll(self, job, recovered=recovered)
            case State.FETCHING:
                return await download(self, job, recovered=recovered)
            case State.CHECKING:
                return await check(self, job, recovered=recovered)
            case _:
                message = f"A job that has ended takes no step: {job.state}"
                raise ValueError(message)

    async def after_error(self, job: Job, fault: Fault, *, may_have_order: bool) -> Transition:
        """Return the transition of a job whose step raised an unexpected error.

        An order that did not leave is submitted again, a limited number of times. One that may have been accepted has
        an unknown outcome, and one that was accepted is polled again. A finished video is downloaded again, and is
        delivered even if it cannot be verified.
        """
        provider = self.providers.for_job(job)
        match job.state:
            case State.RUNNING if provider is not None:
                return Transition(wait=next_poll(self, job, provider))
            case State.FETCHING | State.CHECKING:
                return await self._after_file_error(job) or self.fail(fault)
            case State.SUBMITTING if may_have_order or provider is None or not provider.marks_submission:
                return Transition(self.fail(replace(fault, unsure=True)).changes, order="unsure")
            case State.SUBMITTING:
                return retry_submit(self, job, fault)
            case _:
                return self.fail(replace(fault, may_charge=job.state is State.RUNNING))

    async def _after_file_error(self, job: Job) -> Transition | None:
        if job.state is State.FETCHING:
            return self.finalizer.retry_download(job, PERMANENT_ATTEMPTS_MAX)
        with suppress(Unreadable, OSError):
            return await self.finalizer.verify(job, metadata_only=True)
        return self.finalizer.refetch(job)

    def wait_for_disk(self, job: Job, error: OSError) -> Transition | None:
        """Return the transition of a job that the disk keeps from its next step: the job is not at fault, so it waits.

        None for another error, and for an order that is being submitted: its outcome is unknown.
        """
        trouble = disk_error(error)
        if trouble is None or job.state is State.SUBMITTING:
            return None
        self.finalizer.blobs.outage.failed(f"Job {job.id} waits. {error}")
        return waiting_for_disk(job, trouble)

    async def last_poll(self, job: Job, *, recovered: bool) -> Transition | None:
        """Return what became of the order of a job past its deadline: the video may be ready, and is paid for.

        A transition without changes if the provider could not be asked; None if the order has not ended.
        """
        provider = self.providers.for_job(job)
        if provider is None:
            return None
        try:
            if job.state is State.RUNNING:
                update = await provider.poll(job.handle or {})
                return ended(self, job, update) if isinstance(update, Done | Failed) else None
            if job.state is State.SUBMITTING and (recovered or job.submit_unconfirmed) and not provider.resubmittable:
                handle = await provider.reconcile(self.order(job))
                return None if handle is None else accepted(handle, wait=provider.poll_seconds)
        except OutcomeUnknown:
            return None
        except FramegateError:
            return Transition(wait=RECONCILE_SECONDS)
        return None

    async def end(self, job: Job, state: State, fault: Fault, *, recovered: bool) -> Transition:
        """End a job early: cancel its order if the provider can, and say so if it cannot."""
        provider = self.providers.for_job(job)
        if job.state is State.SUBMITTING:
            if not (recovered or job.submit_unconfirmed) or (provider is not None and provider.resubmittable):
                return Transition(self.fail(_with_text(fault, UNCHARGED), state).changes, order="not_sent")
            reason = OutcomeUnknown().message if job.submit_unconfirmed else INTERRUPTED
            message = f"{fault.message} {reason} The provider may charge for it."
            return Transition(self.fail(replace(fault, message=message, unsure=True), state).changes, order="unsure")
        if job.handle is not None and not await _cancelled(job.handle, provider):
            message = f"{fault.message} The provider could not cancel the order and may charge for it."
            fault = Fault(code=fault.code, message=message, may_charge=True)
        else:
            is_free = job.estimate is not None and job.estimate.micro_usd == 0
            fault = _with_text(fault, CHARGED if job.provider_files and not is_free else UNCHARGED)
        return self.fail(fault, state)

    def fall_back_over_budget(self, job: Job, transition: Transition, error: BudgetExceeded) -> Transition:
        """Return the transition to use instead of `transition` if the key's budget does not cover its route."""
        return fall_back_over_budget(self, job, transition, error)

    def next_submit(self, job: Job) -> Provider | None:
        """Return the account that the job's next step submits to; None if that step does not submit, or must wait."""
        if job.state is not State.PREPARING or len(job.prepared) != len(job.request.references):
            return None
        provider = self.providers.for_job(job)
        return None if provider is None or self.account_health.retry_in(provider) else provider


def _with_text(fault: Fault, text: str) -> Fault:
    return replace(fault, message=f"{fault.message} {text}")


async def _cancelled(handle: Handle, provider: Provider | None) -> bool:
    """Whether an order is over: its provider cancelled it, or never charges."""
    if provider is None:  # removed from the settings
        return False
    try:
        return await provider.cancel(handle) or provider.resubmittable
    except FramegateError:
        return provider.resubmittable
