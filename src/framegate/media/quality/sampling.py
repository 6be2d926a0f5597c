"""Frame sampling: the frames that are compared with the references, collected while a clip is decoded."""

from dataclasses import dataclass

from av import VideoFrame

from framegate.media.quality.pixels import Pixels, frame_pixels

SAMPLES_MIN, SAMPLES_MAX, SAMPLES_PER_REFERENCE = 8, 24, 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A sampled frame, with its number and time."""

    number: int
    seconds: float
    pixels: Pixels


class FrameSampler:
    """Collects evenly spread frames of a clip, and its first and last frame."""

    def __init__(self, duration: float | None, reference_count: int) -> None:
        count = min(max(SAMPLES_MIN, SAMPLES_PER_REFERENCE * reference_count), SAMPLES_MAX)
        self._due = [(duration or 0.0) * (index + 0.5) / count for index in range(count)]
        self._count = 0
        self._newest: tuple[VideoFrame, float] | None = None
        self.spread: list[Sample] = []
        self.first: Sample | None = None

    def add_frame(self, frame: VideoFrame, time: float) -> None:
        """Store a copy of the next frame, shown at `time` seconds, if it is due."""
        due_count = sum(due <= time for due in self._due)
        sample = None
        if self.first is None or due_count:
            sample = Sample(self._count, time, frame_pixels(frame))
        if sample and due_count:
            del self._due[:due_count]
            self.spread.append(sample)
        self.first = self.first or sample
        self._newest = frame, time
        self._count += 1

    @property
    def last(self) -> Sample | None:
        """The last frame of the clip; None without any frame."""
        if self._newest is None:
            return None
        frame, time = self._newest
        return Sample(self._count - 1, time, frame_pixels(frame))
