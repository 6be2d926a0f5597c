"""The report: what is said of good files, of files other than asked for, and of broken ones."""

import io
import json
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from framegate.domain import Target
from framegate.media import videos
from framegate.media.quality import Finding, Report, Verdict, decoding, inspect, verify
from support.tiny_video import make

TARGET = Target(width=160, height=90, fps=24, duration=1, audio=False, seed=None)


def found(report: Report, name: str) -> Finding:
    return next(finding for finding in report.findings if finding.name == name)


def verdicts(report: Report) -> dict[str, str]:
    """Everything that did not simply pass."""
    return {finding.name: str(finding.verdict) for finding in report.findings if finding.verdict is not Verdict.PASS}


def test_a_file_as_it_was_asked_for_passes_every_check(tmp_path: Path):
    path = make(tmp_path / "a.mp4", frames=24, sound=True, b_frames=True)
    verified = verify(path, replace(TARGET, audio=True))
    assert verdicts(verified.report) == {}
    assert verified.report.verdict == "pass"
    assert verified.report.playable
    assert (verified.width, verified.height, verified.fps, verified.frames) == (160, 90, 24.0, 24)
    assert (verified.duration, verified.audio) == (1.0, True)
    for jpeg in (verified.poster_jpeg, verified.contact_sheet_jpeg):
        assert Image.open(io.BytesIO(jpeg or b"")).format == "JPEG"


def test_the_report_is_json_with_a_sentence_and_a_threshold_for_each_check(tmp_path: Path):
    report = json.loads(json.dumps(inspect(make(tmp_path / "a.mp4", frames=24), target=TARGET).as_json()))
    assert (report["verdict"], report["playable"]) == ("pass", True)
    names = [finding["name"] for finding in report["findings"]]
    assert names == [
        "decodes",
        "complete",
        "container",
        "codec",
        "profile",
        "pix_fmt",
        "sample_aspect_ratio",
        "moov_first",
        "first_key_frame",
        "timestamps",
        "frame_spacing",
        "size",
        "aspect_ratio",
        "fps",
        "frames",
        "duration",
        "audio",
    ]
    for finding in report["findings"]:
        assert finding.keys() == {"name", "group", "verdict", "value", "expected", "sentence"}
        assert finding["sentence"].endswith(".")
        assert finding["value"] is not None
        assert finding["expected"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"width": 320, "height": 180}, {"size": "fail"}),
        ({"width": 164, "height": 92}, {"size": "warn"}),
        ({"width": 90, "height": 160}, {"size": "fail", "aspect_ratio": "fail"}),
        ({"fps": 25}, {"fps": "fail"}),
        ({"duration": 2}, {"frames": "fail", "duration": "fail"}),
        ({"audio": True}, {"audio": "fail"}),
    ],
)
def test_what_differs_from_the_request_is_named(tmp_path: Path, change: dict[str, Any], expected: dict[str, str]):
    report = inspect(make(tmp_path / "a.mp4", frames=24), target=replace(TARGET, **change))
    assert verdicts(report) == expected
    assert report.playable


@pytest.mark.parametrize(
    ("making", "expected"),
    [
        ({"frames": 25}, {}),
        ({"frames": 29, "fps": 24}, {"frames": "fail", "duration": "warn"}),
        ({"sound": True}, {"audio": "warn"}),
        ({"sound": True, "loudness": 0.0}, {"audio": "warn", "audio_level": "warn"}),
        ({"sound": True, "sound_seconds": 0.2}, {"audio": "warn", "audio_length": "warn"}),
        ({"faststart": False}, {"moov_first": "warn"}),
        ({"pix_fmt": "yuv444p"}, {"profile": "warn", "pix_fmt": "warn"}),
        ({"aspect": Fraction(4, 3)}, {"sample_aspect_ratio": "warn", "aspect_ratio": "fail"}),
        ({"width": 90, "height": 160, "rotation": 90}, {}),
        ({"times": [*range(12), *range(18, 30)]}, {"frame_spacing": "warn", "fps": "fail", "duration": "warn"}),
        ({"container": "mov"}, {"container": "warn"}),
        ({"container": "matroska"}, {"complete": "unverifiable", "container": "warn"}),
        (
            {"container": "webm", "codec": "libvpx-vp9"},
            {"complete": "unverifiable", "container": "warn", "codec": "warn", "profile": "unverifiable"},
        ),
    ],
)
def test_what_a_player_or_a_reader_would_stumble_over_is_named(
    tmp_path: Path, making: dict[str, Any], expected: dict[str, str]
):
    report = inspect(make(tmp_path / "a.mp4", **({"frames": 24} | making)), target=TARGET)
    assert verdicts(report) == expected
    assert report.playable


def test_a_video_that_goes_on_from_a_source_is_measured_with_its_source(tmp_path: Path):
    path = make(tmp_path / "a.mp4", frames=60)

    assert verdicts(inspect(path, target=replace(TARGET, source_seconds=1.5))) == {}
    report = inspect(path, target=replace(TARGET, source_seconds=0.5))
    assert verdicts(report) == {"frames": "fail", "duration": "fail"}
    assert found(report, "duration").sentence == "It lasts 2.50 s; 1.5 s, the source among them, were asked for."


def test_without_a_request_nothing_is_compared(tmp_path: Path):
    report = inspect(make(tmp_path / "a.mp4", width=100, height=200))
    assert report.verdict == "pass"
    names = {finding.name for finding in report.findings}
    assert not names & {"size", "aspect_ratio", "fps", "frames", "duration"}


@pytest.mark.parametrize("faststart", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_off_file_fails_and_is_not_playable(tmp_path: Path, faststart: bool, share: float):
    path = make(tmp_path / "a.mp4", frames=48, faststart=faststart)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    verified = verify(path, TARGET)
    assert (verified.report.verdict, verified.report.playable) == ("fail", False)


def test_a_file_damaged_in_the_middle_fails_at_decoding(tmp_path: Path):
    path = make(tmp_path / "a.mp4", frames=48)
    data = bytearray(path.read_bytes())
    media = next(box for box in videos.boxes(path).boxes if box.kind == "mdat")
    middle = media.offset + media.size // 2
    data[middle : middle + 600] = b"\xff" * 600
    path.write_bytes(data)
    report = inspect(path, target=TARGET)
    assert found(report, "decodes").verdict == "fail"
    assert found(report, "complete").verdict == "pass"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "is_empty"),
        (b"Rendering failed, sorry.", "not_media"),
        (b'{"error": "expired"}', "not_media"),
        (b"<!doctype html><title>Sign in</title>", "is_html"),
        (b"\0" * 10_000, "not_media"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "truncated"),
    ],
)
def test_a_file_that_is_no_video_is_a_finding_and_not_an_error(tmp_path: Path, data: bytes, code: str):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    verified = verify(path, TARGET)
    assert [(finding.name, finding.value) for finding in verified.report.findings] == [("decodes", code)]
    assert (verified.report.verdict, verified.report.playable) == ("fail", False)
    assert (verified.frames, verified.poster_jpeg, verified.contact_sheet_jpeg) == (0, None, None)


def test_a_sound_alone_is_no_playable_video(tmp_path: Path):
    verified = verify(make(tmp_path / "a.mp4", frames=0, sound=True), TARGET)
    assert found(verified.report, "decodes").verdict == "fail"
    assert "no picture track" in found(verified.report, "decodes").sentence
    assert not verified.report.playable
    assert verified.audio


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=40)), min_size=1, max_size=8))
def test_no_damage_whatever_raises(tmp_path: Path, cuts: list[tuple[int, bytes]]):
    path = tmp_path / "a.mp4"
    if not (tmp_path / "whole.mp4").exists():
        make(tmp_path / "whole.mp4", sound=True)
    data = bytearray((tmp_path / "whole.mp4").read_bytes())
    for offset, patch in cuts:
        start = offset % len(data)
        data[start : start + len(patch)] = patch
    path.write_bytes(data)
    json.dumps(verify(path, TARGET).report.as_json(), allow_nan=False)


def test_a_file_that_takes_too_long_is_left_unverified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoding, "SECONDS_MAX", 0.0)
    report = inspect(make(tmp_path / "a.mp4", frames=24))
    assert found(report, "decodes").verdict == "unverifiable"


def test_memory_does_not_grow_with_the_length(tmp_path: Path):
    peaks = []
    for frames in (48, 480):
        path = make(tmp_path / "a.mp4", frames=frames)
        tracemalloc.start()
        try:
            assert verify(path).frames == frames
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20


def test_the_worst_finding_decides_and_what_cannot_be_verified_does_not():
    def report(*verdicts: Verdict) -> Report:
        findings = [
            Finding(name="x", group="x", verdict=verdict, value=1, expected="", sentence="X.") for verdict in verdicts
        ]
        return Report(playable=True, findings=()).having(findings)

    assert report().verdict == "pass"
    assert report(Verdict.PASS, Verdict.UNVERIFIABLE).verdict == "pass"
    assert report(Verdict.WARN, Verdict.UNVERIFIABLE).verdict == "warn"
    assert report(Verdict.WARN, Verdict.FAIL, Verdict.PASS).verdict == "fail"
