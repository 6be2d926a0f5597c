"""The report on a finished file: does it hold together, does it move, and is it what the references show?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from framegate.domain import Target
from framegate.media import videos
from framegate.media.quality import asked, fidelity, motion
from framegate.media.quality.conformance import inspect
from framegate.media.quality.motion import Motion
from framegate.media.quality.pictures import Match, ReferencePicture
from framegate.media.quality.report import Finding, Report, Verdict
from framegate.media.quality.samples import Samples
from framegate.media.thumbnails import Stills

__all__ = ["Finding", "Match", "ReferencePicture", "Report", "Verdict", "Verified", "inspect", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A finished file, measured: zero and None where there was nothing to measure."""

    report: Report
    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    duration: float = 0.0  # seconds
    audio: bool = False
    poster_jpeg: bytes | None = None
    contact_sheet_jpeg: bytes | None = None
    matches: tuple[Match, ...] = ()  # for each reference, the frame that is most like it


def unjudged(path: Path) -> Verified:
    """A file that could not be judged for a fault of ours, as it describes itself. Raises `Unreadable`."""
    claimed = videos.probe(path)
    finding = Finding(
        name="report",
        group="conformance",
        verdict=Verdict.WARN,
        value=None,
        expected="",
        sentence="No report could be made, for a fault of Framegate's; the file is kept as it came.",
    )
    return Verified(
        report=Report(playable=True, findings=(finding,)),
        width=claimed.width,
        height=claimed.height,
        fps=claimed.fps or 0.0,
        frames=claimed.frames or 0,
        duration=claimed.duration or 0.0,
        audio=claimed.audio,
    )


def verify(
    path: Path,
    target: Target | None = None,
    *,
    references: Sequence[ReferencePicture] = (),
    prompt: str | None = None,
    model_dir: Path | None = None,
) -> Verified:
    """Judge any file, made here or not, and take its poster and contact sheet, all in one decoding pass.

    `references` are what it should show, `prompt` what it was asked for; `model_dir` holds a DINOv2 or CLIP model.
    Never raises for a bad file; blocks for as long as decoding takes, so call it in a thread.
    """
    try:
        claimed = videos.probe(path).duration
    except videos.Unreadable:
        return Verified(report=inspect(path, target=target))
    stills, moving, samples = Stills(claimed), Motion(), Samples(claimed, len(references))
    report = inspect(path, target=target, sinks=(stills, moving, samples))
    facts = report.facts
    if "frames" not in facts:  # the file changed under our hands
        return Verified(report=report)
    known = target is not None or prompt is not None or bool(references)
    measured, judged = moving.measured, fidelity.judge(references, samples, model_dir)
    if measured.frames:
        allowed = asked.read(prompt, pictures=len(references), known=known)
        report = report.having([*motion.findings(measured, allowed), *judged.findings])
        report = replace(report, facts={**facts, "motion": measured.motion and round(measured.motion, 4)})
    return Verified(
        report=report,
        width=facts["width"],
        height=facts["height"],
        fps=facts["fps"] or 0.0,
        frames=facts["frames"],
        duration=facts["duration"],
        audio=bool(facts["audio_seconds"]),
        poster_jpeg=stills.poster_jpeg(),
        contact_sheet_jpeg=stills.contact_sheet_jpeg(),
        matches=tuple(judged.matches),
    )
