"""`keys`: who may call the gate. Works on the data folder's database, also while a server runs on it."""

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
    help="Make, list and revoke the keys that clients send.\n\nExample: framegate keys create --name website",
)

Data = Annotated[str | None, typer.Option("--data", metavar="DIR", help="Data folder of the gate.")]
Budget = Annotated[
    str | None, typer.Option("--budget", metavar="USD", help="What its jobs may cost: 20 or 0.5. No limit.")
]
Period = Annotated[
    BudgetPeriod | None, typer.Option("--budget-period", help="For how long the budget lasts, by UTC. In all.")
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, which is also its part behind `fg_`.")]
LIFE = re.compile(r"(\d{1,5})([smhdw])")
USD = re.compile(r"\$?(\d{1,12})(?:\.(\d{1,6}))?")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@app.command()
def create(  # noqa: PLR0913 - all that a key is made with
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
    budget: Budget = None,
    budget_period: Period = None,
    json: Json = False,
    data: Data = None,
) -> None:
    """Make a key. Its text is shown this once, and kept nowhere.

    \b
    Example: framegate keys create --name website --owner acme --scope create --scope read --expires 30d --rate 60

    \b
    With a budget: framegate keys create --name website --budget 20 --budget-period month
    """  # noqa: D301 - so that the example is not wrapped
    from framegate.domain.keys import new_key

    now = time.time()
    text, key = new_key(
        now=now,
        owner=owner,
        name=name,
        scopes=tuple(scope or (Scope.CREATE, Scope.READ)),
        expires_at=None if expires is None else now + _life(expires),
        requests_per_minute=rate,
        budget_micro_usd=micro_usd(budget),
        budget_period=budget_period,
    )
    on_store(data, lambda store: store.keys.add(key))
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
    found = on_store(data, lambda store: store.keys.list())
    if json:
        console.out_json({"data": [_shown(key) for key in found]})
        return
    if not found:
        console.say("No keys.")
        return
    heads = ("ID", "OWNER", "NAME", "SCOPES", "STATE", "RATE", "BUDGET", "LAST USED")
    console.table(heads, [_row(key) for key in found])


@app.command()
def budget(
    key_id: KeyId,
    *,
    budget: Budget = None,
    budget_period: Period = None,
    json: Json = False,
    data: Data = None,
) -> None:
    """Set what a key's jobs may cost. It holds from now on; without --budget there is no limit.

    \b
    Example: framegate keys budget q3k9d0x7m2ab --budget 50 --budget-period month
    """  # noqa: D301 - so that the example is not wrapped
    from framegate.domain.keys import check_budget

    amount = micro_usd(budget)
    check_budget(amount, budget_period)
    period = None if amount is None else budget_period or BudgetPeriod.TOTAL
    key = on_store(data, lambda store: store.keys.set_budget(key_id, amount, period))
    console.out_json(_shown(key)) if json else console.out(f"{key.id} {_budget(key)}")


@app.command()
def revoke(key_id: KeyId, *, json: Json = False, data: Data = None) -> None:
    """End a key for good. A running server refuses it within five seconds.

    Example: framegate keys revoke q3k9d0x7m2ab
    """
    key = on_store(data, lambda store: store.keys.revoke(key_id, now=time.time()))
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
    from framegate.jobs.webhooks.dialect import owner_secret

    secret = owner_secret(on_store(data, lambda store: store.secret("webhooks")), owner)
    console.out_json({"owner": owner, "secret": secret}) if json else console.out(secret)


def any_key(settings: "Settings") -> bool:
    """Whether callers must send a key: the operator set one, or one was made."""
    from framegate.store.engine import sqlite_file

    if settings.api_key:
        return True
    if settings.database_url is None and not sqlite_file(settings.data_dir).is_file():
        return False
    return _over(settings, lambda store: store.keys.any())


def on_store(data: str | None, act: "Callable[[Store], Awaitable[T]]") -> T:
    """Do something with the database of a data folder, also while a server runs on it."""
    from framegate.config.loading import load

    settings = load(data_dir=data)
    if settings.database_url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    return _over(settings, act)


def _over(settings: "Settings", act: "Callable[[Store], Awaitable[T]]") -> T:
    from framegate.store import Store
    from framegate.store.engine import sqlite_url

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
        "budget_micro_usd": key.budget_micro_usd,
        "budget_period": key.budget_period,
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
    return (
        key.id,
        key.owner,
        key.name or "-",
        scopes,
        _state(key) + until,
        rate,
        _budget(key),
        _when(key.last_used_at),
    )


def _when(at: float | None) -> str:
    return "-" if at is None else dt.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _budget(key: Key) -> str:
    from framegate.domain.ledger import PERIOD_WORDS, dollars

    if key.budget_micro_usd is None or key.budget_period is None:
        return "-"
    return f"{dollars(key.budget_micro_usd)} {PERIOD_WORDS[key.budget_period]}"


def micro_usd(text: str | None) -> int | None:
    """Dollars as typed, in millionths."""
    if text is None:
        return None
    amount = USD.fullmatch(text.strip())
    if amount is None:
        console.fail(f"`{text[:40]}` is no amount in US dollars.", Exit.USAGE, "write it as 20 or 0.5")
    return int(amount[1]) * 1_000_000 + int((amount[2] or "").ljust(6, "0"))
