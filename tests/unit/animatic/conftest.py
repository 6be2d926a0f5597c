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
    """Make a small spec quickly: whatever a test does not say is short and small."""
    plain = Spec(width=320, height=180, fps=12, frames=12, output=str(tmp_path / "clip.mp4"))

    def make(**values: Any) -> Spec:  # any field of a spec
        return replace(plain, **values)

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
    """Draw the frames of a plan, or of a spec's own, as planes: what the encoder would be given."""

    def draw(given: Plan | None = None, **values: Any) -> list[Planes]:  # any field of a spec
        made = spec(**values)
        output = Size(made.width, made.height)
        whole, cutout = resolve_placement(made, given or of_spec(made))
        reel = Timeline(
            prepare_shots(made, whole, output, None, cutout),
            output,
            1 / made.fps,
            FilmEffects(whole.look, output, made.seed),
        )
        drawn = [blank_planes(output) for _ in range(made.frames)]
        for at, planes in enumerate(drawn):
            reel.draw(at / (made.frames - 1) * made.seconds, planes)
        return drawn

    return draw


def of_spec(spec: Spec) -> Plan:
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
    """Make a shot of one second over the first reference, whatever else it is told."""
    plain = Shot(
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
        return replace(plain, moves=moves or plain.moves, **values)

    return make


@pytest.fixture
def decoded():
    """The brightness of every frame of a file."""

    def decode(path: str):
        with av.open(path) as container:
            return [np.asarray(frame.to_ndarray()[: frame.height]) for frame in container.decode(video=0)]

    return decode
