"""Job service: create, follow, cancel and delete jobs. Every dialect uses it; it knows no HTTP."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager

from framegate.catalogue import Catalogue
from framegate.config.settings import Settings
from framegate.domain import Blob, Caller, Delivery, Event, Job, Output, Problem, Request, State, Status, Verdict
from framegate.domain.errors import (
    Busy,
    Conflict,
    FramegateError,
    Gone,
    InvalidRequest,
    NotFound,
    NotReady,
    PrivateFile,
    Stale,
)
from framegate.domain.ledger import Entry, LedgerChange, cost_sentence, entry_of
from framegate.domain.machine import Machine
from framegate.jobs.admission import QueueLimit
from framegate.jobs.builder import JobBuilder, OwnFile, rerun_request, retry_key, retry_request
from framegate.jobs.change_feed import ChangeFeed
from framegate.jobs.clock import JobClock
from framegate.jobs.deduplication import CreateDeduplicator, RequestContext
from framegate.jobs.executor import Executor
from framegate.jobs.job_log import log_change
from framegate.jobs.lookup import get_job, get_owned_job, is_job_id, is_retained, job_not_found
from framegate.jobs.routing import Router
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.media import calls
from framegate.media.decoder import DecoderFault, FileLimitExceeded
from framegate.media.unreadable import Unreadable
from framegate.net.fetcher import Fetcher
from framegate.storage import ingest
from framegate.storage.blobs import BlobStore
from framegate.store import Page, Store
from framegate.store.job_writes import UnacknowledgedCreate, next_version
from framegate.store.ledger import By, Spent
from framegate.store.notifier import Watch as JobWatch

JOBS_PER_PAGE_MAX = 100
WAIT_SECONDS_MAX = 60.0
CANCEL_SECONDS = 5.0  # how long a cancellation may take before the job is returned as it is
CANCEL_ATTEMPTS_MAX = 20
_STATES = {status: tuple(state for state in State if state.status is status) for status in Status}


class JobService:
    """The jobs of a gateway, each visible to its tenant alone: another tenant's job is reported as not found."""

    def __init__(  # noqa: PLR0913 - one part for each
        self,
        *,
        settings: Settings,
        store: Store,
        router: Router,
        blobs: BlobStore,
        net: Fetcher,
        executor: Executor,
        machine: Machine,
        secret: bytes,
        webhook_dialects: WebhookDialects | None = None,
    ) -> None:
        self.settings = settings
        self.blobs = blobs
        self.secret = secret
        self._store = store
        self._router = router
        self._executor = executor
        self._builder = JobBuilder(
            settings=settings, store=store, router=router, blobs=blobs, net=net, decoder=executor, machine=machine
        )
        self._machine = machine
        self._webhook_dialects = webhook_dialects or WebhookDialects(machine=machine)
        self._changes = ChangeFeed(store, machine)
        self._queue_limit = QueueLimit(store, machine, jobs_max=settings.open_jobs_max)
        self._deduplicator = CreateDeduplicator(JobClock(machine), is_shared=settings.database_url is not None)

    def recognise(self, own_file: OwnFile) -> None:
        """Read references at URLs of this gateway by `own_file`, without the network."""
        self._builder.own_file = own_file

    @property
    def catalogue(self) -> Catalogue:
        """The models, as their services list them now."""
        return self._router.catalogue

    # -- before a job

    async def check(self, request: Request, *, caller: Caller) -> Verdict:
        """Validate a request, its references and the budget of its key. Submits and reserves nothing."""
        return await self._builder.check(request, caller=caller)

    async def add_asset(self, stream: AsyncIterator[bytes], *, owner: str, media_type: str | None) -> Blob:
        """Store an uploaded file for a tenant, after inspecting it; references name it `asset://SHA256`."""
        await self.blobs.check_room()
        blob = await ingest.ingest_upload(
            stream, media_type, blobs=self.blobs, decoder=self._executor, settings=self.settings
        )
        await self.share(blob, owner=owner)
        return blob

    async def share(self, blob: Blob, *, owner: str) -> str:
        """Record a stored blob as an asset of a tenant; return its `asset://` URL."""
        return await self._builder.share(blob, owner=owner)

    # -- the life of a job

    async def create(
        self,
        request: Request,
        *,
        caller: Caller,
        dialect: str,
        context: RequestContext | None = None,
        idempotency_key: str | None = None,
        body_hash: str = "",
        base_url: str = "",
    ) -> Job:
        """Accept a job: once this returns, it is durable. `base_url` is the start of the URLs in its webhooks.

        Without an idempotency key, `context` lets a request that repeats a create without a response return the job of
        that create. `context.replayed` tells whether an earlier request created the job.

        Raises `InvalidRequest` with every broken rule, `ReferenceUnusable` for a data URL or an asset that cannot be
        used, `IdempotencyConflict`, `BudgetExceeded`, `Busy` if too many jobs are open, and `StorageFull`.
        """
        with self._deduplicator.start(caller.owner, None if idempotency_key else context) as create:
            if earlier := await create.orphaned_duplicate():
                return create.resolve(_replayed(context, await self.get(earlier, owner=caller.owner)))
            try:
                await self._queue_limit.check()
                await self.blobs.check_room()
                job = await self._builder.build(request, caller=caller, dialect=dialect, base_url=base_url)
            except FramegateError:
                # What stands against a new job is no reason not to return the one that the key stands for.
                if idempotency_key is None:
                    raise
                same = await self._store.get_by_key(caller.owner, idempotency_key, body_hash=body_hash)
                if same is None:
                    raise
                return create.resolve(_replayed(context, same))

            async def insert(unacknowledged: UnacknowledgedCreate | None) -> Job:
                return await self._insert(
                    job,
                    self._builder.reservation_for(job),
                    idempotency_key=idempotency_key,
                    body_hash=body_hash,
                    unacknowledged=unacknowledged,
                )

            stored = await create.insert(insert, job, window=self.settings.duplicate_create_window_seconds)
            self._queue_limit.admit()
            return create.resolve(stored if stored.id == job.id else _replayed(context, stored))

    async def retry(self, job_id: str, *, caller: Caller, void_first: bool = False) -> Job:
        """Submit an order of unknown outcome again, as a new job: one, however often this is called.

        With `void_first`, the reservation that the unsure job holds is released. Raises `NotFound`, `Conflict` for a
        job whose order outcome is known, and what `create` raises.
        """
        unsure = await self.get(job_id, owner=caller.owner)
        request = retry_request(unsure)
        await self._queue_limit.check()
        job = await self._builder.build(request, caller=caller, dialect=unsure.dialect, base_url=unsure.base_url)
        reservation = self._builder.reservation_for(job, releases_job_id=unsure.id if void_first else None)
        return await self._insert(job, reservation, idempotency_key=retry_key(unsure), body_hash=unsure.id)

    async def rerun(self, job_id: str, *, caller: Caller, idempotency_key: str | None = None) -> Job:
        """Make the video of a job that has ended again: a new job with the same request, which costs again.

        Raises `NotFound`, `Conflict` for a job that has not ended or whose order outcome is unknown, and what `create`
        raises.
        """
        ended = await self.get(job_id, owner=caller.owner)
        request = rerun_request(ended)
        await self._queue_limit.check()
        job = await self._builder.build(request, caller=caller, dialect=ended.dialect, base_url=ended.base_url)
        reservation = self._builder.reservation_for(job)
        return await self._insert(job, reservation, idempotency_key=idempotency_key, body_hash=f"rerun {ended.id}")

    async def _insert(
        self,
        job: Job,
        reservation: LedgerChange | None,
        *,
        idempotency_key: str | None,
        body_hash: str,
        unacknowledged: UnacknowledgedCreate | None = None,
    ) -> Job:
        stored = await self._store.insert(
            job,
            idempotency_key=idempotency_key,
            body_hash=body_hash,
            deliveries=self._webhook_dialects.deliveries(None, job),
            unacknowledged=unacknowledged,
            ledger_change=reservation,
        )
        if stored.id == job.id:  # else the job of an earlier create
            log_change(None, stored)
        return stored

    async def acknowledge(self, job_ids: Sequence[str]) -> None:
        """Record that the clients of these creates have their response: an identical request is a new job."""
        await self._store.acknowledge(job_ids)

    async def get(self, job_id: str, *, owner: str) -> Job:
        """Return a job. Raises `NotFound`."""
        return await get_owned_job(self._store, job_id, owner)

    async def exists(self, job_id: str) -> bool:
        """Whether there is a job with this id, of any tenant."""
        return is_job_id(job_id) and await self._store.get(job_id) is not None

    async def wait(self, job_id: str, *, owner: str, seconds: float) -> Job:
        """Wait until a job has ended, at most `seconds`; return the job."""
        until = self._machine.monotonic() + min(seconds, WAIT_SECONDS_MAX)
        with self._changes.watch(job_id) as watch:
            while True:
                job = await self.get(job_id, owner=owner)
                watch.version = job.version
                remaining = until - self._machine.monotonic()
                if job.state.is_final or remaining <= 0:
                    return job
                await watch.change(within=remaining)

    async def list(
        self,
        *,
        owner: str | None,
        limit: int = 50,
        held: bool = False,
        after: str | None = None,
        status: Sequence[Status] = (),
        model: str | None = None,
        oldest_first: bool = False,
    ) -> Page:
        """Return one page of a tenant's jobs, newest first by default; `after` is the cursor of the previous page.

        None as `owner` is for the operator: the jobs of all tenants. With `held` only jobs whose cost is held.

        Raises `InvalidRequest`.
        """
        if after is not None and not is_job_id(after):
            message = "`after` must be the cursor of an earlier page."
            raise InvalidRequest([Problem(code="cursor_invalid", pointer="/after", message=message)])
        catalog_entry = self.catalogue.get(model) if model else None
        states = [state for public_status in status for state in _STATES[public_status]]
        return await self._store.list(
            owner=owner,
            limit=max(1, min(limit, JOBS_PER_PAGE_MAX)),
            held=held,
            after=after,
            states=states,
            model=catalog_entry.id if catalog_entry else model,
            oldest_first=oldest_first,
        )

    async def cancel(self, job_id: str, *, owner: str) -> Job:
        """Cancel a job and its order; return the job once it is cancelled, or after five seconds.

        Cancelling a cancelled job is no error. Raises `NotFound`, and `Conflict` for a job that has ended otherwise.
        """
        for _ in range(CANCEL_ATTEMPTS_MAX):
            job = await self.get(job_id, owner=owner)
            if job.state is State.CANCELLED:
                return job
            if job.state.is_final:
                raise Conflict(await self._over(job), code="job_over")
            if job.cancel_requested:
                break
            now = self._machine.now()
            try:
                await self._store.apply(next_version(job, now, cancel_requested=True), due_at=now)
            except Stale:
                continue
            break
        else:
            raise Busy("The job is changing too fast to be cancelled. Try again.")
        self._store.notifier.interrupt(job_id)
        return await self.wait(job_id, owner=owner, seconds=CANCEL_SECONDS)

    async def _over(self, job: Job) -> str:
        """Return why a job that has ended cannot be cancelled, and what it costs."""
        entry = await self._store.ledger.entry(job.id) or entry_of(job)
        return f"The job is already {job.state.value} and cannot be cancelled. {cost_sentence(entry)}"

    async def delete(self, job_id: str, *, owner: str) -> None:
        """Delete a job that has ended, and its files unless another job uses them. Raises `NotFound`, `Conflict`."""
        job = await self.get(job_id, owner=owner)
        if not job.state.is_final:
            raise Conflict(
                f"The job is {job.state.status.value}. Cancel it first, then delete it.", code="job_not_over"
            )
        await self._store.delete(job_id)
        files = [blob for out in job.outputs for blob in (out.blob, out.poster, out.contact_sheet, *out.matches)]
        for blob in files:
            if blob is not None and not await self._store.is_referenced(blob.sha256):
                await self.blobs.delete(blob.sha256)

    async def events(self, job_id: str, *, owner: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a job after `after`, then new ones until the final one. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        with self._changes.watch(job_id) as watch:
            while True:
                for event in await self._store.events(job_id, after=after):
                    after = event.seq
                    yield event
                job = await self._store.get(job_id)
                if job is None or (job.state.is_final and job.version <= after):
                    return
                watch.version = job.version
                if job.version <= after:
                    await watch.change()

    def watch(self, job_id: str) -> AbstractContextManager[JobWatch]:
        """Watch a job for changes, in place of reading it again and again."""
        return self._changes.watch(job_id)

    async def history(self, job_id: str, *, owner: str) -> tuple[Event, ...]:
        """Return the events of a job so far. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        return await self._store.events(job_id)

    async def ahead(self, job_id: str | None = None) -> int:
        """Return the number of jobs queued before this one; of all queued jobs if none is named."""
        return await self._store.count_queued_before(job_id)

    # -- outputs

    async def output(self, job_id: str, *, owner: str, index: int = 0) -> Output:
        """Return a finished video. Raises `NotFound`, `NotReady`, and `Gone` if the file is no longer stored."""
        return self._stored_output(await self.get(job_id, owner=owner), index)

    async def linked_output(self, job_id: str, *, index: int = 0) -> Output:
        """Return a finished video for the holder of a signed URL, which stands for the tenant.

        Raises what `output` raises, and `PrivateFile` for one that only its owner may read.
        """
        job = await get_job(self._store, job_id)
        if job.request.policy.private:
            raise PrivateFile
        return self._stored_output(job, index)

    def _stored_output(self, job: Job, index: int) -> Output:
        if not job.state.is_final:
            raise NotReady(f"The video is not ready: the job is {job.state.status.value}.")
        if job.state is not State.COMPLETED:
            reason = f" {job.fault.message}" if job.fault else ""
            raise NotReady(f"There is no video: the job is {job.state.value}.{reason}", code=f"job_{job.state.value}")
        if not 0 <= index < len(job.outputs):
            raise NotFound(f"Output {index} not found: the job has {len(job.outputs)} output(s), counted from 0.")
        output = job.outputs[index]
        if not is_retained(job, self._machine.now()):
            raise Gone("This file has expired.")
        if not self.blobs.has(output.blob.sha256):
            raise Gone
        return output

    async def last_frame_png(self, output: Output) -> bytes:
        """Return the last frame of a finished video as PNG. Raises `Conflict` if it cannot be decoded."""
        try:
            return await self._executor.run(calls.last_frame_png, self.blobs.path(output.blob.sha256))
        except (FileLimitExceeded, DecoderFault, Unreadable) as error:
            message = "The last frame of the video cannot be decoded."
            raise Conflict(message, code="output_unplayable") from error

    # -- money

    async def bill(self, job_id: str, *, owner: str) -> Entry:
        """Return the ledger entry of a job. Raises `NotFound`, also for a job older than the ledger."""
        await self.get(job_id, owner=owner)
        entry = await self._store.ledger.entry(job_id)
        if entry is None:
            raise NotFound("The ledger has no entry for this job.")
        return entry

    async def spent(
        self, by: By, *, owner: str, since: str | None = None, until: str | None = None
    ) -> tuple[Spent, ...]:
        """Return what a tenant's jobs cost; a job counts on the UTC day of its acceptance, both days inclusive."""
        return await self._store.ledger.spent(by, owner=owner, since=since, until=until)

    # -- webhooks

    async def webhooks(self, job_id: str, *, owner: str) -> tuple[Delivery, ...]:
        """Return the webhooks of a job with every delivery attempt. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        return await self._store.outbox.of_job(job_id)

    async def replay_webhook(self, job_id: str, delivery_id: str, *, owner: str) -> Delivery:
        """Send a webhook again, with the same event id. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        await self._store.outbox.replay(job_id, delivery_id, now=self._machine.now())
        self._store.notifier.delivery_available.set()
        for delivery in await self._store.outbox.of_job(job_id):
            if delivery.id == delivery_id:
                return delivery
        raise job_not_found(job_id)  # deleted meanwhile

    def webhook_secret(self, *, owner: str) -> str:
        """Return the secret with which a tenant verifies webhooks, as `whsec_…`."""
        return self._webhook_dialects.secret(owner)


def _replayed(context: RequestContext | None, job: Job) -> Job:
    """Record that an earlier request created the job."""
    if context is not None:
        context.replayed = True
    return job
