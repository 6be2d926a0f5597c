"""Create deduplication without an idempotency key: a client's retry, or two clients with the same body.

A create whose response never reached its client belongs to the next byte-identical request of the same tenant. Two
identical requests whose clients are both connected are two jobs. The database decides, also between gateways.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

from framegate.domain import Job
from framegate.domain.errors import DuplicateCreate
from framegate.jobs.clock import JobClock
from framegate.store.job_writes import AcrossGateways, UnacknowledgedCreate

ACKNOWLEDGE_SECONDS_MAX = 2.0  # for the acknowledgment of another gateway's job
ACKNOWLEDGE_CHECK_SECONDS = 0.1
GATEWAYS_APART_SECONDS = 5.0  # between the clocks of two gateways

Fingerprint = tuple[str, str]  # tenant, and hash of the request


class RequestContext(Protocol):
    """The inbound request that creates a job, as far as deduplication needs it."""

    created: list[str]  # ids of the jobs that this request created
    replayed: bool  # the job that answers this request was created by an earlier one

    @property
    def fingerprint(self) -> str:
        """Hash of the request, once its body is read: equal for two requests that are equal byte for byte."""
        ...

    async def is_disconnected(self) -> bool:
        """Whether the client closed its connection before the response began."""
        ...

    def on_close(self, do: Callable[[], None], /) -> None:
        """Call `do` when the request is over."""
        ...


class InflightCreate:
    """One in-flight create, as a context manager; on an error the entry is removed.

    Without a request context nothing is recorded.
    """

    def __init__(self, creates: "CreateDeduplicator", owner: str, context: RequestContext | None) -> None:
        self._creates = creates
        self.context = context
        self.fingerprint: Fingerprint | None = (owner, context.fingerprint) if context else None
        self.job_id: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.draft_id: str | None = None  # of the job before it is durable

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.job_id.done():
            self.job_id.set_result(None)
            self._creates.end(self)

    async def orphaned_duplicate(self) -> str | None:
        """Return the job of an identical in-flight create whose client has disconnected, once that job is durable."""
        earlier = self._creates.duplicates(self)
        self._creates.begin(self)
        for other in earlier:
            if (
                other.context
                and await other.context.is_disconnected()
                and (job_id := await asyncio.shield(other.job_id))
            ):
                return job_id
        return None

    async def insert(
        self, insert: Callable[[UnacknowledgedCreate | None], Awaitable[Job]], draft: Job, *, window: float
    ) -> Job:
        """Return what `insert` returns: the draft once it is durable, or the job of an identical create.

        If other gateways use the store, a job without an acknowledgment gets a moment for it: its client may have the
        response. A job with one belongs to another client, unless the client of this request has gone.
        """
        clock, adopted, distinct = self._creates.clock, frozenset[str](), frozenset[str]()
        began = clock.monotonic()
        while True:
            across = None
            if self._creates.is_shared:
                since = clock.recorded_since(clock.monotonic() - began + GATEWAYS_APART_SECONDS)
                across = AcrossGateways(since=since, adopted=adopted, distinct=distinct)
            try:
                return await insert(self._unacknowledged(draft, since=clock.recorded_since(window), across=across))
            except DuplicateCreate as duplicate:
                if not duplicate.is_acknowledged:
                    if clock.monotonic() - began >= ACKNOWLEDGE_SECONDS_MAX:
                        adopted |= duplicate.job_ids
                    else:
                        await clock.sleep(ACKNOWLEDGE_CHECK_SECONDS)
                elif self.context and await self.context.is_disconnected():
                    adopted |= duplicate.job_ids
                else:
                    distinct |= duplicate.job_ids

    def _unacknowledged(
        self, draft: Job, *, since: float, across: AcrossGateways | None
    ) -> UnacknowledgedCreate | None:
        """Return how the store records this create until the client has the response."""
        self.draft_id = draft.id
        if self.fingerprint is None:
            return None
        claimed = frozenset(other.draft_id for other in self._creates.duplicates(self) if other.draft_id)
        return UnacknowledgedCreate(
            fingerprint=self.fingerprint[1], since=since, claimed_by_others=claimed, across=across
        )

    def resolve(self, job: Job) -> Job:
        """Record that the job is durable; it may be an earlier one in place of the draft."""
        self.draft_id = job.id
        self.job_id.set_result(job.id)
        if self.context:
            self.context.created.append(job.id)
            self.context.on_close(lambda: self._creates.end(self))
        return job


class CreateDeduplicator:
    """All in-flight creates of this process, by fingerprint. `is_shared`: other gateways use the store."""

    def __init__(self, clock: JobClock, *, is_shared: bool) -> None:
        self.clock = clock
        self.is_shared = is_shared
        self._inflight: dict[Fingerprint, list[InflightCreate]] = {}

    def start(self, owner: str, context: RequestContext | None) -> InflightCreate:
        """Return a new in-flight create."""
        return InflightCreate(self, owner, context)

    def duplicates(self, create: InflightCreate) -> list[InflightCreate]:
        """Return the other in-flight creates with the same fingerprint."""
        if create.fingerprint is None:
            return []
        return [other for other in self._inflight.get(create.fingerprint, ()) if other is not create]

    def begin(self, create: InflightCreate) -> None:
        """Make a create visible to its duplicates."""
        if create.fingerprint:
            self._inflight.setdefault(create.fingerprint, []).append(create)

    def end(self, create: InflightCreate) -> None:
        """Remove a create."""
        fingerprint = create.fingerprint
        if fingerprint is None:
            return
        self._inflight[fingerprint] = self.duplicates(create)
        if not self._inflight[fingerprint]:
            del self._inflight[fingerprint]
