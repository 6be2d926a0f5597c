"""Executor without render processes, for tests whose subject is not the pictures.

A render is a copy of a ready video of the wanted size, length and frame rate, there at once. A file check is real the
first time; the result for the same file, target and references is kept for the rest of the process.
"""

import shutil
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np

from framegate.domain import Blob, Done, Job, Lost, ProviderFile, Update
from framegate.domain.machine import Machine

T = TypeVar("T")
_verifications: dict[tuple[object, ...], object] = {}


def write_small_video(path: Path) -> Path:
    """Write one second of 64x64 at 8 frames per second."""
    return write_video(path, width=64, height=64, fps=8, frames=8)


def write_video(path: Path, *, width: int, height: int, fps: float, frames: int, sound: bool = False) -> Path:
    """Write a playable video with its index first: a wave that moves, cheap to encode."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        rate = Fraction(fps).limit_denominator(1001)
        video = container.add_stream("libx264", rate=rate, options={"threads": "1", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=48_000, layout="stereo") if sound else None
        wave = 110 + 60 * np.sin(np.linspace(0, 6 * np.pi, width))
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        for number in range(frames):
            planes[:height] = np.roll(wave, 2 * number).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            tone = 0.2 * np.sin(np.arange(int(48_000 * frames / fps)) / 20)
            for start in range(0, len(tone), 1024):
                part = np.stack([tone[start : start + 1024].astype(np.float32)] * 2)
                samples = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
                samples.sample_rate, samples.pts = 48_000, start
                container.mux(audio.encode(samples))
            container.mux(audio.encode())
    return path


@cache
def _ready_videos() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="stub-renders-")


def _ready_video(spec: dict[str, Any]) -> Path:
    shape = {name: spec[name] for name in ("width", "height", "fps", "frames")}
    sound = bool(spec.get("audio"))
    path = Path(_ready_videos().name, "-".join(map(str, [*shape.values(), sound])) + ".mp4")
    return path if path.is_file() else write_video(path, **shape, sound=sound)


class StubRenderer:
    """Every render is done when it has started."""

    size = 2

    def __init__(self) -> None:
        self.specs: dict[str, dict[str, Any]] = {}
        self._updates: dict[str, Update] = {}

    async def start(self, render_id: str, spec: dict[str, Any]) -> None:
        self.specs[render_id] = spec
        shutil.copy(_ready_video(spec), spec["output"])
        self._updates[render_id] = Done(outputs=(ProviderFile(path=spec["output"]),), cost_micro_usd=0)

    def poll(self, render_id: str) -> Update:
        return self._updates.get(render_id, Lost())

    async def forget(self, render_id: str) -> None:
        self._updates.pop(render_id, None)


class StubExecutor:
    """Renders by a stub; file checks are real, once for each file."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.renderer = StubRenderer()

    def warm(self) -> None:
        """There is no process to start."""

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        key = _key(function, arguments)
        if key is None:
            return await self._machine.run_in_thread(function, *arguments, abandon_on_cancel=True)
        if key not in _verifications:
            _verifications[key] = await self._machine.run_in_thread(function, *arguments, abandon_on_cancel=True)
        return _verifications[key]  # type: ignore[return-value]

    async def close(self) -> None:
        pass


def _key(function: Callable[..., object], arguments: tuple[object, ...]) -> tuple[object, ...] | None:
    match arguments:
        case Job() as job, Blob() as blob:
            references = tuple((one.reference, one.blob.sha256) for one in job.prepared)
            return function.__name__, blob.sha256, job.target, references, job.request.prompt
        case _:
            return None
