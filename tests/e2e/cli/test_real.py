"""The command line with a real gateway: in this process, in another process, and beside a server."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.fake_gateway import CommandResult
from support.paths import PHOTOS

Run = Callable[..., CommandResult]
FRAMEGATE = (sys.executable, "-m", "framegate")
QUICK = ("--duration", "1", "--resolution", "360p")

pytestmark = pytest.mark.slow


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*FRAMEGATE, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process: subprocess.Popen[str], pattern: str) -> str:
    """The first line of stderr that matches."""
    assert process.stderr
    for line in process.stderr:
        if re.search(pattern, line):
            return line
    raise AssertionError(f"the process ended without a line that matches {pattern}")


def test_without_a_server_a_photo_becomes_a_video_that_passes_verification(run: Run, folder: Path):
    made = run("generate", "-r", f"hero={PHOTOS / 'rocket.jpg'}", "-p", "a slow push-in on @hero", *QUICK)

    video = folder / made.out.strip()
    assert (made.code, video.parent, len(made.out.splitlines())) == (0, folder, 1)
    verified = run("verify", video, "--json")
    assert (verified.code, json.loads(verified.out)["verdict"]) == (0, "pass")
    listed = json.loads(run("jobs", "--json").out)["data"]
    assert [job["status"] for job in listed] == ["completed"]
    assert run("download", listed[0]["id"], "-o", "again.mp4").code == 0
    assert (folder / "again.mp4").read_bytes() == video.read_bytes()


def test_an_invalid_name_of_a_reference_is_reported_with_the_rule_for_names(run: Run):
    result = run("check", "-p", "x", "-r", f"1a={PHOTOS / 'cat.png'}")

    assert result.code == 3
    assert re.search(r'^error: 1a=.*cat\.png: name: "1a" .* Use a letter, then up to 63', result.err)


def test_a_video_is_extended_by_its_file_and_by_its_job(run: Run, folder: Path):
    photo, same = ("-r", PHOTOS / "rocket.jpg"), ("-p", "pan left", *QUICK)
    assert run("generate", *photo, *same, "-o", "one.mp4").code == 0
    job = json.loads(run("jobs", "--json").out)["data"][0]["id"]

    assert run("generate", "--source", "one.mp4", *same, "-o", "two.mp4").code == 0
    assert run("generate", "--previous-job", job, *same, "-o", "three.mp4").code == 0
    seconds = [json.loads(run("jobs", "--json").out)["data"][number]["outputs"][0]["duration"] for number in (0, 1)]
    assert seconds == [2.0, 2.0]


def test_a_fallback_is_used_if_the_model_rejects_the_request_and_providers_can_be_chosen(run: Run):
    asked = ("check", "--sandbox", "--json", "-p", "x", "-d", "5")
    alone = json.loads(run(*asked, "-m", "google/veo-3.1").out)
    helped = json.loads(run(*asked, "-m", "google/veo-3.1", "--fallback", "kwaivgi/kling-video-o1").out)
    nobody = json.loads(run(*asked, "-m", "kwaivgi/kling-video-o1", "--provider", "pictory").out)

    assert [problem["code"] for problem in alone["problems"]] == ["duration_unsupported"]
    assert (helped["ok"], helped["model"]) == (True, "kwaivgi/kling-video-o1")
    assert [problem["code"] for problem in nobody["problems"]] == ["provider_unsupported"]


def test_the_same_idempotency_key_is_the_same_job(run: Run):
    flags = ("generate", "-p", "x", "-r", PHOTOS / "cat.png", *QUICK, "--no-wait", "--idempotency-key", "k")

    first, second = run(*flags), run(*flags)
    assert (first.code, second.code, first.out) == (0, 0, second.out)
    assert run("cancel", first.out.strip()).out.split() == [first.out.strip(), "cancelled"]


def test_ctrl_c_keeps_the_job_and_watch_continues_it(run: Run, folder: Path):
    flags = ("generate", "-p", "pan left", "-r", str(PHOTOS / "cat.png"), "--duration", "8", "--resolution", "360p")
    with started(*flags, "-o", "cat.mp4") as process:
        line_with(process, "rendering")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    again = re.search(r"framegate (watch \S+ -o cat\.mp4)", err)

    assert (process.returncode, out, (folder / "cat.mp4").exists()) == (130, "", False)
    assert "Traceback" not in err
    assert again
    watched = run(*again[1].split())
    assert (watched.code, watched.out) == (0, "cat.mp4\n")
    assert run("verify", "cat.mp4").code == 0


def test_a_job_is_cancelled_from_another_terminal_while_its_command_runs(run: Run):
    with started("generate", "-p", "x", "-r", str(PHOTOS / "cat.png"), "--duration", "60") as process:
        line_with(process, "rendering")
        [job] = json.loads(run("jobs", "--json").out)["data"]
        cancelled = run("cancel", job["id"])
        process.communicate(timeout=30)

    assert (cancelled.code, cancelled.out) == (0, f"{job['id']} cancelled\n")
    assert process.returncode == 6


def test_commands_use_the_server_that_uses_the_data_folder(run: Run):
    with started("serve", "--port", "0") as server:
        url = line_with(server, "Framegate serves").split()[2].rstrip(",")
        made = run("generate", "-p", "x", "-r", PHOTOS / "cat.png", *QUICK, "--no-wait")
        direct = run("jobs", "--json", "--server", url)
        doctor = run("doctor", "--json", "--server", url)
        second = run("serve", "--port", "0")
        run("cancel", made.out.strip())
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)

    assert (made.code, f"Using the server at {url}" in made.err) == (0, True)
    assert [job["id"] for job in json.loads(direct.out)["data"]] == [made.out.strip()]
    assert (doctor.code, json.loads(doctor.out)["ok"]) == (0, True)
    assert (second.code, url in second.err) == (5, True)
    assert server.returncode == 0


def test_the_request_log_has_no_signatures_and_tokens(run: Run):
    with started("serve", "--port", "0", "--log-level", "info") as server:
        url = line_with(server, "Framegate serves").split()[2].rstrip(",")
        for name in ("signature", "fal_jwt_token", "download_sig", "download_token"):
            httpx2.get(f"{url}/api/v1/videos/x/content", params={"index": 0, name: "SECRET"}, trust_env=False)
        server.send_signal(signal.SIGTERM)
        log = server.communicate(timeout=30)[1]

    assert [f"content?index=0&{name}=… HTTP" in log for name in ("signature", "fal_jwt_token")] == [True, True]
    assert "SECRET" not in log


def test_two_simultaneous_commands_on_one_data_folder_both_succeed():
    flags = ("-p", "x", "-r", str(PHOTOS / "cat.png"), *QUICK)
    with started("generate", *flags, "-o", "a.mp4") as first, started("generate", *flags, "-o", "b.mp4") as second:
        outs = [process.communicate(timeout=60)[0] for process in (first, second)]

    assert (outs, first.returncode, second.returncode) == (["a.mp4\n", "b.mp4\n"], 0, 0)


def test_doctor_passes_on_this_machine(run: Run):
    result = run("doctor", "--json")

    marks = {finding["name"]: finding["mark"] for finding in json.loads(result.out)["findings"]}
    assert result.code == 0
    assert {marks[name] for name in ("python", "libraries", "encoder", "owner", "key")} == {"ok"}


def test_doctor_shows_the_accounts_without_their_keys(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAL_KEY", "secret:of-fal")
    monkeypatch.setenv("PICTORY_API_KEY", "secret-of-pictory")
    result = run("doctor")

    assert re.search(r"^ok    account +fal/default at https://queue\.fal\.run$", result.out, re.MULTILINE)
    assert re.search(r"^warn  account +pictory/default at .* only as https URLs.*$", result.out, re.MULTILINE)
    assert "public_url" in result.out + result.err
    assert "secret" not in result.out + result.err


def test_a_key_with_a_line_break_is_rejected_and_not_repeated(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAL_KEY", "secret\n")
    result = run("models")

    assert result.code == 2
    assert "The key of account fal/default contains a space, a line break" in result.err
    assert "secret" not in result.err


def test_doctor_reports_a_server_that_does_not_respond(run: Run):
    result = run("doctor", "--server", "http://127.0.0.1:9")

    assert result.code == 1
    assert re.search(r"^fail  server ", result.out, re.MULTILINE)


def test_in_the_sandbox_every_model_is_available(run: Run):
    flags = ("-m", "google/veo-3.1", "-p", "a ship", "--duration", "8")

    assert run("check", *flags).code == 3
    result = run("check", *flags, "--sandbox", "--json")
    assert (result.code, json.loads(result.out)["model"]) == (0, "google/veo-3.1")


def test_the_demo_makes_a_video_and_a_contact_sheet_and_names_the_next_command(run: Run, folder: Path):
    result = run("demo")

    assert (result.code, result.out) == (0, f"{folder / 'demo.mp4'}\n{folder / 'demo-contact-sheet.jpg'}\n")
    assert "framegate serve" in result.err
    assert (folder / "demo-contact-sheet.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert run("verify", "demo.mp4").code == 0
