"""Conformance checks: whether a file is intact, plays everywhere and matches the request."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from framegate.domain import Target
from framegate.media import videos
from framegate.media.canvas import size_label
from framegate.media.quality.decoding import DecodeStats, FrameSink, decode, frame_limit
from framegate.media.quality.report import Finding, Report, Verdict
from framegate.media.videos import Boxes

GROUP = "conformance"
PROFILES = ("Constrained Baseline", "Baseline", "Main", "High")
PIX_FMTS = ("yuv420p", "yuvj420p")
SIZE_WARN = 0.05  # providers round a side to a multiple of 16 or 32
RATIO_PASS, RATIO_WARN = 0.01, 0.05
FPS_PASS = 0.005  # 23.976 passes for 24
FRAMES_PASS, FRAMES_WARN = 1, 0.05  # one frame more or less; generators make 4n+1
DURATION_PASS, DURATION_WARN = 0.1, 0.5  # seconds
GAP_WARN = 1.75  # times the usual distance between two frames
LENGTH_FACTOR_MAX = 4
SECONDS_ALWAYS_PLAUSIBLE = 60.0
PACKETS_IN_DECODER_MAX = 32  # that a decoder holds back while its frames wait for others
PLAYABLE_SHARE_MIN = 0.9  # of the announced frames
SILENCE_PEAK = 10 ** (-60 / 20)  # -60 dBFS


def check_conformance(path: Path, *, target: Target | None = None, sinks: Sequence[FrameSink] = ()) -> Report:
    """Decode a file to its end and report its faults and, if `target` is given, its differences from the request.

    A file that cannot be opened results in a finding, not in an exception. `sinks` receive every frame.
    """
    size_bytes = path.stat().st_size
    try:
        stats = decode(path, sinks, frames_max=frame_limit(target))
    except videos.Unreadable as error:
        finding = _finding("decodes", Verdict.FAIL, error.code, "a video that can be decoded", str(error))
        return Report(playable=False, findings=(finding,), facts={"size_bytes": size_bytes})
    boxes = videos.read_boxes(path) if stats.probe.container in ("mp4", "mov") else None
    findings = list(_integrity_findings(stats, boxes))
    if stats.frames and target:
        findings.append(_plausibility_finding(stats, target))
    if stats.probe.codec:
        findings += [*_encoding_findings(stats, boxes), *_timing_findings(stats)]
    if stats.frames and target:
        findings += [*_size_findings(stats, target), *_length_findings(stats, target)]
    findings += _audio_findings(stats, target)
    facts = {"size_bytes": size_bytes} | _facts(stats, boxes)
    return Report(playable=_is_playable(stats, boxes), findings=tuple(findings), facts=facts)


def _display_size(stats: DecodeStats) -> tuple[int, int]:
    """Width and height after rotation; pixels that are not square are not accounted for."""
    width, height = stats.probe.width, stats.probe.height
    return (height, width) if stats.rotation % 180 else (width, height)


def _facts(stats: DecodeStats, boxes: Boxes | None) -> dict[str, Any]:
    probe = stats.probe
    width, height = _display_size(stats)
    return {
        "container": probe.container,
        "media_type": probe.media_type,
        "codec": probe.codec,
        "profile": probe.profile,
        "pix_fmt": probe.pix_fmt,
        "width": width,
        "height": height,
        "rotation": stats.rotation,
        "fps": stats.fps and round(stats.fps, 3),
        "frames": stats.frames,
        "duration": round(stats.duration, 3),
        "audio_codec": probe.audio_codec,
        "audio_rate": probe.audio_rate,
        "audio_channels": probe.audio_channels,
        "audio_seconds": round(stats.audio_samples / probe.audio_rate, 3) if probe.audio_rate else None,
        "moov_first": boxes and boxes.moov_first,
    }


def _is_playable(stats: DecodeStats, boxes: Boxes | None) -> bool:
    stopped_early = stats.timed_out or stats.frames_exceeded is not None
    announced = stats.packets - PACKETS_IN_DECODER_MAX if stopped_early else max(stats.probe.frames or 0, stats.packets)
    is_truncated = boxes is not None and boxes.fault is not None
    return not is_truncated and stats.frames > 0 and stats.frames >= PLAYABLE_SHARE_MIN * announced


def _finding(name: str, verdict: Verdict, value: Any, expected: str, sentence: str) -> Finding:  # noqa: ANN401 - JSON
    return Finding(name=name, group=GROUP, verdict=verdict, value=value, expected=expected, sentence=sentence)


def _rate(deviation: float, *, pass_max: float, warn_max: float) -> Verdict:
    return Verdict.PASS if deviation <= pass_max else Verdict.WARN if deviation <= warn_max else Verdict.FAIL


def _integrity_findings(stats: DecodeStats, boxes: Boxes | None) -> Iterator[Finding]:
    """Check that the file is complete and decodes to its end."""
    value, expected = stats.frames, "every frame, to the last"
    if stats.frames_exceeded is not None:
        sentence = f"The first {value:,} frames can be decoded; the rest was not, since so many were not ordered."
        yield _finding("decodes", Verdict.UNVERIFIABLE, value, expected, sentence)
    elif stats.timed_out:
        yield _finding("decodes", Verdict.UNVERIFIABLE, value, expected, "Decoding took too long and was stopped.")
    elif stats.error or not stats.frames:
        cause = stats.error or ("it has no frames" if stats.probe.codec else "it has no video track")
        yield _finding("decodes", Verdict.FAIL, value, expected, f"The video cannot be decoded to its end: {cause}.")
    elif stats.corrupt or stats.frames < stats.packets:
        damaged = max(stats.corrupt, stats.packets - stats.frames)
        sentence = f"{damaged:,} of {stats.packets:,} frames are damaged."
        yield _finding("decodes", Verdict.FAIL, value, expected, sentence)
    else:
        yield _finding("decodes", Verdict.PASS, value, expected, f"All {value:,} frames can be decoded.")
    if boxes is None:
        sentence = "This container format does not state the length of the file."
        yield _finding("complete", Verdict.UNVERIFIABLE, None, "no part missing", sentence)
        return
    verdict = Verdict.FAIL if boxes.fault else Verdict.PASS
    yield _finding("complete", verdict, boxes.file_size, "no part missing", boxes.fault or "The file is complete.")


def _plausibility_finding(stats: DecodeStats, target: Target) -> Finding:
    """Check that the file is not many times as long as what was ordered: such a file is broken or no video of it."""
    seconds, frames = target.file_seconds, target.file_frames
    exceeded = stats.frames_exceeded
    is_plausible = exceeded is None and stats.duration <= max(LENGTH_FACTOR_MAX * seconds, SECONDS_ALWAYS_PLAUSIBLE)
    sentence = f"The file has {stats.frames:,} frames over {stats.duration:,.1f} s; "
    if exceeded is not None:
        sentence = f"The file has more than {exceeded:,} frames; "
    sentence += f"{frames:,} over {seconds:g} s were ordered."
    verdict = Verdict.PASS if is_plausible else Verdict.FAIL
    expected = f"at most {LENGTH_FACTOR_MAX} times the ordered length"
    return _finding("plausible_length", verdict, round(stats.duration, 3), expected, sentence)


def _encoding_findings(stats: DecodeStats, boxes: Boxes | None) -> Iterator[Finding]:
    """Check that every player and browser supports the encoding."""
    probe = stats.probe
    for name, label, value, supported in (
        ("container", "container", probe.container, ("mp4",)),
        ("codec", "codec", probe.codec, ("h264",)),
        ("profile", "codec profile", probe.profile, PROFILES if probe.codec == "h264" else ()),
        ("pix_fmt", "pixel format", probe.pix_fmt, PIX_FMTS),
    ):
        expected, actual = ", ".join(supported), value or "not stated"
        if not supported:
            sentence = f"The {label} is {actual}; which players support it is unknown."
            yield _finding(name, Verdict.UNVERIFIABLE, value, expected, sentence)
        elif value in supported:
            yield _finding(name, Verdict.PASS, value, expected, f"The {label} is {actual}: every player supports it.")
        else:
            sentence = f"The {label} is {actual}; some players support only {expected}."
            yield _finding(name, Verdict.WARN, value, expected, sentence)
    ratio = probe.sample_aspect_ratio
    sentence = "Pixels are square." if ratio == 1 else f"The pixel aspect ratio is {ratio}; some players ignore it."
    yield _finding("sample_aspect_ratio", Verdict.PASS if ratio == 1 else Verdict.WARN, str(ratio), "1", sentence)
    if boxes:
        sentence = "The index precedes the media data, so playback starts at once."
        if not boxes.moov_first:
            sentence = "The index follows the media data, so playback starts only when the whole file is loaded."
        verdict = Verdict.PASS if boxes.moov_first else Verdict.WARN
        yield _finding("moov_first", verdict, boxes.moov_first, "index before media", sentence)


def _timing_findings(stats: DecodeStats) -> Iterator[Finding]:
    """Check the first frame, the timestamps, and that size and frame count are as announced."""
    if stats.first_is_key is not None:
        sentence = "The first frame is a key frame."
        if not stats.first_is_key:
            sentence = "The first frame is not a key frame: it depends on a missing frame."
        verdict = Verdict.PASS if stats.first_is_key else Verdict.FAIL
        yield _finding("first_key_frame", verdict, stats.first_is_key, "a key frame", sentence)
    sentence = "Timestamps increase monotonically."
    if stats.disorder:
        sentence = f"Timestamps are missing or do not increase at {stats.disorder:,} frames."
    verdict = Verdict.FAIL if stats.disorder else Verdict.PASS
    yield _finding("timestamps", verdict, stats.disorder, "strictly increasing", sentence)
    if stats.fps and stats.frames > 2:
        gap = round(stats.longest_gap * stats.fps, 2)
        sentence = f"The longest gap between two frames is {gap:g} times the usual."
        verdict = Verdict.PASS if gap <= GAP_WARN else Verdict.WARN
        yield _finding("frame_spacing", verdict, gap, f"at most {GAP_WARN} times the usual", sentence)
    if len(stats.sizes) > 1:
        sizes = sorted(map(size_label, stats.sizes))
        sentence = "The frame size changes within the video."
        yield _finding("one_size", Verdict.FAIL, sizes, "one size throughout", sentence)
    announced = stats.probe.frames
    if announced and announced != stats.frames:
        sentence = f"The file announces {announced:,} frames and contains {stats.frames:,}."
        yield _finding("promised_frames", Verdict.WARN, stats.frames, f"{announced} frames", sentence)


def _size_findings(stats: DecodeStats, target: Target) -> Iterator[Finding]:
    width, height = _display_size(stats)
    size, requested_size = size_label((width, height)), size_label((target.width, target.height))
    deviation = max(abs(width / target.width - 1), abs(height / target.height - 1))
    verdict = _rate(deviation, pass_max=0, warn_max=SIZE_WARN)
    sentence = f"The frame size is {size}; {requested_size} was requested."
    yield _finding("size", verdict, size, requested_size, sentence)
    pixel_ratio = stats.probe.sample_aspect_ratio
    ratio = width / height * float(1 / pixel_ratio if stats.rotation % 180 else pixel_ratio)
    requested = target.width / target.height
    sentence = f"The displayed aspect ratio is {ratio:.3f}; {requested:.3f} was requested."
    verdict = _rate(abs(ratio / requested - 1), pass_max=RATIO_PASS, warn_max=RATIO_WARN)
    yield _finding("aspect_ratio", verdict, round(ratio, 4), f"{requested:.4f} ± {RATIO_PASS:.0%}", sentence)


def _length_findings(stats: DecodeStats, target: Target) -> Iterator[Finding]:
    fps = stats.fps or 0.0
    sentence = f"The frame rate is {fps:.3f} frames per second; {target.fps} was requested."
    verdict = _rate(abs(fps / target.fps - 1), pass_max=FPS_PASS, warn_max=FPS_PASS)
    yield _finding("fps", verdict, round(fps, 3), f"{target.fps} ± {FPS_PASS:.1%}", sentence)
    frames, seconds = target.file_frames, target.file_seconds
    source = "" if target.source_seconds is None else ", including the source,"
    sentence = f"The video has {stats.frames:,} frames; {frames:,}{source} were requested."
    verdict = _rate(abs(stats.frames - frames), pass_max=FRAMES_PASS, warn_max=FRAMES_WARN * frames)
    yield _finding("frames", verdict, stats.frames, f"{frames} ± {FRAMES_PASS}", sentence)
    sentence = f"The duration is {stats.duration:.2f} s; {round(seconds, 2):g} s{source} were requested."
    verdict = _rate(abs(stats.duration - seconds), pass_max=DURATION_PASS, warn_max=DURATION_WARN)
    expected = f"{round(seconds, 2):g} s ± {DURATION_PASS} s"
    yield _finding("duration", verdict, round(stats.duration, 3), expected, sentence)


def _audio_findings(stats: DecodeStats, target: Target | None) -> Iterator[Finding]:
    """Check that audio is present if requested, as long as the video, and not silent."""
    has_audio = stats.audio_samples > 0
    if target is None:
        sentence = "The file has an audio track." if has_audio else "The file has no audio track."
        yield _finding("audio", Verdict.PASS, has_audio, "", sentence)
    elif target.audio == has_audio:
        sentence = "The file has audio, as requested." if has_audio else "The file has no audio, as requested."
        yield _finding("audio", Verdict.PASS, has_audio, "audio" if has_audio else "no audio", sentence)
    elif target.audio:
        yield _finding("audio", Verdict.FAIL, has_audio, "audio", "Audio was requested, but the file has none.")
    else:
        yield _finding("audio", Verdict.WARN, has_audio, "no audio", "The file has audio, which was not requested.")
    if has_audio and stats.frames and stats.probe.audio_rate:
        seconds = stats.audio_samples / stats.probe.audio_rate
        sentence = f"The audio lasts {seconds:.2f} s, the video {stats.duration:.2f} s."
        verdict = _rate(abs(seconds - stats.duration), pass_max=DURATION_WARN, warn_max=math.inf)
        expected = f"{stats.duration:.2f} s ± {DURATION_WARN} s"
        yield _finding("audio_length", verdict, round(seconds, 3), expected, sentence)
    if has_audio:
        is_silent = stats.audio_peak < SILENCE_PEAK
        sentence = "The audio track is silent." if is_silent else "The audio track is audible."
        verdict = Verdict.WARN if is_silent else Verdict.PASS
        expected = f"a peak of at least {SILENCE_PEAK:g}"
        yield _finding("audio_level", verdict, round(stats.audio_peak, 4), expected, sentence)
