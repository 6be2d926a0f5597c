"""Probing, boxes, remuxing and stills of small videos made on the spot."""

import io
from pathlib import Path

import av
import pytest
from PIL import Image

from framegate.media import videos
from framegate.media.thumbnails import Stills
from support.tiny_video import make


def test_a_video_says_what_it_is(tmp_path: Path):
    probe = videos.probe(make(tmp_path / "a.mp4", frames=24, fps=24, sound=True))
    assert (probe.container, probe.media_type, probe.codec, probe.pix_fmt) == ("mp4", "video/mp4", "h264", "yuv420p")
    assert (probe.width, probe.height, probe.fps, probe.frames) == (160, 90, 24.0, 24)
    assert (probe.audio, probe.audio_codec, probe.audio_rate, probe.audio_channels) == (True, "aac", 48000, 2)
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
def test_a_container_is_known_by_its_first_bytes(tmp_path: Path, kind: str, codec: str, media_type: str):
    probe = videos.probe(make(tmp_path / "file.png", container=kind, codec=codec))
    assert (probe.media_type, probe.width, probe.audio) == (media_type, 160, False)


def test_a_sound_in_a_video_container_is_a_sound(tmp_path: Path):
    probe = videos.probe(make(tmp_path / "a.mp4", frames=0, sound=True))
    assert (probe.media_type, probe.codec, probe.audio) == ("audio/mp4", None, True)


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
def test_what_is_no_video_is_not_even_opened_as_one(tmp_path: Path, data: bytes, code: str):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(videos.Unreadable) as caught:
        videos.probe(path)
    assert caught.value.code == code


def test_boxes_tell_where_the_index_is_and_what_is_missing(tmp_path: Path):
    first = make(tmp_path / "first.mp4")
    last = make(tmp_path / "last.mp4", faststart=False)
    assert [videos.boxes(path).moov_first for path in (first, last)] == [True, False]
    assert [videos.boxes(path).fault for path in (first, last)] == [None, None]
    first.write_bytes(first.read_bytes()[:-7])
    last.write_bytes(last.read_bytes()[:-7])
    assert videos.boxes(first).fault == "The file ends 7 bytes before its last part (`mdat`) does."
    assert videos.boxes(last).fault == "The file ends 7 bytes before its last part (`moov`) does."
    last.write_bytes(last.read_bytes()[:1500])
    assert "`mdat`" in (videos.boxes(last).fault or "")


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\0" * 100, b"\0\0\0\x01mdat" + b"\0" * 8, b"\0\0\0\x08free" * 20_000]
)
def test_boxes_of_nonsense_end(tmp_path: Path, data: bytes):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    assert videos.boxes(path).fault


def test_remuxing_moves_the_index_and_keeps_every_packet(tmp_path: Path):
    source = make(tmp_path / "source.mp4", faststart=False, sound=True, frames=30, b_frames=True)
    target = tmp_path / "target.mp4"
    videos.remux_faststart(source, target)
    assert not videos.boxes(source).moov_first
    assert videos.boxes(target).moov_first

    def packets(path: Path) -> list[tuple[str, bytes]]:
        with av.open(str(path)) as container:
            return sorted((packet.stream.type, bytes(packet)) for packet in container.demux() if packet.size)

    assert packets(target) == packets(source)
    assert videos.probe(target) == videos.probe(source)


def test_a_file_that_cannot_be_remuxed_leaves_nothing_behind(tmp_path: Path):
    source = make(tmp_path / "source.mp4", faststart=False)
    source.write_bytes(source.read_bytes()[:1500])
    with pytest.raises(videos.Unreadable):
        videos.remux_faststart(source, tmp_path / "target.mp4")
    assert not (tmp_path / "target.mp4").exists()


def stills(path: Path, duration: float | None) -> Stills:
    taken = Stills(duration)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            taken.take(frame, frame.time)
    return taken


def test_the_sheet_shows_eight_moments_and_the_poster_one(tmp_path: Path):
    taken = stills(make(tmp_path / "a.mp4", frames=16, fps=8, width=1920, height=1080), 2.0)
    poster, sheet = taken.poster_jpeg(), taken.contact_sheet_jpeg()
    assert poster
    assert sheet
    with Image.open(io.BytesIO(poster)) as image:
        assert image.size == (1280, 720)
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.width <= 1600
        assert image.height == 2 * (220 + 6) + 6
    assert [round(time, 2) for time, _ in taken._cells] == [0.12, 0.38, 0.62, 0.88, 1.12, 1.38, 1.62, 1.88]


@pytest.mark.parametrize("claimed", [None, 0.0, 100.0])
def test_a_wrong_duration_still_gives_a_poster_and_a_sheet(tmp_path: Path, claimed: float | None):
    taken = stills(make(tmp_path / "a.mp4", frames=12), claimed)
    assert taken.poster_jpeg()
    assert taken.contact_sheet_jpeg()


def test_stills_stand_upright_where_only_the_metadata_turns_the_video(tmp_path: Path):
    turned = stills(make(tmp_path / "a.mp4", frames=4, rotation=90), 0.1)
    plain = stills(make(tmp_path / "b.mp4", frames=4), 0.1)
    with Image.open(io.BytesIO(turned.poster_jpeg() or b"")) as image:
        assert image.size == (90, 160)
        with Image.open(io.BytesIO(plain.poster_jpeg() or b"")) as flat:
            expected = flat.rotate(90, expand=True)
            assert image.getpixel((80, 10))[0] == pytest.approx(expected.getpixel((80, 10))[0], abs=40)
            assert image.getpixel((10, 150))[0] == pytest.approx(expected.getpixel((10, 150))[0], abs=40)


def test_no_frame_gives_no_stills():
    taken = Stills(4.0)
    assert (taken.poster_jpeg(), taken.contact_sheet_jpeg()) == (None, None)
