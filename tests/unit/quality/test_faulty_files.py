"""Files that are faulty, whatever was ordered: the verdict on the file fails, and the headline says so."""

import random
from pathlib import Path

import av
import pytest

from framegate.domain import Target
from framegate.media import videos
from framegate.media.quality import Report, Verdict
from framegate.media.quality.decoding import FRAMES_MIN, FRAMES_OF_TOO_LONG
from framegate.media.quality.verification import verify_file
from support.tiny_video import make_video

TARGET = Target(width=160, height=90, fps=24, duration=4, audio=False, seed=None)


def report_of(path: Path) -> Report:
    return verify_file(path, TARGET).report


@pytest.mark.parametrize("flips", [1, 3])
def test_a_file_with_a_third_of_its_frames_damaged_is_faulty(tmp_path, flips):
    path, chance = make_video(tmp_path / "a.mp4", frames=96), random.Random(1)
    with av.open(str(path)) as file:
        packets = [(packet.pos or 0, packet.size) for packet in file.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in packets[1::3]:
        for _ in range(flips):
            data[chance.randrange(position + min(12, size - 1), position + size)] ^= 1 << chance.randrange(8)
    path.write_bytes(data)

    report = report_of(path)
    assert report.file_verdict is Verdict.FAIL
    assert report.headline.startswith("The file is faulty.")
    assert "damaged" in report.headline


def test_two_frames_over_a_day_are_no_video_of_four_seconds(tmp_path):
    report = report_of(make_video(tmp_path / "a.mp4", frames=2, times=[0, 24 * 10**5]))
    assert report.file_verdict is Verdict.FAIL
    assert report.headline == ("The file is faulty. The file has 2 frames over 100,000.0 s; 96 over 4 s were ordered.")


def test_decoding_stops_where_far_more_frames_come_than_were_ordered(tmp_path):
    verified = verify_file(make_video(tmp_path / "a.mp4", frames=FRAMES_MIN + 60, width=16, height=16), TARGET)
    assert (verified.report.playable, verified.report.file_verdict) == (True, Verdict.FAIL)
    assert verified.frames == FRAMES_OF_TOO_LONG


def test_frames_that_grow_within_a_video_are_never_allocated(tmp_path, monkeypatch):
    monkeypatch.setattr(videos, "FRAME_PIXELS_MAX", 100_000)
    parts = [make_video(tmp_path / str(side), width=side, height=side, container="h264") for side in (64, 512)]
    (tmp_path / "both").write_bytes(b"".join(part.read_bytes() for part in parts))
    with av.open(str(tmp_path / "both"), format="h264") as source, av.open(str(tmp_path / "a.ts"), "w") as target:
        track = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for number, packet in enumerate(source.demux()):
            if packet.size:
                packet.pts = packet.dts = number * 3750
                packet.stream = track
                target.mux(packet)

    report = report_of(tmp_path / "a.ts")
    assert report.file_verdict is Verdict.FAIL
    assert "12 frames" in report.headline


def test_a_file_that_is_only_not_as_requested_is_not_faulty(tmp_path):
    report = report_of(make_video(tmp_path / "a.mp4", frames=48))
    assert (report.verdict, report.file_verdict) == (Verdict.FAIL, Verdict.PASS)
    assert report.headline.startswith("The file is intact, but not as requested.")
