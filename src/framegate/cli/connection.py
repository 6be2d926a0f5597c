"""Which gate a command speaks to: the one it was told of, the one that owns the data folder, or one of its own."""

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
    typer.Option("--server", metavar="URL", help="Gate to use; else FRAMEGATE_URL, else one inside this process."),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder of the gate inside this process.")
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Inside this process: every model answers, our renderer makes the file.")
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]

BUSY_SECONDS_MAX = 600.0
BUSY_LOOK_SECONDS = 0.25


@contextmanager
def open_gateway(
    server: str | None = None, data: Path | None = None, *, sandbox: bool = False, brief: bool = False
) -> "Generator[Framegate]":
    """A gate to speak to, for as long as the context lasts.

    `brief` is for what takes a moment: it may be asked of the gate inside another command, which ends with that.
    """
    from framegate.client import Framegate
    from framegate.config.environment import client_defaults
    from framegate.config.loading import load

    url = server or client_defaults()[0]
    if url and sandbox:
        console.fail("--sandbox is for the gate inside this process; a server has its own.", console.Exit.USAGE)
    if url:
        with Framegate(url) as gate:
            yield gate
        return
    settings = load(data_dir=data, sandbox=sandbox or None)
    if "render_workers" not in settings.model_fields_set:  # a job left unfinished must not hold up the new one
        settings = settings.model_copy(update={"render_workers": max(2, settings.render_workers)})
    with ExitStack() as stack:
        yield _own_or_owner(settings, stack, brief=brief)


def _own_or_owner(settings: "Settings", stack: ExitStack, *, brief: bool) -> "Framegate":
    """A gate over the data folder, or the server that has it; waits for another command that has it."""
    gc.disable()  # importing the gate makes much garbage collection and no garbage
    from framegate.app.embedded import embedded_gateway, key_of
    from framegate.client import Framegate
    from framegate.store.folder_lock import read_owner

    gc.freeze()
    gc.enable()
    until = time.monotonic() + BUSY_SECONDS_MAX
    said = False
    while True:
        try:
            return stack.enter_context(embedded_gateway(settings))
        except DataFolderBusy:
            owner = read_owner(settings.data_dir)
            url = from_here(str(owner.get("url") or ""))
            inside = url.startswith("unix:")
            if brief and inside:
                return stack.enter_context(Framegate(url, key_of(url)))
            if _is_loopback(url):
                console.say(f"Using the server at {url}, which owns {settings.data_dir}.")
                return stack.enter_context(Framegate(url, settings.api_key))
            if (url and not inside) or time.monotonic() > until:
                raise
            if not said:
                console.say(f"Waiting for process {owner.get('pid', 'unknown')}, which is using {settings.data_dir} …")
                said = True
            time.sleep(BUSY_LOOK_SECONDS)  # noqa: TID251 - there is no event to wait for


def from_here(url: str) -> str:
    """A server's address as this machine reaches it, where it listens on all addresses."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _is_loopback(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("127.0.0.1", "localhost", "::1")
