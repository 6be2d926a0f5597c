"""`serve`: the gate for others to reach."""

import errno
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from framegate.cli import console
from framegate.cli.connection import from_here
from framegate.cli.console import Exit

if TYPE_CHECKING:
    from framegate.config.settings import Settings


def serve(
    *,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on; 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 8787. 0 takes a free one.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data folder.")] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Every model answers, our renderer makes the file; nothing is spent.")
    ] = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option("--log-level", help="How much is logged; info logs every request."),
    ] = "warning",
) -> None:
    """Serve the gate until ctrl-C or SIGTERM.

    Without a key (see `framegate keys`) it is open, and listens on loopback only.

    Example: framegate serve --port 8787 --sandbox
    """
    from framegate.app.embedded import run
    from framegate.cli.keys import any_key
    from framegate.config.loading import load

    settings = load(host=host, port=port, data_dir=data, sandbox=sandbox or None)
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    keyed = any_key(settings)
    with listening(settings) as listener:
        run(settings, listener, on_ready=lambda url: greet(url, settings, keyed=keyed), log_level=log_level)


def listening(settings: "Settings") -> socket.socket:
    """A socket on the address; a port that is taken, or an address that is not ours, ends the command."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        console.fail(f"{settings.host} is no address of this machine.", Exit.USAGE, "listen on 127.0.0.1")
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        free = "--port 0 takes a free port."
        own = "--host takes an address of this machine, or 0.0.0.0 for all that it has."
        hint = own if error.errno == errno.EADDRNOTAVAIL else free
        console.fail(f"Cannot listen on {where}: {error.strerror}.", Exit.NO_GATEWAY, hint)
    return listener


def greet(url: str, settings: "Settings", *, keyed: bool) -> None:
    """Say where the gate is and what to type first."""
    listens, url = url, from_here(url)
    key = " (with a key)" if keyed else ""
    named = " FRAMEGATE_API_KEY=KEY" if keyed else ""
    header = ' -H "Authorization: Bearer KEY"' if keyed else ""
    console.say(
        f"Framegate serves {listens}{key}, data in {settings.data_dir}" + (", sandbox" if settings.sandbox else "")
    )
    console.say(f"  OpenRouter's API and ours: {url}/api/v1   (docs: {url}/api/v1/docs)")
    console.say("Try, in another terminal:")
    console.say(f"  FRAMEGATE_URL={url}{named} framegate generate -r photo.jpg -p 'a slow push-in at dusk'")
    console.say(f"  curl {url}/api/v1/videos/models{header}")
