"""The contract of a provider: it submits an order and polls it, once per call, without waiting and without retries."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from framegate.domain import Handle, Order, Preflight, PreparedReference, ProviderFile, Request, Target, Update
from framegate.domain.errors import OutcomeUnknown, Refused
from framegate.media.decoder.base import Decoder


class Provider(ABC):
    """One account at a service, or one local renderer.

    Waiting, retries, deadlines, webhooks and money belong to the worker. For an account, the class is called as
    `Class(account, api_key, base_url, machine=machine)`; `base_url` is empty unless the account sets one.
    """

    name: str
    account: str = ""
    base_url: str = ""  # of the service, unless the account sets another one; empty if it runs in this process
    key_fingerprint: str = ""  # identifies the API key without revealing it
    reaches_gateway: bool = False  # whether it can download from the gateway's public URL
    served_models: frozenset[str] | None = None  # model ids that it makes; None: all that its offers name
    marks_submission: bool = False  # it reports through `framegate.net.submission` when an order leaves
    resubmittable: bool = False  # orders are free, so a lost one is submitted again
    concurrency: int | None = None  # maximum number of simultaneous orders; None: no limit
    poll_seconds: float = 5.0  # between two polls of a new job
    poll_seconds_max: float | None = None  # up to which that grows with a job's age; None: it does not grow
    sends_webhooks: bool = False  # it sends a signed webhook when an order has ended
    model_list_url: str | None = None  # of its list of models in OpenRouter's format
    requests_per_minute: int | None = None  # maximum number of submitted orders; None: no limit
    decoder: Decoder  # decodes references that must be sent in another form; set by the gateway

    @abstractmethod
    async def submit(self, order: Order) -> Handle:
        """Submit the order and return the JSON with which `poll` finds it again.

        Raises `Refused`, `NotSent` or `OutcomeUnknown` if it was not accepted.
        """

    @abstractmethod
    async def poll(self, handle: Handle) -> Update:
        """Get the order's status once. An exception is a failed poll, not a failed job."""

    def preflight(
        self,
        request: Request,  # noqa: ARG002 - for those that can
        target: Target,  # noqa: ARG002
        prepared: Sequence[PreparedReference] = (),  # noqa: ARG002
    ) -> Preflight | None:
        """Problems, warnings and shots that are known before the order is submitted.

        `prepared` are the request's references as they would be sent, once they are downloaded and checked.
        """
        return None

    async def cancel(self, handle: Handle) -> bool:  # noqa: ARG002 - for those that can
        """Stop the order if the provider can. Returns whether it was stopped."""
        return False

    async def reconcile(self, order: Order) -> Handle | None:  # noqa: ARG002 - for those that can
        """Find an order whose outcome is unknown. None if it certainly was not accepted.

        Raises `OutcomeUnknown` if that cannot be found out, as with most providers.
        """
        raise OutcomeUnknown

    async def verify_webhook(self, headers: Mapping[str, str], raw: bytes, *, now: float) -> str | None:  # noqa: ARG002
        """The id of the order that a signed webhook is about; None if the provider did not sign it."""
        return None

    async def models(self) -> object:
        """The service's list of models as JSON in OpenRouter's format; for providers with a `model_list_url`."""
        raise Refused(f"{self.name} does not publish a list of its models.")

    async def probe(self) -> str:
        """Check the address and the key without an order. Returns what was found, as a text that continues "NAME: ".

        Raises `ProviderError` with what is wrong.
        """
        raise Refused(f"{self.name} cannot be checked without an order.")

    async def download(self, file: ProviderFile, into: Path, *, bytes_max: int) -> None:  # noqa: ARG002 - for those that must
        """Download a finished file that requires the account's key."""
        raise Refused(f"{self.name} has no files that require a key.")

    async def close(self) -> None:  # noqa: B027 - usually nothing to do
        """Release processes and connections."""
