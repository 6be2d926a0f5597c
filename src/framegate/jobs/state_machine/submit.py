"""Prepare the references of a job, submit its order once, and find out what became of an unconfirmed submit."""

from dataclasses import replace

from framegate.domain import Fault, Job, State
from framegate.domain.errors import InvalidRequest, NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.jobs.account_messages import account_label, trouble_summary, with_account
from framegate.jobs.references import with_source_seconds
from framegate.jobs.state_machine.context import StepContext
from framegate.jobs.state_machine.fallback import WAIT_SECONDS_MAX, fall_back, fall_back_if_sooner, wait_or_fall_back
from framegate.jobs.state_machine.transition import (
    NO_ORDER,
    RETRY_STAGE,
    Transition,
    accepted,
    account_missing,
    fault_of,
    retry_later,
    waiting_for_disk,
    waiting_stage,
)
from framegate.net import loops
from framegate.providers.base import Provider

UNREACHABLE_ATTEMPTS_MAX = 2  # at an account that cannot be reached, if there is another route
ATTEMPTS_MAX = 4  # orders of one job that failed for certain, not counting those that a stop interrupted
SUBMIT_SECONDS_MAX = 30.0  # from the durable intent to the submit; another worker may have the job after that
RECONCILE_SECONDS = 15.0  # between two lookups of an unconfirmed order
ARRIVAL_SECONDS_MAX = 240.0  # from the intent until the order has arrived or never will; allows for a frozen process
INTERRUPTED = "The gateway stopped while the order was being submitted."


async def prepare(context: StepContext, job: Job) -> Transition:
    """Fetch, inspect and fit every reference; when they are ready, write the intent to submit."""
    if len(job.prepared) == len(job.request.references):
        return await _begin(context, job)
    references = enumerate(job.request.references)
    try:
        ingested = [await context.preparer.ingest(reference, index, job.owner) for index, reference in references]
        request = replace(job.request, model=job.model)
        prepared = await context.preparer.prepare(request, ingested, context.router.offer(job))
    except InvalidRequest as error:
        return context.fail(Fault(code=error.code, message=error.message, problems=error.problems))
    if prepared.problems:
        first = prepared.problems[0]
        fault = Fault(code=first.code, message=first.message, problems=prepared.problems)
        return fall_back(context, job, fault)
    changes = {
        "prepared": prepared.references,
        "adjustments": prepared.adjustments,
        "target": with_source_seconds(job.target, job.request.references, ingested),
    }
    return Transition({**changes, "stage": "waiting"})


async def _begin(context: StepContext, job: Job) -> Transition:
    provider = context.providers.for_job(job)
    if provider is None:
        return fall_back(context, job, fault_of(account_missing(job)))
    if trouble := await context.finalizer.blobs.trouble():  # nothing is ordered that could not be stored
        return waiting_for_disk(job, trouble)
    if not await context.has_references(job):  # another gateway prepared them, in a folder of its own
        return Transition({"prepared": (), "stage": "preparing"})
    if wait := context.account_health.retry_in(provider, job.id):
        return wait_or_fall_back(context, job, provider, wait)
    context.account_health.record_submit(provider)
    intent = {
        "submitted_at": context.clock.now(),
        "state": State.SUBMITTING,
        "stage": "submitting",
        "attempts": job.attempts + 1,
        **NO_ORDER,
        "account": provider.account,
        "account_url": provider.base_url,
        "account_key": provider.key_fingerprint,
    }
    return Transition(intent, order="sending")


async def submit(context: StepContext, job: Job, *, recovered: bool) -> Transition:
    """Submit the order of a job whose intent is durable."""
    provider = context.provider(job)
    if (recovered or job.submit_unconfirmed) and not provider.resubmittable:
        is_interrupted = recovered and not job.submit_unconfirmed
        return await reconcile(context, job, provider, OutcomeUnknown(INTERRUPTED if is_interrupted else ""))
    if recovered or _is_late(context, job):  # nothing was sent yet, or it is free
        return resubmit()
    try:
        with loops.job_path(job.via):
            handle = await provider.submit(context.order(job))
    except NotSent as error:
        context.account_health.record_failure(provider, job.id, error, retry_after=error.retry_after)
        return retry_submit(
            context,
            job,
            fault_of(error, with_account(provider, error)),
            wait=error.retry_after,
            stage=waiting_stage(account_label(provider), trouble_summary(error)),
            attempts_max=UNREACHABLE_ATTEMPTS_MAX if error.connect_failed else ATTEMPTS_MAX,
        )
    except Refused as error:
        context.account_health.record_rejection(provider, error)
        return fall_back(context, job, fault_of(error, with_account(provider, error)), order="refused")
    except ProviderError as error:  # of any other kind: the order may have been accepted
        context.account_health.record_failure(provider, job.id, error)
        return await reconcile(context, job, provider, error)
    context.account_health.record_success(provider)
    return accepted(handle, wait=provider.poll_seconds)


async def reconcile(context: StepContext, job: Job, provider: Provider, error: ProviderError) -> Transition:
    """Look up an order that may have been accepted, if the provider can; nothing is submitted meanwhile.

    That there is none counts only once the order must have arrived. `error` is what the submit ended with.
    """
    unconfirmed = {} if job.submit_unconfirmed else {"submit_unconfirmed": True, "stage": "looking up its order"}
    lookup_later = Transition(unconfirmed, wait=RECONCILE_SECONDS)
    try:
        with loops.job_path(job.via):  # one way to find an order is to repeat it with its idempotency key
            handle = await provider.reconcile(context.order(job))
    except OutcomeUnknown:
        return _outcome_unknown(context, error)
    except ProviderError:
        return lookup_later
    if handle is not None:
        return accepted(handle, wait=provider.poll_seconds)
    if context.clock.elapsed(job.submitted_at or job.updated_at) < ARRIVAL_SECONDS_MAX:
        return lookup_later
    fault = Fault(code=NotSent.code, message="The order did not arrive at the provider.", retryable=True)
    return retry_submit(context, job, fault)


def _is_late(context: StepContext, job: Job) -> bool:
    """Whether another worker may have the job: in a suspended process, only the wall clock moved."""
    submitted_at = job.submitted_at or 0.0
    return max(context.clock.now() - submitted_at, context.clock.elapsed(submitted_at)) > SUBMIT_SECONDS_MAX


def _outcome_unknown(context: StepContext, error: ProviderError) -> Transition:
    fault = replace(fault_of(error), code=OutcomeUnknown.code, retryable=False, unsure=True)
    return Transition(context.fail(fault).changes, order="unsure")


def resubmit() -> Transition:
    """Submit again at once: a stop of the gateway interrupted the last order, which certainly failed.

    However often that happens: the order is not at fault, and the job's deadline is the bound.
    """
    return Transition({"state": State.PREPARING, "stage": "preparing", **NO_ORDER}, order="not_sent")


def retry_submit(
    context: StepContext,
    job: Job,
    fault: Fault,
    *,
    wait: float | None = None,
    stage: str = RETRY_STAGE,
    attempts_max: int = ATTEMPTS_MAX,
) -> Transition:
    """Submit again after a back-off: the last order certainly failed.

    Only while there are attempts left. If there is another route, only for `attempts_max` attempts, and not after a
    longer wait than another route is worth.
    """
    failed_submits = job.failed_submits + 1
    if not job.request.policy.retry:
        return Transition({**context.fail(fault).changes, "failed_submits": failed_submits}, order="not_sent")
    failed_job = replace(job, failed_submits=failed_submits)
    if failed_submits >= ATTEMPTS_MAX:
        return fall_back(context, failed_job, fault, order="not_sent")
    retry = retry_later(failed_submits, stage, wait or 0.0)
    if failed_submits < attempts_max and retry.wait <= WAIT_SECONDS_MAX:
        return retry
    return fall_back_if_sooner(context, failed_job, fault, retry)
