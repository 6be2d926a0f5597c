"""Follow an accepted order: poll it, report its progress, and download its files."""

from dataclasses import replace
from typing import assert_never

from framegate.domain import Done, Failed, Fault, Job, Lost, Running
from framegate.domain.errors import FramegateError
from framegate.jobs.state_machine.context import StepContext
from framegate.jobs.state_machine.submit import resubmit, retry_submit
from framegate.jobs.state_machine.transition import (
    RENDERED_PROGRESS,
    Transition,
    order_done,
    poll_wait,
    wait_for_account,
)
from framegate.providers.base import Provider

MISSING_SECONDS_MAX = 600.0  # a paid order that its provider does not know for so long is lost
PROGRESS_STEP_MIN = 0.02  # smaller steps are not worth a write


async def poll(context: StepContext, job: Job, *, recovered: bool) -> Transition:
    """Poll the order once. A poll that fails does not fail the job."""
    provider = context.providers.for_job(job)
    if provider is None:
        return wait_for_account(job)
    try:
        update = await provider.poll(job.handle or {})
    except FramegateError as error:
        context.account_health.record_poll_failed(provider, error)
        return Transition(wait=next_poll(context, job, provider))
    context.account_health.record_poll_ok(provider)
    match update:
        case Running():
            return _progress(context, job, update, provider)
        case Done() | Failed():
            return ended(context, job, update)
        case Lost():
            return _lost(context, job, provider, update, recovered=recovered)
        case _:
            assert_never(update)


def ended(context: StepContext, job: Job, update: Done | Failed) -> Transition:
    """Return the transition after the end of an order."""
    return order_done(job, update, at=context.clock.now()) if isinstance(update, Done) else context.fail(update.fault)


def next_poll(context: StepContext, job: Job, provider: Provider) -> float:
    """Seconds until the next poll."""
    return poll_wait(job, provider, age=context.clock.elapsed(job.started_at or job.created_at))


def _progress(context: StepContext, job: Job, update: Running, provider: Provider) -> Transition:
    progress = job.progress if update.progress is None else round(update.progress * RENDERED_PROGRESS, 4)
    stage = update.stage or (job.stage if job.missing_since is None else "running")
    wait = next_poll(context, job, provider)
    if stage == job.stage and (progress or 0) - (job.progress or 0) < PROGRESS_STEP_MIN:
        return Transition(wait=wait)
    return Transition({"progress": progress, "stage": stage, "missing_since": None}, wait=wait)


def _lost(context: StepContext, job: Job, provider: Provider, lost: Lost, *, recovered: bool) -> Transition:
    if provider.resubmittable:
        fault = Fault(code="order_lost", message="The render process stopped unexpectedly several times.")
        return resubmit() if recovered else retry_submit(context, job, fault)
    now, wait = context.clock.now(), next_poll(context, job, provider)
    if job.missing_since is None:
        return Transition({"missing_since": now, "stage": "not found at the provider"}, wait=wait)
    patience = MISSING_SECONDS_MAX if lost.patience_seconds is None else lost.patience_seconds
    if context.clock.elapsed(job.missing_since) < patience:
        return Transition(wait=wait)
    return context.fail(Fault(code=lost.code, message=lost.message, may_charge=True))


async def download(context: StepContext, job: Job, *, recovered: bool) -> Transition:
    """Download every output at once: a provider's URLs expire soon."""
    provider = context.providers.for_job(job)
    if provider is None:
        return wait_for_account(job)
    if provider.resubmittable and not await context.finalizer.has_local_files(job.provider_files):
        fault = Fault(code="output_lost", message="The rendered file was missing several times.")
        return resubmit() if recovered else retry_submit(context, job, fault)
    return await context.finalizer.download(await _with_fresh_addresses(job, provider), provider)


async def check(context: StepContext, job: Job, *, recovered: bool) -> Transition:
    """Verify every file. One that is not stored here is downloaded first: it may be in another gateway's folder."""
    if await context.finalizer.are_stored(job.provider_files):
        return await context.finalizer.verify(job)
    return await download(context, job, recovered=recovered)


async def _with_fresh_addresses(job: Job, provider: Provider) -> Job:
    """Return the job with the addresses that its files have now: after a failed download, they may have expired."""
    if not job.failed_downloads or job.handle is None:
        return job
    try:
        update = await provider.poll(job.handle)
    except FramegateError:
        return job
    if not isinstance(update, Done) or len(update.outputs) != len(job.provider_files):
        return job
    files = zip(job.provider_files, update.outputs, strict=True)
    return replace(job, provider_files=tuple(old if old.blob else new for old, new in files))
