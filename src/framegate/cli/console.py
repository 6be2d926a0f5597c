"""Output: data on stdout, everything else on stderr; a progress bar on a terminal, plain lines elsewhere."""

import json
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from framegate.domain import errors
from framegate.domain.errors import FramegateError, InvalidRequest

if TYPE_CHECKING:
    from framegate.client import JobEnded
    from framegate.domain import Event, Problem


class Exit(IntEnum):
    """The exit codes, which docs/reference/cli.md explains."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    NO_GATEWAY = 5
    STOPPED = 6
    INTERRUPTED = 130


EXIT_BY_CODE = {
    "unreachable": Exit.NO_GATEWAY,
    "cancelled": Exit.STOPPED,
    "expired": Exit.STOPPED,
    "settings_invalid": Exit.USAGE,
    "address_invalid": Exit.USAGE,
    "key_invalid": Exit.USAGE,
    "schema_unknown": Exit.USAGE,
}
FLAG_BY_FIELD = {
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

# The API route in a message; on the command line a hint names the command instead.
MODELS_ROUTE = re.compile(r" [^.]*GET /api/v1/videos/models\b[^.]*\.")

# Terminal commands and marks that reorder text: prompts and errors come from other parties.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

COMMAND = re.compile(r"(?<![\w/.-])framegate((?: [a-z]|$))")  # in a hint

GAP = "  "  # between columns
INDENT = "    "  # of the further lines of a row
MIN_COLUMN_CHARS = 20  # of wrapped text


def escape_controls(text: str) -> str:
    """Escape every control character, so that a terminal does not act on it."""
    return CONTROL_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def program() -> str:
    """How this command line is called here: `framegate` if it is on the PATH, else its path, else the module."""
    found = shutil.which("framegate")
    beside = Path(sys.executable).with_name("framegate")
    if found and Path(found).resolve() == beside.resolve():
        return "framegate"
    if not beside.is_file():
        return f"{shlex.quote(sys.executable)} -m framegate"
    with suppress(ValueError):
        return shlex.quote(str(beside.relative_to(Path.cwd())))
    return shlex.quote(str(beside))


def print_data(text: str) -> None:
    """Print data to stdout."""
    typer.echo(escape_controls(text))


def print_wrapped(head: str, text: str, *, err: bool = False) -> None:
    """Print a line. A terminal that is too narrow gets it wrapped at words and indented to the width of `head`."""
    columns = _terminal_columns(err=err)
    if columns is None:
        typer.echo(escape_controls(head + text), err=err)
        return
    indent = " " * len(head)
    width = max(columns - len(head), MIN_COLUMN_CHARS)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    typer.echo(escape_controls(f"\n{indent}".join([head + lines[0], *lines[1:]])), err=err)


def _terminal_columns(*, err: bool = False) -> int | None:
    """The width of the terminal; None if the stream is not a terminal."""
    return shutil.get_terminal_size().columns if (sys.stderr if err else sys.stdout).isatty() else None


def print_json(value: object) -> None:
    """Print one JSON document on one line to stdout."""
    typer.echo(escape_controls(json.dumps(value, ensure_ascii=False, default=str)))


def print_message(text: str) -> None:
    """Print a message to stderr."""
    typer.echo(escape_controls(text), err=True)


def print_hint(text: str) -> None:
    """Print a hint to stderr, with commands as they can be called here."""
    print_message(f"hint: {COMMAND.sub(lambda match: program() + match[1], text)}")


def fail(message: str, code: Exit, *hints: str) -> NoReturn:
    """End the command with an error message and hints."""
    print_wrapped("error: ", message, err=True)
    for text in hints:
        print_hint(text)
    raise typer.Exit(code)


def exit_code(error: FramegateError) -> Exit:
    """The exit code of an error."""
    if error.code in EXIT_BY_CODE:
        return EXIT_BY_CODE[error.code]
    if isinstance(error, (InvalidRequest, errors.BudgetExceeded)):
        return Exit.REFUSED
    if isinstance(error, (errors.NotFound, errors.Gone)):
        return Exit.NOT_FOUND
    if isinstance(error, (errors.Unavailable, errors.Busy, errors.Unauthorized, errors.Forbidden)):
        return Exit.NO_GATEWAY
    return Exit.FAILED


def show_error(error: FramegateError) -> None:
    """Print an error, with every problem on its own line and a hint where one helps."""
    if isinstance(error, InvalidRequest) and error.problems:
        show_problems(error.problems, error.alternatives)
        return
    print_wrapped("error: ", error.message, err=True)
    if error.code == "unreachable":
        print_hint("start a server with `framegate serve`, or omit --server and FRAMEGATE_URL to work without one")
    elif isinstance(error, errors.Unauthorized):
        print_hint("set FRAMEGATE_API_KEY to the server's key")


def show_failed_routes(routes: "Sequence[Mapping[str, Any]]") -> None:
    """Print each route whose order failed, with its account and the reason."""
    for route in routes:
        account = f"{route['provider']}/{route['account']}"
        print_wrapped("note: ", f"{route['model']} failed at {account}: {route['error']}", err=True)


def show_job_end(error: "JobEnded") -> None:
    """Print why a job ended without a video, its failed routes, and what can be done."""
    job = error.job.raw
    routes: list[dict[str, Any]] = job.get("tried") or []
    show_failed_routes([route for route in routes if route["error"] != error.message])
    show_error(error)
    if error.code == "submit_unsure":
        print_hint(f"its price is held. Check at {job.get('provider')} whether the video was made, then")
        print_hint(f"set its final cost: framegate settle {job['id']} --cost 0")
        print_hint(f"or resubmit it: framegate resubmit {job['id']}")
    else:
        print_hint(f"framegate jobs show {job['id']}")


def show_problems(
    problems: "Sequence[Problem]", alternatives: Sequence[str] = (), references: Sequence[str] = ()
) -> None:
    """Print every broken rule, with the nearest valid value as a flag.

    `references` are those of the command line, so that a message can name the one that it is about.
    """
    for problem in problems:
        parts = problem.pointer.strip("/").split("/")
        reference = ""
        if parts[0] == "input_references" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(references):
            reference = f"{references[int(parts[1])]}: "
        print_wrapped("error: ", reference + with_flag_names(problem.message), err=True)
        if flag := suggested_flag(problem):
            print_hint(flag)
        elif problem.code == "model_unknown":
            print_hint("list all models with: framegate models")
        elif problem.code == "model_unavailable":
            print_wrapped("hint: ", _account_hint(problem.message), err=True)
    is_fallback = any(problem.pointer.startswith("/models/") for problem in problems)
    if alternatives and not is_fallback:  # another model would not help the fallback
        models = ", ".join(f"--model {name}" for name in alternatives[:5])
        print_wrapped("hint: ", f"models that accept this request unchanged: {models}", err=True)


def _account_hint(message: str) -> str:
    """What makes an unavailable model available, from the providers that a message names."""
    from framegate.config.accounts import KEY_VARIABLES, KEYLESS_PROVIDERS

    variables = [
        f"FRAMEGATE_{provider.upper()}_BASE_URL" if provider in KEYLESS_PROVIDERS else variable
        for provider, variable in KEY_VARIABLES.items()
        if re.search(rf"\b{provider}\b", message.partition("offered by")[2])
    ]
    account = f"set {' or '.join(variables)} for the gateway" if variables else "configure an account"
    return f"{account} (docs/guides/providers.md), or try it for free with --sandbox"


def with_flag_names(message: str) -> str:
    """A message of the API with a flag instead of the field, and without the route of the API."""
    return MODELS_ROUTE.sub("", message.replace("provider.only", "--provider"))


def suggested_flag(problem: "Problem") -> str:
    """The nearest valid value as a flag; empty if there is none."""
    flag = FLAG_BY_FIELD.get(problem.pointer.strip("/"))
    if flag is None or problem.nearest is None or flag == "--prompt":  # `nearest` is only a part of it
        return ""
    if isinstance(problem.nearest, bool):
        return flag if problem.nearest else flag.replace("--", "--no-", 1)
    return f"{flag} {problem.nearest}"


def show_adjustments(adjustments: Sequence[Mapping[str, Any]]) -> None:
    """Print the changes to the references that make them acceptable."""
    for change in adjustments:
        number = change["reference"] + 1  # first and last frame come before the references
        sizes = f"{change['before']} to {change['after']}"
        print_wrapped("note: ", f"picture {number} {change['what']}, {sizes}: {change['reason']}", err=True)


def show_warnings(warnings: "Sequence[Problem]") -> None:
    """Print warnings; a note of a finished job is not a warning."""
    for warning in warnings:
        label = "note: " if warning.code == "render_note" else "warning: "
        print_wrapped(label, with_flag_names(warning.message), err=True)


def show_shots(shots: "Sequence[Mapping[str, Any]]") -> None:
    """Print the shot list: time range, content, and the transition to it."""
    for number, shot in enumerate(shots):
        transition = "" if number == 0 or shot["join"] == "goes on" else f" ({shot['join']} in)"
        transition = " (after a cut)" if shot["join"] == "cuts" else transition
        label = "shots" if number == 0 else ""
        print_data(f"{label:<9} {shot['start']:5.2f} to {shot['end']:5.2f} s  {shot['words']}{transition}")


def can_redraw() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    from framegate.config.environment import environment

    environ = environment()
    return sys.stderr.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


@contextmanager
def progress() -> "Generator[Callable[[Event], None]]":
    """Show events, as a progress bar or as plain lines."""
    if not can_redraw():
        yield plain_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<11}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("queued", total=None)

        def show(event: "Event") -> None:
            fraction = 1.0 if event.state == "completed" else event.progress
            bar.update(
                task, description=event.stage, total=None if fraction is None else 1.0, completed=fraction or 0.0
            )

        yield show


def plain_lines() -> "Callable[[Event], None]":
    """One line per stage, and one per tenth of a stage that reports its progress."""
    last: tuple[str, int] | None = None

    def show(event: "Event") -> None:
        nonlocal last
        current = (event.stage, int((event.progress or 0.0) * 10))
        if current != last:
            print_message(event.stage if event.progress is None else f"{event.stage} {event.progress:.0%}")
        last = current

    return show


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns, without borders, so that other tools can read them.

    On a terminal that is too narrow, each row continues in indented lines, and the last column is wrapped.
    """
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines: list[list[int]] = [[]]  # the columns of each line
    used = 0
    for index, width in enumerate(widths):
        needed = min(width, MIN_COLUMN_CHARS) if index == len(widths) - 1 else width
        if lines[-1] and used + needed > (_terminal_columns() or sys.maxsize):
            lines.append([])
            used = len(INDENT)
        lines[-1].append(index)
        used += width + len(GAP)
    for cells in (heads, *rows):
        for number, indexes in enumerate(lines):
            *padded, last = (f"{cells[index]:<{widths[index]}}" for index in indexes)
            head = (INDENT if number else "") + "".join(cell + GAP for cell in padded)
            print_wrapped(head, last.rstrip())


def dollars(cost_usd: float) -> str:
    """A price with two digits after the point, or four if it is small."""
    return f"${cost_usd:.2f}" if cost_usd == 0 or cost_usd >= 0.1 else f"${cost_usd:.4f}"
