"""Download, remux, verify and store the files of a completed order."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio

from framegate.config.settings import Settings
from framegate.domain import Blob, Fault, Job, Kind, Output, Problem, ProviderFile, State
from framegate.domain.errors import FramegateError, MovedOrigin, ReferenceUnusable, Refused
from framegate.domain.machine import Machine
from framegate.jobs.concurrency import ConcurrencyLimiter
from framegate.jobs.executor import Executor
from framegate.jobs.state_machine.transition import Transition, failed
from framegate.media import calls, quality
from framegate.media.decoder import CHECK, Budget, DecoderFault, DecoderUnavailable, FileLimitExceeded
from framegate.media.file_info import PlayableFile
from framegate.media.sniff import HEAD_BYTES, media_type_of
from framegate.net import resume
from framegate.net.fetcher import Fetcher
from framegate.providers.base import Provider
from framegate.storage.blobs import BlobStore

_log = logging.getLogger(__name__)

DOWNLOAD_ATTEMPTS_MAX = 40  # without progress, over half an hour: the video is paid for
PERMANENT_ATTEMPTS_MAX = 8  # the same after a permanent error, since the file may only appear later
WAIT_SECONDS_MAX = 60.0
CHECK_RETRY_SECONDS = 10.0  # after a check that could not run here
CHECK_SECONDS_MIN, CHECK_SECONDS_MAX = 20.0, 600.0  # of CPU time
CHECK_MEGAPIXELS_PER_SECOND = 5.0  # of ordered frames; a slow core checks about 30
PROGRESS_BYTES_MIN = 2**20  # an attempt that adds so much to a file does not count as failed
ACCOUNT_DOWNLOADS_MAX = 32  # at once
TOO_LARGE_ATTEMPTS_MAX = 2
TOO_LARGE_CODES = ("file_too_large", "reference_too_large")
SMALL_FILE_BYTES_MAX = 2**20  # an unplayable file up to this size is probably a page in place of the video
LARGE_UNPLAYABLE_ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Finalizer:
    """The transitions from `fetching` and from `checking`."""

    settings: Settings
    blobs: BlobStore
    net: Fetcher
    machine: Machine
    executor: Executor
    downloads: ConcurrencyLimiter = field(default_factory=ConcurrencyLimiter)

    async def has_local_files(self, files: Sequence[ProviderFile]) -> bool:
        """Whether every file that a local renderer wrote still exists."""
        return await self.machine.run_in_thread(self._all_present, files)

    async def are_stored(self, files: Sequence[ProviderFile]) -> bool:
        """Whether this gateway stores every file; another one may have downloaded them to a folder of its own."""
        return all([await self._is_stored(file) for file in files])

    async def _is_stored(self, file: ProviderFile) -> bool:
        return file.blob is not None and await self.machine.run_in_thread(self.blobs.has, file.blob.sha256)

    def _all_present(self, files: Sequence[ProviderFile]) -> bool:
        stored = {file.blob.sha256 for file in files if file.blob is not None and self.blobs.has(file.blob.sha256)}
        rest = [file.path for file in files if file.blob is None or file.blob.sha256 not in stored]
        return all(path is None or Path(path).is_file() for path in rest)

    async def download(self, job: Job, provider: Provider) -> Transition:
        """Store every output. An interrupted download is resumed by the next attempt.

        Only so many jobs of an account are downloaded at once, those whose download has failed before after the others.
        """
        account = f"{provider.name}/{provider.account}"
        has_failed = job.failed_downloads > 0
        await self.downloads.acquire(job.id, account, ACCOUNT_DOWNLOADS_MAX, low_priority=has_failed)
        try:
            return await self._download(job, provider)
        finally:
            self.downloads.release(job.id)

    async def _download(self, job: Job, provider: Provider) -> Transition:
        stored: list[ProviderFile] = []
        for index, file in enumerate(job.provider_files):
            path = await self.machine.run_in_thread(self.blobs.partial, f"{job.id}-{index}")
            before = _size(path)
            try:
                stored.append(file if await self._is_stored(file) else await self._store_file(file, path, provider))
            except FramegateError as error:
                retry = self._after_failure(job, file, path, error, received_bytes=_size(path) - before)
                return replace(
                    retry, changes={**retry.changes, "provider_files": (*stored, *job.provider_files[index:])}
                )
        return Transition({"state": State.CHECKING, "stage": "checking", "provider_files": tuple(stored)})

    async def _store_file(self, file: ProviderFile, path: Path, provider: Provider) -> ProviderFile:
        if file.path is not None:
            return replace(file, blob=await self._store_video(Path(file.path)))
        url = file.url or ""
        if file.behind_key:
            try:
                await provider.download(file, path, bytes_max=self.settings.video_bytes_max)
                url = None
            except MovedOrigin as moved:
                url = moved.url
        if url is not None:
            await self._fetch(url, path)
        blob = await self._store_video(path)
        await self.machine.run_in_thread(resume.discard, path)
        return replace(file, blob=blob)  # with its address, from which it can be fetched again

    async def _fetch(self, url: str, path: Path) -> None:
        """Download a file from another origin, which gets no key."""
        await self.net.fetch(
            url,
            path,
            bytes_max=self.settings.video_bytes_max,
            seconds_max=self.settings.download_timeout_seconds,
            accept="video/*,*/*",
            resume=True,
        )

    def _after_failure(
        self, job: Job, file: ProviderFile, path: Path, error: FramegateError, *, received_bytes: int
    ) -> Transition:
        """Retry a failed download, or fail the job. An attempt that received a good part does not count."""
        attempts_max = _attempts_max(error)
        if received_bytes >= PROGRESS_BYTES_MIN and attempts_max == DOWNLOAD_ATTEMPTS_MAX:
            return Transition(wait=1.0)
        if attempts_max == TOO_LARGE_ATTEMPTS_MAX:
            resume.discard(path)
        if retry := self.retry_download(job, attempts_max):
            return retry
        resume.discard(path)
        message = f"The provider made the video, but the download failed: {error.message}"
        message = f"{message} The file may still be available at {_url_without_query(file)}."
        return self._fail(Fault(code="output_not_fetched", message=message))

    def retry_download(self, job: Job, attempts_max: int) -> Transition | None:
        """Return the transition to another download after a back-off; None after `attempts_max` attempts."""
        attempts = job.failed_downloads + 1
        if attempts >= attempts_max:
            return None
        return Transition({"failed_downloads": attempts}, wait=min(2.0**attempts, WAIT_SECONDS_MAX))

    async def _store_video(self, path: Path) -> Blob:
        """Move a finished file into the blob storage, as MP4 with its index first where that needs no encoding."""
        remuxed = await self.machine.run_in_thread(self.blobs.scratch)
        try:
            playable = await self._make_playable(path, remuxed)
            if playable.is_remuxed:
                blob = await self.blobs.add_file(remuxed, playable.media_type, move=True)
                await self.machine.run_in_thread(_unlink, path)
                return blob
            return await self.blobs.add_file(path, playable.media_type, move=True)
        finally:
            with anyio.CancelScope(shield=True):
                await self.machine.run_in_thread(_unlink, remuxed)

    async def _make_playable(self, path: Path, remuxed: Path) -> PlayableFile:
        """Remux a file if that is useful; one that cannot be read is left to the quality report."""
        try:
            return await self.executor.run(calls.make_playable, path, remuxed, budget=CHECK)
        except (FileLimitExceeded, DecoderFault, DecoderUnavailable) as error:
            _log.warning("A finished file is stored as it is: %s", error)
            head = await self.machine.run_in_thread(_head, path)
            return PlayableFile(media_type=media_type_of(head) or "application/octet-stream", is_remuxed=False)

    async def verify(self, job: Job, *, metadata_only: bool = False) -> Transition:
        """Decode every file to its end, measure it, and take its poster and contact sheet.

        A file that exceeds a limit of the decoder is delivered with a report that says so; a check that cannot run here
        is repeated until the job's deadline. With `metadata_only`, after an error in that, only read the file's own
        metadata; raises `Unreadable`.
        """
        outputs: list[Output] = []
        report: Mapping[str, Any] | None = None
        for index, file in enumerate(job.provider_files):
            if file.blob is None:
                return self._fail(Fault(code="output_lost", message="The downloaded file is no longer stored."))
            try:
                verified = await (self._describe_file if metadata_only else self._verify_file)(job, file.blob)
            except DecoderUnavailable as error:
                if self.machine.now() < job.deadline_at - CHECK_RETRY_SECONDS:
                    return Transition(wait=CHECK_RETRY_SECONDS)
                verified = quality.unverified(error.message)
            if not verified.report.playable:
                return self._refetch(job, index) or self._unplayable(file, verified, report)
            outputs.append(await self._output(index, file.blob, verified))
            report = report or _report(verified, outputs[-1])
        return Transition(
            {
                "state": State.COMPLETED,
                "stage": "completed",
                "progress": 1.0,
                "outputs": tuple(outputs),
                "report": report,
                "warnings": (*job.warnings, *_fault_warnings(job, report)),
                "finished_at": self.machine.now(),
            }
        )

    async def _verify_file(self, job: Job, blob: Blob) -> quality.Verification:
        images = [
            quality.ReferenceImage(path=path, role=reference.role, index=index, name=reference.name)
            for index, prepared in enumerate(job.prepared)
            if (reference := prepared.reference).kind is Kind.IMAGE
            and (path := self.blobs.path(prepared.blob.sha256)).is_file()
        ]
        path, budget = self.blobs.path(blob.sha256), _check_budget(job)
        try:
            return await self.executor.run(
                calls.verify_output, path, job.target, images, job.request.prompt, None, budget=budget
            )
        except FileLimitExceeded as error:
            return quality.unverified(error.message)

    async def _describe_file(self, job: Job, blob: Blob) -> quality.Verification:
        path = self.blobs.path(blob.sha256)
        try:
            return await self.executor.run(calls.describe_unverified, path, budget=_check_budget(job))
        except (FileLimitExceeded, DecoderFault):
            return quality.unverified("the file makes the decoder fail.")

    async def _output(self, index: int, blob: Blob, verified: quality.Verification) -> Output:
        poster, contact_sheet = [
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
            poster=poster,
            contact_sheet=contact_sheet,
            matches=tuple([await self.blobs.add_bytes(match.jpeg, "image/jpeg") for match in verified.matches]),
        )

    def refetch(self, job: Job) -> Transition | None:
        """Return the transition to another download of every file; None if that has been tried often enough."""
        return self._refetch(job, *range(len(job.provider_files)))

    def _refetch(self, job: Job, *indexes: int) -> Transition | None:
        """Download files again that cannot be played: the provider may have sent a page, or a part of the video."""
        files = [job.provider_files[index] for index in indexes]
        if not all(file.url for file in files):
            return None
        is_small = all(file.blob is not None and file.blob.size_bytes <= SMALL_FILE_BYTES_MAX for file in files)
        retry = self.retry_download(job, PERMANENT_ATTEMPTS_MAX if is_small else LARGE_UNPLAYABLE_ATTEMPTS_MAX)
        if retry is None:
            return None
        renewed = tuple(
            replace(file, blob=None) if index in indexes else file for index, file in enumerate(job.provider_files)
        )
        return replace(retry, changes={**retry.changes, "stage": "fetching", "provider_files": renewed})

    def _unplayable(
        self, file: ProviderFile, verified: quality.Verification, report: Mapping[str, Any] | None
    ) -> Transition:
        failures = (finding.sentence for finding in verified.report.findings if finding.verdict == "fail")
        message = f"The file cannot be played. {next(failures, 'It cannot be decoded.')}"
        if file.url:
            message = f"{message} It may still be available at {_url_without_query(file)}."
        ending = self._fail(Fault(code="output_unplayable", message=message))
        return replace(ending, changes={**ending.changes, "report": report or verified.report.as_json()})

    def _fail(self, fault: Fault) -> Transition:
        return failed(fault, at=self.machine.now())


def _attempts_max(error: FramegateError) -> int:
    """Return how often a download that fails with this error is attempted."""
    if error.code in TOO_LARGE_CODES:
        return TOO_LARGE_ATTEMPTS_MAX
    is_permanent = isinstance(error, Refused) or (isinstance(error, ReferenceUnusable) and not error.retryable)
    return PERMANENT_ATTEMPTS_MAX if is_permanent else DOWNLOAD_ATTEMPTS_MAX


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _url_without_query(file: ProviderFile) -> str:
    return (file.url or "").partition("?")[0][:200]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _check_budget(job: Job) -> Budget:
    """Return the budget of a check, by what was ordered; the checks of different accounts and tenants take turns."""
    target = job.target
    megapixels = target.width * target.height * target.file_frames / 1e6
    seconds = CHECK_SECONDS_MIN + megapixels / CHECK_MEGAPIXELS_PER_SECOND
    share = f"{job.owner} {job.provider} {job.account}"
    return replace(CHECK, cpu_seconds=min(seconds, CHECK_SECONDS_MAX), share=share)


def _fault_warnings(job: Job, report: Mapping[str, Any] | None) -> tuple[Problem, ...]:
    """Return the warning of a job whose provider was paid for a faulty file."""
    if report is None or report["file_verdict"] != quality.Verdict.FAIL or job.cost_micro_usd == 0:
        return ()
    message = f"{report['headline']} The provider may charge for it all the same: ask {job.provider} for a refund."
    return (Problem(code="output_faulty", pointer="", message=message),)


def _report(verified: quality.Verification, output: Output) -> dict[str, Any]:
    """Return the quality report as it is stored, with the hashes of the images of the best matches."""
    matches = zip(verified.matches, output.matches, strict=True)
    listed = [{**match.as_json(), "sha256": blob.sha256} for match, blob in matches]
    return {**verified.report.as_json(), "matches": listed}
