"""Verification of a file: every check in one decoding pass, with the poster and the contact sheet."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from framegate.domain import Target
from framegate.media import videos
from framegate.media.quality.allowances import read_prompt
from framegate.media.quality.conformance import check_conformance
from framegate.media.quality.fidelity import check_fidelity
from framegate.media.quality.motion import MotionMeter, motion_findings
from framegate.media.quality.report import ReferenceImage, Verification, unverified
from framegate.media.quality.sampling import FrameSampler
from framegate.media.thumbnails import Stills
from framegate.media.unreadable import Unreadable


def describe_unverified(path: Path) -> Verification:
    """Describe a file by its own metadata, after an internal error of the verification. Raises `Unreadable`."""
    probe = videos.probe(path)
    return replace(
        unverified("an internal error."),
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
    except Unreadable:
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
