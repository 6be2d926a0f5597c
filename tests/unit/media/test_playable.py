"""Finished files in any container: MP4 where that needs no encoding, else their true type."""

import av
import pytest

from framegate.domain import Blob
from framegate.media import videos
from support.tiny_video import make_video

BLOB = {"sha256": "0" * 64, "size_bytes": 1}


@pytest.mark.parametrize(
    ("container", "options", "codec"),
    [
        ("mov", {"faststart": False}, "h264"),
        ("matroska", {"b_frames": True, "sound": True}, "h264"),
        ("mpegts", {"sound": True}, "h264"),
        ("avi", {}, "h264"),
        ("webm", {"codec": "libsvtav1"}, "av1"),
        ("mp4", {"codec": "libsvtav1", "faststart": False}, "av1"),
        ("matroska", {"codec": "libx265", "b_frames": True}, "hevc"),
    ],
)
def test_a_file_that_fits_into_mp4_becomes_one_with_its_index_first(tmp_path, container, options, codec):
    source, target = make_video(tmp_path / "source", frames=30, container=container, **options), tmp_path / "target"
    playable = videos.make_playable(source, target)

    assert (playable.media_type, playable.is_remuxed) == ("video/mp4", True)
    assert videos.read_boxes(target).moov_first
    probe = videos.probe(target)
    assert (probe.codec, probe.frames, probe.has_audio) == (codec, 30, "sound" in options)
    with av.open(str(target)) as file:
        times = [float(frame.time) for frame in file.decode(video=0)]
    assert times[0] == pytest.approx(0, abs=0.09)
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(29 / 24, abs=0.01)


@pytest.mark.parametrize(
    ("container", "codec", "media_type", "extension"),
    [
        ("webm", "libvpx-vp9", "video/webm", "webm"),
        ("avi", "mpeg4", "video/x-msvideo", "avi"),
        ("matroska", "mpeg4", "video/x-matroska", "mkv"),
        ("flv", "flv", "video/x-flv", "flv"),
        ("mp4", "libx264", "video/mp4", "mp4"),
    ],
)
def test_any_other_file_keeps_its_bytes_and_has_its_true_type(tmp_path, container, codec, media_type, extension):
    source, target = make_video(tmp_path / "source", container=container, codec=codec), tmp_path / "target"
    playable = videos.make_playable(source, target)
    assert (playable.media_type, playable.is_remuxed, target.exists()) == (media_type, False, False)
    assert Blob(media_type=playable.media_type, **BLOB).extension == extension


def test_what_is_no_video_has_the_type_of_what_it_is(tmp_path):
    (tmp_path / "page").write_text("<!doctype html><p>not found")
    (tmp_path / "noise").write_bytes(b"\x01\x02\x03" * 100)
    assert videos.make_playable(tmp_path / "page", tmp_path / "out").media_type == "text/html"
    assert videos.make_playable(tmp_path / "noise", tmp_path / "out").media_type == "application/octet-stream"
