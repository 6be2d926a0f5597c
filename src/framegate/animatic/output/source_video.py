# pyright: reportUnknownMemberType=false
# PyAV and OpenCV leave the element types of what they return open.
"""A video to go on from: its frames at the output's size and pace, its sound, and how its picture moves at its end."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from framegate.animatic.audio.layers import RATE, Samples
from framegate.animatic.camera.framing import Size, fit_view
from framegate.animatic.camera.momentum import LOOKED_SECONDS, Drift, drift_of
from framegate.animatic.errors import UnusableSource
from framegate.animatic.picture import planes
from framegate.animatic.picture.planes import Pixels, Planes

SECONDS_MOST = 60
SIDE_PIXELS_MOST = 4096
TAIL_SECONDS = 1.0  # from where decoding starts when only the end is wanted; a key frame may lie further back
SMALL_PIXELS = 480  # the width at which motion is measured
FADE_SECONDS = 0.02  # of the source's sound at its end, against a click
# Never ffmpeg's own guess of what a file is: its play lists and scripts would open other files and addresses.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts"
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}


@dataclass(frozen=True)
class Source:
    """A source video, looked at: its last frame cut to the output's shape, and how the picture drifts there.

    `since_last` is how long the last frame is shown; `stretch` how much wider than high its pixels are.
    """

    path: str
    output: Size
    fps: int
    shown: Size
    stretch: float
    seconds: float
    last: Pixels
    since_last: float
    drift: Drift
    heard: bool

    @property
    def frames_count(self) -> int:
        """How many frames it has at the output's pace."""
        return round(self.seconds * self.fps)

    @property
    def lead(self) -> float:
        """How long after its last frame the first new one comes, in seconds."""
        return min(max(self.frames_count / self.fps - (self.seconds - self.since_last), 0.25 / self.fps), 2 / self.fps)

    @property
    def notes(self) -> tuple[str, ...]:
        """What its frames lose or suffer on their way into the output, as sentences."""
        told: list[str] = []
        wanted, shown = self.output, self.shown
        kept = shown.width / shown.height * wanted.height / wanted.width
        sizes = f"The source is {shown.width}x{shown.height} and the video {wanted.width}x{wanted.height}"
        if abs(kept - 1) > 0.02:
            sides = "left and right" if kept > 1 else "top and bottom"
            told.append(f"{sizes}, so {1 - min(kept, 1 / kept):.0%} of its picture was cut off at {sides}.")
        elif wanted.width > 1.5 * shown.width:
            told.append(f"{sizes}, so its frames were enlarged.")
        return tuple(told)

    def frames(self) -> Iterator[Planes]:
        """Its frames, one for each of the output's, each the newest at its time; the last one is the very last."""
        with _opened(self.path) as container:
            frames = _timed(container)
            now = next(frames, None)
            following = next(frames, None)
            drawn: tuple[VideoFrame, Planes] | None = None
            for at in range(self.frames_count):
                while following is not None and (at == self.frames_count - 1 or following[0] <= (at + 0.5) / self.fps):
                    now, following = following, next(frames, None)
                if now is None:
                    raise UnusableSource("the source has no frame that can be decoded")
                if drawn is None or drawn[0] is not now[1]:
                    drawn = now[1], self._fitted(now[1])
                yield drawn[1]

    def _fitted(self, frame: VideoFrame) -> Planes:
        cut = _cut(_upright(frame, self.stretch), self.output)
        return planes.fitted(cut, fit_view(planes.size_of(cut), self.output), self.output)

    def sound(self) -> Iterator[Samples]:
        """Its sound as stereo, exactly as long as its frames; silence where it has none."""
        wanted = round(self.frames_count / self.fps * RATE)
        fade = round(FADE_SECONDS * RATE)
        at = 0
        for piece in self._pieces() if self.heard else ():
            part = piece[:, : wanted - at]
            length = int(part.shape[1])
            left = np.clip((wanted - at - np.arange(length)) / fade, 0, 1)
            yield (part * left).astype(np.float32)
            at += length
            if at >= wanted:
                return
        while at < wanted:
            yield np.zeros((2, min(RATE, wanted - at)), np.float32)
            at += min(RATE, wanted - at)

    def _pieces(self) -> Iterator[Samples]:
        with _opened(self.path) as container:
            stream = container.streams.audio[0]
            video = container.streams.video[0]
            late = _seconds(stream.start_time, stream.time_base) - _seconds(video.start_time, video.time_base)
            skipped = max(round(-late * RATE), 0)
            if late > 0:
                yield np.zeros((2, round(late * RATE)), np.float32)
            resampler = AudioResampler(format="fltp", layout="stereo", rate=RATE)
            try:
                for frame in (*container.decode(stream), None):
                    for even in resampler.resample(frame):
                        samples = np.asarray(even.to_ndarray(), np.float32)
                        dropped = min(skipped, samples.shape[1])
                        skipped -= dropped
                        yield samples[:, dropped:]
            except FFmpegError as error:
                raise UnusableSource(f"the source's sound cannot be decoded: {error.strerror}") from error


def look(path: str, output: Size, fps: int) -> Source:
    """Open a source and study its end. Raises UnusableSource."""
    with _opened(path) as container:
        video = container.streams.video[0]
        seconds = _length(container)
        _check(video.codec_context.width, video.codec_context.height, seconds)
        if seconds > TAIL_SECONDS:
            container.seek(int((seconds - TAIL_SECONDS) * av.time_base))
        tail, last = _tail(container)
        if last is None:
            raise UnusableSource("the source has no frame that can be decoded")
        stretch = float(video.sample_aspect_ratio or 1)
        picture = _upright(last, stretch)
        shown = planes.size_of(picture)
        return Source(
            path=path,
            output=output,
            fps=fps,
            shown=shown,
            stretch=stretch,
            seconds=seconds,
            last=_cut(picture, output),
            since_last=min(max(seconds - tail[-1][0], 0.0), 1.0),
            drift=drift_of(tail, shown, output),
            heard=bool(container.streams.audio),
        )


def _tail(container: InputContainer) -> tuple[list[tuple[float, Pixels]], VideoFrame | None]:
    """The last frames, small and with their times, and the very last as it is."""
    tail: deque[tuple[float, Pixels]] = deque()
    last: VideoFrame | None = None
    for time, last in _timed(container):
        tail.append((time, _small(last)))
        while tail[-1][0] - tail[0][0] > LOOKED_SECONDS:
            tail.popleft()
    return list(tail), last


def _opened(path: str) -> InputContainer:
    try:
        container = av.open(str(Path(path).resolve()), options=_OPTIONS, metadata_errors="ignore")
    except (FFmpegError, OSError, ValueError) as error:
        why = (
            error.strerror if isinstance(error, FFmpegError | OSError) else error
        )  # the whole text would tell where files lie here
        raise UnusableSource(f"the source cannot be opened as a video: {why}") from error
    if not container.streams.video or cast("Any", container.streams.video[0]).codec_context is None:
        container.close()
        raise UnusableSource("the source has no picture track that can be decoded")
    return container


def _check(width: int, height: int, seconds: float) -> None:
    if seconds > SECONDS_MOST:
        raise UnusableSource(f"the source is {seconds:.1f} s long: at most {SECONDS_MOST} s are taken, so cut it first")
    if max(width, height) > SIDE_PIXELS_MOST:
        most = f"at most {SIDE_PIXELS_MOST} pixels a side are taken, so make it smaller first"
        raise UnusableSource(f"the source is {width}x{height}: {most}")
    if seconds <= 0:
        raise UnusableSource("the source does not say how long it is, so it cannot be gone on from")


def _length(container: InputContainer) -> float:
    video = container.streams.video[0]
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def _timed(container: InputContainer) -> Iterator[tuple[float, VideoFrame]]:
    """The frames with their times, in seconds from the first frame of the file."""
    video = container.streams.video[0]
    video.thread_type = "AUTO"
    begin = _seconds(video.start_time, video.time_base)
    try:
        for frame in container.decode(video):
            yield _seconds(frame.pts, frame.time_base) - begin, frame
    except FFmpegError as error:
        raise UnusableSource(f"the source cannot be decoded to its end: {error.strerror}") from error


def _seconds(stamp: int | None, base: Fraction | None) -> float:
    return float(stamp * base) if stamp is not None and base is not None else 0.0


def _upright(frame: VideoFrame, stretch: float) -> Pixels:
    picture = _turned(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), frame)
    if abs(stretch - 1) < 0.01:
        return picture
    wide = stretch if frame.rotation % 180 == 0 else 1 / stretch
    return planes.resized(picture, round(picture.shape[1] * wide), picture.shape[0])


def _turned(picture: Pixels, frame: VideoFrame) -> Pixels:
    return np.rot90(picture, frame.rotation // 90) if frame.rotation else picture


def _cut(picture: Pixels, output: Size) -> Pixels:
    """The part of a frame that has the output's shape."""
    view = fit_view(planes.size_of(picture), output)
    left, top = round(view.x), round(view.y)
    return np.ascontiguousarray(picture[top : top + round(view.height), left : left + round(view.width)])


def _small(frame: VideoFrame) -> Pixels:
    """The frame upright, in grey and small: for its motion."""
    width = min(frame.width, SMALL_PIXELS) // 2 * 2
    height = max(round(frame.height * width / frame.width / 2) * 2, 16)
    grey = frame.reformat(width=width, height=height, format="gray").to_ndarray()
    return np.ascontiguousarray(_turned(np.asarray(grey, np.uint8), frame))
