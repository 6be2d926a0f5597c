"""What native clients are told: OpenRouter's answer and our superset. A field that has no value is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Adjustment, Blob, Estimate, Event, FallbackAttempt, Job, Output, Problem, Status, Verdict

MICRO = 1_000_000


def _without_nulls(schema: dict[str, Any]) -> None:
    """Describe an optional field as one that may be missing; it is never null."""
    for name, field in schema.get("properties", {}).items():
        field.pop("default", None)
        kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del field["anyOf"]
            schema["properties"][name] = field | kinds[0]


class Answer(BaseModel):
    """A JSON object that is sent without its empty fields."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_without_nulls)

    def sent(self) -> dict[str, Any]:
        """The JSON."""
        return self.model_dump(mode="json", exclude_none=True)


class ProblemAnswer(Answer):
    """One broken rule, or one warning."""

    code: str
    pointer: str
    message: str
    allowed: Any = None
    nearest: Any = None


class Usage(Answer):
    """What the job cost in US dollars, if that is known."""

    cost: float | None = None
    is_byok: bool = False  # the caller brings no key of a provider; the gate's own accounts are used


class EstimateAnswer(Answer):
    """What a job is expected to cost in US dollars, and how that was reckoned."""

    usd: float
    basis: str


class AdjustmentAnswer(Answer):
    """A change made to the reference of this index."""

    reference: int
    what: str
    before: str
    after: str
    reason: str


class OutputAnswer(Answer):
    """One finished video, as measured from the file."""

    index: int
    width: int
    height: int
    fps: float
    frames: int
    duration: float
    audio: bool
    bytes: int
    sha256: str


class TriedAnswer(Answer):
    """A way on which the job's order came to nothing, and why."""

    model: str
    provider: str
    account: str
    error_code: str
    error: str
    at: int


class VideoJob(Answer):
    """A job. The first nine fields are OpenRouter's; times are Unix seconds."""

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
    problems: list[ProblemAnswer] | None = None
    metadata: dict[str, str] | None = None
    estimate: EstimateAnswer | None = None
    tried: list[TriedAnswer] | None = None
    provider_metadata: dict[str, Any] | None = None  # what the provider tells of the video, in its own words


class JobList(Answer):
    """One page of jobs, newest first; `next` is the `after` of the next page."""

    data: list[VideoJob]
    has_more: bool
    next: str | None = None


class TargetAnswer(Answer):
    """The video that would be made."""

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
    """What the gate would say of a request."""

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
    """One change of a job; the last one brings the whole job."""

    id: str
    seq: int
    at: float
    state: str
    status: Status
    stage: str
    progress: float | None = None
    job: VideoJob | None = None


class AssetAnswer(Answer):
    """A kept file; a reference uses it by `url`."""

    id: str
    url: str
    sha256: str
    bytes: int
    media_type: str


class ErrorBody(Answer):
    """What went wrong; `code` is the HTTP status, `metadata.error_type` our own word for it."""

    code: int
    message: str
    metadata: dict[str, Any]


class ErrorAnswer(Answer):
    """The body of every error."""

    error: ErrorBody


def job_answer(job: Job, *, base: str, links: UrlSigner) -> VideoJob:
    """A job as its client sees it; `base` is the dialect's own absolute address."""
    here = f"{base}/videos/{job.id}"
    target, over = job.target, job.state.is_final
    return VideoJob(
        id=job.id,
        polling_url=here,
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
        events_url=f"{here}/events",
        webhooks_url=f"{here}/webhooks" if job.request.callback_url else None,
        cancel_url=None if over else f"{here}/cancel",
        report_url=f"{here}/report" if job.report else None,
        quality=_verdict(job.report),
        metadata=dict(job.request.metadata) or None,
        estimate=estimate_answer(job.estimate),
        tried=[_tried(one) for one in job.fallback_log] or None,
        provider_metadata=dict(job.provider_metadata) or None,
        usage=_usage(job),
        **_failure(job),
        **_files(job, here, links),
    )


def _tried(one: FallbackAttempt) -> TriedAnswer:
    return TriedAnswer(
        model=one.model,
        provider=one.provider,
        account=one.account,
        error_code=one.code,
        error=one.message,
        at=int(one.at),
    )


def _failure(job: Job) -> dict[str, Any]:
    if job.fault is None:
        return {}
    problems = problem_answers(job.fault.problems) or None
    return {"error": job.fault.message, "error_code": job.fault.code, "problems": problems}


def _files(job: Job, here: str, links: UrlSigner) -> dict[str, Any]:
    """The addresses of a finished job's files. They work with the key, and until they expire without it."""
    if job.state.status is not Status.COMPLETED or not job.outputs:
        return {}

    def signed(path: str, what: str, index: int) -> str:
        return f"{here}/{path}?index={index}&{links.query(job.id, f'{what}/{index}')}"

    first = job.outputs[0]
    urls = [signed("content", "content", output.index) for output in job.outputs]
    return {
        "unsigned_urls": urls,
        "urls": urls,
        "expires_at": links.expires_at(),
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
    return Usage(cost=None if job.cost_micro_usd is None else job.cost_micro_usd / MICRO)


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
    """Problems or warnings as clients see them."""
    return [ProblemAnswer(**asdict(problem)) for problem in problems]


def estimate_answer(estimate: Estimate | None) -> EstimateAnswer | None:
    """An estimate as clients see it."""
    return EstimateAnswer(usd=estimate.micro_usd / MICRO, basis=estimate.basis) if estimate else None


def check_answer(verdict: Verdict, *, offers: Sequence[str] = ()) -> CheckAnswer:
    """A verdict as clients see it."""
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


def event_answer(event: Event, job: Job | None = None, *, base: str, links: UrlSigner) -> EventAnswer:
    """A change of a job as clients see it; with the job itself where that is given."""
    return EventAnswer(
        id=event.job_id,
        seq=event.seq,
        at=round(event.at, 3),
        state=event.state.value,
        status=event.status,
        stage=event.stage,
        progress=_percent(event.progress),
        job=job_answer(job, base=base, links=links) if job else None,
    )


def asset_answer(blob: Blob) -> AssetAnswer:
    """A kept file as clients see it."""
    url = f"asset://{blob.sha256}"
    return AssetAnswer(id=url, url=url, sha256=blob.sha256, bytes=blob.size_bytes, media_type=blob.media_type)
