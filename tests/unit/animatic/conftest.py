from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from framegate.animatic import Spec
from framegate.animatic.camera.framing import Size
from framegate.animatic.effects.film import FilmEffects
from framegate.animatic.output.prepared_shots import prepare_shots
from framegate.animatic.output.timeline import Timeline
from framegate.animatic.picture.planes import Planes, blank_planes
from framegate.animatic.picture.prepared import resolve_placement
from framegate.animatic.plan.director import direct
from framegate.animatic.plan.shots import Easing, Join, Move, Plan, Role, Shot
from support.paths import PHOTOS


@pytest.fixture
def astronaut():
    return str(PHOTOS / "astronaut.png")


@pytest.fixture
def cat():
    return str(PHOTOS / "cat.png")


@pytest.fixture
def rocket():
    return str(PHOTOS / "rocket.jpg")


@pytest.fixture
def spec(tmp_path: Path):
    """Factory of specs for small, short videos."""
    default = Spec(width=320, height=180, fps=12, frames=12, output=str(tmp_path / "clip.mp4"))

    def make(**values: Any) -> Spec:  # any field of a spec
        return replace(default, **values)

    return make


@pytest.fixture
def coffee():
    return str(PHOTOS / "coffee.png")


@pytest.fixture
def stars():
    return str(PHOTOS / "deep-field.jpg")


@pytest.fixture
def photos():
    return sorted(str(path) for path in PHOTOS.iterdir() if path.suffix in (".png", ".jpg"))


@pytest.fixture
def frames(spec: Callable[..., Spec]):
    """Draw the frames of a plan, or of a spec's prompt, as planes for the encoder."""

    def draw(requested_plan: Plan | None = None, **values: Any) -> list[Planes]:  # any field of a spec
        video_spec = spec(**values)
        output = Size(video_spec.width, video_spec.height)
        plan, cutout = resolve_placement(video_spec, requested_plan or plan_of(video_spec))
        timeline = Timeline(
            prepare_shots(video_spec, plan, output, None, cutout),
            output,
            1 / video_spec.fps,
            FilmEffects(plan.look, output, video_spec.seed),
        )
        drawn = [blank_planes(output) for _ in range(video_spec.frames)]
        for at, planes in enumerate(drawn):
            timeline.draw(at / (video_spec.frames - 1) * video_spec.seconds, planes)
        return drawn

    return draw


def plan_of(spec: Spec) -> Plan:
    return direct(
        spec.prompt,
        reference_count=len(spec.references),
        has_first=spec.first_frame is not None,
        has_last=spec.last_frame is not None,
        seconds=spec.seconds,
        names=spec.names,
    )


@pytest.fixture
def shot():
    """Factory of shots, by default one second over the first reference."""
    default = Shot(
        role=Role.REFERENCE,
        index=0,
        moves=(Move.LOCKED_OFF,),
        amount=1.0,
        easing=Easing.SMOOTH,
        start=0.0,
        end=1.0,
        join=Join.OPENS,
        asked=True,
        words="",
    )

    def make(*moves: Move, **values: Any) -> Shot:  # any field of a shot
        return replace(default, moves=moves or default.moves, **values)

    return make


@pytest.fixture
def decoded():
    """Decode the brightness of every frame of a file."""

    def decode(path: str):
        with av.open(path) as container:
            return [np.asarray(frame.to_ndarray()[: frame.height]) for frame in container.decode(video=0)]

    return decode
