"""The command line, run in this process or in one of its own, in a folder and an environment of its own."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framegate.cli import main
from support.fake_gateway import CommandResult, Plan, serve_plan


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is empty, the data folder not there yet, and nothing else is set."""
    for name in [name for name in os.environ if name.startswith("FRAMEGATE_")]:
        monkeypatch.delenv(name)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("FRAMEGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FRAMEGATE_RENDER_WORKERS", "1")
    return here


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Run `framegate` with these arguments."""

    def framegate(*arguments: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["framegate", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return CommandResult(int(ended.value.code or 0), said.out, said.err)

    return framegate


@pytest.fixture
def plan() -> Plan:
    return Plan()


@pytest.fixture
def address(plan: Plan) -> Iterator[str]:
    """A gate that goes by the plan."""
    with serve_plan(plan) as url:
        yield url
