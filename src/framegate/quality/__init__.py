"""The report on a finished file."""

from dataclasses import dataclass
from pathlib import Path

from framegate.media import videos
from framegate.media.stills import Stills
from framegate.quality.conformance import inspect
from framegate.quality.report import Finding, Report, Verdict
from framegate.types import Target

__all__ = ["Finding", "Report", "Verdict", "Verified", "inspect", "verify"]


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


def verify(path: Path, target: Target | None = None) -> Verified:
    """Judge any file, made here or not, and take its poster and contact sheet, all in one decoding pass.

    Never raises for a bad file; blocks for as long as decoding takes, so call it in a thread.
    """
    try:
        claimed = videos.probe(path).duration
    except videos.Unreadable:
        return Verified(report=inspect(path, target=target))
    stills = Stills(claimed)
    report = inspect(path, target=target, sinks=(stills,))
    facts = report.facts
    if "frames" not in facts:  # the file changed under our hands
        return Verified(report=report)
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
    )
