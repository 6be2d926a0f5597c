"""The contract between the gate and whatever makes a video: asked once, never sleeping, never retrying."""

from abc import ABC, abstractmethod

from framegate.types import Handle, Order, Update


class Provider(ABC):
    """One configured account of one service, or one local engine.

    Sleeping, retrying, deadlines, webhooks and money belong to the runner.
    """

    name: str
    account: str = ""
    repeatable: bool = False  # an order costs nothing, so a lost one is simply made again
    concurrency: int | None = None  # orders at once; None: as many as come
    poll_seconds: float = 5.0  # how long the runner waits between two looks

    @abstractmethod
    async def submit(self, order: Order) -> Handle:
        """Place the order and return what `poll` needs to find it again.

        Raises `Refused`, `NotSent` or `Unsure`: the ends of an order that was not accepted.
        """

    @abstractmethod
    async def poll(self, handle: Handle) -> Update:
        """Look once. An error raised here is a failed look, not a failed job."""

    async def cancel(self, handle: Handle) -> bool:  # noqa: ARG002 - for those that can
        """Stop the order if the provider can; say whether it was stopped."""
        return False

    async def close(self) -> None:  # noqa: B027 - usually nothing to do
        """Let go of what the provider holds (processes, connections)."""
