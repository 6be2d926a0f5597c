"""From a spec to a finished file."""

import os
from collections.abc import Callable
from pathlib import Path

from framegate.engine import sound
from framegate.engine.direction import direct
from framegate.engine.encode import Writer
from framegate.engine.errors import OutputFailed
from framegate.engine.framing import Size
from framegate.engine.layers import RATE
from framegate.engine.reel import Reel
from framegate.engine.shots import Plan
from framegate.engine.spec import Rendered, Spec
from framegate.engine.takes import takes

Progress = Callable[[float], None]


def render(spec: Spec, progress: Progress | None = None) -> Rendered:
    """Make the clip; `output` appears only when it is complete and on disk.

    `progress` is told the share that is done after each frame; what it raises stops the render.
    Raises an EngineError.
    """
    output = Path(spec.output)
    partial = output.with_name(f".{output.name}.part")
    try:
        _make(spec, str(partial), progress or (lambda _: None))
        _publish(partial, output)
    finally:
        partial.unlink(missing_ok=True)
    return Rendered(
        path=spec.output,
        frames=spec.frames,
        width=spec.width,
        height=spec.height,
        fps=spec.fps,
        seconds=spec.seconds,
    )


def _make(spec: Spec, path: str, progress: Progress) -> None:
    output = Size(spec.width, spec.height)
    plan = _plan(spec)
    reel = Reel(takes(spec, plan, output), output, 1 / spec.fps)
    heard = sound.bed(plan.heard, round(spec.seconds * RATE), spec.seed) if spec.audio else None
    exact = tuple(at for at, given in ((0, spec.first_frame), (spec.frames - 1, spec.last_frame)) if given is not None)
    with Writer(path, output, spec.fps, exact, heard) as writer:
        for at in range(spec.frames):
            frame, planes = writer.frame()
            # Spread over the whole length, so that the last frame is where the camera arrives.
            reel.draw(at / (spec.frames - 1) * spec.seconds, planes)
            writer.write(frame)
            progress((at + 1) / spec.frames)


def _plan(spec: Spec) -> Plan:
    return direct(
        spec.prompt,
        reference_count=len(spec.references),
        has_first=spec.first_frame is not None,
        has_last=spec.last_frame is not None,
        seconds=spec.seconds,
        names=spec.names,
        audio=spec.audio,
    )


def _publish(partial: Path, output: Path) -> None:
    try:
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(output)
        folder = os.open(output.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise OutputFailed(f"the finished video could not be put in place: {error}") from error
