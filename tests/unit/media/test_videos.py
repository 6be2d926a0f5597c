"""Video probing, MP4 boxes, remuxing and thumbnails, with small generated videos."""

import io
from pathlib import Path
from typing import cast

import av
import pytest
from PIL import Image

from framegate.media import videos
from framegate.media.thumbnails import Stills
from support.tiny_video import make_video


def test_a_probe_reads_the_metadata_of_a_video(tmp_path: Path):
    probe = videos.probe(make_video(tmp_path / "a.mp4", frames=24, fps=24, sound=True))
    assert (probe.container, probe.media_type, probe.codec, probe.pix_fmt) == ("mp4", "video/mp4", "h264", "yuv420p")
    assert (probe.width, probe.height, probe.fps, probe.frames) == (160, 90, 24.0, 24)
    assert (probe.has_audio, probe.audio_codec, probe.audio_rate, probe.audio_channels) == (True, "aac", 48000, 2)
    assert probe.duration == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "codec", "media_type"),
    [
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx-vp9", "video/webm"),
        ("matroska", "libx264", "video/x-matroska"),
        ("avi", "mpeg4", "video/x-msvideo"),
        ("mpegts", "libx264", "video/mp2t"),
    ],
)
def test_the_container_is_detected_by_its_first_bytes(tmp_path: Path, kind: str, codec: str, media_type: str):
    probe = videos.probe(make_video(tmp_path / "file.png", container=kind, codec=codec))
    assert (probe.media_type, probe.width, probe.has_audio) == (media_type, 160, False)


def test_audio_in_a_video_container_is_audio(tmp_path: Path):
    probe = videos.probe(make_video(tmp_path / "a.mp4", frames=0, sound=True))
    assert (probe.media_type, probe.codec, probe.has_audio) == ("audio/mp4", None, True)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "is_empty"),
        (b"<html>", "is_html"),
        (b"hello", "not_media"),
        (b"\x89PNG\r\n\x1a\n", "not_media"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n", "not_media"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not_media"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "truncated"),
        (b"\x1aE\xdf\xa3" + b"\0" * 100, "truncated"),
    ],
)
def test_other_files_are_rejected_before_they_are_opened_as_videos(tmp_path: Path, data: bytes, code: str):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(videos.Unreadable) as error_info:
        videos.probe(path)
    assert error_info.value.code == code


def test_boxes_show_the_position_of_the_index_and_the_missing_bytes(tmp_path: Path):
    first = make_video(tmp_path / "first.mp4")
    last = make_video(tmp_path / "last.mp4", faststart=False)
    assert [videos.read_boxes(path).moov_first for path in (first, last)] == [True, False]
    assert [videos.read_boxes(path).fault for path in (first, last)] == [None, None]
    first.write_bytes(first.read_bytes()[:-7])
    last.write_bytes(last.read_bytes()[:-7])
    assert videos.read_boxes(first).fault == "The file is truncated: 7 bytes of its last box (`mdat`) are missing."
    assert videos.read_boxes(last).fault == "The file is truncated: 7 bytes of its last box (`moov`) are missing."
    last.write_bytes(last.read_bytes()[:1500])
    assert "`mdat`" in (videos.read_boxes(last).fault or "")


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\0" * 100, b"\0\0\0\x01mdat" + b"\0" * 8, b"\0\0\0\x08free" * 20_000]
)
def test_reading_invalid_boxes_terminates_with_a_fault(tmp_path: Path, data: bytes):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    assert videos.read_boxes(path).fault


def test_remuxing_moves_the_index_to_the_front_and_keeps_every_packet(tmp_path: Path):
    source = make_video(tmp_path / "source.mp4", faststart=False, sound=True, frames=30, b_frames=True)
    target = tmp_path / "target.mp4"
    videos.remux_faststart(source, target)
    assert not videos.read_boxes(source).moov_first
    assert videos.read_boxes(target).moov_first

    def packets(path: Path) -> list[tuple[str, bytes]]:
        with av.open(str(path)) as container:
            return sorted((packet.stream.type, bytes(packet)) for packet in container.demux() if packet.size)

    assert packets(target) == packets(source)
    assert videos.probe(target) == videos.probe(source)


def test_a_failed_remux_leaves_no_file(tmp_path: Path):
    source = make_video(tmp_path / "source.mp4", faststart=False)
    source.write_bytes(source.read_bytes()[:1500])
    with pytest.raises(videos.Unreadable):
        videos.remux_faststart(source, tmp_path / "target.mp4")
    assert not (tmp_path / "target.mp4").exists()


def collect_stills(path: Path, duration: float | None) -> Stills:
    stills = Stills(duration)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            stills.add_frame(frame, frame.time)
    return stills


def test_the_contact_sheet_shows_eight_frames_and_the_poster_one(tmp_path: Path):
    stills = collect_stills(make_video(tmp_path / "a.mp4", frames=16, fps=8, width=1920, height=1080), 2.0)
    poster, sheet = stills.poster_jpeg(), stills.contact_sheet_jpeg()
    assert poster
    assert sheet
    with Image.open(io.BytesIO(poster)) as image:
        assert image.size == (1280, 720)
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.width <= 1600
        assert image.height == 2 * (220 + 6) + 6
    assert [round(time, 2) for time, _ in stills._cells] == [0.12, 0.38, 0.62, 0.88, 1.12, 1.38, 1.62, 1.88]


@pytest.mark.parametrize("stated", [None, 0.0, 100.0])
def test_a_wrong_stated_duration_still_yields_a_poster_and_a_contact_sheet(tmp_path: Path, stated: float | None):
    stills = collect_stills(make_video(tmp_path / "a.mp4", frames=12), stated)
    assert stills.poster_jpeg()
    assert stills.contact_sheet_jpeg()


def red_at(image: Image.Image, at: tuple[int, int]) -> int:
    return cast("tuple[int, int, int]", image.getpixel(at))[0]


def test_stills_apply_the_rotation_of_the_metadata(tmp_path: Path):
    rotated = collect_stills(make_video(tmp_path / "a.mp4", frames=4, rotation=90), 0.1)
    plain = collect_stills(make_video(tmp_path / "b.mp4", frames=4), 0.1)
    with Image.open(io.BytesIO(rotated.poster_jpeg() or b"")) as image:
        assert image.size == (90, 160)
        with Image.open(io.BytesIO(plain.poster_jpeg() or b"")) as flat:
            expected = flat.rotate(90, expand=True)
            for at in ((80, 10), (10, 150)):
                assert red_at(image, at) == pytest.approx(red_at(expected, at), abs=40)


def test_without_a_frame_there_are_no_stills():
    stills = Stills(4.0)
    assert (stills.poster_jpeg(), stills.contact_sheet_jpeg()) == (None, None)
