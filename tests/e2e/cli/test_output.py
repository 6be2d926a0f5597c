"""Output of the commands: help, flags, file names, progress, tables and hints."""

import json
import os
import pty
import re
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
    **{name: command for name, command in ROOT.commands.items() if not command.hidden and name not in ("db", "config")},
    **{
        f"{group} {name}": command
        for group in ("jobs", "keys", "db", "config")
        for name, command in ROOT.commands[group].commands.items()
    },
}


SLOW_TO_IMPORT = ("av", "cv2", "fastapi", "httpx2", "numpy", "PIL", "pydantic", "sqlalchemy", "starlette", "uvicorn")
HELP = """
import sys
from framegate.cli import main
sys.argv = ["framegate", "--help"]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_help_imports_nothing_that_is_slow_to_import():
    done = subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True, text=True)

    assert "generate" in done.stdout
    assert set(SLOW_TO_IMPORT) & set(done.stderr.split()) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(run: Run, command: str):
    result = run(*command.split(), "--help")

    assert result.code == 0
    assert f"Example: framegate {command}" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_is_one_line_that_can_be_copied(run: Run, command: str):
    [line] = [line for line in run(*command.split(), "--help").out.splitlines() if "Example: " in line]
    written = re.search(r"Example: (.*)", COMMANDS[command].help or "")

    assert written
    assert line.strip() == f"Example: {written[1]}"


@pytest.mark.parametrize("group", [(), ("jobs",), ("keys",), ("db",), ("config",)])
def test_no_command_is_listed_with_a_truncated_description(run: Run, group: tuple[str, ...]):
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


def test_the_version_is_that_of_the_package(run: Run):
    assert run("--version").out == "framegate 0.2.0\n"


FLAGS = [
    ("/duration", 6, "--duration 6"),
    ("/generate_audio", True, "--audio"),
    ("/generate_audio", False, "--no-audio"),
    ("/aspect_ratio", "16:9", "--aspect-ratio 16:9"),
    ("/duration", None, ""),
    ("/input_references/0/name", "hero", ""),
]


@pytest.mark.parametrize(("pointer", "nearest", "flag"), FLAGS)
def test_the_nearest_valid_value_is_shown_as_a_flag(pointer: str, nearest: object, flag: str):
    assert console.suggested_flag(Problem(code="x", pointer=pointer, message="x", nearest=nearest)) == flag


def test_the_name_of_a_reference_precedes_an_equals_sign(folder: Path):
    for name in ("a.jpg", "b=c.jpg"):
        (folder / name).write_bytes(b"x")
    texts = ["a.jpg", "hero=a.jpg", "b=c.jpg", "hero=https://example.com/a?x=1", "my-hero=a.jpg"]
    texts += ["hero=nope.jpg", "=a.jpg", "a/b=a.jpg"]

    assert parse_references(texts) == [
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
    ("listen_url", "url"),
    [
        ("http://0.0.0.0:1", "http://127.0.0.1:1"),
        ("http://[::]:1", "http://[::1]:1"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://10.0.0.0:1", "http://10.0.0.0:1"),
    ],
)
def test_a_server_on_all_addresses_is_reached_by_loopback(listen_url: str, url: str):
    assert reachable_url(listen_url) == url


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_text_of_other_parties_cannot_control_the_terminal(run: Run, address: str, plan: Plan, flags: tuple[str, ...]):
    plan.job_fields = {"prompt": "a \x1b[31mred\x07 \x9b2J \u202eeman"}
    result = run("jobs", "show", "job-0", *flags, "--server", address)

    assert (result.code, "[31mred" in result.out) == (0, True)
    assert not set("\x1b\x07\x9b\u202e") & set(result.out)


def test_on_a_narrow_terminal_a_line_is_wrapped_at_words_and_indented(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    console.print_wrapped("ok    data   ", "/a/path/that/is/longer/than/a/line, some room left")

    assert capsys.readouterr().out.splitlines() == [
        "ok    data   /a/path/that/is/longer/than/a/line,",
        "             some room left",
    ]


def test_on_a_narrow_terminal_the_columns_of_a_table_continue_in_indented_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    console.table(("ID", "STATUS", "PROMPT"), [("1" * 20, "completed", "a slow push-in on the cat at dusk")])

    assert capsys.readouterr().out.splitlines() == [
        "ID                    STATUS",
        "    PROMPT",
        "11111111111111111111  completed",
        "    a slow push-in on the cat at dusk",
    ]


def test_a_table_that_is_not_printed_to_a_terminal_has_one_line_per_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "40")
    console.table(("ID", "PROMPT"), [("1" * 50, "a slow push-in on the cat at dusk"), ("2", "")])

    assert capsys.readouterr().out.splitlines() == [
        f"ID{' ' * 50}PROMPT",
        f"{'1' * 50}  a slow push-in on the cat at dusk",
        f"2{' ' * 51}",
    ]


def test_on_a_narrow_terminal_an_error_is_wrapped_at_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    console.show_problems([Problem(code="x", pointer="/x", message="duration: the model supports 4, 6 and 8 s.")])

    assert capsys.readouterr().err.splitlines() == [
        "error: duration: the model supports 4, 6",
        "       and 8 s.",
    ]


@given(st.text(max_size=300))
def test_any_prompt_gives_a_safe_file_name(prompt: str):
    name = default_name(prompt, "01a1fb4f-a193-77fc-9b11-9664e0b83787")

    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-e0b83787\.mp4", name)
    assert len(name) <= NAME_CHARS_MAX + len("-e0b83787.mp4")


@given(st.lists(st.integers(0, 30), unique=True))
def test_ranges_contain_exactly_the_numbers(numbers: list[int]):
    listed: set[int] = set()
    for part in filter(None, format_ranges(numbers).removeprefix("-").split(",")):
        first, _, last = part.partition("-")
        listed |= set(range(int(first), int(last or first) + 1))

    assert listed == set(numbers)


def test_progress_without_a_terminal_is_plain_lines(run: Run, address: str):
    result = run("watch", "job-0", "--server", address)

    assert result.out == "job-0 completed\n"
    assert result.err.splitlines()[:4] == ["queued 10%", "preparing 20%", "running 30%", "checking 40%"]
    assert "\x1b" not in result.err


def test_differences_from_the_request_are_reported(run: Run, address: str, plan: Plan):
    change = {"reference": 1, "what": "resized", "before": "9000x9000", "after": "4096x4096", "reason": "too large"}
    warning = {"code": "seed", "pointer": "/seed", "message": "The seed is only a hint to this model."}
    plan.job_fields = {"adjustments": [change], "warnings": [warning], "quality": "warn", "usage": {"cost": 1.6}}
    result = run("generate", "-p", "x", "-o", "x.mp4", "--server", address)

    assert (result.code, result.out) == (0, "x.mp4\n")
    assert result.err.splitlines()[-5:] == [
        "warning: The seed is only a hint to this model.",
        "note: picture 2 resized, 9000x9000 to 4096x4096: too large",
        "warning: the file did not pass every check (warn).",
        "hint: framegate verify x.mp4",
        "Cost: $1.60",
    ]


def test_models_are_listed_with_price_and_providers_one_per_line(run: Run):
    lines = run("models", "--sandbox").out.splitlines()

    assert re.split(r"  +", lines[0]) == ["MODEL", "REFS", "SECONDS", "UP TO", "FROM $/S", "PROVIDERS"]
    assert "google/veo-3.1 3 4,6,8 4K 0.20 openrouter, fal, pictory, phaseo" in [
        " ".join(line.split()) for line in lines
    ]
    assert "framegate/animatic 16 1-60 1080p 0 animatic" in [" ".join(line.split()) for line in lines]
    assert max(len(line.rsplit("  ", 1)[0]) for line in lines) < 78


def test_models_are_in_the_order_of_vendor_and_name_or_of_their_price(run: Run):
    names = [line.split()[0] for line in run("models", "--sandbox").out.splitlines()[1:]]
    prices = [re.split(r"  +", line)[-2] for line in run("models", "--sandbox", "--sort", "price").out.splitlines()[1:]]

    assert names == sorted(names)
    known = [float(price) for price in prices if price != "-"]
    assert known == sorted(known)
    assert prices[len(known) :] == ["-"] * (len(prices) - len(known))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_table_fits_the_terminal_and_no_word_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch, columns: int):
    monkeypatch.setattr(console, "_terminal_columns", lambda *, err=False: columns)
    words = {word for line in run("models", "--sandbox").out.splitlines() for word in line.split()}
    monkeypatch.setattr(console, "_terminal_columns", lambda *, err=False: None)
    whole = run("models", "--sandbox").out

    assert words == set(whole.split())


def test_available_models_come_first_with_their_available_price(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FRAMEGATE_VLLM_OMNI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PICTORY_API_KEY", "secret")
    result, one = run("models"), run("models", "google/veo-3.1")
    offers = json.loads(run("models", "google/veo-3.1", "--json").out)["offers"]

    rows = {line.split()[0]: re.split(r"  +", line)[-2:] for line in result.out.splitlines()}
    assert "vllm_omni" not in rows["minimax/hailuo-3"][1].replace(
        "(vllm_omni)", ""
    )  # until the server says what it serves
    assert rows["x-ai/grok-imagine-video"] == ["(0.05)", "(openrouter), (fal), (phaseo)"]
    assert rows["google/veo-3.1"] == ["-", "pictory, (openrouter), (fal), (phaseo)"]
    brackets = [len(names) > 1 and names[1].startswith("(") for names in list(rows.values())[1:]]
    assert brackets == sorted(brackets)
    assert "no provider account is configured for it" in result.err
    assert re.search(r"^offer\.fal .* \(not configured\)$", one.out, re.MULTILINE)
    assert {offer["provider"]: offer["available"] for offer in offers} == {
        "pictory": True,
        **dict.fromkeys(("openrouter", "fal", "phaseo"), False),
    }


def test_a_model_is_shown_with_its_inputs_rules_and_prices(run: Run):
    text = " ".join(run("models", "google/veo-3.1", "--sandbox").out.split())

    assert "accepts.first_frame up to 1 image accepts.last_frame up to 1 image accepts.reference up to 3 images" in text
    assert "offer.openrouter google/veo-3.1: $0.60 per second at 4K with sound; $0.40 per second at 4K without" in text
    assert "offer.pictory veo3.1: price unknown" in text
    assert "rule references or frames, not both" in text
    assert "rule 8 s with role reference rule 8 s with resolutions 1080p, 4K" in text
    assert "sources" not in text


def test_a_job_is_shown_with_readable_times(run: Run, address: str, plan: Plan):
    plan.job_fields = {"completed_at": 1_800_000_000}
    result = run("jobs", "show", "job-0", "--server", address)

    assert re.search(r"^ended +2027-01-1\d \d\d:\d0:00$", result.out, re.MULTILINE)
    assert "http" not in result.out
    assert "1800000000" in run("jobs", "show", "job-0", "--json", "--server", address).out


FAILED_ROUTE = {"model": "m", "provider": "fal", "account": "studio", "error": "fal answered 401: Unknown key."}


def test_a_failed_route_is_reported_with_its_account_if_another_provider_made_the_video(
    run: Run, address: str, plan: Plan
):
    plan.job_fields = {"tried": [FAILED_ROUTE]}
    result = run("generate", "-p", "x", "-o", "x.mp4", "--server", address)

    assert result.code == 0
    assert "note: m failed at fal/studio: fal answered 401: Unknown key." in result.err.splitlines()


def test_a_failed_job_is_reported_with_its_failed_routes_and_its_id(run: Run, address: str, plan: Plan):
    plan.states, plan.error, plan.job_fields = ["queued", "failed"], "Pictory said no.", {"tried": [FAILED_ROUTE]}
    result = run("watch", "job-0", "--server", address)

    assert result.err.splitlines()[-3:] == [
        "note: m failed at fal/studio: fal answered 401: Unknown key.",
        "error: Pictory said no.",
        "hint: framegate jobs show job-0",
    ]


def test_an_unknown_outcome_is_reported_with_the_next_steps(run: Run, address: str, plan: Plan):
    plan.states, plan.error = ["queued", "failed"], "The order may have been taken."
    plan.job_fields = {"error_code": "submit_unsure", "provider": "openrouter"}
    result = run("generate", "-p", "x", "--server", address)

    assert result.code == 1
    assert result.err.splitlines()[-4:] == [
        "error: The order may have been taken.",
        "hint: its price is held. Check at openrouter whether the video was made, then",
        "hint: set its final cost: framegate settle job-0 --cost 0",
        "hint: or resubmit it: framegate resubmit job-0",
    ]


def test_an_unknown_fallback_is_reported_with_the_command_that_lists_models(run: Run):
    result = run("check", "-m", "google/veo-3.1", "-p", "a ship", "--fallback", "zzzz/qqqq", "--sandbox")

    assert result.code == 3
    assert "hint: list all models with: framegate models" in result.err
    assert "accept this request unchanged" not in result.err


def test_an_estimate_says_how_it_is_calculated(run: Run):
    result = run("check", "-m", "google/veo-3.1", "-p", "a ship", "-d", "8", "--sandbox")

    assert re.search(r"^estimate  \$3\.20, 8 s x \$0\.40/s \(720p with audio\) at \w+$", result.out, re.MULTILINE)


def test_the_sandbox_says_that_nothing_is_charged(run: Run, address: str, plan: Plan):
    plan.job_fields = {"provider": "sandbox"}

    assert "nothing is charged" in run("generate", "-p", "x", "--server", address).err


def test_watch_with_json_prints_one_event_per_line(run: Run, address: str):
    import json

    result = run("watch", "job-0", "--json", "--server", address)

    events = [json.loads(line) for line in result.out.splitlines()]
    assert [event["stage"] for event in events] == ["queued", "preparing", "running", "checking", "completed"]
    assert events[0] == {
        "job_id": "job-0",
        "seq": 1,
        "at": 1.5,
        "status": "pending",
        "stage": "queued",
        "progress": 0.1,
    }


@pytest.mark.parametrize(("switch", "is_bar"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_progress_on_a_terminal_is_a_bar_unless_turned_off(address: str, switch: dict[str, str], is_bar: bool):
    reader, terminal = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", **switch}
    process = subprocess.Popen(
        [*FRAMEGATE, "watch", "job-0", "--server", address], stdout=subprocess.PIPE, stderr=terminal, env=environ
    )
    os.close(terminal)
    out, _ = process.communicate()
    output = b""
    try:
        while piece := os.read(reader, 65536):
            output += piece
    except OSError:  # end of the terminal
        pass
    os.close(reader)

    assert (process.returncode, out) == (0, b"job-0 completed\n")
    assert (b"\x1b" in output) == is_bar


def test_130_ctrl_c_says_that_the_job_is_stored_and_how_to_continue(address: str, plan: Plan):
    plan.states = ["queued", "running"]
    process = subprocess.Popen(
        [*FRAMEGATE, "generate", "-p", "x", "-o", "x.mp4", "--server", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a background shell ignores SIGINT
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
