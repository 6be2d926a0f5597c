"""`keys` commands: API keys of clients, at a server or in the database of the data folder.

The database is used also while a server is running. At a server, the caller's key needs the scope `admin`.
"""

import datetime as dt
import re
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar, Unpack

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json, Server, open_gateway
from framegate.cli.console import Exit
from framegate.domain import BudgetPeriod, Key, Scope

if TYPE_CHECKING:
    from framegate.client.requests import KeyFields
    from framegate.config.settings import Settings
    from framegate.store import Store

T = TypeVar("T")

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Create, list and revoke the API keys of clients.\n\nExample: framegate keys create --name website",
)

Budget = Annotated[
    str | None,
    typer.Option("--budget", metavar="USD", help="Maximum cost of its jobs, such as 20 or 0.5. Default: unlimited."),
]
Period = Annotated[
    BudgetPeriod | None, typer.Option("--budget-period", help="Period of the budget, in UTC. Default: total.")
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="Key id: the part of the key after `fg_`.")]
WHERE_HINT = "run the command on the machine of the gateway, without --server and FRAMEGATE_URL"
LIFETIME_PATTERN = re.compile(r"(\d{1,5})([smhdw])")
USD_PATTERN = re.compile(r"\$?(\d{1,12})(?:\.(\d{1,6}))?")
SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@app.command()
def create(  # noqa: PLR0913 - one parameter for each flag
    *,
    name: Annotated[str, typer.Option("--name", help="Purpose of the key.")] = "",
    owner: Annotated[
        str, typer.Option("--owner", help="Owner of the jobs that it sees; the keys of one owner share them.")
    ] = ("default"),
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="Permission; can be used multiple times. Default: create and read."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="LIFETIME", help="Lifetime, such as 30d, 12h or 90m. Default: unlimited."),
    ] = None,
    rate: Annotated[
        int | None, typer.Option("--rate", min=1, max=1_000_000, help="Requests per minute. Default: unlimited.")
    ] = None,
    budget: Budget = None,
    budget_period: Period = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Create a key. It is printed once and cannot be shown again.

    \b
    Example: framegate keys create --name website --owner acme --expires 30d

    \b
    With a budget: framegate keys create --budget 20 --budget-period month
    """  # noqa: D301 - so that the example is not wrapped
    fields: KeyFields = {
        "name": name,
        "owner": owner,
        "scopes": [each.value for each in scope or (Scope.CREATE, Scope.READ)],
        "lifetime_seconds": None if expires is None else _lifetime_seconds(expires),
        "requests_per_minute": rate,
        "budget_micro_usd": parse_usd(budget),
        "budget_period": budget_period and budget_period.value,
    }
    with open_keys(server, data) as keys:
        key = keys.create_key(**fields)
    if json:
        console.print_json(_record(key))
        return
    console.print_data(str(key["key"]))
    console.print_message(f"Key {key['id']} of owner {key['owner']}. Store it: it is not shown again.")
    console.print_hint(f"revoke it with: framegate keys revoke {key['id']}")


@app.command("list")
def list_keys(*, json: Json = False, server: Server = None, data: Data = None) -> None:
    """List the keys, oldest first. Key texts are never shown.

    Example: framegate keys list
    """
    with open_keys(server, data) as client:
        keys = client.keys()
    if json:
        console.print_json({"data": [_record(key) for key in keys]})
        return
    if not keys:
        console.print_message("No keys.")
        return
    heads = ("ID", "OWNER", "NAME", "SCOPES", "STATE", "RATE", "BUDGET", "LAST USED")
    console.table(heads, [_row(key) for key in keys])


@app.command()
def budget(
    key_id: KeyId,
    *,
    budget: Budget = None,
    budget_period: Period = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Change the budget of a key, from the next create on. Without --budget there is no limit.

    \b
    Example: framegate keys budget q3k9d0x7m2ab --budget 50 --budget-period month
    """  # noqa: D301 - so that the example is not wrapped
    with open_keys(server, data) as keys:
        key = keys.set_budget(key_id, parse_usd(budget), budget_period and budget_period.value)
    console.print_json(_record(key)) if json else console.print_data(f"{key['id']} {_budget(key)}")


@app.command()
def revoke(key_id: KeyId, *, json: Json = False, server: Server = None, data: Data = None) -> None:
    """Revoke a key permanently. A running server rejects it within five seconds.

    Example: framegate keys revoke q3k9d0x7m2ab
    """
    with open_keys(server, data) as keys:
        key = keys.revoke_key(key_id)
    console.print_json(_record(key)) if json else console.print_data(f"{key['id']} revoked")


@app.command("webhook-secret")
def webhook_secret(
    *,
    owner: Annotated[str, typer.Option("--owner", help="Owner of the webhooks.")] = "default",
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Print the secret that verifies an owner's webhooks.

    Example: framegate keys webhook-secret --owner acme
    """
    from framegate.config.environment import client_defaults
    from framegate.jobs.webhooks.signing import owner_secret

    if url := server or client_defaults()[0]:
        console.fail(f"The secrets of other owners are in the data folder only, not at {url}.", Exit.USAGE, WHERE_HINT)
    secret = owner_secret(run_on_store(data, lambda store: store.secret("webhooks")), owner)
    console.print_json({"owner": owner, "secret": secret}) if json else console.print_data(secret)


class Keyring(Protocol):
    """The keys of a gateway: those of a server, or of the data folder."""

    def keys(self) -> Sequence[Mapping[str, Any]]:
        """List the keys, oldest first."""
        ...

    def create_key(self, **fields: "Unpack[KeyFields]") -> Mapping[str, Any]:
        """Create a key."""
        ...

    def set_budget(
        self, key_id: str, budget_micro_usd: int | None, budget_period: str | None = None
    ) -> Mapping[str, Any]:
        """Set or remove the budget of a key."""
        ...

    def revoke_key(self, key_id: str) -> Mapping[str, Any]:
        """Revoke a key."""
        ...


@contextmanager
def open_keys(server: str | None, data: Path | None) -> Generator[Keyring]:
    """The keys of the server that the options select, or else of the data folder."""
    from framegate.config.environment import client_defaults

    if server or client_defaults()[0]:
        with open_gateway(server, data) as client:
            yield client.admin
    else:
        yield _StoredKeys(data)


class _StoredKeys:
    """The keys in the database of a data folder."""

    def __init__(self, data: Path | None) -> None:
        self._data = data

    def keys(self) -> Sequence[Mapping[str, Any]]:
        return [self._shown(key) for key in run_on_store(self._data, lambda store: store.keys.list())]

    def create_key(self, **fields: "Unpack[KeyFields]") -> Mapping[str, Any]:
        from framegate.domain.keys import new_key

        now, lifetime, period = time.time(), fields.get("lifetime_seconds"), fields.get("budget_period")
        text, key = new_key(
            now=now,
            owner=fields.get("owner", ""),
            name=fields.get("name", ""),
            scopes=tuple(map(Scope, fields.get("scopes", ()))),
            expires_at=None if lifetime is None else now + lifetime,
            requests_per_minute=fields.get("requests_per_minute"),
            budget_micro_usd=fields.get("budget_micro_usd"),
            budget_period=None if period is None else BudgetPeriod(period),
        )
        run_on_store(self._data, lambda store: store.keys.add(key))
        return {**self._shown(key), "key": text}

    def set_budget(
        self, key_id: str, budget_micro_usd: int | None, budget_period: str | None = None
    ) -> Mapping[str, Any]:
        from framegate.domain.keys import check_budget

        period = None if budget_period is None else BudgetPeriod(budget_period)
        check_budget(budget_micro_usd, period)
        period = None if budget_micro_usd is None else period or BudgetPeriod.TOTAL
        return self._shown(
            run_on_store(self._data, lambda store: store.keys.set_budget(key_id, budget_micro_usd, period))
        )

    def revoke_key(self, key_id: str) -> Mapping[str, Any]:
        return self._shown(run_on_store(self._data, lambda store: store.keys.revoke(key_id, now=time.time())))

    def _shown(self, key: Key) -> Mapping[str, Any]:
        from framegate.domain.keys import key_record

        return key_record(key, now=time.time())


def needs_key(settings: "Settings") -> bool:
    """Whether clients must send a key: the operator set one, or one was created."""
    from framegate.store.engine import sqlite_file

    if settings.api_key:
        return True
    if settings.database_url is None and not sqlite_file(settings.data_dir).is_file():
        return False
    return _run(settings, lambda store: store.keys.any())


def known_gateway_id(settings: "Settings") -> str:
    """The id of the gateway with this database; empty if it never ran."""
    from framegate.net.loops import gateway_id
    from framegate.store.engine import sqlite_file

    if settings.database_url is None and not sqlite_file(settings.data_dir).is_file():
        return ""
    return gateway_id(_run(settings, lambda store: store.secret("links")))


def run_on_store(data: Path | None, action: "Callable[[Store], Awaitable[T]]") -> T:
    """Run an action on the database of a data folder, also while a server is running."""
    from framegate.config.loading import load
    from framegate.storage.private import make_private_folder

    settings = load(data_dir=data)
    if settings.database_url is None:
        make_private_folder(settings.data_dir)
    return _run(settings, action)


def _run(settings: "Settings", action: "Callable[[Store], Awaitable[T]]") -> T:
    import asyncio

    from framegate.store import Store
    from framegate.store.engine import sqlite_url

    async def act() -> T:
        async with Store(settings.database_url or sqlite_url(settings.data_dir)) as store:
            return await action(store)

    return asyncio.run(act())


def _lifetime_seconds(text: str) -> int:
    match = LIFETIME_PATTERN.fullmatch(text.strip().lower())
    if match is None or int(match[1]) == 0:
        console.fail(f"`{text}` is not a duration.", Exit.USAGE, "use a format such as 30d, 12h or 90m")
    return int(match[1]) * SECONDS_PER_UNIT[match[2]]


def _record(key: Mapping[str, Any]) -> dict[str, Any]:
    """A key as JSON, with null for what it does not have."""
    names = ("id", "owner", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    limits = ("requests_per_minute", "budget_micro_usd", "budget_period", "state")
    return {name: key.get(name) for name in (*names, *limits)} | ({"key": key["key"]} if key.get("key") else {})


def _row(key: Mapping[str, Any]) -> tuple[str, ...]:
    is_limited = key.get("expires_at") is not None and key["state"] == "works"
    expiry = f" until {_local_time(key['expires_at'])}" if is_limited else ""
    return (
        str(key["id"]),
        str(key["owner"]),
        key.get("name") or "-",
        ",".join(key["scopes"]),
        key["state"] + expiry,
        f"{key['requests_per_minute']}/min" if key.get("requests_per_minute") else "-",
        _budget(key),
        _local_time(key.get("last_used_at")),
    )


def _local_time(at: float | None) -> str:
    return "-" if at is None else dt.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _budget(key: Mapping[str, Any]) -> str:
    from framegate.domain.ledger import PERIOD_WORDS, dollars

    amount, period = key.get("budget_micro_usd"), key.get("budget_period")
    return "-" if amount is None or period is None else f"{dollars(amount)} {PERIOD_WORDS[BudgetPeriod(period)]}"


def parse_usd(text: str | None) -> int | None:
    """An amount in dollars as typed, in millionths."""
    if text is None:
        return None
    amount = USD_PATTERN.fullmatch(text.strip())
    if amount is None:
        console.fail(f"`{text[:40]}` is not an amount in US dollars.", Exit.USAGE, "use a format such as 20 or 0.5")
    return int(amount[1]) * 1_000_000 + int((amount[2] or "").ljust(6, "0"))
