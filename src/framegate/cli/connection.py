"""The gateway of a command: a server, the process that uses the data folder, or one inside the command."""

import gc
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from framegate.cli import console
from framegate.cli.console import Exit
from framegate.domain.errors import DataFolderBusy, NotFound

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


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOption:
    """An option that shapes the gateway itself, as opposed to those that are sent with a request."""

    name: str
    label: str
    value: object
    hint: str = ""


def gateway_options(data: Path | None, *, sandbox: bool, sandbox_setting: bool = False) -> tuple[GatewayOption, ...]:
    """The options that shape the gateway of this command. A gateway inside the command is built from them."""
    hint = "to work in a sandbox of your own, add --data DIR, without a server"
    label = "--sandbox" if sandbox else "The setting `sandbox`"
    return (
        *((GatewayOption(name="data", label="--data", value=data),) if data is not None else ()),
        *((GatewayOption(name="sandbox", label=label, value=True, hint=hint),) if sandbox or sandbox_setting else ()),
    )


def attach(
    url: str,
    api_key: str | None,
    options: Sequence[GatewayOption],
    *,
    description: str,
    confirmed: Mapping[str, object] = MappingProxyType({}),
) -> "Framegate":
    """A client of a gateway that is already running: the only way to one.

    It is as it is, so each option that it is not `confirmed` to have ends the command, and none is ignored.
    """
    from framegate.client import Framegate

    for option in options:
        if confirmed.get(option.name) != option.value:
            message = f"{option.label} cannot be used with {description}."
            console.fail(message, Exit.USAGE, *filter(None, [option.hint]))
    return Framegate(url, api_key)


@contextmanager
def open_gateway(
    server: str | None = None, data: Path | None = None, *, sandbox: bool | None = None, brief: bool = False
) -> "Generator[Framegate]":
    """A client of the gateway that the options select, closed at the end of the context.

    `sandbox` is None for a command whose result is the same in a sandbox. `brief` is for requests that take a moment:
    they may use the gateway inside another command, which ends with it.
    """
    from framegate.config.environment import client_defaults
    from framegate.config.loading import load

    url = server or client_defaults()[0]
    if url:
        source = "--server" if server else "FRAMEGATE_URL"
        options = gateway_options(data, sandbox=bool(sandbox))
        with attach(url, None, options, description=f"a server ({source})") as client:
            if sandbox is not None:
                _check_sandbox_variable(client, source)
            yield client
        return
    settings = load(data_dir=data, sandbox=sandbox or None)
    if "render_workers" not in settings.model_fields_set:  # an unfinished job must not delay the new one
        settings = settings.model_copy(update={"render_workers": max(2, settings.render_workers)})
    is_sandbox = settings.sandbox and sandbox is not None
    options = gateway_options(data, sandbox=bool(sandbox), sandbox_setting=is_sandbox)
    with ExitStack() as stack:
        yield _embedded_or_owner(settings, options, stack, brief=brief, is_mode_relevant=sandbox is not None)


def _check_sandbox_variable(client: "Framegate", source: str) -> None:
    """End the command if FRAMEGATE_SANDBOX asks for a sandbox and the server is none: it would place real orders."""
    from framegate.config.loading import sandbox_variable

    if not sandbox_variable():
        return
    try:
        is_sandbox = client.gateway().get("sandbox") is True
    except NotFound:  # a gateway of an earlier version
        is_sandbox = False
    if not is_sandbox:
        message = f"FRAMEGATE_SANDBOX is set, but the server ({source}) is not a sandbox."
        console.fail(message, Exit.USAGE, "unset FRAMEGATE_SANDBOX, or start the server with --sandbox")


def _embedded_or_owner(
    settings: "Settings", options: Sequence[GatewayOption], stack: ExitStack, *, brief: bool, is_mode_relevant: bool
) -> "Framegate":
    """A gateway over the data folder, or the server that uses it. Waits for another command that uses it."""
    gc.disable()  # importing the gateway triggers collections that find nothing
    from framegate.app.embedded import embedded_gateway, key_of
    from framegate.store.folder_lock import read_owner

    gc.freeze()
    gc.enable()
    data = next((option.value for option in options if option.name == "data"), None)  # it names the folder in use
    deadline = time.monotonic() + BUSY_SECONDS_MAX
    is_announced = False
    while True:
        try:
            return stack.enter_context(embedded_gateway(settings))
        except DataFolderBusy:
            owner = read_owner(settings.data_dir)
            confirmed = {"data": data, "sandbox": owner.get("sandbox") is True}
            url = reachable_url(str(owner.get("url") or ""))
            is_embedded = url.startswith("unix:")
            is_same_mode = not is_mode_relevant or confirmed["sandbox"] == settings.sandbox
            if brief and is_embedded and is_same_mode:
                client = attach(url, key_of(url), options, description="another command", confirmed=confirmed)
                return stack.enter_context(client)
            if _is_loopback(url):
                which = f"the server at {url}, which uses the data folder {settings.data_dir}"
                client = attach(url, settings.api_key, options, description=which, confirmed=confirmed)
                console.print_message(f"Using {which}.")
                return stack.enter_context(client)
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
