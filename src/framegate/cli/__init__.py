"""The command line. Every command goes through the SDK; heavy imports wait inside the commands."""

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

import typer

from framegate.cli import console, demo, doctor, generate, jobs, keys, models, serve, spend, verify
from framegate.domain.errors import FramegateError

EPILOG = (
    "Exit codes: 0 done, 1 the job or the file failed, 2 wrong usage, 3 the request was refused, 4 not found, "
    "5 the gate cannot be used, 6 cancelled or expired, 130 interrupted. "
    "Without --server and FRAMEGATE_URL every command works inside its own process, with no server."
)

app = typer.Typer(
    name="framegate",
    help="Make videos guided by reference images, with any model, through one gate.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate.generate)
app.command()(generate.check)
app.command()(models.models)
app.add_typer(jobs.app, name="jobs")
app.command()(jobs.watch)
app.command()(jobs.download)
app.command()(jobs.cancel)
app.command()(spend.retry)
app.command()(spend.settle)
app.command()(spend.spend)
app.command()(verify.verify)
app.command()(doctor.doctor)
app.command()(serve.serve)
app.add_typer(keys.app, name="keys")
app.command()(demo.demo)


def _version(asked: bool) -> None:
    if asked:
        from framegate import __version__

        console.out(f"framegate {__version__}")
        raise typer.Exit


@app.callback()
def framegate(
    *,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Make videos guided by reference images, with any model, through one gate."""


def main() -> None:
    """Run the command line; a foreseeable fault ends in a sentence and an exit code."""
    try:
        app()
    except FramegateError as error:
        from framegate.client import JobEnded

        console.show_end(error) if isinstance(error, JobEnded) else console.show_error(error)
        sys.exit(console.exit_code(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        console.say(f"error: {where}{error.strerror or error}")
        sys.exit(console.Exit.FAILED)
    except UnicodeEncodeError:
        console.say("error: An argument is not UTF-8 text.")
        sys.exit(console.Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(console.Exit.INTERRUPTED)


def run() -> NoReturn:
    """Run the command line as a process, which ends at once though a thread of it still works.

    A video that is being looked at as a command ends is looked at anew by the next gate. Its thread is in native code,
    and that aborts the process where Python takes itself down around it.
    """
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # nobody reads on
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)
    sys.exit(code if isinstance(code, int) else 1)
