"""Frames to compare with the references, kept while a clip is decoded anyway."""

from dataclasses import dataclass

from av import VideoFrame

from framegate.media.quality import pictures
from framegate.media.quality.pictures import Pixels

SAMPLES_LEAST, SAMPLES_MOST, SAMPLES_OF_EACH = 8, 24, 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame of the clip."""

    number: int
    seconds: float
    pixels: Pixels


class Samples:
    """Keeps frames evenly spread over the clip, with the first and the last, and nothing else."""

    def __init__(self, duration: float | None, references: int) -> None:
        count = min(max(SAMPLES_LEAST, SAMPLES_OF_EACH * references), SAMPLES_MOST)
        self._due = [(duration or 0.0) * (index + 0.5) / count for index in range(count)]
        self._count = 0
        self._newest: tuple[VideoFrame, float] | None = None
        self.spread: list[Sample] = []
        self.first: Sample | None = None

    def take(self, frame: VideoFrame, time: float) -> None:
        """Look at the next frame; keep a copy of it if its turn has come."""
        reached = sum(due <= time for due in self._due)
        sample = None
        if self.first is None or reached:
            sample = Sample(self._count, time, pictures.shown(frame))
        if sample and reached:
            del self._due[:reached]
            self.spread.append(sample)
        self.first = self.first or sample
        self._newest = frame, time
        self._count += 1

    @property
    def last(self) -> Sample | None:
        """The last frame of all."""
        if self._newest is None:
            return None
        frame, time = self._newest
        return Sample(self._count - 1, time, pictures.shown(frame))
