"""Fallback: the next route after a rejection, a long wait or an exceeded budget."""

from dataclasses import replace

from framegate.domain import FallbackAttempt, Fault, Job, State
from framegate.domain.errors import BudgetExceeded, NotSent
from framegate.jobs.account_messages import CANNOT_BE_REACHED, account_label
from framegate.jobs.state_machine.context import StepContext
from framegate.jobs.state_machine.transition import NO_ORDER, Transition, waiting_stage, without_progress
from framegate.providers.base import Provider

CHECK_SECONDS = 30.0  # until a job that waits for a paused account looks whether the pause is over
WAIT_SECONDS_MAX = 60.0  # longest wait for an account while another route is free


def fall_back(context: StepContext, job: Job, fault: Fault, *, order: str | None = None) -> Transition:
    """Take the next route that the request allows, or fail the job. Only if no order is open on this route."""
    attempt = FallbackAttempt(
        model=job.model,
        offer=job.offer,
        provider=job.provider,
        account=job.account,
        code=fault.code,
        message=fault.message,
        at=context.clock.now(),
    )
    log = {"fallback_log": (*job.fallback_log, attempt)}
    route = context.router.next_route(replace(job, **log))
    if route is None:
        return Transition({**context.fail(fault).changes, **log, "failed_submits": job.failed_submits}, order=order)
    reset = {"state": State.PREPARING, "stage": "preparing", "prepared": (), "adjustments": (), "failed_submits": 0}
    reset |= {"warnings": route.warnings_after(job.warnings)}
    return Transition({**reset, **log, **route.job_fields(), **NO_ORDER}, order=order)


def fall_back_if_sooner(context: StepContext, job: Job, fault: Fault, stay: Transition) -> Transition:
    """Fall back if the next route is free sooner than `stay` would retry; its budget is checked on commit."""
    onward = fall_back(context, job, fault, order=stay.order)
    if onward.changes["state"] is State.FAILED:
        return stay
    account = context.providers.for_job(replace(job, **onward.changes))
    if account and context.account_health.retry_in(account) >= stay.wait:
        return stay
    return replace(onward, over_budget=stay)


def wait_or_fall_back(context: StepContext, job: Job, provider: Provider, wait: float) -> Transition:
    """Wait for a paused account; fall back if it cannot be reached or the wait is long."""
    reason, label = context.account_health.reason(provider), account_label(provider)
    stay = without_progress(job, waiting_stage(label, reason), min(wait, CHECK_SECONDS))
    if reason != CANNOT_BE_REACHED and wait <= WAIT_SECONDS_MAX:
        return stay
    message = f"Account `{label}` {reason}. No order was placed."
    return fall_back_if_sooner(context, job, Fault(code=NotSent.code, message=message, retryable=True), stay)


def fall_back_over_budget(context: StepContext, job: Job, transition: Transition, error: BudgetExceeded) -> Transition:
    """Return the transition to use instead of `transition` if the key's budget does not cover its route."""
    rerouted = replace(job, **transition.changes)
    fault = Fault(code=error.code, message=f"{rerouted.fallback_log[-1].message} Then: {error.message}")
    if transition.over_budget is None:
        return fall_back(context, rerouted, fault, order=transition.order or "refused")
    onward = fall_back(context, rerouted, fault, order=transition.order)
    return (
        transition.over_budget
        if onward.changes["state"] is State.FAILED
        else replace(onward, over_budget=transition.over_budget)
    )
