"""From a spec to a finished file."""

import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from framegate.animatic.audio import mix
from framegate.animatic.audio.layers import RATE, Samples
from framegate.animatic.camera.framing import Size
from framegate.animatic.effects.film import Finish
from framegate.animatic.errors import OutputFailed
from framegate.animatic.output.encoder import Writer
from framegate.animatic.output.shot_renderer import takes
from framegate.animatic.output.source_video import Source, look
from framegate.animatic.output.timeline import Reel
from framegate.animatic.picture.planes import copy
from framegate.animatic.picture.prepared import cast
from framegate.animatic.plan.director import direct
from framegate.animatic.plan.shots import Plan
from framegate.animatic.spec import Rendered, Spec

Progress = Callable[[float], None]


def render(spec: Spec, progress: Progress | None = None) -> Rendered:
    """Make the clip; `output` appears only when it is complete and on disk.

    `progress` is told the share that is done after each frame; what it raises stops the render.
    Raises an EngineError.
    """
    output = Path(spec.output)
    partial = output.with_name(f".{output.name}.part")
    try:
        rendered = _make(spec, str(partial), progress or (lambda _: None))
        _publish(partial, output)
    finally:
        partial.unlink(missing_ok=True)
    return rendered


def _make(spec: Spec, path: str, progress: Progress) -> Rendered:
    output = Size(spec.width, spec.height)
    source = None if spec.source is None else look(spec.source, output, spec.fps)
    before = 0 if source is None else source.frames_count
    whole = before + spec.frames
    plan, cutout = cast(spec, _plan(spec))
    reel = Reel(takes(spec, plan, output, source, cutout), output, 1 / spec.fps, Finish(plan.look, output, spec.seed))
    exact = tuple(at for at, given in ((before, spec.first_frame), (whole - 1, spec.last_frame)) if given is not None)
    with Writer(path, output, spec.fps, exact, _heard(spec, plan, source) if spec.audio else None) as writer:
        for at, shown in enumerate(source.frames() if source is not None else ()):
            frame, planes = writer.frame()
            copy(shown, planes)
            writer.write(frame)
            progress((at + 1) / whole)
        opening = 0.0 if source is None else source.lead
        for at in range(spec.frames):
            frame, planes = writer.frame()
            # Spread over the whole length, so that the last frame is where the camera arrives.
            reel.draw(opening + at / (spec.frames - 1) * (spec.seconds - opening), planes)
            writer.write(frame)
            progress((before + at + 1) / whole)
    return Rendered(
        path=spec.output,
        frames=whole,
        width=spec.width,
        height=spec.height,
        fps=spec.fps,
        seconds=whole / spec.fps,
        notes=(*plan.notes, *reel.notes, *(() if source is None else source.notes)),
    )


def _heard(spec: Spec, plan: Plan, source: Source | None) -> Iterator[Samples]:
    made = mix.bed(plan.heard, round(spec.seconds * RATE), spec.seed)
    return made if source is None else chain(source.sound(), made)


def _plan(spec: Spec) -> Plan:
    return direct(
        spec.prompt,
        reference_count=len(spec.references),
        has_first=spec.first_frame is not None,
        has_last=spec.last_frame is not None,
        has_source=spec.source is not None,
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
