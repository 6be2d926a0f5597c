"""From a spec to a finished file."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from framegate.engine import camera, pictures
from framegate.engine.camera import Size, View
from framegate.engine.direction import Join, Role, Shot, plan
from framegate.engine.encode import Writer
from framegate.engine.errors import OutputFailed
from framegate.engine.pictures import Pixels, Planes, Sheet
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


def _make(spec: Spec, path: str, progress: Progress) -> None:
    output = Size(spec.width, spec.height)
    takes = list(_takes(spec, output))
    exact = tuple(at for at, given in ((0, spec.first_frame), (spec.frames - 1, spec.last_frame)) if given is not None)
    spare = pictures.blank(output), pictures.blank(output)
    with Writer(path, output, spec.fps, exact) as writer:
        for at in range(spec.frames):
            frame, planes = writer.frame()
            # Spread over the whole length, so that the last frame is where the camera arrives.
            _compose(takes, at / (spec.frames - 1) * spec.seconds, planes, spare)
            writer.write(frame)
            progress((at + 1) / spec.frames)


def _compose(takes: list[_Take], second: float, into: Planes, spare: tuple[Planes, Planes]) -> None:
    current = max(at for at, take in enumerate(takes) if take.shot.start <= second or at == 0)
    take = takes[current]
    earlier = takes[current - 1] if current and take.shot.join is Join.DISSOLVES else None
    if earlier is None or second >= earlier.shot.end:
        take.draw(second, into)
        return
    earlier.draw(second, spare[0])
    take.draw(second, spare[1])
    share = (second - take.shot.start) / (earlier.shot.end - take.shot.start)
    pictures.blend(spare[0], spare[1], camera.ease(share, 0.5), into)


def _takes(spec: Spec, output: Size) -> Iterator[_Take]:
    loaded: dict[str, Pixels] = {}
    before: View | None = None
    for shot in plan(
        spec.prompt,
        reference_count=len(spec.references),
        has_first=spec.first_frame is not None,
        has_last=spec.last_frame is not None,
        seconds=spec.seconds,
        names=spec.names,
    ):
        picture = _picture(spec, shot, output, loaded)
        size = pictures.size_of(picture)
        path = camera.path(shot, size, output, before if shot.join is Join.GOES_ON else None)
        whole = camera.fit_view(size, output)
        before = path.end
        yield _Take(
            shot,
            path,
            pictures.sheet(picture, (path.start, path.end), output),
            pictures.fitted(picture, whole, output) if shot.role is Role.FIRST_FRAME and shot.start == 0 else None,
            pictures.fitted(picture, whole, output)
            if shot.role is Role.LAST_FRAME and shot.end == spec.seconds
            else None,
        )


def _picture(spec: Spec, shot: Shot, output: Size, loaded: dict[str, Pixels]) -> Pixels:
    if shot.role is Role.TITLE:
        return pictures.title_card(spec.prompt, output, spec.seed)
    paths: Mapping[Role, str | None] = {Role.FIRST_FRAME: spec.first_frame, Role.LAST_FRAME: spec.last_frame}
    path = paths.get(shot.role) or spec.references[shot.index]
    if path not in loaded:
        loaded.clear()  # one decoded picture at a time: the sheets are what the render keeps
        loaded[path] = pictures.load(path)
    return loaded[path]


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
