"""From a request to the job that it would be: judged, its references looked at, its way chosen, its money named."""

from dataclasses import replace
from functools import partial

import uuid_utils

from framegate.api.auth import calling
from framegate.config.settings import Settings
from framegate.domain import Blob, Job, Problem, Request, Verdict
from framegate.domain.clock import Clock
from framegate.domain.errors import BudgetExceeded, InvalidRequest
from framegate.domain.ledger import LedgerChange, ledger_change
from framegate.jobs.check import DryRun
from framegate.jobs.extension import extend_request
from framegate.jobs.lookup import get_owned_job
from framegate.jobs.references import ReferencePreparer, unfit
from framegate.jobs.routing import Route, Router
from framegate.net.fetcher import Fetcher
from framegate.storage.blobs import BlobStore
from framegate.store import Store


class JobBuilder:
    """What a request comes to. Places nothing, orders nothing, reserves nothing."""

    def __init__(
        self, *, settings: Settings, store: Store, router: Router, blobs: BlobStore, net: Fetcher, clock: Clock
    ) -> None:
        self._settings = settings
        self._store = store
        self._router = router
        self._blobs = blobs
        self._clock = clock
        self._preparer = ReferencePreparer(settings, blobs, net, store.asset)
        self._checker = DryRun(router, self._preparer)

    async def check(self, request: Request, *, owner: str) -> Verdict:
        """What the check says of a request, its references and its key's budget looked at too."""
        known: tuple[Problem, ...] = ()
        try:
            request = await self._continued(request, owner)
        except InvalidRequest as error:
            known = error.problems

        async def affords(request: Request, route: Route, verdict: Verdict) -> BudgetExceeded | None:
            owes = self.reservation_for(self._job(request, route, verdict, owner=owner))
            return await self._store.ledger.would_exceed(owes) if owes else None

        return await self._checker.check(request, owner=owner, known=known, affords=affords)

    async def build(self, request: Request, *, owner: str, dialect: str, base_url: str) -> Job:
        """The job that a request would be. Raises `InvalidRequest`, `NotFound` and `ReferenceUnusable`."""
        request = await self._continued(request, owner)
        route, verdict = self._router.first(request)
        kept, taken = await self._preparer.inline(request.references, owner, partial(self.share, owner=owner))
        request = replace(request, references=kept)
        if any(one is not None and one.seconds is not None for one in taken):  # the length of a clip is judged at once
            route, verdict = self._router.first(request, lambda way: unfit(way.request, taken, way.fit.offer))
        return self._job(request, route, verdict, owner=owner, dialect=dialect, base_url=base_url)

    def reservation_for(self, job: Job, *, releases_job_id: str | None = None) -> LedgerChange | None:
        """What a new job reserves; `releases_job_id` is the job whose reservation it takes the place of."""
        return ledger_change(
            None, job, allow_unpriced=self._settings.allow_unpriced_jobs, releases_job_id=releases_job_id
        )

    async def share(self, blob: Blob, *, owner: str) -> str:
        """Let an owner use a file that is kept already; the reference that names it."""
        await self._store.keep_asset(owner, blob, now=self._clock.now())
        return f"asset://{blob.sha256}"

    def _job(
        self, request: Request, route: Route, verdict: Verdict, *, owner: str, dialect: str = "", base_url: str = ""
    ) -> Job:
        now = self._clock.now()
        seconds = self._settings.deadline_seconds(route.model)
        return Job(
            id=str(uuid_utils.uuid7()),
            owner=owner,
            dialect=dialect,
            request=request,
            created_at=now,
            updated_at=now,
            deadline_at=now + seconds,
            key_id=_key_of(owner),
            base_url=base_url,
            warnings=verdict.warnings,
            **route.job_fields(),
        )

    async def _continued(self, request: Request, owner: str) -> Request:
        """The request with the video that its earlier job made as the source, where its model goes on from such."""
        model = self._router.catalogue.get(request.model)
        if request.previous_job_id is None or model is None or not model.limits.previous_job:
            return request
        before = await get_owned_job(self._store, request.previous_job_id, owner)
        kept = bool(before.outputs) and self._blobs.has(before.outputs[0].blob.sha256)
        going_on = extend_request(request, before, model=model.id, kept=kept)
        await self.share(before.outputs[0].blob, owner=owner)
        return going_on


def _key_of(owner: str) -> str | None:
    """The key whose budget a new job is held against."""
    caller = calling()
    return caller.key_id if caller is not None and caller.owner == owner else None
