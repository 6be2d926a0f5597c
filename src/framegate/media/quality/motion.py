"""Motion: does the picture move as a video does, and does it show anything at all?

Every frame is looked at once, as luma on 256 pixels, while the file is decoded for conformance.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import cv2
import numpy as np
from av import VideoFrame

from framegate.media.quality.asked import Asked
from framegate.media.quality.pictures import Floats, Pixels, floats_of, pixels_of
from framegate.media.quality.report import Finding, Verdict

GROUP = "motion"
SIDE = 256  # pixels of the longer side; every length below is in these pixels
SIDE_LEAST = 32
THUMB = (64, 36)  # on which frames are compared as wholes
BLOCKS = (16, 9)
FLOW_STRIDE = 4
LOOK_BACK_SECONDS = 0.5  # a frame is frozen if it is still that of so long ago: slow moves have moved by then
LOOK_BACK_STEP = 0.1

STILL_LEVELS = 2.0  # of 255; in no block has the picture changed by more. Coding noise of a still: 0.1 to 1.6
BLACK_LEVEL = 24  # of 255, for all but the brightest hundredth
FLAT_LEVELS = 3.0  # standard deviation over the whole frame
ALIKE = 0.5  # correlation of two frames of one shot is above it; a whip pan over stars stays at 0.84
SAME_SHOT = 0.8

FROZEN_MOST = 0.9
BLACK_MOST = 0.2
FLAT_MOST = 0.2
FLICKER_MOST = 4.0  # levels
JERK_MOST = 2.0  # pixels
ORDER_MOST = 0.9
NOISE_MOST = 0.3  # of the picture's contrast
CUTS_TOLD = 50


@dataclass(slots=True)
class _Series:
    """One number for each frame, or for each step from a frame to the next."""

    means: list[float] = field(default_factory=list[float])
    black: int = 0
    flat: int = 0
    frozen: list[bool] = field(default_factory=list[bool])
    alike: list[float] = field(default_factory=list[float])  # to the frame before
    alike_2: list[float] = field(default_factory=list[float])  # to the one before that; one fewer
    change: list[float] = field(default_factory=list[float])  # levels, from the frame before
    change_2: list[float] = field(default_factory=list[float])  # from the one before that; one fewer
    motion: list[float] = field(default_factory=list[float])
    jerk: list[float] = field(default_factory=list[float])
    noise: list[float] = field(default_factory=list[float])


class Motion:
    """Measures motion out of frames that come in order. Memory grows by some numbers for each frame, and no more."""

    def __init__(self) -> None:
        self._series = _Series()
        self._size: tuple[int, int] | None = None  # of the first frame, kept even if the file changes its own
        self._flow_of: Any = cast("Any", cv2).DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._before: list[Pixels] = []  # the last two frames, the newest last
        self._flow: Floats | None = None
        self._past: deque[tuple[float, Pixels]] = deque()

    def take(self, frame: VideoFrame, time: float) -> None:
        """Look at the next frame, shown at `time` seconds."""
        self._size = self._size or _fitting(frame.width, frame.height)
        luma = pixels_of(frame.reformat(*self._size, format="gray", interpolation="AREA").to_ndarray())
        series = self._series
        mean, deviation = float(luma.mean()), float(luma.std())
        series.means.append(mean)
        black = bool(np.count_nonzero(luma > BLACK_LEVEL) < 0.01 * luma.size)
        series.black += black
        series.flat += deviation < FLAT_LEVELS and not black
        self._look_back(luma, time)
        if self._before:
            self._step(luma, deviation)
        self._before = [*self._before[-1:], luma]

    def _look_back(self, luma: Pixels, time: float) -> None:
        past, slack = self._past, LOOK_BACK_STEP / 100
        while len(past) > 1 and time - past[1][0] >= LOOK_BACK_SECONDS - slack:
            past.popleft()
        if past and time - past[0][0] >= LOOK_BACK_SECONDS - slack:
            difference = floats_of(cv2.absdiff(luma, past[0][1]))
            changed = floats_of(cv2.resize(difference, BLOCKS, interpolation=cv2.INTER_AREA))
            self._series.frozen.append(float(changed.max()) < STILL_LEVELS)
        if not past or time - past[-1][0] >= LOOK_BACK_STEP - slack:
            past.append((time, luma))

    def _step(self, luma: Pixels, deviation: float) -> None:
        """From the frame before to this one."""
        series, before = self._series, self._before[-1]
        series.alike.append(_alike(before, luma))
        series.change.append(_change(before, luma))
        if len(self._before) == 2:
            series.alike_2.append(_alike(self._before[0], luma))
            series.change_2.append(_change(self._before[0], luma))
        flow: Floats = self._flow_of.calc(before, luma, None)
        series.noise.append(_residual(before, luma, flow) / max(deviation, FLAT_LEVELS))
        coarse, weights = flow[::FLOW_STRIDE, ::FLOW_STRIDE], _texture(before)
        series.motion.append(_length(coarse, weights))
        if self._flow is not None:
            series.jerk.append(_length(coarse - _followed(self._flow, coarse), weights))
        self._flow = coarse

    @property
    def measured(self) -> "Measured":
        """The whole clip in a few numbers."""
        return _measured(self._series)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A clip's motion in numbers. Shares are of all frames; lengths are in pixels of a picture 256 wide."""

    frames: int
    frozen: float | None  # None where the clip is too short to tell
    black: float
    flat: float
    flicker: float | None  # levels of 255
    cuts: tuple[int, ...]  # the numbers of the frames that begin another shot
    motion: float | None  # pixels per frame
    jerk: float | None  # pixels by which the motion changes from one frame to the next
    order: float | None  # change over one frame by change over two: about a half in any motion that goes on
    noise: float | None  # what motion does not explain, as part of the contrast


def _measured(series: _Series) -> Measured:
    frames = len(series.means)
    cuts = tuple(_cuts(series.alike, series.alike_2))
    # A step that crosses a cut says nothing of motion; nor do the two around it where motion is compared with motion.
    steps = [step for step in range(1, frames) if step not in cuts]
    turns = [turn for turn in range(2, frames) if turn not in cuts and turn - 1 not in cuts]
    means = np.array(series.means)
    bends = [abs(means[turn] - 2 * means[turn - 1] + means[turn - 2]) / 4 for turn in turns]
    near = sum(series.change[turn - 1] + series.change[turn - 2] for turn in turns) / 2
    far = sum(series.change_2[turn - 2] for turn in turns)
    return Measured(
        frames=frames,
        frozen=_mean([float(one) for one in series.frozen]),
        black=series.black / max(frames, 1),
        flat=series.flat / max(frames, 1),
        flicker=_mean(bends),
        cuts=cuts,
        motion=_mean([series.motion[step - 1] for step in steps]),
        jerk=_mean([series.jerk[turn - 2] for turn in turns]),
        order=near / far if far else None,
        noise=float(np.median(series.noise)) if series.noise else None,
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _cuts(alike: list[float], alike_2: list[float]) -> Iterator[int]:
    """Frames that are unlike the one before, between frames that are like their neighbours; a flash is not a cut."""
    for step, value in enumerate(alike):
        around = [*alike[max(step - 3, 0) : step], *alike[step + 1 : step + 4]]
        # Neither the next frame nor this one is again what came before: that would be a flash.
        stays = all(other < ALIKE for other in alike_2[max(step - 1, 0) : step + 1])
        if value < ALIKE and stays and around and float(np.median(around)) > SAME_SHOT:
            yield step + 1


def _fitting(width: int, height: int) -> tuple[int, int]:
    scale = SIDE / max(width, height)
    return max(SIDE_LEAST, round(width * scale)), max(SIDE_LEAST, round(height * scale))


def _thumb(luma: Pixels) -> Floats:
    thumb = floats_of(cv2.resize(luma, THUMB, interpolation=cv2.INTER_AREA))
    return thumb - thumb.mean()


def _alike(one: Pixels, other: Pixels) -> float:
    """Their correlation, blind to brightness and contrast; two flat frames are alike, a flat one is like no other."""
    a, b = _thumb(one), _thumb(other)
    powers = float(np.mean(a * a)), float(np.mean(b * b))
    if min(powers) < 1:
        return 1.0 if max(powers) < FLAT_LEVELS**2 else 0.0
    return float(np.mean(a * b)) / math.sqrt(powers[0] * powers[1])


def _change(one: Pixels, other: Pixels) -> float:
    return float(pixels_of(cv2.absdiff(one, other)).mean())


def _residual(before: Pixels, luma: Pixels, flow: Floats) -> float:
    rows, columns = np.mgrid[0 : luma.shape[0], 0 : luma.shape[1]].astype(np.float32)
    place = columns + flow[..., 0], rows + flow[..., 1]
    back = floats_of(cv2.remap(floats_of(luma), *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    difference = back - before
    return float(np.abs(difference - difference.mean()).mean())  # a jump of the brightness is flicker, not noise


def _followed(flow: Floats, now: Floats) -> Floats:
    """How that which is at each place now moved one step earlier, when it was elsewhere."""
    rows, columns = np.mgrid[0 : now.shape[0], 0 : now.shape[1]].astype(np.float32)
    back = now / FLOW_STRIDE
    place = columns - back[..., 0], rows - back[..., 1]
    return floats_of(cv2.remap(flow, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _texture(luma: Pixels) -> Floats:
    """How much each place has by which its motion can be told: in a plain area the flow is a guess."""
    smooth = floats_of(cv2.GaussianBlur(luma, (5, 5), 0))
    across, down = floats_of(cv2.Sobel(smooth, cv2.CV_32F, 1, 0)), floats_of(cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return floats_of(across * across + down * down)[::FLOW_STRIDE, ::FLOW_STRIDE]


def _length(flow: Floats, weights: Floats) -> float:
    total = float(weights.sum())
    return float((np.hypot(flow[..., 0], flow[..., 1]) * weights).sum()) / total if total > 0 else 0.0


def findings(clip: Measured, asked: Asked) -> Iterator[Finding]:
    """What is said of a clip's motion. What the prompt asks for is no fault, and the sentence says so."""
    if clip.frozen is None:
        yield _unknown("frozen", f"it lasts less than {LOOK_BACK_SECONDS:g} s")
    else:
        rule = f"at most {FROZEN_MOST:.0%} of the frames"
        sentence = f"{clip.frozen:.0%} of the frames are still those of {LOOK_BACK_SECONDS:g} s before."
        yield _share("frozen", clip.frozen, FROZEN_MOST, rule, sentence, asked.still)
    rule = f"at most {BLACK_MOST:.0%} of the frames"
    yield _share("black", clip.black, BLACK_MOST, rule, f"{clip.black:.0%} of the frames are black.", asked.dark)
    sentence = f"{clip.flat:.0%} of the frames are of one colour."
    yield _share("flat", clip.flat, FLAT_MOST, rule, sentence, asked.flat)
    yield _cut_finding(clip, asked)
    if clip.flicker is None or clip.jerk is None:
        yield from (_unknown(name, "it has fewer than three frames") for name in ("flicker", "jerk"))
    else:
        rule = f"at most {FLICKER_MOST:g} levels of 255"
        sentence = f"The brightness jumps by {clip.flicker:.2f} levels of 255 on average."
        yield _share("flicker", clip.flicker, FLICKER_MOST, rule, sentence, asked.flicker)
        yield _jerk_finding(clip.jerk, clip.order, asked)
    if clip.noise is None:
        yield _unknown("noise", "it has only one frame")
    else:
        rule = f"at most {NOISE_MOST:g} of the contrast"
        sentence = f"{clip.noise:.0%} of the contrast changes in ways that no motion explains."
        yield _share("noise", clip.noise, NOISE_MOST, rule, sentence, asked.noise)


def _jerk_finding(jerk: float, order: float | None, asked: Asked) -> Finding:
    """Flow alone does not decide, being a guess in plain areas: frames out of order must bear it out.

    Where frames follow each other, a picture changes more over two steps than over one.
    """
    value = {"pixels": round(jerk, 4), "order": None if order is None else round(order, 4)}
    rule = f"at most {JERK_MOST:g} pixels at {SIDE} wide, or a change over one frame of {ORDER_MOST:g} of that over two"
    if jerk <= JERK_MOST:
        sentence = f"From frame to frame the motion changes by {jerk:.2f} pixels of {SIDE}."
    elif order is not None and order <= ORDER_MOST:
        sentence = f"The motion seems to jump by {jerk:.2f} pixels of {SIDE}, but the frames follow each other."
    else:
        sentence = (
            f"From frame to frame the motion jumps by {jerk:.2f} pixels of {SIDE}, as if frames were out of order."
        )
        if not asked.shake:
            return _finding("jerk", Verdict.WARN, value, rule, sentence)
        sentence = f"{sentence[:-1]}; the prompt's \u201c{asked.shake}\u201d asks for that."
    return _finding("jerk", Verdict.PASS, value, rule, sentence)


def _cut_finding(clip: Measured, asked: Asked) -> Finding:
    count, most = len(clip.cuts), max(asked.pictures - 1, 0)
    value = {"cuts": count, "frames": list(clip.cuts[:CUTS_TOLD])}
    where = ", ".join(str(frame) for frame in clip.cuts[:CUTS_TOLD])
    told = f"There {'is one hard cut' if count == 1 else f'are {count} hard cuts'}, at frame {where}"
    rule = "any number" if asked.cuts else f"at most {most}"
    if not count:
        return _finding("cuts", Verdict.PASS, value, rule, "There is no hard cut.")
    if not asked.known:
        return _finding("cuts", Verdict.UNVERIFIABLE, value, "", f"{told}; whether they were asked for is not known.")
    if asked.cuts:
        return _finding(
            "cuts", Verdict.PASS, value, rule, f"{told}; the prompt's \u201c{asked.cuts}\u201d allows that."
        )
    if count <= most:
        return _finding("cuts", Verdict.PASS, value, rule, f"{told}, between {asked.pictures} pictures.")
    return _finding("cuts", Verdict.WARN, value, rule, f"{told}, and nothing asked for more than {most}.")


def _share(name: str, value: float, most: float, rule: str, sentence: str, allowed: str) -> Finding:
    if value <= most:
        return _finding(name, Verdict.PASS, round(value, 4), rule, sentence)
    if allowed:
        sentence = f"{sentence[:-1]}; the prompt's \u201c{allowed}\u201d asks for that."
        return _finding(name, Verdict.PASS, round(value, 4), rule, sentence)
    return _finding(name, Verdict.WARN, round(value, 4), rule, sentence)


def _unknown(name: str, why: str) -> Finding:
    return _finding(name, Verdict.UNVERIFIABLE, None, "", f"Too little to measure: {why}.")


def _finding(name: str, verdict: Verdict, value: Any, expected: str, sentence: str) -> Finding:  # noqa: ANN401 - JSON
    return Finding(name=name, group=GROUP, verdict=verdict, value=value, expected=expected, sentence=sentence)
