"""Whether the videos and sounds among a request's references are of a length and a size that the model takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from framegate.catalogue.model import ClipLimits, Limits
from framegate.catalogue.rules.context import pointer_to
from framegate.domain import Kind, Problem, Request

SLACK_SECONDS = 0.1  # a clip cut to 15 s often has a frame or a packet of sound more


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a file was found to be; `seconds` is None for a picture, and where the file does not tell."""

    size_bytes: int
    seconds: float | None = None


def problems(request: Request, measured: Sequence[Measured | None], limits: Limits, who: str) -> Iterator[Problem]:
    """The problems of a request's videos and sounds, of those that have been looked at."""
    for kind, held in ((Kind.VIDEO, limits.videos), (Kind.AUDIO, limits.audios)):
        pairs = enumerate(zip(request.references, measured, strict=True))
        here = {index: found for index, (reference, found) in pairs if reference.kind is kind and found}
        name = f"a {kind}" if kind is Kind.VIDEO else "a sound"
        for index, found in here.items():
            yield from _one(found, held, f"{who} takes {name}", pointer_to(request, index))
        yield from _together(request, here, held, f"{who} takes {kind if kind is Kind.AUDIO else 'videos'}")


def _one(found: Measured, limits: ClipLimits, takes: str, pointer: str) -> Iterator[Problem]:
    seconds, least, most = found.seconds, limits.min_seconds, limits.max_seconds
    short = seconds is not None and least is not None and seconds < least - SLACK_SECONDS
    long = seconds is not None and most is not None and seconds > most + SLACK_SECONDS
    if short or long:
        span = f"{least} to {most} s" if least and most else f"at most {most} s" if most else f"at least {least} s"
        yield Problem(
            code="clip_length_unsupported",
            pointer=pointer,
            message=f"references: {takes} of {span}, and this one has {seconds:.1f} s.",
            allowed={"min": least, "max": most},
            nearest=most if long else least,
        )
    if limits.max_bytes is not None and found.size_bytes > limits.max_bytes:
        yield Problem(
            code="reference_too_large",
            pointer=pointer,
            message=f"references: {takes} of at most {limits.max_bytes:,} bytes; this one has {found.size_bytes:,}.",
            allowed={"min": 0, "max": limits.max_bytes},
            nearest=limits.max_bytes,
        )


def _together(request: Request, here: Mapping[int, Measured], limits: ClipLimits, takes: str) -> Iterator[Problem]:
    most, seconds = limits.max_seconds_total, sum(found.seconds or 0.0 for found in here.values())
    if most is not None and here and seconds > most + SLACK_SECONDS:
        yield Problem(
            code="clip_length_unsupported",
            pointer=pointer_to(request, max(here)),
            message=f"references: {takes} of at most {most} s together, and these have {seconds:.1f} s.",
            allowed={"min": 0, "max": most},
            nearest=most,
        )
