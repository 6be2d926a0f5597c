"""What clients do with jobs: create, follow, cancel, delete. Every dialect comes through here."""

from collections.abc import AsyncIterator, Sequence

from framegate.api.middleware.client_disconnect import current
from framegate.catalogue import Catalogue
from framegate.config.settings import Settings
from framegate.domain import Blob, Delivery, Event, Job, Output, Problem, Request, State, Status, Verdict
from framegate.domain.clock import Clock
from framegate.domain.errors import Busy, Conflict, Gone, InvalidRequest, NotFound, NotReady, Stale
from framegate.domain.ledger import Entry
from framegate.jobs.admission import QueueLimit
from framegate.jobs.builder import JobBuilder
from framegate.jobs.deduplication import CreateDeduplicator
from framegate.jobs.lookup import get_job, get_owned_job, is_job_id, job_not_found
from framegate.jobs.retry import retry_key, retry_request
from framegate.jobs.routing import Router
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.net.fetcher import Fetcher
from framegate.storage import ingest
from framegate.storage.blobs import BlobStore
from framegate.store import Page, Store
from framegate.store.job_writes import next_version
from framegate.store.ledger import By, Spent

JOBS_PER_PAGE_MAX = 100
WAIT_SECONDS_MAX = 60.0
CANCEL_SECONDS = 5.0  # how long a cancellation is waited for before the job is shown as it then stands
LOOK_SECONDS = 1.0  # another process may have changed a job: look at least so often
CANCEL_TRIES_MAX = 20
_STATES = {status: tuple(state for state in State if state.status is status) for status in Status}


class JobService:
    """The gate's jobs, each seen by its owner alone: another's is unknown."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        router: Router,
        blobs: BlobStore,
        net: Fetcher,
        clock: Clock,
        secret: bytes,
        hooks: WebhookDialects | None = None,
    ) -> None:
        self.settings = settings
        self.blobs = blobs
        self.secret = secret
        self._store = store
        self._router = router
        self._drafts = JobBuilder(settings=settings, store=store, router=router, blobs=blobs, net=net, clock=clock)
        self._clock = clock
        self._hooks = hooks or WebhookDialects()
        self._room = QueueLimit(store, clock, jobs_max=settings.open_jobs_max)
        self._creates = CreateDeduplicator()

    @property
    def catalogue(self) -> Catalogue:
        """The models, as their services now list them."""
        return self._router.catalogue

    # -- before a job

    async def check(self, request: Request, *, owner: str) -> Verdict:
        """What the check says of a request, its references and its key's budget looked at too. Places nothing."""
        return await self._drafts.check(request, owner=owner)

    async def add_asset(self, stream: AsyncIterator[bytes], *, owner: str, media_type: str | None) -> Blob:
        """Keep an uploaded file for its owner, once looked at; a reference names it `asset://SHA256`."""
        blob = await ingest.ingest_upload(stream, media_type, blobs=self.blobs, settings=self.settings)
        await self.share(blob, owner=owner)
        return blob

    async def share(self, blob: Blob, *, owner: str) -> str:
        """Let an owner use a file that is kept already; the reference that names it."""
        return await self._drafts.share(blob, owner=owner)

    # -- a job's life

    async def create(
        self,
        request: Request,
        *,
        owner: str,
        dialect: str,
        idempotency_key: str | None = None,
        body_hash: str = "",
        base_url: str = "",
    ) -> Job:
        """Accept a job: once this returns, it is durable. `base_url` is where the links in its webhooks begin.

        A request that is the same to the byte as one whose answer never left gets that one's job.

        Raises `InvalidRequest` with every broken rule, `ReferenceUnusable` for a data URL or an asset that cannot be
        used, `IdempotencyConflict`, `BudgetExceeded`, and `Busy` when too many jobs are unfinished.
        """
        exchange = None if idempotency_key else current()
        with self._creates.start(owner, exchange) as asking:
            if earlier := await asking.orphaned_duplicate():
                return asking.resolve(await self.get(earlier, owner=owner))
            await self._room.check()
            job = await self._drafts.build(request, owner=owner, dialect=dialect, base_url=base_url)
            kept = await self._store.insert(
                job,
                idempotency_key=idempotency_key,
                body_hash=body_hash,
                deliveries=self._hooks.deliveries(None, job),
                unanswered=asking.unacknowledged(
                    job, since=self._clock.now() - self.settings.duplicate_create_window_seconds
                ),
                owing=self._drafts.reservation_for(job),
            )
            self._room.take()
            return asking.resolve(kept)

    async def retry(self, job_id: str, *, owner: str, void_first: bool = False) -> Job:
        """Order again what may have been ordered already, as a job of its own: one, however often this is asked.

        With `void_first` the reservation that the unsure job holds is given up for the new one. Raises `NotFound`,
        `Conflict` for a job whose order's fate is known, and what `create` does.
        """
        unsure = await self.get(job_id, owner=owner)
        request = retry_request(unsure)
        await self._room.check()
        job = await self._drafts.build(request, owner=owner, dialect=unsure.dialect, base_url=unsure.base_url)
        return await self._store.insert(
            job,
            idempotency_key=retry_key(unsure),
            body_hash=unsure.id,
            deliveries=self._hooks.deliveries(None, job),
            owing=self._drafts.reservation_for(job, releases_job_id=unsure.id if void_first else None),
        )

    async def acknowledged(self, job_ids: Sequence[str]) -> None:
        """The clients of these creates have their answers: the next one that asks the same gets a job of its own."""
        await self._store.acknowledge(job_ids)

    async def get(self, job_id: str, *, owner: str) -> Job:
        """A job as it stands. Raises `NotFound`."""
        return await get_owned_job(self._store, job_id, owner)

    async def wait(self, job_id: str, *, owner: str, seconds: float) -> Job:
        """A job once it has ended, or as it stands after so many seconds."""
        until = self._clock.now() + min(seconds, WAIT_SECONDS_MAX)
        with self._store.notifier.watch(job_id) as watch:
            while True:
                job = await self.get(job_id, owner=owner)
                left = until - self._clock.now()
                if job.state.is_final or left <= 0:
                    return job
                await watch.change(within=min(left, LOOK_SECONDS))

    async def list(
        self,
        *,
        owner: str,
        limit: int = 50,
        after: str | None = None,
        status: Sequence[Status] = (),
        model: str | None = None,
        oldest_first: bool = False,
    ) -> Page:
        """An owner's jobs, newest first unless said otherwise; `after` is the cursor that the page before gave.

        Raises `InvalidRequest`.
        """
        if after is not None and not is_job_id(after):
            wrong = Problem(
                code="cursor_invalid", pointer="/after", message="`after` takes the cursor of an earlier page."
            )
            raise InvalidRequest([wrong])
        known = self.catalogue.get(model) if model else None
        states = [state for one in status for state in _STATES[one]]
        return await self._store.list(
            owner=owner,
            limit=max(1, min(limit, JOBS_PER_PAGE_MAX)),
            after=after,
            states=states,
            model=known.id if known else model,
            oldest_first=oldest_first,
        )

    async def cancel(self, job_id: str, *, owner: str) -> Job:
        """Have a job stopped, its render or order too; the job as it stands once it is (or after five seconds).

        Cancelling a cancelled job is no error. Raises `NotFound`, and `Conflict` for a job that has ended otherwise.
        """
        for _ in range(CANCEL_TRIES_MAX):
            job = await self.get(job_id, owner=owner)
            if job.state is State.CANCELLED:
                return job
            if job.state.is_final:
                raise Conflict(f"The job is {job.state.value} already and cannot be cancelled.", code="job_over")
            if job.cancel_requested:
                break
            now = self._clock.now()
            try:
                await self._store.apply(next_version(job, now, cancel_requested=True), due_at=now)
            except Stale:
                continue
            break
        else:
            raise Busy("The job moves on too fast to be cancelled just now. Try again.")
        self._store.notifier.interrupt(job_id)
        return await self.wait(job_id, owner=owner, seconds=CANCEL_SECONDS)

    async def delete(self, job_id: str, *, owner: str) -> None:
        """Forget a job that has ended, and its files unless another job has them. Raises `NotFound`, `Conflict`."""
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
        """A job's events behind `after`, then each as it comes; ends behind the final one. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        with self._store.notifier.watch(job_id) as watch:
            while True:
                for event in await self._store.events(job_id, after=after):
                    after = event.seq
                    yield event
                job = await self._store.get(job_id)
                if job is None or (job.state.is_final and job.version <= after):
                    return
                if job.version <= after:
                    await watch.change(within=LOOK_SECONDS)

    async def history(self, job_id: str, *, owner: str) -> tuple[Event, ...]:
        """A job's events until now. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        return await self._store.events(job_id)

    async def ahead(self, job_id: str | None = None) -> int:
        """How many jobs wait for their order before this one does; how many in all where none is named."""
        return await self._store.count_queued_before(job_id)

    # -- what came of it

    async def output(self, job_id: str, *, owner: str, index: int = 0) -> Output:
        """A finished video. Raises `NotFound`, `NotReady`, and `Gone` where the file is no longer kept."""
        return self._kept(await self.get(job_id, owner=owner), index)

    async def linked_output(self, job_id: str, *, index: int = 0) -> Output:
        """A finished video for whoever holds a link of ours to it: the link's signature stands for the owner."""
        return self._kept(await self.linked(job_id), index)

    async def linked(self, job_id: str) -> Job:
        """A job for whoever holds a link of ours to one of its files. Raises `NotFound`."""
        return await get_job(self._store, job_id)

    def _kept(self, job: Job, index: int) -> Output:
        if not job.state.is_final:
            raise NotReady(f"The video is not ready: the job is {job.state.status.value}.")
        if job.state is not State.COMPLETED:
            why = f" {job.fault.message}" if job.fault else ""
            raise NotReady(f"There is no video: the job is {job.state.value}.{why}", code=f"job_{job.state.value}")
        if not 0 <= index < len(job.outputs):
            raise NotFound(f"The job has {len(job.outputs)} output(s), counted from 0; there is no number {index}.")
        output = job.outputs[index]
        if not self.blobs.has(output.blob.sha256):
            raise Gone
        return output

    # -- its money

    async def bill(self, job_id: str, *, owner: str) -> Entry:
        """How the money of a job stands. Raises `NotFound`, also for a job from before there was a ledger."""
        await self.get(job_id, owner=owner)
        entry = await self._store.ledger.entry(job_id)
        if entry is None:
            raise NotFound("The ledger has no entry of this job.")
        return entry

    async def spent(
        self, by: By, *, owner: str, since: str | None = None, until: str | None = None
    ) -> tuple[Spent, ...]:
        """What an owner's jobs came to; a job counts on the UTC day on which it was accepted, both days counted in."""
        return await self._store.ledger.spent(by, owner=owner, since=since, until=until)

    # -- its webhooks

    async def webhooks(self, job_id: str, *, owner: str) -> tuple[Delivery, ...]:
        """What a job had to tell its `callback_url`, and every try to do so. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        return await self._store.outbox.of_job(job_id)

    async def replay_webhook(self, job_id: str, delivery_id: str, *, owner: str) -> Delivery:
        """Have a webhook sent again, under the same event id. Raises `NotFound`."""
        await self.get(job_id, owner=owner)
        await self._store.outbox.replay(job_id, delivery_id, now=self._clock.now())
        self._store.notifier.delivery_available.set()
        for delivery in await self._store.outbox.of_job(job_id):
            if delivery.id == delivery_id:
                return delivery
        raise job_not_found(job_id)  # deleted meanwhile

    def webhook_secret(self, *, owner: str) -> str:
        """The secret by which an owner verifies webhooks, as `whsec_…`."""
        return self._hooks.secret(owner)
