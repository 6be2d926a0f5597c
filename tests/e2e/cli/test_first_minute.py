"""What a new user types: plain words, and the command that works."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from framegate.cli import console
from support.fake_gateway import CommandResult, Plan
from support.paths import PHOTOS

Run = Callable[..., CommandResult]


@pytest.mark.parametrize("written", ["5", "5s", "5 s", "5sec", "5 seconds", "5.0", " 5S "])
def test_a_length_may_have_its_unit(run: Run, address: str, plan: Plan, written: str):
    assert run("check", "-p", "x", "-d", written, "--server", address).code == 0
    assert plan.requests("POST", "/videos/check")[0].json["duration"] == 5


@pytest.mark.parametrize("written", ["5.5", "five", "", "-5", "5m", "5s5", "9" * 30])
def test_a_length_that_is_none_is_one_plain_line(run: Run, address: str, plan: Plan, written: str):
    result = run("check", "-p", "x", "-d", written, "--server", address)

    assert (result.code, result.out, plan.received) == (2, "", [])
    assert result.err.startswith(f"error: Not a length in whole seconds: {written}")
    assert "hint: use a whole number, such as -d 5" in result.err


def test_a_prompt_or_a_picture_without_its_flag_is_answered_with_the_command(run: Run, folder: Path):
    (folder / "cat.png").write_bytes(b"x")

    assert "framegate generate -p 'a cat runs'" in run("generate", "a cat runs").err
    assert "framegate check -p 'a cat'" in run("check", "a", "cat").err
    assert "framegate generate -r cat.png" in run("generate", "-p", "x", "cat.png").err
    assert run("generate", "a cat").code == 2


@pytest.mark.parametrize("name", ["x.mov", "x.webm", "x.GIF", "x.jpg"])
@pytest.mark.parametrize("command", [("generate", "-p", "x"), ("rerun", "job-0")])
def test_a_name_that_promises_another_kind_of_file_is_refused_before_anything_is_made(
    run: Run, address: str, plan: Plan, name: str, command: tuple[str, ...]
):
    result = run(*command, "-o", name, "--server", address)

    assert (result.code, result.out, plan.received) == (2, "", [])
    assert f"hint: use -o {Path(name).with_suffix('.mp4')}" in result.err


@pytest.mark.parametrize("name", ["x.mp4", "x.MP4", "x", "v1.2"])
def test_a_name_of_an_mp4_file_or_without_a_kind_is_accepted(run: Run, address: str, folder: Path, name: str):
    assert run("generate", "-p", "x", "-o", name, "--server", address).code == 0
    assert (folder / name).is_file()


def test_a_text_file_is_no_reference_and_the_hint_says_how_it_becomes_the_prompt(run: Run, folder: Path):
    (folder / "story.txt").write_text("a cat")
    result = run("check", "-p", "x", "-r", "story.txt")

    assert result.code == 3
    assert result.err.splitlines() == [
        "error: Not a picture, a video or a sound: story.txt",
        'hint: for a prompt in a file, use: -p "$(cat story.txt)"',
    ]


def test_a_video_without_pictures_is_a_title_card_and_the_check_says_so(run: Run):
    without = run("check", "-p", "a cat", "-d", "1")

    assert without.code == 0
    assert "warning: references: there is no picture, so the video is a grey title card" in without.err
    assert "title card" not in run("check", "-p", "x", "-d", "1", "-r", PHOTOS / "cat.png").err
    assert "title card" not in run("check", "-p", "x", "-d", "1", "--first-frame", PHOTOS / "cat.png").err


def test_an_unavailable_model_is_answered_with_the_variables_and_the_sandbox(run: Run):
    [hint] = [line for line in run("check", "-m", "google/veo-3.1", "-p", "x").err.splitlines() if "_KEY" in line]

    assert "OPENROUTER_API_KEY" in hint
    assert "FAL_KEY" in hint
    assert "docs/guides/providers.md" in hint
    assert "--sandbox" in hint


def test_a_job_is_shown_as_a_summary_with_its_references_and_without_links(run: Run, address: str, plan: Plan):
    url = "asset://aa"
    references = [
        {"role": "first_frame", "kind": "image", "url": url},
        {"role": "reference", "kind": "video", "name": "hero", "url": url},
    ]

    def answer() -> None:
        plan.faults.append(("GET .*/references", lambda handler: handler.respond(200, {"data": references})))

    plan.job_fields = {
        "model": "m",
        "provider": "fal",
        "prompt": "push  in",
        "duration": 4,
        "size": "640x360",
        "seed": 3,
    }
    answer()
    shown = run("jobs", "show", "job-0", "--server", address)
    lines = {line[:10].strip(): line[12:] for line in shown.out.splitlines()}

    assert (lines["job"], lines["status"], lines["model"]) == ("job-0", "completed", "m at fal")
    assert (lines["prompt"], lines["video"]) == ("push in", "4 s, 640x360, seed 3")
    assert (lines["picture 1"], lines["video 2"]) == ("first frame: asset://aa", "reference @hero: asset://aa")
    assert "http" not in shown.out
    answer()
    assert json.loads(run("jobs", "show", "job-0", "--json", "--server", address).out)["references"] == references
    assert run("jobs", "show", "job-0", "--server", address).code == 0  # a gateway without the route


def test_a_hint_has_a_command_that_works_where_it_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(Path(sys.executable).parent.parent)
    console.print_hint("list all models with: framegate models")
    console.print_hint("/data/framegate is not a command, and framegate.toml is a file")
    monkeypatch.chdir(tmp_path)
    console.print_hint("framegate jobs")

    assert capsys.readouterr().err.splitlines() == [
        "hint: list all models with: bin/framegate models",
        "hint: /data/framegate is not a command, and framegate.toml is a file",
        f"hint: {Path(sys.executable).with_name('framegate')} jobs",
    ]
