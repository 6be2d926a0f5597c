"""`serve` command: run a server."""

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from framegate.cli import console
from framegate.cli.connection import reachable_url
from framegate.cli.console import Exit

if TYPE_CHECKING:
    from framegate.config.settings import Settings


def serve(
    *,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 selects a free one. Default: 8787."),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data folder.")] = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox", help="Simulate every model: the animatic renderer makes the file, no provider is called."
        ),
    ] = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option("--log-level", help="Log level; info logs every request."),
    ] = "warning",
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM.

    Without an API key (see `framegate keys`) it needs no authentication, and listens on loopback only.

    Example: framegate serve --port 8787 --sandbox
    """
    from framegate.app.server import run
    from framegate.cli.keys import needs_key
    from framegate.config.loading import load
    from framegate.telemetry.logging import configure_logging

    settings = load(host=host, port=port, data_dir=data, sandbox=sandbox or None)
    configure_logging(log_level, settings.log_format)
    is_protected = needs_key(settings)
    with open_listener(settings) as listener:
        run(
            settings,
            listener,
            on_ready=lambda url: print_greeting(url, settings, is_protected=is_protected),
            log_level=log_level,
        )


def open_listener(settings: "Settings") -> socket.socket:
    """A socket on the address. A port in use, or an address of another machine, ends the command."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        console.fail(f"Not an address of this machine: {settings.host}", Exit.USAGE, "use --host 127.0.0.1")
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        hint = (
            "--host must be an address of this machine, or 0.0.0.0 for all of its addresses"
            if error.errno == errno.EADDRNOTAVAIL
            else "--port 0 selects a free port"
        )
        address_text = f"{settings.host}:{settings.port}"
        console.fail(f"Cannot listen on {address_text}: {error.strerror}.", Exit.NO_GATEWAY, hint)
    return listener


def print_greeting(url: str, settings: "Settings", *, is_protected: bool) -> None:
    """Print the address of the gateway and the first commands to use."""
    listen_url, url = url, reachable_url(url)
    key = " (API key required)" if is_protected else ""
    variable = " FRAMEGATE_API_KEY=KEY" if is_protected else ""
    header = ' -H "Authorization: Bearer KEY"' if is_protected else ""
    console.print_message(
        f"Framegate serves {listen_url}{key}, data in {settings.data_dir}" + (", sandbox" if settings.sandbox else "")
    )
    console.print_message(f"  API: {url}/api/v1   (docs: {url}/api/v1/docs)")
    console.print_message("Try, in another terminal:")
    console.print_message(
        f"  FRAMEGATE_URL={url}{variable} framegate generate -r photo.jpg -p 'a slow push-in at dusk'"
    )
    console.print_message(f"  curl {url}/api/v1/videos/models{header}")
