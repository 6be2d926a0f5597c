"""The one move from each state of a job."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from framegate import quality
from framegate.catalogue.model import ImageLimits
from framegate.clock import Clock
from framegate.errors import GateError, InvalidRequest, NotSent, ProviderError, Refused, Unsure
from framegate.media import references, videos
from framegate.media.blobs import BlobStore
from framegate.media.images import FitLimits
from framegate.net import Net
from framegate.provider import Offers, Provider
from framegate.settings import Settings
from framegate.types import (
    Adjustment,
    Blob,
    Done,
    Failed,
    Fault,
    Job,
    Kind,
    Lost,
    Made,
    Order,
    Output,
    Prepared,
    Problem,
    Role,
    Running,
    State,
    Target,
)

ATTEMPTS_MAX = 4  # orders for one job that certainly came to nothing, but for those that a stop of the gate broke off
BACK_OFF_SECONDS = (1.0, 5.0, 20.0)
PROGRESS_STEP = 0.02  # smaller steps are not worth a write
RENDERED = 0.95  # how far a job is when its file is made; fetching and checking are the rest


@dataclass(frozen=True, slots=True)
class Step:
    """What one move changes; nothing to change is another look later. `wait` is seconds until the next move."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wait: float = 0.0
    order: str | None = None  # how the newest order now stands


@dataclass(frozen=True, slots=True)
class Moves:
    """The moves, with what they need. Each looks at the job that it is given and says what changes; none writes it."""

    settings: Settings
    offers: Offers
    blobs: BlobStore
    net: Net
    clock: Clock
    limits: Callable[[Job], FitLimits]
    asset: Callable[[str, str], Awaitable[Blob | None]]  # (owner, sha256)

    async def step(self, job: Job, *, found: bool) -> Step:
        """The move from the job's state. `found`: the job was in this state when this process took it up."""
        ordered = {State.SUBMITTING: self._submit, State.RUNNING: self._look, State.FETCHING: self._fetch}
        if job.state in ordered:
            return await ordered[job.state](job, found=found)
        move = {State.QUEUED: self._start, State.PREPARING: self._prepare, State.CHECKING: self._check}[job.state]
        return await move(job)

    def fail(self, fault: Fault, state: State = State.FAILED) -> Step:
        """The move to an end without a video."""
        return Step({"state": state, "stage": state.value, "fault": fault, "finished_at": self.clock.now()})

    async def end(self, job: Job, state: State, fault: Fault, *, found: bool) -> Step:
        """End a job before its time: stop its order where the provider can, and say where it cannot."""
        provider = self.offers.get(job.provider)
        if job.state is State.SUBMITTING:
            if not found or (provider is not None and provider.repeatable):
                return Step(self.fail(fault, state).changes, order="not_sent")
            said = f"{fault.message} Its order was on its way when the gate stopped: the provider may charge."
            return Step(self.fail(replace(fault, message=said, unsure=True), state).changes, order="unsure")
        if job.handle is not None and provider is not None:
            try:
                stopped = await provider.cancel(job.handle)
            except GateError:
                stopped = False
            if not stopped and not provider.repeatable:
                fault = Fault(
                    code=fault.code, message=f"{fault.message} The provider could not stop it and may charge."
                )
        return self.fail(fault, state)

    # -- from each state

    async def _start(self, _job: Job) -> Step:
        return Step({"state": State.PREPARING, "stage": "preparing", "started_at": self.clock.now()})

    async def _prepare(self, job: Job) -> Step:
        """Fetch, look at and fit every reference; once they stand ready, begin the order."""
        if len(job.prepared) == len(job.request.references):
            begun = {"state": State.SUBMITTING, "stage": "submitting", "attempts": job.attempts + 1, "handle": None}
            return Step(begun, order="sending")
        limits = self.limits(job)
        prepared: list[Prepared] = []
        adjustments: list[Adjustment] = []

        async def has_asset(sha256: str) -> Blob | None:
            return await self.asset(job.owner, sha256)

        try:
            for index, reference in enumerate(job.request.references):
                taken = await references.take(
                    reference, index=index, net=self.net, blobs=self.blobs, settings=self.settings, has_asset=has_asset
                )
                ready, changed = await references.prepare(taken, reference, index, self.blobs, limits)
                prepared.append(ready)
                adjustments.extend(changed)
            target = await anyio.to_thread.run_sync(_measured, job.target, prepared)
        except InvalidRequest as error:
            return self.fail(Fault(code=error.code, message=error.message, problems=error.problems))
        inputs = {"prepared": tuple(prepared), "adjustments": tuple(adjustments), "target": target}
        return Step({**inputs, "stage": "waiting"})

    async def _submit(self, job: Job, *, found: bool) -> Step:
        provider = self._provider(job)
        if found and not provider.repeatable:
            return self._unsure(Unsure("The gate stopped while the order was on its way."))
        if found:
            stopped = Fault(code="order_lost", message="The gate was stopped while the order was on its way.")
            return self._again(job, stopped, found=True)
        try:
            handle = await provider.submit(self.order(job))
        except NotSent as error:
            return self._again(job, _fault(error), found=False)
        except Refused as error:
            return Step(self.fail(_fault(error)).changes, order="refused")
        except ProviderError as error:  # whatever it is, it is no certain no
            return self._unsure(error)
        changes = {"state": State.RUNNING, "stage": "running", "handle": handle}
        return Step(changes, wait=provider.poll_seconds, order="accepted")

    def _unsure(self, error: ProviderError) -> Step:
        fault = replace(_fault(error), code=Unsure.code, retryable=False, unsure=True)
        return Step(self.fail(fault).changes, order="unsure")

    def _again(self, job: Job, fault: Fault, *, found: bool) -> Step:
        """Order once more: the last order certainly came to nothing.

        `found`: it was a stop of the gate that broke it off. The order has no part in that, so it is made again at
        once, however often; the job's deadline is the bound. Otherwise only while there is a try left.
        """
        if found:
            return Step({"state": State.PREPARING, "stage": "preparing", "handle": None}, order="not_sent")
        setbacks = job.setbacks + 1
        if setbacks >= ATTEMPTS_MAX:
            return Step({**self.fail(fault).changes, "setbacks": setbacks}, order="not_sent")
        back = {"state": State.PREPARING, "stage": "waiting to try again", "handle": None, "setbacks": setbacks}
        return Step(back, wait=BACK_OFF_SECONDS[min(setbacks, len(BACK_OFF_SECONDS)) - 1], order="not_sent")

    async def _look(self, job: Job, *, found: bool) -> Step:
        provider = self._provider(job)
        try:
            update = await provider.poll(job.handle or {})
        except GateError:
            return Step(wait=provider.poll_seconds)  # a look that failed is not a job that failed
        match update:
            case Running():
                return self._progress(job, update, provider)
            case Done():
                made = {
                    "made": update.outputs,
                    "cost_micro_usd": update.cost_micro_usd,
                    "warnings": _noted(job, update),
                }
                return Step({**made, "state": State.FETCHING, "stage": "fetching", "progress": RENDERED})
            case Failed():
                return self.fail(update.fault)
            case Lost() if provider.repeatable:
                lost = Fault(code="order_lost", message="The renderer broke off again and again.")
                return self._again(job, lost, found=found)
            case Lost():
                return self.fail(Fault(code="order_lost", message="The provider no longer knows this order."))

    def _progress(self, job: Job, update: Running, provider: Provider) -> Step:
        progress = job.progress if update.progress is None else round(update.progress * RENDERED, 4)
        stage = update.stage or job.stage
        if stage == job.stage and (progress or 0) - (job.progress or 0) < PROGRESS_STEP:
            return Step(wait=provider.poll_seconds)
        return Step({"progress": progress, "stage": stage}, wait=provider.poll_seconds)

    async def _fetch(self, job: Job, *, found: bool) -> Step:
        """Bring every output into our own store."""
        provider = self._provider(job)
        kept: list[Made] = []
        for made in job.made:
            if made.blob is not None:
                kept.append(made)
            elif made.path is not None:
                if not await anyio.Path(made.path).is_file() and provider.repeatable:
                    fault = Fault(code="output_lost", message="The rendered file was lost again and again.")
                    return self._again(job, fault, found=found)
                kept.append(Made(blob=await self._keep(Path(made.path), made.media_type)))
            else:
                raise NotSent("This provider's outputs cannot be fetched yet.")
        return Step({"state": State.CHECKING, "stage": "checking", "made": tuple(kept)})

    async def _keep(self, path: Path, media_type: str) -> Blob:
        """Move a finished file into our own store, its index first so that playing starts at once."""
        into = await anyio.to_thread.run_sync(self.blobs.scratch)
        try:
            if await anyio.to_thread.run_sync(_indexed_first, path, into):
                blob = await self.blobs.add_file(into, media_type, move=True)
                await anyio.Path(path).unlink(missing_ok=True)
                return blob
            return await self.blobs.add_file(path, media_type, move=True)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.Path(into).unlink(missing_ok=True)

    async def _check(self, job: Job) -> Step:
        """Decode every file to its end, measure it, and take the poster and the contact sheet from it."""
        outputs: list[Output] = []
        report: Mapping[str, Any] | None = None
        for index, made in enumerate(job.made):
            if made.blob is None:
                return self.fail(Fault(code="output_lost", message="The file was not kept."))
            verified = await anyio.to_thread.run_sync(self._verify, job, made.blob, abandon_on_cancel=True)
            if not verified.report.playable:
                why = next((f.sentence for f in verified.report.findings if f.verdict == "fail"), "It does not decode.")
                unplayable = self.fail(Fault(code="output_unplayable", message=f"The file cannot be played. {why}"))
                return Step({**unplayable.changes, "report": report or verified.report.as_json()})
            outputs.append(await self._output(index, made.blob, verified))
            report = report or _report(verified, outputs[-1])
        return Step(
            {
                "state": State.COMPLETED,
                "stage": "completed",
                "progress": 1.0,
                "outputs": tuple(outputs),
                "report": report,
                "finished_at": self.clock.now(),
            }
        )

    def _verify(self, job: Job, blob: Blob) -> quality.Verified:
        pictures = [
            quality.ReferencePicture(path=Path(one.path), role=reference.role, index=index, name=reference.name)
            for index, one in enumerate(job.prepared)
            if (reference := one.reference).kind is Kind.IMAGE
        ]
        path = self.blobs.path(blob.sha256)
        return quality.verify(path, job.target, references=pictures, prompt=job.request.prompt)

    async def _output(self, index: int, blob: Blob, verified: quality.Verified) -> Output:
        pictures = [
            None if jpeg is None else await self.blobs.add_bytes(jpeg, "image/jpeg")
            for jpeg in (verified.poster_jpeg, verified.contact_sheet_jpeg)
        ]
        return Output(
            index=index,
            blob=blob,
            width=verified.width,
            height=verified.height,
            fps=verified.fps,
            frames=verified.frames,
            duration=verified.duration,
            audio=verified.audio,
            poster=pictures[0],
            contact_sheet=pictures[1],
            matches=tuple([await self.blobs.add_bytes(match.jpeg, "image/jpeg") for match in verified.matches]),
        )

    # -- inside

    def order(self, job: Job) -> Order:
        """The order for a job; its key is the same however often it is tried."""
        return Order(
            job_id=job.id,
            key=order_key(job),
            request=job.request,
            model=job.model,
            target=job.target,
            references=job.prepared,
        )

    def _provider(self, job: Job) -> Provider:
        provider = self.offers.get(job.provider)
        if provider is None:
            raise ProviderError(
                f"The provider `{job.provider}` that took this job is not configured any more.", code="provider_missing"
            )
        return provider


def _measured(target: Target, prepared: Sequence[Prepared]) -> Target:
    """The target with the length of the source that it goes on from, if it goes on from one."""
    source = next((one for one in prepared if one.reference.role is Role.SOURCE), None)
    if target.source_seconds is None or source is None:
        return target
    return replace(target, source_seconds=videos.probe(Path(source.path)).duration or 0.0)


def _noted(job: Job, done: Done) -> tuple[Problem, ...]:
    """The job's warnings with the provider's notes, each once: an order may be made twice, a note be foreseen."""
    said = {warning.message for warning in job.warnings}
    new = [note for note in dict.fromkeys(done.notes) if not said & {note, f"prompt: {note}."}]
    return (*job.warnings, *(Problem(code="render_note", pointer="", message=note) for note in new))


def _indexed_first(path: Path, into: Path) -> bool:
    """Write a copy with its index first where the file has it last; one that cannot be read is left for the report."""
    try:
        if videos.probe(path).container != "mp4" or videos.boxes(path).moov_first:
            return False
        videos.remux_faststart(path, into)
    except videos.Unreadable:
        return False
    return True


def _report(verified: quality.Verified, output: Output) -> dict[str, Any]:
    """The report as it is kept, with where the pictures of the best matches lie."""
    matches = zip(verified.matches, output.matches, strict=True)
    listed = [{**match.as_json(), "sha256": blob.sha256} for match, blob in matches]
    return {**verified.report.as_json(), "matches": listed}


def fit_limits(images: ImageLimits) -> FitLimits:
    """What a picture is made to fit, of what a model says of its pictures."""
    return FitLimits(
        min_side=images.min_side_px,
        max_side=images.max_side_px,
        max_bytes=images.max_bytes,
        min_ratio=images.min_ratio,
        max_ratio=images.max_ratio,
        formats=images.formats or (),
    )


def order_key(job: Job) -> str:
    """The idempotency key of a job's order."""
    return hashlib.sha256(f"framegate order {job.id}".encode()).hexdigest()[:32]


def _fault(error: GateError) -> Fault:
    return Fault(code=error.code, message=error.message, retryable=error.retryable, unsure=error.unsure)
