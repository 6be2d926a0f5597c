"""Motion checks: frozen, black and flat frames, cuts, flicker, jerk and noise.

Every frame is reduced to brightness, 256 pixels on its longer side, and measured while the file is decoded.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import cv2
import numpy as np
from av import VideoFrame

from framegate.media.quality.allowances import Allowances
from framegate.media.quality.pixels import Floats, Pixels, floats_of, pixels_of
from framegate.media.quality.report import Finding, Verdict

GROUP = "motion"
SIDE = 256  # pixels of the longer side; every length below is in these pixels
SIDE_MIN = 32
THUMBNAIL_SIZE = (64, 36)  # for the correlation of two frames
BLOCK_GRID = (16, 9)
FLOW_STRIDE = 4
LOOKBACK_SECONDS = 0.5  # distance of the frames compared for freezing: enough for slow motion to be visible
LOOKBACK_STEP_SECONDS = 0.1

STILL_LEVELS_MAX = 2.0  # of 255: change of any block of a still. Coding noise of a still: 0.1 to 1.6
BLACK_LEVEL_MAX = 24  # of 255, for all but the brightest hundredth
FLAT_DEVIATION_MAX = 3.0  # standard deviation over the frame
SHOT_CORRELATION_MIN = 0.5  # of two frames of one shot; a whip pan over stars stays at 0.84
NEIGHBOR_CORRELATION_MIN = 0.8  # of the frames around a cut

FROZEN_SHARE_MAX = 0.9
BLACK_SHARE_MAX = 0.2
FLAT_SHARE_MAX = 0.2
FLICKER_LEVELS_MAX = 4.0
JERK_PIXELS_MAX = 2.0
ORDER_RATIO_MAX = 0.9
NOISE_SHARE_MAX = 0.3  # of the contrast
CUTS_LISTED_MAX = 50


@dataclass(slots=True)
class _Series:
    """Measurements of each frame, and of each step from one frame to the next."""

    means: list[float] = field(default_factory=list[float])
    black_count: int = 0
    flat_count: int = 0
    frozen: list[bool] = field(default_factory=list[bool])
    correlation: list[float] = field(default_factory=list[float])  # with the previous frame
    correlation_2: list[float] = field(default_factory=list[float])  # with the frame before that; one fewer
    change: list[float] = field(default_factory=list[float])  # levels, from the previous frame
    change_2: list[float] = field(default_factory=list[float])  # from the frame before that; one fewer
    motion: list[float] = field(default_factory=list[float])
    jerk: list[float] = field(default_factory=list[float])
    noise: list[float] = field(default_factory=list[float])


class MotionMeter:
    """Measures the motion of a clip frame by frame. Stores a few numbers per frame."""

    def __init__(self) -> None:
        self._series = _Series()
        self._size: tuple[int, int] | None = None  # by the first frame, even if later frames have another size
        self._flow_estimator: Any = cast("Any", cv2).DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._previous: list[Pixels] = []  # the last two frames, the newest last
        self._flow: Floats | None = None
        self._history: deque[tuple[float, Pixels]] = deque()

    def add_frame(self, frame: VideoFrame, time: float) -> None:
        """Measure the next frame, shown at `time` seconds."""
        self._size = self._size or _working_size(frame.width, frame.height)
        luma = pixels_of(frame.reformat(*self._size, format="gray", interpolation="AREA").to_ndarray())
        series = self._series
        mean, deviation = float(luma.mean()), float(luma.std())
        series.means.append(mean)
        is_black = bool(np.count_nonzero(luma > BLACK_LEVEL_MAX) < 0.01 * luma.size)
        series.black_count += is_black
        series.flat_count += deviation < FLAT_DEVIATION_MAX and not is_black
        self._check_frozen(luma, time)
        if self._previous:
            self._measure_step(luma, deviation)
        self._previous = [*self._previous[-1:], luma]

    def _check_frozen(self, luma: Pixels, time: float) -> None:
        history, slack = self._history, LOOKBACK_STEP_SECONDS / 100
        while len(history) > 1 and time - history[1][0] >= LOOKBACK_SECONDS - slack:
            history.popleft()
        if history and time - history[0][0] >= LOOKBACK_SECONDS - slack:
            difference = floats_of(cv2.absdiff(luma, history[0][1]))
            block_changes = floats_of(cv2.resize(difference, BLOCK_GRID, interpolation=cv2.INTER_AREA))
            self._series.frozen.append(float(block_changes.max()) < STILL_LEVELS_MAX)
        if not history or time - history[-1][0] >= LOOKBACK_STEP_SECONDS - slack:
            history.append((time, luma))

    def _measure_step(self, luma: Pixels, deviation: float) -> None:
        """Measure the step from the previous frame to this one."""
        series, previous = self._series, self._previous[-1]
        series.correlation.append(_correlation(previous, luma))
        series.change.append(_mean_change(previous, luma))
        if len(self._previous) == 2:
            series.correlation_2.append(_correlation(self._previous[0], luma))
            series.change_2.append(_mean_change(self._previous[0], luma))
        flow: Floats = self._flow_estimator.calc(previous, luma, None)
        series.noise.append(_residual(previous, luma, flow) / max(deviation, FLAT_DEVIATION_MAX))
        coarse_flow, weights = flow[::FLOW_STRIDE, ::FLOW_STRIDE], _texture(previous)
        series.motion.append(_mean_length(coarse_flow, weights))
        if self._flow is not None:
            flow_change = coarse_flow - _follow_flow(self._flow, coarse_flow)
            series.jerk.append(_mean_length(flow_change, weights))
        self._flow = coarse_flow

    @property
    def measurement(self) -> "MotionMeasurement":
        """Summary of all frames so far."""
        return _summarize(self._series)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionMeasurement:
    """Motion of a clip. Shares are of all frames; lengths are in pixels of a frame 256 wide."""

    frames: int
    frozen: float | None  # None if the clip is too short to tell
    black: float
    flat: float
    flicker: float | None  # levels of 255
    cuts: tuple[int, ...]  # numbers of the frames that start another shot
    motion: float | None  # pixels per frame
    jerk: float | None  # pixels by which the motion changes from one frame to the next
    order: float | None  # change over one frame divided by change over two: about a half in steady motion
    noise: float | None  # share of the contrast that motion does not explain


def _summarize(series: _Series) -> MotionMeasurement:
    frames = len(series.means)
    cuts = tuple(_find_cuts(series.correlation, series.correlation_2))
    # A step across a cut is not motion; the two steps around it cannot be compared with each other.
    steps = [step for step in range(1, frames) if step not in cuts]
    turns = [turn for turn in range(2, frames) if turn not in cuts and turn - 1 not in cuts]
    means = np.array(series.means)
    jumps = [abs(means[turn] - 2 * means[turn - 1] + means[turn - 2]) / 4 for turn in turns]
    change_1 = sum(series.change[turn - 1] + series.change[turn - 2] for turn in turns) / 2
    change_2 = sum(series.change_2[turn - 2] for turn in turns)
    return MotionMeasurement(
        frames=frames,
        frozen=_mean([float(is_frozen) for is_frozen in series.frozen]),
        black=series.black_count / max(frames, 1),
        flat=series.flat_count / max(frames, 1),
        flicker=_mean(jumps),
        cuts=cuts,
        motion=_mean([series.motion[step - 1] for step in steps]),
        jerk=_mean([series.jerk[turn - 2] for turn in turns]),
        order=change_1 / change_2 if change_2 else None,
        noise=float(np.median(series.noise)) if series.noise else None,
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _find_cuts(correlation: list[float], correlation_2: list[float]) -> Iterator[int]:
    """Find frames that differ from the previous one, between frames that are alike; a flash is not a cut."""
    for step, value in enumerate(correlation):
        neighbors = [*correlation[max(step - 3, 0) : step], *correlation[step + 1 : step + 4]]
        # In a flash, this frame or the next one is similar to what came before.
        is_lasting = all(around < SHOT_CORRELATION_MIN for around in correlation_2[max(step - 1, 0) : step + 1])
        is_new_shot = value < SHOT_CORRELATION_MIN and is_lasting
        if is_new_shot and neighbors and float(np.median(neighbors)) > NEIGHBOR_CORRELATION_MIN:
            yield step + 1


def _working_size(width: int, height: int) -> tuple[int, int]:
    scale = SIDE / max(width, height)
    return max(SIDE_MIN, round(width * scale)), max(SIDE_MIN, round(height * scale))


def _centered_thumbnail(luma: Pixels) -> Floats:
    thumbnail = floats_of(cv2.resize(luma, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA))
    return thumbnail - thumbnail.mean()


def _correlation(first: Pixels, second: Pixels) -> float:
    """Correlation, independent of brightness and contrast: 1 for two flat frames, 0 for a flat and another one."""
    a, b = _centered_thumbnail(first), _centered_thumbnail(second)
    powers = float(np.mean(a * a)), float(np.mean(b * b))
    if min(powers) < 1:
        return 1.0 if max(powers) < FLAT_DEVIATION_MAX**2 else 0.0
    return float(np.mean(a * b)) / math.sqrt(powers[0] * powers[1])


def _mean_change(first: Pixels, second: Pixels) -> float:
    return float(pixels_of(cv2.absdiff(first, second)).mean())


def _residual(previous: Pixels, luma: Pixels, flow: Floats) -> float:
    rows, columns = np.mgrid[0 : luma.shape[0], 0 : luma.shape[1]].astype(np.float32)
    sources = columns + flow[..., 0], rows + flow[..., 1]
    compensated = floats_of(cv2.remap(floats_of(luma), *sources, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    difference = compensated - previous
    return float(np.abs(difference - difference.mean()).mean())  # a jump of the brightness is flicker, not noise


def _follow_flow(previous_flow: Floats, flow: Floats) -> Floats:
    """Previous motion of what is at each position, looked up where it was one step earlier."""
    rows, columns = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    offset = flow / FLOW_STRIDE
    sources = columns - offset[..., 0], rows - offset[..., 1]
    return floats_of(cv2.remap(previous_flow, *sources, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _texture(luma: Pixels) -> Floats:
    """Texture of each position, as the weight of its motion: optical flow is unreliable in plain areas."""
    smooth = floats_of(cv2.GaussianBlur(luma, (5, 5), 0))
    across, down = floats_of(cv2.Sobel(smooth, cv2.CV_32F, 1, 0)), floats_of(cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return floats_of(across * across + down * down)[::FLOW_STRIDE, ::FLOW_STRIDE]


def _mean_length(flow: Floats, weights: Floats) -> float:
    total = float(weights.sum())
    return float((np.hypot(flow[..., 0], flow[..., 1]) * weights).sum()) / total if total > 0 else 0.0


def motion_findings(clip: MotionMeasurement, allowances: Allowances) -> Iterator[Finding]:
    """Compare the motion of a clip with the thresholds. What the prompt asks for passes, and the sentence quotes it."""
    if clip.frozen is None:
        yield _unmeasured("frozen", f"it is shorter than {LOOKBACK_SECONDS:g} s")
    else:
        rule = f"at most {FROZEN_SHARE_MAX:.0%} of the frames"
        sentence = f"{clip.frozen:.0%} of the frames equal the frame {LOOKBACK_SECONDS:g} s earlier."
        yield _threshold_finding("frozen", clip.frozen, FROZEN_SHARE_MAX, rule, sentence, allowances.still)
    rule = f"at most {BLACK_SHARE_MAX:.0%} of the frames"
    sentence = f"{clip.black:.0%} of the frames are black."
    yield _threshold_finding("black", clip.black, BLACK_SHARE_MAX, rule, sentence, allowances.dark)
    rule = f"at most {FLAT_SHARE_MAX:.0%} of the frames"
    sentence = f"{clip.flat:.0%} of the frames have a single color."
    yield _threshold_finding("flat", clip.flat, FLAT_SHARE_MAX, rule, sentence, allowances.flat)
    yield _cut_finding(clip, allowances)
    if clip.flicker is None or clip.jerk is None:
        yield from (_unmeasured(name, "it has fewer than three frames") for name in ("flicker", "jerk"))
    else:
        rule = f"at most {FLICKER_LEVELS_MAX:g} levels of 255"
        sentence = f"The brightness jumps by {clip.flicker:.2f} levels of 255 on average."
        yield _threshold_finding("flicker", clip.flicker, FLICKER_LEVELS_MAX, rule, sentence, allowances.flicker)
        yield _jerk_finding(clip.jerk, clip.order, allowances)
    if clip.noise is None:
        yield _unmeasured("noise", "it has only one frame")
    else:
        rule = f"at most {NOISE_SHARE_MAX:g} of the contrast"
        sentence = f"{clip.noise:.0%} of the contrast changes in ways that motion does not explain."
        yield _threshold_finding("noise", clip.noise, NOISE_SHARE_MAX, rule, sentence, allowances.noise)


def _jerk_finding(jerk: float, order: float | None, allowances: Allowances) -> Finding:
    """Report jerk only if the frames also seem to be out of order, because optical flow fails in plain areas.

    If frames are in order, the image changes more over two steps than over one.
    """
    value = {"pixels": round(jerk, 4), "order": None if order is None else round(order, 4)}
    rule = (
        f"at most {JERK_PIXELS_MAX:g} pixels at {SIDE} wide, "
        f"or a change over one frame of {ORDER_RATIO_MAX:g} of that over two"
    )
    if jerk <= JERK_PIXELS_MAX:
        sentence = f"The motion changes by {jerk:.2f} pixels of {SIDE} from frame to frame."
    elif order is not None and order <= ORDER_RATIO_MAX:
        sentence = f"The motion seems to jump by {jerk:.2f} pixels of {SIDE}, but the frames are in order."
    else:
        sentence = f"The motion jumps by {jerk:.2f} pixels of {SIDE} from frame to frame; frames may be out of order."
        if not allowances.shake:
            return _finding("jerk", Verdict.WARN, value, rule, sentence)
        sentence = _excuse(sentence, allowances.shake)
    return _finding("jerk", Verdict.PASS, value, rule, sentence)


def _cut_finding(clip: MotionMeasurement, allowances: Allowances) -> Finding:
    count, cuts_max = len(clip.cuts), max(allowances.image_count - 1, 0)
    listed = clip.cuts[:CUTS_LISTED_MAX]
    value = {"cuts": count, "frames": list(listed)}
    frames = ", ".join(map(str, listed))
    subject = f"There {'is one hard cut' if count == 1 else f'are {count} hard cuts'}, at frame {frames}"
    rule = "any number" if allowances.cuts else f"at most {cuts_max}"
    if not count:
        return _finding("cuts", Verdict.PASS, value, rule, "There is no hard cut.")
    if not allowances.has_request:
        sentence = f"{subject}; without the request, it is unknown whether cuts were wanted."
        return _finding("cuts", Verdict.UNVERIFIABLE, value, "", sentence)
    if allowances.cuts:
        return _finding("cuts", Verdict.PASS, value, rule, _excuse(f"{subject}.", allowances.cuts))
    if count <= cuts_max:
        return _finding("cuts", Verdict.PASS, value, rule, f"{subject}, between {allowances.image_count} images.")
    return _finding("cuts", Verdict.WARN, value, rule, f"{subject}; the request allows at most {cuts_max}.")


def _threshold_finding(name: str, value: float, value_max: float, rule: str, sentence: str, excuse: str) -> Finding:
    if value <= value_max:
        return _finding(name, Verdict.PASS, round(value, 4), rule, sentence)
    if excuse:
        return _finding(name, Verdict.PASS, round(value, 4), rule, _excuse(sentence, excuse))
    return _finding(name, Verdict.WARN, round(value, 4), rule, sentence)


def _excuse(sentence: str, words: str) -> str:
    return f"{sentence.removesuffix('.')}; the prompt asks for it: \u201c{words}\u201d."


def _unmeasured(name: str, reason: str) -> Finding:
    return _finding(name, Verdict.UNVERIFIABLE, None, "", f"The video is too short to measure this: {reason}.")


def _finding(name: str, verdict: Verdict, value: Any, expected: str, sentence: str) -> Finding:  # noqa: ANN401 - JSON
    return Finding(name=name, group=GROUP, verdict=verdict, value=value, expected=expected, sentence=sentence)
