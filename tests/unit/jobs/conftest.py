"""A gateway whose provider follows a script, on a virtual machine."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.stub_renderer import write_small_video
from support.virtual_machine import VirtualMachine
from support.world import ScriptedProvider, World


@pytest.fixture
def anyio_backend(machine: VirtualMachine):
    return "asyncio", {"loop_factory": machine.new_event_loop}


@pytest.fixture(autouse=True)
def lost_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that its provider does not know is given up soon."""
    monkeypatch.setattr("framegate.jobs.state_machine.poll.MISSING_SECONDS_MAX", 1.0)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of 64x64 at 8 frames per second."""
    return write_small_video(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture
def world(tmp_path: Path, film: Path, machine: VirtualMachine) -> Callable[..., World]:
    """Make a gateway whose provider follows a script."""

    def make(**script) -> World:
        settings = {name: script.pop(name) for name in ("job_deadline_seconds", "open_jobs_max") if name in script}
        work = tmp_path / "film"
        work.mkdir(exist_ok=True)
        copy = Path(shutil.copy(film, work / "film.mp4"))
        more = [ScriptedProvider(copy, **other) for other in script.pop("others", ())]
        return World(machine, tmp_path / "data", ScriptedProvider(copy, **script), *more, **settings)

    return make
