# pyright: reportUnknownMemberType=false
# OpenCV leaves the element type of its arrays open.
"""Morph between two pictures of the same things: each is displaced towards the other while they dissolve."""

from dataclasses import dataclass

import cv2
import numpy as np

from framegate.animatic.picture.arrays import Map, blur, floats, resize_map
from framegate.animatic.picture.planes import Plane, Planes

SIDE_PIXELS = 400  # longer side of the pictures for optical flow
AGREEMENT_SHARE = 0.008  # of the longer side: maximum error of forward plus backward flow
AGREEMENT_MIN = 0.45  # of the frame; unrelated photos are below 0.15
CORRELATION_MIN = 0.3
SURE_AGREEMENT = 0.75
SMOOTH_SHARE = 0.006
SPACING_MIN = 0.15  # neighboring samples keep at least this part of their distance, so nothing folds
INVERSIONS = 4


@dataclass(frozen=True)
class FlowField:
    """Displacement over the whole frame, in parts of its width."""

    x: Map
    y: Map


@dataclass(frozen=True)
class Morph:
    """Optical flow from the first picture to the second, and backward."""

    forward: FlowField
    backward: FlowField
    agreement: float

    def displacements(self, share: float) -> tuple[FlowField, FlowField]:
        """Displacements to sample the first and the second picture at a fraction of the morph."""
        return _invert(self.forward, share), _invert(self.backward, 1 - share)


def find_morph(first: Planes, second: Planes) -> Morph | None:
    """Find the morph between two frames; None if they do not show the same things."""
    a, b = _prepare(first.y), _prepare(second.y)
    flows = _estimate_flows(a, b, (0.0, 0.0))
    if flows[2] < SURE_AGREEMENT:
        # For a large motion, start from the shift at which the whole frames fit best.
        window = cv2.createHanningWindow((a.shape[1], a.shape[0]), cv2.CV_32F)
        shift, _ = cv2.phaseCorrelate(floats(a), floats(b), window)
        flows = max(flows, _estimate_flows(a, b, (shift[0], shift[1])), key=lambda candidate: candidate[2])
    forward, backward, agreement = flows
    return Morph(_flow_field(forward), _flow_field(backward), agreement) if agreement >= AGREEMENT_MIN else None


def _estimate_flows(a: Plane, b: Plane, shift: tuple[float, float]) -> tuple[Map, Map, float]:
    """Forward and backward flow and their agreement, searched around a shift of the whole frame."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    guess = np.full((*a.shape, 2), shift, np.float32)
    forward = _smooth(floats(search.calc(a, b, guess.copy())))
    backward = _smooth(floats(search.calc(b, a, -guess)))
    return forward, backward, min(_agreement(a, b, forward, backward), _agreement(b, a, backward, forward))


def _prepare(luma: Plane) -> Plane:
    """A small copy with equalized brightness and contrast, so that day and night of one place match."""
    scale = SIDE_PIXELS / max(luma.shape)
    small = floats(cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    around = blur(small, SIDE_PIXELS / 16)
    contrast = np.sqrt(blur((small - around) ** 2, SIDE_PIXELS / 16)) + 4
    return np.asarray(np.clip(128 + 42 * (small - around) / contrast, 0, 255), np.uint8)


def _agreement(a: Plane, b: Plane, forward: Map, backward: Map) -> float:
    """Part of the frame where forward and backward flow cancel out and the details correlate."""
    height, width = a.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = floats(columns + forward[..., 0]), floats(rows + forward[..., 1])
    returned = floats(cv2.remap(backward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    error = np.hypot(forward[..., 0] + returned[..., 0], forward[..., 1] + returned[..., 1])
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    warped = floats(cv2.remap(b, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)) - 128
    centered = floats(a) - 128
    sigma = SIDE_PIXELS / 50
    covariance = blur(centered * warped, sigma)
    correlation = covariance / np.sqrt(blur(centered * centered, sigma) * blur(warped * warped, sigma) + 1e-3)
    return float(((error < AGREEMENT_SHARE * SIDE_PIXELS) & (correlation > CORRELATION_MIN) & inside).mean())


def _smooth(flow: Map) -> Map:
    """Smooth until no neighboring samples swap places at full displacement."""
    smooth = blur(flow, SMOOTH_SHARE * SIDE_PIXELS)
    for _ in range(24):
        across, down = 1 + np.diff(smooth[..., 0], axis=1), 1 + np.diff(smooth[..., 1], axis=0)
        if min(float(across.min()), float(down.min())) >= SPACING_MIN:
            break
        smooth = blur(smooth, 2 * SMOOTH_SHARE * SIDE_PIXELS)
    return smooth


def _flow_field(flow: Map) -> FlowField:
    height, width = flow.shape[:2]
    small = resize_map(flow, width // 2, height // 2) / width
    return FlowField(floats(small[..., 0]), floats(small[..., 1]))


def _invert(field: FlowField, share: float) -> FlowField:
    """Displacement to sample a picture at `share` of the flow: d(p) = -share f(p + d(p))."""
    height, width = field.x.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = floats(-share * field.x), floats(-share * field.y)
    for _ in range(INVERSIONS):
        places = floats(columns + x * width), floats(rows + y * width)
        x, y = (
            floats(-share * floats(cv2.remap(component, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)))
            for component in (field.x, field.y)
        )
    return FlowField(x, y)
