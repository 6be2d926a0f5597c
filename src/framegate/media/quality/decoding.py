"""Decoding pass over a file, from its first packet to its last, with the statistics that conformance needs."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any, Protocol

import av
import av.error
import numpy as np
from av import AudioFrame, VideoFrame
from av.codec.context import ThreadType
from av.packet import Packet

from framegate.domain import Target
from framegate.media import videos
from framegate.media.videos import Probe

SECONDS_MAX = 600.0  # of CPU time, for decoding one file
FRAMES_PER_ORDERED = 4  # a file with more frames than this times the ordered ones is not decoded further
FRAMES_MIN = 1_000  # that a file may have, whatever was ordered
FRAMES_OF_TOO_LONG = 24  # that are decoded of a file with more
SAMPLE_LEVELS = {  # silence and full scale of each sample format
    "float32": (0, 1),
    "float64": (0, 1),
    "int32": (0, 2**31),
    "int16": (0, 2**15),
    "uint8": (128, 2**7),
}


class FrameSink(Protocol):
    """Receiver of every frame of a decoding pass."""

    def add_frame(self, frame: VideoFrame, time: float) -> None:
        """Process the next frame, in display order; `time` is in seconds from the first frame."""
        ...


@dataclass(slots=True, kw_only=True)
class DecodeStats:
    """Statistics of one decoding pass."""

    probe: Probe
    packets: int = 0
    frames: int = 0
    corrupt: int = 0  # frames that the decoder had to patch
    first_is_key: bool | None = None
    disorder: int = 0  # timestamps that do not increase, or are missing
    first_time: float | None = None  # seconds
    last_time: float | None = None
    last_frame_seconds: float = 0.0  # how long the last frame is shown
    longest_gap: float = 0.0  # between two frames, seconds
    sizes: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    rotation: int = 0  # degrees, counter-clockwise
    audio_samples: int = 0  # in each channel
    audio_peak: float = 0.0  # 1 is full scale
    error: str | None = None  # why the pass ended early
    timed_out: bool = False
    frames_exceeded: int | None = None  # has more frames than this, far more than were ordered; most are not decoded

    @property
    def duration(self) -> float:
        """Duration of all frames by their own timestamps, in seconds."""
        if self.first_time is None or self.last_time is None:
            return 0.0
        return self.last_time - self.first_time + self.last_frame_seconds

    @property
    def fps(self) -> float | None:
        """Frames per second, measured from the timestamps if possible, else as the file states it."""
        span = (self.last_time or 0.0) - (self.first_time or 0.0)
        return (self.frames - 1) / span if self.frames > 1 and span > 0 else self.probe.fps


def frame_limit(target: Target | None) -> int | None:
    """Return the number of frames after which a file is certainly not the one that was ordered; None without order."""
    return None if target is None else max(FRAMES_MIN, FRAMES_PER_ORDERED * target.file_frames)


def decode(
    path: Path,
    sinks: Sequence[FrameSink] = (),
    *,
    seconds_max: float | None = None,
    frames_max: int | None = None,
) -> DecodeStats:
    """Decode the first video track and the first audio track to their ends.

    Memory use does not depend on the duration. Decoding stops after `seconds_max` of CPU time. Of a file with more than
    `frames_max` frames only the first ones are decoded: it costs less than a good one. An error within the file is
    stored in `error`. Raises `Unreadable` only if the file cannot be opened.
    """
    with videos.open_media(path) as (container, media_type):
        stats = DecodeStats(probe=videos.describe(container, media_type))
        tracks = videos.select_tracks(container)
        for track in tracks:
            track.codec_context.thread_type = ThreadType.AUTO
        if frames_max is not None and _has_more_packets(path, frames_max):
            stats.frames_exceeded = frames_max
        deadline = process_time() + (SECONDS_MAX if seconds_max is None else seconds_max)
        try:
            for packet in container.demux(tracks):
                _count_packet(stats, packet)
                for frame in packet.decode():
                    if isinstance(frame, VideoFrame):
                        _count_frame(stats, frame, sinks)
                    elif isinstance(frame, AudioFrame):
                        _count_audio(stats, frame)
                stats.timed_out = process_time() > deadline
                if stats.timed_out or (stats.frames_exceeded and stats.frames >= FRAMES_OF_TOO_LONG):
                    break
        except MemoryError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            stats.error = f"{type(error).__name__} after {stats.frames:,} frames"
    return stats


def _has_more_packets(path: Path, packets_max: int) -> bool:
    """Whether the video track has more packets, by reading them without decoding."""
    with videos.open_media(path) as (container, _):
        track = next(iter(videos.select_tracks(container)), None)
        if track is None or track.type != "video":
            return False
        try:
            packets = (packet for packet in container.demux(track) if packet.size)
            return any(True for _ in itertools.islice(packets, packets_max, None))
        except MemoryError:
            raise
        except (av.error.FFmpegError, ValueError):  # decoding finds it too
            return False


def _count_packet(stats: DecodeStats, packet: "Packet[Any]") -> None:
    if packet.stream.type != "video" or packet.size == 0:  # an empty one flushes the decoder
        return
    if stats.first_is_key is None:
        stats.first_is_key = packet.is_keyframe
    stats.packets += 1
    stats.corrupt += packet.is_corrupt


def _count_frame(stats: DecodeStats, frame: VideoFrame, sinks: Sequence[FrameSink]) -> None:
    if frame.width * frame.height > videos.FRAME_PIXELS_MAX:
        raise ValueError("a frame is too large")
    stats.frames += 1
    stats.corrupt += frame.is_corrupt
    stats.sizes.add((frame.width, frame.height))
    stats.rotation = frame.rotation
    if frame.pts is None or frame.time_base is None:
        stats.disorder += 1
        return
    time = float(frame.pts * frame.time_base)
    if stats.first_time is None or stats.last_time is None:
        stats.first_time = time
    else:
        stats.disorder += time <= stats.last_time
        stats.longest_gap = max(stats.longest_gap, time - stats.last_time)
    stats.last_time = time
    stats.last_frame_seconds = float(frame.duration * frame.time_base)
    for sink in sinks:
        sink.add_frame(frame, time - stats.first_time)


def _count_audio(stats: DecodeStats, frame: AudioFrame) -> None:
    stats.audio_samples += frame.samples
    values = frame.to_ndarray()
    silence, full_scale = SAMPLE_LEVELS[values.dtype.name]
    if values.size:
        peak = float(np.abs(values.astype(np.float32) - silence).max()) / full_scale
        stats.audio_peak = max(stats.audio_peak, peak)
