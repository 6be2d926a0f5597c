"""What people see: data on stdout, everything else on stderr; a live bar on a terminal, plain lines elsewhere."""

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from framegate.domain import errors
from framegate.domain.errors import FramegateError, InvalidRequest

if TYPE_CHECKING:
    from framegate.client import JobEnded
    from framegate.domain import Event, Problem


class Exit(IntEnum):
    """The exit codes, which docs/cli.md explains."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    NO_GATEWAY = 5
    STOPPED = 6
    INTERRUPTED = 130


BY_CODE = {
    "unreachable": Exit.NO_GATEWAY,
    "cancelled": Exit.STOPPED,
    "expired": Exit.STOPPED,
    "settings_invalid": Exit.USAGE,
    "address_invalid": Exit.USAGE,
    "key_invalid": Exit.USAGE,
}
FLAGS = {
    "duration": "--duration",
    "resolution": "--resolution",
    "aspect_ratio": "--aspect-ratio",
    "size": "--size",
    "fps": "--fps",
    "seed": "--seed",
    "generate_audio": "--audio",
    "negative_prompt": "--negative-prompt",
    "prompt": "--prompt",
    "model": "--model",
    "max_cost_usd": "--max-cost",
}

MODELS_LISTED = " GET /api/v1/videos/models lists those that are."

# What a terminal obeys, or what turns the order of letters round: prompts and errors are strangers' texts.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text with every control character written out, so that no terminal obeys it."""
    return OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def out(text: str) -> None:
    """Write data."""
    typer.echo(harmless(text))


def out_hanging(head: str, text: str) -> None:
    """Write a line; on a terminal that is too narrow for it, wrapped at words, and set in behind its head."""
    if not sys.stdout.isatty():
        out(head + text)
        return
    width = max(shutil.get_terminal_size().columns, len(head) + 20)
    behind = " " * len(head)
    lines = textwrap.wrap(text, width - len(head), break_long_words=False, break_on_hyphens=False)
    out(f"\n{behind}".join([head + (lines or [""])[0], *lines[1:]]))


def out_json(value: object) -> None:
    """Write one JSON document on one line of its own."""
    typer.echo(harmless(json.dumps(value, ensure_ascii=False, default=str)))


def say(text: str) -> None:
    """Tell the person."""
    typer.echo(harmless(text), err=True)


def hint(text: str) -> None:
    """Tell the person what would help."""
    say(f"hint: {text}")


def fail(message: str, code: Exit, *hints: str) -> NoReturn:
    """End with a sentence."""
    say(f"error: {message}")
    for text in hints:
        hint(text)
    raise typer.Exit(code)


def exit_code(error: FramegateError) -> Exit:
    """The exit code that stands for an error."""
    if isinstance(error, (InvalidRequest, errors.BudgetExceeded)):
        return Exit.REFUSED
    if isinstance(error, (errors.NotFound, errors.Gone)):
        return Exit.NOT_FOUND
    if isinstance(error, (errors.Unavailable, errors.Busy, errors.Unauthorized, errors.Forbidden)):
        return Exit.NO_GATEWAY
    return BY_CODE.get(error.code, Exit.FAILED)


def show_error(error: FramegateError) -> None:
    """Say what went wrong, every problem on its own line, and what would help."""
    if isinstance(error, InvalidRequest) and error.problems:
        show_problems(error.problems, error.alternatives)
        return
    say(f"error: {error.message}")
    if error.code == "unreachable":
        hint("start a server with `framegate serve`, or leave --server and FRAMEGATE_URL out to work without one.")
    elif isinstance(error, errors.Unauthorized):
        hint("set FRAMEGATE_API_KEY to the server's key.")


def show_tried(tried: "Sequence[Mapping[str, Any]]") -> None:
    """Say on which ways an order came to nothing, each with its account and the reason."""
    for way in tried:
        say(f"note: {way['provider']} (account {way['account']}) did not take {way['model']}: {way['error']}")


def show_end(ended: "JobEnded") -> None:
    """Say which job it was that ended without a video, where it was tried, and what there is to do."""
    job = ended.job.raw
    tried: list[dict[str, Any]] = job.get("tried") or []
    show_tried([way for way in tried if way["error"] != ended.message])
    show_error(ended)
    if ended.code == "submit_unsure":
        hint(f"its price is held, since it may be charged. See at {job.get('provider')} whether it was made, and then")
        hint(f"say what it cost: framegate settle {job['id']} --cost 0")
        hint(f"or order it again: framegate retry {job['id']}")
    else:
        hint(f"framegate jobs show {job['id']}")


def show_problems(problems: "Sequence[Problem]", alternatives: Sequence[str] = (), given: Sequence[str] = ()) -> None:
    """Say every broken rule, with the nearest legal value as a flag ready to type.

    `given` are the references as the person wrote them, so that a line can name the one it is about.
    """
    for problem in problems:
        parts = problem.pointer.strip("/").split("/")
        named = ""
        if parts[0] == "input_references" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(given):
            named = f"{given[int(parts[1])]}: "
        say(f"error: {named}{typed(problem.message)}")
        if flag := ready_flag(problem):
            hint(flag)
        elif problem.code == "model_unknown":
            hint("framegate models lists those that are known.")
    fallback = any(problem.pointer.startswith("/models/") for problem in problems)
    if alternatives and not fallback:  # another model would not mend the fall-back
        hint(f"these take it as it stands: {', '.join(f'--model {name}' for name in alternatives[:5])}")


def typed(message: str) -> str:
    """What the API says, with a flag in the place of its field, and without its route: a hint names the command."""
    return message.replace("Change provider.only.", "Change --provider.").removesuffix(MODELS_LISTED)


def ready_flag(problem: "Problem") -> str:
    """The nearest legal value as a flag to type; empty where there is none."""
    flag = FLAGS.get(problem.pointer.strip("/"))
    if flag is None or problem.nearest is None or flag == "--prompt":  # what would do there is a part of it
        return ""
    if isinstance(problem.nearest, bool):
        return flag if problem.nearest else flag.replace("--", "--no-", 1)
    return f"{flag} {problem.nearest}"


def show_adjustments(adjustments: Sequence[Mapping[str, Any]]) -> None:
    """Say what was, or would be, changed of the references so that they fit."""
    for change in adjustments:
        number = change["reference"] + 1  # first and last frame come before the references
        say(f"note: picture {number} {change['what']}, {change['before']} to {change['after']}: {change['reason']}")


def show_warnings(warnings: "Sequence[Problem]") -> None:
    """Say what the person should know; what a finished job has to tell is no warning."""
    for warning in warnings:
        say(f"{'note' if warning.code == 'render_note' else 'warning'}: {typed(warning.message)}")


def show_shots(shots: "Sequence[Mapping[str, Any]]") -> None:
    """Write the shot list: from when to when, and what is seen."""
    for number, shot in enumerate(shots):
        joined = "" if number == 0 or shot["join"] == "goes on" else f" ({shot['join']} in)"
        joined = " (after a cut)" if shot["join"] == "cuts" else joined
        name = "shots" if number == 0 else ""
        out(f"{name:<9} {shot['start']:5.2f} to {shot['end']:5.2f} s  {shot['words']}{joined}")


def lively() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    from framegate.config.environment import environment

    environ = environment()
    return sys.stderr.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


@contextmanager
def progress() -> "Generator[Callable[[Event], None]]":
    """Show the events that are handed in, as a live bar or as plain lines."""
    if not lively():
        yield plain_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<11}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("queued", total=None)

        def show(event: "Event") -> None:
            done = 1.0 if event.state == "completed" else event.progress
            bar.update(task, description=event.stage, total=None if done is None else 1.0, completed=done or 0.0)

        yield show


def plain_lines() -> "Callable[[Event], None]":
    """One line for each stage, and for each further tenth of a stage that tells how far it is."""
    last: tuple[str, int] | None = None

    def show(event: "Event") -> None:
        nonlocal last
        now = (event.stage, int((event.progress or 0.0) * 10))
        if now != last:
            say(event.stage if event.progress is None else f"{event.stage} {event.progress:.0%}")
        last = now

    return show


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows in columns as wide as they need to be; no frames, so that other tools can read them.

    What does not fit on a terminal goes on below in the last column.
    """
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)][:-1]
    for *cells, last in (heads, *rows):
        out_hanging("".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True)), last)


def dollars(cost_usd: float) -> str:
    """A price, to the cent, and finer where a cent would hide it."""
    return f"${cost_usd:.2f}" if cost_usd == 0 or cost_usd >= 0.1 else f"${cost_usd:.4f}"
