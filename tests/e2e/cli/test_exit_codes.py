"""Exit codes of the commands, with their stdout and stderr."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from framegate.store import FolderLock
from support.fake_gateway import VIDEO, CommandResult, Plan

Run = Callable[..., CommandResult]
ID = "01a1fb4f-a193-77fc-9b11-9664e0b83787"


def test_0_a_video_is_made_and_stdout_has_only_its_path(run: Run, address: str, folder: Path):
    result = run("generate", "-p", "A slow push-in, at dusk!", "--server", address)

    name = "a-slow-push-in-at-dusk-job-0.mp4"
    assert (result.code, result.out) == (0, f"{name}\n")
    assert (folder / name).read_bytes() == VIDEO


def test_0_json_is_one_document(run: Run, address: str):
    result = run("generate", "-p", "x", "-o", "x.mp4", "--json", "--server", address)

    job = json.loads(result.out)
    assert (result.code, job["status"], job["path"]) == (0, "completed", "x.mp4")


def test_0_no_wait_prints_the_id_and_exits(run: Run, address: str, folder: Path):
    result = run("generate", "-p", "x", "--no-wait", "--server", address)

    assert (result.code, result.out, list(folder.iterdir())) == (0, "job-0\n", [])


def test_1_a_job_that_failed(run: Run, address: str, plan: Plan, folder: Path):
    plan.states, plan.error = ["queued", "failed"], "The provider said no."
    result = run("generate", "-p", "x", "--json", "--server", address)

    assert (result.code, result.err.splitlines()[-2:]) == (
        1,
        ["error: The provider said no.", "hint: framegate jobs show job-0"],
    )
    assert json.loads(result.out)["status"] == "failed"
    assert list(folder.iterdir()) == []


def test_1_a_file_that_fails_verification(run: Run, folder: Path):
    (folder / "x.mp4").write_bytes(b"no video at all")

    assert run("verify", "x.mp4").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("bogus",),
        ("generate", "--no-such-flag"),
        ("generate", "--duration", "long"),
        ("generate", "-p", "x", "-o", "no/such/folder/x.mp4"),
        ("generate", "-p", "x", "-o", "."),
        ("watch",),
        ("serve", "--host", "0.0.0.0"),
        ("serve", "--port", "99999"),
        ("models", "--server", "http://127.0.0.1:9", "--sandbox"),
        ("models", "--server", "http://127.0.0.1:9", "--data", "folder"),
        ("generate", "-p", "x", "--no-wait", "-o", "x.mp4"),
        ("generate", "-p", "x", "--no-wait", "--force"),
        ("watch", ID, "--force"),
        ("jobs", "--limit", "5", "show", ID),
        ("jobs", "--json", "replay", ID),
        ("models", "--server", "http://[::1"),
        ("models", "--server", "ftp://example.com"),
        ("check", "--prompt", "\udcff"),
    ],
)
def test_2_invalid_usage(run: Run, arguments: tuple[str, ...]):
    result = run(*arguments)

    assert (result.code, result.out) == (2, "")
    assert "rror: " in result.err


def test_2_an_invalid_setting(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_PORT", "many")
    result = run("models")

    assert result.code == 2
    assert "FRAMEGATE_PORT" in result.err


def test_2_a_file_is_never_overwritten_without_force(run: Run, address: str, folder: Path):
    (folder / "x.mp4").write_bytes(b"mine")

    result = run("generate", "-p", "x", "-o", "x.mp4", "--server", address)
    assert (result.code, (folder / "x.mp4").read_bytes()) == (2, b"mine")
    assert "--force" in result.err
    assert run("generate", "-p", "x", "-o", "x.mp4", "--force", "--server", address).code == 0
    assert (folder / "x.mp4").read_bytes() == VIDEO


def test_3_a_request_that_the_model_does_not_accept(run: Run):
    result = run("check", "-p", "x", "--duration", "99", "--resolution", "8k", "--json")

    check = json.loads(result.out)
    assert (result.code, check["ok"]) == (3, False)
    assert {"hint: --duration 60", "hint: --resolution 720p"} <= set(result.err.splitlines())


@pytest.mark.parametrize("reference", ["nope.jpg", "notes.txt", "http://127.0.0.1:9/x.png"])
def test_3_a_reference_that_cannot_be_used_is_named(run: Run, folder: Path, reference: str):
    (folder / "notes.txt").write_text("no picture")
    result = run("generate", "-p", "x", "-r", reference)

    assert (result.code, result.out) == (3, "")
    assert reference in result.err


@pytest.mark.parametrize("command", ["watch", "download", "cancel", "jobs show"])
def test_4_no_such_job(run: Run, command: str):
    result = run(*command.split(), ID)

    assert (result.code, result.out) == (4, "")
    assert ID in result.err


def test_4_no_such_model_or_file(run: Run):
    result = run("models", "framegate/animatik")

    assert (result.code, result.out) == (4, "")
    assert "framegate/animatic" in result.err
    assert run("verify", "nope.mp4").code == 4


def test_5_an_address_where_nothing_listens(run: Run):
    result = run("models", "--server", "http://127.0.0.1:9")

    assert (result.code, result.out) == (5, "")
    assert "http://127.0.0.1:9" in result.err


def test_5_a_key_that_is_not_accepted(run: Run, address: str, plan: Plan):
    plan.faults.append(("GET /videos/models", lambda handler: handler.reject(401, "unauthorized", "The key is wrong.")))
    result = run("models", "--server", address)

    assert (result.code, result.err.splitlines()[0]) == (5, "error: The key is wrong.")
    assert "FRAMEGATE_API_KEY" in result.err


def test_5_a_port_in_use(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as used:
        result = run("serve", "--port", used.getsockname()[1])

    assert (result.code, result.out) == (5, "")
    assert "--port 0" in result.err


def test_5_an_address_of_another_machine(run: Run):
    result = run("serve", "--host", "192.0.2.1", "--port", "0")

    assert (result.code, result.out) == (5, "")
    assert "hint: --host must be an address of this machine" in result.err


def test_5_a_data_folder_that_stays_busy(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("framegate.cli.connection.BUSY_SECONDS_MAX", 0.0)
    lock = FolderLock(tmp_path / "data")
    lock.acquire()
    try:
        waiting, serving = run("models"), run("serve", "--port", "0")
    finally:
        lock.release()

    assert (waiting.code, serving.code) == (5, 5)
    assert "uses the data folder" in waiting.err
    assert "uses the data folder" in serving.err


def test_5_a_file_that_is_not_a_database(run: Run, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "framegate.db").write_bytes(b"no database" * 100)
    result = run("models")

    assert (result.code, result.out) == (5, "")
    assert "not a database" in result.err


@pytest.mark.parametrize("state", ["cancelled", "expired"])
def test_6_a_job_that_was_cancelled_or_expired(run: Run, address: str, plan: Plan, state: str):
    plan.states, plan.error = ["queued", state], "It was stopped."
    result = run("watch", "job-0", "--server", address)

    assert (result.code, result.out, result.err.splitlines()[-2]) == (6, "", "error: It was stopped.")


EXITING = """
import atexit, sys, threading
from framegate import cli
atexit.register(print, "shut down")
def main():
    if sys.argv[1] == "works":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("printed")
    sys.exit(3)
cli.main = main
cli.run()
"""


@pytest.mark.parametrize(("thread", "output"), [("works", "printed\n"), ("none", "printed\nshut down\n")])
def test_a_command_exits_with_its_code_and_output_while_a_thread_is_still_working(thread: str, output: str):
    result = subprocess.run(
        [sys.executable, "-c", EXITING, thread], capture_output=True, text=True, timeout=30, check=False
    )

    assert (result.returncode, result.stdout, result.stderr) == (3, output, "")


def test_a_folder_that_cannot_be_created_is_reported(run: Run, folder: Path):
    (folder / "file").write_bytes(b"")
    result = run("models", "--data", folder / "file" / "data")

    assert (result.code, result.out) == (1, "")
    assert str(folder / "file") in result.err
