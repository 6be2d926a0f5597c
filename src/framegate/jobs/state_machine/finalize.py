"""From a finished order to a finished job: the files come in, are put right, looked at and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from framegate.config.settings import Settings
from framegate.domain import Blob, Fault, Job, Kind, Output, ProviderFile, State
from framegate.domain.errors import FramegateError, MovedOrigin, ReferenceUnusable, Refused
from framegate.domain.machine import Machine
from framegate.jobs.executor import Executor
from framegate.jobs.state_machine.transition import Transition, failed
from framegate.media import quality, videos
from framegate.net import resume
from framegate.net.fetcher import Fetcher
from framegate.providers.base import Provider
from framegate.storage.blobs import BlobStore

DOWNLOADS_MAX = 40  # tries that bring nothing, over half an hour: what was paid for is not given up lightly
PERMANENT_ATTEMPTS_MAX = 8  # the same where the answer was a plain no, which may still be too early
WAIT_SECONDS_MAX = 60.0
PART_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Finalizer:
    """The moves from `fetching` and from `checking`."""

    settings: Settings
    blobs: BlobStore
    net: Fetcher
    machine: Machine
    executor: Executor

    async def has(self, made: Sequence[ProviderFile]) -> bool:
        """Whether every file that should lie on this machine does."""
        return await self.machine.run_in_thread(_all_present, made)

    async def download(self, job: Job, provider: Provider) -> Transition:
        """Bring every output into our own store. What had come when a try broke off is gone on from at the next."""
        kept: list[ProviderFile] = []
        for index, made in enumerate(job.provider_files):
            into = await self.machine.run_in_thread(self.blobs.partial, f"{job.id}-{index}")
            before = _size(into)
            try:
                kept.append(made if made.blob is not None else await self._bring(made, into, provider))
            except FramegateError as error:
                step = self._fetch_again(job, made, into, error, came=_size(into) - before)
                return replace(step, changes={**step.changes, "provider_files": (*kept, *job.provider_files[index:])})
        return Transition({"state": State.CHECKING, "stage": "checking", "provider_files": tuple(kept)})

    async def _bring(self, made: ProviderFile, into: Path, provider: Provider) -> ProviderFile:
        if made.path is not None:
            return ProviderFile(blob=await self._keep(Path(made.path), made.media_type))
        url = made.url or ""
        if made.behind_key:
            try:
                await provider.download(made, into, bytes_max=self.settings.video_bytes_max)
                url = None
            except MovedOrigin as moved:
                url = moved.url
        if url is not None:
            await self._fetch(url, into)
        blob = await self._keep(into, made.media_type)
        await self.machine.run_in_thread(resume.discard, into)
        return ProviderFile(blob=blob)

    async def _fetch(self, url: str, into: Path) -> None:
        """A file that lies at a stranger's, who is given no key."""
        await self.net.fetch(
            url,
            into,
            bytes_max=self.settings.video_bytes_max,
            seconds_max=self.settings.download_timeout_seconds,
            accept="video/*,*/*",
            resume=True,
        )

    def _fetch_again(self, job: Job, made: ProviderFile, into: Path, error: FramegateError, *, came: int) -> Transition:
        """A download that broke off is tried again. One that brought a good part more is no failed try."""
        if came >= PART_BYTES:
            return Transition(wait=1.0)
        hopeless = isinstance(error, Refused) or (isinstance(error, ReferenceUnusable) and not error.retryable)
        if step := self.again(job, PERMANENT_ATTEMPTS_MAX if hopeless else DOWNLOADS_MAX):
            return step
        resume.discard(into)
        said = f"The provider made the video, but it could not be fetched: {error.message}"
        return self._fail(Fault(code="output_not_fetched", message=f"{said} It may still lie at {_host(made)}."))

    def again(self, job: Job, most: int) -> Transition | None:
        """Another try to fetch a job's files, some time later; None once there were so many."""
        times = job.failed_downloads + 1
        return Transition({"failed_downloads": times}, wait=min(2.0**times, WAIT_SECONDS_MAX)) if times < most else None

    async def _keep(self, path: Path, media_type: str) -> Blob:
        """Move a finished file into our own store, its index first so that playing starts at once."""
        into = await self.machine.run_in_thread(self.blobs.scratch)
        try:
            if await self.machine.run_in_thread(_indexed_first, path, into):
                blob = await self.blobs.add_file(into, media_type, move=True)
                await self.machine.run_in_thread(_unlink, path)
                return blob
            return await self.blobs.add_file(path, media_type, move=True)
        finally:
            with anyio.CancelScope(shield=True):
                await self.machine.run_in_thread(_unlink, into)

    async def verify(self, job: Job, *, judged: bool = True) -> Transition:
        """Decode every file to its end, measure it, and take the poster and the contact sheet from it.

        With `judged` False, where that went wrong, only what each file says of itself; raises `Unreadable`.
        """
        outputs: list[Output] = []
        report: Mapping[str, Any] | None = None
        verify = self._verify if judged else self._described
        for index, made in enumerate(job.provider_files):
            if made.blob is None:
                return self._fail(Fault(code="output_lost", message="The file was not kept."))
            verified = await self.executor.run(verify, job, made.blob)
            if not verified.report.playable:
                why = next((f.sentence for f in verified.report.findings if f.verdict == "fail"), "It does not decode.")
                unplayable = self._fail(Fault(code="output_unplayable", message=f"The file cannot be played. {why}"))
                return Transition({**unplayable.changes, "report": report or verified.report.as_json()})
            outputs.append(await self._output(index, made.blob, verified))
            report = report or _report(verified, outputs[-1])
        return Transition(
            {
                "state": State.COMPLETED,
                "stage": "completed",
                "progress": 1.0,
                "outputs": tuple(outputs),
                "report": report,
                "finished_at": self.machine.now(),
            }
        )

    def _verify(self, job: Job, blob: Blob) -> quality.Verification:
        pictures = [
            quality.ReferenceImage(path=Path(one.path), role=reference.role, index=index, name=reference.name)
            for index, one in enumerate(job.prepared)
            if (reference := one.reference).kind is Kind.IMAGE
        ]
        path = self.blobs.path(blob.sha256)
        return quality.verify_file(path, job.target, references=pictures, prompt=job.request.prompt)

    def _described(self, _: Job, blob: Blob) -> quality.Verification:
        return quality.describe_unverified(self.blobs.path(blob.sha256))

    async def _output(self, index: int, blob: Blob, verified: quality.Verification) -> Output:
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
            audio=verified.has_audio,
            poster=pictures[0],
            contact_sheet=pictures[1],
            matches=tuple([await self.blobs.add_bytes(match.jpeg, "image/jpeg") for match in verified.matches]),
        )

    def _fail(self, fault: Fault) -> Transition:
        return failed(fault, at=self.machine.now())


def _all_present(files: Sequence[ProviderFile]) -> bool:
    return all(file.path is None or Path(file.path).is_file() for file in files)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _host(made: ProviderFile) -> str:
    return (made.url or "").partition("?")[0][:200]


def _indexed_first(path: Path, into: Path) -> bool:
    """Write a copy with its index first where the file has it last; one that cannot be read is left for the report."""
    try:
        if videos.probe(path).container != "mp4" or videos.read_boxes(path).moov_first:
            return False
        videos.remux_faststart(path, into)
    except videos.Unreadable:
        return False
    return True


def _report(verified: quality.Verification, output: Output) -> dict[str, Any]:
    """The report as it is kept, with where the pictures of the best matches lie."""
    matches = zip(verified.matches, output.matches, strict=True)
    listed = [{**match.as_json(), "sha256": blob.sha256} for match, blob in matches]
    return {**verified.report.as_json(), "matches": listed}
