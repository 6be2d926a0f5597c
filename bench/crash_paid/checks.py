"""What must hold when all is over: the gateway's own orders against what the service counted."""

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx2

from bench.crash_paid.upstream import KEY, file_of

Shown = dict[str, Any]
ENDED = {"completed": "completed", "failed": "failed", "cancelled": "failed", "expired": "failed"}


@dataclass(slots=True)
class Paid:
    """The figures of the orders."""

    fates: Counter[str] = field(default_factory=Counter[str])
    taken: int = 0
    twice: int = 0
    unsure: int = 0
    unsure_taken: int = 0
    again: int = 0
    foreign: int = 0
    keys_leaked: int = 0
    codes: Counter[str] = field(default_factory=Counter[str])


@dataclass(slots=True)
class Written:
    """One job as the gateway's database has it."""

    state: str
    mark: str
    handle: str | None
    orders: list[str] = field(default_factory=list[str])


def of_the_service(book: dict[str, Any], paid: Paid, broken: list[str]) -> None:
    """No mark was ordered twice with success, and no key went to anybody else."""
    taken = Counter(came["mark"] for came in book["orders"] if came["job"])
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for came in book["orders"]:
        paid.fates[came["fate"]] += 1
        keys[came["mark"]].add(came["key"])
    paid.taken += taken.total()
    for mark, count in taken.items():
        if count > 1:
            paid.twice += 1
            broken.append(f"take {mark} was ordered {count} times with success")
    broken += [f"take {mark} was ordered under {len(of)} keys" for mark, of in keys.items() if len(of) > 1]
    paid.foreign += len(book["foreign"])
    for head in book["foreign"]:
        if KEY in head or "\r\nauthorization:" in head.lower():
            paid.keys_leaked += 1
            broken.append(f"the foreign origin was sent a credential: {head!r}")
    if book["keyless"]:
        broken.append(f"{book['keyless']} requests came without the account's key")


def in_the_database(data: Path, book: dict[str, Any], paid: Paid, broken: list[str]) -> None:
    """Each job's orders tell the truth of what the service took. The gateway must be stopped."""
    came: defaultdict[str, list[Shown]] = defaultdict(list)
    for one in book["orders"]:
        came[one["mark"]].append(one)
    jobs = _written(data)
    for job_id, job in jobs.items():
        paid.again += max(0, len(job.orders) - 1)
        if fault := _order_fault(job, came[job.mark]):
            broken.append(f"job {job_id} (take {job.mark}) is {job.state} by the orders {job.orders}: {fault}")
    strangers = came.keys() - {job.mark for job in jobs.values()}
    broken += [f"take {mark} was ordered, and no job tells of it" for mark in sorted(strangers)]


def _order_fault(job: Written, came: list[Shown]) -> str | None:
    """What a job's orders say that the service knows better, if anything."""
    taken = [one for one in came if one["job"]]
    last = job.orders[-1] if job.orders else None
    faults = {
        "an order is still on its way": "sending" in job.orders,
        "an order was made behind one that stands or may stand": bool({"accepted", "unsure"} & {*job.orders[:-1]}),
        f"the service saw {len(came)} orders": len(came) > len(job.orders),
        "it stands, and the service took none": last == "accepted" and not taken,
        "none stands, and the service took one": last not in ("accepted", "unsure") and bool(taken),
        "it is pinned to another job of the service": last == "accepted"
        and bool(taken)
        and job.handle not in (None, taken[0]["job"]),
        "it was completed without an order that stands": job.state == "completed" and last != "accepted",
        "an order whose fate is unknown did not end it": last == "unsure"
        and job.state not in ("failed", "cancelled", "expired"),
        "the service ended it otherwise": last == "accepted"
        and bool(taken)
        and job.state not in (ENDED[taken[0]["end"]], "cancelled"),
        "the service answered as always, and nobody listened": last == "refused"
        and not any(one["fate"] in ("400", "moved elsewhere") for one in came),
    }
    return "; ".join(words for words, holds in faults.items() if holds) or None


def _written(data: Path) -> dict[str, Written]:
    with closing(sqlite3.connect(data / "framegate.db")) as database:
        jobs: dict[str, Written] = {}
        for job_id, state, request, document in database.execute("SELECT id, state, request, state_json FROM jobs"):
            handle = cast("Shown", json.loads(document).get("handle") or {})
            jobs[job_id] = Written(state, json.loads(request)["metadata"]["mark"], handle.get("id"))
        for job_id, state in database.execute("SELECT job_id, state FROM orders ORDER BY job_id, attempt"):
            jobs[job_id].orders.append(state)
    return jobs


async def through_the_api(url: str, data: Path, book: dict[str, Any], paid: Paid, broken: list[str]) -> None:
    """Every order whose fate is unknown is told of by its job, and every video is the one that was ordered."""
    taken = {came["mark"] for came in book["orders"] if came["job"]}
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", timeout=60) as http:
        for job_id, written in _written(data).items():
            job = cast("Shown", (await http.get(f"/videos/{job_id}")).json())
            if job["status"] == "failed":
                paid.codes[job["error_code"]] += 1
            if "unsure" in written.orders:
                paid.unsure += 1
                paid.unsure_taken += written.mark in taken
                told = job["error_code"] == "submit_unsure" or "may charge" in (job["error"] or "")
                if job["status"] == "completed" or not told:
                    broken.append(f"job {job_id} has an unsure order and says {job['error_code']}: {job['error']}")
            if job["status"] == "completed":
                video = await http.get(f"/videos/{job_id}/content", headers={"range": "bytes=0-0"})
                if video.headers.get("etag") != f'"{book["sha256"][file_of(written.mark)]}"':
                    broken.append(f"job {job_id} has the video of another")
