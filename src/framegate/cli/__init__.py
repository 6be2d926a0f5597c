"""The command line. Every command uses the SDK; commands import heavy modules when they run."""

import logging
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

import typer

from framegate.cli import again, config, console, db, demo, doctor, generate, jobs, keys, models, serve, spend, verify
from framegate.domain.errors import FramegateError

EPILOG = (
    "Exit codes: 0 success, 1 the job or the file failed, 2 invalid usage, 3 the request was rejected, 4 not found, "
    "5 the gateway cannot be used, 6 cancelled or expired, 130 interrupted. "
    "Without --server and FRAMEGATE_URL, the gateway runs inside the command.\n\n"
    "Example: framegate generate -r photo.jpg -p 'a slow push-in at dusk'"
)

app = typer.Typer(
    name="framegate",
    help="Make videos guided by reference images, with any model, through one gateway.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(context_settings=generate.EXTRA_WORDS)(generate.generate)
app.command(context_settings=generate.EXTRA_WORDS)(generate.check)
app.command()(models.models)
app.add_typer(jobs.app, name="jobs")
app.command()(jobs.watch)
app.command()(jobs.download)
app.command()(jobs.cancel)
app.command()(again.rerun)
app.command()(again.resubmit)
app.command("retry", hidden=True)(again.resubmit)  # its name until 0.3.0
app.command()(spend.settle)
app.command()(spend.spend)
app.command()(verify.verify)
app.command()(doctor.doctor)
app.command()(serve.serve)
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")
app.command()(config.init)
app.command()(demo.demo)


def _print_version(requested: bool) -> None:
    if requested:
        from framegate import __version__

        console.print_data(f"framegate {__version__}")
        raise typer.Exit


@app.callback()
def framegate(
    *,
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Make videos guided by reference images, with any model, through one gateway."""


class _WarningHandler(logging.Handler):
    """Print warnings about the settings, such as a former name."""

    def emit(self, record: logging.LogRecord) -> None:
        console.print_wrapped("warning: ", record.getMessage(), err=True)


_warning_handler = _WarningHandler()


def main() -> None:
    """Run the command line. An expected error ends in a message and an exit code."""
    logging.getLogger("framegate.config").addHandler(_warning_handler)
    try:
        app()
    except FramegateError as error:
        from framegate.client import JobEnded

        console.show_job_end(error) if isinstance(error, JobEnded) else console.show_error(error)
        sys.exit(console.exit_code(error))
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        console.print_wrapped("error: ", f"{path}{error.strerror or error}", err=True)
        sys.exit(console.Exit.FAILED)
    except UnicodeEncodeError:
        console.print_message("error: An argument is not valid UTF-8.")
        sys.exit(console.Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(console.Exit.INTERRUPTED)


def run() -> NoReturn:
    """Run the command line as a process that exits immediately, even if a thread is still working.

    A check of a video that is interrupted in this way is repeated by the next gateway. Its thread is in native code,
    which would abort the process while the interpreter shuts down.
    """
    code: object = 0
    try:
        main()
    except SystemExit as exit_request:
        code = exit_request.code or 0
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # the reader has closed the pipe
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)
    sys.exit(code if isinstance(code, int) else 1)
