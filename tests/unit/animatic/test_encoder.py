from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from framegate.animatic import OutputFailed, Spec, render
from framegate.animatic.audio.layers import SAMPLE_RATE, Samples
from framegate.animatic.camera.path import Size
from framegate.animatic.output.encoder import VideoWriter

AAC_FRAME = 1024  # samples


def samples(path: str) -> Samples:
    with av.open(path) as container:
        frames = [np.asarray(frame.to_ndarray(), np.float32) for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)


def tone(seconds: float) -> Iterator[Samples]:
    """A tone in chunks of an odd length."""
    wave = np.sin(2 * np.pi * 440 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE) * 0.25
    for at in range(0, len(wave), 7001):
        yield np.stack([wave[at : at + 7001]] * 2).astype(np.float32)


def film(path: Path, frames: int, fps: int, sound: Iterator[Samples] | None):
    with VideoWriter(str(path), Size(64, 64), fps, sound=sound) as writer:
        for at in range(frames):
            frame, planes = writer.new_frame()
            for plane in (planes.y, planes.u, planes.v):
                plane[:] = 40 + at % 100
            writer.write(frame)
    return str(path)


@pytest.mark.parametrize(("fps", "frames"), [(8, 8), (24, 97), (25, 50), (60, 61)])
def test_the_sound_is_stereo_and_as_long_as_the_video(spec: Callable[..., Spec], cat: str, fps: int, frames: int):
    clip = render(spec(references=(cat,), fps=fps, frames=frames, audio=True))

    with av.open(clip.path) as container:
        stream = container.streams.audio[0]
        context = stream.codec_context
        assert (context.name, context.sample_rate, context.layout.name) == ("aac", 48_000, "stereo")
        assert stream.duration
        assert stream.time_base
        assert abs(stream.duration * stream.time_base - frames / fps) * SAMPLE_RATE < AAC_FRAME
    assert abs(samples(clip.path).shape[1] - frames / fps * SAMPLE_RATE) <= AAC_FRAME


def test_the_sound_is_encoded_without_an_offset(tmp_path: Path):
    decoded = samples(film(tmp_path / "a.mp4", 48, 24, tone(2)))

    with_tone = np.concatenate(list(tone(2)), axis=1)
    middle = slice(SAMPLE_RATE // 2, SAMPLE_RATE)
    # AAC is lossy, but an offset of one sample would already give a difference of 0.014.
    assert np.abs(decoded[:, middle] - with_tone[:, middle]).max() < 0.01


def test_a_file_with_sound_has_its_index_first_and_is_interleaved(spec: Callable[..., Spec], cat: str):
    clip = render(spec(references=(cat,), fps=24, frames=96, audio=True))

    data = Path(clip.path).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(clip.path) as container:
        places = [(packet.pos, packet.stream.type) for packet in container.demux() if packet.size]
    order = [kind for _, kind in sorted(places)]
    assert "audio" in order[:8]
    assert "video" in order[-16:]


def test_the_same_sound_and_picture_give_the_same_bytes(tmp_path: Path):
    copies = {Path(film(tmp_path / name, 48, 24, tone(2))).read_bytes() for name in ("a.mp4", "b.mp4", "c.mp4")}

    assert len(copies) == 1


def test_a_video_without_sound_has_no_sound_track(spec: Callable[..., Spec], cat: str):
    with av.open(render(spec(references=(cat,))).path) as container:
        assert not container.streams.audio


def test_an_error_in_the_sound_fails_the_render_with_its_message(tmp_path: Path):
    def broken() -> Iterator[Samples]:
        yield from tone(0.1)
        raise ValueError("the sound broke off")

    with pytest.raises(OutputFailed, match="the sound broke off"):
        film(tmp_path / "a.mp4", 200, 24, broken())


def test_a_cancelled_render_leaves_no_encoder_thread(tmp_path: Path):
    import threading

    def endless_silence() -> Iterator[Samples]:
        while True:
            yield np.zeros((2, 4096), np.float32)

    with pytest.raises(KeyError), VideoWriter(str(tmp_path / "a.mp4"), Size(64, 64), 24, sound=endless_silence()):
        raise KeyError

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("animatic")]
