"""Length and file size of video and audio references."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from framegate.catalogue.model import ClipLimits, Limits
from framegate.catalogue.rules.context import pointer_to
from framegate.domain import Kind, Problem, Request

SLACK_SECONDS = 0.1  # a clip cut to 15 s often has a frame or a packet of audio more


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Measured properties of a file; `seconds` is None for an image, and for a file without a known length."""

    size_bytes: int
    seconds: float | None = None


def problems(request: Request, measured: Sequence[Measured | None], limits: Limits, subject: str) -> Iterator[Problem]:
    """The problems of a request's videos and audio files, as far as they were measured."""
    for kind, clip_limits in ((Kind.VIDEO, limits.videos), (Kind.AUDIO, limits.audios)):
        pairs = enumerate(zip(request.references, measured, strict=True))
        clips = {index: clip for index, (reference, clip) in pairs if reference.kind is kind and clip}
        accepts = f"{subject} accepts {'audio' if kind is Kind.AUDIO else 'videos'}"
        for index, clip in clips.items():
            yield from _one(clip, clip_limits, accepts, pointer_to(request, index))
        yield from _together(request, clips, clip_limits, accepts)


def _one(clip: Measured, limits: ClipLimits, accepts: str, pointer: str) -> Iterator[Problem]:
    seconds, least, most = clip.seconds, limits.min_seconds, limits.max_seconds
    is_short = seconds is not None and least is not None and seconds < least - SLACK_SECONDS
    is_long = seconds is not None and most is not None and seconds > most + SLACK_SECONDS
    if is_short or is_long:
        span = f"{least} to {most} s" if least and most else f"at most {most} s" if most else f"at least {least} s"
        yield Problem(
            code="clip_length_unsupported",
            pointer=pointer,
            message=f"references: {accepts} of {span}; this one is {seconds:.1f} s long.",
            allowed={"min": least, "max": most},
            nearest=most if is_long else least,
        )
    if limits.max_bytes is not None and clip.size_bytes > limits.max_bytes:
        yield Problem(
            code="reference_too_large",
            pointer=pointer,
            message=f"references: {accepts} of at most {limits.max_bytes:,} bytes; this one has {clip.size_bytes:,}.",
            allowed={"min": 0, "max": limits.max_bytes},
            nearest=limits.max_bytes,
        )


def _together(request: Request, clips: Mapping[int, Measured], limits: ClipLimits, accepts: str) -> Iterator[Problem]:
    most, seconds = limits.max_seconds_total, sum(clip.seconds or 0.0 for clip in clips.values())
    if most is not None and clips and seconds > most + SLACK_SECONDS:
        yield Problem(
            code="clip_length_unsupported",
            pointer=pointer_to(request, max(clips)),
            message=f"references: {accepts} of at most {most} s in total; these are {seconds:.1f} s long.",
            allowed={"min": 0, "max": most},
            nearest=most,
        )
