"""Videos and sounds: what they say they are, their boxes, and their stills."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import av.error
from av import AudioStream, VideoStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from framegate.media.sniff import HEAD_BYTES, media_type_of

BOXES_MAX = 10_000
FRAME_PIXELS_MAX = 8192 * 4320  # of one frame, judged before anything is decoded

# By the first bytes, never by ffmpeg's own guess: its play lists and scripts would open other files and addresses.
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


class Unreadable(ValueError):
    """A file that is no video or sound, or too broken to be opened; the message is a sentence, the code tells which."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code  # is_empty, is_html, not_media, truncated, too_many_pixels
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One top-level box of an MP4 or QuickTime file."""

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
        """Whether the index precedes the media, so that playing can begin before everything is loaded."""
        kinds = [box.kind for box in self.boxes]
        return "moov" in kinds and ("mdat" not in kinds or kinds.index("moov") < kinds.index("mdat"))

    @property
    def fault(self) -> str | None:
        """What is missing or cut off, as a sentence."""
        last = self.boxes[-1] if self.boxes else None
        if last and last.offset + last.size > self.file_size:
            missing = last.offset + last.size - self.file_size
            return f"The file ends {missing:,} bytes before its last part (`{last.kind}`) does."
        if not any(box.kind == "moov" for box in self.boxes):
            return "The file has no index (`moov`), without which nothing in it can be found."
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a file says of itself; nothing is decoded, so a cut-off file may still claim its full length."""

    container: str
    media_type: str
    duration: float | None  # seconds
    codec: str | None = None  # of the first video stream; None for a sound
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
    def audio(self) -> bool:
        """Whether there is a sound track."""
        return self.audio_codec is not None


def boxes(path: Path) -> Boxes:
    """Read the top-level boxes (ISO/IEC 14496-12, 4.2); stops at the first that does not make sense."""
    found: list[Box] = []
    file_size = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        while offset + 8 <= file_size and len(found) < BOXES_MAX:
            file.seek(offset)
            head = file.read(16)
            size = int.from_bytes(head[:4], "big")
            if size == 1:
                size = int.from_bytes(head[8:16], "big")
            elif size == 0:  # reaches to the end of the file
                size = file_size - offset
            if size < 8:
                break
            found.append(Box(kind=head[4:8].decode("latin-1"), offset=offset, size=size))
            offset += size
    return Boxes(boxes=tuple(found), file_size=file_size)


@contextmanager
def opened(path: Path) -> Generator[tuple[InputContainer, str]]:
    """Open a video or sound for reading, with its media type by its first bytes. Raises `Unreadable`."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    media_type = media_type_of(head)
    if not head:
        raise Unreadable("is_empty", "The file is empty.")
    if media_type == "text/html":
        raise Unreadable("is_html", "That is a web page, not a video.")
    if media_type not in DEMUXERS:
        raise Unreadable(
            "not_media", f"That is no video or sound of a known kind{f' but {media_type}' if media_type else ''}."
        )
    options = {"protocol_whitelist": "file"}
    try:
        container = av.open(str(path.resolve()), format=DEMUXERS[media_type], options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        message = "The file begins like a video and cannot be opened: it is cut off or damaged."
        raise Unreadable("truncated", message) from error
    with container:
        yield container, media_type


def probe(path: Path) -> Probe:
    """Read what a video or sound says of itself, without decoding it. Raises `Unreadable`."""
    with opened(path) as (container, media_type):
        return describe(container, media_type)


def describe(container: InputContainer, media_type: str) -> Probe:
    """What an open file says of itself. Raises `Unreadable` where it has no stream, or frames beyond the limit."""
    if not all(map(_decodable, (*container.streams.video, *container.streams.audio))):
        raise Unreadable("not_media", "A track of the file is coded in a way that is not known here.")
    video, audio = _video(container), next(iter(container.streams.audio), None)
    if video is None and audio is None:
        raise Unreadable("not_media", "The file holds neither a video nor a sound track.")
    sound: dict[str, Any] = {}
    if audio is not None:
        context = audio.codec_context
        sound = {"audio_codec": context.name, "audio_rate": context.sample_rate, "audio_channels": context.channels}
    duration = container.duration / av.time_base if container.duration else None
    name = CONTAINERS.get(media_type, media_type.partition("/")[2])
    if video is None:
        media_type = media_type.replace("video/", "audio/")
        return Probe(container=name, media_type=media_type, duration=duration, **sound)
    context = video.codec_context
    if context.width * context.height > FRAME_PIXELS_MAX:
        message = f"The video's frames have {context.width:,} x {context.height:,} pixels; that is not decoded here."
        raise Unreadable("too_many_pixels", message)
    if video.duration and video.time_base:
        duration = float(video.duration * video.time_base)
    return Probe(
        container=name,
        media_type=media_type,
        duration=duration,
        codec=context.name,
        profile=context.profile,
        pix_fmt=context.pix_fmt,
        width=context.width,
        height=context.height,
        sample_aspect_ratio=video.sample_aspect_ratio or Fraction(1),
        fps=float(video.average_rate) if video.average_rate else None,
        frames=video.frames or None,
        **sound,
    )


def tracks(container: InputContainer) -> list[VideoStream | AudioStream]:
    """The video track and the sound track that a player would choose; either may be missing."""
    video = _video(container)
    return [*([video] if video else []), *container.streams.audio[:1]]


def _decodable(stream: Stream) -> bool:
    return cast("Any", stream).codec_context is not None  # PyAV's annotations leave the None out


def _video(container: InputContainer) -> VideoStream | None:
    covers = Disposition.attached_pic  # the sleeve of a song is no video
    return next((stream for stream in container.streams.video if not stream.disposition & covers), None)


def remux_faststart(source: Path, target: Path) -> None:
    """Write the same streams into an MP4 whose index comes first; nothing is encoded anew. Raises `Unreadable`."""
    with opened(source) as (read, _):
        try:
            with av.open(str(target.resolve()), "w", format="mp4", options={"movflags": "+faststart"}) as write:
                _copy_streams(read, write)
        except (av.error.FFmpegError, ValueError) as error:
            target.unlink(missing_ok=True)
            raise Unreadable("truncated", "The video cannot be read to its end, so it is left as it is.") from error


def _copy_streams(read: InputContainer, write: OutputContainer) -> None:
    write.metadata.update(read.metadata)
    untyped = cast("Any", write)  # PyAV's annotations of these two methods are incomplete
    streams = [stream for stream in (*read.streams.video, *read.streams.audio) if _decodable(stream)]
    copies: dict[int, Stream] = {stream.index: untyped.add_stream_from_template(stream) for stream in streams}
    for packet in read.demux(streams):
        if packet.dts is not None:
            packet.stream = copies[packet.stream.index]
            untyped.mux(packet)
