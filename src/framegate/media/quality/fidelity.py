"""Fidelity checks: whether, where and how closely each reference appears in the clip.

Every measure is compared with decoys. For features, the decoy is the mirrored reference: same texture, same number of
points, different content. For colors and whole frames, decoys are the other images of the request and sample photos.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from framegate.domain import Role
from framegate.media.quality.features import INLIERS_MIN, Features, count_inliers, extract_features
from framegate.media.quality.learned import learned_findings
from framegate.media.quality.pixels import Floats, Pixels, load_image
from framegate.media.quality.references import load_decoys, side_by_side_jpeg
from framegate.media.quality.report import Finding, Match, ReferenceImage, Verdict
from framegate.media.quality.sampling import FrameSampler, Sample
from framegate.media.quality.similarity import (
    Similarity,
    compare_frame,
    extract_crop_palette,
    extract_palette,
    palette_distance,
)

GROUP = "fidelity"
POINTS_MIN = 24  # an image with fewer points is too plain to be recognized
DECOY_FACTOR = 2.0  # a reference needs more than this times the inliers of its mirror image
INLIERS_SCALE = 25.0  # this many inliers are 63 % of a full score
PALETTE_DISTANCE_MAX = 15.0  # dE76; right images measured 1 to 11, wrong ones 23 to 63
SSIM_MIN = 0.7  # right frames measured 0.97, wrong ones 0.1 to 0.45
SSIM_MARGIN = 0.1
VISIBLE_ROLES = (Role.REFERENCE, Role.FIRST_FRAME, Role.LAST_FRAME)  # a mask is not visible in the video


@dataclass(frozen=True, slots=True)
class FrameComparison:
    """Comparison of one frame with one reference."""

    sample: Sample
    inliers: int
    decoy_inliers: int  # of the mirrored reference
    color_distance: float  # dE76 between the palettes

    @property
    def is_certain(self) -> bool:
        """Whether the features prove that the reference is in the frame."""
        return self.inliers >= INLIERS_MIN and self.inliers > DECOY_FACTOR * self.decoy_inliers


@dataclass(frozen=True, slots=True)
class LoadedReference:
    """A readable reference with its features and colors."""

    image: ReferenceImage
    pixels: Pixels
    features: Features
    mirrored: Features
    palette: Floats


@dataclass(frozen=True, slots=True)
class AnalyzedFrame:
    """A sampled frame with its features and colors."""

    sample: Sample
    features: Features
    palette: Floats


@dataclass(slots=True)
class FidelityResult:
    """Findings about all references, and the best matching frame of each."""

    findings: list[Finding] = field(default_factory=list[Finding])
    matches: list[Match] = field(default_factory=list[Match])


def check_fidelity(
    references: Sequence[ReferenceImage], samples: FrameSampler, model_dir: Path | None = None
) -> FidelityResult:
    """Compare the sampled frames with every reference, and with a learned model if `model_dir` is given."""
    result = FidelityResult()
    first, last = samples.first, samples.last
    if first is None or last is None:
        return result
    loaded = list(_load_references(references, result))
    subjects = [reference for reference in loaded if reference.image.role is Role.REFERENCE]
    spread = samples.spread or [first]
    frames = [_analyze(sample) for sample in spread] if subjects else []
    for reference in loaded:
        other_references = [other for other in loaded if other is not reference]
        role = reference.image.role
        if role is Role.REFERENCE:
            comparisons = [_compare(reference, frame) for frame in frames]
            best = max(comparisons, key=lambda item: (item.is_certain, item.inliers, -item.color_distance))
            result.findings.append(_feature_finding(reference, comparisons, best))
            result.findings.append(_palette_finding(reference, best, other_references))
        else:
            best = _compare(reference, _analyze(first if role is Role.FIRST_FRAME else last))
            result.findings.append(_frame_finding(reference, best, other_references))
        result.matches.append(_match(reference, best.sample))
    if model_dir and subjects:
        images = [(reference.image, reference.pixels) for reference in subjects]
        result.findings += learned_findings(model_dir, images, spread)
    return result


def _load_references(references: Sequence[ReferenceImage], result: FidelityResult) -> Iterator[LoadedReference]:
    """Load the visible references; add a finding for each that cannot be read."""
    number = 0
    for reference in references:
        if reference.role not in VISIBLE_ROLES:
            continue
        number += reference.role is Role.REFERENCE
        image = replace(reference, number=number)
        pixels = load_image(image.path)
        if pixels is None:
            sentence = f"{_capitalize(image.label)} cannot be read as an image, so it cannot be compared."
            result.findings.append(_finding(str(image.role), Verdict.UNVERIFIABLE, image.as_json(), "", sentence))
            continue
        mirrored = np.ascontiguousarray(pixels[:, ::-1])
        yield LoadedReference(
            image, pixels, extract_features(pixels), extract_features(mirrored), extract_palette(pixels)
        )


def _analyze(sample: Sample) -> AnalyzedFrame:
    return AnalyzedFrame(sample, extract_features(sample.pixels), extract_palette(sample.pixels))


def _compare(reference: LoadedReference, frame: AnalyzedFrame) -> FrameComparison:
    return FrameComparison(
        frame.sample,
        count_inliers(reference.features, frame.features),
        count_inliers(reference.mirrored, frame.features),
        palette_distance(reference.palette, frame.palette),
    )


def _match(reference: LoadedReference, sample: Sample) -> Match:
    return Match(
        reference=reference.image.index,
        role=reference.image.role,
        frame=sample.number,
        seconds=round(sample.seconds, 3),
        jpeg=side_by_side_jpeg(reference.pixels, sample.pixels, sample.seconds),
    )


def _feature_finding(
    reference: LoadedReference, comparisons: Sequence[FrameComparison], best: FrameComparison
) -> Finding:
    """Compare by local features, which prove that the reference was used, or prove nothing."""
    certain = [item for item in comparisons if item.is_certain]
    decoy_inliers = max(item.decoy_inliers for item in comparisons)
    score = sum(1 - math.exp(-item.inliers / INLIERS_SCALE) for item in certain) / len(comparisons)
    spans = list(_spans(comparisons))
    value = reference.image.as_json() | {
        "inliers": best.inliers,
        "decoy_inliers": decoy_inliers,
        "score": round(score, 3),
        "frames": [item.sample.number for item in certain],
        "frames_looked_at": len(comparisons),
        "seconds": spans,
    }
    rule = f"at least {INLIERS_MIN} inliers, and more than {DECOY_FACTOR:g} times its mirror image's"
    label = _capitalize(reference.image.label)
    if certain:
        span_text = " and ".join(f"{start:.1f} to {end:.1f} s" for start, end in spans)
        sentence = (
            f"{label} is in the video, in {len(certain)} of {len(comparisons)} frames, {span_text}: {best.inliers} of "
            f"its points match in the best frame, and {best.decoy_inliers or 'none'} of its mirror image."
        )
        return _finding("reference", Verdict.PASS, value, rule, sentence)
    if _is_mirrored(comparisons):
        return _finding("reference", Verdict.WARN, value, rule, f"{label} is in the video, but mirrored.")
    if reference.features.point_count < POINTS_MIN:
        sentence = f"{label} is too plain to be recognized: it has only {reference.features.point_count} points."
    elif decoy_inliers:
        sentence = f"{label} cannot be distinguished from its mirror image, so its pattern proves nothing."
    else:
        sentence = (
            f"No part of {reference.image.label} is found unchanged. A subject in another pose or style "
            "cannot be verified without a learned model."
        )
    return _finding("reference", Verdict.UNVERIFIABLE, value, rule, sentence)


def _is_mirrored(comparisons: Sequence[FrameComparison]) -> bool:
    """Whether the features prove that the mirror image of the reference is in a frame."""
    best = max(comparisons, key=lambda item: item.decoy_inliers)
    return best.decoy_inliers >= INLIERS_MIN and best.decoy_inliers > DECOY_FACTOR * best.inliers


def _spans(comparisons: Sequence[FrameComparison]) -> Iterator[list[float]]:
    """Time ranges in which the reference appears in consecutive sampled frames, in seconds."""
    start: float | None = None
    end = 0.0
    for item in comparisons:
        if item.is_certain:
            start, end = item.sample.seconds if start is None else start, item.sample.seconds
        elif start is not None:
            yield [round(start, 3), round(end, 3)]
            start = None
    if start is not None:
        yield [round(start, 3), round(end, 3)]


def _palette_finding(
    reference: LoadedReference, best: FrameComparison, other_references: Sequence[LoadedReference]
) -> Finding:
    """Compare by colors, which show style and scene but not the subject."""
    palette = extract_palette(best.sample.pixels)
    crop_palette = extract_crop_palette(reference.pixels, best.sample.pixels)
    distance = min(best.color_distance, palette_distance(crop_palette, palette))
    foreign = *(other.palette for other in other_references), *_decoy_palettes()
    decoy_distances = [
        palette_distance(decoy, palette)
        for decoy in foreign
        if palette_distance(decoy, reference.palette) > PALETTE_DISTANCE_MAX
    ]
    nearest = min(decoy_distances, default=math.inf)
    value = reference.image.as_json() | {
        "distance": round(distance, 2),
        "decoy_distance": round(nearest, 2) if decoy_distances else None,
        "frame": best.sample.number,
    }
    rule = f"at most {PALETTE_DISTANCE_MAX:g} dE76, and less than that of other images"
    label = reference.image.label
    if distance <= PALETTE_DISTANCE_MAX and distance < nearest:
        sentence = f"The color distance to {label} is {distance:.1f} dE76 in the closest frame."
        return _finding("palette", Verdict.PASS, value, rule, sentence)
    sentence = (
        f"The color distance to {label} is {distance:.1f} dE76. Different light, another style or a small subject can "
        "cause this too, so it proves nothing."
    )
    return _finding("palette", Verdict.UNVERIFIABLE, value, rule, sentence)


def _frame_finding(
    reference: LoadedReference, best: FrameComparison, other_references: Sequence[LoadedReference]
) -> Finding:
    """Compare a first or last frame pixel by pixel with the image that it should be."""
    image, pixels = reference.image, best.sample.pixels
    result = compare_frame(reference.pixels, pixels)
    rivals = [(other, compare_frame(other.pixels, pixels)) for other in other_references]
    foreign = [decoy for decoy in load_decoys() if compare_frame(decoy, reference.pixels).ssim < SSIM_MIN]
    decoy_ssims = [compare_frame(decoy, pixels).ssim for decoy in foreign]
    rival, rival_result = max(rivals, key=lambda item: item[1].ssim, default=(None, Similarity(-1.0, 0.0)))
    value = image.as_json() | {
        "ssim": round(result.ssim, 4),
        "psnr": round(result.psnr, 2),
        "decoy_ssim": round(max([*decoy_ssims, *(similarity.ssim for _, similarity in rivals)]), 4),
        "inliers": best.inliers,
        "frame": best.sample.number,
    }
    rule = f"SSIM at least {SSIM_MIN:g}, and that of no other image higher"
    subject = f"The {'first' if image.role is Role.FIRST_FRAME else 'last'} frame"
    numbers = f"SSIM {result.ssim:.2f}, PSNR {result.psnr:.1f} dB"
    if rival and rival_result.ssim >= SSIM_MIN and rival_result.ssim > result.ssim + SSIM_MARGIN:
        sentence = f"{subject} is not {image.label} but {rival.image.label} ({numbers})."
        return _finding(str(image.role), Verdict.FAIL, value, rule, sentence)
    if result.ssim >= SSIM_MIN and result.ssim > max(decoy_ssims) + SSIM_MARGIN:
        sentence = f"{subject} matches {image.label} ({numbers})."
        return _finding(str(image.role), Verdict.PASS, value, rule, sentence)
    sentence = f"{subject} does not match {image.label} ({numbers})."
    if best.is_certain:
        sentence = f"{subject} shows {image.label}, but not unchanged ({numbers})."
    return _finding(str(image.role), Verdict.WARN, value, rule, sentence)


def _capitalize(text: str) -> str:
    return text[0].upper() + text[1:]


@functools.cache
def _decoy_palettes() -> tuple[Floats, ...]:
    return tuple(extract_palette(decoy) for decoy in load_decoys())


def _finding(name: str, verdict: Verdict, value: Any, expected: str, sentence: str) -> Finding:  # noqa: ANN401 - JSON
    return Finding(name=name, group=GROUP, verdict=verdict, value=value, expected=expected, sentence=sentence)
