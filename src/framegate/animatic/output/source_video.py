# pyright: reportUnknownMemberType=false
# PyAV and OpenCV leave the element types of what they return open.
"""Source video to extend: its frames at the output's size and rate, its sound, and its drift at the end."""

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

from framegate.animatic.audio.layers import SAMPLE_RATE, Samples
from framegate.animatic.camera.framing import Size, fit_view
from framegate.animatic.camera.momentum import MEASURED_SECONDS, Drift, measure_drift
from framegate.animatic.errors import UnusableSource
from framegate.animatic.picture import planes
from framegate.animatic.picture.planes import Pixels, Planes

SECONDS_MAX = 60
SIDE_PIXELS_MAX = 4096
TAIL_SECONDS = 1.0  # decoded to read only the end; the key frame may be earlier
MOTION_PIXELS = 480  # width for the measurement of motion
FADE_SECONDS = 0.02  # at the end of the source's sound, to avoid a click
# Without this list, FFmpeg would also open playlists and scripts, which refer to other files and addresses.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts"
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}


@dataclass(frozen=True)
class SourceVideo:
    """An analyzed source video: its last frame cropped to the output's shape, and the drift of its picture.

    `last_frame_seconds` is the duration of the last frame; `pixel_aspect` the width of a pixel divided by its height.
    """

    path: str
    output: Size
    fps: int
    size: Size
    pixel_aspect: float
    seconds: float
    last_frame: Pixels
    last_frame_seconds: float
    drift: Drift
    has_audio: bool

    @property
    def frame_count(self) -> int:
        """Number of frames at the output's rate."""
        return round(self.seconds * self.fps)

    @property
    def lead_seconds(self) -> float:
        """Time from its last frame to the first new one."""
        return min(
            max(self.frame_count / self.fps - (self.seconds - self.last_frame_seconds), 0.25 / self.fps), 2 / self.fps
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on cropped and enlarged frames."""
        notes: list[str] = []
        output, source = self.output, self.size
        shape_ratio = source.width / source.height * output.height / output.width
        sizes = f"The source is {source.width}x{source.height} and the video {output.width}x{output.height}"
        if abs(shape_ratio - 1) > 0.02:
            sides = "left and right" if shape_ratio > 1 else "top and bottom"
            notes.append(
                f"{sizes}, so {1 - min(shape_ratio, 1 / shape_ratio):.0%} of its picture was cut off at {sides}."
            )
        elif output.width > 1.5 * source.width:
            notes.append(f"{sizes}, so its frames were enlarged.")
        return tuple(notes)

    def frames(self) -> Iterator[Planes]:
        """Its frames at the output's rate, each the latest at its time, up to the last frame of the file."""
        with _open(self.path) as container:
            frames = _timed_frames(container)
            current = next(frames, None)
            following = next(frames, None)
            fitted: tuple[VideoFrame, Planes] | None = None
            for at in range(self.frame_count):
                while following is not None and (at == self.frame_count - 1 or following[0] <= (at + 0.5) / self.fps):
                    current, following = following, next(frames, None)
                if current is None:
                    raise UnusableSource("the source video has no frame that can be decoded")
                if fitted is None or fitted[0] is not current[1]:
                    fitted = current[1], self._fit(current[1])
                yield fitted[1]

    def _fit(self, frame: VideoFrame) -> Planes:
        cropped = _crop(_to_pixels(frame, self.pixel_aspect), self.output)
        return planes.fit(cropped, fit_view(planes.size_of(cropped), self.output), self.output)

    def audio(self) -> Iterator[Samples]:
        """Its sound as stereo, exactly as long as its frames; silence if it has none."""
        sample_count = round(self.frame_count / self.fps * SAMPLE_RATE)
        fade = round(FADE_SECONDS * SAMPLE_RATE)
        written = 0
        for piece in self._decode_audio() if self.has_audio else ():
            part = piece[:, : sample_count - written]
            length = int(part.shape[1])
            fade_out = np.clip((sample_count - written - np.arange(length)) / fade, 0, 1)
            yield (part * fade_out).astype(np.float32)
            written += length
            if written >= sample_count:
                return
        while written < sample_count:
            yield np.zeros((2, min(SAMPLE_RATE, sample_count - written)), np.float32)
            written += min(SAMPLE_RATE, sample_count - written)

    def _decode_audio(self) -> Iterator[Samples]:
        with _open(self.path) as container:
            stream = container.streams.audio[0]
            video = container.streams.video[0]
            delay_seconds = _seconds(stream.start_time, stream.time_base) - _seconds(video.start_time, video.time_base)
            skip_count = max(round(-delay_seconds * SAMPLE_RATE), 0)
            if delay_seconds > 0:
                yield np.zeros((2, round(delay_seconds * SAMPLE_RATE)), np.float32)
            resampler = AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
            try:
                for frame in (*container.decode(stream), None):
                    for resampled in resampler.resample(frame):
                        samples = np.asarray(resampled.to_ndarray(), np.float32)
                        dropped = min(skip_count, samples.shape[1])
                        skip_count -= dropped
                        yield samples[:, dropped:]
            except FFmpegError as error:
                raise UnusableSource(f"the sound of the source video cannot be decoded: {error.strerror}") from error


def open_source(path: str, output: Size, fps: int) -> SourceVideo:
    """Open a source video and analyze its end. Raises UnusableSource."""
    with _open(path) as container:
        video = container.streams.video[0]
        seconds = _duration(container)
        _check_limits(video.codec_context.width, video.codec_context.height, seconds)
        if seconds > TAIL_SECONDS:
            container.seek(int((seconds - TAIL_SECONDS) * av.time_base))
        tail, last_frame = _read_tail(container)
        if last_frame is None:
            raise UnusableSource("the source video has no frame that can be decoded")
        pixel_aspect = float(video.sample_aspect_ratio or 1)
        picture = _to_pixels(last_frame, pixel_aspect)
        size = planes.size_of(picture)
        return SourceVideo(
            path=path,
            output=output,
            fps=fps,
            size=size,
            pixel_aspect=pixel_aspect,
            seconds=seconds,
            last_frame=_crop(picture, output),
            last_frame_seconds=min(max(seconds - tail[-1][0], 0.0), 1.0),
            drift=measure_drift(tail, size, output),
            has_audio=bool(container.streams.audio),
        )


def _read_tail(container: InputContainer) -> tuple[list[tuple[float, Pixels]], VideoFrame | None]:
    """The last frames with their times, as small pictures, and the very last one in full."""
    tail: deque[tuple[float, Pixels]] = deque()
    last: VideoFrame | None = None
    for time, last in _timed_frames(container):
        tail.append((time, _to_motion_pixels(last)))
        while tail[-1][0] - tail[0][0] > MEASURED_SECONDS:
            tail.popleft()
    return list(tail), last


def _open(path: str) -> InputContainer:
    try:
        container = av.open(str(Path(path).resolve()), options=_OPTIONS, metadata_errors="ignore")
    except (FFmpegError, OSError, ValueError) as error:
        reason = (
            error.strerror if isinstance(error, FFmpegError | OSError) else error
        )  # the whole text would tell where files lie here
        raise UnusableSource(f"the source video cannot be opened: {reason}") from error
    if not container.streams.video or cast("Any", container.streams.video[0]).codec_context is None:
        container.close()
        raise UnusableSource("the source video has no video track that can be decoded")
    return container


def _check_limits(width: int, height: int, seconds: float) -> None:
    if seconds > SECONDS_MAX:
        raise UnusableSource(f"the source video is {seconds:.1f} s long: the maximum is {SECONDS_MAX} s, so trim it")
    if max(width, height) > SIDE_PIXELS_MAX:
        limit = f"the maximum is {SIDE_PIXELS_MAX} pixels a side, so scale it down"
        raise UnusableSource(f"the source video is {width}x{height}: {limit}")
    if seconds <= 0:
        raise UnusableSource("the source video has no duration in its header, so it cannot be extended: remux it")


def _duration(container: InputContainer) -> float:
    video = container.streams.video[0]
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def _timed_frames(container: InputContainer) -> Iterator[tuple[float, VideoFrame]]:
    """The frames with their times, in seconds from the first frame of the file."""
    video = container.streams.video[0]
    video.thread_type = "AUTO"
    begin = _seconds(video.start_time, video.time_base)
    try:
        for frame in container.decode(video):
            yield _seconds(frame.pts, frame.time_base) - begin, frame
    except FFmpegError as error:
        raise UnusableSource(f"the source video cannot be decoded to its end: {error.strerror}") from error


def _seconds(stamp: int | None, base: Fraction | None) -> float:
    return float(stamp * base) if stamp is not None and base is not None else 0.0


def _to_pixels(frame: VideoFrame, pixel_aspect: float) -> Pixels:
    picture = _rotate(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), frame)
    if abs(pixel_aspect - 1) < 0.01:
        return picture
    width_factor = pixel_aspect if frame.rotation % 180 == 0 else 1 / pixel_aspect
    return planes.resize(picture, round(picture.shape[1] * width_factor), picture.shape[0])


def _rotate(picture: Pixels, frame: VideoFrame) -> Pixels:
    return np.rot90(picture, frame.rotation // 90) if frame.rotation else picture


def _crop(picture: Pixels, output: Size) -> Pixels:
    """The part of a frame in the output's shape."""
    view = fit_view(planes.size_of(picture), output)
    left, top = round(view.x), round(view.y)
    return np.ascontiguousarray(picture[top : top + round(view.height), left : left + round(view.width)])


def _to_motion_pixels(frame: VideoFrame) -> Pixels:
    """A small upright gray copy of the frame, to measure motion."""
    width = min(frame.width, MOTION_PIXELS) // 2 * 2
    height = max(round(frame.height * width / frame.width / 2) * 2, 16)
    gray = frame.reformat(width=width, height=height, format="gray").to_ndarray()
    return np.ascontiguousarray(_rotate(np.asarray(gray, np.uint8), frame))
