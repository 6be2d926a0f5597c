"""`keys`: who may call the gate. Works on the data folder's database, also while a server runs on it."""

import asyncio
import datetime as dt
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from framegate.cli import console
from framegate.cli.console import Exit
from framegate.cli.gates import Json
from framegate.types import Key, Scope

if TYPE_CHECKING:
    from framegate.settings import Settings
    from framegate.store import Store

T = TypeVar("T")

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Make, list and revoke the keys that clients send.\n\nExample: framegate keys create --name website",
)

Data = Annotated[str | None, typer.Option("--data", metavar="DIR", help="Data folder of the gate.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, which is also its part behind `fg_`.")]
LIFE = re.compile(r"(\d{1,5})([smhdw])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="Whose jobs it sees; the keys of one owner share them.")] = (
        "default"
    ),
    scope: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What it may do; again for each. create and read.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="LIFE", help="How long it works: 30d, 12h, 90m. Always.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option("--rate", min=1, max=1_000_000, help="Requests a minute. No limit.")
    ] = None,
    json: Json = False,
    data: Data = None,
) -> None:
    """Make a key. Its text is shown this once, and kept nowhere.

    Example: framegate keys create --name website --owner acme --scope create --scope read --expires 30d --rate 60
    """
    from framegate.keys import new_key

    now = time.time()
    text, key = new_key(
        now=now,
        owner=owner,
        name=name,
        scopes=tuple(scope or (Scope.CREATE, Scope.READ)),
        expires_at=None if expires is None else now + _life(expires),
        requests_per_minute=rate,
    )
    _on_store(data, lambda store: store.keys.add(key))
    if json:
        console.out_json(_shown(key) | {"key": text})
        return
    console.out(text)
    console.say(f"Key {key.id} of owner {key.owner}. Keep it now: it is not shown again.")
    console.hint(f"revoke it with: framegate keys revoke {key.id}")


@app.command("list")
def list_keys(*, json: Json = False, data: Data = None) -> None:
    """List the keys, the oldest first; never their texts.

    Example: framegate keys list
    """
    found = _on_store(data, lambda store: store.keys.list())
    if json:
        console.out_json({"data": [_shown(key) for key in found]})
        return
    if not found:
        console.say("No keys.")
        return
    heads = ("ID", "OWNER", "NAME", "SCOPES", "STATE", "RATE", "LAST USED")
    console.table(heads, [_row(key) for key in found])


@app.command()
def revoke(key_id: KeyId, *, json: Json = False, data: Data = None) -> None:
    """End a key's life for good; a running server refuses it within five seconds.

    Example: framegate keys revoke q3k9d0x7m2ab
    """
    key = _on_store(data, lambda store: store.keys.revoke(key_id, now=time.time()))
    console.out_json(_shown(key)) if json else console.out(f"{key.id} revoked")


@app.command("webhook-secret")
def webhook_secret(
    *,
    owner: Annotated[str, typer.Option("--owner", help="Whose webhooks it verifies.")] = "default",
    json: Json = False,
    data: Data = None,
) -> None:
    """Show the secret that verifies an owner's webhooks.

    Example: framegate keys webhook-secret --owner acme
    """
    from framegate.webhooks import owner_secret

    secret = owner_secret(_on_store(data, lambda store: store.secret("webhooks")), owner)
    console.out_json({"owner": owner, "secret": secret}) if json else console.out(secret)


def any_key(settings: "Settings") -> bool:
    """Whether callers must send a key: the operator set one, or one was made."""
    from framegate.store.engines import sqlite_file

    if settings.api_key:
        return True
    if settings.database_url is None and not sqlite_file(settings.data_dir).is_file():
        return False
    return _over(settings, lambda store: store.keys.any())


def _on_store(data: str | None, act: "Callable[[Store], Awaitable[T]]") -> T:
    from framegate.settings import load

    settings = load(data_dir=data)
    if settings.database_url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    return _over(settings, act)


def _over(settings: "Settings", act: "Callable[[Store], Awaitable[T]]") -> T:
    from framegate.store import Store
    from framegate.store.engines import sqlite_url

    async def go() -> T:
        async with Store(settings.database_url or sqlite_url(settings.data_dir)) as store:
            return await act(store)

    return asyncio.run(go())


def _life(text: str) -> int:
    match = LIFE.fullmatch(text.strip().lower())
    if match is None or int(match[1]) == 0:
        console.fail(f"`{text}` is no length of time.", Exit.USAGE, "write it as 30d, 12h or 90m")
    return int(match[1]) * SECONDS[match[2]]


def _shown(key: Key) -> dict[str, object]:
    times = {name: getattr(key, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {
        "id": key.id,
        "owner": key.owner,
        "name": key.name,
        "scopes": list(key.scopes),
        **{name: None if at is None else int(at) for name, at in times.items()},
        "requests_per_minute": key.requests_per_minute,
        "state": _state(key),
    }


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and time.time() >= key.expires_at else "works"


def _row(key: Key) -> tuple[str, ...]:
    until = f" until {_when(key.expires_at)}" if key.expires_at is not None and _state(key) == "works" else ""
    rate = "-" if key.requests_per_minute is None else f"{key.requests_per_minute}/min"
    scopes = ",".join(key.scopes)
    return (key.id, key.owner, key.name or "-", scopes, _state(key) + until, rate, _when(key.last_used_at))


def _when(at: float | None) -> str:
    return "-" if at is None else dt.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
