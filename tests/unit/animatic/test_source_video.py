from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from framegate.animatic import Spec, UnusableSource, render
from framegate.animatic.camera.framing import Size
from framegate.animatic.output.source_video import open_source

WIDTH, HEIGHT, FPS = 640, 360, 24
RATE = 48_000


@pytest.fixture
def film(tmp_path: Path, astronaut: str):
    """Make a video that pans and zooms over a photo; speeds are in widths and logarithms of the zoom per second."""
    photo = cv2.resize(np.asarray(cv2.imread(astronaut)), (1536, 1536))

    def make(
        *, x: float = 0.0, zoom: float = 0.0, seconds: float = 1.0, size: tuple[int, int] = (WIDTH, HEIGHT),
        fps: int = FPS, tone: float = 0.0, name: str = "source.mp4", cut: bool = False,
    ) -> str:  # fmt: skip
        path = str(tmp_path / name)
        with av.open(path, "w") as container:
            video = container.add_stream("libx264", rate=fps, options={"crf": "12"})
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
            sound = container.add_stream("aac", rate=RATE, layout="stereo") if tone else None
            frames = round(seconds * fps)
            for at in range(frames):
                picture = photo[::-1] if cut and at == frames - 1 else photo
                frame_pixels = crop(picture, size, x * at / fps, zoom * at / fps)
                container.mux(video.encode(av.VideoFrame.from_ndarray(frame_pixels, format="bgr24")))
            container.mux(video.encode())
            if sound is not None:
                wave = 0.3 * np.sin(2 * np.pi * tone * np.arange(round(seconds * RATE)) / RATE)
                frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), "fltp", "stereo")
                frame.sample_rate = RATE
                container.mux(sound.encode(frame))
                container.mux(sound.encode())
        return path

    return make


def crop(photo: NDArray[Any], size: tuple[int, int], x: float, zoom: float) -> NDArray[Any]:
    width = 800 / np.exp(zoom)
    scale = size[0] / width
    left, top = 760 + x * 800 - width / 2, 560 - width * size[1] / size[0] / 2
    return cv2.warpAffine(photo, np.array([[scale, 0, -left * scale], [0, scale, -top * scale]]), size)


def luma(path: str) -> list[NDArray[np.float32]]:
    with av.open(path) as container:
        return [frame.to_ndarray()[: frame.height].astype(np.float32) for frame in container.decode(video=0)]


def shifts(frames: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    window = cv2.createHanningWindow((frames[0].shape[1], frames[0].shape[0]), cv2.CV_32F)
    return np.array([cv2.phaseCorrelate(a, b, window)[0] for a, b in pairwise(frames)])


def sound(path: str) -> NDArray[Any]:
    with av.open(path) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


@pytest.fixture
def extended(spec: Callable[..., Spec]):
    def make(source: str, **values: Any):
        plain = {"prompt": "a slow push-in", "width": WIDTH, "height": HEIGHT, "fps": FPS, "frames": 48}
        return render(spec(source=source, **plain | values))

    return make


def test_the_file_is_the_source_followed_by_the_new_frames(film: Any, extended: Any):
    source = film(x=0.05)

    clip = extended(source)

    assert (clip.frames, clip.seconds) == (72, 3.0)
    joined, source_frames = luma(clip.path), luma(source)
    assert len(joined) == 72
    assert max(np.abs(a - b).mean() for a, b in zip(joined, source_frames, strict=False)) < 2


@pytest.mark.parametrize(("x", "zoom"), [(0.06, 0.0), (-0.06, 0.0), (0.0, 0.06), (0.0, -0.06), (0.0, 0.0)])
def test_the_drift_at_the_end_is_measured(film: Any, x: float, zoom: float):
    drift = open_source(film(x=x, zoom=zoom), Size(WIDTH, HEIGHT), FPS).drift

    assert drift.x == pytest.approx(x, abs=0.006)
    assert drift.y == pytest.approx(0, abs=0.006)
    assert drift.zoom_log == pytest.approx(zoom, abs=0.012)


def test_there_is_no_drift_after_a_cut(film: Any):
    assert open_source(film(x=0.06, cut=True), Size(WIDTH, HEIGHT), FPS).drift.is_still


@pytest.mark.parametrize("prompt", ["a slow push-in", "locked-off", "a slow pan right"])
@pytest.mark.parametrize("x", [0.06, -0.15, 0.0])
def test_the_motion_continues_from_the_source_without_a_jump(film: Any, extended: Any, x: float, prompt: str):
    frames = luma(extended(film(x=x), prompt=prompt).path)

    across, down = shifts(frames[16:34]).T
    joint = 23 - 16  # the step from the last frame of the source to the first new one
    # The content moves against the camera and may slow down by a fifth in a step, but not stop, reverse or jump.
    assert across[joint] == pytest.approx(across[joint - 1], abs=0.25 * abs(across[joint - 1]) + 0.15)
    assert np.abs(np.diff(across)).max() < 0.25 * np.abs(across).max() + 0.15
    assert np.abs(down).max() < 0.5
    brightness = np.array([frame.mean() for frame in frames[16:34]])
    assert np.abs(np.diff(brightness))[joint] < 1


@pytest.mark.parametrize("zoom", [0.06, -0.06])
def test_a_zoom_continues_from_the_source(film: Any, extended: Any, zoom: float):
    frames = luma(extended(film(zoom=zoom), prompt="locked-off").path)

    # The left half moves to the left while the picture grows, and to the right while it shrinks.
    half = shifts([frame[:, : WIDTH // 2] for frame in frames[16:34]])[:, 0]
    joint = 23 - 16
    assert np.sign(half[joint]) == -np.sign(zoom)
    assert half[joint] == pytest.approx(half[:joint].mean(), rel=0.4)
    assert abs(half[-1]) < abs(half[joint])


def test_the_drift_decays_and_the_view_returns_into_the_picture(film: Any, extended: Any):
    frames = luma(extended(film(x=0.15), prompt="locked-off", frames=96).path)

    assert np.abs(shifts(frames[-8:])).max() < 0.05


def test_an_extended_video_can_be_extended_again(film: Any, extended: Any, tmp_path: Path):
    once = extended(film())

    twice = extended(once.path, output=str(tmp_path / "twice.mp4"))

    assert twice.frames == 24 + 48 + 48
    frames = luma(twice.path)
    assert max(np.abs(a - b).mean() for a, b in pairwise(frames)) < 3


@pytest.mark.parametrize(("size", "fps"), [((360, 640), 24), ((1280, 720), 30), ((320, 240), 15), ((640, 360), 60)])
def test_sources_of_any_size_and_rate_are_converted_to_the_output(
    film: Any, extended: Any, size: tuple[int, int], fps: int
):
    clip = extended(film(size=size, fps=fps, x=0.04))

    frames = luma(clip.path)
    assert len(frames) == clip.frames == 72
    assert frames[0].shape == (HEIGHT, WIDTH)
    across = shifts(frames[20:28])[:, 0]
    # Frame rates that are no multiples give uneven steps, by one frame of the source at most.
    assert np.abs(across).max() < 1.1 * 0.04 * WIDTH * (1 / fps + 1 / FPS)


def test_cropped_and_enlarged_sources_are_reported_in_notes(film: Any, extended: Any):
    tall = extended(film(size=(360, 640)))
    small = extended(film(size=(320, 180)))

    assert tall.notes[-1] == (
        "The source is 360x640 and the video 640x360, so 68% of its picture was cut off at top and bottom."
    )
    assert small.notes[-1] == "The source is 320x180 and the video 640x360, so its frames were enlarged."


def test_the_sound_of_the_source_is_kept_and_ends_without_a_click(film: Any, extended: Any):
    clip = extended(film(tone=440, seconds=2.0), audio=True, prompt="locked-off")

    decoded = sound(clip.path)
    assert abs(decoded.shape[1] - 4 * RATE) <= 1024
    spectrum = np.abs(np.fft.rfft(decoded[0, RATE // 2 : 3 * RATE // 2]))
    assert int(spectrum.argmax()) == 440
    assert np.abs(decoded[:, RATE : 2 * RATE - 2000]).max() == pytest.approx(0.3, abs=0.03)
    assert np.abs(np.diff(decoded[0, 2 * RATE - 4000 :])).max() < 0.03
    assert np.abs(decoded[:, 3 * RATE :]).max() < 0.001


def test_a_source_without_sound_is_silent_until_the_ambient_sound_starts(film: Any, extended: Any):
    decoded = sound(extended(film(), audio=True, prompt="heavy rain, locked-off").path)

    assert np.abs(decoded[:, : RATE - 2048]).max() < 0.001
    assert np.abs(decoded[:, 2 * RATE :]).max() > 0.01


def test_a_video_without_requested_sound_has_no_sound_track(film: Any, extended: Any):
    with av.open(extended(film(tone=440)).path) as container:
        assert not container.streams.audio


def test_a_source_over_the_limits_is_rejected_with_advice(film: Any, extended: Any, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UnusableSource, match=r"the source video is 61\.0 s long: the maximum is 60 s, so trim it"):
        extended(film(seconds=61, fps=8, size=(64, 36), name="long.mp4"))
    with pytest.raises(UnusableSource, match="the source video is 4112x64: the maximum is 4096 pixels a side"):
        extended(film(size=(4112, 64), seconds=0.1, name="wide.mp4"))


def test_a_file_that_is_not_a_video_is_rejected(extended: Any, cat: str, tmp_path: Path):
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n")
    for path in (cat, str(playlist), str(tmp_path / "gone.mp4")):
        with pytest.raises(UnusableSource) as error:
            extended(path)
        assert "/" not in str(error.value)


def test_the_same_source_and_seed_give_the_same_bytes(film: Any, extended: Any, tmp_path: Path):
    source = film(x=0.06, tone=440)
    copies = {Path(extended(source, audio=True, output=str(tmp_path / name)).path).read_bytes() for name in ("a", "b")}

    assert len(copies) == 1
