"""What is shown: help, flags to type, names, plain lines, bars."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from framegate.cli import app, console
from framegate.cli.connection import reachable_url
from framegate.cli.generate import parse_references
from framegate.cli.models import format_ranges
from framegate.cli.output_path import NAME_CHARS_MAX, default_name
from framegate.domain import Problem
from support.fake_gateway import CommandResult, Plan
from support.pages import page

Run = Callable[..., CommandResult]
FRAMEGATE = (sys.executable, "-m", "framegate")
DOCS = page("reference/cli.md")
ROOT: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = {
    **ROOT.commands,
    **{
        f"{group} {name}": command
        for group in ("jobs", "keys")
        for name, command in ROOT.commands[group].commands.items()
    },
}


def test_help_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*FRAMEGATE, "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(run: Run, command: str):
    ran = run(*command.split(), "--help")

    assert ran.code == 0
    assert f"Example: framegate {command}" in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_stands_in_one_line_that_can_be_copied(run: Run, command: str):
    [line] = [line for line in run(*command.split(), "--help").out.splitlines() if "Example: " in line]
    written = re.search(r"Example: (.*)", COMMANDS[command].help or "")

    assert written
    assert line.strip() == f"Example: {written[1]}"


@pytest.mark.parametrize("group", [(), ("jobs",), ("keys",)])
def test_no_command_is_listed_with_half_a_sentence(run: Run, group: tuple[str, ...]):
    assert not [line for line in run(*group, "--help").out.splitlines() if line.endswith("...") and "Usage" not in line]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_flag_is_documented(command: str):
    section = re.search(rf"^## `framegate {command}`$(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL)

    assert section, f"docs/reference/cli.md has no section for {command}"
    flags = {flag for option in COMMANDS[command].params for flag in option.opts if flag.startswith("--")}
    documented = section[1] + DOCS.split("## ", 1)[0]
    assert [flag for flag in sorted(flags) if f"`{flag}" not in documented] == []


def test_every_exit_code_is_documented():
    documented = set(re.findall(r"^\| (\d+) \|", DOCS, re.MULTILINE))

    assert documented == {str(int(code)) for code in console.Exit}


def test_the_version_is_the_packages(run: Run):
    assert run("--version").out == "framegate 0.1.0\n"


FLAGS = [
    ("/duration", 6, "--duration 6"),
    ("/generate_audio", True, "--audio"),
    ("/generate_audio", False, "--no-audio"),
    ("/aspect_ratio", "16:9", "--aspect-ratio 16:9"),
    ("/duration", None, ""),
    ("/input_references/0/name", "hero", ""),
]


@pytest.mark.parametrize(("pointer", "nearest", "flag"), FLAGS)
def test_the_nearest_legal_value_is_a_flag_to_type(pointer: str, nearest: object, flag: str):
    assert console.suggested_flag(Problem(code="x", pointer=pointer, message="x", nearest=nearest)) == flag


def test_a_reference_is_named_before_an_equals_sign(folder: Path):
    for name in ("a.jpg", "b=c.jpg"):
        (folder / name).write_bytes(b"x")
    given_all = ["a.jpg", "hero=a.jpg", "b=c.jpg", "hero=https://example.com/a?x=1", "my-hero=a.jpg"]
    given_all += ["hero=nope.jpg", "=a.jpg", "a/b=a.jpg"]

    assert parse_references(given_all) == [
        "a.jpg",
        {"url": "a.jpg", "name": "hero"},
        "b=c.jpg",
        {"url": "https://example.com/a?x=1", "name": "hero"},
        {"url": "a.jpg", "name": "my-hero"},
        "hero=nope.jpg",
        "=a.jpg",
        "a/b=a.jpg",
    ]


@pytest.mark.parametrize(
    ("listens", "reached"),
    [
        ("http://0.0.0.0:1", "http://127.0.0.1:1"),
        ("http://[::]:1", "http://[::1]:1"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://10.0.0.0:1", "http://10.0.0.0:1"),
    ],
)
def test_a_server_on_all_addresses_is_reached_on_this_machine(listens: str, reached: str):
    assert reachable_url(listens) == reached


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_strangers_text_cannot_command_the_terminal(run: Run, address: str, plan: Plan, flags: tuple[str, ...]):
    plan.job_fields = {"prompt": "a \x1b[31mred\x07 \x9b2J \u202eeman"}
    ran = run("jobs", "show", "job-0", *flags, "--server", address)

    assert (ran.code, "[31mred" in ran.out) == (0, True)
    assert not set("\x1b\x07\x9b\u202e") & set(ran.out)


def test_on_a_narrow_terminal_a_line_is_wrapped_at_words_and_set_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    console.print_wrapped("ok    data   ", "/a/path/that/is/longer/than/a/line, some room left")

    assert capsys.readouterr().out.splitlines() == [
        "ok    data   /a/path/that/is/longer/than/a/line,",
        "             some room left",
    ]


@given(st.text(max_size=300))
def test_any_prompt_gives_a_file_name_that_is_safe_to_type(prompt: str):
    name = default_name(prompt, "01a1fb4f-a193-77fc-9b11-9664e0b83787")

    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-e0b83787\.mp4", name)
    assert len(name) <= NAME_CHARS_MAX + len("-e0b83787.mp4")


@given(st.lists(st.integers(0, 30), unique=True))
def test_spans_say_exactly_the_numbers(numbers: list[int]):
    told: set[int] = set()
    for part in filter(None, format_ranges(numbers).removeprefix("-").split(",")):
        first, _, last = part.partition("-")
        told |= set(range(int(first), int(last or first) + 1))

    assert told == set(numbers)


def test_off_a_terminal_progress_is_plain_lines(run: Run, address: str):
    ran = run("watch", "job-0", "--server", address)

    assert ran.out == "job-0 completed\n"
    assert ran.err.splitlines()[:4] == ["queued 10%", "preparing 20%", "running 30%", "checking 40%"]
    assert "\x1b" not in ran.err


def test_what_was_not_as_asked_is_said(run: Run, address: str, plan: Plan):
    change = {"reference": 1, "what": "resized", "before": "9000x9000", "after": "4096x4096", "reason": "too large"}
    warning = {"code": "seed", "pointer": "/seed", "message": "The seed is only a hint to this model."}
    plan.job_fields = {"adjustments": [change], "warnings": [warning], "quality": "warn", "usage": {"cost": 1.6}}
    ran = run("generate", "-p", "x", "-o", "x.mp4", "--server", address)

    assert (ran.code, ran.out) == (0, "x.mp4\n")
    assert ran.err.splitlines()[-5:] == [
        "warning: The seed is only a hint to this model.",
        "note: picture 2 resized, 9000x9000 to 4096x4096: too large",
        "warning: the file has not passed every check (warn).",
        "hint: framegate verify x.mp4",
        "Cost: $1.60",
    ]


def test_models_are_listed_with_price_and_providers_in_a_line_each(run: Run):
    lines = run("models", "--sandbox").out.splitlines()

    assert re.split(r"  +", lines[0]) == ["MODEL", "SECONDS", "UP TO", "FROM $/S", "OFFERED BY"]
    assert "google/veo-3.1 4,6,8 4K 0.20 openrouter, fal, pictory, phaseo" in [" ".join(line.split()) for line in lines]
    assert "framegate/animatic 1-60 1080p 0 animatic" in [" ".join(line.split()) for line in lines]
    assert max(len(line.rsplit("  ", 1)[0]) for line in lines) < 72


def test_the_models_that_can_be_ordered_here_come_first_with_their_price_here(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FRAMEGATE_VLLM_OMNI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PICTORY_API_KEY", "secret")
    ran, one = run("models"), run("models", "google/veo-3.1")
    offers = json.loads(run("models", "google/veo-3.1", "--json").out)["offers"]

    rows = {line.split()[0]: re.split(r"  +", line)[-2:] for line in ran.out.splitlines()}
    assert rows["minimax/hailuo-3"] == ["0", "vllm_omni, (openrouter), (fal), (phaseo), (sglang)"]
    assert rows["x-ai/grok-imagine-video"] == ["(0.05)", "(openrouter), (fal), (phaseo)"]
    assert rows["google/veo-3.1"] == ["-", "pictory, (openrouter), (fal), (phaseo)"]
    brackets = [len(names) > 1 and names[1].startswith("(") for names in list(rows.values())[1:]]
    assert brackets == sorted(brackets)
    assert "no account or server" in ran.err
    assert re.search(r"^offer\.fal .* \(not set up here\)$", one.out, re.MULTILINE)
    assert {offer["provider"]: offer["available"] for offer in offers} == {
        "pictory": True,
        **dict.fromkeys(("openrouter", "fal", "phaseo"), False),
    }


def test_a_model_is_shown_with_what_it_takes_and_each_price_in_words(run: Run):
    said = " ".join(run("models", "google/veo-3.1", "--sandbox").out.split())

    assert "takes.first_frame up to 1 image takes.last_frame up to 1 image takes.reference up to 3 images" in said
    assert "offer.openrouter google/veo-3.1: $0.60 a second at 4K with sound; $0.40 a second at 4K without" in said
    assert "offer.pictory veo3.1: no price is known" in said
    assert "rule references or frames, not both" in said
    assert "rule 8 s with role reference rule 8 s with resolutions 1080p, 4K" in said
    assert "sources" not in said


def test_a_job_is_shown_with_times_that_a_person_reads(run: Run, address: str, plan: Plan):
    plan.job_fields = {"completed_at": 1_800_000_000}
    ran = run("jobs", "show", "job-0", "--server", address)

    assert re.search(r"^completed_at +2027-01-1\d \d\d:\d0:00$", ran.out, re.MULTILINE)
    assert "1800000000" in run("jobs", "show", "job-0", "--json", "--server", address).out


WAY = {"model": "m", "provider": "fal", "account": "studio", "error": "fal answered 401: Unknown key."}


def test_where_another_provider_made_it_the_one_that_did_not_is_told_with_its_account(
    run: Run, address: str, plan: Plan
):
    plan.job_fields = {"tried": [WAY]}
    ran = run("generate", "-p", "x", "-o", "x.mp4", "--server", address)

    assert ran.code == 0
    assert "note: fal (account studio) did not take m: fal answered 401: Unknown key." in ran.err.splitlines()


def test_a_job_that_failed_is_told_with_every_way_and_with_its_id(run: Run, address: str, plan: Plan):
    plan.states, plan.error, plan.job_fields = ["queued", "failed"], "Pictory said no.", {"tried": [WAY]}
    ran = run("watch", "job-0", "--server", address)

    assert ran.err.splitlines()[-3:] == [
        "note: fal (account studio) did not take m: fal answered 401: Unknown key.",
        "error: Pictory said no.",
        "hint: framegate jobs show job-0",
    ]


def test_an_order_of_unknown_fate_is_told_with_what_there_is_to_do(run: Run, address: str, plan: Plan):
    plan.states, plan.error = ["queued", "failed"], "The order may have been taken."
    plan.job_fields = {"error_code": "submit_unsure", "provider": "openrouter"}
    ran = run("generate", "-p", "x", "--server", address)

    assert ran.code == 1
    assert ran.err.splitlines()[-4:] == [
        "error: The order may have been taken.",
        "hint: its price is held, since it may be charged. See at openrouter whether it was made, and then",
        "hint: say what it cost: framegate settle job-0 --cost 0",
        "hint: or order it again: framegate retry job-0",
    ]


def test_a_fall_back_that_is_not_known_is_told_with_the_command_that_lists_models(run: Run):
    ran = run("check", "-m", "google/veo-3.1", "-p", "a ship", "--fallback", "zzzz/qqqq", "--sandbox")

    assert ran.code == 3
    assert "hint: framegate models lists those that are known." in ran.err
    assert "these take it as it stands" not in ran.err


def test_an_estimate_says_how_it_was_reckoned(run: Run):
    ran = run("check", "-m", "google/veo-3.1", "-p", "a ship", "-d", "8", "--sandbox")

    assert re.search(r"^estimate  \$3\.20, 8 s x \$0\.40/s \(720p with audio\) at \w+$", ran.out, re.MULTILINE)


def test_in_the_sandbox_it_is_said_that_nothing_is_spent(run: Run, address: str, plan: Plan):
    plan.job_fields = {"provider": "sandbox"}

    assert "nothing is spent" in run("generate", "-p", "x", "--server", address).err


def test_watch_as_json_is_one_event_on_each_line(run: Run, address: str):
    import json

    ran = run("watch", "job-0", "--json", "--server", address)

    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["stage"] for event in events] == ["queued", "preparing", "running", "checking", "completed"]
    assert events[0] == {
        "job_id": "job-0",
        "seq": 1,
        "at": 1.5,
        "status": "pending",
        "stage": "queued",
        "progress": 0.1,
    }


@pytest.mark.parametrize(("switch", "lively"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_on_a_terminal_progress_is_a_bar_unless_switched_off(address: str, switch: dict[str, str], lively: bool):
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", **switch}
    process = subprocess.Popen(
        [*FRAMEGATE, "watch", "job-0", "--server", address], stdout=subprocess.PIPE, stderr=theirs, env=environ
    )
    os.close(theirs)
    out, _ = process.communicate()
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # the terminal's end
        pass
    os.close(ours)

    assert (process.returncode, out) == (0, b"job-0 completed\n")
    assert (b"\x1b" in said) == lively


def test_130_ctrl_c_says_that_the_job_is_kept_and_how_to_go_on(address: str, plan: Plan):
    plan.states = ["queued", "running"]
    process = subprocess.Popen(
        [*FRAMEGATE, "generate", "-p", "x", "-o", "x.mp4", "--server", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    first = [process.stderr.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert first == ["Estimate: $0.40 for m, 4 s\n", "queued 10%\n", "running 20%\n"]
    assert (process.returncode, out) == (130, "")
    assert "framegate watch job-0 -o x.mp4" in err
    assert "framegate cancel job-0" in err
    assert "Traceback" not in err
