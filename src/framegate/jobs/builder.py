"""Build a Job from a Request: validate, inspect references, choose a route, estimate the cost.

Two requests become jobs with a history: one that continues an earlier video, and one that retries an unsure order.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from framegate.config.settings import Settings
from framegate.domain import Blob, Caller, Job, Kind, Problem, Reference, Request, Role, State, Verdict
from framegate.domain.errors import (
    BudgetExceeded,
    Conflict,
    Gone,
    InvalidRequest,
    NotFound,
    NotReady,
    PrivateFile,
)
from framegate.domain.ledger import LedgerChange, ledger_change
from framegate.domain.machine import Machine
from framegate.jobs.check import DryRun
from framegate.jobs.lookup import get_owned_job, is_retained
from framegate.jobs.references import ReferencePreparer, reference_problems
from framegate.jobs.routing import Route, Router
from framegate.media.decoder import Decoder
from framegate.net.fetcher import Fetcher
from framegate.storage.blobs import BlobStore
from framegate.store import Store

OwnFile = Callable[[str, str], Awaitable[Blob | None]]  # by URL and tenant; None for a URL of another server
RETRY_OF, RERUN_OF = "retry_of", "rerun_of"  # keys in a job's metadata


async def _no_own_file(_url: str, _owner: str) -> None:
    return None


class JobBuilder:
    """Builds jobs. Stores nothing but assets, submits nothing, reserves nothing."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        router: Router,
        blobs: BlobStore,
        net: Fetcher,
        decoder: Decoder,
        machine: Machine,
    ) -> None:
        self._settings = settings
        self._store = store
        self._router = router
        self._blobs = blobs
        self._machine = machine
        self._preparer = ReferencePreparer(settings, blobs, net, decoder, store.asset)
        self._dry_run = DryRun(router, self._preparer)
        self.own_file: OwnFile = _no_own_file

    async def check(self, request: Request, *, caller: Caller) -> Verdict:
        """Return the verdict on a request, including its references and the budget of the caller's key."""
        known: tuple[Problem, ...] = ()
        try:
            request = await self._with_own_files(request, caller.owner)
            request = await self._extended(request, caller.owner)
        except InvalidRequest as error:
            known = error.problems

        async def affords(request: Request, route: Route, verdict: Verdict) -> BudgetExceeded | None:
            reservation = self.reservation_for(self._job(request, route, verdict, caller=caller))
            return await self._store.ledger.would_exceed(reservation) if reservation else None

        return await self._dry_run.check(request, owner=caller.owner, known=known, affords=affords)

    async def build(self, request: Request, *, caller: Caller, dialect: str, base_url: str) -> Job:
        """Return the job for a request. Raises `InvalidRequest`, `NotFound` and `ReferenceUnusable`."""
        request = await self._with_own_files(request, caller.owner)
        request = await self._extended(request, caller.owner)
        candidates = self._router.candidates(request)
        route, verdict = candidates.require()
        share = partial(self.share, owner=caller.owner)
        references, ingested = await self._preparer.inline(request.references, caller.owner, share)
        request = replace(request, references=references)
        if any(reference is not None and reference.seconds is not None for reference in ingested):
            route, verdict = candidates.require(
                lambda route: reference_problems(route.request, ingested, route.fit.offer)
            )
        return self._job(request, route, verdict, caller=caller, dialect=dialect, base_url=base_url)

    def reservation_for(self, job: Job, *, releases_job_id: str | None = None) -> LedgerChange | None:
        """Return what a new job reserves; `releases_job_id` names the job whose reservation it replaces."""
        allow_unpriced = self._settings.allow_unpriced_jobs
        return ledger_change(None, job, allow_unpriced=allow_unpriced, releases_job_id=releases_job_id)

    async def share(self, blob: Blob, *, owner: str) -> str:
        """Record a stored blob as an asset of a tenant; return its `asset://` URL."""
        await self._store.keep_asset(owner, blob, now=self._machine.now())
        return f"asset://{blob.sha256}"

    def _job(
        self, request: Request, route: Route, verdict: Verdict, *, caller: Caller, dialect: str = "", base_url: str = ""
    ) -> Job:
        now = self._machine.now()
        return Job(
            id=self._machine.uuid7(),
            owner=caller.owner,
            dialect=dialect,
            request=request,
            created_at=now,
            updated_at=now,
            deadline_at=now + self._settings.deadline_seconds(route.model),
            key_id=caller.key_id,
            via=caller.via,
            base_url=base_url,
            warnings=verdict.warnings,
            **route.job_fields(),
        )

    async def _with_own_files(self, request: Request, owner: str) -> Request:
        """Return the request with the files of this gateway as assets of the tenant. Raises `InvalidRequest`."""
        references: list[Reference] = []
        problems: list[Problem] = []
        for index, reference in enumerate(request.references):
            try:
                blob = await self.own_file(reference.url, owner)
            except (NotFound, NotReady, Gone, PrivateFile) as error:
                code = "reference_forbidden" if isinstance(error, PrivateFile) else "reference_not_found"
                pointer = reference.pointer or f"/references/{index}"
                message = f"A reference at this gateway: {error.message}"
                problems.append(Problem(code=code, pointer=pointer, message=message))
                continue
            url = reference.url if blob is None else await self.share(blob, owner=owner)
            references.append(replace(reference, url=url))
        if problems:
            raise InvalidRequest(problems)
        return replace(request, references=tuple(references))

    async def _extended(self, request: Request, owner: str) -> Request:
        """Return the request with the video of `previous_job_id` as its source, if its model can extend a video."""
        model = self._router.catalogue.get(request.model)
        if request.previous_job_id is None or model is None or not model.limits.previous_job:
            return request
        previous = await get_owned_job(self._store, request.previous_job_id, owner)
        is_kept = bool(previous.outputs) and is_retained(previous, self._machine.now())
        is_stored = is_kept and self._blobs.has(previous.outputs[0].blob.sha256)
        extended = extend_request(request, previous, model=model.id, is_stored=is_stored)
        await self.share(previous.outputs[0].blob, owner=owner)
        return extended


def extend_request(request: Request, previous: Job, *, model: str, is_stored: bool) -> Request:
    """Return the request with the first video of `previous` as its source; `is_stored` says whether that file is kept.

    For the same model, size and frame rate follow the previous video where the request names none. Raises
    `InvalidRequest` if there is no such video.
    """
    if previous.state is not State.COMPLETED:
        hint = "Choose a completed job." if previous.state.is_final else "Wait until it is completed, then retry."
        message = f"the job is {previous.state.status.value}. {hint}"
        raise _not_extendable("previous_job_not_completed", message)
    if not is_stored:
        message = "the job's file is no longer stored. Send the video as a reference instead."
        raise _not_extendable("previous_job_gone", message)
    url = f"asset://{previous.outputs[0].blob.sha256}"
    source = Reference(url=url, kind=Kind.VIDEO, role=Role.SOURCE, pointer="/previous_job_id")
    extended = replace(request, references=(*request.references, source))
    if previous.model != model:
        return extended
    target = previous.target
    if not (request.size or request.resolution or request.aspect_ratio):
        extended = replace(extended, resolution=target.resolution, aspect_ratio=target.aspect_ratio)
    return replace(extended, fps=request.fps or target.fps)


def retry_request(job: Job) -> Request:
    """Return the request of the job that replaces an unsure one; its metadata names that one. Raises `Conflict`."""
    if not job.state.is_final:
        message = f"The job is {job.state.status.value}. Only a job that has ended can be retried."
        raise Conflict(message, code="job_not_over")
    if job.fault is None or not job.fault.unsure:
        raise Conflict(
            f"The job is {job.state.value} and the outcome of its order is known. Only a job whose order outcome is "
            "unknown can be retried; to make this video again, create a new job.",
            code="retry_not_unsure",
        )
    return _same_request(job, RETRY_OF)


def rerun_request(job: Job) -> Request:
    """Return the request that makes the video of a job again; its metadata names that job. Raises `Conflict`."""
    if not job.state.is_final:
        message = f"The job is {job.state.status.value}. Only a job that has ended can be run again."
        raise Conflict(message, code="job_not_over")
    if job.fault is not None and job.fault.unsure:
        message = (
            "The outcome of this job's order is unknown: the video may have been made and charged. Resubmit the job "
            "instead, which asks about that."
        )
        raise Conflict(message, code="rerun_unsure")
    return _same_request(job, RERUN_OF)


def _same_request(job: Job, name: str) -> Request:
    request = job.request
    if request.previous_job_id is not None:  # the video that it continues is among its references already
        request = replace(request, previous_job_id=None)
    former = {key: value for key, value in request.metadata.items() if key not in (RETRY_OF, RERUN_OF)}
    return replace(request, metadata={**former, name: job.id})


def retry_key(job: Job) -> str:
    """Return the idempotency key of a job's only retry. No client can send it: it is not ASCII."""
    return f"retry \N{RIGHTWARDS ARROW} {job.id}"


def _not_extendable(code: str, reason: str) -> InvalidRequest:
    return InvalidRequest([Problem(code=code, pointer="/previous_job_id", message=f"previous_job_id: {reason}")])
