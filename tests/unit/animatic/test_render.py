import hashlib
import struct
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from framegate.animatic import OutputFailed, Spec, UnreadablePicture, render

RATIOS = {
    "16:9": 16 / 9,
    "9:16": 9 / 16,
    "1:1": 1.0,
    "4:3": 4 / 3,
    "3:4": 3 / 4,
    "3:2": 3 / 2,
    "2:3": 2 / 3,
    "21:9": 21 / 9,
    "9:21": 9 / 21,
}


def size(ratio: float, short_side: int):
    long_side = round(short_side * max(ratio, 1 / ratio) / 2) * 2
    return (long_side, short_side) if ratio > 1 else (short_side, long_side)


def frames(path: str) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def luma(path: str):
    return [np.asarray(frame.to_ndarray()[: frame.height]) for frame in frames(path)]


def boxes(path: str):
    data = Path(path).read_bytes()
    at, kinds = 0, list[str]()
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        kinds.append(kind.decode())
        at += length
    return kinds


def psnr(a: NDArray[Any], b: NDArray[Any]):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b.astype(float)) ** 2), 1e-9))


def mean_color(frame: av.VideoFrame):
    """The frame's mean red, green and blue, by the inverse of BT.709 in limited range."""
    y, u, v = (np.asarray(plane).mean() for plane in np.split(frame.to_ndarray().ravel(), _plane_ends(frame)))
    y, u, v = (y - 16) * 255 / 219, (u - 128) * 255 / 224, (v - 128) * 255 / 224
    return np.array([y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u])


def _plane_ends(frame: av.VideoFrame):
    pixels = frame.width * frame.height
    return [pixels, pixels * 5 // 4]


def cover(path: str, width: int, height: int):
    """A picture at the output's size, resized by a library that the renderer does not use."""
    return Image.open(path).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("short_side", [360, 480, 720, 1080])
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_size_gives_a_file_in_the_exact_format(spec: Callable[..., Spec], cat: str, ratio: str, short_side: int):
    width, height = size(RATIOS[ratio], short_side)

    rendered = render(spec(references=(cat,), width=width, height=height, fps=8, frames=8))

    with av.open(rendered.path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.width, context.height) == (rendered.width, rendered.height) == (width, height)
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        assert stream.average_rate == rendered.fps == 8
        assert stream.frames == rendered.frames == 8
        assert sum(1 for _ in container.decode(stream)) == 8
        assert stream.duration is not None
        assert stream.time_base is not None
        assert stream.duration * stream.time_base == rendered.seconds == 1
    assert boxes(rendered.path) == ["ftyp", "moov", "free", "mdat"]


def presented_at(frame: av.VideoFrame) -> Fraction:
    assert frame.pts is not None
    assert frame.time_base is not None
    return frame.pts * frame.time_base


@pytest.mark.parametrize("fps", [8, 24, 25, 30, 50, 60])
def test_every_frame_rate_gives_all_frames_at_even_times(spec: Callable[..., Spec], cat: str, fps: int):
    rendered = render(spec(references=(cat,), fps=fps, frames=3 * fps + 1))

    with av.open(rendered.path) as container:
        stamps = [presented_at(frame) for frame in container.decode(video=0)]
    assert len(stamps) == 3 * fps + 1
    assert {round((b - a) * fps, 6) for a, b in pairwise(stamps)} == {1}


def test_the_file_metadata_names_the_renderer_and_no_time(spec: Callable[..., Spec], cat: str):
    with av.open(render(spec(references=(cat,))).path) as container:
        assert container.metadata["comment"] == "animatic: camera moves over the references, no generative model"
        assert not any("time" in key or "date" in key for key in container.metadata)


def test_the_same_request_gives_the_same_bytes(spec: Callable[..., Spec], astronaut: str, cat: str, tmp_path: Path):
    request = {"references": (cat, astronaut), "prompt": "slow pan left", "width": 640, "height": 360, "frames": 48}
    digests = {
        hashlib.sha256(Path(render(spec(output=str(tmp_path / name), **request)).path).read_bytes()).hexdigest()
        for name in ("a.mp4", "b.mp4")
    }

    assert len(digests) == 1


@pytest.mark.parametrize("prompt", ["slow push-in", "pan left, then tilt up", "zoom out", None])
def test_first_and_last_frame_are_the_pictures_themselves(
    spec: Callable[..., Spec], astronaut: str, cat: str, tmp_path: Path, prompt: str | None
):
    first, last = tmp_path / "first.png", tmp_path / "last.png"
    cover(astronaut, 640, 360).save(first)
    cover(cat, 640, 360).save(last)

    rendered = render(
        spec(prompt=prompt, first_frame=str(first), last_frame=str(last), width=640, height=360, fps=24, frames=48)
    )

    decoded_frames = frames(rendered.path)
    y = luma(rendered.path)
    for at, picture in ((0, first), (-1, last)):
        pixels = np.asarray(Image.open(picture))
        assert psnr(y[at], 16 + pixels @ np.array([0.2126, 0.7152, 0.0722]) * 219 / 255) > 45
        assert np.abs(mean_color(decoded_frames[at]) - pixels.mean(axis=(0, 1))).max() < 1.0
    # No jump of sharpness or position next to the exact frames.
    assert psnr(y[0], y[1]) > 32
    assert psnr(y[-2], y[-1]) > 32


@pytest.mark.parametrize(
    ("prompt", "direction"), [("slow pan right", (-1, 0)), ("slow pan left", (1, 0)), ("slow tilt up", (0, 1))]
)
def test_a_slow_pan_moves_by_fractions_of_a_pixel_without_shaking(
    spec: Callable[..., Spec], astronaut: str, prompt: str, direction: tuple[int, int]
):
    clip = render(spec(prompt=prompt, references=(astronaut,), width=640, height=360, fps=30, frames=180))

    middle = [frame.astype(np.float32) for frame in luma(clip.path)[72:108]]
    window = cv2.createHanningWindow((640, 360), cv2.CV_32F)
    steps = np.array([cv2.phaseCorrelate(a, b, window)[0] for a, b in pairwise(middle)])
    total = np.array(cv2.phaseCorrelate(middle[0], middle[-1], window)[0])
    assert 0.2 < total @ np.array(direction) / len(steps) < 0.9
    assert np.abs(total @ np.array(direction[::-1])) < 0.1
    assert (steps @ np.array(direction)).std() < 0.1
    assert (steps @ np.array(direction[::-1])).std() < 0.05


def test_a_locked_off_shot_does_not_move(spec: Callable[..., Spec], cat: str):
    first, *_, last = luma(render(spec(prompt="locked-off", references=(cat,), fps=24, frames=48)).path)

    assert psnr(first, last) > 38


def test_references_are_shown_in_order(spec: Callable[..., Spec], astronaut: str, cat: str, rocket: str):
    clip = luma(render(spec(prompt="locked-off", references=(cat, astronaut, rocket), frames=36)).path)
    singles = [
        luma(render(spec(prompt="locked-off", references=(photo,))).path)[0] for photo in (cat, astronaut, rocket)
    ]

    order = [int(np.argmax([psnr(frame, single) for single in singles])) for frame in clip]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2}


@pytest.mark.parametrize("prompt", ["A lighthouse in a storm", "Ein Caf\u00e9 \u2013 nachts, 5 \u20ac das Glas"])
def test_a_prompt_without_pictures_gives_a_title_card(spec: Callable[..., Spec], prompt: str):
    (frame, *_) = luma(render(spec(prompt=prompt, width=640, height=360)).path)

    assert frame.max() > 150  # text
    assert np.median(frame) < 90  # dark background


def test_a_title_card_is_empty_if_the_font_lacks_the_script(spec: Callable[..., Spec]):
    (frame, *_) = luma(render(spec(prompt="\u5d50\u306e\u706f\u53f0", width=640, height=360)).path)

    assert frame.max() < 100


def test_progress_rises_to_one(spec: Callable[..., Spec], cat: str):
    reports: list[float] = []

    render(spec(references=(cat,)), reports.append)

    assert reports == sorted(reports)
    assert len(reports) == 12
    assert reports[-1] == 1.0


def test_a_file_that_is_not_a_picture_is_rejected_by_name(spec: Callable[..., Spec], tmp_path: Path):
    notes = tmp_path / "notes.png"
    notes.write_text("not a picture")

    with pytest.raises(UnreadablePicture, match=r"notes\.png cannot be read as a picture"):
        render(spec(references=(str(notes),)))


def test_a_16_bit_gray_picture_keeps_its_brightness(spec: Callable[..., Spec], tmp_path: Path):
    deep = tmp_path / "deep.png"
    Image.fromarray(np.linspace(0, 65535, 320 * 180).reshape(180, 320).astype(np.uint16)).save(deep)

    (frame, *_) = luma(render(spec(prompt="locked-off", references=(str(deep),))).path)

    assert abs(frame.mean() - (16 + 219 / 2)) < 2


def test_a_truncated_picture_is_rejected(spec: Callable[..., Spec], tmp_path: Path, rocket: str):
    half = tmp_path / "half.jpg"
    half.write_bytes(Path(rocket).read_bytes()[:40_000])

    with pytest.raises(UnreadablePicture):
        render(spec(references=(str(half),)))


def test_the_exif_orientation_of_a_picture_is_applied(spec: Callable[..., Spec], tmp_path: Path, rocket: str):
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(rocket) as image:
        image.rotate(90, expand=True).save(turned, exif=exif, quality=98)

    upright = luma(render(spec(prompt="locked-off", references=(rocket,))).path)[0]
    from_turned = luma(render(spec(prompt="locked-off", references=(str(turned),))).path)[0]
    assert psnr(upright, from_turned) > 30


def test_a_stopped_render_leaves_no_files(spec: Callable[..., Spec], cat: str, tmp_path: Path):
    class Stop(Exception): ...

    def stop(share: float):
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        render(spec(references=(cat,)), stop)

    assert list(tmp_path.iterdir()) == []


def test_a_missing_output_folder_is_an_output_failure(spec: Callable[..., Spec], cat: str, tmp_path: Path):
    with pytest.raises(OutputFailed):
        render(spec(references=(cat,), output=str(tmp_path / "nowhere" / "clip.mp4")))


def test_parsing_a_prompt_imports_no_decoder():
    code = "import sys, framegate.animatic; print({'cv2', 'av', 'numpy', 'PIL'} & set(sys.modules))"

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert process.stdout.strip() == "set()"
