"""Options that shape the gateway: one that the gateway that answers does not have ends the command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from framegate.cli import app
from framegate.cli.connection import GatewayOption, attach
from framegate.store import FolderLock
from support.fake_gateway import CommandResult, Plan

Run = Callable[..., CommandResult]
ARGUMENTS = {"check": ("-p", "x"), "generate": ("-p", "x"), "settle": ("job-0", "--cost", "1")}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path."""
    if path:
        yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))


def commands_with(*options: str) -> list[str]:
    return [
        " ".join(path)
        for path, command in COMMANDS.items()
        if set(options) <= {option for parameter in command.params for option in parameter.opts}
    ]


def arguments_of(command: str) -> tuple[str, ...]:
    parameters = COMMANDS[tuple(command.split())].params
    required = ["job-0" for parameter in parameters if parameter.param_type_name == "argument" and parameter.required]
    return (*command.split(), *ARGUMENTS.get(command, required))


@contextmanager
def owned(folder: Path, url: str, *, sandbox: bool = False) -> Iterator[None]:
    """A data folder that the server at `url` uses."""
    lock = FolderLock(folder, sandbox=sandbox)
    lock.acquire()
    lock.announce(url)
    try:
        yield
    finally:
        lock.release()


def is_refused(result: CommandResult, plan: Plan) -> bool:
    [error, *hints] = result.err.splitlines()
    assert error.startswith("error: ")
    assert all(line.startswith("hint: ") for line in hints)
    return result.code == 2 and result.out == "" and not plan.requests("POST", ".*")


@pytest.mark.parametrize("command", commands_with("--server", "--sandbox"))
def test_a_sandbox_is_never_a_real_server_that_uses_the_data_folder(
    run: Run, address: str, plan: Plan, tmp_path: Path, command: str
):
    with owned(tmp_path / "data", address):
        result = run(*arguments_of(command), "--sandbox")
        named = run(*arguments_of(command), "--sandbox", "--data", tmp_path / "data")

    assert is_refused(result, plan)
    assert address in result.err
    assert is_refused(named, plan)


@pytest.mark.parametrize("command", ["generate", "check", "models", "rerun", "resubmit", "retry"])
@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_sandbox_of_the_settings_is_never_a_real_server_that_uses_the_data_folder(
    run: Run,
    address: str,
    plan: Plan,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    where: str,
):
    if where == "file":
        (folder / "framegate.toml").write_text("sandbox = true")
    else:
        monkeypatch.setenv("FRAMEGATE_SANDBOX", "yes")
    with owned(tmp_path / "data", address):
        result = run(*arguments_of(command))

    assert is_refused(result, plan)
    assert "sandbox" in result.err


def test_a_sandbox_is_the_sandbox_server_that_uses_the_data_folder(
    run: Run, address: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with owned(tmp_path / "data", address, sandbox=True):
        assert run("generate", "-p", "x", "--sandbox", "-o", "a.mp4").code == 0
        monkeypatch.setenv("FRAMEGATE_SANDBOX", "1")
        assert run("generate", "-p", "x", "-o", "b.mp4").code == 0

    assert len(plan.requests("POST", "/videos")) == 2


@pytest.mark.parametrize("source", ["--server", "FRAMEGATE_URL"])
def test_a_sandbox_variable_is_confirmed_by_the_server_before_anything_is_ordered(
    run: Run, address: str, plan: Plan, monkeypatch: pytest.MonkeyPatch, source: str
):
    monkeypatch.setenv("FRAMEGATE_SANDBOX", "1")
    arguments = ["generate", "-p", "x", "-o", "x.mp4"]
    if source == "--server":
        arguments += ["--server", address]
    else:
        monkeypatch.setenv("FRAMEGATE_URL", address)

    assert is_refused(run(*arguments), plan)
    plan.faults.append(("GET /gateway", lambda handler: handler.reject(404, "not_found", "Not found.")))
    assert is_refused(run(*arguments), plan)
    plan.sandbox = True
    assert run(*arguments).code == 0
    monkeypatch.setenv("FRAMEGATE_SANDBOX", "0")
    plan.sandbox = False
    assert run(*arguments, "--force").code == 0


@pytest.mark.parametrize(
    "command", [name for name in commands_with("--server", "--data") if name not in ("doctor", "keys webhook-secret")]
)
def test_a_data_folder_is_never_a_server(run: Run, address: str, plan: Plan, tmp_path: Path, command: str):
    result = run(*arguments_of(command), "--server", address, "--data", tmp_path / "other")

    assert is_refused(result, plan)
    assert "--data" in result.err
    assert not (tmp_path / "other").exists()


def test_an_option_that_nothing_confirms_ends_the_command_whatever_it_is():
    option = GatewayOption(name="new", label="--new", value=3)
    for confirmed in ({}, {"new": 4}, {"other": 3}):
        with pytest.raises(typer.Exit) as raised:
            attach("http://127.0.0.1:9", None, [option], description="it", confirmed=confirmed)
        assert raised.value.exit_code == 2
    attach("http://127.0.0.1:9", None, [option], description="it", confirmed={"new": 3}).close()
