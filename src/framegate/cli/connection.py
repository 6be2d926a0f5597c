"""The gateway of a command: a server, the process that uses the data folder, or one inside the command."""

import gc
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from framegate.cli import console
from framegate.domain.errors import DataFolderBusy

if TYPE_CHECKING:
    from framegate.client import Framegate
    from framegate.config.settings import Settings

Server = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="URL", help="Gateway to use. Default: FRAMEGATE_URL, or a gateway inside the command."
    ),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder of the gateway inside the command.")
]
Sandbox = Annotated[
    bool,
    typer.Option(
        "--sandbox", help="Simulate every model: the animatic renderer makes the file, no provider is called."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Job id.")]

BUSY_SECONDS_MAX = 600.0
BUSY_RETRY_SECONDS = 0.25


@contextmanager
def open_gateway(
    server: str | None = None, data: Path | None = None, *, sandbox: bool = False, brief: bool = False
) -> "Generator[Framegate]":
    """A client of the gateway that the options select, closed at the end of the context.

    `brief` is for requests that take a moment: they may use the gateway inside another command, which ends with it.
    """
    from framegate.client import Framegate
    from framegate.config.environment import client_defaults
    from framegate.config.loading import load

    url = server or client_defaults()[0]
    if url:
        for flag, is_used in (("--sandbox", sandbox), ("--data", data is not None)):
            if is_used:
                source = "--server" if server else "FRAMEGATE_URL"
                console.fail(f"{flag} cannot be used with a server ({source}).", console.Exit.USAGE)
        with Framegate(url) as client:
            yield client
        return
    settings = load(data_dir=data, sandbox=sandbox or None)
    if "render_workers" not in settings.model_fields_set:  # an unfinished job must not delay the new one
        settings = settings.model_copy(update={"render_workers": max(2, settings.render_workers)})
    with ExitStack() as stack:
        yield _embedded_or_owner(settings, stack, brief=brief)


def _embedded_or_owner(settings: "Settings", stack: ExitStack, *, brief: bool) -> "Framegate":
    """A gateway over the data folder, or the server that uses it. Waits for another command that uses it."""
    gc.disable()  # importing the gateway triggers collections that find nothing
    from framegate.app.embedded import embedded_gateway, key_of
    from framegate.client import Framegate
    from framegate.store.folder_lock import read_owner

    gc.freeze()
    gc.enable()
    deadline = time.monotonic() + BUSY_SECONDS_MAX
    is_announced = False
    while True:
        try:
            return stack.enter_context(embedded_gateway(settings))
        except DataFolderBusy:
            owner = read_owner(settings.data_dir)
            url = reachable_url(str(owner.get("url") or ""))
            is_embedded = url.startswith("unix:")
            if brief and is_embedded:
                return stack.enter_context(Framegate(url, key_of(url)))
            if _is_loopback(url):
                console.print_message(f"Using the server at {url}, which uses the data folder {settings.data_dir}.")
                return stack.enter_context(Framegate(url, settings.api_key))
            if (url and not is_embedded) or time.monotonic() > deadline:
                raise
            if not is_announced:
                console.print_message(
                    f"Waiting for process {owner.get('pid', 'unknown')}, which is using {settings.data_dir} …"
                )
                is_announced = True
            time.sleep(BUSY_RETRY_SECONDS)  # noqa: TID251 - there is no event to wait for


def reachable_url(url: str) -> str:
    """The address at which this machine reaches a server that listens on all addresses."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _is_loopback(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("127.0.0.1", "localhost", "::1")
