"""Conformance: findings about good files, files that differ from the request, and damaged files."""

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
from framegate.media.quality import Finding, Report, Verdict, decoding
from framegate.media.quality.conformance import check_conformance
from framegate.media.quality.verification import verify_file
from support.tiny_video import make_video

TARGET = Target(width=160, height=90, fps=24, duration=1, audio=False, seed=None)


def finding_of(report: Report, name: str) -> Finding:
    return next(finding for finding in report.findings if finding.name == name)


def verdicts(report: Report) -> dict[str, str]:
    """Verdicts other than `pass`, by finding."""
    return {finding.name: str(finding.verdict) for finding in report.findings if finding.verdict is not Verdict.PASS}


def test_a_file_that_matches_the_request_passes_every_check(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", frames=24, sound=True, b_frames=True)
    verified = verify_file(path, replace(TARGET, audio=True))
    assert verdicts(verified.report) == {}
    assert verified.report.verdict == "pass"
    assert verified.report.playable
    assert (verified.width, verified.height, verified.fps, verified.frames) == (160, 90, 24.0, 24)
    assert (verified.duration, verified.has_audio) == (1.0, True)
    for jpeg in (verified.poster_jpeg, verified.contact_sheet_jpeg):
        assert Image.open(io.BytesIO(jpeg or b"")).format == "JPEG"


def test_the_report_is_json_with_a_sentence_and_a_threshold_for_each_finding(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", frames=24)
    report = json.loads(json.dumps(check_conformance(path, target=TARGET).as_json()))
    assert (report["verdict"], report["playable"]) == ("pass", True)
    names = [finding["name"] for finding in report["findings"]]
    assert names == [
        "decodes",
        "complete",
        "plausible_length",
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
def test_each_difference_from_the_request_has_a_finding(
    tmp_path: Path, change: dict[str, Any], expected: dict[str, str]
):
    report = check_conformance(make_video(tmp_path / "a.mp4", frames=24), target=replace(TARGET, **change))
    assert verdicts(report) == expected
    assert report.playable


@pytest.mark.parametrize(
    ("options", "expected"),
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
def test_each_property_that_players_may_not_support_has_a_finding(
    tmp_path: Path, options: dict[str, Any], expected: dict[str, str]
):
    options = {"frames": 24, **options}
    report = check_conformance(make_video(tmp_path / "a.mp4", **options), target=TARGET)
    assert verdicts(report) == expected
    assert report.playable


def test_the_length_of_an_extended_video_includes_its_source(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", frames=60)

    assert verdicts(check_conformance(path, target=replace(TARGET, source_seconds=1.5))) == {}
    report = check_conformance(path, target=replace(TARGET, source_seconds=0.5))
    assert verdicts(report) == {"frames": "fail", "duration": "fail"}
    sentence = finding_of(report, "duration").sentence
    assert sentence == "The duration is 2.50 s; 1.5 s, including the source, were requested."


def test_without_a_request_there_are_no_comparisons_with_it(tmp_path: Path):
    report = check_conformance(make_video(tmp_path / "a.mp4", width=100, height=200))
    assert report.verdict == "pass"
    names = {finding.name for finding in report.findings}
    assert not names & {"size", "aspect_ratio", "fps", "frames", "duration"}


@pytest.mark.parametrize("faststart", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_fails_and_is_not_playable(tmp_path: Path, faststart: bool, share: float):
    path = make_video(tmp_path / "a.mp4", frames=48, faststart=faststart)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    verified = verify_file(path, TARGET)
    assert (verified.report.verdict, verified.report.playable) == ("fail", False)


def test_a_file_damaged_in_the_middle_fails_to_decode(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", frames=48)
    data = bytearray(path.read_bytes())
    media = next(box for box in videos.read_boxes(path).boxes if box.kind == "mdat")
    middle = media.offset + media.size // 2
    data[middle : middle + 600] = b"\xff" * 600
    path.write_bytes(data)
    report = check_conformance(path, target=TARGET)
    assert finding_of(report, "decodes").verdict == "fail"
    assert finding_of(report, "complete").verdict == "pass"


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
def test_a_file_that_is_not_a_video_results_in_a_finding_not_an_exception(tmp_path: Path, data: bytes, code: str):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    verified = verify_file(path, TARGET)
    assert [(finding.name, finding.value) for finding in verified.report.findings] == [("decodes", code)]
    assert (verified.report.verdict, verified.report.playable) == ("fail", False)
    assert (verified.frames, verified.poster_jpeg, verified.contact_sheet_jpeg) == (0, None, None)


def test_audio_alone_is_not_a_playable_video(tmp_path: Path):
    verified = verify_file(make_video(tmp_path / "a.mp4", frames=0, sound=True), TARGET)
    assert finding_of(verified.report, "decodes").verdict == "fail"
    assert "no video track" in finding_of(verified.report, "decodes").sentence
    assert not verified.report.playable
    assert verified.has_audio


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=40)), min_size=1, max_size=8))
def test_no_damage_raises_an_exception(tmp_path: Path, cuts: list[tuple[int, bytes]]):
    path = tmp_path / "a.mp4"
    if not (tmp_path / "intact.mp4").exists():
        make_video(tmp_path / "intact.mp4", sound=True)
    data = bytearray((tmp_path / "intact.mp4").read_bytes())
    for offset, patch in cuts:
        start = offset % len(data)
        data[start : start + len(patch)] = patch
    path.write_bytes(data)
    json.dumps(verify_file(path, TARGET).report.as_json(), allow_nan=False)


def test_a_file_that_takes_too_long_to_decode_is_unverifiable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoding, "SECONDS_MAX", 0.0)
    report = check_conformance(make_video(tmp_path / "a.mp4", frames=24))
    assert finding_of(report, "decodes").verdict == "unverifiable"


def test_memory_use_does_not_depend_on_the_duration(tmp_path: Path):
    peaks = []
    for frames in (48, 480):
        path = make_video(tmp_path / "a.mp4", frames=frames)
        tracemalloc.start()
        try:
            assert verify_file(path).frames == frames
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20


def test_the_worst_finding_decides_the_verdict_and_unverifiable_does_not_count():
    def report(*verdicts: Verdict) -> Report:
        findings = [
            Finding(name="x", group="x", verdict=verdict, value=1, expected="", sentence="X.") for verdict in verdicts
        ]
        return Report(playable=True, findings=()).with_findings(findings)

    assert report().verdict == "pass"
    assert report(Verdict.PASS, Verdict.UNVERIFIABLE).verdict == "pass"
    assert report(Verdict.WARN, Verdict.UNVERIFIABLE).verdict == "warn"
    assert report(Verdict.WARN, Verdict.FAIL, Verdict.PASS).verdict == "fail"
