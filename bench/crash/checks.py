"""What must hold when all is over: read from the API, then from the stopped gateway's own database and folders."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2

from bench.crash.load import FINAL, Asked, file_fault

NEXT = {
    "queued": {"preparing"},
    "preparing": {"submitting"},
    "submitting": {"running", "preparing"},
    "running": {"fetching", "preparing"},
    "fetching": {"checking", "preparing"},
    "checking": {"completed"},
}  # besides: every one of them may stay as it is, or end without a video
ENDS = {"failed", "cancelled", "expired"}
PAGE = 100


@dataclass(slots=True)
class Found:
    """The figures of a run, as they stand at its end."""

    accepted: int = 0
    ends: Counter[str] = field(default_factory=Counter[str])
    repeated_renders: int = 0
    duplicates: int = 0
    lost: int = 0
    half_files: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])


async def through_the_api(url: str, asked: Sequence[Asked], found: Found, broken: list[str]) -> None:
    """Every job that was accepted is there, has ended as its client was told, and its video is whole."""
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", timeout=60) as http:
        jobs = await _all(http)
        _compare(jobs, asked, found, broken)
        frames = {one.mark: one.frames for one in asked}
        for job in jobs.values():
            found.ends[job["status"]] += 1
            if job["status"] == "failed":
                found.faults[f"{job['error_code']}: {job['error']}"] += 1
            if job["status"] == "completed":
                await _video(http, job, frames[job["metadata"]["mark"]], found, broken)


async def _all(http: httpx2.AsyncClient) -> dict[str, dict[str, Any]]:
    """Every job that the gateway has, by its id."""
    jobs: dict[str, dict[str, Any]] = {}
    after: str | None = None
    while True:
        answer = await http.get("/videos", params={"limit": PAGE} | ({"after": after} if after else {}))
        answer.raise_for_status()
        page = answer.json()
        jobs |= {job["id"]: job for job in page["data"]}
        if not (after := page.get("next")):
            return jobs


def _compare(jobs: dict[str, dict[str, Any]], asked: Sequence[Asked], found: Found, broken: list[str]) -> None:
    """What clients were told, against what there is."""
    for mark, count in Counter(job["metadata"]["mark"] for job in jobs.values()).items():
        if count > 1:
            found.duplicates += 1
            broken.append(f"{count} jobs were made of one request, {mark}")
    for one in asked:
        if one.id is None:
            continue
        found.accepted += 1
        status = jobs[one.id]["status"] if one.id in jobs else "gone"
        if status not in FINAL:
            found.lost += 1
            broken.append(f"job {one.id} was accepted and is {status}")
        elif one.told_cancelled and status != "cancelled":
            broken.append(f"job {one.id} was cancelled, its client was told so, and it is {status}")


async def _video(http: httpx2.AsyncClient, job: dict[str, Any], frames: int, found: Found, broken: list[str]) -> None:
    answer = await http.get(f"/videos/{job['id']}/content")
    if answer.status_code != 200:
        found.lost += 1
        broken.append(f"the video of completed job {job['id']} was answered {answer.status_code}")
        return
    if fault := await asyncio.to_thread(file_fault, answer.content, answer.headers["etag"], frames):
        found.half_files += 1
        broken.append(f"the video of completed job {job['id']} is bad: {fault}")


def in_the_database(data: Path, asked: Sequence[Asked], found: Found, broken: list[str]) -> None:
    """Every job went a legal way to one end, and no order was delivered twice. The gateway must be stopped."""
    with closing(sqlite3.connect(data / "framegate.db")) as database:
        verdict = database.execute("PRAGMA integrity_check").fetchall()
        if verdict != [("ok",)]:
            broken.append(f"SQLite says of its file: {verdict[:5]}")
        events: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for job_id, seq, state in database.execute("SELECT job_id, seq, state FROM events ORDER BY job_id, seq"):
            events[job_id].append((seq, state))
        orders: defaultdict[str, list[str]] = defaultdict(list)
        for job_id, state in database.execute("SELECT job_id, state FROM orders ORDER BY job_id, attempt"):
            orders[job_id].append(state)
        states = dict(database.execute("SELECT id, state FROM jobs").fetchall())
    for job_id, state in states.items():
        if fault := _way_fault(events[job_id]):
            broken.append(f"the way of job {job_id}: {fault}")
        found.repeated_renders += max(0, len(orders[job_id]) - 1)
        delivered = orders[job_id].count("accepted")
        if delivered > 1 or (state == "completed" and delivered != 1) or "sending" in orders[job_id]:
            found.duplicates += delivered > 1
            broken.append(f"job {job_id} is {state} by the orders {orders[job_id]}")
    broken += [
        f"the client of job {one.id} was told {one.events}, and the gateway kept {events[one.id]}"
        for one in asked
        if one.id and one.events != events[one.id]
    ]


def _way_fault(events: list[tuple[int, str]]) -> str | None:
    if [seq for seq, _ in events] != list(range(1, len(events) + 1)):
        return f"its events are numbered {[seq for seq, _ in events]}"
    if not events or events[0][1] != "queued":
        return "it does not begin with `queued`"
    for (_, before), (seq, after) in pairwise(events):
        if before in FINAL:
            return f"event {seq} comes behind the end"
        if after != before and after not in NEXT[before] | ENDS:
            return f"event {seq} leads from {before} to {after}"
    return None if events[-1][1] in FINAL else f"it rests at {events[-1][1]}"


def leftovers(data: Path) -> list[str]:
    """Unfinished files that a gateway which has started cleanly, with nothing to do, still keeps."""
    return [str(path.relative_to(data)) for name in ("blobs/tmp", "renders") for path in (data / name).iterdir()]


def struck(data: Path) -> Counter[str]:
    """In which states a kill has just hit the unfinished jobs. Looks at a copy: the next start finds all as it was."""
    with tempfile.TemporaryDirectory() as name:
        for file in data.glob("framegate.db*"):
            shutil.copy(file, name)
        copy = Path(name) / "framegate.db"
        if not copy.exists():
            return Counter()
        with closing(sqlite3.connect(copy)) as database:
            if database.execute("SELECT name FROM sqlite_master WHERE name = 'jobs'").fetchone() is None:
                return Counter()
            return Counter(state for (state,) in database.execute("SELECT state FROM jobs WHERE is_open"))
