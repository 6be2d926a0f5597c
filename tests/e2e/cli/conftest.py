"""The command line in an empty folder and environment, run in this process."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framegate.cli import main
from support.fake_gateway import CommandResult, Plan, serve_plan


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty. The data folder does not exist yet, and nothing else is set."""
    for name in [name for name in os.environ if name.startswith("FRAMEGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    monkeypatch.setenv("FRAMEGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FRAMEGATE_RENDER_WORKERS", "1")
    return current


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Run `framegate` with these arguments."""

    def framegate(*arguments: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["framegate", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as raised:
            main()
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return CommandResult(int(raised.value.code or 0), output.out, output.err)

    return framegate


@pytest.fixture
def plan() -> Plan:
    return Plan()


@pytest.fixture
def address(plan: Plan) -> Iterator[str]:
    """Base URL of a fake gateway with the plan."""
    with serve_plan(plan) as url:
        yield url
