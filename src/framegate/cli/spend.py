"""`spend` and `settle` commands: the cost of jobs."""

import datetime as dt
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.connection import Data, JobId, Json, Server, open_gateway
from framegate.cli.console import Exit
from framegate.cli.keys import parse_usd, run_on_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framegate.store import Store

AMOUNTS = ("settled_micro_usd", "reserved_micro_usd", "held_micro_usd")
COUNTS = ("unpriced_jobs", "void_jobs")


class By(StrEnum):
    """Grouping of the spending."""

    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    DAY = "day"


Since = Annotated[str | None, typer.Option("--since", metavar="DAY", help="First day, in UTC, such as 2026-11-01.")]
Until = Annotated[str | None, typer.Option("--until", metavar="DAY", help="Last day, in UTC, inclusive.")]


def spend(
    *,
    by: Annotated[By, typer.Option("--by", help="Grouping of the spending.")] = By.MODEL,
    since: Since = None,
    until: Until = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only this owner.")] = None,
    all_owners: Annotated[
        bool, typer.Option("--all", help="All owners, also at a server; a server's key needs the scope admin.")
    ] = False,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Show the spending. Without a server, of the whole data folder; with a server, of your key's owner.

    Example: framegate spend --by day --since 2026-11-01
    """
    from framegate.config.environment import client_defaults

    _check_flags(since, until, owner, all_owners=all_owners)
    if server or client_defaults()[0]:
        with open_gateway(server, data, brief=True) as client:
            if owner is not None or all_owners:
                spending = client.admin.spend(by=by.value, since=since, until=until, owner=owner)
            else:
                spending = client.spend(by=by.value, since=since, until=until)
    else:
        spending = _spending_of_folder(by, since, until, owner, data)
    if json:
        console.print_json(spending)
        return
    if not spending["data"]:
        console.print_message("No spending.")
        return
    heads = (by.value.upper(), "JOBS", "SETTLED", "RESERVED", "HELD", "UNPRICED", "VOID")
    console.table(heads, [*map(_row, spending["data"]), _row({**spending["total"], "name": "total"})])
    if estimated := spending["total"]["unreported_micro_usd"]:
        console.print_message(
            f"{_dollars(estimated)} of the settled amount is estimated: the providers did not report the cost."
        )
    if held := spending["total"]["held_micro_usd"]:
        console.print_message(f"{_dollars(held)} is held: a person must find out the cost of these orders.")
        console.print_hint("list them with: framegate jobs --all --held")


def _check_flags(since: str | None, until: str | None, owner: str | None, *, all_owners: bool) -> None:
    if owner is not None and all_owners:
        console.fail("--owner and --all cannot be used together.", Exit.USAGE)
    for flag, day in (("--since", since), ("--until", until)):
        if day is not None and not _is_day(day):
            console.fail(f"`{flag} {day}` is not a day.", Exit.USAGE, "use the format 2026-11-01")
    if since and until and since > until:
        console.fail(f"`--since {since}` is after `--until {until}`.", Exit.USAGE, "use the earlier day for --since")


def settle(
    job_id: JobId,
    *,
    cost: Annotated[str, typer.Option("--cost", metavar="USD", help="Final cost: 0.32, or 0 for nothing.")],
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Set the final cost of a held job. Find held jobs with: framegate jobs --all --held

    Without a server, works on the data folder, also while a server is running.

    Example: framegate settle 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11 --cost 0
    """
    from framegate.config.environment import client_defaults

    amount = parse_usd(cost) or 0
    if server or client_defaults()[0]:
        with open_gateway(server, data, brief=True) as client:
            client.admin.settle(job_id, amount)
    else:
        run_on_store(data, lambda store: store.ledger.resolve(job_id, amount))
    state = "settled" if amount else "void"
    if json:
        console.print_json({"job_id": job_id, "state": state, "settled_micro_usd": amount or None})
    else:
        console.print_data(f"{job_id} {state}" + (f" at {_dollars(amount)}" if amount else ""))


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _spending_of_folder(
    by: By, since: str | None, until: str | None, owner: str | None, data: Path | None
) -> dict[str, Any]:
    async def read(store: "Store") -> "tuple[Sequence[Any], dict[str, str]]":
        lines = await store.ledger.spent(by.value, owner=owner, since=since, until=until)
        names = {key.id: key.name for key in await store.keys.list()} if by is By.KEY else {}
        return lines, names

    lines, names = run_on_store(data, read)
    rows = [asdict(line) for line in lines]
    for row in rows:
        if names.get(row["name"] or ""):
            row["label"] = names[row["name"]]
    amounts = [name for name in (rows[0] if rows else {}) if name not in ("name", "label")]
    total = {name: sum(row[name] for row in rows) for name in amounts}
    return {"by": by.value, "since": since, "until": until, "data": rows, "total": total}


def _row(line: "Mapping[str, Any]") -> tuple[str, ...]:
    name = line.get("name") or "no key"
    label = f"{name} ({line['label']})" if line.get("label") else name
    amounts = (_dollars(line[amount]) for amount in AMOUNTS)
    return (label, str(line["jobs"]), *amounts, *(str(line[count] or "-") for count in COUNTS))


def _dollars(micro_usd: int) -> str:
    from framegate.domain.ledger import dollars

    return dollars(micro_usd)
