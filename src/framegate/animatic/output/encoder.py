# pyright: reportUnknownMemberType=false
# PyAV leaves the type of its packets open.
"""Encoder: frames and sound to an MP4, each in its own thread; the same input always gives the same bytes."""

import queue
import threading
from collections.abc import Iterable
from fractions import Fraction
from types import TracebackType
from typing import Any, Self, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from framegate.animatic.audio.layers import SAMPLE_RATE, Samples
from framegate.animatic.camera.framing import Size
from framegate.animatic.errors import OutputFailed
from framegate.animatic.picture.planes import Plane, Planes

PRESET = "veryfast"
CRF = "18"
THREADS = 4  # x264's output depends on the number, so it is the same on every machine
EXACT_FRAME_QP = 12  # quality of a first or last frame
QP_STEP_MAX = 40  # lets x264 reach that quality in one step
QUEUED_FRAMES_MAX = 6
SOUND_BITS_PER_SECOND = 128_000
COMMENT = "animatic: camera moves over the references, no generative model"


class VideoWriter:
    """Writer of one video file: get a `new_frame`, draw into it, `write` it. Use as a context manager.

    Raises OutputFailed if the encoder or the disk fails.
    """

    def __init__(
        self,
        path: str,
        output: Size,
        fps: int,
        exact_frames: tuple[int, ...] = (),
        sound: Iterable[Samples] | None = None,
    ) -> None:
        self._output = output
        self._queue: queue.Queue[av.VideoFrame | None] = queue.Queue(QUEUED_FRAMES_MAX)
        self._error: BaseException | None = None
        self._count = 0
        self._mux_lock = threading.Lock()
        try:
            # Without these, the muxer writes its version into the file, and the interleaving depends on the threads'
            # timing.
            options = {"movflags": "+faststart", "fflags": "+bitexact", "max_interleave_delta": "0"}
            self._container = av.open(path, "w", format="mp4", options=options)
        except (FFmpegError, OSError) as error:
            raise OutputFailed(f"cannot create the video file: {error}") from error
        self._container.metadata.update({"title": "Animatic", "comment": COMMENT, "encoder": "Framegate animatic"})
        self._stream = self._container.add_stream("libx264", rate=fps, options=_x264_options(exact_frames))
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = output.width, output.height, "yuv420p"
        context.thread_count = THREADS
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        self._threads = [threading.Thread(target=self._encode_frames, name="animatic-encoder", daemon=True)]
        if sound is not None:
            self._sound = self._container.add_stream("aac", rate=SAMPLE_RATE, options={"flags": "+bitexact"})
            self._sound.codec_context.bit_rate = SOUND_BITS_PER_SECOND
            self._sound.codec_context.layout = "stereo"
            self._threads.append(
                threading.Thread(target=self._encode_sound, args=(sound,), name="animatic-sound", daemon=True)
            )

    def __enter__(self) -> Self:
        try:
            self._container.start_encoding()
        except (FFmpegError, OSError) as error:
            raise OutputFailed(f"cannot start the video file: {error}") from error
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None and self._error is None:
            self._error = error  # drop the queued frames
        self._queue.put(None)
        for thread in self._threads:
            thread.join()
        try:
            self._container.close()
        except (FFmpegError, OSError) as close_error:
            self._error = self._error or close_error
        if kind is None and self._error is not None:
            raise OutputFailed(f"cannot write the video: {self._error}") from self._error

    def new_frame(self) -> tuple[av.VideoFrame, Planes]:
        """A new frame and its planes, to draw into in place."""
        frame = av.VideoFrame(self._output.width, self._output.height, "yuv420p")
        return frame, Planes(*(_as_array(plane) for plane in frame.planes))

    def write(self, frame: av.VideoFrame) -> None:
        if self._error is not None:
            raise OutputFailed(f"cannot write the video: {self._error}") from self._error
        frame.pts = self._count
        self._count += 1
        self._queue.put(frame)

    def _encode_frames(self) -> None:
        while (frame := self._queue.get()) is not None:
            self._encode_frame(frame)
        self._encode_frame(None)

    def _encode_frame(self, frame: av.VideoFrame | None) -> None:
        if self._error is not None:
            return  # keep emptying the queue, so that the drawing thread never blocks
        try:
            self._mux(cast("list[Any]", self._stream.encode(frame)))
        except Exception as error:  # noqa: BLE001  # top level of the thread: `write` and `__exit__` raise it
            self._error = error

    def _encode_sound(self, sound: Iterable[Samples]) -> None:
        at = 0
        try:
            for samples in sound:
                if self._error is not None:
                    return
                self._mux(cast("list[Any]", self._sound.encode(_audio_frame(samples, at))))
                at += samples.shape[1]
            self._mux(cast("list[Any]", self._sound.encode(None)))
        except Exception as error:  # noqa: BLE001  # top level of the thread: `write` and `__exit__` raise it
            self._error = error

    def _mux(self, packets: list[Any]) -> None:
        with self._mux_lock:
            self._container.mux(packets)


def _audio_frame(samples: Samples, at: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), at
    return frame


def _x264_options(exact_frames: tuple[int, ...]) -> dict[str, str]:
    options = {"preset": PRESET, "crf": CRF, "profile": "high", "flags": "+bitexact"}
    if exact_frames:
        options["x264-params"] = f"qpstep={QP_STEP_MAX}:zones=" + "/".join(
            f"{at},{at},q={EXACT_FRAME_QP}" for at in exact_frames
        )
    return options


def _as_array(plane: VideoPlane) -> Plane:
    buffer = cast("memoryview", plane)  # a buffer, though its stubs do not say so
    return np.frombuffer(buffer, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
