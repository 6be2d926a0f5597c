"""From a spec to a finished file."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from framegate.engine import camera, pictures, sound
from framegate.engine.camera import Size
from framegate.engine.direction import direct
from framegate.engine.encode import Writer
from framegate.engine.errors import OutputFailed
from framegate.engine.layers import RATE
from framegate.engine.pictures import Pixels, Planes, Sheet
from framegate.engine.shots import Plan, Role, Shot
from framegate.engine.spec import Rendered, Spec

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


@dataclass(frozen=True)
class _Take:
    """A shot with all that its frames need; `first` and `last` are stills to be met exactly."""

    shot: Shot
    path: camera.Path
    sheet: Sheet
    first: Planes | None
    last: Planes | None

    def draw(self, second: float, into: Planes) -> None:
        share = min(max((second - self.shot.start) / self.shot.seconds, 0.0), 1.0)
        still = self.first if share == 0 else self.last if share == 1 else None
        if still is None:
            self.sheet.sample(self.path.at(share), into)
            return
        into.y[:], into.u[:], into.v[:] = still.y, still.u, still.v


class _Reel:
    """The takes of a clip as its time goes on: the one running, the one before it, and the next made ready."""

    def __init__(self, takes: Iterator[_Take], output: Size) -> None:
        self._takes = takes
        self._before: _Take | None = None
        self._running = next(takes)
        self._next = next(takes, None)
        self._spare = pictures.blank(output), pictures.blank(output)

    def draw(self, second: float, into: Planes) -> None:
        while self._next is not None and self._next.shot.start <= second:
            self._before, self._running, self._next = self._running, self._next, next(self._takes, None)
        before, running = self._before, self._running
        if before is None or second >= before.shot.end:
            running.draw(second, into)
            return
        before.draw(second, self._spare[0])
        running.draw(second, self._spare[1])
        share = (second - running.shot.start) / (before.shot.end - running.shot.start)
        pictures.blend(self._spare[0], self._spare[1], camera.ease(share, 0.5), into)


def _make(spec: Spec, path: str, progress: Progress) -> None:
    output = Size(spec.width, spec.height)
    plan = _plan(spec)
    reel = _Reel(_takes(spec, plan, output), output)
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


def _takes(spec: Spec, plan: Plan, output: Size) -> Iterator[_Take]:
    shots = plan.shots
    for (role, index), group in groupby(shots, key=lambda shot: (shot.role, shot.index)):
        same = list(group)
        picture = _picture(spec, role, index, output)
        for shot, path in zip(same, camera.paths(same, pictures.size_of(picture), output), strict=True):
            opens, closes = shot is shots[0], shot is shots[-1]
            yield _Take(
                shot,
                path,
                pictures.sheet(picture, (path.start, path.end), output),
                pictures.fitted(picture, path.start, output) if opens and role is Role.FIRST_FRAME else None,
                pictures.fitted(picture, path.end, output) if closes and role is Role.LAST_FRAME else None,
            )


def _picture(spec: Spec, role: Role, index: int, output: Size) -> Pixels:
    if role is Role.TITLE:
        return pictures.title_card(spec.prompt, output, spec.seed)
    frames = {Role.FIRST_FRAME: spec.first_frame, Role.LAST_FRAME: spec.last_frame}
    return pictures.load(frames.get(role) or spec.references[index])


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
