"""`python -m bench side_by_side [--litellm VENV]`: nine behaviours, measured, in one table.

The clients try nothing twice and the service counts what it takes, so every order more than one is the gateway's own.
LiteLLM's proxy is measured out of a virtual environment in which it is installed (`pip install 'litellm[proxy]'`).
Exits 1 when Framegate does other than it promises in any of them.
"""

import argparse
import asyncio
import base64
import io
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uuid_utils
from PIL import Image

from bench.side_by_side.gateways import SAMPLE_SECONDS, Gateway, framegate, litellm
from bench.side_by_side.service import BIG_BYTES, Service, pictures_in, serving

JOBS = 8
POLLS = 40
DOWNLOADS = 8
END_SECONDS_MAX = 60.0
TIMEOUT_SECONDS_MAX = 180.0  # an order that is not answered is given up before that
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured, and whether it is as it should be."""

    said: str
    well: bool


async def accept_then_500(gateway: Gateway, service: Service) -> Outcome:
    """One create; the service takes the order and answers 500."""
    return await _unanswered(gateway, service, "accept-then-500", END_SECONDS_MAX)


async def no_answer(gateway: Gateway, service: Service) -> Outcome:
    """One create; the service takes the order and does not answer."""
    return await _unanswered(gateway, service, "no-answer", TIMEOUT_SECONDS_MAX)


async def _unanswered(gateway: Gateway, service: Service, case: str, seconds_max: float) -> Outcome:
    answer = await gateway.create(gateway.body(case))
    told = str(answer.status_code)
    if answer.is_success:
        job = await gateway.ended(answer.json()["id"], seconds_max)
        told = f"{job['status']}, {job.get('error_code')}"
    taken = service.taken(case)
    return Outcome(f"{taken} paid ({told})", taken == 1 and told == "failed, submit_unsure")


async def wrong_account(gateway: Gateway, service: Service) -> Outcome:
    """Two accounts serve one model, and each has taken jobs; which one is asked after them."""
    ids = [
        (await gateway.create(gateway.body(case))).json()["id"]
        for case in ("either-account", "second-account") * (JOBS // 2)
    ]
    for job_id in ids * (POLLS // JOBS):
        await gateway.http.get(f"/videos/{job_id}")
    if gateway.ours:  # it looks at its own pace, whoever polls
        ends = [(await gateway.ended(job_id, END_SECONDS_MAX))["status"] for job_id in ids]
        assert ends == ["completed"] * len(ids), ends
    looks, wrong = (sum(part) for part in zip(*map(service.looks, ("either-account", "second-account")), strict=True))
    return Outcome(f"{wrong} of {looks} looks by the wrong one, for {POLLS} polls", looks > 0 and not wrong)


async def impossible(gateway: Gateway, service: Service) -> Outcome:
    """99 seconds of 17x19 pixels, which no model makes."""
    size = {"duration": 99, "size": "17x19"} if gateway.ours else {"seconds": "99", "size": "17x19"}
    body = gateway.body("impossible", **size)
    answer = await gateway.create({k: v for k, v in body.items() if k not in ("resolution", "aspect_ratio")})
    sent = len(service.orders("impossible"))
    return Outcome(f"{answer.status_code}, sent on {sent} times", answer.status_code == 400 and not sent)


async def references(gateway: Gateway, service: Service) -> Outcome:
    """Two reference pictures, in OpenRouter's shape; how many the service has in hand at the end."""
    rng = random.Random(1)
    pictures = [_picture(rng) for _ in range(2)]
    urls = [f"data:image/png;base64,{base64.b64encode(one).decode()}" for one in pictures]
    items = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    longer = {"duration": 8} if gateway.ours else {}  # the only length that this model makes by references
    answer = await gateway.create(gateway.body("references", input_references=items, **longer))
    if gateway.ours:
        await gateway.ended(answer.json()["id"], END_SECONDS_MAX)
    there = max((pictures_in(one, pictures, urls) for one in service.orders("references")), default=0)
    return Outcome(f"{there} of {len(pictures)} arrive ({answer.status_code})", there == len(pictures))


async def idempotency(gateway: Gateway, service: Service) -> Outcome:
    """The same create twice, with one Idempotency-Key."""
    key = str(uuid_utils.uuid7())
    answers = [await gateway.create(gateway.body("idempotency"), idempotency_key=key) for _ in range(2)]
    ids = {answer.json().get("id") for answer in answers}
    for job_id in ids if gateway.ours else ():
        await gateway.ended(job_id, END_SECONDS_MAX)
    taken = service.taken("idempotency")
    return Outcome(f"{taken} paid, {len(ids)} job(s)", (taken, len(ids)) == (1, 1))


async def unknown_id(gateway: Gateway, service: Service) -> Outcome:
    """A look at a job that was never made."""
    name = str(uuid_utils.uuid7())
    answer = await gateway.http.get(f"/videos/{name}")
    asked = service.naming(name) + len(service.elsewhere())
    where = f" ({', '.join(sorted(set(service.elsewhere())))})" if service.elsewhere() else ""
    return Outcome(f"{answer.status_code}, asked {asked} times{where}", answer.status_code == 404 and not asked)


async def memory(gateway: Gateway, service: Service) -> Outcome:
    """Eight downloads at once of a file of 50 MB."""
    job_id = (await gateway.create(gateway.body("download"))).json()["id"]
    job = await gateway.ended(job_id, END_SECONDS_MAX)
    assert job["status"] == "completed", job
    before = peak = gateway.rss_bytes()
    firsts: list[float] = []
    downloads = [asyncio.create_task(_download(gateway, job_id, firsts)) for _ in range(DOWNLOADS)]
    while not all(task.done() for task in downloads):
        peak = max(peak, gateway.rss_bytes())
        await asyncio.sleep(SAMPLE_SECONDS)
    sizes = {task.result() for task in downloads}
    grown = peak - before
    said = f"{before / MB:.0f} MB, then {peak / MB:.0f} MB; first byte after {max(firsts):.2f} s"
    return Outcome(said, grown < BIG_BYTES and sizes == {len(service.big)})


async def _download(gateway: Gateway, job_id: str, firsts: list[float]) -> int:
    began, size = time.monotonic(), 0
    async with gateway.http.stream("GET", f"/videos/{job_id}/content") as answer:
        async for part in answer.aiter_raw():
            if not size:
                firsts.append(time.monotonic() - began)
            size += len(part)
    return size


async def ranges(gateway: Gateway, service: Service) -> Outcome:
    """1,000 bytes out of the middle of a video."""
    job_id = (await gateway.create(gateway.body("range"))).json()["id"]
    await gateway.ended(job_id, END_SECONDS_MAX)
    answer = await gateway.http.get(f"/videos/{job_id}/content", headers={"range": "bytes=500-1499"})
    well = answer.status_code == 206 and answer.content == service.small[500:1500]
    return Outcome(f"{answer.status_code}, {len(answer.content):,} bytes", well)


Measure = Callable[[Gateway, Service], Awaitable[Outcome]]
BEHAVIOURS: dict[str, Measure] = {
    "taken, then 500": accept_then_500,
    "taken, then no answer": no_answer,
    "two accounts": wrong_account,
    "impossible request": impossible,
    "two references": references,
    "one Idempotency-Key": idempotency,
    "unknown id": unknown_id,
    "eight downloads of 50 MB": memory,
    "Range: 1,000 bytes": ranges,
}


async def measured(gateway: Gateway, service: Service) -> dict[str, Outcome]:
    """Every behaviour of one gateway; the one that waits for an answer waits beside the others."""
    waits = asyncio.create_task(no_answer(gateway, service))
    found: dict[str, Outcome] = {}
    try:
        for name, measure in BEHAVIOURS.items():
            found[name] = await (waits if measure is no_answer else measure(gateway, service))
    finally:
        waits.cancel()
    return found


async def run(venv: Path | None) -> dict[str, dict[str, Outcome]]:
    """Every gateway, one after the other, each with a service of its own."""
    found: dict[str, dict[str, Outcome]] = {}
    with tempfile.TemporaryDirectory(prefix="framegate-side-") as name:
        folder = Path(name)
        for open_gateway in (framegate, partial(litellm, venv=venv)) if venv else (framegate,):
            async with AsyncExitStack() as stack:
                service = await stack.enter_async_context(serving())
                gateway = await stack.enter_async_context(open_gateway(folder, service.url))
                found[gateway.name] = await measured(gateway, service)
    return found


def table(found: dict[str, dict[str, Outcome]]) -> str:
    """The outcomes, one line each; what is not as it should be has a mark."""
    marked = {name: [("" if of[name].well else "! ") + of[name].said for of in found.values()] for name in BEHAVIOURS}
    rows = [["", *found], *([name, *said] for name, said in marked.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _picture(rng: random.Random) -> bytes:
    file = io.BytesIO()
    small = Image.frombytes("RGB", (6, 4), bytes(rng.randrange(256) for _ in range(72)))
    small.resize((1280, 720), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench side_by_side", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--litellm", type=Path, metavar="VENV", help="a virtual environment with LiteLLM's proxy in it")
    given = parser.parse_args()
    began = time.monotonic()
    found = asyncio.run(run(given.litellm))
    print(table(found))
    if given.litellm is None:
        print("LiteLLM was not measured: name an environment that has it with --litellm.")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}, {time.monotonic() - began:.0f} s; `!`: not as it should be")
    return 0 if all(one.well for one in found["Framegate"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
