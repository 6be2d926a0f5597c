"""Small generated videos."""

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np


def make_video(  # noqa: PLR0913 - one parameter for each property that tests vary
    path: Path,
    *,
    frames: int = 12,
    fps: int = 24,
    width: int = 160,
    height: int = 90,
    codec: str = "libx264",
    container: str = "mp4",
    pix_fmt: str = "yuv420p",
    sound: bool = False,
    sound_seconds: float | None = None,
    loudness: float = 0.3,
    faststart: bool = True,
    b_frames: bool = False,
    rotation: int = 0,
    aspect: Fraction | None = None,
    times: list[int] | None = None,
) -> Path:
    """Write a video of a moving bar, with a tone if `sound` is true; `times` are frame times in 1/fps."""
    options = {"movflags": "+faststart"} if faststart and container in ("mp4", "mov") else {}
    with av.open(str(path), "w", format=container, options=options) as file:
        video: av.VideoStream | None = None
        audio: av.AudioStream | None = None
        if frames:
            encoder_options = {"preset": "veryfast", "bf": "2" if b_frames else "0"} if codec == "libx264" else {}
            video = cast("av.VideoStream", file.add_stream(codec, rate=fps, options=encoder_options))
            video.width, video.height, video.pix_fmt = width, height, pix_fmt
            if aspect:
                video.sample_aspect_ratio = aspect
            if rotation:
                video.set_display_rotation(rotation)
        if sound:
            audio = file.add_stream("aac", rate=48_000, layout="stereo")
        if video is not None:
            for index in range(frames):
                pixels = np.zeros((height, width, 3), np.uint8)
                x = index * 2 % width
                pixels[:, x : x + width // 4] = 230
                pixels[:, :, 2] = index * 5 % 256
                pixels[: height // 4, width // 2 :, 0] = 250
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = times[index] if times else index
                frame.time_base = Fraction(1, fps)
                file.mux(video.encode(frame))
            file.mux(video.encode())
        if audio is not None:
            wave = loudness * np.sin(np.arange(int(48_000 * (sound_seconds or max(frames, 12) / fps))) / 20)
            for start in range(0, len(wave), 1024):
                part = np.stack([wave[start : start + 1024].astype(np.float32)] * 2)
                samples = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
                samples.sample_rate = 48_000
                samples.pts = start
                file.mux(audio.encode(samples))
            file.mux(audio.encode())
    return path
