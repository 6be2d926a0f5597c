"""The one move from each state of a job."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from framegate.catalogue.model import Limits
from framegate.catalogue.prompts.rewrite import rewrite_prompt
from framegate.config.settings import Settings
from framegate.domain import Blob, Done, Failed, FallbackAttempt, Fault, Handle, Job, Lost, Order, Running, State
from framegate.domain.errors import (
    BudgetExceeded,
    FramegateError,
    InvalidRequest,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    Refused,
)
from framegate.domain.machine import Clock
from framegate.jobs.account_health import UNREACHED, AccountHealth, account_label, trouble_summary, with_account
from framegate.jobs.references import ReferencePreparer, measured
from framegate.jobs.routing import Router
from framegate.jobs.state_machine.finalize import PERMANENT_ATTEMPTS_MAX, Finalizer
from framegate.jobs.state_machine.provider_webhook import provider_webhook_url
from framegate.jobs.state_machine.transition import (
    AGAIN,
    RENDERED,
    UNMADE,
    Transition,
    accepted,
    failed,
    fault_of,
    made,
    missing,
    order_key,
    pace,
    put_off,
    staying,
    waiting,
    without_account,
)
from framegate.media import videos
from framegate.providers.base import Provider, ProviderRegistry

QUICK_TRIES = 2  # of an account that cannot be reached, where there is another way
ATTEMPTS_MAX = 4  # orders for one job that certainly came to nothing, but for those that a stop of the gate broke off
SENDING_SECONDS = 30.0  # from an order's intent to its sending at most; its job may be in other hands after that
LOOK_SECONDS = 15.0  # between two looks for an order that may have been taken
ARRIVED_SECONDS = 240.0  # the longest that an order is on its way, with an allowance for a process that was frozen
LOST_SECONDS = 600.0  # for so long a provider must not know a paid order before that is believed
PATIENCE_SECONDS = 60.0  # a longer wait is too long where there is another way
PROGRESS_STEP = 0.02  # smaller steps are not worth a write


@dataclass(frozen=True, slots=True)
class JobStateMachine:
    """The moves, with what they need. Each looks at the job that it is given and says what changes; none writes it."""

    settings: Settings
    providers: ProviderRegistry
    router: Router
    account_health: AccountHealth
    preparer: ReferencePreparer
    clock: Clock
    finalizer: Finalizer
    reference_url: Callable[[Blob], str | None] = lambda _: None  # where a file can be fetched from outside, if it can

    async def step(self, job: Job, *, found: bool) -> Transition:
        """The move from the job's state. `found`: the job was in this state when this process took it up."""
        ordered = {State.SUBMITTING: self._submit, State.RUNNING: self._poll, State.FETCHING: self._fetch}
        if job.state in ordered:
            return await ordered[job.state](job, found=found)
        move = {State.QUEUED: self._start, State.PREPARING: self._prepare, State.CHECKING: self.finalizer.verify}[
            job.state
        ]
        return await move(job)

    def fail(self, fault: Fault, state: State = State.FAILED) -> Transition:
        """The move to an end without a video."""
        return failed(fault, at=self.clock.now(), state=state)

    async def broken(self, job: Job, fault: Fault) -> Transition:
        """What becomes of a job whose move met a fault of ours.

        A video that was made is fetched again, and is not lost because no report could be made of it; an order that was
        on its way may have been taken; one that stands is looked at again: a look that fails is not a job that failed.
        """
        if job.state is State.RUNNING and (provider := self.providers.for_job(job)):
            return Transition(wait=self._pace(job, provider))
        if job.state is State.FETCHING and (step := self.finalizer.again(job, PERMANENT_ATTEMPTS_MAX)):
            return step
        if job.state is State.CHECKING:
            with suppress(videos.Unreadable, OSError):
                return await self.finalizer.verify(job, judged=False)
        if job.state is State.SUBMITTING:
            return Transition(self.fail(replace(fault, unsure=True)).changes, order="unsure")
        return self.fail(fault)

    async def last_look(self, job: Job, *, found: bool) -> Transition | None:
        """What an order has come to whose job is late: the video may be there, and is paid for.

        A step without a change where it could not be asked; None where no end of it is known.
        """
        provider = self.providers.for_job(job)
        if provider is None:
            return None
        try:
            if job.state is State.RUNNING:
                update = await provider.poll(job.handle or {})
                return self._over(job, update) if isinstance(update, Done | Failed) else None
            if job.state is State.SUBMITTING and (found or job.submit_unconfirmed) and not provider.resubmittable:
                handle = await provider.reconcile(self.order(job))
                return None if handle is None else accepted(handle, wait=provider.poll_seconds)
        except OutcomeUnknown:
            return None
        except FramegateError:
            return Transition(wait=LOOK_SECONDS)
        return None

    async def end(self, job: Job, state: State, fault: Fault, *, found: bool) -> Transition:
        """End a job before its time: stop its order where the provider can, and say where it cannot."""
        provider = self.providers.for_job(job)
        if job.state is State.SUBMITTING:
            if not (found or job.submit_unconfirmed) or (provider is not None and provider.resubmittable):
                return Transition(self.fail(fault, state).changes, order="not_sent")
            said = f"{fault.message} Its order was on its way when the gate stopped: the provider may charge."
            return Transition(self.fail(replace(fault, message=said, unsure=True), state).changes, order="unsure")
        if job.handle is not None and not await _stopped(job.handle, provider):
            said = f"{fault.message} The provider could not stop it and may charge."
            fault = Fault(code=fault.code, message=said, may_charge=True)
        return self.fail(fault, state)

    def orders_next(self, job: Job) -> Provider | None:
        """The account that the job's next move orders from, if that is what comes next and it takes orders now."""
        if job.state is not State.PREPARING or len(job.prepared) != len(job.request.references):
            return None
        provider = self.providers.for_job(job)
        return None if provider is None or self.account_health.retry_in(provider) else provider

    # -- from each state

    async def _start(self, _job: Job) -> Transition:
        return Transition({"state": State.PREPARING, "stage": "preparing", "started_at": self.clock.now()})

    async def _prepare(self, job: Job) -> Transition:
        """Fetch, look at and fit every reference; once they stand ready, begin the order."""
        if len(job.prepared) == len(job.request.references):
            provider = self.providers.for_job(job)
            if provider is None:
                return self._fall_back(job, fault_of(missing(job)))
            if wait := self.account_health.retry_in(provider):
                return self._wait_or_fall_back(job, provider, wait)
            self.account_health.record_submit(provider)
            begun = {
                "submitted_at": self.clock.now(),
                "state": State.SUBMITTING,
                "stage": "submitting",
                "attempts": job.attempts + 1,
                **UNMADE,
                "account": provider.account,
                "account_url": provider.base_url,
                "account_key": provider.key_fingerprint,
            }
            return Transition(begun, order="sending")
        given = enumerate(job.request.references)
        try:
            taken = [await self.preparer.take(reference, index, job.owner) for index, reference in given]
            ready = await self.preparer.ready(replace(job.request, model=job.model), taken, self.router.offer(job))
        except InvalidRequest as error:
            return self.fail(Fault(code=error.code, message=error.message, problems=error.problems))
        if ready.problems:
            first = ready.problems[0]
            return self._fall_back(job, Fault(code=first.code, message=first.message, problems=ready.problems))
        target = measured(job.target, job.request.references, taken)
        inputs = {"prepared": ready.prepared, "adjustments": ready.adjustments, "target": target}
        return Transition({**inputs, "stage": "waiting"})

    async def _submit(self, job: Job, *, found: bool) -> Transition:
        provider = self._provider(job)
        if (found or job.submit_unconfirmed) and not provider.resubmittable:
            return await self._reconcile(
                job, provider, OutcomeUnknown("The gate stopped while the order was on its way.")
            )
        frozen = (
            self.clock.now() - (job.submitted_at or 0.0) > SENDING_SECONDS
        )  # since the intent: nothing has left yet
        if found or frozen:
            stopped = Fault(code="order_lost", message="The gate was stopped while the order was on its way.")
            return self._again(job, stopped, found=True)
        try:
            handle = await provider.submit(self.order(job))
        except NotSent as error:
            self.account_health.record_failure(provider, error, retry_after=error.retry_after)
            stage = waiting(account_label(provider), trouble_summary(error))
            fault = fault_of(error, with_account(provider, error))
            tries = QUICK_TRIES if error.connect_failed else ATTEMPTS_MAX
            return self._again(job, fault, found=False, wait=error.retry_after, stage=stage, tries=tries)
        except Refused as error:
            self.account_health.record_rejection(provider, error)
            return self._fall_back(job, fault_of(error, with_account(provider, error)), order="refused")
        except ProviderError as error:  # whatever it is, it is no certain no
            self.account_health.record_failure(provider, error)
            return await self._reconcile(job, provider, error)
        self.account_health.record_success(provider)
        return accepted(handle, wait=provider.poll_seconds)

    async def _reconcile(self, job: Job, provider: Provider, doubt: ProviderError) -> Transition:
        """Look for an order that may have been taken, where the provider has a way; nothing is sent meanwhile.

        That there is none counts only once whatever was on its way must have arrived.
        """
        later = Transition(
            {} if job.submit_unconfirmed else {"submit_unconfirmed": True, "stage": "looking for its order"},
            wait=LOOK_SECONDS,
        )
        try:
            handle = await provider.reconcile(self.order(job))
        except OutcomeUnknown:
            return self._unsure(doubt)
        except ProviderError:
            return later
        if handle is not None:
            return accepted(handle, wait=provider.poll_seconds)
        sent_at = job.submitted_at or job.updated_at
        if self.clock.now() - sent_at < ARRIVED_SECONDS:
            return later
        step = self._again(job, fault_of(doubt), found=True)
        return Transition({**step.changes, "submit_unconfirmed": False}, wait=step.wait, order=step.order)

    def _unsure(self, error: ProviderError) -> Transition:
        fault = replace(fault_of(error), code=OutcomeUnknown.code, retryable=False, unsure=True)
        return Transition(self.fail(fault).changes, order="unsure")

    def _again(
        self,
        job: Job,
        fault: Fault,
        *,
        found: bool,
        wait: float | None = None,
        stage: str = AGAIN,
        tries: int = ATTEMPTS_MAX,
    ) -> Transition:
        """Order once more: the last order certainly came to nothing.

        `found`: it was a stop of the gate that broke it off. The order has no part in that, so it is made again at
        once, however often; the job's deadline is the bound. Otherwise only while there is a try left; and where there
        is another way, only for so many `tries`, and not after a longer wait than that way is worth.
        """
        if found:
            return Transition({"state": State.PREPARING, "stage": "preparing", **UNMADE}, order="not_sent")
        setbacks = job.failed_submits + 1
        if not job.request.policy.retry:
            return Transition({**self.fail(fault).changes, "failed_submits": setbacks}, order="not_sent")
        onward = replace(job, failed_submits=setbacks)
        if setbacks >= ATTEMPTS_MAX:
            return self._fall_back(onward, fault, order="not_sent")
        again = put_off(setbacks, stage, wait or 0.0)
        return (
            again
            if setbacks < tries and again.wait <= PATIENCE_SECONDS
            else self._fall_back_if_sooner(onward, fault, again)
        )

    def _wait_or_fall_back(self, job: Job, provider: Provider, wait: float) -> Transition:
        """To wait for an account; elsewhere where it is away, or the wait is longer than another way is worth."""
        why = self.account_health.reason(provider)
        stay = staying(job, waiting(account_label(provider), why), wait)
        if why != UNREACHED and wait <= PATIENCE_SECONDS:
            return stay
        said = f"The account `{account_label(provider)}` {why}, so that nothing was ordered."
        return self._fall_back_if_sooner(job, Fault(code=NotSent.code, message=said, retryable=True), stay)

    def _fall_back_if_sooner(self, job: Job, fault: Fault, stay: Transition) -> Transition:
        """The next way, where there is one that is free sooner and can be paid for; else the present one."""
        step = self._fall_back(job, fault, order=stay.order)
        if step.changes["state"] is State.FAILED:
            return stay
        other = self.providers.for_job(replace(job, **step.changes))
        return stay if other and self.account_health.retry_in(other) >= stay.wait else replace(step, instead=stay)

    def _fall_back(self, job: Job, fault: Fault, *, order: str | None = None) -> Transition:
        """Take the next way that the request allows; end the job where there is none. Nothing was ordered here."""
        one = FallbackAttempt(
            model=job.model,
            offer=job.offer,
            provider=job.provider,
            account=job.account,
            code=fault.code,
            message=fault.message,
            at=self.clock.now(),
        )
        tried = {"fallback_log": (*job.fallback_log, one)}
        route = self.router.next_route(replace(job, **tried))
        if route is None:
            return Transition({**self.fail(fault).changes, **tried, "failed_submits": job.failed_submits}, order=order)
        anew = {"state": State.PREPARING, "stage": "preparing", "prepared": (), "adjustments": (), "failed_submits": 0}
        anew |= {"warnings": route.warnings_after(job.warnings)}
        return Transition({**anew, **tried, **route.job_fields(), **UNMADE}, order=order)

    def fall_back_over_budget(self, job: Job, step: Transition, error: BudgetExceeded) -> Transition:
        """The move that a job makes in the place of one on a way for which its key's budget does not reach."""
        there = replace(job, **step.changes)
        fault = Fault(code=error.code, message=f"{there.fallback_log[-1].message} Then: {error.message}")
        onward = self._fall_back(there, fault, order=step.order or ("refused" if step.over_budget is None else None))
        if step.over_budget is None:
            return onward
        return (
            step.over_budget if onward.changes["state"] is State.FAILED else replace(onward, instead=step.over_budget)
        )

    async def _poll(self, job: Job, *, found: bool) -> Transition:
        provider = self.providers.for_job(job)
        if provider is None:
            return without_account(job)
        try:
            update = await provider.poll(job.handle or {})
        except FramegateError as error:
            self.account_health.record_poll_failed(provider, error)
            return Transition(wait=self._pace(job, provider))  # a look that failed is not a job that failed
        self.account_health.record_poll_ok(provider)
        match update:
            case Running():
                return self._progress(job, update, provider)
            case Done() | Failed():
                return self._over(job, update)
            case Lost():
                return self._lost(job, provider, found=found)

    def _over(self, job: Job, update: Done | Failed) -> Transition:
        return made(job, update, at=self.clock.now()) if isinstance(update, Done) else self.fail(update.fault)

    def _lost(self, job: Job, provider: Provider, *, found: bool) -> Transition:
        if provider.resubmittable:
            broken = Fault(code="order_lost", message="The renderer broke off again and again.")
            return self._again(job, broken, found=found)
        now = self.clock.now()
        if job.missing_since is None:
            return Transition(
                {"missing_since": now, "stage": "unknown to its provider"}, wait=self._pace(job, provider)
            )
        if now - job.missing_since < LOST_SECONDS:
            return Transition(wait=self._pace(job, provider))
        return self.fail(Fault(code="order_lost", message="The provider no longer knows this order.", may_charge=True))

    def _progress(self, job: Job, update: Running, provider: Provider) -> Transition:
        progress = job.progress if update.progress is None else round(update.progress * RENDERED, 4)
        stage = update.stage or (job.stage if job.missing_since is None else "running")
        wait = self._pace(job, provider)
        if stage == job.stage and (progress or 0) - (job.progress or 0) < PROGRESS_STEP:
            return Transition(wait=wait)
        return Transition({"progress": progress, "stage": stage, "missing_since": None}, wait=wait)

    def _pace(self, job: Job, provider: Provider) -> float:
        return pace(job, provider, now=self.clock.now())

    async def _fetch(self, job: Job, *, found: bool) -> Transition:
        """Bring every output into our own store, at once: a provider's link does not live long."""
        provider = self.providers.for_job(job)
        if provider is None:
            return without_account(job)
        if provider.resubmittable and not await self.finalizer.has(job.provider_files):
            fault = Fault(code="output_lost", message="The rendered file was lost again and again.")
            return self._again(job, fault, found=found)
        return await self.finalizer.download(job, provider)

    # -- inside

    def order(self, job: Job) -> Order:
        """The order for a job; its key is the same however often it is tried."""
        offer = self.router.offer(job)
        limits = offer.limits if offer else Limits()
        return Order(
            job_id=job.id,
            key=order_key(job),
            request=job.request,
            model=job.model,
            model_id=offer.id if offer else job.model,
            prompt=rewrite_prompt(job.request, limits.prompt_tokens),
            target=job.target,
            references=tuple(replace(one, signed_url=self.reference_url(one.blob)) for one in job.prepared),
            webhook=self._webhook(job),
            audio_is_optional=limits.audio == "optional",
        )

    def _webhook(self, job: Job) -> str | None:
        """Where the provider may call, if it may be told: an address that a service would take for one."""
        public_url = self.settings.public_url or ""
        reachable = public_url.startswith("https://") or self.settings.allow_private_addresses
        provider = self.providers.for_job(job)
        if not public_url or not reachable or provider is None or not provider.sends_webhooks:
            return None
        return provider_webhook_url(public_url, job.provider, job.account, job.id)

    def _provider(self, job: Job) -> Provider:
        provider = self.providers.for_job(job)
        if provider is None:
            raise missing(job)
        return provider


async def _stopped(handle: Handle, provider: Provider | None) -> bool:
    """Whether an order is over: its provider stopped it, or charges for none."""
    if provider is None:  # its account was taken out of the settings
        return False
    try:
        return await provider.cancel(handle) or provider.resubmittable
    except FramegateError:
        return provider.resubmittable
