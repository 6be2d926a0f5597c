"""A database of an earlier version opens with everything in it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from framegate.domain import Job, JobPolicy, State
from framegate.domain.ledger import EntryState
from framegate.store import Store
from framegate.store.engine import make_engines, migrate

pytestmark = pytest.mark.anyio
# Rows as version 0004 wrote them, with the names of that time.
JOBS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "jobs_0004.json").read_text())
RUNNING, COMPLETED = (row["id"] for row in JOBS)
MORE_THAN_A_PAGE = 501
INSERT_JOB = """
    INSERT INTO jobs (id, owner, model, state, active, version, due_at, cancel_requested, fence, body_hash, unanswered,
                      request, document)
    VALUES (:id, :owner, :model, :state, :active, :version, 1, false, 3, '', :unanswered, :request, :document)
"""
INSERT_ENTRY = """
    INSERT INTO ledger (job_id, owner, model, provider, account, day, created_at, settled_micro_usd, reported, state)
    VALUES (:id, 'default', 'google/veo-3.1', 'fal', 'studio', '2027-01-15', 1, 400000, true, 'settled')
"""
INSERT_DELIVERY = """
    INSERT INTO deliveries (id, job_id, owner, dialect, url, host, type, seq, body, state, attempts, attempts_before,
                            created_at, due_at, fence)
    VALUES ('0190a000-0000-7000-8000-0000000000aa', :id, 'default', 'fal', 'https://h/', 'h', 'done', 9, '{}',
            'failed', 9, 4, 1, 1, 2)
"""


def sha256(letter: str) -> str:
    return letter * 64


def fill(connection: Connection) -> None:
    migrate(connection, to="0004")
    for row in JOBS:
        is_open = row["state"] == "running"
        values = {**row, "active": is_open, "unanswered": "f00d" if is_open else None}
        connection.execute(text(INSERT_JOB), values)
    connection.execute(text(INSERT_ENTRY), {"id": COMPLETED})
    connection.execute(text(INSERT_DELIVERY), {"id": COMPLETED})


def fill_pages(connection: Connection) -> None:
    migrate(connection, to="0004")
    for number in range(MORE_THAN_A_PAGE):
        job_id = f"0190a000-0000-7000-8000-{number:012x}"
        document = JOBS[0]["document"].replace(RUNNING, job_id).replace(sha256("c"), f"{number:064x}")
        values = {**JOBS[0], "id": job_id, "document": document, "active": True, "unanswered": None}
        connection.execute(text(INSERT_JOB), values)


async def prepare(url: str, filling: Any) -> None:
    writer, reader = make_engines(url)
    async with writer.begin() as connection:
        await connection.run_sync(filling)
    await writer.dispose()
    await reader.dispose()


async def test_jobs_of_version_0004_keep_every_field(url: str):
    await prepare(url, fill)

    async with Store(url) as store:
        running, completed = await store.get(RUNNING), await store.get(COMPLETED)
        claims = await store.claim("a", now=2, until=3, limit=9)

    assert running is not None
    assert completed is not None
    assert [(claim.job, claim.fence) for claim in claims] == [(running, 4)]
    request = running.request
    assert request == completed.request
    assert request.prompt == 'quote " and \u2028 and 猫 \U0001f3a5'
    assert request.policy == JobPolicy(start_seconds=30.0, retry=False, retain_seconds=60, private=True)
    assert request.dialect_state == {"input": {"image_url": f"https://h/{sha256('b')}"}, "none": None}
    assert (request.references[0].reference_type, request.references[0].same_subject_as) == ("character", "cat")
    assert (running.submitted_at, running.submit_unconfirmed, running.missing_since) == (
        1800000050.0,
        True,
        1800000055.0,
    )
    assert (running.failed_downloads, running.failed_submits, running.attempts) == (3, 2, 2)
    assert [attempt.provider for attempt in running.fallback_log] == ["openrouter"]
    assert running.handle == {"id": "r1", "sent_at": 3}
    assert running.prepared[0].reference == request.references[0]
    assert running.prepared[0].signed_url == "https://gate/assets/x?sig=1"
    assert completed.provider_files[0].behind_key
    assert (completed.state, completed.cost_micro_usd, completed.outputs[0].frames) == (State.COMPLETED, 400_000, 96)


async def test_money_and_webhooks_of_version_0004_keep_their_columns(url: str):
    await prepare(url, fill)

    async with Store(url) as store:
        entry = await store.ledger.entry(COMPLETED)
        (delivery,) = await store.outbox.of_job(COMPLETED)

    assert entry is not None
    assert (entry.state, entry.settled_micro_usd, entry.provider_reported) == (EntryState.SETTLED, 400_000, True)
    assert (delivery.attempts, delivery.attempts_at_replay) == (9, 4)


async def test_the_blobs_of_version_0004_are_referenced_until_their_job_is_deleted(url: str):
    await prepare(url, fill)

    async with Store(url) as store:
        assert await store.referenced_hashes() == {sha256(letter) for letter in "abcdef0"}
        assert await store.is_referenced(sha256("e"))
        await store.delete(COMPLETED)
        assert await store.referenced_hashes() == {sha256(letter) for letter in "abc"}
        assert not await store.is_referenced(sha256("e"))


async def test_more_jobs_than_one_page_are_migrated(url: str):
    await prepare(url, fill_pages)

    async with Store(url) as store:
        hashes = await store.referenced_hashes()
        jobs = [job async for job in _all_jobs(store)]

    assert len(jobs) == MORE_THAN_A_PAGE
    assert all(job.submit_unconfirmed for job in jobs)
    assert hashes == {sha256("a"), sha256("b"), *(f"{number:064x}" for number in range(MORE_THAN_A_PAGE))}


async def _all_jobs(store: Store) -> AsyncIterator[Job]:
    after = None
    while True:
        page = await store.list(owner="default", limit=100, after=after)
        for job in page.jobs:
            yield job
        after = page.next
        if after is None:
            return
