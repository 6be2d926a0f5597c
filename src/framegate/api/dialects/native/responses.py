"""Responses of the native API: OpenRouter's and its superset. A field without a value is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Adjustment, Blob, Estimate, Event, FallbackAttempt, Job, Output, Problem, Status, Verdict
from framegate.domain.money import MICRO_USD


def _without_nulls(schema: dict[str, Any]) -> None:
    """Describe an optional field as one that may be missing and is never null."""
    for name, field in schema.get("properties", {}).items():
        field.pop("default", None)
        kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del field["anyOf"]
            schema["properties"][name] = field | kinds[0]


class Answer(BaseModel):
    """JSON object without its empty fields."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_without_nulls)

    def sent(self) -> dict[str, Any]:
        """Return the JSON."""
        return self.model_dump(mode="json", exclude_none=True)


class ProblemAnswer(Answer):
    """Broken rule, or warning."""

    code: str
    pointer: str
    message: str
    allowed: Any = None
    nearest: Any = None


class Usage(Answer):
    """Cost of a job in US dollars, if it is known."""

    cost: float | None = None
    is_byok: bool = False  # callers bring no provider keys; the gateway uses its own accounts


class EstimateAnswer(Answer):
    """Expected cost of a job in US dollars, and how it was computed."""

    usd: float
    basis: str


class AdjustmentAnswer(Answer):
    """Change that was made to the reference with this index."""

    reference: int
    what: str
    before: str
    after: str
    reason: str


class OutputAnswer(Answer):
    """Finished video, as measured from the file."""

    index: int
    width: int
    height: int
    fps: float
    frames: int
    duration: float
    audio: bool
    bytes: int
    sha256: str


class FallbackAnswer(Answer):
    """Route whose order failed, and why."""

    model: str
    provider: str
    account: str
    error_code: str
    error: str
    at: int


class VideoJob(Answer):
    """Job. The first nine fields are OpenRouter's; times are Unix seconds."""

    id: str
    polling_url: str
    status: Status
    error: str | None = None
    generation_id: str
    unsigned_urls: list[str] | None = None
    urls: list[str] | None = None
    expires_at: int | None = None
    usage: Usage | None = None
    model: str
    prompt: str | None = None
    created_at: int
    updated_at: int
    started_at: int | None = None
    completed_at: int | None = None
    progress: float | None = None  # 0 to 100
    stage: str
    provider: str | None = None
    duration: int
    resolution: str | None = None
    aspect_ratio: str | None = None
    size: str
    fps: int
    seed: int | None = None
    warnings: list[ProblemAnswer] | None = None
    adjustments: list[AdjustmentAnswer] | None = None
    outputs: list[OutputAnswer] | None = None
    quality: str | None = None
    report_url: str | None = None
    poster_url: str | None = None
    contact_sheet_url: str | None = None
    events_url: str
    webhooks_url: str | None = None
    cancel_url: str | None = None
    error_code: str | None = None
    provider_error_code: str | None = None
    problems: list[ProblemAnswer] | None = None
    metadata: dict[str, str] | None = None
    estimate: EstimateAnswer | None = None
    tried: list[FallbackAnswer] | None = None
    provider_metadata: dict[str, Any] | None = None  # what the provider reports about the video, unchanged


class JobList(Answer):
    """Page of jobs, newest first; `next` is the `after` of the next page."""

    data: list[VideoJob]
    has_more: bool
    next: str | None = None


class ReferenceAnswer(Answer):
    """Reference of a job. An uploaded file or a data URL has an `asset://` address."""

    role: str
    kind: str
    name: str | None = None
    reference_type: str | None = None
    url: str


class ReferenceList(Answer):
    """References of a job, in the order in which adjustments and problems count them."""

    data: list[ReferenceAnswer]


class TargetAnswer(Answer):
    """Video that the job would make."""

    width: int
    height: int
    fps: int
    duration: int
    frames: int
    audio: bool
    seed: int | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None


class CheckAnswer(Answer):
    """Verdict on a request."""

    ok: bool
    model: str
    problems: list[ProblemAnswer]
    warnings: list[ProblemAnswer]
    target: TargetAnswer | None = None
    estimate: EstimateAnswer | None = None
    alternatives: list[str]
    offers: list[str] | None = None
    shots: list[dict[str, Any]] | None = None
    adjustments: list[AdjustmentAnswer] | None = None


class EventAnswer(Answer):
    """Change of a job; the last one contains the whole job."""

    id: str
    seq: int
    at: float
    state: str
    status: Status
    stage: str
    progress: float | None = None
    job: VideoJob | None = None


class AssetAnswer(Answer):
    """Stored file; references use its `url`."""

    id: str
    url: str
    sha256: str
    bytes: int
    media_type: str


class ErrorBody(Answer):
    """Error; `code` is the HTTP status, `metadata.error_type` the code of the error."""

    code: int
    message: str
    metadata: dict[str, Any]


class ErrorAnswer(Answer):
    """Body of every error."""

    error: ErrorBody


def reference_list(job: Job) -> ReferenceList:
    """Return the references of a job."""
    return ReferenceList(
        data=[
            ReferenceAnswer(
                role=reference.role,
                kind=reference.kind,
                name=reference.name,
                reference_type=reference.reference_type,
                url=reference.url,
            )
            for reference in job.request.references
        ]
    )


def job_answer(job: Job, *, base: str, signer: UrlSigner) -> VideoJob:
    """Return the response for a job; `base` is the absolute base URL of the dialect."""
    url = f"{base}/videos/{job.id}"
    target = job.target
    return VideoJob(
        id=job.id,
        polling_url=url,
        status=job.state.status,
        generation_id=job.id,
        model=job.model,
        prompt=job.request.prompt,
        created_at=int(job.created_at),
        updated_at=int(job.updated_at),
        started_at=_seconds(job.started_at),
        completed_at=_seconds(job.finished_at),
        progress=_percent(job.progress),
        stage=job.stage,
        provider=job.provider or None,
        duration=target.duration,
        resolution=target.resolution,
        aspect_ratio=target.aspect_ratio,
        size=f"{target.width}x{target.height}",
        fps=target.fps,
        seed=target.seed,
        warnings=problem_answers(job.warnings) or None,
        adjustments=_adjustments(job.adjustments) or None,
        events_url=f"{url}/events",
        webhooks_url=f"{url}/webhooks" if job.request.callback_url else None,
        cancel_url=None if job.state.is_final else f"{url}/cancel",
        report_url=f"{url}/report" if job.report else None,
        quality=_verdict(job.report),
        metadata=dict(job.request.metadata) or None,
        estimate=estimate_answer(job.estimate),
        tried=[_fallback(attempt) for attempt in job.fallback_log] or None,
        provider_metadata=dict(job.provider_metadata) or None,
        usage=_usage(job),
        **_failure(job),
        **_files(job, url, signer),
    )


def _fallback(attempt: FallbackAttempt) -> FallbackAnswer:
    return FallbackAnswer(
        model=attempt.model,
        provider=attempt.provider,
        account=attempt.account,
        error_code=attempt.code,
        error=attempt.message,
        at=int(attempt.at),
    )


def _failure(job: Job) -> dict[str, Any]:
    if job.fault is None:
        return {}
    problems = problem_answers(job.fault.problems) or None
    return {
        "error": job.fault.message,
        "error_code": job.fault.code,
        "provider_error_code": job.fault.provider_code or None,
        "problems": problems,
    }


def _files(job: Job, url: str, signer: UrlSigner) -> dict[str, Any]:
    """Return the URLs of a finished job's files: they need the key, or until they expire none."""
    if job.state.status is not Status.COMPLETED or not job.outputs:
        return {}

    def signed(path: str, file: str, index: int) -> str:
        return f"{url}/{path}?index={index}&{signer.query(job.id, f'{file}/{index}')}"

    first = job.outputs[0]
    urls = [signed("content", "content", output.index) for output in job.outputs]
    return {
        "unsigned_urls": urls,
        "urls": urls,
        "expires_at": signer.expires_at(),
        "outputs": [_output(output) for output in job.outputs],
        "poster_url": signed("poster.jpg", "poster", first.index) if first.poster else None,
        "contact_sheet_url": signed("contact-sheet.jpg", "contact-sheet", first.index) if first.contact_sheet else None,
    }


def _output(output: Output) -> OutputAnswer:
    return OutputAnswer(
        index=output.index,
        width=output.width,
        height=output.height,
        fps=round(output.fps, 3),
        frames=output.frames,
        duration=round(output.duration, 3),
        audio=output.audio,
        bytes=output.blob.size_bytes,
        sha256=output.blob.sha256,
    )


def _usage(job: Job) -> Usage | None:
    if job.state.status is not Status.COMPLETED:
        return None
    return Usage(cost=None if job.cost_micro_usd is None else job.cost_micro_usd / MICRO_USD)


def _verdict(report: Mapping[str, Any] | None) -> str | None:
    verdict = (report or {}).get("verdict")
    return verdict if isinstance(verdict, str) else None


def _adjustments(adjustments: Sequence[Adjustment]) -> list[AdjustmentAnswer]:
    return [AdjustmentAnswer(**asdict(adjustment)) for adjustment in adjustments]


def _percent(progress: float | None) -> float | None:
    return None if progress is None else round(progress * 100, 1)


def _seconds(at: float | None) -> int | None:
    return None if at is None else int(at)


def problem_answers(problems: Sequence[Problem]) -> list[ProblemAnswer]:
    """Return problems or warnings for a response."""
    return [ProblemAnswer(**asdict(problem)) for problem in problems]


def estimate_answer(estimate: Estimate | None) -> EstimateAnswer | None:
    """Return an estimate for a response."""
    return EstimateAnswer(usd=estimate.micro_usd / MICRO_USD, basis=estimate.basis) if estimate else None


def check_answer(verdict: Verdict, *, offers: Sequence[str] = ()) -> CheckAnswer:
    """Return the response for a verdict."""
    target = verdict.target
    return CheckAnswer(
        ok=verdict.ok,
        model=verdict.model,
        problems=problem_answers(verdict.problems),
        warnings=problem_answers(verdict.warnings),
        target=TargetAnswer(**asdict(target), frames=target.frames) if target else None,
        estimate=estimate_answer(verdict.estimate),
        alternatives=list(verdict.alternatives),
        offers=list(offers) or None,
        shots=[dict(shot) for shot in verdict.shots] or None,
        adjustments=_adjustments(verdict.adjustments) or None,
    )


def event_answer(event: Event, job: Job | None = None, *, base: str, signer: UrlSigner) -> EventAnswer:
    """Return the response for a change of a job, with the job itself if it is given."""
    return EventAnswer(
        id=event.job_id,
        seq=event.seq,
        at=round(event.at, 3),
        state=event.state.value,
        status=event.status,
        stage=event.stage,
        progress=_percent(event.progress),
        job=job_answer(job, base=base, signer=signer) if job else None,
    )


def asset_answer(blob: Blob) -> AssetAnswer:
    """Return the response for a stored file."""
    url = f"asset://{blob.sha256}"
    return AssetAnswer(id=url, url=url, sha256=blob.sha256, bytes=blob.size_bytes, media_type=blob.media_type)
