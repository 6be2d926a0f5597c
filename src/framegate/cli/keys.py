"""`keys` commands: API keys of clients, in the database of the data folder, also while a server is running."""

import asyncio
import datetime as dt
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from framegate.cli import console
from framegate.cli.connection import Json
from framegate.cli.console import Exit
from framegate.domain import BudgetPeriod, Key, Scope

if TYPE_CHECKING:
    from framegate.config.settings import Settings
    from framegate.store import Store

T = TypeVar("T")

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Create, list and revoke the API keys of clients.\n\nExample: framegate keys create --name website",
)

Data = Annotated[str | None, typer.Option("--data", metavar="DIR", help="Data folder of the gateway.")]
Budget = Annotated[
    str | None,
    typer.Option("--budget", metavar="USD", help="Maximum cost of its jobs, such as 20 or 0.5. Default: unlimited."),
]
Period = Annotated[
    BudgetPeriod | None, typer.Option("--budget-period", help="Period of the budget, in UTC. Default: total.")
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="Key id: the part of the key after `fg_`.")]
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
    data: Data = None,
) -> None:
    """Create a key. It is printed once and cannot be shown again.

    \b
    Example: framegate keys create --name website --owner acme --expires 30d

    \b
    With a budget: framegate keys create --budget 20 --budget-period month
    """  # noqa: D301 - so that the example is not wrapped
    from framegate.domain.keys import new_key

    now = time.time()
    text, key = new_key(
        now=now,
        owner=owner,
        name=name,
        scopes=tuple(scope or (Scope.CREATE, Scope.READ)),
        expires_at=None if expires is None else now + _lifetime_seconds(expires),
        requests_per_minute=rate,
        budget_micro_usd=parse_usd(budget),
        budget_period=budget_period,
    )
    run_on_store(data, lambda store: store.keys.add(key))
    if json:
        console.print_json(_as_json(key) | {"key": text})
        return
    console.print_data(text)
    console.print_message(f"Key {key.id} of owner {key.owner}. Store it: it is not shown again.")
    console.print_hint(f"revoke it with: framegate keys revoke {key.id}")


@app.command("list")
def list_keys(*, json: Json = False, data: Data = None) -> None:
    """List the keys, oldest first. Key texts are never shown.

    Example: framegate keys list
    """
    keys = run_on_store(data, lambda store: store.keys.list())
    if json:
        console.print_json({"data": [_as_json(key) for key in keys]})
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
    data: Data = None,
) -> None:
    """Change the budget of a key, from the next create on. Without --budget there is no limit.

    \b
    Example: framegate keys budget q3k9d0x7m2ab --budget 50 --budget-period month
    """  # noqa: D301 - so that the example is not wrapped
    from framegate.domain.keys import check_budget

    amount = parse_usd(budget)
    check_budget(amount, budget_period)
    period = None if amount is None else budget_period or BudgetPeriod.TOTAL
    key = run_on_store(data, lambda store: store.keys.set_budget(key_id, amount, period))
    console.print_json(_as_json(key)) if json else console.print_data(f"{key.id} {_budget(key)}")


@app.command()
def revoke(key_id: KeyId, *, json: Json = False, data: Data = None) -> None:
    """Revoke a key permanently. A running server rejects it within five seconds.

    Example: framegate keys revoke q3k9d0x7m2ab
    """
    key = run_on_store(data, lambda store: store.keys.revoke(key_id, now=time.time()))
    console.print_json(_as_json(key)) if json else console.print_data(f"{key.id} revoked")


@app.command("webhook-secret")
def webhook_secret(
    *,
    owner: Annotated[str, typer.Option("--owner", help="Owner of the webhooks.")] = "default",
    json: Json = False,
    data: Data = None,
) -> None:
    """Print the secret that verifies an owner's webhooks.

    Example: framegate keys webhook-secret --owner acme
    """
    from framegate.jobs.webhooks.signing import owner_secret

    secret = owner_secret(run_on_store(data, lambda store: store.secret("webhooks")), owner)
    console.print_json({"owner": owner, "secret": secret}) if json else console.print_data(secret)


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


def run_on_store(data: str | None, action: "Callable[[Store], Awaitable[T]]") -> T:
    """Run an action on the database of a data folder, also while a server is running."""
    from framegate.config.loading import load
    from framegate.storage.private import make_private_folder

    settings = load(data_dir=data)
    if settings.database_url is None:
        make_private_folder(settings.data_dir)
    return _run(settings, action)


def _run(settings: "Settings", action: "Callable[[Store], Awaitable[T]]") -> T:
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


def _as_json(key: Key) -> dict[str, object]:
    times = {name: getattr(key, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {
        "id": key.id,
        "owner": key.owner,
        "name": key.name,
        "scopes": list(key.scopes),
        **{name: None if at is None else int(at) for name, at in times.items()},
        "requests_per_minute": key.requests_per_minute,
        "budget_micro_usd": key.budget_micro_usd,
        "budget_period": key.budget_period,
        "state": _state(key),
    }


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and time.time() >= key.expires_at else "works"


def _row(key: Key) -> tuple[str, ...]:
    expiry = f" until {_local_time(key.expires_at)}" if key.expires_at is not None and _state(key) == "works" else ""
    rate = "-" if key.requests_per_minute is None else f"{key.requests_per_minute}/min"
    scopes = ",".join(key.scopes)
    return (
        key.id,
        key.owner,
        key.name or "-",
        scopes,
        _state(key) + expiry,
        rate,
        _budget(key),
        _local_time(key.last_used_at),
    )


def _local_time(at: float | None) -> str:
    return "-" if at is None else dt.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _budget(key: Key) -> str:
    from framegate.domain.ledger import PERIOD_WORDS, dollars

    if key.budget_micro_usd is None or key.budget_period is None:
        return "-"
    return f"{dollars(key.budget_micro_usd)} {PERIOD_WORDS[key.budget_period]}"


def parse_usd(text: str | None) -> int | None:
    """An amount in dollars as typed, in millionths."""
    if text is None:
        return None
    amount = USD_PATTERN.fullmatch(text.strip())
    if amount is None:
        console.fail(f"`{text[:40]}` is not an amount in US dollars.", Exit.USAGE, "use a format such as 20 or 0.5")
    return int(amount[1]) * 1_000_000 + int((amount[2] or "").ljust(6, "0"))
