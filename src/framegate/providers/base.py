"""The contract between the gate and whatever makes a video: asked once, never sleeping, never retrying."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from framegate.domain import (
    Handle,
    Job,
    Order,
    Preflight,
    PreparedReference,
    ProviderFile,
    Request,
    Target,
    Update,
)
from framegate.domain.errors import OutcomeUnknown, Refused


class Provider(ABC):
    """One configured account of one service, or one local engine.

    Sleeping, retrying, deadlines, webhooks and money belong to the runner.
    """

    name: str
    account: str = ""
    base_url: str = ""  # where its service is reached; empty for what runs in this process
    key_fingerprint: str = ""  # tells its key from other keys, and is not the key
    reaches_gateway: bool = False  # whether a link of ours is of use to it: the gate can be reached from outside
    served_models: frozenset[str] | None = None  # the ids that it makes, where it tells; None: all that its offers name
    resubmittable: bool = False  # an order costs nothing, so a lost one is simply made again
    concurrency: int | None = None  # orders at once; None: as many as come
    poll_seconds: float = 5.0  # how long the runner waits between two looks
    poll_seconds_max: float | None = None  # to where that grows with a job's age; None: it does not grow
    sends_webhooks: bool = False  # tells by a signed webhook that an order is over
    model_list_url: str | None = None  # where the service lists its models in OpenRouter's shape, if it does
    requests_per_minute: int | None = None  # orders begun; None: as many as come

    @abstractmethod
    async def submit(self, order: Order) -> Handle:
        """Place the order and return what `poll` needs to find it again.

        Raises `Refused`, `NotSent` or `Unsure`: the ends of an order that was not accepted.
        """

    @abstractmethod
    async def poll(self, handle: Handle) -> Update:
        """Look once. An error raised here is a failed look, not a failed job."""

    def preflight(
        self,
        request: Request,  # noqa: ARG002 - for those that can
        target: Target,  # noqa: ARG002
        prepared: Sequence[PreparedReference] = (),  # noqa: ARG002
    ) -> Preflight | None:
        """What is known of the video before it is ordered, and what stands in the way of the order.

        `prepared` are the request's references as they would be handed over, once they have been looked at.
        """
        return None

    async def cancel(self, handle: Handle) -> bool:  # noqa: ARG002 - for those that can
        """Stop the order if the provider can; say whether it was stopped."""
        return False

    async def reconcile(self, order: Order) -> Handle | None:  # noqa: ARG002 - for those that can
        """Find the order that may have been taken; None where it certainly was not.

        Raises `Unsure` where the provider has no way to tell, as most have not.
        """
        raise OutcomeUnknown

    async def verify_webhook(self, headers: Mapping[str, str], raw: bytes, *, now: float) -> str | None:  # noqa: ARG002
        """The order that a signed call is about, for those that call back; None where they did not sign it."""
        return None

    async def models(self) -> object:
        """What the service lists of its models, as JSON of OpenRouter's shape; for those that have `lists_at`."""
        raise Refused(f"{self.name} publishes no list of its models.")

    async def probe(self) -> str:
        """Look at the service for nothing: what is found there, in words that go on from its name.

        Raises `ProviderError` with what is wrong, and never sends what could be an order.
        """
        raise Refused(f"{self.name} cannot be asked without an order.")

    async def download(self, made: ProviderFile, into: Path, *, bytes_max: int) -> None:  # noqa: ARG002 - for those that must
        """Fetch a file that lies at the account's own origin and asks for its key."""
        raise Refused(f"{self.name} keeps no files behind its key.")

    async def close(self) -> None:  # noqa: B027 - usually nothing to do
        """Let go of what the provider holds (processes, connections)."""


class ProviderRegistry:
    """The providers that this gate can order from, one for each account; in a sandbox, one that stands in for all."""

    def __init__(self, providers: Iterable[Provider], *, sandbox: Provider | None = None) -> None:
        self._providers = {(provider.name, provider.account): provider for provider in providers}
        self._sandbox = sandbox

    def __iter__(self) -> Iterator[Provider]:
        yield from self._providers.values()
        if self._sandbox is not None:
            yield self._sandbox

    def get(self, name: str, account: str) -> Provider | None:
        """The account of that name at a provider; under another name, if it is the only one there by now."""
        only = [provider for provider in self._providers.values() if provider.name == name]
        return self._providers.get((name, account)) or (only[0] if len(only) == 1 else None)

    def for_job(self, job: Job) -> Provider | None:
        """The account that a job was given to, whatever its entry is called by now and whichever key it has.

        It is known by its key, which several entries may share, else by its name, else as the only one left. Only at
        the same address, for at another one nobody knows the order; what is free is simply made again there.
        """
        if self._sandbox is not None and job.provider == self._sandbox.name:
            return self._sandbox
        there = [
            provider
            for provider in self._providers.values()
            if provider.name == job.provider and (provider.resubmittable or job.account_url in ("", provider.base_url))
        ]
        by_key = [provider for provider in there if job.account_key and provider.key_fingerprint == job.account_key]
        by_name = [provider for provider in there if provider.account == job.account]
        if by_key:
            return by_name[0] if by_name and by_name[0] in by_key else by_key[0]
        return next((found[0] for found in (by_name, there) if len(found) == 1), None)

    def for_offer(self, name: str, model_id: str) -> tuple[Provider, ...]:
        """Those that make what the provider of that name calls so, in the order of their declaration."""
        own = tuple(provider for provider in self._providers.values() if provider.name == name)
        if not own:
            return (self._sandbox,) if self._sandbox is not None else ()
        return tuple(
            provider for provider in own if provider.served_models is None or model_id in provider.served_models
        )
