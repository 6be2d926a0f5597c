"""What the steps of the state machine share."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from framegate.catalogue.model import Limits
from framegate.catalogue.prompts.rewrite import rewrite_prompt
from framegate.config.settings import Settings
from framegate.domain import Blob, Fault, Job, Order, State
from framegate.jobs.account_health import AccountHealth
from framegate.jobs.clock import JobClock
from framegate.jobs.references import ReferencePreparer
from framegate.jobs.routing import Router
from framegate.jobs.state_machine.finalize import Finalizer
from framegate.jobs.state_machine.provider_webhook import provider_webhook_url
from framegate.jobs.state_machine.transition import Transition, account_missing, failed, order_key
from framegate.providers.base import Provider
from framegate.providers.registry import ProviderRegistry


@dataclass(frozen=True, slots=True)
class StepContext:
    """The parts of a gateway that the steps use, and what every step needs of them."""

    settings: Settings
    providers: ProviderRegistry
    router: Router
    account_health: AccountHealth
    preparer: ReferencePreparer
    clock: JobClock
    finalizer: Finalizer
    reference_url: Callable[[Blob], str | None] = lambda _: None  # public URL of a blob, if the gateway has one

    def fail(self, fault: Fault, state: State = State.FAILED) -> Transition:
        """Return the transition to an end without a video."""
        return failed(fault, at=self.clock.now(), state=state)

    def provider(self, job: Job) -> Provider:
        """Return the account of a job. Raises `ProviderError` if it is no longer configured."""
        provider = self.providers.for_job(job)
        if provider is None:
            raise account_missing(job)
        return provider

    def order(self, job: Job) -> Order:
        """Return the order of a job; its idempotency key is the same for every attempt."""
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
            references=tuple(
                replace(
                    reference,
                    path=str(self.preparer.blobs.path(reference.blob.sha256)),
                    signed_url=self.reference_url(reference.blob),
                )
                for reference in job.prepared
            ),
            webhook=self._webhook(job),
            age_seconds=self.clock.elapsed(job.created_at),
            audio_is_optional=limits.audio == "optional",
        )

    async def has_references(self, job: Job) -> bool:
        """Whether this gateway stores the prepared references of a job."""
        blobs = self.preparer.blobs
        hashes = [reference.blob.sha256 for reference in job.prepared]
        return await blobs.machine.run_in_thread(lambda: all(map(blobs.has, hashes)))

    def _webhook(self, job: Job) -> str | None:
        """Return where the provider may report the order, if it can reach the gateway and sends webhooks."""
        public_url = self.settings.public_url or ""
        is_reachable = public_url.startswith("https://") or self.settings.allow_private_addresses
        provider = self.providers.for_job(job)
        if not public_url or not is_reachable or provider is None or not provider.sends_webhooks:
            return None
        return provider_webhook_url(public_url, job.provider, job.account, job.id)
