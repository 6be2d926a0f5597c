"""Conformance: does the file hold together, and is it what was asked for?"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from framegate.domain import Target
from framegate.media import videos
from framegate.media.quality.decoding import Decoded, FrameSink, decode
from framegate.media.quality.report import Finding, Report, Verdict
from framegate.media.videos import Boxes

GROUP = "conformance"
PROFILES = ("Constrained Baseline", "Baseline", "Main", "High")
PIX_FMTS = ("yuv420p", "yuvj420p")
SIZE_WARN = 0.05  # services round a side to a multiple of 16 or 32
RATIO_PASS, RATIO_WARN = 0.01, 0.05
FPS_PASS = 0.005  # 23.976 passes for 24
FRAMES_PASS, FRAMES_WARN = 1, 0.05  # a frame either way; generators make 4n+1
DURATION_PASS, DURATION_WARN = 0.1, 0.5  # seconds
GAP_WARN = 1.75  # times the usual distance between two frames
PLAYABLE_SHARE = 0.9  # of the promised frames
SILENCE_PEAK = 10 ** (-60 / 20)  # -60 dBFS


def inspect(path: Path, *, target: Target | None = None, sinks: Sequence[FrameSink] = ()) -> Report:
    """Decode a file from end to end and judge it, against the request where there is one.

    Never raises for a bad file: what cannot be opened is a finding. `sinks` are shown every frame of the same pass.
    """
    size_bytes = path.stat().st_size
    try:
        done = decode(path, sinks)
    except videos.Unreadable as error:
        found = _finding("decodes", Verdict.FAIL, error.code, "a video that can be decoded", str(error))
        return Report(playable=False, findings=(found,), facts={"size_bytes": size_bytes})
    boxes = videos.boxes(path) if done.probe.container in ("mp4", "mov") else None
    findings = list(_whole(done, boxes))
    if done.probe.codec:
        findings += [*_encoding(done, boxes), *_timing(done)]
    if done.frames and target:
        findings += [*_geometry(done, target), *_length(done, target)]
    findings += _sound(done, target)
    facts = {"size_bytes": size_bytes} | _facts(done, boxes)
    return Report(playable=_playable(done, boxes), findings=tuple(findings), facts=facts)


def shown_size(done: Decoded) -> tuple[int, int]:
    """Width and height as a player shows them, but for any stretching of pixels that are not square."""
    width, height = done.probe.width, done.probe.height
    return (height, width) if done.rotation % 180 else (width, height)


def _facts(done: Decoded, boxes: Boxes | None) -> dict[str, Any]:
    probe = done.probe
    width, height = shown_size(done)
    return {
        "container": probe.container,
        "media_type": probe.media_type,
        "codec": probe.codec,
        "profile": probe.profile,
        "pix_fmt": probe.pix_fmt,
        "width": width,
        "height": height,
        "rotation": done.rotation,
        "fps": done.fps and round(done.fps, 3),
        "frames": done.frames,
        "duration": round(done.duration, 3),
        "audio_codec": probe.audio_codec,
        "audio_rate": probe.audio_rate,
        "audio_channels": probe.audio_channels,
        "audio_seconds": round(done.samples / probe.audio_rate, 3) if probe.audio_rate else None,
        "moov_first": boxes and boxes.moov_first,
    }


def _playable(done: Decoded, boxes: Boxes | None) -> bool:
    promised = max(done.probe.frames or 0, done.packets)
    cut = boxes is not None and boxes.fault is not None
    return not cut and done.frames > 0 and done.frames >= PLAYABLE_SHARE * promised


def _finding(name: str, verdict: Verdict, value: Any, expected: str, sentence: str) -> Finding:  # noqa: ANN401 - JSON
    return Finding(name=name, group=GROUP, verdict=verdict, value=value, expected=expected, sentence=sentence)


def _ranked(off: float, *, passes: float, warns: float) -> Verdict:
    return Verdict.PASS if off <= passes else Verdict.WARN if off <= warns else Verdict.FAIL


def _whole(done: Decoded, boxes: Boxes | None) -> Iterator[Finding]:
    """Is everything there, and does all of it decode?"""
    value, expected = done.frames, "every frame, to the last"
    if done.out_of_time:
        yield _finding("decodes", Verdict.UNVERIFIABLE, value, expected, "Decoding took too long and was stopped.")
    elif done.error or not done.frames:
        why = done.error or ("there is no picture track" if not done.probe.codec else "no frame came out")
        yield _finding("decodes", Verdict.FAIL, value, expected, f"The video cannot be decoded to its end: {why}.")
    elif done.corrupt or done.frames < done.packets:
        lost = max(done.corrupt, done.packets - done.frames)
        yield _finding("decodes", Verdict.FAIL, value, expected, f"{lost:,} of {done.packets:,} frames are damaged.")
    else:
        yield _finding("decodes", Verdict.PASS, value, expected, f"All {value:,} frames decode.")
    if boxes is None:
        sentence = "This kind of file does not say how long it should be."
        yield _finding("complete", Verdict.UNVERIFIABLE, None, "no part missing", sentence)
        return
    verdict = Verdict.FAIL if boxes.fault else Verdict.PASS
    sentence = boxes.fault or "Every part of the file is there to its end."
    yield _finding("complete", verdict, boxes.file_size, "no part missing", sentence)


def _encoding(done: Decoded, boxes: Boxes | None) -> Iterator[Finding]:
    """Will every player and browser take it?"""
    probe = done.probe
    for name, said, value, usual in (
        ("container", "container", probe.container, ("mp4",)),
        ("codec", "codec", probe.codec, ("h264",)),
        ("profile", "codec's profile", probe.profile, PROFILES if probe.codec == "h264" else ()),
        ("pix_fmt", "pixel format", probe.pix_fmt, PIX_FMTS),
    ):
        expected, told = ", ".join(usual), value or "not told"
        if not usual:
            sentence = f"The {said} is {told}; which players take it is not known here."
            yield _finding(name, Verdict.UNVERIFIABLE, value, expected, sentence)
        elif value in usual:
            yield _finding(name, Verdict.PASS, value, expected, f"The {said} is {told}, which plays everywhere.")
        else:
            sentence = f"The {said} is {told}; some players take only {expected}."
            yield _finding(name, Verdict.WARN, value, expected, sentence)
    ratio = probe.sample_aspect_ratio
    square = "Pixels are square." if ratio == 1 else f"Pixels are {ratio} as wide as high; some players ignore that."
    yield _finding("sample_aspect_ratio", Verdict.PASS if ratio == 1 else Verdict.WARN, str(ratio), "1", square)
    if boxes:
        sentence = "The index comes first, so playing starts at once."
        if not boxes.moov_first:
            sentence = "The index comes last, so playing starts only when everything is loaded."
        verdict = Verdict.PASS if boxes.moov_first else Verdict.WARN
        yield _finding("moov_first", verdict, boxes.moov_first, "index before media", sentence)


def _timing(done: Decoded) -> Iterator[Finding]:
    """Does the clock run forward, evenly, from a frame that stands by itself?"""
    if done.first_is_key is not None:
        sentence = "The first frame stands by itself." if done.first_is_key else "The first frame needs one before it."
        verdict = Verdict.PASS if done.first_is_key else Verdict.FAIL
        yield _finding("first_key_frame", verdict, done.first_is_key, "a key frame", sentence)
    sentence = (
        f"The clock stands still or runs back {done.disorder} times." if done.disorder else "The clock runs forward."
    )
    verdict = Verdict.FAIL if done.disorder else Verdict.PASS
    yield _finding("timestamps", verdict, done.disorder, "no step back", sentence)
    if done.fps and done.frames > 2:
        steps = round(done.longest_gap * done.fps, 2)
        sentence = f"The longest wait between two frames is {steps:g} times the usual."
        verdict = Verdict.PASS if steps <= GAP_WARN else Verdict.WARN
        yield _finding("frame_spacing", verdict, steps, f"at most {GAP_WARN} times the usual", sentence)
    if len(done.sizes) > 1:
        sizes = sorted(f"{width}x{height}" for width, height in done.sizes)
        yield _finding("one_size", Verdict.FAIL, sizes, "one size throughout", "The picture changes its size midway.")
    promised = done.probe.frames
    if promised and promised != done.frames:
        sentence = f"The file promises {promised:,} frames and holds {done.frames:,}."
        yield _finding("promised_frames", Verdict.WARN, done.frames, f"{promised} frames", sentence)


def _geometry(done: Decoded, target: Target) -> Iterator[Finding]:
    width, height = shown_size(done)
    off = max(abs(width / target.width - 1), abs(height / target.height - 1))
    sentence = f"The picture is {width}x{height}; {target.width}x{target.height} was asked for."
    verdict = _ranked(off, passes=0, warns=SIZE_WARN)
    yield _finding("size", verdict, f"{width}x{height}", f"{target.width}x{target.height}", sentence)
    stretch = done.probe.sample_aspect_ratio
    ratio = width / height * float(1 / stretch if done.rotation % 180 else stretch)
    asked = target.width / target.height
    sentence = f"The picture is shown {ratio:.3f} times as wide as high; {asked:.3f} was asked for."
    verdict = _ranked(abs(ratio / asked - 1), passes=RATIO_PASS, warns=RATIO_WARN)
    yield _finding("aspect_ratio", verdict, round(ratio, 4), f"{asked:.4f} ± {RATIO_PASS:.0%}", sentence)


def _length(done: Decoded, target: Target) -> Iterator[Finding]:
    fps = done.fps or 0.0
    sentence = f"It runs at {fps:.3f} frames per second; {target.fps} were asked for."
    verdict = _ranked(abs(fps / target.fps - 1), passes=FPS_PASS, warns=FPS_PASS)
    yield _finding("fps", verdict, round(fps, 3), f"{target.fps} ± {FPS_PASS:.1%}", sentence)
    frames, seconds = target.file_frames, target.file_seconds
    whole = "" if target.source_seconds is None else ", the source among them,"
    sentence = f"It has {done.frames:,} frames; {frames:,}{whole} were asked for."
    verdict = _ranked(abs(done.frames - frames), passes=FRAMES_PASS, warns=FRAMES_WARN * frames)
    yield _finding("frames", verdict, done.frames, f"{frames} ± {FRAMES_PASS}", sentence)
    sentence = f"It lasts {done.duration:.2f} s; {round(seconds, 2):g} s{whole} were asked for."
    verdict = _ranked(abs(done.duration - seconds), passes=DURATION_PASS, warns=DURATION_WARN)
    expected = f"{round(seconds, 2):g} s ± {DURATION_PASS} s"
    yield _finding("duration", verdict, round(done.duration, 3), expected, sentence)


def _sound(done: Decoded, target: Target | None) -> Iterator[Finding]:
    """Is there sound where it was asked for, and is it more than silence?"""
    heard = done.samples > 0
    if target is None:
        sentence = "There is a sound track." if heard else "There is no sound track."
        yield _finding("audio", Verdict.PASS, heard, "", sentence)
    elif target.audio == heard:
        sentence = "There is sound, as asked." if heard else "There is no sound, as asked."
        yield _finding("audio", Verdict.PASS, heard, "sound" if heard else "no sound", sentence)
    elif target.audio:
        yield _finding("audio", Verdict.FAIL, heard, "sound", "Sound was asked for, and there is none.")
    else:
        yield _finding("audio", Verdict.WARN, heard, "no sound", "There is sound, which was not asked for.")
    if heard and done.frames and done.probe.audio_rate:
        seconds = done.samples / done.probe.audio_rate
        sentence = f"The sound lasts {seconds:.2f} s, the picture {done.duration:.2f} s."
        verdict = _ranked(abs(seconds - done.duration), passes=DURATION_WARN, warns=math.inf)
        expected = f"{done.duration:.2f} s ± {DURATION_WARN} s"
        yield _finding("audio_length", verdict, round(seconds, 3), expected, sentence)
    if heard:
        silent = done.peak < SILENCE_PEAK
        sentence = "The sound track is silent throughout." if silent else "The sound track can be heard."
        verdict = Verdict.WARN if silent else Verdict.PASS
        yield _finding("audio_level", verdict, round(done.peak, 4), f"a peak of at least {SILENCE_PEAK:g}", sentence)
