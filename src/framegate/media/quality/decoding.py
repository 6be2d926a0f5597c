"""One pass over a file from its first packet to its last, counting what conformance asks about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import av
import av.error
import numpy as np
from av import AudioFrame, VideoFrame
from av.codec.context import ThreadType
from av.packet import Packet

from framegate.media import videos
from framegate.media.videos import Probe

SECONDS_MAX = 600.0  # of work on one file
LEVELS = {  # silence and full scale of each sample format
    "float32": (0, 1),
    "float64": (0, 1),
    "int32": (0, 2**31),
    "int16": (0, 2**15),
    "uint8": (128, 2**7),
}


class FrameSink(Protocol):
    """Whoever wants to see the frames while they are decoded."""

    def take(self, frame: VideoFrame, time: float) -> None:
        """Look at the next frame, in the order of showing; `time` is in seconds from the first."""
        ...


@dataclass(slots=True, kw_only=True)
class Decoded:
    """What one pass found."""

    probe: Probe
    packets: int = 0
    frames: int = 0
    corrupt: int = 0  # frames that the decoder had to patch
    first_is_key: bool | None = None
    disorder: int = 0  # times at which the clock stood still or ran back
    first_time: float | None = None  # seconds
    last_time: float | None = None
    last_length: float = 0.0  # how long the last frame is shown, seconds
    longest_gap: float = 0.0  # between two frames, seconds
    sizes: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    rotation: int = 0  # degrees, counter-clockwise
    samples: int = 0  # of sound, in each channel
    peak: float = 0.0  # of the sound; 1 is full scale
    error: str | None = None  # why the pass ended early
    out_of_time: bool = False

    @property
    def duration(self) -> float:
        """How long the frames are shown in all, in seconds, by their own time stamps."""
        if self.first_time is None or self.last_time is None:
            return 0.0
        return self.last_time - self.first_time + self.last_length

    @property
    def fps(self) -> float | None:
        """Frames per second, counted and not claimed."""
        span = (self.last_time or 0.0) - (self.first_time or 0.0)
        return (self.frames - 1) / span if self.frames > 1 and span > 0 else self.probe.fps


def decode(path: Path, sinks: Sequence[FrameSink] = (), *, seconds_max: float | None = None) -> Decoded:
    """Decode the first video track and the first sound track to their ends.

    Memory does not grow with the length. A fault in the middle ends up in `error`; raises `videos.Unreadable` only for
    a file that cannot be opened at all.
    """
    with videos.opened(path) as (container, media_type):
        done = Decoded(probe=videos.describe(container, media_type))
        tracks = videos.tracks(container)
        for track in tracks:
            track.codec_context.thread_type = ThreadType.AUTO
        until = monotonic() + (SECONDS_MAX if seconds_max is None else seconds_max)
        try:
            for packet in container.demux(tracks):
                _count(done, packet)
                for frame in packet.decode():
                    if isinstance(frame, VideoFrame):
                        _see(done, frame, sinks)
                    elif isinstance(frame, AudioFrame):
                        _hear(done, frame)
                if monotonic() > until:
                    done.out_of_time = True
                    break
        except (av.error.FFmpegError, ValueError) as error:
            done.error = f"{type(error).__name__} after {done.frames:,} frames"
    return done


def _count(done: Decoded, packet: "Packet[Any]") -> None:
    if packet.stream.type != "video" or packet.size == 0:  # an empty one flushes the decoder
        return
    if done.first_is_key is None:
        done.first_is_key = packet.is_keyframe
    done.packets += 1
    done.corrupt += packet.is_corrupt


def _see(done: Decoded, frame: VideoFrame, sinks: Sequence[FrameSink]) -> None:
    done.frames += 1
    done.corrupt += frame.is_corrupt
    done.sizes.add((frame.width, frame.height))
    done.rotation = frame.rotation
    if frame.pts is None or frame.time_base is None:
        done.disorder += 1
        return
    time = float(frame.pts * frame.time_base)
    if done.first_time is None or done.last_time is None:
        done.first_time = time
    else:
        done.disorder += time <= done.last_time
        done.longest_gap = max(done.longest_gap, time - done.last_time)
    done.last_time = time
    done.last_length = float(frame.duration * frame.time_base)
    for sink in sinks:
        sink.take(frame, time - done.first_time)


def _hear(done: Decoded, frame: AudioFrame) -> None:
    done.samples += frame.samples
    values = frame.to_ndarray()
    middle, full_scale = LEVELS[values.dtype.name]
    if values.size:
        done.peak = max(done.peak, float(np.abs(values.astype(np.float32) - middle).max()) / full_scale)
