"""Fidelity: is each reference in the clip, where, and how near is it?

Everything is compared with decoys. For features that is the reference in a mirror: the same texture and as many
points, but another thing. For colours and whole frames it is the other pictures of the request, and some of our own.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from framegate.domain import Role
from framegate.media.quality import learned, likeness, pictures
from framegate.media.quality.features import MATCHES_LEAST, Features, features, inliers
from framegate.media.quality.likeness import Likeness
from framegate.media.quality.pictures import Floats, Match, Pixels, ReferencePicture
from framegate.media.quality.report import Finding, Verdict
from framegate.media.quality.samples import Sample, Samples

GROUP = "fidelity"
FEATURES_LEAST = 24  # a plainer picture cannot be recognised
DECOY_TIMES = 2.0  # by which the reference must outdo its mirror image
INLIERS_SCALE = 25.0  # so many inliers count for 63 % of a full score
PALETTE_MOST = 15.0  # dE76; right pictures measured 1 to 11, wrong ones 23 to 63
SSIM_LEAST = 0.7  # right frames measured 0.97, wrong ones 0.1 to 0.45
SSIM_MARGIN = 0.1
SHOWN = (Role.REFERENCE, Role.FIRST_FRAME, Role.LAST_FRAME)  # a mask is not to be seen


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame, and how much of a reference is in it."""

    sample: Sample
    inliers: int
    decoy: int  # inliers of the reference's mirror image
    colours: float  # dE76 between the whole palettes

    @property
    def sure(self) -> bool:
        """Whether the features prove that the reference is in the frame."""
        return self.inliers >= MATCHES_LEAST and self.inliers > DECOY_TIMES * self.decoy


@dataclass(frozen=True, slots=True)
class Known:
    """A reference that could be read."""

    picture: ReferencePicture
    pixels: Pixels
    features: Features
    mirrored: Features
    palette: Floats


@dataclass(slots=True)
class Judged:
    """The findings on all references, and the frame that matches each best."""

    findings: list[Finding] = field(default_factory=list[Finding])
    matches: list[Match] = field(default_factory=list[Match])


def judge(references: Sequence[ReferencePicture], samples: Samples, model_dir: Path | None = None) -> Judged:
    """Compare a clip's frames with every reference, by a learned model too where a folder with one is given."""
    judged = Judged()
    first, last = samples.first, samples.last
    if first is None or last is None:
        return judged
    known = list(_known(references, judged))
    subjects = [one for one in known if one.picture.role is Role.REFERENCE]
    spread = samples.spread or [first]
    looks = [_look(sample) for sample in spread] if subjects else []
    for one in known:
        others = [other for other in known if other is not one]
        if one.picture.role is Role.REFERENCE:
            seen = [_seen(one, look) for look in looks]
            best = max(seen, key=lambda it: (it.sure, it.inliers, -it.colours))
            judged.findings += [_recognised(one, seen, best), _palette(one, best, others)]
        else:
            best = _seen(one, _look(first if one.picture.role is Role.FIRST_FRAME else last))
            judged.findings.append(_frame(one, best, others))
        judged.matches.append(_match(one, best.sample))
    if model_dir and subjects:
        judged.findings += learned.findings(model_dir, [(one.picture, one.pixels) for one in subjects], spread)
    return judged


def _known(references: Sequence[ReferencePicture], judged: Judged) -> Iterator[Known]:
    number = 0
    for given in references:
        if given.role not in SHOWN:
            continue
        number += given.role is Role.REFERENCE
        picture = replace(given, number=number)
        pixels = pictures.load(picture.path)
        if pixels is None:
            sentence = f"{_capital(picture.called)} cannot be read as a picture, so nothing can be compared with it."
            judged.findings.append(_finding(str(picture.role), Verdict.UNVERIFIABLE, picture.as_json(), "", sentence))
            continue
        mirrored = np.ascontiguousarray(pixels[:, ::-1])
        yield Known(picture, pixels, features(pixels), features(mirrored), likeness.palette(pixels))


def _look(sample: Sample) -> tuple[Sample, Features, Floats]:
    return sample, features(sample.pixels), likeness.palette(sample.pixels)


def _match(one: Known, sample: Sample) -> Match:
    return Match(
        reference=one.picture.index,
        role=one.picture.role,
        frame=sample.number,
        seconds=round(sample.seconds, 3),
        jpeg=pictures.beside(one.pixels, sample.pixels, sample.seconds),
    )


def _seen(one: Known, look: tuple[Sample, Features, Floats]) -> Seen:
    sample, found, colours = look
    return Seen(
        sample,
        inliers(one.features, found),
        inliers(one.mirrored, found),
        likeness.palette_distance(one.palette, colours),
    )


def _recognised(one: Known, seen: Sequence[Seen], best: Seen) -> Finding:
    """By local features: they prove that it was borrowed, or prove nothing."""
    sure = [it for it in seen if it.sure]
    decoy = max(it.decoy for it in seen)
    value = one.picture.as_json() | {
        "inliers": best.inliers,
        "decoy_inliers": decoy,
        "score": round(sum(1 - math.exp(-it.inliers / INLIERS_SCALE) for it in sure) / len(seen), 3),
        "frames": [it.sample.number for it in sure],
        "frames_looked_at": len(seen),
        "seconds": list(_spans(seen)),
    }
    rule = f"at least {MATCHES_LEAST} inliers, and more than {DECOY_TIMES:g} times its mirror image's"
    called = _capital(one.picture.called)
    if sure:
        spans = " and ".join(f"{start:.1f} to {end:.1f} s" for start, end in _spans(seen))
        sentence = (
            f"{called} is in the clip: {best.inliers} of its points are found in one frame, "
            f"{best.decoy or 'none'} of its mirror image; it was seen in {len(sure)} of {len(seen)} frames, {spans}."
        )
        return _finding("reference", Verdict.PASS, value, rule, sentence)
    mirrored = max(seen, key=lambda it: it.decoy)
    if mirrored.decoy >= MATCHES_LEAST and mirrored.decoy > DECOY_TIMES * mirrored.inliers:
        sentence = f"{called} is in the clip, but mirrored."
        return _finding("reference", Verdict.WARN, value, rule, sentence)
    if one.features.places < FEATURES_LEAST:
        sentence = f"{called} is too plain to be recognised: it has {one.features.places} points to look for."
    elif decoy:
        sentence = f"{called} cannot be told from its mirror image: a pattern of its kind proves nothing."
    else:
        sentence = (
            f"No part of {one.picture.called} is found as it stands. A subject in another pose or style "
            "cannot be verified without a learned model."
        )
    return _finding("reference", Verdict.UNVERIFIABLE, value, rule, sentence)


def _spans(seen: Sequence[Seen]) -> Iterator[list[float]]:
    """From where to where it was seen, in seconds, by frames that follow each other."""
    start: float | None = None
    end = 0.0
    for it in seen:
        if it.sure:
            start, end = it.sample.seconds if start is None else start, it.sample.seconds
        elif start is not None:
            yield [round(start, 3), round(end, 3)]
            start = None
    if start is not None:
        yield [round(start, 3), round(end, 3)]


def _palette(one: Known, best: Seen, others: Sequence[Known]) -> Finding:
    """By colours: a check of style and scene, that says nothing of the subject."""
    colours = likeness.palette(best.sample.pixels)
    part = likeness.part_palette(one.pixels, best.sample.pixels)
    distance = min(best.colours, likeness.palette_distance(part, colours))
    foreign = *(other.palette for other in others), *_decoy_palettes()
    decoys = [
        likeness.palette_distance(palette, colours)
        for palette in foreign
        if likeness.palette_distance(palette, one.palette) > PALETTE_MOST
    ]
    nearest = min(decoys, default=math.inf)
    value = one.picture.as_json() | {
        "distance": round(distance, 2),
        "decoy_distance": round(nearest, 2) if decoys else None,
        "frame": best.sample.number,
    }
    rule = f"at most {PALETTE_MOST:g} dE76, and nearer than other pictures"
    if distance <= PALETTE_MOST and distance < nearest:
        sentence = f"The colours of {one.picture.called} are {distance:.1f} dE76 away in the frame that is nearest."
        return _finding("palette", Verdict.PASS, value, rule, sentence)
    sentence = (
        f"The colours of {one.picture.called} are {distance:.1f} dE76 away; other light, another style or a "
        "small subject make that too, so it proves nothing."
    )
    return _finding("palette", Verdict.UNVERIFIABLE, value, rule, sentence)


def _frame(one: Known, best: Seen, others: Sequence[Known]) -> Finding:
    """Pixel by pixel: a first or last frame is to be met as it stands."""
    pixels, name = best.sample.pixels, str(one.picture.role)
    own = likeness.as_frame(one.pixels, pixels)
    rivals = [(other, likeness.as_frame(other.pixels, pixels)) for other in others]
    foreign = [decoy for decoy in pictures.decoys() if likeness.as_frame(decoy, one.pixels).ssim < SSIM_LEAST]
    decoys = [likeness.as_frame(decoy, pixels).ssim for decoy in foreign]
    rival: tuple[Known | None, Likeness | None] = max(rivals, key=lambda it: it[1].ssim, default=(None, None))
    value = one.picture.as_json() | {
        "ssim": round(own.ssim, 4),
        "psnr": round(own.psnr, 2),
        "decoy_ssim": round(max([*decoys, *(it.ssim for _, it in rivals)]), 4),
        "inliers": best.inliers,
        "frame": best.sample.number,
    }
    rule = f"SSIM at least {SSIM_LEAST:g}, and that of no other picture higher"
    what = "first" if one.picture.role is Role.FIRST_FRAME else "last"
    numbers = f"SSIM {own.ssim:.2f}, PSNR {own.psnr:.1f} dB"
    other, like = rival
    if other and like and like.ssim >= SSIM_LEAST and like.ssim > own.ssim + SSIM_MARGIN:
        sentence = f"The {what} frame is not {one.picture.called} but {other.picture.called} ({numbers})."
        return _finding(name, Verdict.FAIL, value, rule, sentence)
    if own.ssim >= SSIM_LEAST and own.ssim > max(decoys) + SSIM_MARGIN:
        sentence = f"The {what} frame is {one.picture.called} ({numbers})."
        return _finding(name, Verdict.PASS, value, rule, sentence)
    if best.sure:
        sentence = f"The {what} frame shows {one.picture.called}, but not as it stands ({numbers})."
    else:
        sentence = f"The {what} frame is not {one.picture.called} as it stands ({numbers})."
    return _finding(name, Verdict.WARN, value, rule, sentence)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


@functools.cache
def _decoy_palettes() -> tuple[Floats, ...]:
    return tuple(likeness.palette(decoy) for decoy in pictures.decoys())


def _finding(name: str, verdict: Verdict, value: Any, expected: str, sentence: str) -> Finding:  # noqa: ANN401 - JSON
    return Finding(name=name, group=GROUP, verdict=verdict, value=value, expected=expected, sentence=sentence)
