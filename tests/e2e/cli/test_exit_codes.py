"""Every way in which a command can end, by its exit code, its stdout and its stderr."""

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


def test_0_a_video_is_made_and_its_path_is_all_that_stdout_says(run: Run, address: str, folder: Path):
    ran = run("generate", "-p", "A slow push-in, at dusk!", "--server", address)

    name = "a-slow-push-in-at-dusk-job-0.mp4"
    assert (ran.code, ran.out) == (0, f"{name}\n")
    assert (folder / name).read_bytes() == VIDEO


def test_0_json_is_one_document(run: Run, address: str):
    ran = run("generate", "-p", "x", "-o", "x.mp4", "--json", "--server", address)

    made = json.loads(ran.out)
    assert (ran.code, made["status"], made["path"]) == (0, "completed", "x.mp4")


def test_0_no_wait_prints_the_id_and_leaves(run: Run, address: str, folder: Path):
    ran = run("generate", "-p", "x", "--no-wait", "--server", address)

    assert (ran.code, ran.out, list(folder.iterdir())) == (0, "job-0\n", [])


def test_1_a_job_that_failed(run: Run, address: str, plan: Plan, folder: Path):
    plan.states, plan.error = ["queued", "failed"], "The provider said no."
    ran = run("generate", "-p", "x", "--json", "--server", address)

    assert (ran.code, ran.err.splitlines()[-2:]) == (
        1,
        ["error: The provider said no.", "hint: framegate jobs show job-0"],
    )
    assert json.loads(ran.out)["status"] == "failed"
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
        ("models", "--server", "http://[::1"),
        ("models", "--server", "ftp://example.com"),
        ("check", "--prompt", "\udcff"),
    ],
)
def test_2_wrong_usage(run: Run, arguments: tuple[str, ...]):
    ran = run(*arguments)

    assert (ran.code, ran.out) == (2, "")
    assert "rror: " in ran.err


def test_2_a_setting_that_cannot_be(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_PORT", "many")
    ran = run("models")

    assert ran.code == 2
    assert "FRAMEGATE_PORT" in ran.err


def test_2_a_file_is_never_overwritten_unasked(run: Run, address: str, folder: Path):
    (folder / "x.mp4").write_bytes(b"mine")

    ran = run("generate", "-p", "x", "-o", "x.mp4", "--server", address)
    assert (ran.code, (folder / "x.mp4").read_bytes()) == (2, b"mine")
    assert "--force" in ran.err
    assert run("generate", "-p", "x", "-o", "x.mp4", "--force", "--server", address).code == 0
    assert (folder / "x.mp4").read_bytes() == VIDEO


def test_3_a_request_that_the_model_would_not_take(run: Run):
    ran = run("check", "-p", "x", "--duration", "99", "--resolution", "8k", "--json")

    verdict = json.loads(ran.out)
    assert (ran.code, verdict["ok"]) == (3, False)
    assert {"hint: --duration 60", "hint: --resolution 720p"} <= set(ran.err.splitlines())


@pytest.mark.parametrize("reference", ["nope.jpg", "notes.txt", "http://127.0.0.1:9/x.png"])
def test_3_a_reference_that_cannot_be_used_is_named(run: Run, folder: Path, reference: str):
    (folder / "notes.txt").write_text("no picture")
    ran = run("generate", "-p", "x", "-r", reference)

    assert (ran.code, ran.out) == (3, "")
    assert reference in ran.err


@pytest.mark.parametrize("command", ["watch", "download", "cancel", "jobs show"])
def test_4_no_such_job(run: Run, command: str):
    ran = run(*command.split(), ID)

    assert (ran.code, ran.out) == (4, "")
    assert ID in ran.err


def test_4_no_such_model_or_file(run: Run):
    ran = run("models", "framegate/animatik")

    assert (ran.code, ran.out) == (4, "")
    assert "framegate/animatic" in ran.err
    assert run("verify", "nope.mp4").code == 4


def test_5_nobody_at_that_address(run: Run):
    ran = run("models", "--server", "http://127.0.0.1:9")

    assert (ran.code, ran.out) == (5, "")
    assert "http://127.0.0.1:9" in ran.err


def test_5_a_key_that_is_not_taken(run: Run, address: str, plan: Plan):
    plan.faults.append(("GET /videos/models", lambda handler: handler.reject(401, "unauthorized", "The key is wrong.")))
    ran = run("models", "--server", address)

    assert (ran.code, ran.err.splitlines()[0]) == (5, "error: The key is wrong.")
    assert "FRAMEGATE_API_KEY" in ran.err


def test_5_a_port_that_is_taken(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run("serve", "--port", taken.getsockname()[1])

    assert (ran.code, ran.out) == (5, "")
    assert "--port 0" in ran.err


def test_5_an_address_that_is_another_machines(run: Run):
    ran = run("serve", "--host", "192.0.2.1", "--port", "0")

    assert (ran.code, ran.out) == (5, "")
    assert "hint: --host takes an address of this machine" in ran.err


def test_5_a_data_folder_that_stays_busy(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("framegate.cli.connection.BUSY_SECONDS_MAX", 0.0)
    lock = FolderLock(tmp_path / "data")
    lock.acquire()
    try:
        waiting, serving = run("models"), run("serve", "--port", "0")
    finally:
        lock.release()

    assert (waiting.code, serving.code) == (5, 5)
    assert "owns the data folder" in waiting.err
    assert "owns the data folder" in serving.err


def test_5_a_database_that_is_none(run: Run, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "framegate.db").write_bytes(b"no database" * 100)
    ran = run("models")

    assert (ran.code, ran.out) == (5, "")
    assert "not a database" in ran.err


@pytest.mark.parametrize("state", ["cancelled", "expired"])
def test_6_a_job_that_was_stopped(run: Run, address: str, plan: Plan, state: str):
    plan.states, plan.error = ["queued", state], "It was stopped."
    ran = run("watch", "job-0", "--server", address)

    assert (ran.code, ran.out, ran.err.splitlines()[-2]) == (6, "", "error: It was stopped.")


ENDING = """
import atexit, sys, threading
from framegate import cli
atexit.register(print, "taken down")
def main():
    if sys.argv[1] == "works":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("said")
    sys.exit(3)
cli.main = main
cli.run()
"""


@pytest.mark.parametrize(("thread", "said"), [("works", "said\n"), ("none", "said\ntaken down\n")])
def test_a_command_ends_with_its_code_and_its_words_though_a_thread_of_it_still_works(thread: str, said: str):
    ran = subprocess.run(
        [sys.executable, "-c", ENDING, thread], capture_output=True, text=True, timeout=30, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (3, said, "")


def test_a_folder_that_cannot_be_made_is_a_sentence(run: Run, folder: Path):
    (folder / "file").write_bytes(b"")
    ran = run("models", "--data", folder / "file" / "data")

    assert (ran.code, ran.out) == (1, "")
    assert str(folder / "file") in ran.err
