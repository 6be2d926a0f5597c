"""`spend` and `retry`: what jobs cost, and ordering again what may have been ordered already."""

import datetime as dt
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.connection import Data, JobId, Json, Server, open_gateway
from framegate.cli.console import Exit
from framegate.cli.generate import finish
from framegate.cli.keys import micro_usd, on_store
from framegate.cli.output_path import default_name, free_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framegate.client import Job
    from framegate.store import Store

AMOUNTS = ("settled_micro_usd", "reserved_micro_usd", "held_micro_usd")
COUNTS = ("unpriced_jobs", "void_jobs")


class By(StrEnum):
    """By what spending is grouped."""

    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    DAY = "day"


Since = Annotated[str | None, typer.Option("--since", metavar="DAY", help="From this UTC day on: 2026-11-01.")]
Until = Annotated[str | None, typer.Option("--until", metavar="DAY", help="Up to this UTC day, it included.")]


def spend(
    *,
    by: Annotated[By, typer.Option("--by", help="What the lines stand for.")] = By.MODEL,
    since: Since = None,
    until: Until = None,
    owner: Annotated[str | None, typer.Option("--owner", help="In the data folder: of this owner alone.")] = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Show what was spent. Without a server in the whole data folder, with one by your key's owner.

    Example: framegate spend --by day --since 2026-11-01
    """
    from framegate.config.environment import client_defaults

    for flag, day in (("--since", since), ("--until", until)):
        if day is not None and not _is_day(day):
            console.fail(f"`{flag} {day}` is no day.", Exit.USAGE, "write it as 2026-11-01")
    if since and until and since > until:
        console.fail(f"`--since {since}` is after `--until {until}`.", Exit.USAGE, "give the earlier day to --since")
    if url := server or client_defaults()[0]:
        if owner is not None:
            console.fail("--owner is for the data folder; a server tells its caller's own spending.", Exit.USAGE)
        with open_gateway(url, data, brief=True) as gate:
            told = gate.spend(by=by.value, since=since, until=until)
    else:
        told = _of_folder(by, since, until, owner, data)
    if json:
        console.out_json(told)
        return
    if not told["data"]:
        console.say("Nothing was placed.")
        return
    heads = (by.value.upper(), "JOBS", "SETTLED", "RESERVED", "HELD", "UNPRICED", "VOID")
    console.table(heads, [*(_row(one) for one in told["data"]), _row({**told["total"], "name": "total"})])
    if told["total"]["unreported_micro_usd"]:
        console.say(
            f"{_dollars(told['total']['unreported_micro_usd'])} of what is settled are estimates: the providers did "
            "not say what those jobs cost."
        )


def retry(
    job_id: JobId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    void_first: Annotated[
        bool, typer.Option("--void-first", help="Give up the reservation that the unsure job holds.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the video goes.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Write over a file that is there.")] = False,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Order again a job of unknown fate. Shows what is known, and asks: it may cost twice.

    Example: framegate retry 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    with open_gateway(server, data) as gate:
        job = gate.videos.get(job_id)
        bill = gate.videos.bill(job_id)
        if not bill["unsure"]:
            console.fail(
                f"The job is {job.status}, and it is known what became of its order.",
                Exit.FAILED,
                "make it again with `framegate generate`; only a job whose order's fate is unknown is retried",
            )
        place = output or Path(default_name(job.prompt, job.id))
        free_place(place, force=force)
        _show(job, bill)
        if not yes:
            _ask()
        again = gate.videos.retry(job_id, void_first=void_first)
        console.say(f"Job {again.id} takes its place.")
        finish(again, place, again=f"framegate watch {again.id} -o {place}", json=json, force=force)


def settle(
    job_id: JobId,
    *,
    cost: Annotated[str, typer.Option("--cost", metavar="USD", help="What it cost: 0.32, or 0 for nothing.")],
    json: Json = False,
    data: Data = None,
) -> None:
    """Say what a held job cost, once you know. Works on the data folder, also while a server runs on it.

    Example: framegate settle 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11 --cost 0
    """
    amount = micro_usd(cost) or 0
    on_store(None if data is None else str(data), lambda store: store.ledger.resolve(job_id, amount))
    state = "settled" if amount else "void"
    if json:
        console.out_json({"job_id": job_id, "state": state, "settled_micro_usd": amount or None})
    else:
        console.out(f"{job_id} {state}" + (f" at {_dollars(amount)}" if amount else ""))


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _show(job: "Job", bill: "Mapping[str, Any]") -> None:
    console.say(f"Job {job.id} is {job.status}: {job.raw.get('error', '')}")
    console.say(f"It was ordered of {bill['model']} at {bill['provider']}, and was accepted on {bill['day']} (UTC).")
    reserved = bill.get("reserved_micro_usd")
    estimate = "no price is known" if reserved is None else f"estimated at {_dollars(reserved)}"
    console.say(f"Money: {bill['state']}, {estimate}. Look there whether it was made before you order it again.")


def _ask() -> None:
    if not sys.stdin.isatty():
        console.fail("To order again may cost twice, and nobody is here to be asked.", Exit.USAGE, "say --yes")
    console.say("Order again? It may cost twice. [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        console.say("Nothing was ordered.")
        raise typer.Exit(Exit.STOPPED)


def _of_folder(by: By, since: str | None, until: str | None, owner: str | None, data: Path | None) -> dict[str, Any]:
    async def read(store: "Store") -> "tuple[Sequence[Any], dict[str, str]]":
        found = await store.ledger.spent(by.value, owner=owner, since=since, until=until)
        names = {key.id: key.name for key in await store.keys.list()} if by is By.KEY else {}
        return found, names

    found, names = on_store(None if data is None else str(data), read)
    rows = [asdict(one) for one in found]
    for row in rows:
        if names.get(row["name"] or ""):
            row["label"] = names[row["name"]]
    amounts = [name for name in (rows[0] if rows else {}) if name not in ("name", "label")]
    total = {name: sum(row[name] for row in rows) for name in amounts}
    return {"by": by.value, "since": since, "until": until, "data": rows, "total": total}


def _row(one: "Mapping[str, Any]") -> tuple[str, ...]:
    name = one.get("name") or "no key"
    label = f"{name} ({one['label']})" if one.get("label") else name
    amounts = (_dollars(one[amount]) for amount in AMOUNTS)
    return (label, str(one["jobs"]), *amounts, *(str(one[count] or "-") for count in COUNTS))


def _dollars(micro_usd: int) -> str:
    from framegate.domain.ledger import dollars

    return dollars(micro_usd)
