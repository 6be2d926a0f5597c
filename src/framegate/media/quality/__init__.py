"""Quality report of a finished video: conformance, motion and fidelity, measured in one decoding pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from framegate.domain import Target
from framegate.media import videos
from framegate.media.quality.allowances import read_prompt
from framegate.media.quality.conformance import check_conformance
from framegate.media.quality.fidelity import check_fidelity
from framegate.media.quality.motion import MotionMeter, motion_findings
from framegate.media.quality.references import Match, ReferenceImage
from framegate.media.quality.report import Finding, Report, Verdict
from framegate.media.quality.sampling import FrameSampler
from framegate.media.thumbnails import Stills

__all__ = [
    "Finding",
    "Match",
    "ReferenceImage",
    "Report",
    "Verdict",
    "Verification",
    "check_conformance",
    "describe_unverified",
    "verify_file",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Quality report of a file, with its measures and images; 0 and None if there was nothing to measure."""

    report: Report
    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    duration: float = 0.0  # seconds
    has_audio: bool = False
    poster_jpeg: bytes | None = None
    contact_sheet_jpeg: bytes | None = None
    matches: tuple[Match, ...] = ()  # for each reference, the most similar frame


def describe_unverified(path: Path) -> Verification:
    """Describe a file by its own metadata, after an internal error of the verification. Raises `Unreadable`."""
    probe = videos.probe(path)
    finding = Finding(
        name="report",
        group="conformance",
        verdict=Verdict.WARN,
        value=None,
        expected="",
        sentence="The quality report failed because of an internal error; the file is stored unchanged.",
    )
    return Verification(
        report=Report(playable=True, findings=(finding,)),
        width=probe.width,
        height=probe.height,
        fps=probe.fps or 0.0,
        frames=probe.frames or 0,
        duration=probe.duration or 0.0,
        has_audio=probe.has_audio,
    )


def verify_file(
    path: Path,
    target: Target | None = None,
    *,
    references: Sequence[ReferenceImage] = (),
    prompt: str | None = None,
    model_dir: Path | None = None,
) -> Verification:
    """Verify a video file, and take its poster and contact sheet in the same decoding pass.

    `references` are what it should show, `prompt` is what was requested; `model_dir` contains a DINOv2 or CLIP model.
    A damaged file results in findings, not in an exception. Blocks while decoding: call it in a thread.
    """
    try:
        stated_duration = videos.probe(path).duration
    except videos.Unreadable:
        return Verification(report=check_conformance(path, target=target))
    stills, meter, sampler = Stills(stated_duration), MotionMeter(), FrameSampler(stated_duration, len(references))
    report = check_conformance(path, target=target, sinks=(stills, meter, sampler))
    facts = report.facts
    if "frames" not in facts:  # the file changed meanwhile
        return Verification(report=report)
    has_request = target is not None or prompt is not None or bool(references)
    clip, fidelity = meter.measurement, check_fidelity(references, sampler, model_dir)
    if clip.frames:
        allowances = read_prompt(prompt, image_count=len(references), has_request=has_request)
        report = report.with_findings([*motion_findings(clip, allowances), *fidelity.findings])
        report = replace(report, facts={**facts, "motion": clip.motion and round(clip.motion, 4)})
    return Verification(
        report=report,
        width=facts["width"],
        height=facts["height"],
        fps=facts["fps"] or 0.0,
        frames=facts["frames"],
        duration=facts["duration"],
        has_audio=bool(facts["audio_seconds"]),
        poster_jpeg=stills.poster_jpeg(),
        contact_sheet_jpeg=stills.contact_sheet_jpeg(),
        matches=tuple(fidelity.matches),
    )
