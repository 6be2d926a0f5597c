"""Executor without render processes: a render is a copy of a small ready video, there at once."""

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np

from framegate.domain import Done, Lost, ProviderFile, Update
from framegate.domain.machine import Machine

T = TypeVar("T")
SIDE = 64
FRAMES = 8
FPS = 8


def write_small_video(
    path: Path, *, frames: int = FRAMES, fps: int = FPS, width: int = SIDE, height: int = SIDE
) -> Path:
    """Write one second of video by default, of a few kilobytes, playable and with its index first."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"threads": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            pixels = np.full((height, width, 3), number * 20 % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class StubRenderer:
    """Copies a ready video for every render; `video` is the source, by default a small one."""

    size = 2

    def __init__(self, folder: Path, video: Path | None = None) -> None:
        self._folder = folder
        self.video = video
        self.specs: dict[str, dict[str, Any]] = {}
        self._updates: dict[str, Update] = {}

    async def start(self, render_id: str, spec: dict[str, Any]) -> None:
        self.specs[render_id] = spec
        if self.video is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.video = write_small_video(self._folder / "stub-render.mp4")
        shutil.copy(self.video, spec["output"])
        self._updates[render_id] = Done(outputs=(ProviderFile(path=spec["output"]),), cost_micro_usd=0)

    def poll(self, render_id: str) -> Update:
        return self._updates.get(render_id, Lost())

    async def forget(self, render_id: str) -> None:
        self._updates.pop(render_id, None)


class StubExecutor:
    """Renders by a stub; file checks are real."""

    def __init__(self, machine: Machine, folder: Path, video: Path | None = None) -> None:
        self._machine = machine
        self.renderer = StubRenderer(folder, video)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        return await self._machine.run_in_thread(function, *arguments, abandon_on_cancel=True)

    async def close(self) -> None:
        pass
