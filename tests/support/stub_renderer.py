"""Executor without render processes, for tests whose subject is not the pictures.

A render is a copy of a ready video of the wanted size, length and frame rate, there at once. Files are decoded in a
thread of this process. The check of a finished file is real the first time; the result for the same file, target and
references is kept for the rest of the run, for all its processes.
"""

import atexit
import hashlib
import os
import pickle
import shutil
import tempfile
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar, cast

import av
import numpy as np

from framegate.domain import Done, Lost, ProviderFile, Running, Update
from framegate.domain.machine import Machine
from framegate.jobs.executor import LocalExecutor
from framegate.jobs.executor.render_pool import RenderPool
from framegate.media import calls
from framegate.media.decoder import INSPECT, Budget
from framegate.media.quality import ReferenceImage

T = TypeVar("T")
RENDERED_SECONDS_MAX = 2
HELD_SECONDS = 15
RUN_FOLDER = "STUB_RENDERS"  # environment variable: folder of the ready videos and check results of this run


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


def run_folder() -> Path:
    """Return the folder that all processes of this run share; the first one makes it and removes it at its end."""
    if RUN_FOLDER not in os.environ:
        folder = tempfile.mkdtemp(prefix="stub-renders-")
        os.environ[RUN_FOLDER] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(os.environ[RUN_FOLDER])


def _publish(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file of the run once, whole: another process may write the same one at the same time."""
    if not path.is_file():
        part = path.with_name(f"{path.stem}-{os.getpid()}-{threading.get_ident()}{path.suffix}")
        write(part)
        part.replace(path)
    return path


def _ready_video(spec: dict[str, Any]) -> Path:
    shape = {name: spec[name] for name in ("width", "height", "fps", "frames")}
    sound = bool(spec.get("audio"))
    if source := spec.get("source"):  # an extension begins with its source
        with av.open(str(source), "r") as container:
            shape["frames"] += round((container.duration or 0) / av.time_base * spec["fps"])
    path = run_folder() / ("-".join(map(str, [*shape.values(), sound])) + ".mp4")
    return _publish(path, lambda part: write_video(part, **shape, sound=sound))


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

    async def run(self, function: Callable[..., T], *arguments: object, budget: Budget = INSPECT) -> T:
        return await _run_once(self._machine, function, arguments)

    def stalled(self) -> str | None:
        return None

    async def close(self) -> None:
        pass


class ShortRenderExecutor(LocalExecutor):
    """Renders videos of up to two seconds; longer ones are stubs, and those of 15 seconds run until they are cancelled.

    It is for tests of clients that need real videos, and jobs that do not end while they look.
    """

    def __init__(self, machine: Machine, *, render_workers: int, **_: int) -> None:
        super().__init__(machine, render_workers=render_workers)
        self._machine = machine
        self.renderer = _ShortRenders(render_workers)

    def warm(self) -> None:
        self.renderer.warm()

    async def run(self, function: Callable[..., T], *arguments: object, budget: Budget = INSPECT) -> T:
        return await _run_once(self._machine, function, arguments)


class _ShortRenders(RenderPool):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._stub = StubRenderer()
        self._held: set[str] = set()

    async def start(self, render_id: str, spec: dict[str, Any]) -> None:
        seconds = spec["frames"] / spec["fps"]
        if seconds >= HELD_SECONDS:
            self._held.add(render_id)
        elif seconds > RENDERED_SECONDS_MAX:
            await self._stub.start(render_id, spec)
        else:
            await super().start(render_id, spec)

    def poll(self, render_id: str) -> Update:
        if render_id in self._held:
            return Running(progress=0.1, stage="rendering")
        return self._stub.poll(render_id) if render_id in self._stub.specs else super().poll(render_id)

    async def forget(self, render_id: str) -> None:
        self._held.discard(render_id)
        await self._stub.forget(render_id)
        await super().forget(render_id)


async def _run_once(machine: Machine, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
    """Make a call in a thread, or return its result for the same finished file."""
    key = _key(function, arguments)
    if key is None:
        return await machine.run_in_thread(function, *arguments, abandon_on_cancel=True)
    path = run_folder() / f"{hashlib.sha256(repr(key).encode()).hexdigest()}.check"
    if not path.is_file():
        result = await machine.run_in_thread(function, *arguments, abandon_on_cancel=True)
        _publish(path, lambda part: part.write_bytes(pickle.dumps(result)))
    return cast("T", pickle.loads(path.read_bytes()))


def _key(function: Callable[..., object], arguments: tuple[object, ...]) -> tuple[object, ...] | None:
    if function is not calls.verify_output:
        return None
    path, target, references, prompt, _ = cast("tuple[Path, Any, list[ReferenceImage], Any, Any]", arguments)
    return (
        function.__name__,
        path.name,
        target,
        tuple((one.path.name, one.role, one.name) for one in references),
        prompt,
    )
