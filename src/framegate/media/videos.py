"""Video and audio files: probing, MP4 boxes and remuxing, without decoding."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import av.error
from av import AudioStream, VideoStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from framegate.media.containers.mp4_index import check_index
from framegate.media.file_info import PlayableFile
from framegate.media.sniff import HEAD_BYTES, media_type_of
from framegate.media.unreadable import Unreadable

BOXES_MAX = 10_000
FRAME_PIXELS_MAX = 8192 * 4320  # of one frame, checked before anything is decoded

# Chosen by the first bytes, never guessed by ffmpeg: its playlist and script formats would open other files and URLs.
DEMUXERS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/mp2t": "mpegts",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
}
MP4_VIDEO_CODECS = ("h264", "hevc", "av1")  # that players read from MP4
MP4_AUDIO_CODECS = ("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus")
MP4_OPTIONS = {"movflags": "+faststart", "avoid_negative_ts": "make_zero"}
UNKNOWN_TYPE = "application/octet-stream"
AUDIO_FORMATS = {"mp3": "audio/mpeg", "aac": "audio/aac", "flac": "audio/flac"}  # by ffmpeg's name
RAW_AUDIO = ("audio/mpeg", "audio/aac")
DECODING_THREADS = 2
CONTAINERS = {
    "video/mp4": "mp4",
    "audio/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/mp2t": "mpegts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A top-level box of an MP4 or QuickTime file."""

    kind: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """The top-level boxes of an MP4 or QuickTime file, in order."""

    boxes: tuple[Box, ...]
    file_size: int

    @property
    def moov_first(self) -> bool:
        """Whether the index precedes the media data, so that playback can start before everything is loaded."""
        kinds = [box.kind for box in self.boxes]
        return "moov" in kinds and ("mdat" not in kinds or kinds.index("moov") < kinds.index("mdat"))

    @property
    def fault(self) -> str | None:
        """What is missing or truncated, as a sentence; None if the file is complete."""
        last = self.boxes[-1] if self.boxes else None
        if last and last.offset + last.size > self.file_size:
            missing = last.offset + last.size - self.file_size
            return f"The file is truncated: {missing:,} bytes of its last box (`{last.kind}`) are missing."
        if not any(box.kind == "moov" for box in self.boxes):
            return "The file has no index (`moov` box), so it cannot be played."
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Metadata of a video or audio file. Nothing is decoded: a truncated file can still state its full duration."""

    container: str
    media_type: str
    duration: float | None  # seconds
    codec: str | None = None  # of the first video stream; None for audio
    profile: str | None = None
    pix_fmt: str | None = None
    width: int = 0  # as stored, before any rotation
    height: int = 0
    sample_aspect_ratio: Fraction = Fraction(1)
    fps: float | None = None
    frames: int | None = None
    audio_codec: str | None = None
    audio_rate: int | None = None  # Hz
    audio_channels: int | None = None

    @property
    def has_audio(self) -> bool:
        """Whether there is an audio track."""
        return self.audio_codec is not None


def read_boxes(path: Path) -> Boxes:
    """Read the top-level boxes (ISO/IEC 14496-12, 4.2) up to the first invalid one."""
    boxes: list[Box] = []
    file_size = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        while offset + 8 <= file_size and len(boxes) < BOXES_MAX:
            file.seek(offset)
            header = file.read(16)
            size = int.from_bytes(header[:4], "big")
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            elif size == 0:  # extends to the end of the file
                size = file_size - offset
            if size < 8:
                break
            boxes.append(Box(kind=header[4:8].decode("latin-1"), offset=offset, size=size))
            offset += size
    return Boxes(boxes=tuple(boxes), file_size=file_size)


@contextmanager
def open_media(path: Path) -> Generator[tuple[InputContainer, str]]:
    """Open a video or audio file for reading, with its media type by its first bytes. Raises `Unreadable`."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    media_type = media_type_of(head)
    if not head:
        raise Unreadable("is_empty", "The file is empty.")
    if media_type == "text/html":
        raise Unreadable("is_html", "The file is a web page, not a video.")
    if media_type not in DEMUXERS:
        detected = f": it is {media_type}" if media_type else ""
        raise Unreadable("not_media", f"The file is not a video or audio file of a supported format{detected}.")
    if DEMUXERS[media_type] == "mov":
        check_index(path)
    try:
        container = _open_container(path, media_type)
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        message = "The file cannot be opened: it is truncated or damaged."
        raise Unreadable("truncated", message) from error
    with container:
        for stream in filter(_is_decodable, container.streams.video):
            stream.codec_context.options = {"max_pixels": str(FRAME_PIXELS_MAX)}  # also of frames that grow later
            stream.codec_context.thread_count = DECODING_THREADS
        yield container, AUDIO_FORMATS.get(container.format.name, media_type)


def _open_container(path: Path, media_type: str) -> InputContainer:
    """Open a file with one demuxer; the raw audio formats, which begin alike, are told apart by ffmpeg."""
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join({*DEMUXERS.values()})}
    demuxer: str | None = DEMUXERS[media_type]
    if media_type in RAW_AUDIO:
        demuxer, options["format_whitelist"] = None, ",".join(AUDIO_FORMATS)
    return av.open(str(path.resolve()), format=demuxer, options=options, metadata_errors="ignore")


def probe(path: Path) -> Probe:
    """Read the metadata of a video or audio file without decoding it. Raises `Unreadable`."""
    with open_media(path) as (container, media_type):
        return describe(container, media_type)


def describe(container: InputContainer, media_type: str) -> Probe:
    """Read the metadata of an open file. Raises `Unreadable` without a usable track or if its frames are too large."""
    if not all(map(_is_decodable, (*container.streams.video, *container.streams.audio))):
        raise Unreadable("not_media", "A track of the file uses an unknown codec.")
    video, audio = _video_stream(container), next(iter(container.streams.audio), None)
    if video is None and audio is None:
        raise Unreadable("not_media", "The file has no video track and no audio track.")
    audio_facts: dict[str, Any] = {}
    if audio is not None:
        context = audio.codec_context
        audio_facts = {
            "audio_codec": context.codec.canonical_name,
            "audio_rate": context.sample_rate,
            "audio_channels": context.channels,
        }
    duration = container.duration / av.time_base if container.duration else None
    container_name = CONTAINERS.get(media_type, media_type.partition("/")[2])
    if video is None:
        media_type = media_type.replace("video/", "audio/")
        return Probe(container=container_name, media_type=media_type, duration=duration, **audio_facts)
    context = video.codec_context
    if context.width * context.height > FRAME_PIXELS_MAX:
        message = f"The frames have {context.width:,} x {context.height:,} pixels; the maximum is {FRAME_PIXELS_MAX:,}."
        raise Unreadable("too_many_pixels", message)
    if video.duration and video.time_base:
        duration = float(video.duration * video.time_base)
    return Probe(
        container=container_name,
        media_type=media_type,
        duration=duration,
        codec=context.codec.canonical_name,
        profile=context.profile,
        pix_fmt=context.pix_fmt,
        width=context.width,
        height=context.height,
        sample_aspect_ratio=video.sample_aspect_ratio or Fraction(1),
        fps=float(video.average_rate) if video.average_rate else None,
        frames=video.frames or None,
        **audio_facts,
    )


def select_tracks(container: InputContainer) -> list[VideoStream | AudioStream]:
    """Select the video track and the audio track that a player would choose; either can be missing."""
    video = _video_stream(container)
    return [*([video] if video else []), *container.streams.audio[:1]]


def _is_decodable(stream: Stream) -> bool:
    return cast("Any", stream).codec_context is not None  # PyAV's annotations omit the None


def _video_stream(container: InputContainer) -> VideoStream | None:
    cover_art = Disposition.attached_pic  # stored as a video stream
    return next((stream for stream in container.streams.video if not stream.disposition & cover_art), None)


def make_playable(source: Path, target: Path) -> PlayableFile:
    """Copy a finished file into an MP4 with its index first, if it is not one already and its codecs allow it.

    Nothing is encoded again. A file that cannot be copied or read is left as it is, with its true media type.
    """
    try:
        probe_result = probe(source)
    except Unreadable:
        with source.open("rb") as file:
            return PlayableFile(media_type=media_type_of(file.read(HEAD_BYTES)) or UNKNOWN_TYPE, is_remuxed=False)
    is_mp4 = probe_result.container == "mp4"
    is_ready = is_mp4 and read_boxes(source).moov_first
    fits = probe_result.codec in MP4_VIDEO_CODECS and probe_result.audio_codec in (None, *MP4_AUDIO_CODECS)
    if not is_ready and probe_result.codec and (is_mp4 or fits):
        with suppress(Unreadable):
            remux_faststart(source, target)
            return PlayableFile(media_type="video/mp4", is_remuxed=True)
    return PlayableFile(media_type=probe_result.media_type, is_remuxed=False)


def remux_faststart(source: Path, target: Path) -> None:
    """Copy the streams into an MP4 with its index first, without re-encoding. Raises `Unreadable`."""
    with open_media(source) as (reader, _):
        try:
            decode_times = _missing_decode_times(source)
            with av.open(str(target.resolve()), "w", format="mp4", options=MP4_OPTIONS) as writer:
                _copy_streams(reader, writer, decode_times)
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, MemoryError):
                raise
            target.unlink(missing_ok=True)
            raise Unreadable("truncated", "The video cannot be read to its end, so it was not remuxed.") from error


def _copy_streams(reader: InputContainer, writer: OutputContainer, decode_times: Mapping[int, Sequence[int]]) -> None:
    writer.metadata.update(reader.metadata)
    untyped = cast("Any", writer)  # PyAV's annotations of these two methods are incomplete
    streams = [stream for stream in (*reader.streams.video, *reader.streams.audio) if _is_decodable(stream)]
    copies: dict[int, Stream] = {
        stream.index: untyped.add_stream_from_template(stream, opaque=True) for stream in streams
    }
    for stream in streams:
        if stream.codec_context.codec.canonical_name == "hevc":
            copies[stream.index].codec_context.codec_tag = "hvc1"  # without it, Apple's players refuse the file
    times = {index: iter(values) for index, values in decode_times.items()}
    for packet in reader.demux(streams):
        if packet.size:
            packet.dts = next(times.get(packet.stream.index, iter(())), packet.dts)
            packet.stream = copies[packet.stream.index]
            untyped.mux(packet)


def _missing_decode_times(source: Path) -> dict[int, Sequence[int]]:
    """Return decode times of the video tracks whose packets lack them, as in Matroska: by the order of display.

    Raises `ValueError` if display times are missing too.
    """
    shown: dict[int, list[int | None]] = {}
    incomplete: set[int] = set()
    with open_media(source) as (reader, _):
        for packet in reader.demux(*filter(_is_decodable, reader.streams.video)):
            if packet.size:
                shown.setdefault(packet.stream.index, []).append(packet.pts)
                if packet.dts is None:
                    incomplete.add(packet.stream.index)
    times: dict[int, Sequence[int]] = {}
    for index in incomplete:
        display_times = [time for time in shown[index] if time is not None]
        if len(display_times) < len(shown[index]) or len(set(display_times)) < len(display_times):
            raise ValueError("packets without times")
        in_order = sorted(display_times)
        delay = max(first - second for first, second in zip(in_order, display_times, strict=True))
        times[index] = [time - delay for time in in_order]
    return times
