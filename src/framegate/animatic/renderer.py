"""Render entry point: from a spec to a finished video file."""

import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from framegate.animatic.audio import mix
from framegate.animatic.audio.layers import SAMPLE_RATE, Samples
from framegate.animatic.camera.framing import Size
from framegate.animatic.effects.film import FilmEffects
from framegate.animatic.errors import OutputFailed
from framegate.animatic.output.encoder import VideoWriter
from framegate.animatic.output.prepared_shots import prepare_shots
from framegate.animatic.output.source_video import SourceVideo, open_source
from framegate.animatic.output.timeline import Timeline
from framegate.animatic.picture.planes import copy_planes
from framegate.animatic.picture.prepared import resolve_placement
from framegate.animatic.plan.director import direct
from framegate.animatic.plan.shots import Plan
from framegate.animatic.spec import Rendered, Spec

ProgressCallback = Callable[[float], None]


def render(spec: Spec, progress: ProgressCallback | None = None) -> Rendered:
    """Render the video; `output` appears only when it is complete and synced to disk.

    `progress` is called after each frame with the finished fraction; an exception from it stops the render.
    Raises AnimaticError.
    """
    output = Path(spec.output)
    partial = output.with_name(f".{output.name}.part")
    try:
        rendered = _render_to(spec, str(partial), progress or (lambda _: None))
        _move_into_place(partial, output)
    finally:
        partial.unlink(missing_ok=True)
    return rendered


def _render_to(spec: Spec, path: str, progress: ProgressCallback) -> Rendered:
    output = Size(spec.width, spec.height)
    source = None if spec.source is None else open_source(spec.source, output, spec.fps)
    source_frames = 0 if source is None else source.frame_count
    total_frames = source_frames + spec.frames
    plan, cutout = resolve_placement(spec, _plan(spec))
    timeline = Timeline(
        prepare_shots(spec, plan, output, source, cutout),
        output,
        1 / spec.fps,
        FilmEffects(plan.look, output, spec.seed),
    )
    exact_frames = tuple(
        at
        for at, picture in ((source_frames, spec.first_frame), (total_frames - 1, spec.last_frame))
        if picture is not None
    )
    with VideoWriter(
        path, output, spec.fps, exact_frames, _audio(spec, plan, source) if spec.audio else None
    ) as writer:
        for at, source_frame in enumerate(source.frames() if source is not None else ()):
            frame, planes = writer.new_frame()
            copy_planes(source_frame, planes)
            writer.write(frame)
            progress((at + 1) / total_frames)
        source_lead = 0.0 if source is None else source.lead_seconds
        for at in range(spec.frames):
            frame, planes = writer.new_frame()
            # Spread the frames over the whole duration, so that the camera arrives with the last frame.
            timeline.draw(source_lead + at / (spec.frames - 1) * (spec.seconds - source_lead), planes)
            writer.write(frame)
            progress((source_frames + at + 1) / total_frames)
    return Rendered(
        path=spec.output,
        frames=total_frames,
        width=spec.width,
        height=spec.height,
        fps=spec.fps,
        seconds=total_frames / spec.fps,
        notes=(*plan.notes, *timeline.notes, *(() if source is None else source.notes)),
    )


def _audio(spec: Spec, plan: Plan, source: SourceVideo | None) -> Iterator[Samples]:
    ambience = mix.mix_layers(plan.sound_layers, round(spec.seconds * SAMPLE_RATE), spec.seed)
    return ambience if source is None else chain(source.audio(), ambience)


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


def _move_into_place(partial: Path, output: Path) -> None:
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
        raise OutputFailed(f"the finished video cannot be moved to its output path: {error}") from error
